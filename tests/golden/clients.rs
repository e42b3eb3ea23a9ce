//! Who asks: the dialects that clients speak to us, and how each one's shared requests arrive.

use crate::files;
use ringway::{
    data_plane::{
        admit,
        exchange::request_kind,
        outgoing::{AskedBy, Outgoing},
    },
    dialects::{
        endpoints::{self, Api, ApiEndpoint, EndpointEntry, Route},
        openai_chat::request,
    },
    json::scan::Scanner,
};
use std::{fs, rc::Rc};

/// One dialect: the folder of its requests, and where they are sent.
#[derive(Debug)]
pub struct Client {
    pub name: &'static str,
    whole: &'static str,
    /// Where those go that are called `stream_...`, and the query of their target.
    stream: (&'static str, &'static str),
    pub api: Api,
    /// What the official client says in headers that we pass on.
    lines: &'static [u8],
}

pub static CLIENTS: &[Client] = &[
    client("openai_chat", "/v1/chat/completions", Api::OpenAi),
    client("openai_responses", "/v1/responses", Api::OpenAi),
    Client {
        lines: b"anthropic-version: 2023-06-01\r\n",
        ..client("anthropic_messages", "/v1/messages", Api::Anthropic)
    },
    Client {
        stream: ("/v1beta/models/golden:streamGenerateContent", "alt=sse"),
        ..client("gemini", "/v1beta/models/golden:generateContent", Api::Gemini)
    },
];

const fn client(name: &'static str, path: &'static str, api: Api) -> Client {
    Client { name, whole: path, stream: (path, ""), api, lines: b"" }
}

impl Client {
    /// The endpoint of its streams.
    pub fn streams_by(&self) -> ApiEndpoint {
        entry(self.stream.0).0.endpoint
    }
}

/// The endpoint at a path, and the model that it names, if it does.
fn entry(path: &'static str) -> (&'static EndpointEntry, Option<&'static str>) {
    match endpoints::route("POST", path) {
        Ok(Route::Api(entry)) => (entry, None),
        Ok(Route::Named(entry, model)) => (entry, Some(model)),
        _ => panic!("{path} is no endpoint"),
    }
}

/// One shared request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub client: &'static Client,
    pub case: String,
    body: Rc<Vec<u8>>,
}

/// Every shared request.
pub fn requests() -> Vec<Asked> {
    let root = files::path("tests/golden/_requests");
    let folders: Vec<_> = files::names(&root).into_iter().filter(|name| root.join(name).is_dir()).collect();
    let mut known: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
    known.sort_unstable();
    assert_eq!(folders, known, "every folder has its client");
    let of = |client: &'static Client| {
        let folder = root.join(client.name);
        let case = move |name: String| {
            let body = fs::read(folder.join(&name)).expect("a readable request");
            Asked { client, case: name.trim_end_matches(".json").to_owned(), body: Rc::new(body) }
        };
        files::names(&root.join(client.name)).into_iter().map(case)
    };
    CLIENTS.iter().flat_map(of).collect()
}

/// The request of that name of a client's.
pub fn request(client: &'static Client, case: &str) -> Asked {
    requests()
        .into_iter()
        .find(|asked| asked.client.name == client.name && asked.case == case)
        .expect("a shared request")
}

impl Asked {
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The request as it is offered to deployments, as `exchange` makes it.
    pub fn offer<R>(&self, drops: bool, take: impl FnOnce(&Outgoing<'_>) -> R) -> R {
        let (path, query) = if self.case.starts_with("stream_") { self.client.stream } else { (self.client.whole, "") };
        let (entry, named) = entry(path);
        let kind = request_kind(entry.endpoint, query);
        let mut scanner = Scanner::new(&request::MEMBERS);
        let view = admit::view(kind, &mut scanner, &self.body, named).expect("a shared request is a good one");
        let asked = AskedBy { query, speaks_anthropic: self.client.api == Api::Anthropic, drops };
        take(&Outgoing::json(entry, self.client.lines, &self.body, 0, &view, &view.model, asked))
    }
}
