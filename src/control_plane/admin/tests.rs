use super::*;
use crate::{limits::HEARTBEAT_STALE_MS, node::Phase, telemetry::fixtures};
use std::sync::atomic::Ordering::Relaxed;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

/// An admin listener on loopback for a node with two settled shards.
struct Running {
    node: Arc<Node>,
    port: u16,
}

fn admin(node: &Arc<Node>, started: Instant) -> Arc<Admin> {
    Arc::new(Admin {
        node: Arc::clone(node),
        health: Arc::new(Health::new(Arc::clone(node), started)),
        started_at_s: 1,
        allowed_hosts: vec!["gateway.example".into()],
    })
}

fn node() -> Arc<Node> {
    let node = Node::new(Arc::new(fixtures::empty(1)), 2);
    for shard in &node.shards {
        shard.pools_settled.store(true, Relaxed);
    }
    Arc::new(node)
}

/// Must be called in a runtime, whose end ends the listener.
fn start(started: Instant) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let node = node();
    tokio::spawn(serve(admin(&node, started), AdminListener::Tcp(listener)));
    Running { node, port }
}

impl Running {
    /// Sends bytes and returns everything that comes back until the connection closes.
    async fn exchange(&self, request: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("connected");
        exchange(stream, request).await
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        parts(&self.exchange(&request(method, path, "Host: localhost\r\n")).await)
    }

    async fn status_for_host(&self, host_lines: &str) -> u16 {
        parts(&self.exchange(&request("GET", "/livez", host_lines)).await).0
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

fn request(method: &str, path: &str, host_lines: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\n{host_lines}Connection: close\r\n\r\n")
}

/// Status and body.
fn parts(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an empty line");
    (status, body.to_owned())
}

#[tokio::test]
async fn health_follows_the_life_of_the_process() {
    let running = start(Instant::now());
    assert_eq!(running.ask("GET", "/readyz").await, (503, "starting\n".into()));
    assert_eq!(running.ask("GET", "/livez").await, (200, "live\n".into()));
    running.node.advance(Phase::Serving);
    assert_eq!(running.ask("GET", "/readyz").await, (200, "ready\n".into()));
    running.node.advance(Phase::Draining);
    assert_eq!(running.ask("GET", "/readyz").await, (503, "draining\n".into()));
    assert_eq!(running.ask("GET", "/livez").await, (200, "live\n".into()));
}

#[tokio::test]
async fn livez_names_a_shard_that_ended() {
    let running = start(Instant::now());
    running.node.shards[1].ended.store(true, Relaxed);
    assert_eq!(running.ask("GET", "/livez").await, (503, "shard 1 has ended\n".into()));
}

#[tokio::test]
async fn livez_names_shards_that_stand_still() {
    let long_ago = Instant::now().checked_sub(Duration::from_millis(HEARTBEAT_STALE_MS * 2)).expect("up for seconds");
    let running = start(long_ago);
    let (status, body) = running.ask("GET", "/livez").await;
    assert_eq!(status, 503);
    assert!(body.starts_with("shard 0: no heartbeat for ") && body.lines().count() == 2, "{body}");
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let running = start(Instant::now());
    let answer = running.exchange(&request("GET", "/metrics", "Host: localhost\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(answer.contains("\nringway_config_generation 1\n"));
    assert!(answer.contains("\nringway_process_resident_memory_bytes "));
}

#[tokio::test]
async fn head_has_the_length_but_no_body() {
    let answer = start(Instant::now()).exchange(&request("HEAD", "/livez", "Host: localhost\r\n")).await;
    assert!(answer.contains("content-length: 5\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let running = start(Instant::now());
    assert_eq!(running.ask("GET", "/").await.0, 404);
    assert_eq!(running.ask("GET", "/livez/").await.0, 404);
    assert_eq!(running.ask("POST", "/nothing").await.0, 404);
    let answer = running.exchange(&request("POST", "/metrics", "Host: localhost\r\nContent-Length: 0\r\n")).await;
    assert_eq!(parts(&answer).0, 405);
    assert!(answer.contains("allow: GET, HEAD\r\n"));
    // The query is not part of the path.
    assert_eq!(running.ask("GET", "/livez?full=1").await.0, 200);
}

#[tokio::test]
async fn host_has_to_name_this_machine_or_an_allowed_host() {
    let running = start(Instant::now());
    for host in [
        "localhost",
        "LOCALHOST:9090",
        "127.0.0.1:1",
        "127.9.9.9",
        "[::1]",
        "[::1]:9090",
        "Gateway.Example",
        "gateway.example:80",
    ] {
        assert_eq!(running.status_for_host(&format!("Host: {host}\r\n")).await, 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "192.0.2.1",
        "[2001:db8::1]",
        "gateway.example.evil.example",
        "localhost:80.evil.example",
        "[::1",
        "[::1]x",
        ":80",
        "",
    ] {
        assert_eq!(running.status_for_host(&format!("Host: {host}\r\n")).await, 421, "{host:?}");
    }
    assert_eq!(running.status_for_host("").await, 421);
    assert_eq!(running.status_for_host("Host: localhost\r\nHost: localhost\r\n").await, 421);
}

#[tokio::test]
async fn unix_socket_accepts_every_host() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("admin.sock");
    let listener = UnixListener::bind(&path).expect("bound");
    tokio::spawn(serve(admin(&node(), Instant::now()), AdminListener::Unix(listener)));
    let stream = UnixStream::connect(&path).await.expect("connected");
    let answer = exchange(stream, &request("GET", "/livez", "Host: anything.example\r\n")).await;
    assert_eq!(parts(&answer), (200, "live\n".into()));
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_counted() {
    let running = start(Instant::now());
    let mut idle = Vec::new();
    for _ in 0..ADMIN_CONNECTIONS_MAX {
        idle.push(TcpStream::connect(("127.0.0.1", running.port)).await.expect("connected"));
    }
    let mut beyond = TcpStream::connect(("127.0.0.1", running.port)).await.expect("connected");
    assert_eq!(beyond.read(&mut [0; 1]).await.expect("closed in order"), 0);
    assert_eq!(running.node.process.read(ProcessCell::AdminSheds), 1);
    // Those within the bound are served, however many others are idle.
    let mut leaving = idle.pop().expect("there are many");
    leaving.write_all(request("GET", "/livez", "Host: localhost\r\n").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    leaving.read_to_string(&mut answer).await.expect("answered");
    assert_eq!(parts(&answer).0, 200);
}

#[tokio::test]
async fn head_beyond_the_bound_is_refused() {
    let running = start(Instant::now());
    let long = format!("Host: localhost\r\nX-Long: {}\r\n", "a".repeat(2 * ADMIN_HEAD_BYTES_MAX));
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.expect("connected");
    // The server may close before it has taken everything; what counts is that it does not answer 200.
    let _ = stream.write_all(request("GET", "/livez", &long).as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
