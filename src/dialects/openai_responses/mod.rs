//! OpenAI's Responses: a conversation as a list of items.
//!
//! A client's request is read as the canonical one ([`parse`]) and the answer is written for it ([`render`]), with what of the request an
//! answer repeats ([`echo`]). Failures have the API's shape ([`error`]). [`carried`] says how proofs of thoughts get through clients.
//!
//! Nothing is stored here: a request that goes on from an answer or a conversation that a provider keeps can only pass to that
//! provider as it is.

pub mod carried;
pub mod echo;
pub mod error;
pub mod parse;
pub mod render;
