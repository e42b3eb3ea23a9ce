//! A simulated model provider: it answers like one, fails like one when told to, and counts what it received.
//!
//! The life of a request, by file: `http1` or `http2` reads it (`io` is the socket below, `frames` slips raw HTTP/2 frames
//! in), `exchange` decides what becomes of it (`script` holds the rules, `fault` the registry of what can go wrong,
//! `latency` the delays), `answer` makes the healthy answer in the dialect
//! that was spoken, `rate` says how much a caller may ask, `reply_faults` spoil it, `play` turns it into steps
//! (`sse` and `gzip` write them), `wire_faults` spoil those, and the wire plays them. `stats` counts, `control` lets other
//! languages drive it, `fast` is the short way for load, `ca` makes certificates, `refusal` makes addresses that do not answer.
//!
//! Each simulator is one thread with its own runtime (or, in the fast mode, its own wheel), so that a blocking test can drive it. Dropping the handle stops it
//! and closes all its connections at once.

pub mod ca;
pub mod fault;
pub mod latency;
pub mod rate;
pub mod refusal;
pub mod script;
pub mod stats;

mod answer;
mod control;
mod exchange;
mod fast;
mod frames;
mod gzip;
mod http1;
mod http2;
mod io;
mod play;
mod reply_faults;
mod sse;
mod wire_faults;

use std::fmt;
use std::io as std_io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::limits::LISTEN_BACKLOG;
use exchange::Shared;
pub use fast::FastOptions;
use io::Io;
use script::{Accept, Connection, Script, ScriptError};
pub use stats::Stats;

/// A simulator to be started.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// None: plaintext.
    pub tls: Option<SimTls>,
    /// Speaks HTTP/2 beside HTTP/1.1: by ALPN over TLS, by prior knowledge without.
    pub http2: bool,
    pub script: Script,
    /// Everything made up depends on it.
    pub seed: u64,
    /// Names the thread.
    pub name: String,
    /// Prebuilt answers for load, instead of everything else.
    pub fast: Option<FastOptions>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            http2: false,
            script: Script::default(),
            seed: 1,
            name: "sim".to_owned(),
            fast: None,
        }
    }
}

/// A certificate chain and its key, both in PEM.
#[derive(Clone)]
pub struct SimTls {
    pub cert_pem: String,
    pub key_pem: String,
}

impl fmt::Debug for SimTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Even a throw-away key does not belong into a log.
        f.debug_struct("SimTls").finish_non_exhaustive()
    }
}

/// The constructor of simulators.
pub struct Sim;

impl Sim {
    /// Binds, starts the thread and returns once connections are accepted. A script or a certificate that cannot be used is
    /// `InvalidInput`.
    pub fn start(config: SimConfig) -> std_io::Result<SimHandle> {
        let invalid = |error: String| std_io::Error::new(std_io::ErrorKind::InvalidInput, error);
        let tls = config.tls.as_ref().map(|tls| server_config(tls, config.http2)).transpose().map_err(invalid)?;
        let shared = Shared::try_new(config.seed, config.script).map_err(|error| invalid(error.to_string()))?;
        let shared = Arc::new(shared);
        let listener = listen(config.listen)?;
        let addr = listener.local_addr()?;
        let thread = std::thread::Builder::new().name(config.name.clone());
        let secure = tls.is_some();
        let (stop, thread) = match config.fast {
            Some(options) => {
                let (wheel, stop) = fast::Wheel::open(listener, tls, config.http2, Arc::clone(&shared), options)?;
                (Stop::Wheel(stop), thread.spawn(move || wheel.run())?)
            }
            None => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let (stop, stopped) = oneshot::channel::<()>();
                let server = Server { shared: Arc::clone(&shared), secure, tls, http2: config.http2 };
                let serve = async move {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    tokio::select! {
                        () = server.accept(listener) => {}
                        // Stopped, or the handle is gone.
                        _ = stopped => {}
                    }
                };
                (Stop::Runtime(stop), thread.spawn(move || runtime.block_on(serve))?)
            }
        };
        Ok(SimHandle { addr, secure, name: config.name, shared, stop: Some(stop), thread: Some(thread) })
    }
}

/// A running simulator. Dropping it stops it.
pub struct SimHandle {
    addr: SocketAddr,
    secure: bool,
    name: String,
    shared: Arc<Shared>,
    stop: Option<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// What stops a simulator's thread by being dropped.
#[expect(dead_code, reason = "held to be dropped")]
enum Stop {
    Runtime(oneshot::Sender<()>),
    Wheel(UnixStream),
}

impl SimHandle {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The base of the API, as a provider's entry wants it: `http://127.0.0.1:1234/v1`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.origin())
    }

    /// The same without `/v1`; the control endpoints stand below it.
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    pub fn reset_stats(&self) {
        self.shared.counters.reset();
    }

    /// Waits until `enough` holds of the counters, at most for `limit`. The last look is returned either way.
    pub fn wait_until(&self, limit: Duration, enough: impl Fn(&Stats) -> bool) -> Result<Stats, Box<Stats>> {
        match self.shared.counters.wait_until(limit, enough) {
            (stats, true) => Ok(stats),
            (stats, false) => Err(Box::new(stats)),
        }
    }

    /// Replaces the script; rule counters and the clock of its time windows start anew.
    pub fn set_script(&self, script: Script) -> Result<(), ScriptError> {
        self.shared.set_script(script)
    }

    /// Stops accepting, closes everything, and waits for the thread. The port is free afterwards.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the simulator's thread has been printed; the test sees its consequences.
            let _ = thread.join();
        }
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        self.end();
    }
}

/// The accepting side of one simulator.
struct Server {
    shared: Arc<Shared>,
    secure: bool,
    tls: Option<Arc<rustls::ServerConfig>>,
    http2: bool,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => {
                    tokio::spawn(Arc::clone(&server).connection(tcp));
                }
                // Out of descriptors, or the client was gone before it was accepted: neither ends the simulator.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream) {
        let counters = &self.shared.counters;
        let _open = Open(&self.shared);
        counters.connections_open.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let serial = counters.count(&counters.connections);
        let rules = self.shared.connection();
        // Without it only the pieces of a trickle would come late.
        let _ = tcp.set_nodelay(true);
        match rules.accept {
            Accept::Serve => {}
            Accept::Silent => return hold(tcp).await,
            Accept::Close => return,
            Accept::Reset => return io::set_reset_on_close(&tcp),
        }
        if self.secure && rules.tls_stall {
            return hold(tcp).await;
        }
        let (io, http2) = match &self.tls {
            None => {
                let http2 = self.http2 && begins_like_http2(&tcp).await;
                (Io::Plain(tcp), http2)
            }
            Some(config) => match self.handshake(tcp, config, &rules).await {
                Some(accepted) => accepted,
                None => return,
            },
        };
        let shared = Arc::clone(&self.shared);
        if http2 {
            http2::serve(io, shared, serial, rules).await;
        } else {
            http1::serve(io, shared, serial, rules).await;
        }
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        config: &Arc<rustls::ServerConfig>,
        rules: &Connection,
    ) -> Option<(Io, bool)> {
        let config = match &rules.alpn {
            None => Arc::clone(config),
            Some(protocols) => {
                let mut own = rustls::ServerConfig::clone(config);
                own.alpn_protocols = protocols.iter().map(|name| name.clone().into_bytes()).collect();
                Arc::new(own)
            }
        };
        let counters = &self.shared.counters;
        match TlsAcceptor::from(config).accept(tcp).await {
            Ok(stream) => {
                let session = stream.get_ref().1;
                let http2 = session.alpn_protocol() == Some(b"h2");
                if session.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                    counters.count(&counters.tls_resumed);
                }
                counters.count(&counters.tls_handshakes);
                Some((Io::Tls(Box::new(stream)), http2))
            }
            Err(_) => {
                counters.count(&counters.tls_failures);
                None
            }
        }
    }
}

/// Counts a connection as open until it is dropped, however its task ends.
struct Open<'a>(&'a Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counters.connection_closed();
    }
}

/// Keeps a connection without a word until the peer gives up. What the peer sends stays in the kernel.
async fn hold(tcp: TcpStream) {
    while let Ok(ready) = tcp.ready(tokio::io::Interest::READABLE).await {
        if ready.is_read_closed() {
            return;
        }
        // Unread data keeps the socket readable, so that waiting again would return at once.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether the client's first bytes are those of the HTTP/2 preface. No HTTP/1.1 method begins with `PRI `.
async fn begins_like_http2(tcp: &TcpStream) -> bool {
    let mut first = [0; 4];
    loop {
        match tcp.peek(&mut first).await {
            Ok(4) => return &first == b"PRI ",
            Ok(0) | Err(_) => return false,
            Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

fn listen(addr: SocketAddr) -> std_io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A simulator that is stopped and started again on its port is an outage that ends.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(LISTEN_BACKLOG as i32)?;
    Ok(socket.into())
}

fn server_config(tls: &SimTls, http2: bool) -> Result<Arc<rustls::ServerConfig>, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(tls.cert_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("certificate: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key_pem.as_bytes()).map_err(|error| format!("key: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(Arc::new(config))
}
