//! `ringway providers`: the registry as a table.

use crate::providers::{registry::PROVIDERS, spoken::Spoken};
use std::process::ExitCode;

pub fn run() -> ExitCode {
    super::print(&table())
}

/// One line per provider, columns aligned.
fn table() -> String {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let header = ["KIND", "NAME", "DIALECTS", "CREDENTIAL FROM", "BASE URL"].map(str::to_owned);
    let rows = PROVIDERS.iter().map(|provider| {
        let dialects: Vec<_> = Spoken::all(provider).map(|spoken| spoken.dialect.name()).collect();
        [
            provider.id.to_owned(),
            provider.title.to_owned(),
            dialects.join(","),
            or_dash(provider.credential_env),
            or_dash(provider.base_url),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let line = |row: &[String; 5]| {
        let padded = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}  "));
        padded.chain([format!("{}\n", row[4])]).collect::<String>()
    };
    rows.iter().map(line).collect()
}
