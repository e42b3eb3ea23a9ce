//! A server that gives out credentials, and surroundings that lead to it, for the tests of those who fetch them.

use super::ask::Asker;
use crate::{config::interpolate::Lookup as Surroundings, control_plane::resolver::Lookup};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers by path, the same each time, and notes what it was asked: head and body as they came.
pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answers`: method and target, status, body.
    pub async fn start(answers: &[(&'static str, u16, &str)]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: HashMap<_, _> =
            answers.iter().map(|(target, status, body)| (*target, (*status, (*body).to_owned()))).collect();
        let noted = Arc::clone(&asked);
        // It ends with the test's runtime.
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = read(&mut stream).await;
                let line = request.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
                noted.lock().expect("not poisoned").push(request);
                let (status, body) = answers.get(line.as_str()).cloned().unwrap_or((404, "no such thing".to_owned()));
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                // A client that has seen enough may be gone.
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        Server { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

/// A request with a body of its announced length.
async fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or("0", str::trim);
            if body.len() >= length.parse().expect("a number") {
                return text;
            }
        }
        let count = stream.read(&mut bytes).await.expect("readable");
        if count == 0 {
            return text;
        }
        text.push_str(str::from_utf8(&bytes[..count]).expect("text"));
    }
}

/// Environment and files that a test sets up.
#[derive(Default)]
pub struct Table {
    env: HashMap<String, String>,
    files: HashMap<String, String>,
}

impl Table {
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Table {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    pub fn file(mut self, path: &str, text: impl Into<String>) -> Table {
        self.files.insert(path.to_owned(), text.into());
        self
    }
}

impl Surroundings for Table {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        self.files.get(path.to_str().expect("UTF-8")).cloned().ok_or("no such file".to_owned())
    }
}

/// Knows no name.
pub struct NoNames;

impl Lookup for NoNames {
    async fn lookup(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
    }
}

pub fn asker() -> Asker<NoNames> {
    Asker::new(NoNames)
}

/// A service account's key file whose tokens come from `token_uri`. The key was made for tests and opens nothing.
pub fn service_account(token_uri: &str) -> String {
    let der = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/service-account.der")).expect("the key");
    let url_safe = crate::policy::keys::base64url(&der).replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - url_safe.len() % 4) % 4);
    let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
    serde_json::json!({
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key_id": "key-1",
        "private_key": format!("{begin}\n{url_safe}{padding}\n{end}\n"),
        "token_uri": token_uri,
        "project_id": "project",
    })
    .to_string()
}
