use super::*;
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
};

fn loopback(port: u16) -> ListenAddress {
    ListenAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn plain(address: ListenAddress) -> Listen {
    Listen { address, tls: false }
}

fn tcp_address(address: &ListenAddress) -> SocketAddr {
    match address {
        ListenAddress::Tcp(address) => *address,
        ListenAddress::Unix(_) => panic!("a TCP address was expected"),
    }
}

/// The identities of a shard's sockets: clones of one socket share theirs.
fn inodes(listeners: &ShardListeners) -> Vec<u64> {
    use std::os::fd::AsFd;
    let inode = |fd: std::os::fd::BorrowedFd<'_>| {
        fs::File::from(fd.try_clone_to_owned().expect("cloned")).metadata().expect("a socket").ino()
    };
    let of = |listener: &ShardListener| match &listener.socket {
        ListenSocket::Tcp(socket) => inode(socket.as_fd()),
        ListenSocket::Unix(socket) => inode(socket.as_fd()),
    };
    listeners.iter().map(of).collect()
}

/// A listening socket as a service manager passes it.
fn passed_tcp(name: &str) -> (OwnedFd, String) {
    (OwnedFd::from(TcpListener::bind("127.0.0.1:0").expect("a port")), name.to_owned())
}

#[test]
fn every_shard_has_its_own_tcp_socket_on_one_port() {
    let bound = bind(&[plain(loopback(0))], 3, Passed::default()).expect("bound");
    let address = tcp_address(&bound.addresses[0].address);
    assert_ne!(address.port(), 0);
    let sockets: BTreeSet<u64> = bound.shards.iter().flat_map(inodes).collect();
    assert_eq!(sockets.len(), 3);
    for shard in &bound.shards {
        let [ShardListener { socket: ListenSocket::Tcp(socket), tls: false }] = shard.as_slice() else {
            panic!("one plain TCP listener per shard")
        };
        assert_eq!(socket.local_addr().expect("bound"), address);
    }
    TcpStream::connect(address).expect("someone listens");
}

#[test]
fn address_where_another_listens_is_refused() {
    // As a second process of the same user would: with SO_REUSEPORT on both sides bind(2) alone would succeed.
    let first = bind(&[plain(loopback(0))], 2, Passed::default()).expect("bound");
    let address = first.addresses[0].address.clone();
    let error = bind(&[plain(address.clone())], 2, Passed::default()).expect_err("in use");
    assert!(matches!(&error, BindError::InUse(named) if *named == address), "{error}");
    drop(first);
    bind(&[plain(address)], 2, Passed::default()).expect("free again");
}

#[test]
fn address_of_no_interface_is_refused_with_its_cause() {
    let address = ListenAddress::Tcp(SocketAddr::from(([192, 0, 2, 1], 0)));
    let error = bind(&[plain(address)], 1, Passed::default()).expect_err("not ours");
    assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:0: Cannot assign"), "{error}");
}

#[test]
fn unix_socket_is_shared_and_for_owner_and_group() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("api.sock");
    let bound = bind(&[plain(ListenAddress::Unix(path.clone()))], 2, Passed::default()).expect("bound");
    assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o660);
    assert_eq!(inodes(&bound.shards[0]), inodes(&bound.shards[1]));
    UnixStream::connect(&path).expect("someone listens");
    drop(bound);
    assert!(!path.exists(), "removed with its guard");
}

#[test]
fn leftover_socket_file_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("api.sock");
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let bound = bind(&[plain(ListenAddress::Unix(path.clone()))], 1, Passed::default()).expect("bound");
    UnixStream::connect(&path).expect("someone listens");
    drop(bound);
}

#[test]
fn socket_file_that_somebody_answers_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("api.sock");
    let other = UnixListener::bind(&path).expect("bound");
    let error = bind(&[plain(ListenAddress::Unix(path.clone()))], 1, Passed::default()).expect_err("in use");
    assert!(matches!(error, BindError::InUse(_)), "{error}");
    let mut client = UnixStream::connect(&path).expect("still there");
    client.write_all(b"x").expect("sent");
    // Before it came the probes of `bind`, which sent nothing.
    let mut received = Vec::new();
    while received.is_empty() {
        let (mut accepted, _) = other.accept().expect("a probe or the client");
        drop(client.shutdown(std::net::Shutdown::Write));
        accepted.read_to_end(&mut received).expect("received");
    }
    assert_eq!(received, b"x");
}

#[test]
fn file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notes.txt");
    fs::write(&path, "keep me").expect("written");
    let error = bind(&[plain(ListenAddress::Unix(path.clone()))], 1, Passed::default()).expect_err("a file");
    assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("still there"), "keep me");
}

#[test]
fn socket_file_of_a_successor_is_not_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("api.sock");
    let first = bind(&[plain(ListenAddress::Unix(path.clone()))], 1, Passed::default()).expect("bound");
    // The successor's file exists beside the old one before it takes its name, so that it cannot get the same inode.
    let beside = directory.path().join("new.sock");
    let _successor = UnixListener::bind(&beside).expect("bound");
    fs::rename(&beside, &path).expect("renamed");
    drop(first);
    UnixStream::connect(&path).expect("the successor is reachable");
}

#[test]
fn path_that_is_too_long_is_refused() {
    let path = PathBuf::from(format!("/tmp/{}", "a".repeat(200)));
    let error = bind(&[plain(ListenAddress::Unix(path))], 1, Passed::default()).expect_err("too long");
    assert!(matches!(error, BindError::Refused { .. }), "{error}");
}

#[test]
fn passed_socket_takes_the_place_of_its_configured_address() {
    let (fd, name) = passed_tcp("anything");
    let passed = Passed::of(vec![(fd, name)]).expect("usable");
    let address = passed.0[0].address.clone().expect("TCP");
    let bound = bind(&[Listen { address: address.clone(), tls: true }, plain(loopback(0))], 3, passed).expect("bound");
    assert_eq!(bound.addresses.len(), 2);
    assert_eq!(bound.addresses[0], Listen { address, tls: true }, "the configuration says that it is TLS");
    let shared: BTreeSet<u64> = bound.shards.iter().map(|shard| inodes(shard)[0]).collect();
    assert_eq!(shared.len(), 1, "one socket, shared by the shards");
}

#[test]
fn passed_sockets_of_one_address_are_dealt_out() {
    let first = bind_tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), true).expect("bound");
    let address = first.local_addr().expect("bound").as_socket().expect("TCP");
    let mut sockets = vec![first];
    sockets.extend((1..4).map(|_| bind_tcp(address, true).expect("bound")));
    let passed = || Passed::of(clones(&sockets, "web")).expect("usable");
    // As many as shards, fewer, more: every shard listens, and every socket has a shard.
    for (shards, sizes) in [(4, vec![1; 4]), (6, vec![1; 6]), (3, vec![2, 1, 1])] {
        let bound = bind(&[plain(ListenAddress::Tcp(address))], shards, passed()).expect("bound");
        assert_eq!(bound.shards.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        let distinct: BTreeSet<u64> = bound.shards.iter().flat_map(inodes).collect();
        assert_eq!(distinct.len(), 4);
    }
}

fn clones(sockets: &[Socket], name: &str) -> Vec<(OwnedFd, String)> {
    sockets.iter().map(|socket| (socket.try_clone().expect("cloned").into(), name.to_owned())).collect()
}

#[test]
fn passed_sockets_that_are_not_configured_are_served_by_their_name() {
    let passed = Passed::of(vec![passed_tcp("http"), passed_tcp("tls-public"), passed_tcp("https")]).expect("usable");
    let bound = bind(&[], 1, passed).expect("bound");
    assert_eq!(bound.addresses.iter().map(|listen| listen.tls).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn passed_admin_socket_is_taken_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let unix = UnixListener::bind(directory.path().join("admin.sock")).expect("bound");
    let mut passed = Passed::of(vec![passed_tcp("http"), (unix.into(), "admin".into())]).expect("usable");
    assert!(matches!(passed.take_admin(), Some(AdminListener::Unix(_))));
    assert!(passed.take_admin().is_none());
    assert_eq!(bind(&[], 1, passed).expect("bound").addresses.len(), 1);
}

#[test]
fn passed_descriptor_that_does_not_listen_is_refused() {
    let datagram = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let error = Passed::of(vec![(datagram.into(), "dns".into())]).expect_err("no stream");
    assert!(error.to_string().starts_with("cannot use the passed socket 'dns': it is not a listening"), "{error}");
    let file = fs::File::open("/dev/null").expect("there");
    assert!(Passed::of(vec![(file.into(), "null".into())]).is_err());
}

#[test]
fn admin_stays_on_loopback() {
    let (_, address, file) = bind_admin(&loopback(0)).expect("bound");
    assert!(tcp_address(&address).ip().is_loopback() && file.is_none());
    let everywhere = ListenAddress::Tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    assert!(matches!(bind_admin(&everywhere), Err(BindError::AdminNotLoopback(_))));
}
