//! Ollama's own API, `/api/chat`, which can say more than what it offers in OpenAI's form: thoughts, schemas, the server's options.
//! Upstream only.
//!
//! [`compose`] says a request, [`lines`] cuts a stream into its lines, [`read`] tells an answer (a line of JSON for each piece) as events,
//! [`classify`] what an error means.

pub mod classify;
pub mod compose;
pub mod lines;
pub mod read;
