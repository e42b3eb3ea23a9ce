use super::*;

const APP: &[u8] = b"https://app.example.com";

fn facts(origin: Option<&'static [u8]>) -> Facts<'static> {
    Facts { method: b"POST", origin, requested_method: None, requested_headers: None }
}

fn preflight(origin: &'static [u8], headers: Option<&'static [u8]>) -> Facts<'static> {
    Facts { method: b"OPTIONS", origin: Some(origin), requested_method: Some(b"POST"), requested_headers: headers }
}

/// The decision in one line.
fn told(origins: &[&str], facts: Facts<'_>) -> String {
    let origins: Vec<Box<str>> = origins.iter().map(|origin| Box::from(*origin)).collect();
    let (kind, headers) = match decide(&origins, facts) {
        Decision::Nothing => return "nothing".to_owned(),
        Decision::Actual { headers } => ("actual", headers),
        Decision::Preflight { headers } => ("preflight", headers),
    };
    let shown = headers.iter().filter(|(name, _)| *name != "access-control-expose-headers");
    let lines = shown.map(|(name, value)| format!(", {}={value}", name.trim_start_matches("access-control-")));
    lines.fold(kind.to_owned(), |text, line| text + &line)
}

#[test]
fn actual_requests() {
    let app = "https://app.example.com";
    assert_eq!(told(&[], facts(Some(APP))), "nothing");
    assert_eq!(told(&[app], facts(None)), "nothing");
    assert_eq!(told(&[app], facts(Some(b"https://evil.example.com"))), "nothing");
    assert_eq!(told(&[app], facts(Some(b"https://app.example.com.evil.com"))), "nothing");
    assert_eq!(told(&[app], facts(Some(b"http://app.example.com"))), "nothing");
    assert_eq!(told(&[app], facts(Some(b"null"))), "nothing");
    assert_eq!(told(&[app], facts(Some(APP))), format!("actual, allow-origin={app}, vary=Origin"));
    assert_eq!(told(&["*"], facts(Some(APP))), "actual, allow-origin=*");
}

#[test]
fn preflights() {
    let methods = "allow-methods=GET, POST, DELETE, OPTIONS";
    assert_eq!(
        told(&["*"], preflight(APP, Some(b"authorization, x-stainless-lang"))),
        format!("preflight, allow-origin=*, {methods}, allow-headers=authorization, x-stainless-lang, max-age=600"),
    );
    assert_eq!(told(&["https://other"], preflight(APP, Some(b"authorization"))), "nothing");
    // What is not a list of names is not echoed: it could split the answer.
    for headers in [&b"a\r\nx: y"[..], b"", b"a:b", &[b'a'; 1025]] {
        let headers: &'static [u8] = headers.to_vec().leak();
        let expected = format!("preflight, allow-origin=*, {methods}, max-age=600");
        assert_eq!(told(&["*"], preflight(APP, Some(headers))), expected);
    }
    // OPTIONS without a requested method is a request like any other.
    let plain = Facts { requested_method: None, ..preflight(APP, None) };
    assert_eq!(told(&["*"], plain), "actual, allow-origin=*");
}

#[test]
fn credentials_are_never_allowed() {
    for facts in [facts(Some(APP)), preflight(APP, None)] {
        assert!(!told(&["*"], facts).contains("credentials"));
    }
}
