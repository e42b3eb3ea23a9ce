//! How many writes an answer takes. A client of the test's own counts them; the upstreams are peers that write by hand.

use super::*;
use crate::{
    config::snapshot::HttpVersions,
    data_plane::{
        downstream::BodyError,
        peers::*,
        upstream::{UpstreamContext, answer_head::AnswerHead, pool::Pool},
    },
    dialects::openai_chat::pass_through::PassThrough,
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{Arc, mpsc},
};

/// Takes whatever is staged in one write when it is flushed, or nothing while it is slow.
#[derive(Default)]
struct Client {
    staged: Vec<u8>,
    writes: Vec<Vec<u8>>,
    is_slow: bool,
    is_gone: bool,
}

impl Downstream for Client {
    fn poll_body(&mut self, _: &mut Context<'_>, _: &mut Vec<u8>) -> Poll<Result<bool, BodyError>> {
        Poll::Ready(Ok(true))
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        if self.is_gone { Poll::Ready(()) } else { Poll::Pending }
    }

    fn stage_head(&mut self, _: &ReplyHead<'_>) {}

    fn stage(&mut self, bytes: &[u8]) {
        self.staged.extend_from_slice(bytes);
    }

    fn stage_end(&mut self) {}

    fn staged_bytes(&self) -> usize {
        self.staged.len()
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_slow {
            return Poll::Pending;
        }
        self.writes.push(std::mem::take(&mut self.staged));
        Poll::Ready(Ok(()))
    }

    fn abort(&mut self) {}
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// A peer that reads one request and then makes each write when it is told to, and the way to tell it.
fn http1_peer(writes: Vec<Vec<u8>>) -> (SocketAddr, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let (address, _) = peer_thread(move |listener| {
        let (mut stream, _): (TcpStream, _) = listener.accept().expect("accept");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("request");
            request.extend(byte);
        }
        for write in writes {
            if told.recv().is_err() || stream.write_all(&write).is_err() {
                return;
            }
        }
        // Open until the test is over.
        let _ = told.recv();
    });
    (address, tell)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A request to `address` whose answer's head has been read.
async fn called(context: &Rc<UpstreamContext>, address: SocketAddr, http: HttpVersions) -> (Call, Rc<Pool>) {
    let endpoint = Arc::new(endpoint(address, None, http));
    let pool = Pool::open(endpoint.clone(), context.clone());
    let lease = pool.lease(5_000).await.expect("a connection");
    let deployment = deployment();
    let mut call = lease.call(request(&deployment, &endpoint, "/", vec![]));
    let mut head = AnswerHead::default();
    assert_eq!(poll_fn(|cx| call.poll_head(cx, &mut head)).await, Ok(()));
    assert_eq!(head.status, 200);
    (call, pool)
}

fn events_of(call: Call) -> Flow {
    Flow { call, pass: Some(Passage::OpenAi(PassThrough::new(true, true))), held: Vec::new(), stalled: false }
}

async fn step(flow: &mut Flow, client: &mut Client) -> Step {
    poll_fn(|cx| flow.poll(client, cx, &mut |_, _| {})).await
}

/// Relays to the end; what the client got, by write, with the last held events as the last of them.
async fn relayed(mut flow: Flow) -> Vec<Vec<u8>> {
    let mut client = Client::default();
    assert!(matches!(step(&mut flow, &mut client).await, Step::Over(Ok(Verdict::Complete))));
    client.writes.push(flow.held);
    client.writes.retain(|write| !write.is_empty());
    client.writes
}

#[test]
fn events_that_arrive_together_leave_in_one_write_over_http1() {
    on_both(async |context| {
        let events: Vec<String> = (0..20).map(|number| event(&format!("word {number}"))).collect();
        let expected = [&events.concat(), STOP, DONE].concat();
        let chunks: String = events.iter().map(String::as_str).chain([STOP, DONE]).map(chunk).collect();
        let (address, tell) = http1_peer(vec![[HEAD, &chunks, "0\r\n\r\n"].concat().into_bytes()]);
        tell.send(()).expect("peer");
        let (call, _pool) = called(&context, address, HttpVersions::Http1).await;
        assert_eq!(relayed(events_of(call)).await, [expected.into_bytes()]);
    });
}

#[test]
fn events_that_arrive_together_leave_in_one_write_over_http2() {
    on_both(async |context| {
        let events: Vec<String> = (0..20).map(|number| event(&format!("word {number}"))).collect();
        let expected = [&events.concat(), STOP, DONE].concat();
        let (address, _peer) = peer_thread(move |listener| {
            let mut peer = RawPeer::accept(&listener, &[]);
            let stream = peer.wait_for(HEADERS).expect("request").stream;
            let mut frames = vec![(HEADERS, END_HEADERS, stream, STATUS_200)];
            frames.extend(events.iter().map(|event| (DATA, 0, stream, event.as_bytes())));
            frames.extend([(DATA, 0, stream, STOP.as_bytes()), (DATA, END_STREAM, stream, DONE.as_bytes())]);
            peer.send_together(&frames);
            peer.wait_for(GOAWAY);
        });
        let (call, _pool) = called(&context, address, HttpVersions::Http2).await;
        assert_eq!(relayed(events_of(call)).await, [expected.into_bytes()]);
    });
}

#[test]
fn event_leaves_before_the_next_one_arrives() {
    on_both(async |context| {
        let mut writes = vec![HEAD.as_bytes().to_vec()];
        writes.extend((0..3).map(|number| chunk(&event(&format!("word {number}"))).into_bytes()));
        let (address, tell) = http1_peer(writes);
        tell.send(()).expect("peer");
        let (call, _pool) = called(&context, address, HttpVersions::Http1).await;
        let mut flow = events_of(call);
        let mut client = Client::default();
        for number in 0..3 {
            tell.send(()).expect("peer");
            // The next one is not written before this one has been seen.
            poll_fn(|cx| {
                assert!(flow.poll(&mut client, cx, &mut |_, _| {}).is_pending());
                if client.writes.len() > number { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert_eq!(client.writes[number], event(&format!("word {number}")).into_bytes());
        }
    });
}

#[test]
fn bytes_leave_as_they_came_in_few_writes() {
    on_both(async |context| {
        let body: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
        let chunks: Vec<u8> =
            body.chunks(100).flat_map(|part| [b"64\r\n", part, b"\r\n"].concat()).chain(*b"0\r\n\r\n").collect();
        let (address, tell) = http1_peer(vec![[HEAD.as_bytes(), &chunks].concat()]);
        tell.send(()).expect("peer");
        let (call, _pool) = called(&context, address, HttpVersions::Http1).await;
        let mut flow = Flow { call, pass: None, held: Vec::new(), stalled: false };
        let mut client = Client::default();
        assert!(matches!(step(&mut flow, &mut client).await, Step::Over(Ok(Verdict::Complete))));
        client.writes.push(client.staged);
        assert_eq!(client.writes.concat(), body);
        // A thousand runs of data; a read may bring less than there is room for.
        assert!(client.writes.len() < 100, "{} writes", client.writes.len());
    });
}

#[test]
fn slow_client_stops_the_reading_and_what_waits_for_it_is_bounded() {
    on_both(async |context| {
        let text = event(&"x".repeat(1_000));
        let count = 4 * RELAY_PENDING_BYTES_MAX / text.len();
        let body = [&chunk(&text).repeat(count), chunk(STOP).as_str(), &chunk(DONE), "0\r\n\r\n"].concat();
        let (address, tell) = http1_peer(vec![[HEAD, &body].concat().into_bytes()]);
        tell.send(()).expect("peer");
        let (call, _pool) = called(&context, address, HttpVersions::Http1).await;
        let mut flow = events_of(call);
        let mut client = Client { is_slow: true, ..Client::default() };
        assert!(matches!(step(&mut flow, &mut client).await, Step::Stalled));
        assert!(flow.stalled && flow.held.is_empty());
        // One turn beyond the bound, and what one read may bring beyond that.
        assert!(client.staged.len() <= RELAY_PENDING_BYTES_MAX + TURN_BYTES + READ_BYTES, "{}", client.staged.len());
        let staged = client.staged.len();
        assert!(poll_fn(|cx| Poll::Ready(flow.poll(&mut client, cx, &mut |_, _| {}))).await.is_pending());
        assert_eq!(client.staged.len(), staged);
        // Nothing is lost meanwhile, and a client that is gone is noticed.
        client.is_gone = true;
        assert!(matches!(step(&mut flow, &mut client).await, Step::Gone));
        (client.is_gone, client.is_slow) = (false, false);
        assert!(matches!(step(&mut flow, &mut client).await, Step::Stalled));
        assert!(!flow.stalled);
        assert!(matches!(step(&mut flow, &mut client).await, Step::Over(Ok(Verdict::Complete))));
        client.writes.push(flow.held);
        assert_eq!(client.writes.concat(), [&text.repeat(count), STOP, DONE].concat().into_bytes());
    });
}

#[test]
fn broken_stream_hands_over_what_came_before_the_break() {
    on_both(async |context| {
        let (address, tell) = http1_peer(vec![[HEAD, &chunk(&event("word")), "zz"].concat().into_bytes()]);
        tell.send(()).expect("peer");
        let (call, _pool) = called(&context, address, HttpVersions::Http1).await;
        let mut flow = events_of(call);
        let mut client = Client::default();
        assert!(matches!(step(&mut flow, &mut client).await, Step::Over(Err(Upstream::BadResponse))));
        assert_eq!((client.writes.len(), flow.held), (0, event("word").into_bytes()));
    });
}
