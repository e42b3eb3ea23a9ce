use super::super::fixtures::{Server, asker};
use super::*;

fn get<'q>(url: &'q str, headers: &'q [(&'static str, &'q str)]) -> Question<'q> {
    Question { method: Method::GET, url, headers, body: Body::None }
}

#[tokio::test]
async fn asks_and_is_told() {
    let server = Server::start(&[("GET /a?b=c", 200, "yes"), ("POST /form", 200, "")]).await;
    let url = format!("{}/a?b=c", server.url());
    assert_eq!(asker().ask(get(&url, &[("x-a", "1")])).await.as_deref(), Ok(&b"yes"[..]));

    let mut form = String::new();
    append_member(&mut form, "grant_type", "a:b c");
    append_member(&mut form, "x", "ä");
    let url = format!("http://user:password@{}/form", server.address);
    let question = Question { method: Method::POST, url: &url, headers: &[], body: Body::Form(form) };
    assert_eq!(asker().ask(question).await.as_deref(), Ok(&b""[..]));

    let asked = server.asked();
    let host = format!("host: {}\r\n", server.address);
    assert!(asked.iter().all(|request| request.contains(&host) && request.contains("user-agent: ringway/")));
    assert!(asked[0].contains("\r\nx-a: 1\r\n") && !asked[0].contains("content-type"));
    assert!(asked[1].contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
    assert!(asked[1].ends_with("\r\n\r\ngrant_type=a%3Ab%20c&x=%C3%A4"));
    assert!(!asked[1].contains("password"));
}

#[tokio::test]
async fn a_failure_is_told_in_few_words() {
    let long = format!("{{\"error\":\"invalid_grant\",\"error_description\":\"{}\"}}", "x".repeat(1000));
    let xml = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not you</Message></Error></ErrorResponse>";
    let answers = [("GET /long", 400, long.as_str()), ("GET /xml", 403, xml), ("GET /html", 302, "<html>")];
    let server = Server::start(&answers).await;
    let ask = async |path: &str| asker().ask(get(&format!("{}{path}", server.url()), &[])).await.expect_err("refused");
    assert!(ask("/long").await.starts_with("status 400: invalid_grant: xxx"));
    assert!(ask("/long").await.len() < 250);
    assert_eq!(ask("/xml").await, "status 403: AccessDenied: Not you");
    assert_eq!(ask("/html").await, "status 302");
}

#[tokio::test]
async fn answers_are_bounded() {
    let long = "x".repeat(CREDENTIAL_ANSWER_BYTES_MAX + 1);
    let server = Server::start(&[("GET /", 200, &long), ("GET /most", 200, &long[1..])]).await;
    let refused = asker().ask(get(&format!("{}/", server.url()), &[])).await.expect_err("too long");
    assert!(refused.contains("too long"), "{refused}");
    assert!(asker().ask(get(&format!("{}/most", server.url()), &[])).await.is_ok());
}

#[tokio::test]
async fn says_what_is_wrong_with_an_address() {
    let ask = async |url: &str| asker().ask(get(url, &[])).await.expect_err("refused");
    assert_eq!(ask("http://nowhere.example/").await, "nowhere.example cannot be reached: no such name");
    assert_eq!(ask("https://nowhere.example:8443/").await, "nowhere.example cannot be reached: no such name");
    assert_eq!(ask("ftp://nowhere.example/").await, "the address of nowhere.example is neither https:// nor http://");
    assert_eq!(ask("not a url").await, "the server's address is not a URL");
    assert_eq!(ask("/path").await, "the server's address names no host");
    // A port that nobody listens on any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    assert!(ask(&format!("http://{gone}/")).await.starts_with("127.0.0.1 cannot be reached: "));
}

/// Certificates are checked: a server that shows one of its own making is not believed.
#[tokio::test]
async fn tls_peers_are_checked() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let chain = vec![key.cert.der().clone()];
    let der = rustls_pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, der)
        .expect("a certificate and its key");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        acceptor.accept(stream).await.map(|_| ())
    });
    struct Here;
    impl Lookup for Here {
        async fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        }
    }
    let refused = Asker::new(Here).ask(get(&format!("https://localhost:{port}/"), &[])).await.expect_err("not trusted");
    assert!(refused.starts_with("localhost: TLS: "), "{refused}");
    assert!(served.await.expect("no panic").is_err());
}

#[test]
fn elements() {
    assert_eq!(between("<a><b>1</b><b>2</b></a>", "b"), Some("1"));
    assert_eq!(between("<a><b>1", "b"), None);
    assert_eq!(between("", "b"), None);
}
