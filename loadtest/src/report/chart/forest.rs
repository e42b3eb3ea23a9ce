//! Dots with whiskers: an estimate and its interval, in rows, with the numbers beside them.
//!
//! Medical journals call it a forest plot. The scale is linear around zero and logarithmic away from it, because the rows of one target
//! span decades and a difference can be negative; the line at zero is what a row is read against.

use maud::{Markup, html};

use super::{Axis, LETTER_WIDTH, Plot, WIDTH, class, mark, px, shortened, svg};
use crate::report::numbers::{count_tick, number, signed};
use crate::report::scale::Scale;
use crate::results::Interval;

pub struct Forest {
    pub title: String,
    pub says: String,
    pub groups: Vec<Group>,
}

/// The rows of one target.
pub struct Group {
    pub name: String,
    pub style: usize,
    pub rows: Vec<(String, Interval)>,
}

const ROW: f64 = 17.0;
const HEAD: f64 = 22.0;
const BOTTOM: f64 = 34.0;
const LEFT: f64 = 62.0;
const NAME_LETTERS_MAX: usize = 48;

impl Forest {
    pub fn svg(&self, id: &str) -> Markup {
        let heights = self.groups.iter().map(|group| HEAD + ROW * group.rows.len() as f64);
        let rows = || self.groups.iter().flat_map(|group| &group.rows);
        // The dots end where the numbers begin.
        let letters = rows().map(|(_, it)| (signed(it.estimate) + " " + &range(it)).chars().count()).max().unwrap_or(0);
        let width = (WIDTH - LEFT - 12.0 - LETTER_WIDTH * letters as f64).max(120.0);
        let plot = Plot { left: LEFT, top: 4.0, width, height: heights.clone().sum::<f64>() + 4.0 };
        let values = rows().flat_map(|(_, it)| [it.estimate, it.low, it.high]);
        let values: Vec<f64> = values.collect();
        let x =
            Axis::new("added, µs", Scale::around_zero(values), 6, |tick| count_tick(tick).replace('-', "\u{2212}"));
        let tops = heights.scan(plot.top, |top, height| {
            let own = *top;
            *top += height;
            Some(own)
        });
        let content = html! {
            @for (tick, word) in plot.x_ticks(&x) {
                @let at = px(plot.x(&x, *tick));
                line.grid .zero[*tick == 0.0] x1=(at) x2=(at) y1=(px(plot.top)) y2=(px(plot.bottom())) {}
                text.tick.mid x=(at) y=(px(plot.bottom() + 14.0)) { (word) }
            }
            text.label.mid x=(px(plot.left + plot.width / 2.0)) y=(px(plot.bottom() + 29.0)) { (x.label) }
            @for (group, top) in self.groups.iter().zip(tops) { (drawn(group, top, &plot, &x)) }
        };
        svg(id, &self.title, &self.says, plot.bottom() + BOTTOM, &content)
    }
}

fn drawn(group: &Group, top: f64, plot: &Plot, x: &Axis) -> Markup {
    html! {
        g class=(class(group.style)) {
            path.mark d=(mark(group.style, 5.0, top + 11.0, 3.6)) {}
            text.name.strong x="14" y=(px(top + 11.0)) dy=".32em" data-t=(group.name) { (shortened(&group.name, NAME_LETTERS_MAX)) }
            @for (index, (name, it)) in group.rows.iter().enumerate() {
                @let y = top + HEAD + ROW * (index as f64 + 0.5);
                @let (low, high) = (plot.x(x, it.low), plot.x(x, it.high));
                @let says = format!("{} {name}: {} µs, {} to {}", group.name, signed(it.estimate), signed(it.low), signed(it.high));
                text.tick.end x=(px(LEFT - 10.0)) y=(px(y)) dy=".32em" { (name) }
                path.whisker d=(format!("M{} {}v6m0 -3H{}m0 -3v6", px(low), px(y - 3.0), px(high))) {}
                path.mark d=(mark(group.style, plot.x(x, it.estimate), y, 3.6)) data-t=(says) {}
                text.value.end x=(px(WIDTH)) y=(px(y)) dy=".32em" {
                    tspan.strong { (signed(it.estimate)) }
                    " " tspan.faint { (range(it)) }
                }
            }
        }
    }
}

/// Like `[64.1, 71.0]`.
fn range(interval: &Interval) -> String {
    let end = |value: f64| number(value).replace('-', "\u{2212}");
    format!("[{}, {}]", end(interval.low), end(interval.high))
}
