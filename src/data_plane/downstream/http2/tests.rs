//! A real shard on loopback, and clients of two kinds: h2's own, and raw frames for what it would not send.

use super::*;
use crate::{
    config::cloud::AuthSource,
    config::snapshot::{self, Deadlines, Deployment, Endpoint, ModelGroup, Secret, Snapshot, http1_chat_start},
    data_plane::shard::{self, ShardListener, ShardParts},
    node::{Node, Phase},
    telemetry::{
        access_log::{self, AccessLogReader, AccessRecord},
        fixtures,
    },
};
use h2::client::SendRequest;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a test waits for what must happen; none takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A shard on a thread of its own, stopped when dropped.
struct TestShard {
    address: SocketAddr,
    tls_address: SocketAddr,
    node: Arc<Node>,
    records: AccessLogReader,
    thread: Option<JoinHandle<()>>,
}

impl TestShard {
    fn start(driver: rt::Driver, configure: impl FnOnce(&mut Snapshot)) -> TestShard {
        let mut snapshot = fixtures::empty(1);
        snapshot.open_access = true;
        snapshot.server = snapshot::Server {
            body_bytes_max: 1024 * 1024,
            shard_body_bytes_max: 64 * 1024 * 1024,
            shard_connections_max: 100,
            head_timeout_ms: 20_000,
            body_timeout_ms: 20_000,
            idle_timeout_ms: 60_000,
            write_timeout_ms: 20_000,
            drain_timeout_ms: 60_000,
            allowed_hosts: None,
            cors_origins: vec!["https://page.example".into()],
            explain_always: false,
        };
        configure(&mut snapshot);
        let node = Arc::new(Node::new(Arc::new(snapshot), 1));
        let listen = |tls| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
            let address = listener.local_addr().expect("bound");
            (address, ShardListener { listener: rt::Listener::Tcp(listener), tls })
        };
        let ((address, plain), (tls_address, tls)) = (listen(false), listen(true));
        let (access_log, records) = access_log::ring(4096);
        let (outbox, inbox) = rt::mailbox(16);
        let parts = ShardParts {
            index: 0,
            node: node.clone(),
            driver,
            cpu: None,
            epoch: Instant::now(),
            epoch_unix_us: 0,
            listeners: vec![plain, tls],
            access_log,
            inbox,
            outboxes: vec![outbox],
        };
        let thread = std::thread::spawn(move || shard::run(parts).expect("a shard runs here"));
        TestShard { address, tls_address, node, records, thread: Some(thread) }
    }

    fn read(&self, cell: Counter) -> u64 {
        self.node.shards[0].cells.read(cell)
    }

    fn wait_for(&self, what: &str, mut holds: impl FnMut(&TestShard) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < give_up, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next exchange that was settled.
    fn record(&mut self) -> AccessRecord {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(record) = self.records.pop() {
                return record;
            }
            assert!(Instant::now() < give_up, "an exchange is settled");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for TestShard {
    fn drop(&mut self) {
        self.node.advance(Phase::Stopping);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the shard panicked");
        }
    }
}

fn on_both(test: impl Fn(rt::Driver)) {
    test(rt::Driver::Epoll);
    match rt::DriverChoice::Auto.probe().expect("auto never fails").0 {
        rt::Driver::IoUring => test(rt::Driver::IoUring),
        rt::Driver::Epoll => eprintln!("io_uring is off here; only epoll was tested"),
    }
}

/// The group `name` with one deployment at `endpoint`.
fn add_model(snapshot: &mut Snapshot, name: &str, endpoint: u32) {
    let index = fixtures::add_group(snapshot, name);
    let deployment = snapshot.deployments.len() as u32;
    snapshot.deployments.push(Arc::new(Deployment {
        index: deployment,
        name: name.into(),
        provider: &fixtures::PROVIDER,
        dialect: fixtures::PROVIDER.dialect,
        only_by_responses: Default::default(),
        quirks: fixtures::PROVIDER.quirks,
        traits: Default::default(),
        endpoint,
        host: "".into(),
        base_path: "/v1".into(),
        api_version: None,
        upstream_model: None,
        catalog: "openai",
        model: None,
        auth: AuthSource::Headers,
        headers: Vec::new(),
        http1_lines: Secret::new(*b"host: upstream\r\n"),
        http1_chat_start: http1_chat_start("/v1", b"host: upstream\r\n"),
    }));
    let group = ModelGroup {
        index,
        name: name.into(),
        owned_by: "tests".into(),
        listed: vec![name.into()],
        deployments: vec![deployment],
        attempts_max: 1,
        deadlines: Deadlines::default(),
        retry_on_timeout: false,
        drops: false,
        tokenizer: None,
    };
    snapshot.groups.insert(name.into(), Arc::new(group));
}

/// The group `model` at an upstream that listens on `address`, over plain HTTP/1.1.
fn add_upstream(snapshot: &mut Snapshot, address: SocketAddr) {
    let endpoint = Endpoint {
        key: snapshot::EndpointKey {
            host: "127.0.0.1".into(),
            port: address.port(),
            tls: false,
            http: snapshot::HttpVersions::Http1,
            ca_file: None,
            ca_digest: [0; 32],
        },
        tls: None,
        server_name: None,
        pool: snapshot::Pool { warm_min: 0, ..snapshot::Pool::default() },
        addresses: arc_swap::ArcSwap::from_pointee(vec![address]),
    };
    snapshot.endpoints.push(Arc::new(endpoint));
    let endpoint = snapshot.endpoints.len() as u32 - 1;
    add_model(snapshot, "model", endpoint);
}

/// An upstream that hands each request's connection, its request read, to the test.
fn upstream() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("accept");
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !request.ends_with(b"}") {
                    match stream.read(&mut piece) {
                        Ok(count @ 1..) => request.extend_from_slice(&piece[..count]),
                        _ => return,
                    }
                }
                let _ = sender.send(stream);
            });
        }
    });
    (address, receiver)
}

/// Runs `test` with h2's client connected to `shard`.
fn with_client<F: Future<Output = ()>>(
    shard: &TestShard,
    builder: &h2::client::Builder,
    test: impl FnOnce(SendRequest<Bytes>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async {
        let stream = tokio::net::TcpStream::connect(shard.address).await.expect("connect");
        let (sender, connection) = builder.handshake(stream).await.expect("handshake");
        tokio::task::spawn_local(connection);
        tokio::time::timeout(PATIENCE, test(sender)).await.expect("in time");
    }));
}

fn post(path: &str) -> http::request::Builder {
    Request::post(format!("http://gateway{path}")).header("content-type", "application/json")
}

/// The rest of a body. Windows are returned as it is read.
async fn body_of(mut stream: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        body.extend_from_slice(&data);
        stream.flow_control().release_capacity(data.len())?;
    }
    Ok(body)
}

/// Sends `request` with `body` in one frame and returns the answer's status, headers and body.
async fn ask(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: &[u8],
) -> (StatusCode, http::HeaderMap, Vec<u8>) {
    *sender = sender.clone().ready().await.expect("ready");
    let (answer, mut stream) = sender.send_request(request, body.is_empty()).expect("request");
    if !body.is_empty() {
        stream.send_data(Bytes::copy_from_slice(body), true).expect("body");
    }
    let (head, body) = answer.await.expect("an answer").into_parts();
    (head.status, head.headers, body_of(body).await.expect("a whole answer"))
}

/// Raw frames over a blocking socket.
struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const INTERNAL_ERROR: u32 = 2;
const FLOW_CONTROL_ERROR: u32 = 3;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literals, never indexed.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0x10);
        for text in [name, value] {
            // An integer with a prefix of 7 bits (RFC 7541, section 5.1).
            if text.len() < 127 {
                bytes.push(text.len() as u8);
            } else {
                bytes.push(127);
                let mut rest = text.len() - 127;
                while rest >= 128 {
                    bytes.push(rest as u8 | 128);
                    rest >>= 7;
                }
                bytes.push(rest as u8);
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

const GET_MODELS: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/v1/models"), (":authority", "gateway")];
const POST_CHAT: &[(&str, &str)] =
    &[(":method", "POST"), (":scheme", "http"), (":path", "/v1/chat/completions"), (":authority", "gateway")];

impl Raw {
    /// Connects and exchanges SETTINGS.
    fn connect(shard: &TestShard) -> Raw {
        let stream = TcpStream::connect(shard.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        let mut raw = Raw { stream, received: Vec::new() };
        raw.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat());
        raw.until(|frame| frame.kind == SETTINGS && frame.flags == ACK);
        raw.send(&frame(SETTINGS, ACK, 0, &[]));
        // The server's window comes by then.
        raw.ping();
        raw
    }

    /// A server that has said goodbye may not take it any more.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    fn request(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) {
        self.send(&frame(HEADERS, END_HEADERS | flags, stream, &block(fields)));
    }

    /// The next frame; `None` when the connection has ended.
    fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((header, rest)) = self.received.split_at_checked(9) {
                let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
                if let Some(payload) = rest.get(..length) {
                    let frame = Frame {
                        kind: header[3],
                        flags: header[4],
                        stream: u32::from_be_bytes([header[5], header[6], header[7], header[8]]),
                        payload: payload.to_vec(),
                    };
                    self.received.drain(..9 + length);
                    return Some(frame);
                }
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// Reads up to and including the first frame that fits.
    fn until(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.next().expect("the connection goes on");
            if fits(&frame) {
                return frame;
            }
        }
    }

    /// Reads to the connection's end; the error code of its GOAWAY.
    fn goodbye(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                code = Some(u32::from_be_bytes(frame.payload[4..8].try_into().expect("four bytes")));
            }
        }
        code
    }

    /// Everything that was sent before has been read when this returns.
    fn ping(&mut self) {
        self.send(&frame(PING, 0, 0, &[9; 8]));
        self.until(|frame| frame.kind == PING && frame.flags == ACK && frame.payload == [9; 8]);
    }
}

/// The status of a HEADERS frame, if HPACK's static table has it: enough here, and no decoder.
fn status(frame: &Frame) -> u16 {
    match frame.payload[0] {
        0x88 => 200,
        0x89 => 204,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ => 0,
    }
}

#[test]
fn request_and_answer() {
    on_both(|driver| {
        let mut shard = TestShard::start(driver, |snapshot| add_model(snapshot, "some-model", 0));
        with_client(&shard, &h2::client::Builder::new(), async |mut sender| {
            let get = Request::get("http://gateway/v1/models").body(()).expect("request");
            let (status, headers, body) = ask(&mut sender, get, b"").await;
            assert_eq!(status, 200);
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(headers["content-length"], body.len().to_string().as_str());
            assert!(headers["x-request-id"].to_str().expect("text").starts_with("req_"));
            assert!(body.windows(12).any(|part| part == b"\"some-model\""));

            // Headers reach the exchange: a page's origin is answered.
            let get = Request::get("http://gateway/v1/models").header("origin", "https://page.example");
            let (_, headers, _) = ask(&mut sender, get.body(()).expect("request"), b"").await;
            assert_eq!(headers["access-control-allow-origin"], "https://page.example");

            let head = Request::head("http://gateway/v1/models").body(()).expect("request");
            let (status, headers, body) = ask(&mut sender, head, b"").await;
            assert_eq!((status.as_u16(), body.len()), (405, 0));
            assert!(headers.contains_key("content-length"));

            let (status, _, body) =
                ask(&mut sender, post("/v1/chat/completions").body(()).expect("request"), b"{nonsense").await;
            assert_eq!(status, 400);
            assert!(body.windows(12).any(|part| part == b"invalid_json"));
        });
        assert_eq!([(); 4].map(|()| shard.record().status), [200, 200, 405, 400]);
        assert_eq!(shard.read(Counter::ProtocolErrors), 0);
    });
}

#[test]
fn small_answer_is_two_frames() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    raw.request(1, END_STREAM, GET_MODELS);
    let head = raw.next().expect("a frame");
    assert_eq!((head.kind, head.flags, head.stream, status(&head)), (HEADERS, END_HEADERS, 1, 200));
    let data = raw.next().expect("a frame");
    assert_eq!((data.kind, data.flags, data.stream), (DATA, END_STREAM, 1));
    assert!(data.payload.starts_with(b"{") && data.payload.ends_with(b"}"));
    // Nothing else follows.
    raw.send(&frame(PING, 0, 0, &[9; 8]));
    assert_eq!(raw.next().map(|frame| frame.kind), Some(PING));
}

#[test]
fn preface_may_come_in_any_pieces() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let opening = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    for first in 1..opening.len() {
        let stream = TcpStream::connect(shard.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        let mut raw = Raw { stream, received: Vec::new() };
        raw.send(&opening[..first]);
        // Lets the shard read what is there first; either order must work.
        std::thread::sleep(Duration::from_millis(2));
        raw.send(&opening[first..]);
        raw.request(1, END_STREAM, GET_MODELS);
        raw.until(|frame| frame.kind == DATA && frame.flags == END_STREAM);
    }
    // It is looked for at the beginning only.
    let mut stream = TcpStream::connect(shard.address).expect("connect");
    stream
        .write_all(b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .expect("send");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("the end");
    assert!(answers.contains("HTTP/1.1 505"), "{answers}");
}

#[test]
fn heads_that_are_refused() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    with_client(&shard, &h2::client::Builder::new(), async |mut sender| {
        let mut check = async |expected: u16, request: http::request::Builder| {
            let (status, headers, _) = ask(&mut sender, request.body(()).expect("request"), b"").await;
            assert_eq!(status, expected, "{headers:?}");
        };
        let get = || Request::get("http://gateway/v1/models");
        check(200, get()).await;
        check(200, get().header("host", "GATEWAY")).await;
        check(400, get().header("host", "elsewhere")).await;
        check(400, get().header("host", "gateway").header("host", "elsewhere")).await;
        check(400, Request::get("http://someone@gateway/v1/models")).await;
        check(414, Request::get(format!("http://gateway/v1/models?{}", "a".repeat(8192)))).await;
        check(404, Request::get(format!("http://gateway/{}", "a".repeat(8191)))).await;
        let many = |count: usize| (0..count).fold(get(), |get, nth| get.header(format!("x-{nth}"), "1"));
        check(200, many(HEADERS_MAX)).await;
        check(431, many(HEADERS_MAX + 1)).await;
        // Over the header list limit h2 answers for itself; one such request does not cost the connection.
        check(200, get().header("x-large", "a".repeat(30 * 1024))).await;
        check(431, get().header("x-large", "a".repeat(33 * 1024))).await;
        check(200, get()).await;
        check(417, get().header("expect", "miracles")).await;
        check(404, Request::get("http://gateway/v1/nothing")).await;
    });
    shard.wait_for("every exchange has ended", |shard| shard.read(Counter::InFlight) == 0);
}

#[test]
fn malformed_requests_are_reset_and_the_connection_goes_on() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    let with = |more: &[(&'static str, &'static str)]| [GET_MODELS, more].concat();
    let malformed = [
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("te", "gzip")]),
        with(&[(":path", "/twice")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "1"), ("content-length", "2")]),
        GET_MODELS[1..].to_vec(),
        vec![(":method", "GET"), (":path", "/v1/models"), (":authority", "gateway")],
        vec![(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "gateway")],
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/\u{1}"), (":authority", "gateway")],
    ];
    let mut stream = 1;
    for fields in malformed {
        raw.request(stream, END_STREAM, &fields);
        let reset = raw.next().expect("a frame");
        assert_eq!((reset.kind, reset.stream), (RST_STREAM, stream), "{fields:?}");
        assert_eq!(reset.payload, PROTOCOL_ERROR.to_be_bytes(), "{fields:?}");
        stream += 2;
    }
    // Well-formed for HTTP/2, and refused with an answer.
    let refused = [
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/v1/models")],
        vec![(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "gateway")],
        vec![(":method", "CONNECT"), (":authority", "gateway:443")],
        with(&[("content-length", "0"), ("content-length", "0")]),
    ];
    for fields in refused {
        raw.request(stream, END_STREAM, &fields);
        let head = raw.until(|frame| frame.kind == HEADERS || frame.kind == RST_STREAM);
        assert_eq!((head.kind, status(&head)), (HEADERS, 400), "{fields:?}");
        raw.until(|frame| frame.flags & END_STREAM != 0);
        stream += 2;
    }
    raw.request(stream, END_STREAM, GET_MODELS);
    assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS)), 200);
    // h2 takes a name that is none for a broken header block, and ends the connection for it.
    raw.request(stream + 2, END_STREAM, &with(&[("Upper", "case")]));
    assert_eq!(raw.goodbye(), Some(PROTOCOL_ERROR));
}

#[test]
fn host_stands_in_for_authority() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    raw.request(
        1,
        END_STREAM,
        &[(":method", "GET"), (":scheme", "http"), (":path", "/v1/models"), ("host", "gateway")],
    );
    assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS)), 200);
}

#[test]
fn body_that_is_not_as_long_as_it_said_is_reset() {
    let mut shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    let fields = [POST_CHAT, &[("content-length", "5")]].concat();
    for (stream, body) in [(1, &b"{}"[..]), (3, b"{      }")] {
        raw.request(stream, 0, &fields);
        raw.send(&frame(DATA, END_STREAM, stream, body));
        let reset = raw.until(|frame| frame.kind == RST_STREAM);
        assert_eq!((reset.stream, reset.payload.as_slice()), (stream, &PROTOCOL_ERROR.to_be_bytes()[..]));
        assert_eq!(shard.record().code, "invalid_http");
    }
}

#[test]
fn body_is_asked_for_where_the_client_waits_to_be() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    raw.request(1, 0, &[POST_CHAT, &[("expect", "100-continue")]].concat());
    let interim = raw.next().expect("a frame");
    assert_eq!((interim.kind, interim.flags), (HEADERS, END_HEADERS));
    raw.send(&frame(DATA, END_STREAM, 1, b"{"));
    assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS)), 400);
}

#[test]
fn large_body_comes_through_the_windows() {
    on_both(|driver| {
        let (address, requests) = upstream();
        let shard = TestShard::start(driver, |snapshot| add_upstream(snapshot, address));
        // Three and a half stream windows; together, two and a half of the connection's.
        let text = "a".repeat(900 * 1024);
        let body = format!(r#"{{"model":"model","input":"{text}"}}"#);
        let answering = std::thread::spawn(move || {
            for mut stream in requests.iter().take(3) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 4\r\n\r\nmmmm";
                stream.write_all(answer).expect("answer");
            }
        });
        with_client(&shard, &h2::client::Builder::new(), async |mut sender| {
            for _ in 0..3 {
                let request = post("/v1/audio/speech").body(()).expect("request");
                let (status, _, answer) = ask(&mut sender, request, body.as_bytes()).await;
                assert_eq!((status.as_u16(), answer.as_slice()), (200, &b"mmmm"[..]));
            }
        });
        answering.join().expect("upstream");
        shard.wait_for("nothing is held", |shard| shard.read(Counter::BodyBytesHeld) == 0);
    });
}

/// Sends `total` bytes as a raw answer; returns how many were taken.
fn send_audio(stream: &mut TcpStream, total: usize) -> usize {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: {total}\r\n\r\n");
    if stream.write_all(head.as_bytes()).is_err() {
        return 0;
    }
    let bytes: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
    let mut sent = 0;
    while sent < total {
        match stream.write(&bytes[sent..]) {
            Ok(count @ 1..) => sent += count,
            _ => break,
        }
    }
    sent
}

#[test]
fn answer_passes_through_a_small_window_unharmed() {
    on_both(|driver| {
        let (address, requests) = upstream();
        let mut shard = TestShard::start(driver, |snapshot| add_upstream(snapshot, address));
        let sending = std::thread::spawn(move || {
            let mut stream = requests.recv_timeout(PATIENCE).expect("a request");
            assert_eq!(send_audio(&mut stream, 1_000_000), 1_000_000);
        });
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(3_000).initial_connection_window_size(70_000);
        with_client(&shard, &builder, async |mut sender| {
            let request = post("/v1/audio/speech").body(()).expect("request");
            let (status, headers, body) = ask(&mut sender, request, br#"{"model":"model"}"#).await;
            assert_eq!((status.as_u16(), headers["content-length"].as_bytes()), (200, &b"1000000"[..]));
            assert_eq!(body.len(), 1_000_000);
            assert!(body.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
        });
        sending.join().expect("upstream");
        let record = shard.record();
        assert_eq!((record.status, record.client_gone, record.answer_bytes), (200, false, 1_000_000));
    });
}

#[test]
fn client_that_takes_nothing_holds_its_upstream_back_and_is_cut() {
    let (address, requests) = upstream();
    let mut shard = TestShard::start(rt::Driver::Epoll, |snapshot| {
        snapshot.server.write_timeout_ms = 300;
        add_upstream(snapshot, address);
    });
    const TOTAL: usize = 64 * 1024 * 1024;
    let sending = std::thread::spawn(move || {
        let mut stream = requests.recv_timeout(PATIENCE).expect("a request");
        send_audio(&mut stream, TOTAL)
    });
    let mut raw = Raw::connect(&shard);
    // A stream window of nothing: the head comes, and no byte after it.
    raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    raw.request(1, 0, &[POST_CHAT[0], POST_CHAT[1], (":path", "/v1/audio/speech"), POST_CHAT[3]]);
    raw.send(&frame(DATA, END_STREAM, 1, br#"{"model":"model"}"#));
    raw.until(|frame| frame.kind == HEADERS && frame.stream == 1);
    // Another stream is served meanwhile.
    raw.request(3, END_STREAM, GET_MODELS);
    raw.until(|frame| frame.kind == HEADERS && frame.stream == 3);
    raw.send(&frame(WINDOW_UPDATE, 0, 3, &1_000u32.to_be_bytes()));
    let reset = raw.until(|frame| frame.kind == RST_STREAM);
    assert_eq!(reset.stream, 1);
    let taken = sending.join().expect("upstream");
    // What sockets hold on both sides, and 128 KiB here.
    assert!(taken < TOTAL / 2, "{taken} bytes were taken");
    let record = loop {
        let record = shard.record();
        if record.request_bytes > 0 {
            break record;
        }
    };
    assert!(record.client_gone);
    raw.ping();
}

const CHAT: &[u8] = br#"{"model":"model","stream":true,"messages":[]}"#;
const CHAT_BEGINS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"id\":\"1\",\
    \"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";

#[test]
fn reset_cancels_the_upstream_call() {
    on_both(|driver| {
        let (address, requests) = upstream();
        let mut shard = TestShard::start(driver, |snapshot| add_upstream(snapshot, address));
        let mut raw = Raw::connect(&shard);
        let mut check = |stream: u32, answer: &[u8]| {
            raw.request(stream, 0, POST_CHAT);
            raw.send(&frame(DATA, END_STREAM, stream, CHAT));
            let mut call = requests.recv_timeout(PATIENCE).expect("a request");
            if !answer.is_empty() {
                call.write_all(answer).expect("answer");
                let data = raw.until(|frame| frame.kind == DATA && frame.stream == stream);
                assert!(data.payload.windows(5).any(|part| part == b"Hello"));
            }
            raw.send(&frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
            call.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            assert!(matches!(call.read(&mut [0; 1]), Ok(0) | Err(_)), "the call is closed");
            let record = shard.record();
            assert!(record.client_gone);
            record.status
        };
        assert_eq!(check(1, b""), 0);
        assert_eq!(check(3, CHAT_BEGINS), 200);
        // Between request and body.
        raw.request(5, 0, POST_CHAT);
        raw.send(&frame(RST_STREAM, 0, 5, &8u32.to_be_bytes()));
        assert!(shard.record().client_gone);
        assert_eq!(shard.read(Counter::ClientsGone), 3);
        raw.request(7, END_STREAM, GET_MODELS);
        assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS && frame.stream == 7)), 200);
    });
}

#[test]
fn connection_that_is_lost_cancels_its_calls() {
    on_both(|driver| {
        let (address, requests) = upstream();
        let mut shard = TestShard::start(driver, |snapshot| add_upstream(snapshot, address));
        let mut raw = Raw::connect(&shard);
        let mut calls = Vec::new();
        for stream in [1, 3] {
            raw.request(stream, 0, POST_CHAT);
            raw.send(&frame(DATA, END_STREAM, stream, CHAT));
            let mut call = requests.recv_timeout(PATIENCE).expect("a request");
            call.write_all(CHAT_BEGINS).expect("answer");
            raw.until(|frame| frame.kind == DATA);
            calls.push(call);
        }
        drop(raw);
        for mut call in calls {
            call.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            assert!(matches!(call.read(&mut [0; 1]), Ok(0) | Err(_)), "the call is closed");
            assert!(shard.record().client_gone);
        }
        shard.wait_for("the connection is closed", |shard| shard.read(Counter::Connections) == 0);
        assert_eq!(shard.read(Counter::InFlight), 0);
    });
}

#[test]
fn client_that_reads_no_byte_is_cut_and_its_connection_closed() {
    on_both(|driver| {
        let (address, requests) = upstream();
        let mut shard = TestShard::start(driver, |snapshot| {
            snapshot.server.write_timeout_ms = 300;
            snapshot.server.idle_timeout_ms = 100;
            add_upstream(snapshot, address);
        });
        const TOTAL: usize = 64 * 1024 * 1024;
        let sending = std::thread::spawn(move || {
            let mut stream = requests.recv_timeout(PATIENCE).expect("a request");
            send_audio(&mut stream, TOTAL)
        });
        let mut raw = Raw::connect(&shard);
        // All the window that there can be: only the socket is full.
        raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 255, 255, 255]));
        raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000u32.to_be_bytes()));
        raw.request(1, 0, &[POST_CHAT[0], POST_CHAT[1], (":path", "/v1/audio/speech"), POST_CHAT[3]]);
        raw.send(&frame(DATA, END_STREAM, 1, br#"{"model":"model"}"#));
        let record = shard.record();
        assert!(record.client_gone);
        let taken = sending.join().expect("upstream");
        assert!(taken < TOTAL / 2, "{taken} bytes were taken");
        shard.wait_for("the connection is closed", |shard| shard.read(Counter::Connections) == 0);
    });
}

/// A request with a body to come, whose answer does not wait for it.
const POST_NOTHING: &[(&str, &str)] = &[POST_CHAT[0], POST_CHAT[1], (":path", "/v1/nothing"), POST_CHAT[3]];

impl Raw {
    /// Opens `stream` with a request that is refused before its body has come, and reads the whole answer: no reset is part of it.
    fn refused_early(&mut self, stream: u32) {
        self.request(stream, 0, POST_NOTHING);
        assert_eq!(status(&self.until_unless_reset(|frame| frame.kind == HEADERS)), 404);
        self.until_unless_reset(|frame| frame.kind == DATA && frame.flags == END_STREAM && frame.stream == stream);
    }

    /// As `until`, but no stream may be reset on the way.
    fn until_unless_reset(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        let frame = self.until(|frame| frame.kind == RST_STREAM || fits(frame));
        assert_ne!(frame.kind, RST_STREAM, "stream {} was reset", frame.stream);
        frame
    }
}

#[test]
fn answer_before_the_body_lets_the_client_finish() {
    on_both(|driver| {
        let mut shard = TestShard::start(driver, |_| {});
        let mut raw = Raw::connect(&shard);
        for nth in 0..20 {
            let stream = 2 * nth + 1;
            raw.refused_early(stream);
            // The exchange is over, whatever its client still sends.
            assert_eq!(shard.record().status, 404);
            shard.wait_for("no exchange is counted", |shard| shard.read(Counter::InFlight) == 0);
            raw.send(&frame(DATA, 0, stream, &[b'a'; 4 * 1024]));
            raw.send(&frame(DATA, END_STREAM, stream, &[b'a'; 4 * 1024]));
        }
        raw.request(1_001, 0, POST_CHAT);
        raw.send(&frame(DATA, END_STREAM, 1_001, b"{"));
        assert_eq!(status(&raw.until_unless_reset(|frame| frame.kind == HEADERS)), 400);
        raw.until_unless_reset(|frame| frame.kind == DATA && frame.flags == END_STREAM);
        // Nor does a reset come later: the connection leaves because each stream has ended.
        shard.node.advance(Phase::Draining);
        while let Some(frame) = raw.next() {
            assert_ne!(frame.kind, RST_STREAM, "stream {} was reset", frame.stream);
        }
    });
}

/// Longer than the pause that is allowed, but never silent for so long.
#[test]
fn answer_before_a_slow_body_lets_the_client_finish() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let heartbeat_ms = || shard.node.shards[0].heartbeat_ms.load(std::sync::atomic::Ordering::Relaxed);
    let mut raw = Raw::connect(&shard);
    raw.refused_early(1);
    let began_ms = heartbeat_ms();
    while heartbeat_ms() < began_ms + LINGER_MS + LINGER_MS / 2 {
        raw.send(&frame(DATA, 0, 1, &[b'a'; 100]));
        let sent_ms = heartbeat_ms();
        shard.wait_for("time passes", |_| heartbeat_ms() > sent_ms + LINGER_MS / 10);
    }
    raw.send(&frame(DATA, END_STREAM, 1, b"a"));
    raw.send(&frame(PING, 0, 0, &[9; 8]));
    raw.until_unless_reset(|frame| frame.kind == PING && frame.flags == ACK);
}

#[test]
fn answer_before_a_body_that_does_not_end_resets_it_after_a_while() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    // All answers have room, however long the message in them is.
    raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x0100_0000u32.to_be_bytes()));
    for nth in 0..H2_DOWNSTREAM_STREAMS_MAX {
        raw.request(2 * nth + 1, 0, POST_NOTHING);
    }
    let (mut answered, mut reset) = (Vec::new(), Vec::new());
    while reset.len() < H2_DOWNSTREAM_STREAMS_MAX as usize {
        let frame = raw.until(|frame| frame.kind == RST_STREAM || frame.kind == DATA && frame.flags == END_STREAM);
        if frame.kind == DATA {
            answered.push(frame.stream);
        } else {
            assert!(answered.contains(&frame.stream), "stream {} was reset before its answer", frame.stream);
            // NO_ERROR: the answer stands (RFC 9113, section 8.1).
            assert_eq!(frame.payload, vec![0; 4]);
            reset.push(frame.stream);
        }
    }
    // What was on its way for all of them, a whole connection window, is no error, and the window is returned.
    for nth in 0..H2_DOWNSTREAM_STREAMS_MAX {
        raw.send(&frame(DATA, END_STREAM, 2 * nth + 1, &[b'a'; 4 * 1024]));
    }
    raw.ping();
    raw.request(1_001, 0, POST_CHAT);
    raw.send(&frame(DATA, END_STREAM, 1_001, b"{"));
    assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS)), 400);
}

/// The window is returned while the rest is discarded, or a client that sends its body before it reads would wait for ever; but not for
/// more than a body may be.
#[test]
fn answer_before_the_body_discards_it_up_to_a_bound() {
    const PIECE: usize = 16 * 1024;
    on_both(|driver| {
        let shard = TestShard::start(driver, |_| {});
        let mut raw = Raw::connect(&shard);
        raw.refused_early(1);
        let (mut stream_window, mut connection_window) =
            (STREAM_WINDOW_BYTES as usize, CONNECTION_WINDOW_BYTES as usize);
        let mut sent = 0;
        let reset = loop {
            if stream_window.min(connection_window) >= PIECE {
                raw.send(&frame(DATA, 0, 1, &[b'a'; PIECE]));
                stream_window -= PIECE;
                connection_window -= PIECE;
                sent += PIECE;
                continue;
            }
            let frame = raw.next().expect("the connection goes on");
            match frame.kind {
                WINDOW_UPDATE => {
                    let more = u32::from_be_bytes(frame.payload.try_into().expect("four bytes")) as usize;
                    if frame.stream == 0 { connection_window += more } else { stream_window += more }
                }
                RST_STREAM => break frame,
                _ => {}
            }
        };
        assert_eq!((reset.stream, reset.payload), (1, vec![0; 4]));
        let bounds = LINGER_BYTES_MAX..LINGER_BYTES_MAX + 2 * CONNECTION_WINDOW_BYTES as usize;
        assert!(bounds.contains(&sent), "{sent} bytes were taken");
        raw.ping();
    });
}

#[test]
fn streams_that_linger_do_not_hold_up_the_drain() {
    on_both(|driver| {
        let shard = TestShard::start(driver, |_| {});
        let mut raw = Raw::connect(&shard);
        raw.refused_early(1);
        shard.node.advance(Phase::Draining);
        // The client never ends its body, nor does it close; its limit is a minute.
        shard.wait_for("the shard has drained", |shard| shard.thread.as_ref().is_some_and(JoinHandle::is_finished));
        assert_eq!(shard.read(Counter::InFlight), 0);
        let reset = raw.until(|frame| frame.kind == RST_STREAM);
        assert_eq!((reset.stream, reset.payload), (1, vec![0; 4]));
    });
}

#[test]
fn tls_clients_are_served_in_the_version_they_chose() {
    on_both(|driver| {
        let shard = TestShard::start(driver, |_| {});
        let made = rcgen::generate_simple_self_signed(["gateway".to_owned()]).expect("a certificate");
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let mut server = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a server");
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        shard.node.downstream_tls.store(Some(Arc::new(server)));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");

        for protocol in ["h2", "http/1.1"] {
            let mut client =
                rustls::ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
            client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
            let name = "gateway".try_into().expect("a name");
            let session = rustls::ClientConnection::new(Arc::new(client), name).expect("a client");
            let socket = TcpStream::connect(shard.tls_address).expect("connect");
            socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            let mut stream = rustls::StreamOwned::new(session, socket);
            let request = match protocol {
                "h2" => [
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
                    frame(SETTINGS, 0, 0, &[]),
                    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(GET_MODELS)),
                ]
                .concat(),
                _ => b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n".to_vec(),
            };
            stream.write_all(&request).expect("send");
            let mut answer = Vec::new();
            while !answer.ends_with(br#"{"object":"list","data":[]}"#) {
                let mut piece = [0; 1024];
                let count = stream.read(&mut piece).expect("an answer");
                assert!(count > 0, "the answer is whole");
                answer.extend_from_slice(&piece[..count]);
            }
            assert_eq!(answer.starts_with(b"HTTP/1.1 200 OK"), protocol == "http/1.1");
        }
    });
}

#[test]
fn answer_that_breaks_off_is_reset() {
    let (address, requests) = upstream();
    let mut shard = TestShard::start(rt::Driver::Epoll, |snapshot| add_upstream(snapshot, address));
    let mut raw = Raw::connect(&shard);
    raw.request(1, 0, &[POST_CHAT[0], POST_CHAT[1], (":path", "/v1/audio/speech"), POST_CHAT[3]]);
    raw.send(&frame(DATA, END_STREAM, 1, br#"{"model":"model"}"#));
    let mut call = requests.recv_timeout(PATIENCE).expect("a request");
    call.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 9\r\n\r\nhalf").expect("answer");
    assert_eq!(raw.until(|frame| frame.kind == DATA).payload, b"half");
    drop(call);
    let reset = raw.until(|frame| frame.kind == RST_STREAM);
    assert_eq!((reset.stream, reset.payload), (1, INTERNAL_ERROR.to_be_bytes().to_vec()));
    assert_eq!(shard.record().status, 200);
    raw.ping();
}

#[test]
fn panic_in_one_stream_ends_its_connection_and_nothing_else() {
    let (address, requests) = upstream();
    let mut shard = TestShard::start(rt::Driver::Epoll, |snapshot| {
        add_upstream(snapshot, address);
        // No such endpoint: what looks it up panics.
        add_model(snapshot, "broken", 7);
    });
    let mut other = Raw::connect(&shard);
    let mut raw = Raw::connect(&shard);
    raw.request(1, 0, POST_CHAT);
    raw.send(&frame(DATA, END_STREAM, 1, CHAT));
    let mut call = requests.recv_timeout(PATIENCE).expect("a request");
    raw.request(3, 0, POST_CHAT);
    raw.send(&frame(DATA, END_STREAM, 3, br#"{"model":"broken","messages":[]}"#));
    assert_eq!(raw.goodbye(), Some(INTERNAL_ERROR));
    call.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    assert!(matches!(call.read(&mut [0; 1]), Ok(0) | Err(_)), "the other stream's call is closed");
    let mut records = [shard.record(), shard.record()];
    records.sort_by_key(|record| record.client_gone);
    assert_eq!((records[0].code, records[0].client_gone), ("internal_error", false));
    assert!(records[1].client_gone);
    assert_eq!(shard.read(Counter::Panics), 1);
    shard.wait_for("the connection is closed", |shard| shard.read(Counter::Connections) == 1);
    other.request(1, END_STREAM, GET_MODELS);
    assert_eq!(status(&other.until(|frame| frame.kind == HEADERS)), 200);
    shard.wait_for("every exchange has ended", |shard| shard.read(Counter::InFlight) == 0);
}

/// The stream that a GOAWAY names as the last one, and its error code.
fn goaway(frame: &Frame) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().expect("four bytes"));
    (number(0), number(4))
}

#[test]
fn draining_lets_streams_finish() {
    on_both(|driver| {
        let shard = TestShard::start(driver, |_| {});
        let mut raw = Raw::connect(&shard);
        let mut idle = Raw::connect(&shard);
        raw.request(1, 0, POST_CHAT);
        raw.ping();
        shard.node.advance(Phase::Draining);
        // A first GOAWAY names no stream yet: requests that are on their way are still served.
        for raw in [&mut raw, &mut idle] {
            assert_eq!(goaway(&raw.until(|frame| frame.kind == GOAWAY)), (0x7fff_ffff, 0));
        }
        raw.request(3, END_STREAM, GET_MODELS);
        assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS && frame.stream == 3)), 200);
        for (raw, last) in [(&mut raw, 3), (&mut idle, 0)] {
            let mut ping = frame(PING, ACK, 0, &[0; 8]);
            // Its payload is h2's own.
            ping[9..].copy_from_slice(&[0x0b, 0x7b, 0xa2, 0xf0, 0x8b, 0x9b, 0xfe, 0x54]);
            raw.send(&ping);
            assert_eq!(goaway(&raw.until(|frame| frame.kind == GOAWAY)), (last, 0));
        }
        assert_eq!(idle.next(), None);
        raw.send(&frame(DATA, END_STREAM, 1, b"{"));
        assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS && frame.stream == 1)), 400);
        raw.until(|frame| frame.kind == DATA && frame.flags == END_STREAM);
        while let Some(frame) = raw.next() {
            assert_eq!(frame.kind, GOAWAY);
        }
        // The shard has nothing left to wait for.
        shard.wait_for("the shard has drained", |shard| shard.thread.as_ref().is_some_and(JoinHandle::is_finished));
    });
}

#[test]
fn idle_connection_is_told_and_closed_even_if_it_keeps_silent() {
    let shard = TestShard::start(rt::Driver::Epoll, |snapshot| snapshot.server.idle_timeout_ms = 100);
    let mut raw = Raw::connect(&shard);
    raw.request(1, END_STREAM, GET_MODELS);
    raw.until(|frame| frame.kind == DATA);
    assert_eq!(goaway(&raw.until(|frame| frame.kind == GOAWAY)), (0x7fff_ffff, 0));
    // Its PING is not answered.
    assert_eq!(goaway(&raw.until(|frame| frame.kind == GOAWAY)), (1, 0));
    assert_eq!(raw.next(), None);
}

#[test]
fn stream_that_waits_is_not_idle() {
    let (address, requests) = upstream();
    let shard = TestShard::start(rt::Driver::Epoll, |snapshot| {
        snapshot.server.idle_timeout_ms = 1;
        snapshot.server.head_timeout_ms = 1_000;
        add_upstream(snapshot, address);
    });
    let stream = TcpStream::connect(shard.address).expect("connect");
    let mut raw = Raw { stream, received: Vec::new() };
    let opening = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &block(POST_CHAT)),
        frame(DATA, END_STREAM, 1, CHAT),
    ];
    raw.send(&opening.concat());
    let mut call = requests.recv_timeout(PATIENCE).expect("a request");
    // Longer than any of the limits above.
    let began_ms = shard.node.shards[0].heartbeat_ms.load(std::sync::atomic::Ordering::Relaxed);
    shard.wait_for("time passes", |shard| {
        shard.node.shards[0].heartbeat_ms.load(std::sync::atomic::Ordering::Relaxed) > began_ms + 1_500
    });
    call.write_all(CHAT_BEGINS).expect("answer");
    raw.until(|frame| frame.kind == DATA && frame.stream == 1);
}

#[test]
fn preface_that_does_not_come_is_not_waited_for() {
    let shard = TestShard::start(rt::Driver::Epoll, |snapshot| snapshot.server.head_timeout_ms = 100);
    let mut stream = TcpStream::connect(shard.address).expect("connect");
    stream.write_all(b"PRI * HTTP/2.0\r\n").expect("send");
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).expect("the end");
    assert_eq!(sent[3], SETTINGS);
    shard.wait_for("the connection is closed", |shard| shard.read(Counter::Connections) == 0);
}

#[test]
fn floods_end_the_connection() {
    on_both(|driver| {
        let shard = TestShard::start(driver, |_| {});
        let rounds = 20_000;
        let check = |name: &str, prepare: &[u8], cycle: &dyn Fn(u32) -> Vec<u8>, expected: u32| {
            let mut raw = Raw::connect(&shard);
            raw.send(prepare);
            let errors = shard.read(Counter::ProtocolErrors);
            let mut answers = Raw { stream: raw.stream.try_clone().expect("clone"), received: Vec::new() };
            let reading = std::thread::spawn(move || {
                let (mut pongs, mut code) = (0, None);
                while let Some(frame) = answers.next() {
                    pongs += u64::from(matches!(frame.kind, PING | SETTINGS) && frame.flags == ACK);
                    if frame.kind == GOAWAY {
                        code = Some(goaway(&frame).1);
                    }
                }
                (pongs, code)
            });
            for first in (0..rounds).step_by(50) {
                let bytes: Vec<u8> = (first..first + 50).flat_map(cycle).collect();
                if !raw.send(&bytes) {
                    break;
                }
            }
            let (pongs, code) = reading.join().expect("reader");
            assert_eq!(code, Some(expected), "{name}");
            assert!(pongs <= allowance::EVENTS_MAX + 1_000, "{name}: {pongs} frames were answered");
            shard.wait_for(name, |shard| shard.read(Counter::ProtocolErrors) == errors + 1);
        };
        let odd = |nth: u32| 2 * nth + 1;
        let open = frame(HEADERS, END_HEADERS, 1, &block(POST_CHAT));
        let get = block(GET_MODELS);
        check("PING", &[], &|_| frame(PING, 0, 0, &[1; 8]), ENHANCE_YOUR_CALM);
        check("PING answers", &[], &|_| frame(PING, ACK, 0, &[1; 8]), ENHANCE_YOUR_CALM);
        check("SETTINGS", &[], &|_| frame(SETTINGS, 0, 0, &[]), ENHANCE_YOUR_CALM);
        check(
            "SETTINGS with a window",
            &open,
            &|nth| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, nth as u8, 9]),
            ENHANCE_YOUR_CALM,
        );
        check("SETTINGS answers", &[], &|_| frame(SETTINGS, ACK, 0, &[]), PROTOCOL_ERROR);
        check("PRIORITY", &[], &|_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]), ENHANCE_YOUR_CALM);
        check("WINDOW_UPDATE", &[], &|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]), ENHANCE_YOUR_CALM);
        check("WINDOW_UPDATE of a stream", &open, &|_| frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), ENHANCE_YOUR_CALM);
        check("WINDOW_UPDATE by nothing", &open, &|_| frame(WINDOW_UPDATE, 0, 1, &[0; 4]), PROTOCOL_ERROR);
        check(
            "WINDOW_UPDATE overflow",
            &[],
            &|_| frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]),
            FLOW_CONTROL_ERROR,
        );
        check("unknown frames", &[], &|_| frame(0x42, 0, 1, &[0; 100]), ENHANCE_YOUR_CALM);
        check("empty DATA", &open, &|_| frame(DATA, 0, 1, &[]), ENHANCE_YOUR_CALM);
        check("tiny DATA", &open, &|_| frame(DATA, 0, 1, b" "), ENHANCE_YOUR_CALM);
        check("CONTINUATION", &frame(HEADERS, 0, 1, &[]), &|_| frame(CONTINUATION, 0, 1, &[]), ENHANCE_YOUR_CALM);
        check(
            "rapid reset",
            &[],
            &|nth| {
                [
                    frame(HEADERS, END_HEADERS | END_STREAM, odd(nth), &get),
                    frame(RST_STREAM, 0, odd(nth), &[0, 0, 0, 8]),
                ]
                .concat()
            },
            ENHANCE_YOUR_CALM,
        );
        // The client breaks its own streams, so that the server resets them.
        check(
            "made you reset",
            &[],
            &|nth| {
                [
                    frame(HEADERS, END_HEADERS, odd(nth), &block(POST_CHAT)),
                    frame(WINDOW_UPDATE, 0, odd(nth), &[0x7f, 255, 255, 255]),
                ]
                .concat()
            },
            ENHANCE_YOUR_CALM,
        );
        check(
            "too many streams",
            &[],
            &|nth| frame(HEADERS, END_HEADERS, odd(nth), &block(POST_CHAT)),
            ENHANCE_YOUR_CALM,
        );
        let large = block(&[GET_MODELS, &[("x-large", &"a".repeat(15_000))]].concat());
        let more = block(&[("x-more", &"a".repeat(16_000))]);
        check(
            "large heads",
            &[],
            &|nth| {
                [
                    frame(HEADERS, END_STREAM, odd(nth), &large),
                    frame(CONTINUATION, 0, odd(nth), &more),
                    frame(CONTINUATION, END_HEADERS, odd(nth), &more),
                ]
                .concat()
            },
            ENHANCE_YOUR_CALM,
        );
        shard.wait_for("every exchange has ended", |shard| shard.read(Counter::InFlight) == 0);
        assert_eq!(shard.read(Counter::BodyBytesHeld), 0);
    });
}

/// Resets that come after the request was seen: h2 has no limit for them.
#[test]
fn rapid_reset_in_step_with_the_server_ends_the_connection() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    let mut count = 0;
    let code = loop {
        let stream = 2 * count + 1;
        raw.request(stream, 0, POST_CHAT);
        raw.send(&frame(PING, 0, 0, &[9; 8]));
        raw.send(&frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        let frame = raw.until(|frame| frame.kind == GOAWAY || frame.kind == PING);
        if frame.kind == GOAWAY {
            break goaway(&frame).1;
        }
        count += 1;
        assert!(count < 5_000, "the connection goes on");
    };
    assert_eq!(code, ENHANCE_YOUR_CALM);
    assert!(count >= 200, "a full connection may be left at once, here only {count}");
    shard.wait_for("every exchange has ended", |shard| shard.read(Counter::InFlight) == 0);
}

#[test]
fn busy_honest_client_is_left_alone() {
    on_both(|driver| {
        let shard = TestShard::start(driver, |_| {});
        let mut raw = Raw::connect(&shard);
        for nth in 0..3_000 {
            let stream = 2 * nth + 1;
            raw.send(&frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16]));
            raw.request(stream, END_STREAM, GET_MODELS);
            let data = raw.until(|frame| frame.kind == DATA && frame.flags == END_STREAM);
            for stream in [0, stream] {
                raw.send(&frame(WINDOW_UPDATE, 0, stream, &(data.payload.len() as u32).to_be_bytes()));
            }
        }
        raw.ping();
    });
}

#[test]
fn streams_beyond_the_limit_are_refused_and_the_others_served() {
    let shard = TestShard::start(rt::Driver::Epoll, |_| {});
    let mut raw = Raw::connect(&shard);
    let streams = H2_DOWNSTREAM_STREAMS_MAX + 10;
    for nth in 0..streams {
        raw.request(2 * nth + 1, 0, POST_CHAT);
    }
    for nth in H2_DOWNSTREAM_STREAMS_MAX..streams {
        let reset = raw.until(|frame| frame.kind == RST_STREAM);
        // REFUSED_STREAM: the client may send it again elsewhere.
        assert_eq!((reset.stream, reset.payload), (2 * nth + 1, 7u32.to_be_bytes().to_vec()));
    }
    for nth in 0..H2_DOWNSTREAM_STREAMS_MAX {
        raw.send(&frame(DATA, END_STREAM, 2 * nth + 1, b"{"));
    }
    for _ in 0..H2_DOWNSTREAM_STREAMS_MAX {
        assert_eq!(status(&raw.until(|frame| frame.kind == HEADERS)), 400);
    }
}

#[test]
fn bytes_within_h2_are_counted_until_they_are_written_or_lost() {
    struct Woken(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let woken = Arc::new(Woken(0.into()));
    let times_woken = || woken.0.load(std::sync::atomic::Ordering::Relaxed);
    let within = Rc::new(Within::default());
    within.watch(&Context::from_waker(&woken.clone().into()));

    let mut first = Chunk::new(Bytes::from_static(b"first"), &within);
    let second = Chunk::new(Bytes::from_static(b"second"), &within);
    let end = Chunk::new(Bytes::new(), &within);
    assert_eq!(within.bytes.get(), 11);
    first.advance(2);
    first.advance(3);
    drop(first);
    drop(end);
    assert_eq!((within.bytes.get(), within.lost.get(), times_woken()), (6, false, 0));
    drop(second);
    assert_eq!((within.bytes.get(), within.lost.get(), times_woken()), (0, true, 1));
}
