//! `ringway schema`: the JSON Schema of the configuration, for editors and CI.

use crate::config::schema;
use std::process::ExitCode;

pub fn run() -> ExitCode {
    super::print(&format!("{:#}\n", schema::schema()))
}
