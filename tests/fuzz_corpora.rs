//! Runs the fuzz targets over their corpora, so that what a fuzzer once found stays found.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use ringway::fuzzing::{self, TARGETS};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn stems(folder: &str) -> BTreeSet<String> {
    entries(folder).iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn corpora_pass() {
    for (name, target) in TARGETS {
        let inputs = entries(&format!("fuzz/corpus/{name}"));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            // The test's output names the input that a panic belongs to.
            println!("{}", input.display());
            target(&std::fs::read(&input).unwrap());
        }
    }
}

#[test]
fn every_target_can_be_fuzzed_and_every_fuzz_target_is_tested() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems("fuzz/fuzz_targets"), names);
    assert_eq!(stems("fuzz/corpus"), names);
}

/// What clients and providers send, as the golden files have it, is a corpus too.
#[test]
fn goldens_pass() {
    let mut inputs = 0;
    for folder in ["tests/golden/_requests", "tests/golden/_answers"] {
        for dialect in entries(folder).iter().filter(|path| path.is_dir()) {
            for input in entries(&dialect.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy()) {
                println!("{}", input.display());
                let input = std::fs::read(&input).unwrap();
                fuzzing::pairs(&input);
                fuzzing::gemini(&input);
                inputs += 1;
            }
        }
    }
    assert!(inputs > 400, "{inputs}");
}
