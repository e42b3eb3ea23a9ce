//! What happened: one writer per cell, readers never stop a writer.

pub mod access_log;
pub mod cells;
pub mod metrics;
pub mod operator_log;
pub mod process;
pub mod token_counter;

#[cfg(test)]
pub(crate) mod fixtures;
