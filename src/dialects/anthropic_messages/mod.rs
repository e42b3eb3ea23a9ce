//! Anthropic's Messages API.
//!
//! What clients ask is read by [`parse`], what upstreams are asked is said by [`compose`]; [`read`] tells an upstream's answer as
//! events, [`classify`] what its error means. Both report tokens by [`usage`]. Signatures of other providers travel through clients as
//! [`carried`] says.

pub mod carried;
pub mod classify;
pub mod compose;
pub mod parse;
pub mod read;
pub mod usage;
