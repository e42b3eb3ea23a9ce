//! Ringway, an LLM gateway for Linux.
//!
//! # The life of a request
//!
//! 1. **Before any request.** [`process`] loads the configuration ([`config`]) into a snapshot, binds the sockets
//!    ([`control_plane::listeners`]) and starts one [`data_plane::shard`] per core on the runtime behind [`rt`]. Each shard opens its pools
//!    ([`data_plane::upstream::pool`]): connections are made, by [`data_plane::upstream::connect`] and [`data_plane::tls`], before
//!    anyone needs them.
//! 2. **Accept.** The kernel spreads connections over the shards' listeners; a shard that is clearly fuller than the emptiest hands
//!    the socket over ([`data_plane::shard`]).
//! 3. **Read.** On a crowded shard a request first waits its turn (`rt/turnstile.rs`). [`data_plane::downstream::http1`] (its heads by
//!    [`data_plane::field_lines`]) or [`data_plane::downstream::http2`] parses the head into [`data_plane::downstream::head`]; bodies in
//!    chunks are decoded by [`data_plane::chunked`]. From here on a request is one buffer.
//! 4. **The spine.** [`data_plane::exchange`] orders everything that follows, and opens the settlement that will close it.
//! 5. **Admit.** [`dialects::endpoints`] names the endpoint; [`data_plane::admit`] checks host and key ([`policy`]) and reads the body,
//!    which [`json::scan`] validates as it arrives. [`dialects::openai_chat::request`] views what matters of it;
//!    [`data_plane::multipart`] does the same for forms.
//! 6. **Plan.** [`routing::plan`] orders the deployments of the model's group. A call that is only to be explained ends here, in
//!    [`data_plane::explain`]. What a provider keeps is asked for by an id that says who ([`data_plane::by_id`], [`policy::response_ids`]).
//! 7. **Attempt.** [`data_plane::attempt`] takes a warm connection from the pool, writes the request with the permitted members patched
//!    ([`json::patch`]) through [`data_plane::upstream::http1`] or [`data_plane::upstream::http2`], and reads the answer
//!    ([`data_plane::upstream::answer_head`]) until it belongs to this deployment: a whole JSON answer validated
//!    ([`dialects::openai_chat::answer`]), or the first content of a stream. Until then the next deployment may be tried, what
//!    a provider may have worked on within [`policy::retries`]. More answers than a model gives at once are as many calls in one
//!    ([`dialects::fan_out`], [`data_plane::upstream::several`]).
//! 8. **Relay.** [`data_plane::relay`] passes the answer on; streams event by event ([`sse::split`],
//!    [`dialects::openai_chat::pass_through`]), with back-pressure both ways. Answers of our own come from [`data_plane::reply`], in the shape
//!    of [`dialects::openai_chat::error`].
//! 9. **Settle.** [`data_plane::settle`] closes the exchange once, however it ended: into [`telemetry::cells`], and as a record into the ring
//!    that [`telemetry::access_log`] drains. Its times are those of [`data_plane::clock`]. What nobody counted is estimated by
//!    [`dialects::estimate`], or goes by way of [`telemetry::token_counter`], if the model has a tokenizer.
//!
//! Beside all this, on its own thread, [`control_plane`] handles signals, reloads, addresses, certificates, the clouds' credentials
//! ([`control_plane::credentials`], handed over in [`config::cloud`]) and the admin listener.
//! [`error`] says what each failure means, [`limits`] why each bound is what it is, [`node`] what the threads share. `ARCHITECTURE.md` has the
//! map and the invariants.

#![deny(unsafe_code)]
// The fence of clippy.toml is around what shards run. Cold modules are let out where they are named below; tests may block.
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod catalog;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
pub mod cli;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
pub mod config;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
pub mod control_plane;
pub mod data_plane;
pub mod dialects;
pub mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod json;
pub mod limits;
pub mod node;
pub mod policy;
#[allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
pub mod process;
pub mod providers;
pub mod routing;
pub mod rt;
pub mod sse;
pub mod sys;
pub mod telemetry;
