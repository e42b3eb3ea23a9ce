//! Bedrock's Converse: the one API of AWS for models of many makers. Upstream only.
//!
//! Its streams are no server-sent events but frames of AWS's own binary format ([`event_stream`]).

pub mod event_stream;
