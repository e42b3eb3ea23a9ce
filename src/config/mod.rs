//! Configuration: what the operator wrote (`raw`), what it means (`checked`), what exchanges run under (`snapshot`).
//!
//! The way of a load, file by file: `origin` says where the configuration comes from (files, or the environment when
//! there are none) and what the command line overrides; `load` reads the files; `tree` keeps every value with its place;
//! `interpolate` fills in `${env:}`, `${file:}` and `${credential:}`; `schema` holds the tree against the JSON Schema
//! that is derived from the types in `raw`; `checked` applies every rule that a type cannot express, without I/O;
//! `assemble` reads CA files and builds the `snapshot` that is published, with `lookup` for its names and `cloud` for credentials that expire, and the `settings` that only a restart changes.
//!
//! Errors are collected, not thrown: a load reports everything it can see, each with file, line, key and a way out.

pub mod address;
pub mod assemble;
pub mod checked;
pub mod cloud;
pub mod diagnostic;
pub mod from_env;
pub mod interpolate;
pub mod load;
pub mod lookup;
pub mod origin;
pub mod raw;
pub mod schema;
pub mod settings;
pub mod snapshot;
pub mod tree;

pub use checked::fuzz_entry;
