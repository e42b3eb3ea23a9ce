//! The simulator's own endpoints, for tests in other languages: `GET /sim/stats`, `POST /sim/script` with a TOML body,
//! `POST /sim/reset`. They stand on the provider's port, need no credential and are not counted.

use serde_json::json;

use super::answer::{Reply, Request};
use super::exchange::Shared;
use super::script::Script;
use crate::limits::SCRIPT_BYTES_MAX;

/// The answer, if the request is for the simulator itself.
pub(crate) fn reply(shared: &Shared, request: &Request) -> Option<Reply> {
    let endpoint = request.path.strip_prefix("/sim/")?;
    let reply = match (request.method.as_str(), endpoint) {
        ("GET", "stats") => match serde_json::to_value(shared.counters.snapshot()) {
            Ok(stats) => Reply::json(&stats),
            Err(error) => refuse(error),
        },
        ("POST", "reset") => {
            shared.counters.reset();
            Reply::json(&json!({"ok": true}))
        }
        ("POST", "script") if request.body.len() > SCRIPT_BYTES_MAX => refuse("the script is too long"),
        ("POST", "script") => match set_script(shared, &request.body) {
            Ok(()) => Reply::json(&json!({"ok": true})),
            Err(message) => refuse(message),
        },
        (method, _) => Reply { status: 404, ..refuse(format!("{method} {} is not known", request.path)) },
    };
    Some(reply)
}

fn set_script(shared: &Shared, body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let script = Script::parse(text).map_err(|error| error.to_string())?;
    shared.set_script(script).map_err(|error| error.to_string())
}

fn refuse(message: impl ToString) -> Reply {
    Reply { status: 400, ..Reply::json(&json!({"error": {"message": message.to_string()}})) }
}
