use super::*;
use proptest::prelude::*;

fn url(text: &str) -> String {
    match base_url(text) {
        Ok(base) => format!("{} {} {} {}", if base.tls { "tls" } else { "plain" }, base.host, base.port, base.path),
        Err(bad) => bad.message.to_owned(),
    }
}

#[test]
fn base_urls() {
    let check = |text, expected: &str| assert_eq!(url(text), expected, "{text}");
    check("https://api.openai.com/v1", "tls api.openai.com 443 /v1");
    check("https://API.OpenAI.com/v1/", "tls api.openai.com 443 /v1");
    check("HTTPS://api.perplexity.ai", "tls api.perplexity.ai 443 ");
    check("http://127.0.0.1:8000/v1", "plain 127.0.0.1 8000 /v1");
    check("http://[::1]:8000/v1", "plain ::1 8000 /v1");
    check("http://[::1]/", "plain ::1 80 ");
    check("http://vllm/v1", "plain vllm 80 /v1");

    check("api.openai.com", "not a URL");
    check("ftp://api.openai.com", "the scheme must be http or https");
    check("file:///etc/passwd", "the scheme must be http or https");
    check("https://", "the host is missing");
    check("https:///v1", "the host is missing");
    check("https://:443/v1", "the host is missing");
    check("https://user:secret@host/v1", "a user name or password must not be in it");
    check("https://a\\@b/v1", "a character that must not be in a URL");
    check("https://host/v1?key=1", "a query or fragment must not be in it");
    check("https://host#x", "a query or fragment must not be in it");
    check("https://host/a/../b", "the path must not contain '//', '.' or '..'");
    check("https://host//v1", "the path must not contain '//', '.' or '..'");
    check("https://host:0/", "the port is not a number from 1 to 65535");
    check("https://host:65536/", "the port is not a number from 1 to 65535");
    check("https://host:+80/", "the port is not a number from 1 to 65535");
    check("https://host:/", "the port is not a number from 1 to 65535");
    check("https://a b/", "a character that must not be in a URL");
    check("https://host/\r\nx: y", "a character that must not be in a URL");
    check("https://bücher.example/", "a character that must not be in a URL");
    check("https://[::1", "']' is missing");
    check("https://[fe80::1%eth0]/", "not an IPv6 address");
    check("https://[::1]x/", "not a host and port");
    check("https://host./v1", "not a host name");
    check("https://-host/v1", "not a host name");
}

#[test]
fn spellings_of_loopback_that_parsers_disagree_about_are_refused() {
    for host in ["127.1", "2130706433", "0x7f.0.0.1", "0x7f000001", "127.0.0.01", "127.0.0.1.1", "0177.0.0.1"] {
        assert_eq!(url(&format!("http://{host}/v1")), "not an IPv4 address in its usual form", "{host}");
    }
}

#[test]
fn which_hosts_are_private() {
    let private = |text: &str| base_url(text).expect(text).is_private();
    for text in [
        "http://localhost",
        "http://127.0.0.5",
        "http://[::1]",
        "http://[::ffff:10.0.0.1]",
        "http://10.1.2.3",
        "http://172.31.0.1",
        "http://192.168.1.1",
        "http://[fd00::1]",
        "http://vllm",
        "http://gpu.lab.internal",
        "http://llm.default.svc.cluster.local",
    ] {
        assert!(private(text), "{text}");
    }
    for text in
        ["http://8.8.8.8", "http://172.32.0.1", "http://169.254.169.254", "http://[2001:db8::1]", "http://a.com"]
    {
        assert!(!private(text), "{text}");
    }
}

#[test]
fn host_headers() {
    let check = |text, expected: &str| assert_eq!(base_url(text).expect(text).host_header(), expected);
    check("https://api.openai.com/v1", "api.openai.com");
    check("https://api.openai.com:443/v1", "api.openai.com");
    check("https://api.openai.com:8443/v1", "api.openai.com:8443");
    check("http://api.openai.com:443/v1", "api.openai.com:443");
    check("http://[::1]:8000/v1", "[::1]:8000");
}

#[test]
fn listeners() {
    let check = |text: &str, expected: &str| {
        let found = match listen(text) {
            Ok(listener) => listener.to_string(),
            Err(bad) => format!("{}; {}", bad.message, bad.help),
        };
        assert_eq!(found, expected, "{text}");
    };
    check("127.0.0.1:8080", "127.0.0.1:8080");
    check("[::]:80", "[::]:80");
    check("localhost:0", "127.0.0.1:0");
    check("unix:/run/ringway/api.sock", "unix:/run/ringway/api.sock");
    check("unix:api.sock", "not the absolute path of a socket; for example unix:/run/ringway/api.sock");
    check("unix:@abstract", "not the absolute path of a socket; for example unix:/run/ringway/api.sock");
    check(&format!("unix:/{}", "x".repeat(107)), "the path of a unix socket is too long; at most 107 bytes");
    let missing = "the address to bind is missing; 127.0.0.1:8080 for this machine only, 0.0.0.0:8080 or [::]:8080 for \
                   all networks";
    check(":8080", missing);
    check("8080", missing);
    check("::1", "the port is missing; for example [::1]:8080");
    check("gateway.example.com:80", "not an address to listen on; write IP:PORT, [IPv6]:PORT or unix:/path");
    check("127.0.0.1:99999", "not an address to listen on; write IP:PORT, [IPv6]:PORT or unix:/path");
}

#[test]
fn local_listeners() {
    let local = |text| listen(text).expect(text).is_local();
    assert!(local("127.9.9.9:1"));
    assert!(local("[::1]:1"));
    assert!(local("[::ffff:127.0.0.1]:1"));
    assert!(local("unix:/x"));
    assert!(!local("0.0.0.0:1"));
    assert!(!local("[::]:1"));
    assert!(!local("10.0.0.1:1"));
}

proptest! {
    /// Whatever is accepted can be written into a request head and a TLS handshake.
    #[test]
    fn accepted_urls_are_clean(text in "(https?://)?[a-zA-Z0-9.:/@\\[\\]%?#\\\\ \r\n\u{80}-]{0,40}") {
        if let Ok(base) = base_url(&text) {
            prop_assert!(ServerName::try_from(&*base.host).is_ok(), "{base:?}");
            let written = format!("{}{}", base.host_header(), base.path);
            prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{base:?}");
            prop_assert!(base.path.is_empty() || (base.path.starts_with('/') && !base.path.ends_with('/')), "{base:?}");
            prop_assert!(base.port > 0 && !base.host.contains(['@', '/', '[', ']']), "{base:?}");
            let again = format!("http{}://{}:{}{}", if base.tls { "s" } else { "" }, base.bracketed_host(), base.port, base.path);
            prop_assert_eq!(base_url(&again), Ok(base));
        }
    }

    #[test]
    fn accepted_listeners_read_back(text in "(unix:)?[a-z0-9.:/\\[\\]]{0,30}") {
        if let Ok(listener) = listen(&text) {
            prop_assert_eq!(listen(&listener.to_string()), Ok(listener));
        }
    }
}
