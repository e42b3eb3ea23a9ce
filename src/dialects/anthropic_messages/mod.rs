//! Anthropic's Messages API.
//!
//! What clients ask is read by [`parse`], what upstreams are asked is said by [`compose`]; [`read`] tells an upstream's answer as
//! events, [`render`] writes it for a client; [`classify`] says what an upstream's error means, [`error`] what our failures look like.
//! Both ways report tokens by [`usage`]. Signatures of other providers travel through clients as [`carried`] says.
//!
//! Clouds have it too, with differences: [`elsewhere`].
//!
//! Between a client and an upstream that both speak it, a whole answer is judged ([`answer`]) and a stream watched ([`pass_through`]).

pub mod answer;
pub mod carried;
pub mod classify;
pub mod compose;
pub mod elsewhere;
pub mod error;
pub mod parse;
pub mod pass_through;
pub mod read;
pub mod render;
pub mod usage;
