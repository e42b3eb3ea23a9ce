use super::*;
use crate::load::options::RequestOptions;

fn options(dialect: Dialect, keys: Keys, stream: bool) -> LoadOptions {
    let target = Target::parse("http://localhost:8080/v1/").expect("a URL");
    LoadOptions {
        request: RequestOptions { dialect, keys, stream, ..RequestOptions::default() },
        ..LoadOptions::new(target)
    }
}

/// The head of the first variant, over HTTP/1.1.
fn head(dialect: Dialect, keys: Keys, stream: bool) -> String {
    let prepared = Prepared::all(&options(dialect, keys, stream)).expect("they can be made");
    let text = String::from_utf8(prepared[0].whole.to_vec()).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("content-length: {}", body.len())));
    assert_eq!(prepared[0].body, body.as_bytes());
    head.to_owned()
}

#[test]
fn each_dialect_has_its_path_and_its_credential() {
    let key = || Keys::One("sk-1".to_owned());
    let openai = head(Dialect::OpenAiChat, key(), true);
    assert!(openai.starts_with("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost:8080\r\n"));
    assert!(openai.contains("\r\nauthorization: Bearer sk-1\r\n"));
    let anthropic = head(Dialect::Anthropic, key(), true);
    assert!(anthropic.starts_with("POST /v1/messages HTTP/1.1\r\n"));
    assert!(
        anthropic.contains("\r\nx-api-key: sk-1\r\n") && anthropic.contains("\r\nanthropic-version: 2023-06-01\r\n")
    );
    let gemini = head(Dialect::Gemini, key(), true);
    assert!(gemini.starts_with("POST /v1/models/sim-small:streamGenerateContent?alt=sse HTTP/1.1\r\n"));
    assert!(gemini.contains("\r\nx-goog-api-key: sk-1\r\n"));
    assert!(head(Dialect::Gemini, key(), false).starts_with("POST /v1/models/sim-small:generateContent HTTP/1.1\r\n"));
    assert!(head(Dialect::OpenAiEmbeddings, key(), false).starts_with("POST /v1/embeddings HTTP/1.1\r\n"));
    assert!(!head(Dialect::OpenAiChat, Keys::None, false).contains("authorization"));
}

#[test]
fn variants_are_sent_in_turn() {
    let options = options(Dialect::OpenAiChat, Keys::None, false);
    let prepared = Arc::new(Prepared::all(&options).expect("they can be made"));
    let mut requests = Requests::new(&options, Arc::clone(&prepared), 3);
    let mut outgoing = Outgoing::default();
    for round in 0..16 {
        requests.next(&mut outgoing);
        assert_eq!(requests.bytes(&outgoing), &prepared[(3 + round) % 8].whole[..]);
    }
    assert_eq!(requests.next_h2().1, prepared[3].body);
}

#[test]
fn random_keys_are_another_each_time_and_the_same_by_seed() {
    let options = options(Dialect::OpenAiChat, Keys::Random, false);
    let prepared = Arc::new(Prepared::all(&options).expect("they can be made"));
    let draw = |thread| {
        let mut requests = Requests::new(&options, Arc::clone(&prepared), thread);
        let mut outgoing = Outgoing::default();
        let mut keys = Vec::new();
        for _ in 0..100 {
            requests.next(&mut outgoing);
            let text = String::from_utf8_lossy(requests.bytes(&outgoing)).into_owned();
            let at = text.find("Bearer sk-load-").expect("a key");
            keys.push(text[at + 7..at + 47].to_owned());
        }
        let (head, _) = requests.next_h2();
        keys.push(head.headers()["authorization"].to_str().expect("text")[7..].to_owned());
        keys
    };
    let mut all = [draw(0), draw(1)].concat();
    assert!(all.iter().all(|key| key.len() == 40));
    assert_eq!(draw(0), all[..101]);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 202);
}

#[test]
fn targets_are_urls() {
    let target = Target::parse("https://[::1]/v1/").expect("a URL");
    assert_eq!((target.tls, target.host.as_str(), target.port, target.base.as_str()), (true, "::1", 443, "/v1"));
    assert_eq!(target.authority(), "[::1]:443");
    assert_eq!(Target::parse("http://h").expect("a URL").port, 80);
    for bad in ["ftp://localhost/v1", "http://:80", "http://h:x/", "http://h/a b"] {
        assert!(Target::parse(bad).is_err(), "{bad}");
    }
}
