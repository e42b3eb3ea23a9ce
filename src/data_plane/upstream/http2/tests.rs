//! Calls against h2's own server, and against frames written by hand for what that server does not do.

use super::*;
use crate::config::snapshot::HttpVersions;
use crate::data_plane::{
    peers::*,
    upstream::{
        Content, RequestBody,
        connect::{Protocol, connect},
    },
};
use std::{net::SocketAddr, sync::mpsc};

/// A connection of its own, without a pool.
async fn open(context: &Rc<UpstreamContext>, endpoint: &Endpoint) -> Result<Rc<Connection>, Upstream> {
    let (transport, protocol) = connect(endpoint, context, 5_000).await?;
    assert_eq!(protocol, Protocol::Http2);
    let deadline = context.deadlines.slot();
    deadline.set_in_ms(5_000);
    Connection::open(transport, endpoint, context.clone(), &deadline, || {}).await
}

fn plain(address: SocketAddr) -> Endpoint {
    endpoint(address, None, HttpVersions::Http2)
}

fn call(connection: &Rc<Connection>, endpoint: &Endpoint, path: &str, pieces: Vec<Piece>) -> Call {
    let deployment = deployment();
    connection.lease().expect("room").call(request(&deployment, endpoint, path, pieces))
}

impl Call {
    /// As `poll_head`, for whoever asks for the status only.
    pub fn poll_status(&mut self, cx: &mut Context<'_>) -> Poll<Result<u16, Upstream>> {
        let mut head = AnswerHead::default();
        self.poll_head(cx, &mut head).map_ok(|()| head.status)
    }
}

async fn head(call: &mut Call) -> Result<u16, Upstream> {
    poll_fn(|cx| call.poll_status(cx)).await
}

async fn body(call: &mut Call) -> Result<Vec<u8>, Upstream> {
    let mut all = Vec::new();
    while poll_fn(|cx| call.poll_data(cx)).await? {
        all.extend_from_slice(call.data());
        call.consume(call.data().len());
    }
    Ok(all)
}

async fn whole(call: &mut Call) -> Result<(u16, Vec<u8>), Upstream> {
    Ok((head(call).await?, body(call).await?))
}

fn owned(count: usize) -> Piece {
    Piece::Owned(vec![b'a'; count])
}

#[test]
fn request_arrives_with_its_headers_and_body_over_tls() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &["h2"], None);
        let peer = Http2Peer::start(Some(server), |_| {});
        let endpoint = endpoint(peer.address, Some(issuer.client(&["h2"])), HttpVersions::Http2);
        let connection = open(&context, &endpoint).await.expect("open");
        let shared = Rc::new(b"xxmiddlexx".to_vec());
        let pieces = vec![owned(3), Piece::Shared(shared, 2..8), owned(2)];
        let mut call = call(&connection, &endpoint, "/echo", pieces);
        assert!(!call.sent_anything_back());
        assert_eq!(whole(&mut call).await, Ok((200, b"11".to_vec())));
        assert!(call.sent_anything_back());
        peer.see(Event::Connected).await;
        let lines = [
            "accept-encoding: identity",
            "accept: */*",
            "authorization: Bearer abc",
            "content-length: 11",
            "content-type: application/json",
            concat!("user-agent: ringway/", env!("CARGO_PKG_VERSION")),
            "x-request-id: 7",
        ];
        assert_eq!(peer.event().await, Event::Head("/echo".into(), lines.join("\n")));
        assert_eq!(peer.event().await, Event::Body(11));
        assert!(context.state.cells.histogram(Series::UpstreamRttUs).counts().next().is_some());
    });
}

#[test]
fn small_patched_body_goes_with_its_head_and_a_whole_answer_is_known_as_such() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        let (deployment, patch) = (deployment(), crate::json::patch::Patch::new());
        for size in [1, 11, 16 * 1024, 16 * 1024 + 1, 60_000] {
            let text = vec![b'a'; size];
            let mut request = request(&deployment, &endpoint, "/echo", vec![]);
            request.body.content = Content::Patched { patch: &patch, text: &text };
            request.body.length = Some(size as u64);
            let mut call = connection.lease().expect("room").call(request);
            assert_eq!(call.body.is_sent, size <= 16 * 1024, "{size}");
            assert_eq!(head(&mut call).await, Ok(200));
            assert_eq!(poll_fn(|cx| call.poll_data(cx)).await, Ok(true));
            until("the end of the answer has come", || call.data_is_last()).await;
            assert_eq!(call.data(), size.to_string().as_bytes());
            call.consume(call.data().len());
            assert_eq!(poll_fn(|cx| call.poll_data(cx)).await, Ok(false));
        }
        assert_eq!((connection.state(), connection.active()), (State::Open, 0));
    });
}

#[test]
fn part_of_an_answer_is_not_the_last_of_it() {
    on_both(async |context| {
        let (go, told) = mpsc::channel::<()>();
        let (address, peer) = peer_thread(move |listener| {
            let mut peer = RawPeer::accept(&listener, &[]);
            for ends in [true, false] {
                let stream = peer.wait_for(HEADERS).expect("head").stream;
                peer.send(HEADERS, END_HEADERS, stream, STATUS_200);
                peer.send(DATA, 0, stream, b"half");
                told.recv().expect("told");
                match ends {
                    true => peer.send(DATA, END_STREAM, stream, b""),
                    false => peer.send(RST_STREAM, 0, stream, &2u32.to_be_bytes()),
                }
            }
            while peer.next().is_some() {}
        });
        let endpoint = plain(address);
        let connection = open(&context, &endpoint).await.expect("open");
        for ends in [true, false] {
            let mut call = call(&connection, &endpoint, "/", vec![]);
            assert_eq!(head(&mut call).await, Ok(200));
            assert_eq!(poll_fn(|cx| call.poll_data(cx)).await, Ok(true));
            assert!(!call.data_is_last());
            go.send(()).expect("peer");
            call.consume(4);
            let after = poll_fn(|cx| call.poll_data(cx)).await;
            assert_eq!(after, if ends { Ok(false) } else { Err(Upstream::Truncated) });
            assert_eq!(call.data_is_last(), ends);
        }
        connection.retire();
        peer.end().await;
    });
}

#[test]
fn sender_that_waits_at_the_stream_limit_does_not_keep_others_from_it() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |settings| {
            settings.max_concurrent_streams(1);
        });
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        for _ in 0..10 {
            // Dropped before the driver has opened its stream, for which its sender waits.
            drop(call(&connection, &endpoint, "/silent", vec![]));
            let mut next = call(&connection, &endpoint, "/echo", vec![owned(3)]);
            assert!(connection.lease().is_none());
            assert_eq!(whole(&mut next).await, Ok((200, b"3".to_vec())));
        }
        assert_eq!(connection.state(), State::Open);
    });
}

#[test]
fn hundred_calls_share_one_connection() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &["h2"], None);
        let peer = Http2Peer::start(Some(server), |settings| {
            settings.max_concurrent_streams(100);
        });
        let endpoint = endpoint(peer.address, Some(issuer.client(&["h2"])), HttpVersions::Http2);
        let connection = open(&context, &endpoint).await.expect("open");
        assert_eq!(connection.room(), 100);
        for _ in 0..3 {
            let mut calls: Vec<_> = (0..100).map(|n| call(&connection, &endpoint, "/echo", vec![owned(n)])).collect();
            assert_eq!(connection.room(), 0);
            assert!(connection.lease().is_none());
            let mut answers: Vec<Option<String>> = vec![None; 100];
            poll_fn(|cx| {
                for (call, answer) in calls.iter_mut().zip(&mut answers) {
                    if answer.is_none()
                        && (call.sent_anything_back() || call.poll_status(cx).is_ready())
                        && call.poll_data(cx).is_ready()
                    {
                        *answer = Some(String::from_utf8_lossy(call.data()).into_owned());
                    }
                }
                if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            let expected: Vec<_> = (0..100).map(|n| Some(n.to_string())).collect();
            assert_eq!(answers, expected);
            drop(calls);
            assert_eq!(connection.room(), 100);
        }
        assert_eq!(count(&context, Counter::UpstreamConnects), 1);
    });
}

#[test]
fn large_upload_through_small_windows_arrives_and_is_not_buffered() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |settings| {
            settings.initial_window_size(10_000).initial_connection_window_size(70_000);
        });
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        let shared = Rc::new(vec![b'b'; 5_000_000]);
        let pieces = vec![owned(100_000), Piece::Shared(shared.clone(), 0..5_000_000), owned(5)];
        let mut call = call(&connection, &endpoint, "/echo", pieces);
        assert!(poll_fn(|cx| Poll::Ready(call.poll_status(cx))).await.is_pending());
        // A first poll may hand over one buffer's worth, not the body.
        assert!(call.body.queued_bytes >= 5_100_005 - limits::H2_SEND_BUFFER_BYTES);
        assert_eq!(whole(&mut call).await, Ok((200, b"5100005".to_vec())));
        drop(call);
        assert_eq!(Rc::strong_count(&shared), 1);
    });
}

#[test]
fn streamed_upload_waits_for_room_and_ends_when_told() {
    for length in [None, Some(40 * 50_000u64)] {
        on_both(async |context| {
            let peer = Http2Peer::start(None, |_| {});
            let endpoint = plain(peer.address);
            let connection = open(&context, &endpoint).await.expect("open");
            let deployment = deployment();
            let mut request = request(&deployment, &endpoint, "/echo", vec![owned(50_000)]);
            request.body.length = length;
            let mut call = connection.lease().expect("room").call(request);
            for _ in 1..40 {
                poll_fn(|cx| call.poll_send_room(cx)).await.expect("room");
                assert!(call.body.queued_bytes < limits::H2_SEND_BUFFER_BYTES);
                call.send_more(vec![b'c'; 50_000]);
            }
            if length.is_none() {
                call.end_body();
            }
            assert_eq!(whole(&mut call).await, Ok((200, b"2000000".to_vec())));
        });
    }
}

#[test]
fn empty_body_without_a_length_ends_the_request() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        let deployment = deployment();
        let mut request = request(&deployment, &endpoint, "/echo", vec![]);
        request.body = RequestBody { content: Content::Pieces(vec![]), length: None };
        let mut call = connection.lease().expect("room").call(request);
        call.end_body();
        assert_eq!(whole(&mut call).await, Ok((200, b"0".to_vec())));
        assert_eq!(
            whole(&mut super::tests::call(&connection, &endpoint, "/echo", vec![])).await,
            Ok((200, b"0".to_vec()))
        );
    });
}

#[test]
fn large_download_is_paced_by_who_reads_it() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &["h2"], None);
        let peer = Http2Peer::start(Some(server), |_| {});
        let endpoint = endpoint(peer.address, Some(issuer.client(&["h2"])), HttpVersions::Http2);
        let connection = open(&context, &endpoint).await.expect("open");
        let mut slow = call(&connection, &endpoint, "/big/20000000", vec![]);
        assert_eq!(head(&mut slow).await, Ok(200));
        // Nobody reads it: it stops at its window, and the connection serves others meanwhile.
        let received = connection.pulse.received_bytes.clone();
        until("the window is full", || received.get() > u64::from(limits::H2_STREAM_WINDOW_BYTES)).await;
        for _ in 0..20 {
            let mut quick = call(&connection, &endpoint, "/big/100000", vec![]);
            assert_eq!(whole(&mut quick).await.map(|(_, body)| body.len()), Ok(100_000));
        }
        assert!(received.get() < 2 * u64::from(limits::H2_STREAM_WINDOW_BYTES) + 20 * 110_000);
        assert_eq!(body(&mut slow).await.map(|body| body.len()), Ok(20_000_000));
    });
}

#[test]
fn early_answer_is_taken_while_the_body_is_still_waiting() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |settings| {
            settings.initial_window_size(1_000);
        });
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        let mut call = call(&connection, &endpoint, "/early", vec![owned(1_000_000)]);
        assert_eq!(whole(&mut call).await, Ok((413, b"too large".to_vec())));
        drop(call);
        assert_eq!(connection.state(), State::Open);
    });
}

#[test]
fn what_a_broken_answer_means_depends_on_whether_it_had_begun() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        let cases = [
            ("/refuse", Err(Upstream::ResetBeforeAnswer)),
            ("/short", Err(Upstream::Truncated)),
            ("/interim/8", Ok((200, vec![]))),
            ("/interim/9", Err(Upstream::BadResponse)),
            ("/interim/100", Err(Upstream::BadResponse)),
        ];
        for (path, expected) in cases {
            let mut call = call(&connection, &endpoint, path, vec![]);
            assert_eq!(whole(&mut call).await, expected, "{path}");
            drop(call);
            // One stream's trouble is not the connection's.
            assert_eq!((connection.state(), connection.active()), (State::Open, 0), "{path}");
        }
    });
}

#[test]
fn stream_reset_after_its_head_is_a_truncated_answer() {
    on_both(async |context| {
        let (address, peer) = peer_thread(|listener| {
            let mut peer = RawPeer::accept(&listener, &[]);
            for _ in 0..2 {
                let stream = peer.wait_for(HEADERS).expect("head").stream;
                peer.send(HEADERS, END_HEADERS, stream, STATUS_200);
                peer.send(DATA, 0, stream, b"half");
                peer.send(RST_STREAM, 0, stream, &2u32.to_be_bytes());
            }
            while peer.next().is_some() {}
        });
        let endpoint = plain(address);
        let connection = open(&context, &endpoint).await.expect("open");
        for _ in 0..2 {
            let mut call = call(&connection, &endpoint, "/", vec![]);
            assert_eq!(head(&mut call).await, Ok(200));
            assert_eq!(poll_fn(|cx| call.poll_data(cx)).await, Ok(true));
            assert_eq!(body(&mut call).await, Err(Upstream::Truncated));
        }
        assert_eq!(connection.state(), State::Open);
        connection.retire();
        peer.end().await;
    });
}

#[test]
fn dropped_call_reaches_the_peer_as_a_cancelled_stream() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |settings| {
            settings.initial_window_size(1_000);
        });
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        // Before the head, with most of the body unsent; in the middle of the answer; and all sent but unread.
        let mut call_before = call(&connection, &endpoint, "/silent", vec![owned(1_000_000)]);
        assert!(poll_fn(|cx| Poll::Ready(call_before.poll_status(cx))).await.is_pending());
        let mut call_within = call(&connection, &endpoint, "/hold/3000", vec![]);
        assert_eq!(head(&mut call_within).await, Ok(200));
        assert_eq!(poll_fn(|cx| call_within.poll_data(cx)).await, Ok(true));
        until("both heads have arrived", || {
            peer.try_event().is_some_and(|event| matches!(event, Event::Head(path, _) if path.starts_with("/hold")))
        })
        .await;
        drop(call_before);
        peer.see(Event::Reset(Reason::CANCEL)).await;
        drop(call_within);
        peer.see(Event::Reset(Reason::CANCEL)).await;
        let mut after = call(&connection, &endpoint, "/echo", vec![owned(10)]);
        assert_eq!(whole(&mut after).await, Ok((200, b"10".to_vec())));
    });
}

#[test]
fn cancelled_answers_do_not_use_up_the_connections_window() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        // More than the connection's window in all, none of it read.
        for _ in 0..20 {
            let mut call = call(&connection, &endpoint, "/hold/1000000", vec![]);
            assert_eq!(head(&mut call).await, Ok(200));
            assert_eq!(poll_fn(|cx| call.poll_data(cx)).await, Ok(true));
            drop(call);
            peer.see(Event::Reset(Reason::CANCEL)).await;
        }
        let mut call = call(&connection, &endpoint, "/big/3000000", vec![]);
        assert_eq!(whole(&mut call).await.map(|(_, body)| body.len()), Ok(3_000_000));
    });
}

#[test]
fn graceful_goaway_lets_calls_finish_and_takes_no_more() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let endpoint = plain(peer.address);
        let connection = open(&context, &endpoint).await.expect("open");
        let deployment = deployment();
        let mut request = request(&deployment, &endpoint, "/echo", vec![owned(50_000)]);
        request.body.length = None;
        let mut running = connection.lease().expect("room").call(request);
        poll_fn(|cx| running.poll_send_room(cx)).await.expect("room");
        until("the request has begun", || matches!(peer.try_event(), Some(Event::Head(..)))).await;
        peer.command(Command::Leave);
        until("GOAWAY is noticed", || connection.state() == State::Retiring).await;
        assert!(connection.lease().is_none());
        assert_eq!(count(&context, Counter::UpstreamGoaways), 1);
        running.send_more(vec![b'a'; 50_000]);
        running.end_body();
        assert_eq!(whole(&mut running).await, Ok((200, b"100000".to_vec())));
        drop(running);
        peer.see(Event::Closed).await;
        until("the driver ends", || connection.state() == State::Dead).await;
        assert_eq!(count(&context, Counter::UpstreamGoaways), 1);
    });
}

#[test]
fn connection_that_breaks_fails_its_calls_by_what_they_had() {
    for command in [Command::Break, Command::Vanish] {
        on_both(async |context| {
            let peer = Http2Peer::start(None, |_| {});
            let endpoint = plain(peer.address);
            let connection = open(&context, &endpoint).await.expect("open");
            let mut waiting = call(&connection, &endpoint, "/silent", vec![]);
            assert!(poll_fn(|cx| Poll::Ready(waiting.poll_status(cx))).await.is_pending());
            let mut within = call(&connection, &endpoint, "/hold/10", vec![]);
            assert_eq!(head(&mut within).await, Ok(200));
            assert_eq!(poll_fn(|cx| within.poll_data(cx)).await, Ok(true));
            within.consume(10);
            peer.command(command);
            assert_eq!(head(&mut waiting).await, Err(Upstream::ResetBeforeAnswer), "{command:?}");
            assert_eq!(body(&mut within).await, Err(Upstream::Truncated), "{command:?}");
            until("the driver ends", || connection.state() == State::Dead).await;
            assert!(connection.lease().is_none());
        });
    }
}

#[test]
fn streams_above_the_goaways_last_are_safe_to_retry_and_the_others_go_on() {
    on_both(async |context| {
        let (address, peer) = peer_thread(|listener| {
            let mut peer = RawPeer::accept(&listener, &[]);
            let first = peer.wait_for(HEADERS).expect("first").stream;
            let second = peer.wait_for(HEADERS).expect("second").stream;
            assert!(second > first);
            peer.goaway(first, 0);
            peer.answer(first);
            while peer.next().is_some() {}
        });
        let endpoint = plain(address);
        let connection = open(&context, &endpoint).await.expect("open");
        let mut below = call(&connection, &endpoint, "/", vec![]);
        let mut above = call(&connection, &endpoint, "/", vec![]);
        assert!(poll_fn(|cx| Poll::Ready(below.poll_status(cx))).await.is_pending());
        assert_eq!(head(&mut above).await, Err(Upstream::ResetBeforeAnswer));
        assert_eq!(whole(&mut below).await, Ok((200, b"ok".to_vec())));
        drop((below, above));
        until("the driver ends", || connection.state() == State::Dead).await;
        peer.end().await;
    });
}

#[test]
fn stream_limit_that_falls_to_one_is_obeyed() {
    on_both(async |context| {
        let (go, told) = mpsc::channel();
        let (address, peer) = peer_thread(move |listener| {
            let mut peer = RawPeer::accept(&listener, &[(MAX_CONCURRENT_STREAMS, 10)]);
            let first = peer.wait_for(HEADERS).expect("first").stream;
            peer.settings(&[(MAX_CONCURRENT_STREAMS, 1)]);
            // The settings are acknowledged with the PING that follows them.
            told.recv().expect("told");
            peer.answer(first);
            let second = peer.wait_for(HEADERS).expect("second").stream;
            peer.answer(second);
            while peer.next().is_some() {}
        });
        let endpoint = plain(address);
        let connection = open(&context, &endpoint).await.expect("open");
        assert_eq!(connection.room(), 10);
        let mut first = call(&connection, &endpoint, "/", vec![]);
        assert!(poll_fn(|cx| Poll::Ready(first.poll_status(cx))).await.is_pending());
        until("the limit falls", || connection.streams_max() == 1).await;
        assert_eq!(connection.room(), 0);
        assert!(connection.lease().is_none());
        go.send(()).expect("peer");
        assert_eq!(whole(&mut first).await, Ok((200, b"ok".to_vec())));
        drop(first);
        assert_eq!(connection.room(), 1);
        assert_eq!(whole(&mut call(&connection, &endpoint, "/", vec![])).await, Ok((200, b"ok".to_vec())));
        connection.retire();
        peer.end().await;
    });
}

#[test]
fn body_waits_at_a_window_of_zero_and_can_be_cancelled_there() {
    on_both(async |context| {
        let (address, peer) = peer_thread(|listener| {
            let mut peer = RawPeer::accept(&listener, &[(INITIAL_WINDOW_SIZE, 0)]);
            let stream = peer.wait_for(HEADERS).expect("head").stream;
            // No DATA may come before the cancellation.
            let frame = peer.next().expect("a frame");
            assert_eq!((frame.kind, frame.stream), (RST_STREAM, stream));
            assert_eq!(frame.payload, 8u32.to_be_bytes(), "CANCEL");
            while peer.next().is_some() {}
        });
        let endpoint = plain(address);
        let connection = open(&context, &endpoint).await.expect("open");
        // One body that h2 is given whole, and one that waits in its own buffer, are the same to the peer.
        for size in [1_000_000] {
            let mut call = call(&connection, &endpoint, "/", vec![owned(size)]);
            let received = connection.pulse.received_bytes.clone();
            let before = received.get();
            let deadline = context.deadlines.slot();
            deadline.set_in_ms(20);
            let waited = poll_fn(|cx| match call.poll_status(cx) {
                Poll::Pending => deadline.poll_due(cx).map(|()| None),
                Poll::Ready(head) => Poll::Ready(Some(head)),
            })
            .await;
            assert_eq!(waited, None);
            assert_eq!(call.body.queued_bytes, size);
            assert_eq!(received.get(), before);
        }
        connection.retire();
        peer.end().await;
    });
}

#[test]
fn small_body_that_h2_holds_at_a_window_of_zero_is_cancelled_at_once() {
    on_both(async |context| {
        let (saw_head, heard) = mpsc::channel();
        let (address, peer) = peer_thread(move |listener| {
            let mut peer = RawPeer::accept(&listener, &[(INITIAL_WINDOW_SIZE, 0)]);
            peer.wait_for(HEADERS).expect("head");
            saw_head.send(()).expect("test");
            assert_eq!(peer.next().map(|frame| frame.kind), Some(RST_STREAM));
            while peer.next().is_some() {}
        });
        let endpoint = plain(address);
        let connection = open(&context, &endpoint).await.expect("open");
        let mut call = call(&connection, &endpoint, "/", vec![owned(100)]);
        assert!(poll_fn(|cx| Poll::Ready(call.poll_status(cx))).await.is_pending());
        assert!(call.body.is_sent);
        until("the head arrives", || heard.try_recv().is_ok()).await;
        drop(call);
        connection.retire();
        peer.end().await;
    });
}

#[test]
fn half_dead_connection_is_dropped_after_an_unanswered_ping() {
    on_both_untimed(async |context| {
        let (go, told) = mpsc::channel::<()>();
        let (address, peer) = peer_thread(move |listener| {
            let mut peer = RawPeer::accept(&listener, &[]);
            let stream = peer.wait_for(HEADERS).expect("head").stream;
            peer.lively = false;
            peer.send(HEADERS, END_HEADERS, stream, STATUS_200);
            // Nothing more is said, and the socket stays open.
            let _ = told.recv();
        });
        let mut endpoint = plain(address);
        endpoint.pool.ping_interval_ms = 15_000;
        endpoint.pool.ping_timeout_ms = 5_000;
        let connection = open(&context, &endpoint).await.expect("open");
        let mut call = call(&connection, &endpoint, "/", vec![]);
        assert_eq!(head(&mut call).await, Ok(200));
        let start_ms = connection.born_ms;
        let look = |after_ms: u64| {
            context.deadlines.tick(start_ms + after_ms);
            connection.look_after(start_ms + after_ms, &endpoint.pool);
        };
        look(10);
        look(14_999);
        assert!(!connection.pulse.ping_wanted.get());
        look(15_000);
        until("the PING is sent", || connection.pulse.ping_sent.get().is_some()).await;
        look(19_999);
        rt::sleep_ms(1).await;
        assert_eq!((connection.state(), count(&context, Counter::UpstreamPingTimeouts)), (State::Open, 0));
        look(20_000);
        assert_eq!(body(&mut call).await, Err(Upstream::Truncated));
        assert_eq!((connection.state(), count(&context, Counter::UpstreamPingTimeouts)), (State::Dead, 1));
        drop(go);
        peer.end().await;
    });
}

#[test]
fn peer_that_answers_pings_lives_and_its_round_trips_are_recorded() {
    on_both_untimed(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let mut endpoint = plain(peer.address);
        endpoint.pool.ping_interval_ms = 15_000;
        endpoint.pool.ping_timeout_ms = 5_000;
        let connection = open(&context, &endpoint).await.expect("open");
        let trips = || context.state.cells.histogram(Series::UpstreamRttUs).counts().map(|(_, n)| n).sum::<u64>();
        for round in 1..=5 {
            assert_eq!(trips(), round);
            connection.look_after(connection.born_ms + round * 15_000, &endpoint.pool);
            until("the answer", || trips() == round + 1).await;
        }
        connection.look_after(connection.born_ms + 89_999, &endpoint.pool);
        assert_eq!(connection.state(), State::Open);
    });
}

#[test]
fn peer_that_accepts_and_does_not_speak_http2_is_no_connection() {
    on_both_untimed(async |context| {
        let (address, peer) = peer_thread(|listener| {
            let silent = listener.accept().expect("accept");
            let (mut http1, _) = listener.accept().expect("accept");
            let answer = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
            std::io::Write::write_all(&mut http1, answer).expect("write");
            let (closing, _) = listener.accept().expect("accept");
            drop(closing);
            (silent, http1)
        });
        let endpoint = plain(address);
        let begun_ms = context.deadlines.now_ms();
        let silent = in_fast_time(&context, 500, open(&context, &endpoint)).await;
        assert_eq!(silent.err(), Some(Upstream::ConnectTimeout));
        assert!(context.deadlines.now_ms() - begun_ms >= 5_000);
        assert_eq!(open(&context, &endpoint).await.err(), Some(Upstream::Connect));
        assert_eq!(open(&context, &endpoint).await.err(), Some(Upstream::Connect));
        peer.end().await;
    });
}
