use super::*;
use crate::{
    config::snapshot::{Deployment, HttpVersions, Secret},
    data_plane::{
        peers,
        upstream::{Method as Asks, Piece},
    },
};

fn heads() -> Heads {
    Heads::new(Scheme::HTTPS, Authority::from_static("peer.test"))
}

/// The head of a request, as lines in alphabetical order.
fn lines(heads: &mut Heads, deployment: &Deployment, change: impl FnOnce(&mut UpstreamRequest<'_>)) -> Vec<String> {
    let address = ([127, 0, 0, 1], 1).into();
    let endpoint = peers::endpoint(address, None, HttpVersions::Http2);
    let mut request = peers::request(deployment, &endpoint, "/chat", vec![Piece::Owned(vec![0; 11])]);
    request.forward = b"";
    change(&mut request);
    let head = heads.head(&request).expect("a head");
    let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().expect("text"));
    let mut lines: Vec<_> = head.headers().iter().map(line).collect();
    lines.sort();
    lines.insert(0, format!("{} {}", head.method(), head.uri()));
    lines
}

const ALL: [&str; 7] = [
    "POST https://peer.test/chat",
    "accept-encoding: identity",
    "accept: */*",
    "authorization: Bearer abc",
    "content-length: 11",
    "content-type: application/json",
    concat!("user-agent: ringway/", env!("CARGO_PKG_VERSION")),
];

#[test]
fn only_what_changes_differs_from_request_to_request() {
    let (heads, deployment) = (&mut heads(), peers::deployment());
    for round in 0..3 {
        assert_eq!(lines(heads, &deployment, |_| {}), ALL, "{round}");
        let without: Vec<_> = ALL.into_iter().filter(|line| !line.starts_with("content-length")).collect();
        assert_eq!(lines(heads, &deployment, |request| request.body.length = None), without, "{round}");
        let forward = b"X-Request-Id: 7\r\nconnection: close\r\nx-a: 1\r\nx-a: 2\r\nno line\r\nx y: 3\r\n";
        let mut with = ALL.to_vec();
        with.extend(["x-a: 1", "x-a: 2", "x-request-id: 7"]);
        assert_eq!(lines(heads, &deployment, |request| request.forward = forward), with, "{round}");
        assert_eq!(heads.templates.len(), 1);
    }
}

#[test]
fn each_thing_that_a_template_holds_tells_requests_apart() {
    let (heads, deployment) = (&mut heads(), peers::deployment());
    let other = |from: &str, to: &str| ALL.map(|line| line.replace(from, to)).to_vec();
    for _ in 0..2 {
        assert_eq!(lines(heads, &deployment, |_| {}), ALL);
        assert_eq!(lines(heads, &deployment, |request| request.path = "/other"), other("/chat", "/other"));
        assert_eq!(lines(heads, &deployment, |request| request.base_path = "/v2"), other("/chat", "/v2/chat"));
        assert_eq!(lines(heads, &deployment, |request| request.accept = "text/*"), other("*/*", "text/*"));
        let plain = lines(heads, &deployment, |request| request.content_type = b"text/plain");
        assert_eq!(plain, other("application/json", "text/plain"));
        let mut renewed = peers::deployment();
        renewed.headers[0].1 = Secret::new(*b"Bearer new");
        assert_eq!(lines(heads, &renewed, |_| {}), other("Bearer abc", "Bearer new"));
    }
    assert_eq!(heads.templates.len(), 6);
    const PATHS: [&str; 10] = ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j"];
    for path in PATHS {
        assert_eq!(lines(heads, &deployment, |request| request.path = path), other("/chat", path));
    }
    assert_eq!(heads.templates.len(), TEMPLATES_MAX);
}

#[test]
fn a_request_without_a_body_says_nothing_of_one_and_is_not_remembered() {
    let (heads, deployment) = (&mut heads(), peers::deployment());
    let has_none = |line: &&str| !line.starts_with("content-");
    for (method, path) in [(Asks::Get, "/1"), (Asks::Delete, "/1"), (Asks::Post, "/1/cancel")] {
        let found = lines(heads, &deployment, |request| {
            (request.method, request.path, request.content_type) = (method, path, b"");
            request.body.length = Some(0);
        });
        let line = format!("{} https://peer.test{path}", method.as_str());
        let mut expected: Vec<_> = ALL[1..].iter().copied().filter(has_none).collect();
        if method == Asks::Post {
            expected.insert(3, "content-length: 0");
        }
        expected.insert(0, &line);
        assert_eq!(found, expected);
    }
    assert_eq!(heads.templates.len(), 0);
}

#[test]
fn deployments_fields_stand_in_place_of_all_others() {
    let (heads, mut deployment) = (&mut heads(), peers::deployment());
    deployment.headers.push(("user-agent".into(), Secret::new(*b"theirs")));
    deployment.headers.push(("x-key".into(), Secret::new(*b"one")));
    let forward = b"X-Key: client\r\nauthorization: Bearer client\r\nUser-Agent: client\r\nx-other: 1\r\n";
    let found = lines(heads, &deployment, |request| request.forward = forward);
    let mut expected: Vec<_> = ALL[..6].to_vec();
    expected.extend(["user-agent: theirs", "x-key: one", "x-other: 1"]);
    assert_eq!(found, expected);
}

#[test]
fn what_http_cannot_carry_is_no_head() {
    let mut deployment = peers::deployment();
    deployment.headers.push(("x-key".into(), Secret::new(*b"two\nlines")));
    let endpoint = peers::endpoint(([127, 0, 0, 1], 1).into(), None, HttpVersions::Http2);
    assert!(heads().head(&peers::request(&deployment, &endpoint, "/", vec![])).is_none());
    let deployment = peers::deployment();
    assert!(heads().head(&peers::request(&deployment, &endpoint, "/a b", vec![])).is_none());
}
