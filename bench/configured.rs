//! A configuration as the benches need it: one provider that is never connected to, one group, one client key.

use ringway::config::{
    checked,
    interpolate::Lookup,
    load::{self, SourceFile},
    snapshot::Snapshot,
};

/// SHA-256 of the client key that the head of a request in `instructions.rs` shows.
const KEY_HASH: &str = "9d1e72ebcdb1433ab505cd45f28f4b0ae9d715eb67cf39ca6b5f4cf1c9c8f155";

/// The group `chat` of so many deployments, as generation 1.
pub fn snapshot(deployments: usize) -> Snapshot {
    let names: Vec<String> = (0..deployments).map(|index| format!("\"p/model-{index}\"")).collect();
    let text = format!(
        "[providers.p]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\npool = {{ warm_min = 0 }}\n\
         [[keys]]\nname = \"bench\"\nhash = \"sha256:{KEY_HASH}\"\n\
         [[models]]\nname = \"chat\"\ndeployments = [{}]\n",
        names.join(",")
    );
    let loaded = load::parse(&[SourceFile { name: "bench".into(), text }], &NothingElse).expect("a good file");
    checked::build(&loaded, 1, None).expect("a good configuration").0
}

struct NothingElse;

impl Lookup for NothingElse {
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &std::path::Path) -> Result<String, String> {
        Err("the configuration names no file".into())
    }
}
