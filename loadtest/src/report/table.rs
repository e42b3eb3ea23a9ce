//! A table that HTML and Markdown are both written from, so that they cannot disagree.
//!
//! Every text may come from outside: both writers escape it. A cell that was not measured is a dash, never empty and never zero.

use maud::{Markup, html};

use super::numbers::ABSENT;

#[derive(Debug, Clone, Default)]
pub struct Table {
    pub caption: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// The first column is the name of a group of rows that follow each other.
    pub grouped: bool,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    /// Of every number in the column.
    pub unit: &'static str,
    pub numeric: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    pub text: String,
    /// Smaller, after the text: an interval, a range.
    pub note: String,
    /// Bad news.
    pub alert: bool,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub fn noted(text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { text: text.into(), note: note.into(), alert: false }
    }

    pub fn alert(text: impl Into<String>) -> Self {
        Self { text: text.into(), note: String::new(), alert: true }
    }

    pub fn absent() -> Self {
        Self::text(ABSENT)
    }

    pub fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(Self::absent, cell)
    }
}

impl Table {
    pub fn new(caption: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { caption: caption.into(), columns, ..Self::default() }
    }

    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "{}", self.caption);
        self.rows.push(row);
    }

    /// Without columns in which nothing was measured.
    pub fn without_empty_columns(mut self) -> Self {
        for index in (0..self.columns.len()).rev() {
            let absent = |row: &Vec<Cell>| row.get(index).is_none_or(|cell| cell.text == ABSENT);
            if self.columns[index].numeric && self.rows.iter().all(absent) {
                self.columns.remove(index);
                for row in &mut self.rows {
                    row.remove(index);
                }
            }
        }
        self
    }

    /// In a frame of its own that scrolls sideways: the page never does. A keyboard can reach it.
    pub fn html(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table .wide[self.grouped] {
                    caption { (self.caption) }
                    thead { tr {
                        @for column in &self.columns[usize::from(self.grouped)..] {
                            th scope="col" .n[column.numeric] {
                                (column.name)
                                @if !column.unit.is_empty() { " " span.unit { (column.unit) } }
                            }
                        }
                    } }
                    @if self.grouped {
                        @for group in self.rows.chunk_by(|row, next| row.first() == next.first()) {
                            tbody {
                                @for cell in group.iter().flat_map(|row| row.first()).take(1) {
                                    tr { th.group scope="rowgroup" colspan=(self.columns.len() - 1) { (cell.html()) } }
                                }
                                @for row in group { (self.row_html(row, 1)) }
                            }
                        }
                    } @else {
                        tbody { @for row in &self.rows { (self.row_html(row, 0)) } }
                    }
                }
            }
        }
    }

    /// From a column on; what stands there is the row's head.
    fn row_html(&self, row: &[Cell], from: usize) -> Markup {
        html! {
            tr {
                @for (column, cell) in self.columns.iter().zip(row).skip(from).take(1) {
                    th scope="row" .n[column.numeric] { (cell.html()) }
                }
                @for (column, cell) in self.columns.iter().zip(row).skip(from + 1) {
                    td .n[column.numeric] .alert[cell.alert] { (cell.html()) }
                }
            }
        }
    }

    pub fn markdown(&self) -> String {
        let heads = self.columns.iter().map(|column| match column.unit {
            "" => escaped(&column.name),
            unit => format!("{}, {}", escaped(&column.name), escaped(unit)),
        });
        let rules = self.columns.iter().map(|column| if column.numeric { "---:" } else { "---" }.to_owned());
        let mut text = format!("{}{}", line(heads), line(rules));
        for row in &self.rows {
            text += &line(row.iter().map(Cell::markdown));
        }
        text
    }
}

impl Cell {
    fn html(&self) -> Markup {
        html! {
            @if self.alert { span.sign aria-hidden="true" { "▲\u{a0}" } }
            (self.text)
            @if !self.note.is_empty() { " " span.note { (self.note) } }
        }
    }

    fn markdown(&self) -> String {
        let text = if self.alert { format!("**{}**", escaped(&self.text)) } else { escaped(&self.text) };
        if self.note.is_empty() { text } else { format!("{text} ({})", escaped(&self.note)) }
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Text that means nothing to Markdown, nor to the HTML that Markdown lets through, on one line.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

pub fn text_column(name: &str) -> Column {
    Column { name: name.to_owned(), unit: "", numeric: false }
}

pub fn column(name: &str, unit: &'static str) -> Column {
    Column { name: name.to_owned(), unit, numeric: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new("a <b>", vec![text_column("Target"), column("p50", "µs"), column("gone", "")]);
        table.push(vec![Cell::text("<script>|`x`\n# y"), Cell::noted("+67", "64 to 71"), Cell::absent()]);
        table.push(vec![Cell::text("b"), Cell::alert("9"), Cell::absent()]);
        table
    }

    #[test]
    fn markdown_escapes_what_it_is_given() {
        assert_eq!(
            sample().without_empty_columns().markdown(),
            "| Target | p50, µs |\n| --- | ---: |\n| &lt;script&gt;\\|\\`x\\` \\# y | +67 (64 to 71) |\n| b | **9** |\n"
        );
    }

    #[test]
    fn html_escapes_what_it_is_given() {
        let html = sample().html().into_string();
        assert!(html.contains("&lt;script&gt;|`x`"), "{html}");
        assert!(html.contains("aria-label=\"a &lt;b&gt;\""), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("<td class=\"n alert\">"), "{html}");
    }
}
