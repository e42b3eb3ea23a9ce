//! Anthropic's Messages API.
//!
//! [`compose`] says a request, [`read`] an answer as events, [`classify`] what an error means; all report tokens by [`usage`].

pub mod classify;
pub mod compose;
pub mod read;
pub mod usage;
