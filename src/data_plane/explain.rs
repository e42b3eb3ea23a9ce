//! What a call would do, without making it: `POST /v1/explain`, followed by the path of the call.
//!
//! The answer names the deployments in the order in which they would be tried, with the request that each would get and what of the
//! client's was mapped, adapted or dropped for it; or why it would not be asked. Everything is what the call itself does: the same
//! [`Outgoing`] is prepared, the same plan is made. Nothing is sent, leased, parked or counted against anybody.
//!
//! The prefix leaves the rest as it is, key, body, query and headers, so that a client needs another base URL and nothing else.
//!
//! Where a model gives one answer at a time and more are wanted, `calls` says how many are made; the first one is shown.
//!
//! No credential is shown: of the values that the operator configured for a deployment's head only the names are, whatever they hold,
//! and a signature is not made. Bodies beyond `EXPLAINED_BODY_BYTES_MAX` are counted and left out.

use super::{
    downstream::Downstream,
    exchange::Exchange,
    outgoing::{Outgoing, PrepareError, Prepared},
    reply,
};
use crate::{
    config::{
        cloud::AuthSource,
        snapshot::{Deployment, Endpoint, ModelGroup},
    },
    dialects::{
        canonical::{Note, NoteKind},
        endpoints::ApiEndpoint,
        failure, own_names,
        wire::Way,
    },
    error::{Failure, Upstream},
    json::{patch::Patch, write::Writer},
    limits::EXPLAINED_BODY_BYTES_MAX,
    routing::plan::Skipped,
};

/// Stands for whatever the operator configured.
const HIDDEN: &str = "<credential>";

/// Rises when a member changes its meaning or goes; new members may come without it.
const VERSION: u64 = 1;

/// Answers with the explanation.
///
/// # Errors
/// What the call would be answered before any deployment is looked at, and what no deployment could mend.
#[cold]
pub fn answer<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    outgoing: &Outgoing<'_>,
) -> Result<(), Failure> {
    let mut body = Vec::with_capacity(4096);
    write(exchange, group, outgoing, &mut body)?;
    reply::stage_whole(client, &mut exchange.settlement, 200, b"application/json", &exchange.lines, &body);
    Ok(())
}

/// The refusal of a form: its parts are not told in JSON.
#[cold]
pub fn form() -> Failure {
    Failure::UnsupportedMediaType { message: "Only calls with a JSON body are explained.".into() }
}

/// The refusal of the call of a stored response: it goes where the response is, as it is.
#[cold]
pub fn by_id() -> Failure {
    Failure::InvalidRequest {
        param: None,
        code: "invalid_request",
        message:
            "There is nothing to explain: the call of a stored response goes to the provider that keeps it, as it is."
                .into(),
    }
}

fn write(
    exchange: &Exchange<'_>,
    group: &ModelGroup,
    outgoing: &Outgoing<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let snapshot = &exchange.current.snapshot;
    let mut skipped = Vec::new();
    let plan =
        exchange.plan_and_tell(group, outgoing.entry, outgoing.pinned(), |index, why| skipped.push((index, why)));
    let candidates = plan.as_ref().map_or(&[][..], |plan| plan.candidates());

    let mut json = Writer::new(out);
    json.open_object().name("object").string("ringway.explanation").name("version").number(VERSION);
    json.name("endpoint").string(outgoing.entry.endpoint.label());
    json.name("model").string(outgoing.model_asked).name("group").string(&group.name);
    json.name("stream").bool(outgoing.stream);
    json.name("unsupported").string(if outgoing.asked.drops { "drop" } else { "refuse" });

    // What the call would end with if nothing could be sent.
    let mut failed = plan.as_ref().err().cloned();
    let mut is_asked = false;
    json.name("candidates").open_array();
    for &index in candidates {
        let deployment = &*snapshot.deployments[index as usize];
        json.open_object();
        write_deployment(deployment, &mut json);
        json.name("model").string(outgoing.model_for(deployment));
        json.name("dialect").string(deployment.dialect_of(outgoing.model_for(deployment)).name());
        json.name("way").string(match outgoing.way(deployment) {
            Way::Same => "pass_through",
            Way::Between { .. } | Way::Embeddings { .. } | Way::Images(_) | Way::Count { .. } => "translated",
            Way::Estimate(_) => "estimated",
            Way::None => "none",
        });
        match outgoing.prepare(deployment, || exchange.facts(outgoing)) {
            Ok(prepared) => {
                is_asked = true;
                let endpoint = &snapshot.endpoints[deployment.endpoint as usize];
                let mut patch = exchange.shard.patch.borrow_mut();
                patch.clear();
                json.name("calls").number(prepared.calls() as u64);
                write_request(deployment, endpoint, outgoing, &prepared, &mut patch, &mut json)?;
                write_notes(&prepared, outgoing.entry.endpoint, &mut json);
            }
            // Answered here, by nobody else.
            Err(PrepareError::Estimated(_)) => is_asked = true,
            // No deployment before this one would have answered instead.
            Err(PrepareError::Client(failure)) if !is_asked => return Err(failure),
            Err(PrepareError::Client(failure)) => write_failure(exchange, &failure, json.name("failure")),
            Err(PrepareError::Upstream(why)) => {
                if let Upstream::Unsupported { param, why } = &why {
                    json.name("unsupported").open_object().name("param").string(param).name("reason").string(why);
                    json.close_object();
                }
                let failure = Failure::Upstream(why);
                write_failure(exchange, &failure, json.name("failure"));
                failed = Some(failure);
            }
        }
        json.close_object();
    }
    json.close_array().name("skipped").open_array();
    for (index, why) in &skipped {
        json.open_object();
        write_deployment(&snapshot.deployments[*index as usize], &mut json);
        write_skipped(exchange, why, &mut json);
        json.close_object();
    }
    json.close_array().name("failure");
    match failed.filter(|_| !is_asked) {
        Some(failure) => write_failure(exchange, &failure, &mut json),
        None => drop(json.null()),
    }
    json.close_object();
    Ok(())
}

fn write_deployment(deployment: &Deployment, json: &mut Writer<'_>) {
    json.name("deployment").string(&deployment.name).name("provider").string(deployment.provider.id);
}

/// Why a deployment would not be tried.
fn write_skipped(exchange: &Exchange<'_>, why: &Skipped, json: &mut Writer<'_>) {
    match why {
        Skipped::OtherProvider => json.name("reason").string("other_provider"),
        Skipped::OtherModel => json.name("reason").string("other_model"),
        Skipped::BeyondAttempts => json.name("reason").string("attempts_max"),
        Skipped::Parked { wait_ms, why } => {
            json.name("reason").string("parked").name("for_ms").number(*wait_ms);
            write_failure(exchange, &Failure::Upstream(why.clone()), json.name("failure"));
            json
        }
    };
}

/// What the client would be told.
fn write_failure(exchange: &Exchange<'_>, failure: &Failure, json: &mut Writer<'_>) {
    json.open_object().name("status").number(failure::status(exchange.settlement.api, failure).into());
    json.name("code").string(failure.code()).name("message").string(&failure.message()).close_object();
}

/// The request, as the deployment would get it.
fn write_request(
    deployment: &Deployment,
    endpoint: &Endpoint,
    outgoing: &Outgoing<'_>,
    prepared: &Prepared<'_>,
    patch: &mut Patch,
    json: &mut Writer<'_>,
) -> Result<(), Failure> {
    let scheme = if endpoint.key.tls { "https" } else { "http" };
    let url = [scheme, "://", &deployment.host, &deployment.base_path, &prepared.path].concat();
    json.name("request").open_object().name("method").string("POST").name("url").string(&url);

    json.name("headers").open_object();
    for (name, value) in headers(deployment, outgoing, prepared) {
        json.any_name(&name).string(&value);
    }
    json.close_object();

    let body = outgoing.body_for(deployment, prepared, patch).map_err(|_| Failure::Internal)?.content;
    let pieces = body.into_pieces();
    let bytes = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    json.name("body_bytes").number(bytes as u64).name("body");
    if bytes > EXPLAINED_BODY_BYTES_MAX {
        json.null();
    } else {
        // Valid JSON: the client's was scanned, and what is composed or patched stays so.
        json.json(&pieces.iter().flat_map(|piece| piece.as_slice()).copied().collect::<Vec<_>>());
    }
    json.close_object();
    Ok(())
}

/// Names in lower case, each once; what came in several lines is a list, as HTTP has it.
fn headers(deployment: &Deployment, outgoing: &Outgoing<'_>, prepared: &Prepared<'_>) -> Vec<(String, String)> {
    let is_hidden = |name: &str| deployment.headers.iter().any(|(hidden, _)| **hidden == *name);
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut put = |name: &str, value: &str| match headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, said)) if said == HIDDEN => {}
        Some((_, said)) => said.extend([", ", value]),
        None => headers.push((name.to_owned(), value.to_owned())),
    };
    let of_lines = |lines: &[u8], put: &mut dyn FnMut(&str, &str)| {
        for line in String::from_utf8_lossy(lines).split("\r\n") {
            if let Some((name, value)) = line.split_once(": ") {
                let name = name.to_ascii_lowercase();
                let value = if is_hidden(&name) { HIDDEN } else { value };
                put(&name, value);
            }
        }
    };
    of_lines(deployment.http1_lines.expose(), &mut put);
    if matches!(deployment.auth, AuthSource::Cloud(_)) {
        put("authorization", HIDDEN);
    }
    put("content-type", &String::from_utf8_lossy(outgoing.content_type));
    put("accept", prepared.accept(outgoing.stream));
    of_lines(&prepared.forward, &mut put);
    headers
}

/// What became of what was not carried as it was.
fn write_notes(prepared: &Prepared<'_>, endpoint: ApiEndpoint, json: &mut Writer<'_>) {
    let notes: &[Note] = prepared.composed.as_ref().map_or(&[], |composed| &composed.notes.notes);
    for (kind, name) in [(NoteKind::Mapped, "mapped"), (NoteKind::Adapted, "adapted"), (NoteKind::Dropped, "dropped")] {
        json.name(name).open_array();
        for note in notes.iter().filter(|note| note.kind == kind) {
            let param = own_names::of_endpoint(endpoint, note.param.clone());
            json.open_object().name("param").string(&param).name("says").string(&note.says).close_object();
        }
        json.close_array();
    }
}
