//! Bars from zero, a group for each target, with the numbers in words.
//!
//! The parts of a bar, or the bars of a group, are told apart by their fill: full, tinted with an outline, outline only. Bars begin at zero
//! and are linear: their lengths are compared. A target a hundred times as long as another makes the other short, and that is so.

use maud::{Markup, html};

use super::{WIDTH, class, mark, px, shortened, svg};

pub struct BarChart {
    pub title: String,
    pub says: String,
    pub groups: Vec<Group>,
}

pub struct Group {
    pub name: String,
    pub style: usize,
    /// Beside the name.
    pub total: String,
    pub bars: Vec<Bar>,
}

/// One bar of one or more parts.
pub struct Bar {
    /// Before the bar; empty where the group's name is enough.
    pub name: &'static str,
    pub parts: Vec<Part>,
    /// Behind the bar.
    pub value: String,
}

pub struct Part {
    pub value: f64,
    pub fill: Fill,
    pub says: String,
}

#[derive(Debug, Clone, Copy)]
pub enum Fill {
    Full,
    Tinted,
    Outline,
}

impl Fill {
    fn class(self) -> &'static str {
        match self {
            Self::Full => "bar full",
            Self::Tinted => "bar tinted",
            Self::Outline => "bar outline",
        }
    }
}

const HEAD: f64 = 20.0;
const ROW: f64 = 15.0;
const THICK: f64 = 9.0;
const BETWEEN: f64 = 9.0;
const NAME_LETTERS_MAX: usize = 30;

impl BarChart {
    pub fn svg(&self, id: &str) -> Markup {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let left = if bars().any(|bar| !bar.name.is_empty()) { 48.0 } else { 0.0 };
        let value_letters = bars().map(|bar| bar.value.chars().count()).max().unwrap_or(0);
        let room = WIDTH - left - if value_letters > 0 { 8.0 + 6.6 * value_letters as f64 } else { 0.0 };
        let longest = bars().map(length).fold(0.0, f64::max);
        let unit = if longest > 0.0 { room / longest } else { 0.0 };
        let height = |group: &Group| HEAD + ROW * group.bars.len() as f64 + BETWEEN;
        let tops = self.groups.iter().scan(0.0, |top, group| {
            let own = *top;
            *top += height(group);
            Some(own)
        });
        let content = html! {
            @for (group, top) in self.groups.iter().zip(tops) {
                g class=(class(group.style)) {
                    path.mark d=(mark(group.style, 5.0, top + 10.0, 3.6)) {}
                    text.name.strong x="14" y=(px(top + 10.0)) dy=".32em" data-t=(group.name) { (shortened(&group.name, NAME_LETTERS_MAX)) }
                    text.value.end x=(px(WIDTH)) y=(px(top + 10.0)) dy=".32em" { (group.total) }
                    @for (index, bar) in group.bars.iter().enumerate() {
                        (row(bar, left, top + HEAD + ROW * index as f64, unit))
                    }
                }
            }
        };
        svg(id, &self.title, &self.says, self.groups.iter().map(height).sum(), &content)
    }
}

fn row(bar: &Bar, left: f64, top: f64, unit: f64) -> Markup {
    let middle = px(top + THICK / 2.0);
    let starts = bar.parts.iter().scan(left, |start, part| {
        let own = *start;
        *start += drawn(part.value) * unit;
        Some(own)
    });
    html! {
        @if !bar.name.is_empty() { text.tick x="0" y=(middle) dy=".32em" { (bar.name) } }
        line.axis x1=(px(left)) x2=(px(left)) y1=(px(top - 2.0)) y2=(px(top + THICK + 2.0)) {}
        @for (part, start) in bar.parts.iter().zip(starts) {
            // Half a unit less on each side, so that an outline stays inside of its length.
            rect class=(part.fill.class()) x=(px(start + 0.5)) y=(px(top + 0.5)) height=(px(THICK - 1.0)) data-t=(part.says)
                width=(px((drawn(part.value) * unit - 1.0).max(0.5))) {}
        }
        @if !bar.value.is_empty() {
            text.value x=(px(left + length(bar) * unit + 6.0)) y=(middle) dy=".32em" { (bar.value) }
        }
    }
}

fn length(bar: &Bar) -> f64 {
    bar.parts.iter().map(|part| drawn(part.value)).sum()
}

fn drawn(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}
