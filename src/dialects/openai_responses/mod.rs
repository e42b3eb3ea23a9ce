//! OpenAI's Responses: a conversation as a list of items.
//!
//! A client's request is read as the canonical one ([`parse`]) and the answer is written for it ([`render`]), with what of the request an
//! answer repeats ([`echo`]). Tools in groups have other names elsewhere ([`groups`]). Failures have the API's shape ([`error`]). [`carried`] says how proofs of thoughts get through clients.
//! For an upstream of this dialect the canonical request is composed ([`compose`]), its answer read ([`read`]), its error classified
//! ([`classify`]). A stream between two that speak it is watched on its way ([`pass_through`]).
//!
//! Nothing is stored here: a request that goes on from an answer or a conversation that a provider keeps can only pass to that
//! provider as it is. Which provider keeps an answer is what its id says to us, so answers that pass get ids of our own ([`rename`]).

pub mod carried;
pub mod classify;
pub mod compose;
pub mod echo;
pub mod error;
pub mod groups;
pub mod parse;
pub mod pass_through;
pub mod read;
pub mod rename;
pub mod render;
