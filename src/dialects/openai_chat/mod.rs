//! OpenAI's chat completions and the endpoints that share their shape: completions, embeddings, moderations.
//!
//! A request is scanned, viewed and patched ([`request`]), a whole answer judged and completed ([`answer`]), a stream's events judged one
//! by one ([`stream`]), unless they are like the one before ([`known_answers`], [`repeat`]), on their way through ([`pass_through`]); both report
//! tokens ([`usage`]). Failures have the API's shape ([`error`]). What is not looked at here passes through as it came.
//!
//! Where the upstream speaks another dialect, a client's request is read as the canonical one ([`parse`]) and the answer is written for
//! it ([`render`]); [`signatures`] says how proofs of thoughts get through clients. For an upstream of this dialect the canonical request
//! is composed ([`compose`]) in the words of its [`variant`], its answer read ([`read`]) and its errors classified ([`classify`]).

pub mod answer;
pub mod classify;
pub mod compose;
pub mod error;
pub mod known_answers;
pub mod parse;
pub mod pass_through;
pub mod read;
pub mod render;
pub mod repeat;
pub mod request;
pub mod signatures;
pub mod stream;
pub mod usage;
pub mod variant;
