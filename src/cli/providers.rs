//! `ringway providers`: the registry as a table.

use crate::providers::registry::PROVIDERS;
use std::process::ExitCode;

pub fn run() -> ExitCode {
    super::print(&table())
}

/// One line per provider, columns aligned.
fn table() -> String {
    let or_dash = |text: &'static str| if text.is_empty() { "-" } else { text };
    let header = ["KIND", "NAME", "CREDENTIAL FROM", "BASE URL"];
    let rows = PROVIDERS
        .iter()
        .map(|provider| [provider.id, provider.title, or_dash(provider.credential_env), or_dash(provider.base_url)]);
    let rows: Vec<[&str; 4]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (kind, name, credential) = (width(0), width(1), width(2));
    let line = |row: &[&str; 4]| format!("{:kind$}  {:name$}  {:credential$}  {}\n", row[0], row[1], row[2], row[3]);
    rows.iter().map(line).collect()
}
