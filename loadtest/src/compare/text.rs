//! A comparison as text for a terminal and as a page.

use maud::{Markup, html as markup};

use super::{Comparison, Row, Verdict};
use crate::report::page;
use crate::report::table::{Cell, Table, column, text_column};

/// Figures that stayed the same are counted, not listed.
pub fn text(comparison: &Comparison) -> String {
    let mut text = format!("first:  {}\nsecond: {}\n", one_line(&comparison.a), one_line(&comparison.b));
    for warning in &comparison.warnings {
        text += &format!("note: {}\n", one_line(warning));
    }
    let moved: Vec<&Row> = listed(comparison).collect();
    let mut lines: Vec<[String; 7]> = Vec::new();
    for row in &moved {
        let unit = if row.unit.is_empty() { String::new() } else { format!(", {}", row.unit) };
        let figure = format!("{}{unit}", row.figure);
        let change = &row.change;
        let cells =
            [change.verdict.name(), &row.scenario, &row.target, &figure, &change.before, &change.after, &change.change];
        lines.push(cells.map(one_line));
    }
    if !lines.is_empty() {
        lines.insert(0, ["", "scenario", "target", "figure", "first", "second", "change"].map(str::to_owned));
        text.push('\n');
    }
    let widths: Vec<usize> =
        (0..7).map(|index| lines.iter().map(|line| line[index].chars().count()).max().unwrap_or(0)).collect();
    for line in &lines {
        let cells: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text + "\n" + &summary(comparison) + "\n"
}

pub fn html(comparison: &Comparison) -> String {
    let columns = ["Scenario", "Figure"].map(text_column);
    let mut columns: Vec<_> = columns.into_iter().collect();
    columns.push(text_column("Verdict"));
    columns.extend([column("first", ""), column("second", ""), column("change", "")]);
    let mut table = Table::new("What moved, and what cannot be said", columns);
    table.grouped = true;
    for row in listed(comparison) {
        let verdict = row.change.verdict;
        let named = if verdict == Verdict::Worse { Cell::alert("worse") } else { Cell::text(verdict.name()) };
        let figure = if row.unit.is_empty() { row.figure.clone() } else { format!("{}, {}", row.figure, row.unit) };
        let group = Cell::text(format!("{} · {}", row.scenario, row.target));
        let numbers = [&row.change.before, &row.change.after, &row.change.change].map(|text| Cell::text(text.as_str()));
        table.push([group, Cell::text(figure), named].into_iter().chain(numbers).collect());
    }
    let content: Markup = markup! {
        header.top {
            h1 { "Comparison" }
            p.meta { span { (comparison.a) } span { "against " (comparison.b) } }
        }
        main { section {
            h2 { (summary(comparison)) }
            @if !comparison.warnings.is_empty() { ul.small { @for warning in &comparison.warnings { li { (warning) } } } }
            @if !table.rows.is_empty() { (table.html()) }
            p.small {
                "Added latency is compared by its confidence intervals, repeated figures by a bootstrap of their medians. Unresolved: the "
                "interval of the change lies neither within the tolerance nor beyond it."
            }
        } }
    };
    page::document("Comparison", &content)
}

fn listed(comparison: &Comparison) -> impl Iterator<Item = &Row> {
    let order = |verdict| match verdict {
        Verdict::Worse => 0,
        Verdict::Better => 1,
        Verdict::Unresolved => 2,
        Verdict::Same => 3,
    };
    let mut rows: Vec<&Row> = comparison.rows.iter().filter(|row| row.change.verdict != Verdict::Same).collect();
    rows.sort_by_key(|row| order(row.change.verdict));
    rows.into_iter()
}

fn summary(comparison: &Comparison) -> String {
    let of = |verdict| comparison.rows.iter().filter(|row| row.change.verdict == verdict).count();
    format!(
        "{} worse, {} better, {} unresolved, {} the same within {} %",
        of(Verdict::Worse),
        of(Verdict::Better),
        of(Verdict::Unresolved),
        of(Verdict::Same),
        crate::report::numbers::bare(comparison.tolerance * 100.0)
    )
}

/// A terminal obeys control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
