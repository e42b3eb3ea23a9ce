//! May this happen? Pure: a snapshot and facts in, a decision out.

pub mod cors;
pub mod host;
pub mod keys;
pub mod response_ids;
pub mod retries;
