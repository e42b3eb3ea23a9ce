//! The `ringway` program: arguments in, subcommand out.

use clap::Parser;
use std::process::ExitCode;

/// Without transparent huge pages (feature `no_thp`): an allocator that touches a few bytes of each size class would own 2 MiB
/// for each, 12 MiB of an idle gateway's 20.
#[global_allocator]
static ALLOCATOR: ringway::sys::Mimalloc = ringway::sys::Mimalloc;

fn main() -> ExitCode {
    ringway::cli::run(ringway::cli::Cli::parse())
}
