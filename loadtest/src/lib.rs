//! Simulated model providers, and load generation against any OpenAI-compatible endpoint.
//!
//! `sim` stands in for a provider: it answers like one, fails like one when a script tells it to, and counts what
//! it received so that a test can assert it. `load` offers requests to an endpoint and measures the answers.
//! `scenario` says what is measured, `target` starts it, `measure` takes the figures, `run` does it all in order until a signal says
//! `stop`; `results` is their
//! form, which `report` shows, `compare` compares and `hdr` writes the histograms of.
//! Nothing here uses any code of the gateway: all of it is written from the wire formats alone, so that the gateway and
//! its measure can catch each other's mistakes.

mod chunk_mark;
pub mod compare;
pub mod hdr;
mod hpack;
pub mod limits;
pub mod load;
pub mod measure;
pub mod peers;
mod policy;
mod reader;
pub mod report;
pub mod results;
pub mod run;
pub mod scenario;
pub mod sim;
pub mod stop;
pub mod target;
