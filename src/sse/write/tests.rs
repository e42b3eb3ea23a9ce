use super::*;
use crate::sse::split::Splitter;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn writes_what_the_format_asks_for() {
    assert_eq!(written(|out| data(out, b"{}")), "data: {}\n\n");
    assert_eq!(written(|out| event(out, "ping", b"{}")), "event: ping\ndata: {}\n\n");
    assert_eq!(written(|out| comment(out, "waiting")), ": waiting\n\n");
    assert_eq!(written(|out| data(out, b"")), "data: \n\n");
    assert_eq!(written(|out| data(out, b"a\nb\r\nc\rd")), "data: a\ndata: b\ndata: c\ndata: d\n\n");
    // A line break in a comment must not become an event.
    assert_eq!(written(|out| comment(out, "a\n\ndata: x")), ": a\n: \n: data: x\n\n");
}

#[test]
fn what_is_written_reads_back() {
    for said in ["", " leading space", "a\nb", "\n", "data: x", ": no comment", "a\n\n"] {
        let out = written(|out| event(out, "name", said.as_bytes()));
        let mut splitter = Splitter::new(1000);
        let mut feed = splitter.feed(out.as_bytes());
        let read = feed.next().unwrap().unwrap();
        assert_eq!((read.data, read.name), (said.as_bytes(), b"name".as_slice()));
        assert!(feed.next().unwrap().is_none());
    }
}
