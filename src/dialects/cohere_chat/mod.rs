//! Cohere's chat, version 2 of its API (`/v2/chat`). Upstream only.
//!
//! [`compose`] says a request, [`read`] tells an answer as events, [`classify`] what an error means; tokens are counted by [`usage`].

pub mod classify;
pub mod compose;
pub mod read;
pub mod usage;
