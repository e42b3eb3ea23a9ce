//! Bedrock's Converse: the one API of AWS for models of many makers. Upstream only.
//!
//! Its streams are no server-sent events but frames of AWS's own binary format ([`event_stream`]). [`compose`] says a request,
//! [`read`] tells an answer as events, [`classify`] what an error means; tokens are counted by [`usage`].

pub mod classify;
pub mod compose;
pub mod event_stream;
pub mod read;
pub mod usage;
