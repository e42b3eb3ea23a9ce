//! Where it was measured, as lines of name and value, for the box in the page and the list in Markdown.

use super::numbers::{count, duration, memory, number};
use crate::results::Results;

pub fn lines(results: &Results) -> Vec<(String, String)> {
    let environment = &results.environment;
    let mut lines = Vec::new();
    let mut push = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push((name.to_owned(), value));
        }
    };
    push("Began", results.began.clone());
    push("Took", duration(results.took_s));
    push("Kernel", environment.kernel.clone());
    push("CPU", environment.cpu.clone());
    push("CPUs", count(environment.cpus as u64));
    push("Memory", memory(environment.memory_bytes as f64));
    for (role, cpus) in &environment.pinning {
        push(&format!("Pinned: {role}"), cpus.clone());
    }
    for (program, version) in &environment.versions {
        push(&format!("Version: {program}"), version.clone());
    }
    for (target, driver) in &environment.drivers {
        push(&format!("Driver: {target}"), driver.clone());
    }
    push("Seed", environment.seed.to_string());
    push("Open files", count(environment.open_files_max));
    let (usual, worst) = (environment.other_load_cores, environment.other_load_cores_max);
    push("Other work on the machine", format!("{} cores, at worst {}", number(usual), number(worst)));
    push("Command line", environment.command_line.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" "));
    for note in &environment.notes {
        push("Note", note.clone());
    }
    lines
}

/// As a shell would need it.
fn quoted(part: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@+%".contains(letter);
    if !part.is_empty() && part.chars().all(plain) {
        part.to_owned()
    } else {
        format!("'{}'", part.replace('\'', "'\\''"))
    }
}
