//! What the tests of this module connect to: peers on threads of their own that are not made of our code.
//!
//! `Http2Peer` is h2's server on tokio; the path of a request says how it behaves. `RawPeer` writes frames by hand, for what a proper
//! server does not do. Certificates are made per test.

use super::upstream::{Content, Method, Piece, RequestBody, UpstreamContext, UpstreamRequest};
use crate::{
    config::cloud::AuthSource,
    config::snapshot::{Deployment, Endpoint, EndpointKey, HttpVersions, Pool as Bounds, Secret, http1_chat_start},
    dialects::wire::Dialect,
    providers::{Auth, Provider, Quirks},
    rt::{self, Deadlines, Driver, DriverChoice},
    telemetry::cells::Cell,
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use std::{
    future::{Future, poll_fn},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// Runs `test` on both drivers, with a clock that ticks.
pub fn on_both<F: Future<Output = ()>>(test: impl Fn(Rc<UpstreamContext>) -> F) {
    on_both_untimed(async |context| {
        keep_time(&context);
        test(context).await;
    });
}

/// Runs `test` on both drivers; the clock moves when the test says so.
pub fn on_both_untimed<F: Future<Output = ()>>(test: impl Fn(Rc<UpstreamContext>) -> F) {
    let run = |driver| {
        rt::run(driver, async {
            let deadlines = Deadlines::new(Instant::now());
            test(Rc::new(UpstreamContext { deadlines, state: Arc::default() })).await;
        })
    };
    run(Driver::Epoll).expect("epoll works everywhere");
    match DriverChoice::Auto.probe().expect("auto never fails").0 {
        Driver::IoUring => run(Driver::IoUring).expect("the probe succeeded"),
        Driver::Epoll => eprintln!("io_uring is off here; only epoll was tested"),
    }
}

fn keep_time(context: &Rc<UpstreamContext>) {
    let deadlines = context.deadlines.clone();
    let ticking = async move {
        loop {
            rt::sleep_ms(1).await;
            let now_ms = deadlines.touch();
            deadlines.tick(now_ms);
        }
    };
    rt::spawn(ticking, || {});
}

/// Runs `future` on a clock of its own: each real millisecond is `step_ms`.
pub async fn in_fast_time<F: Future>(context: &UpstreamContext, step_ms: u64, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut pause = Box::pin(rt::sleep_ms(1));
    poll_fn(|cx| {
        while pause.as_mut().poll(cx).is_ready() {
            context.deadlines.tick(context.deadlines.now_ms() + step_ms);
            pause = Box::pin(rt::sleep_ms(1));
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Waits for what another task or thread is about to do.
pub async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if happened() {
            return;
        }
        rt::sleep_ms(1).await;
    }
    panic!("never happened: {what}");
}

pub fn count(context: &UpstreamContext, cell: Cell) -> u64 {
    context.state.cells.read(cell)
}

/// A certificate authority that only one test trusts.
pub struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub fn new() -> Issuer {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two of the same name would be taken for each other.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test issuer {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("key");
        Issuer(CertifiedIssuer::self_signed(params, key).expect("certificate"))
    }

    /// A server for `name`, whose certificate ended in `last_year` if that is given.
    pub fn server(&self, name: &str, alpn: &[&str], last_year: Option<i32>) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_string()]).expect("name");
        if let Some(year) = last_year {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        }
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.0).expect("certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("key");
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("config");
        config.alpn_protocols = protocols(alpn);
        Arc::new(config)
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("root");
        roots
    }

    pub fn client(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::builder().with_root_certificates(self.roots()).with_no_client_auth();
        config.alpn_protocols = protocols(alpn);
        Arc::new(config)
    }
}

fn protocols(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect()
}

/// An endpoint on loopback named `peer.test`, with one warm connection and limits that no test reaches by accident.
pub fn endpoint(address: SocketAddr, tls: Option<Arc<ClientConfig>>, http: HttpVersions) -> Endpoint {
    Endpoint {
        key: EndpointKey {
            host: "peer.test".into(),
            port: address.port(),
            tls: tls.is_some(),
            http,
            ca_file: None,
            ca_digest: [0; 32],
        },
        tls,
        server_name: Some(ServerName::try_from("peer.test").expect("name")),
        pool: Bounds {
            http1_connections_max: 64,
            warm_min: 1,
            connections_max: 8,
            ping_interval_ms: 3_600_000,
            ping_timeout_ms: 3_600_000,
            age_max_ms: 36_000_000,
            idle_max_ms: 3_600_000,
        },
        addresses: ArcSwap::from_pointee(vec![address]),
    }
}

static PROVIDER: Provider = Provider {
    id: "test",
    title: "Test",
    base_url: "",
    path_prefix: "",
    credential_env: "",
    auth: Auth::Bearer,
    dialect: Dialect::OpenAi,
    quirks: Quirks { stream_usage: true, fill_nullable: false, responses: true, claude: None, api_versions: false },
    chat: &crate::dialects::openai_chat::variant::Variant::OPENAI,
    others: &[],
    lacks: &[],
    models: &[],
};

pub fn deployment() -> Deployment {
    Deployment {
        index: 0,
        name: "test".into(),
        provider: &PROVIDER,
        dialect: PROVIDER.dialect,
        only_by_responses: Default::default(),
        quirks: PROVIDER.quirks,
        traits: Default::default(),
        endpoint: 0,
        host: "".into(),
        base_path: "/v1".into(),
        api_version: None,
        upstream_model: None,
        catalog: "openai",
        model: None,
        auth: AuthSource::Headers,
        headers: vec![("authorization".into(), Secret::new(*b"Bearer abc"))],
        http1_lines: Secret::new(*b"host: peer.test\r\n"),
        http1_chat_start: http1_chat_start("/v1", b"host: peer.test\r\n"),
    }
}

/// A whole request with `pieces` as its body.
pub fn request<'a>(
    deployment: &'a Deployment,
    endpoint: &'a Endpoint,
    path: &'a str,
    pieces: Vec<Piece>,
) -> UpstreamRequest<'a> {
    let length = pieces.iter().map(Piece::len).sum::<usize>() as u64;
    UpstreamRequest {
        deployment,
        endpoint,
        method: Method::Post,
        base_path: "",
        path,
        content_type: b"application/json",
        accept: "*/*",
        forward: b"X-Request-Id: 7\r\nconnection: close\r\n",
        body: RequestBody { content: Content::Pieces(pieces), length: Some(length) },
    }
}

/// What a peer saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Connected,
    /// A request's head: path, and headers as `name: value` lines.
    Head(String, String),
    /// All of a request's body.
    Body(usize),
    Reset(h2::Reason),
    /// The connection ended.
    Closed,
}

/// Something to do on all present connections.
#[derive(Debug, Clone, Copy)]
pub enum Command {
    /// GOAWAY; streams that are open go on.
    Leave,
    /// GOAWAY with an error, and the end.
    Break,
    /// Close the sockets without a word.
    Vanish,
}

/// h2's server. The path of a request says what becomes of it; see `serve`.
pub struct Http2Peer {
    pub address: SocketAddr,
    events: mpsc::Receiver<Event>,
    commands: tokio::sync::broadcast::Sender<Command>,
}

impl Http2Peer {
    pub fn start(
        tls: Option<Arc<ServerConfig>>,
        settings: impl Fn(&mut h2::server::Builder) + Send + 'static,
    ) -> Http2Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        listener.set_nonblocking(true).expect("listener");
        let address = listener.local_addr().expect("bound");
        let (event, events) = mpsc::channel();
        let (commands, _) = tokio::sync::broadcast::channel(16);
        let command = commands.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
                // Ends with the test: it holds the other end of this channel.
                while command.receiver_count() < usize::MAX {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    stream.set_nodelay(true).expect("socket");
                    let mut builder = h2::server::Builder::new();
                    settings(&mut builder);
                    let (event, command, tls) = (event.clone(), command.subscribe(), tls.clone());
                    tokio::task::spawn_local(async move {
                        match tls {
                            None => connection(stream, builder, &event, command).await,
                            Some(config) => {
                                let acceptor = tokio_rustls::TlsAcceptor::from(config);
                                if let Ok(stream) = acceptor.accept(stream).await {
                                    connection(stream, builder, &event, command).await;
                                }
                            }
                        }
                        let _ = event.send(Event::Closed);
                    });
                }
            });
        });
        Http2Peer { address, events, commands }
    }

    pub fn command(&self, command: Command) {
        self.commands.send(command).expect("a connection listens");
    }

    pub fn try_event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// The next event.
    pub async fn event(&self) -> Event {
        let mut next = None;
        until("an event at the peer", || {
            next = self.try_event();
            next.is_some()
        })
        .await;
        next.expect("just seen")
    }

    /// Waits for one event, passing over others.
    pub async fn see(&self, expected: Event) {
        while self.event().await != expected {}
    }
}

async fn connection(
    io: impl AsyncRead + AsyncWrite + Unpin,
    builder: h2::server::Builder,
    event: &mpsc::Sender<Event>,
    mut commands: tokio::sync::broadcast::Receiver<Command>,
) {
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else { return };
    let _ = event.send(Event::Connected);
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, respond))) => {
                    tokio::task::spawn_local(serve(request, respond, event.clone()));
                }
                Some(Err(_)) | None => return,
            },
            Ok(command) = commands.recv() => match command {
                Command::Leave => connection.graceful_shutdown(),
                Command::Break => connection.abrupt_shutdown(h2::Reason::INTERNAL_ERROR),
                Command::Vanish => return,
            },
        }
    }
}

async fn serve(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    event: mpsc::Sender<Event>,
) {
    let path = request.uri().path().to_string();
    let mut lines: Vec<String> =
        request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?"))).collect();
    lines.sort();
    let _ = event.send(Event::Head(path.clone(), lines.join("\n")));
    let status = |status: u16| http::Response::builder().status(status).body(()).expect("response");
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let number = words.get(1).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
    match words[0] {
        // The body's length, as text.
        "echo" => {
            let received = drain(request.into_body()).await;
            let _ = event.send(Event::Body(received));
            let Ok(mut stream) = respond.send_response(status(200), false) else { return };
            let _ = stream.send_data(Bytes::from(received.to_string()), true);
        }
        // So many bytes.
        "big" => {
            let Ok(stream) = respond.send_response(status(200), false) else { return };
            send(stream, number).await;
        }
        // An answer before the body was read.
        "early" => {
            let Ok(mut stream) = respond.send_response(status(413), false) else { return };
            let _ = stream.send_data(Bytes::from_static(b"too large"), true);
        }
        "refuse" => respond.send_reset(h2::Reason::REFUSED_STREAM),
        // Ten bytes of a promised hundred.
        "short" => {
            let mut head = status(200);
            head.headers_mut().insert("content-length", 100.into());
            let Ok(mut stream) = respond.send_response(head, false) else { return };
            let _ = stream.send_data(Bytes::from_static(&[b'x'; 10]), true);
        }
        // So many interim answers before the answer.
        "interim" => {
            for _ in 0..number {
                if respond.send_informational(status(103)).is_err() {
                    return;
                }
            }
            let _ = respond.send_response(status(200), true);
        }
        // No answer until the client gives up.
        "silent" => {
            if let Ok(reason) = std::future::poll_fn(|cx| respond.poll_reset(cx)).await {
                let _ = event.send(Event::Reset(reason));
            }
        }
        // A head, so many bytes, and then nothing until the client gives up.
        "hold" => {
            let Ok(stream) = respond.send_response(status(200), false) else { return };
            let mut stream = send_open(stream, number).await;
            if let Ok(reason) = std::future::poll_fn(|cx| stream.poll_reset(cx)).await {
                let _ = event.send(Event::Reset(reason));
            }
        }
        _ => {
            let _ = respond.send_response(status(404), true);
        }
    }
}

async fn drain(mut body: h2::RecvStream) -> usize {
    let mut received = 0;
    while let Some(Ok(data)) = body.data().await {
        received += data.len();
        let _ = body.flow_control().release_capacity(data.len());
    }
    received
}

async fn send(stream: h2::SendStream<Bytes>, count: usize) {
    let mut stream = send_open(stream, count).await;
    let _ = stream.send_data(Bytes::new(), true);
}

/// Sends `count` bytes, as the client has window for them.
async fn send_open(mut stream: h2::SendStream<Bytes>, count: usize) -> h2::SendStream<Bytes> {
    let mut left = count;
    while left > 0 {
        stream.reserve_capacity(left);
        match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(Ok(room)) => {
                let now = room.min(left);
                if stream.send_data(Bytes::from(vec![b'x'; now]), false).is_err() {
                    return stream;
                }
                left -= now;
            }
            _ => return stream,
        }
    }
    stream
}

/// An HTTP/2 peer that writes its frames by hand. Blocking; for a thread of its own.
pub struct RawPeer {
    stream: TcpStream,
    /// Answer PINGs.
    pub lively: bool,
}

/// One frame.
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;
/// HPACK for `:status: 200`.
pub const STATUS_200: &[u8] = &[0x88];
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;

impl RawPeer {
    /// Accepts one connection and sends `settings`.
    pub fn accept(listener: &TcpListener, settings: &[(u16, u32)]) -> RawPeer {
        let (stream, _) = listener.accept().expect("accept");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("socket");
        let mut peer = RawPeer { stream, lively: true };
        let mut preface = [0; 24];
        peer.stream.read_exact(&mut preface).expect("preface");
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        peer.settings(settings);
        peer
    }

    pub fn settings(&mut self, settings: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        self.send(SETTINGS, 0, 0, &payload);
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send_together(&[(kind, flags, stream, payload)]);
    }

    /// Sends frames in one write.
    pub fn send_together(&mut self, frames: &[(u8, u8, u32, &[u8])]) {
        let mut together = Vec::new();
        for (kind, flags, stream, payload) in frames {
            together.extend(&(payload.len() as u32).to_be_bytes()[1..]);
            together.extend([*kind, *flags]);
            together.extend(stream.to_be_bytes());
            together.extend(*payload);
        }
        // The client may have gone; the test sees that by what it does not get.
        let _ = self.stream.write_all(&together);
    }

    pub fn goaway(&mut self, last_stream: u32, code: u32) {
        let mut payload = last_stream.to_be_bytes().to_vec();
        payload.extend(code.to_be_bytes());
        self.send(GOAWAY, 0, 0, &payload);
    }

    /// The next frame that is not housekeeping; `None` at the end of the connection.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.stream.read_exact(&mut payload).ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            match (head[3], head[4] & ACK) {
                (SETTINGS, 0) => self.send(SETTINGS, ACK, 0, &[]),
                (PING, 0) if self.lively => self.send(PING, ACK, 0, &payload),
                (SETTINGS | PING | WINDOW_UPDATE, _) => {}
                (kind, _) => return Some(Frame { kind, stream, payload }),
            }
        }
    }

    /// The next frame of a kind, passing over others.
    pub fn wait_for(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Answers a stream with a whole small answer.
    pub fn answer(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200);
        self.send(DATA, END_STREAM, stream, b"ok");
    }
}

/// A peer on a thread of its own.
pub struct PeerThread<T>(std::thread::JoinHandle<T>);

impl<T: Send + 'static> PeerThread<T> {
    pub fn spawn(act: impl FnOnce() -> T + Send + 'static) -> PeerThread<T> {
        PeerThread(std::thread::spawn(act))
    }

    /// Waits for its end without holding up what it is connected to.
    pub async fn end(self) -> T {
        until("the peer ends", || self.0.is_finished()).await;
        self.0.join().expect("the peer does not panic")
    }
}

/// Binds a listener for a peer on a thread of its own.
pub fn peer_thread<T: Send + 'static>(
    act: impl FnOnce(TcpListener) -> T + Send + 'static,
) -> (SocketAddr, PeerThread<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    (address, PeerThread::spawn(move || act(listener)))
}
