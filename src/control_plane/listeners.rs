//! Listening sockets: bound here, or passed in by a service manager; handed to the shards.
//!
//! TCP: one socket per shard on the same address (SO_REUSEPORT), so that the kernel spreads connections without a shared
//! queue. That option also lets a second process of the same user bind silently; each address is therefore first bound
//! without it, which fails if anyone listens there. `[::]` means IPv6 only; list `0.0.0.0` as well for both.
//!
//! Unix: one socket that the shards share, mode 0660 before it accepts its first connection. A socket file that nobody
//! answers is a leftover and is replaced; one that somebody answers, and anything that is no socket, is refused.
//!
//! Passed in (LISTEN_FDS): a socket takes the place of the configured address that it is bound to; others are served in
//! addition. Several on one address (`ReusePort=yes`) are dealt out to the shards, fewer than there are shards are
//! shared. One named `admin` is the admin listener; a name that begins with `tls` or `https` means TLS where the address is
//! not configured.
//!
//! All sockets are in blocking mode; whoever polls them sets what its driver needs.

use super::admin::AdminListener;
use crate::sys;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fmt, fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Connections that the kernel completes before a shard accepts them. It is cut to net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// Time for which an address that is in use is tried again. The kernel takes io_uring's rings down after their process has ended,
/// and the listening sockets with them: some 10 ms, in which a restart would otherwise be refused.
const IN_USE_WAIT: Duration = Duration::from_millis(500);
/// The first pause between two tries; it doubles. Whoever has a unix socket sees a connection for each try.
const IN_USE_PAUSE: Duration = Duration::from_millis(8);

/// Mode of unix sockets: the owner and a group that the operator chooses.
const SOCKET_MODE: u32 = 0o660;

/// Name of the passed socket that becomes the admin listener.
const ADMIN_NAME: &str = "admin";

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => write!(f, "{address}"),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listener as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub address: ListenAddress,
    pub tls: bool,
}

/// One listening socket of one shard.
#[derive(Debug)]
pub struct ShardListener {
    pub socket: ListenSocket,
    pub tls: bool,
}

#[derive(Debug)]
pub enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// All listening sockets of one shard.
pub type ShardListeners = Vec<ShardListener>;

/// Everything that was bound.
#[derive(Debug)]
pub struct Bound {
    /// One entry per shard.
    pub shards: Vec<ShardListeners>,
    /// What clients can connect to, ports resolved: configured addresses first, in their order.
    pub addresses: Vec<Listen>,
    /// Keep them as long as the process accepts; dropped, they remove the socket files that were made here.
    pub socket_files: Vec<SocketFile>,
}

/// A socket file made here. Dropping it removes the file, unless another has taken its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why a listener could not be had. Caused by configuration or by another process.
#[derive(Debug)]
pub enum BindError {
    /// Somebody else listens there.
    InUse(ListenAddress),
    /// The path exists and is no socket.
    NotASocket(PathBuf),
    /// The admin listener has no authentication and stays on loopback.
    AdminNotLoopback(SocketAddr),
    /// What the service manager passed cannot be listened on.
    Passed { name: String, why: String },
    /// The kernel refused.
    Refused { address: ListenAddress, error: io::Error },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::InUse(address) => {
                write!(f, "cannot listen on {address}: another process does. Stop it, or choose another address.")
            }
            BindError::NotASocket(path) => {
                write!(f, "cannot listen on {}: the file exists and is no socket. Move it away.", path.display())
            }
            BindError::AdminNotLoopback(address) => write!(
                f,
                "the admin listener cannot use {address}: it has no authentication. Use a loopback address or a unix \
                 socket, with a proxy in front where others need it."
            ),
            BindError::Passed { name, why } => write!(f, "cannot use the passed socket '{name}': {why}"),
            BindError::Refused { address, error } => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for BindError {}

/// Sockets that a service manager passed in.
#[derive(Debug, Default)]
pub struct Passed(Vec<PassedSocket>);

#[derive(Debug)]
struct PassedSocket {
    name: String,
    socket: Socket,
    /// `None`: neither IP nor a unix socket with a path.
    address: Option<ListenAddress>,
}

impl Passed {
    /// Takes over what was passed to this process; only the first call finds anything.
    pub fn take() -> Result<Passed, BindError> {
        let sockets = sys::take_passed_sockets()
            .map_err(|error| BindError::Passed { name: "LISTEN_FDS".into(), why: error.to_string() })?;
        Passed::of(sockets)
    }

    fn of(sockets: Vec<(OwnedFd, String)>) -> Result<Passed, BindError> {
        sockets.into_iter().map(|(fd, name)| PassedSocket::of(fd, name)).collect::<Result<_, _>>().map(Passed)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The socket named `admin`, if there is one.
    ///
    /// A passed admin socket may be bound to any address: the unit's author decided that, not our configuration.
    pub fn take_admin(&mut self) -> Option<AdminListener> {
        let place = self.0.iter().position(|passed| passed.name == ADMIN_NAME)?;
        let passed = self.0.remove(place);
        Some(match passed.address {
            Some(ListenAddress::Tcp(_)) => AdminListener::Tcp(passed.socket.into()),
            _ => AdminListener::Unix(passed.socket.into()),
        })
    }

    /// Removes and returns the sockets bound to `address`.
    fn take_bound_to(&mut self, address: &ListenAddress) -> Vec<Socket> {
        let matching = |passed: &mut PassedSocket| passed.address.as_ref() == Some(address);
        self.0.extract_if(.., matching).map(|passed| passed.socket).collect()
    }
}

impl PassedSocket {
    fn of(fd: OwnedFd, name: String) -> Result<PassedSocket, BindError> {
        let refuse = |why: String| BindError::Passed { name: name.clone(), why };
        let socket = Socket::from(fd);
        match socket.is_listener() {
            Ok(true) if socket.r#type().is_ok_and(|kind| kind == Type::STREAM) => {}
            Ok(_) => return Err(refuse("it is not a listening stream socket (Accept=no, ListenStream=)".into())),
            Err(error) => return Err(refuse(error.to_string())),
        }
        socket.set_nonblocking(false).map_err(|error| refuse(error.to_string()))?;
        let address = socket.local_addr().map_err(|error| refuse(error.to_string()))?;
        Ok(PassedSocket { address: listen_address(&address), name, socket })
    }
}

fn listen_address(address: &SockAddr) -> Option<ListenAddress> {
    match address.as_socket() {
        Some(address) => Some(ListenAddress::Tcp(address)),
        None => address.as_pathname().map(|path| ListenAddress::Unix(path.to_owned())),
    }
}

/// Binds every configured address, for so many shards, using what was passed in where it fits.
///
/// # Errors
/// The first address that cannot be had; nothing stays bound then.
pub fn bind(configured: &[Listen], shards: usize, mut passed: Passed) -> Result<Bound, BindError> {
    let mut bound =
        Bound { shards: (0..shards).map(|_| Vec::new()).collect(), addresses: Vec::new(), socket_files: Vec::new() };
    for Listen { address, tls } in configured {
        let found = passed.take_bound_to(address);
        if !found.is_empty() {
            bound.deal(found, address, *tls)?;
            continue;
        }
        match address {
            ListenAddress::Tcp(address) => {
                let sockets = patiently(|| bind_tcp_per_shard(*address, shards))?;
                let actual = local_address(&sockets, *address)?;
                bound.deal(sockets, &actual, *tls)?;
            }
            ListenAddress::Unix(path) => {
                let (socket, file) = patiently(|| bind_unix(path))?;
                bound.socket_files.push(file);
                bound.deal(vec![socket], address, *tls)?;
            }
        }
    }
    while let Some(PassedSocket { name, address, .. }) = passed.0.first() {
        let name = name.clone();
        let Some(address) = address.clone() else {
            return Err(BindError::Passed { name, why: "it is neither an IP nor a unix socket with a path".into() });
        };
        let tls = name.starts_with("tls") || name.starts_with("https");
        let sockets = passed.take_bound_to(&address);
        bound.deal(sockets, &address, tls)?;
    }
    Ok(bound)
}

/// Binds the admin listener.
///
/// # Errors
/// The address is not loopback, or cannot be had.
pub fn bind_admin(address: &ListenAddress) -> Result<(AdminListener, ListenAddress, Option<SocketFile>), BindError> {
    match address {
        ListenAddress::Tcp(tcp) if !tcp.ip().is_loopback() => Err(BindError::AdminNotLoopback(*tcp)),
        ListenAddress::Tcp(tcp) => {
            let socket = patiently(|| bind_tcp(*tcp, false))?;
            let actual = local_address(std::slice::from_ref(&socket), *tcp)?;
            Ok((AdminListener::Tcp(socket.into()), actual, None))
        }
        ListenAddress::Unix(path) => {
            let (socket, file) = patiently(|| bind_unix(path))?;
            Ok((AdminListener::Unix(socket.into()), address.clone(), Some(file)))
        }
    }
}

impl Bound {
    /// Gives each shard one of the sockets, in turn; a socket that several shards get is shared between them.
    fn deal(&mut self, sockets: Vec<Socket>, address: &ListenAddress, tls: bool) -> Result<(), BindError> {
        let refused = |error| BindError::Refused { address: address.clone(), error };
        let shards = self.shards.len();
        // More sockets than shards: every socket still needs someone who accepts from it.
        for turn in 0..shards.max(sockets.len()) {
            let socket = sockets[turn % sockets.len()].try_clone().map_err(refused)?;
            let socket = match address {
                ListenAddress::Tcp(_) => ListenSocket::Tcp(socket.into()),
                ListenAddress::Unix(_) => ListenSocket::Unix(socket.into()),
            };
            self.shards[turn % shards].push(ShardListener { socket, tls });
        }
        self.addresses.push(Listen { address: address.clone(), tls });
        Ok(())
    }
}

/// Tries again for a moment while the address is in use.
fn patiently<T>(bind: impl Fn() -> Result<T, BindError>) -> Result<T, BindError> {
    let until = Instant::now() + IN_USE_WAIT;
    let mut pause = IN_USE_PAUSE;
    loop {
        match bind() {
            Err(BindError::InUse(_)) if Instant::now() < until => thread::sleep(pause),
            settled => return settled,
        }
        pause *= 2;
    }
}

fn bind_tcp_per_shard(address: SocketAddr, shards: usize) -> Result<Vec<Socket>, BindError> {
    if address.port() != 0 {
        // Finds out whether anyone listens there, and lets go again.
        bind_tcp(address, false)?;
    }
    let first = bind_tcp(address, true)?;
    // Port 0 is resolved by the first; the others have to join it.
    let ListenAddress::Tcp(actual) = local_address(std::slice::from_ref(&first), address)? else {
        return Ok(vec![first]);
    };
    let mut sockets = vec![first];
    for _ in 1..shards {
        sockets.push(bind_tcp(actual, true)?);
    }
    Ok(sockets)
}

fn bind_tcp(address: SocketAddr, reuse_port: bool) -> Result<Socket, BindError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Without it a restart fails while connections of the process before are in TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    open().map_err(|error: io::Error| refusal(ListenAddress::Tcp(address), error))
}

fn bind_unix(path: &Path) -> Result<(Socket, SocketFile), BindError> {
    let address = ListenAddress::Unix(path.to_owned());
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) if is_answered(path) => return Err(BindError::InUse(address)),
        Ok(_) => fs::remove_file(path).map_err(|error| refusal(address.clone(), error))?,
        Err(_) => {}
    }
    let open = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() };
        // Before listen(): until then a connect is refused, whatever the umask made of the mode.
        fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
        socket.listen(BACKLOG)?;
        Ok((socket, file))
    };
    open().map_err(|error: io::Error| refusal(address, error))
}

/// True unless a connect is refused. Does not wait: a listener whose queue is full also answers.
fn is_answered(path: &Path) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    !matches!(connect(), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

fn refusal(address: ListenAddress, error: io::Error) -> BindError {
    if error.kind() == io::ErrorKind::AddrInUse {
        BindError::InUse(address)
    } else {
        BindError::Refused { address, error }
    }
}

/// The address that the first socket is really bound to.
fn local_address(sockets: &[Socket], asked: SocketAddr) -> Result<ListenAddress, BindError> {
    let asked = ListenAddress::Tcp(asked);
    match sockets.first().map(Socket::local_addr) {
        Some(Ok(address)) => Ok(listen_address(&address).unwrap_or(asked)),
        Some(Err(error)) => Err(refusal(asked, error)),
        None => Ok(asked),
    }
}

#[cfg(test)]
mod tests;
