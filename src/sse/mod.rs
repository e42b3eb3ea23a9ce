//! Server-sent events, as upstreams send them ([`split`]) and as clients receive them ([`mod@write`]).
//!
//! The format is WHATWG HTML's, section 9.2. It knows nothing of what the events say.

pub mod split;
pub mod write;
