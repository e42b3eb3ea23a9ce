//! How figures are taken: each file one kind of measurement, none of which knows how a target came to run.
//!
//! `machine` is where it happens: CPUs, pinning, priority. `process` reads what a process tree uses, `perf` counts its instructions
//! and system calls. `traffic` holds the generators of one endpoint open and runs their windows together; `watch` looks at the target
//! while a window runs, `absolute` adds windows up. On top of them stand the measures of the results: `pairs` (what a hop adds), `throughput`, `sustained`,
//! `cost`, `memory`, `timeline`, and `calibration`, which proves that none of these was limited by the generator.
//! `spread` and `bootstrap` are arithmetic.

pub mod absolute;
pub mod bootstrap;
pub mod calibration;
pub mod cost;
pub mod machine;
pub mod memory;
pub mod pairs;
pub mod perf;
pub mod process;
pub mod spread;
pub mod sustained;
pub mod throughput;
pub mod timeline;
pub mod traffic;
pub mod watch;
