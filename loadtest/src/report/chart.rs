//! Charts as inline SVG: a frame with axes, and how a target is told from another.
//!
//! A target is told apart by four things at once: colour, dash pattern, shape of its marks, and its name beside the line. So a chart
//! reads in grey, in print and for every kind of colour vision. Colours are CSS variables that change with the light or dark scheme, and
//! everything else is `currentColor` or a class of page.css; no chart carries a colour of its own.
//!
//! Why our own: of the libraries at hand, `plotters` writes colours as numbers into each element, and its dashed lines as one element
//! for each dash; `charts-rs` does the first and measures text with fonts that it brings along; `charming` needs a megabyte of script in
//! the page, or a script engine in the binary. None has the nines scale or text alternatives. What is needed is lines, dots and
//! bars, which `maud` writes as it writes the page, with the same escaping.
//!
//! All charts are 400 units wide and are shown at about that width, three, two or one beside each other; so type is the same size
//! everywhere, on a phone too. `title` and `desc` name each chart; its numbers stand in a table below it. What carries
//! `data-t` is found by the script of the page, which shows that text at the pointer.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::scale::Scale;
use crate::results::Results;

pub mod bars;
pub mod forest;
pub mod lines;

pub const WIDTH: f64 = 400.0;

/// Which looks a target has: the same in each chart of a report.
pub struct Styles {
    by_target: BTreeMap<String, usize>,
}

impl Styles {
    /// The baselines share the first, neutral style; the others get theirs in the order in which they appear.
    pub fn new(results: &Results) -> Self {
        let mut by_target = BTreeMap::new();
        let mut next = 1;
        for target in results.scenarios.iter().flat_map(|scenario| &scenario.targets) {
            if !by_target.contains_key(&target.name) {
                let style = if target.baseline { 0 } else { next };
                next += usize::from(!target.baseline);
                by_target.insert(target.name.clone(), style);
            }
        }
        Self { by_target }
    }

    pub fn of(&self, target: &str) -> usize {
        self.by_target.get(target).copied().unwrap_or(0)
    }
}

/// The class that sets `--c`. More targets than colours: dashes and shapes have other periods, so pairs stay different.
pub fn class(style: usize) -> String {
    if style == 0 { "s0".to_owned() } else { format!("s{}", (style - 1) % COLOURS + 1) }
}

/// As many as page.css has beside the neutral one.
pub const COLOURS: usize = 7;

pub fn dashes(style: usize) -> &'static str {
    const DASHES: [&str; 5] = ["none", "7 3", "2 2.5", "9 3 2 3", "4 2"];
    match style {
        0 => "1 3",
        _ => DASHES[(style - 1) % DASHES.len()],
    }
}

/// A mark with its middle at a place.
pub fn mark(style: usize, x: f64, y: f64, size: f64) -> String {
    let at = |dx: f64, dy: f64| format!("{} {}", px(x + dx * size), px(y + dy * size));
    let polygon = |corners: &[(f64, f64)]| {
        let corners: Vec<_> = corners.iter().map(|(dx, dy)| at(*dx, *dy)).collect();
        format!("M{}Z", corners.join("L"))
    };
    let circle = || {
        let r = px(size);
        format!("M{}a{r} {r} 0 1 0 {} 0a{r} {r} 0 1 0 -{} 0Z", at(-1.0, 0.0), px(size * 2.0), px(size * 2.0))
    };
    match style {
        0 => polygon(&[(-0.35, -1.1), (0.35, -1.1), (0.35, 1.1), (-0.35, 1.1)]),
        _ => match (style - 1) % 6 {
            0 => circle(),
            1 => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            2 => polygon(&[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)]),
            3 => polygon(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]),
            4 => polygon(&[(0.0, 1.25), (1.15, -0.85), (-1.15, -0.85)]),
            _ => polygon(&[(-1.2, -0.4), (1.2, -0.4), (1.2, 0.4), (-1.2, 0.4)]),
        },
    }
}

/// About, in the type of page.css: no font is asked, and none is known.
pub const LETTER_WIDTH: f64 = 6.6;

/// A coordinate: a tenth of a unit is finer than a screen shows.
pub fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// At most so many letters. The full name stands in the table, and at the pointer.
pub fn shortened(name: &str, letters_max: usize) -> String {
    if name.chars().count() <= letters_max {
        return name.to_owned();
    }
    let kept: String = name.chars().take(letters_max - 1).collect();
    format!("{}…", kept.trim_end())
}

/// An SVG of [`WIDTH`] with its text alternative. `id` is unique in the page.
pub fn svg(id: &str, title: &str, says: &str, height: f64, content: &Markup) -> Markup {
    let (title_id, says_id) = (format!("{id}-t"), format!("{id}-d"));
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {}", px(height))) role="img" aria-labelledby=(format!("{title_id} {says_id}")) {
            title id=(title_id) { (title) }
            desc id=(says_id) { (says) }
            (content)
        }
    }
}

/// A scale with its words.
pub struct Axis {
    pub scale: Scale,
    pub label: String,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    pub fn new(label: &str, scale: Scale, wanted: usize, word: impl Fn(f64) -> String) -> Self {
        let ticks = scale.ticks(wanted).into_iter().map(|tick| (tick, word(tick))).collect();
        Self { scale, label: label.to_owned(), ticks }
    }
}

/// Where in the SVG data is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Plot {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Plot {
    /// Those of x whose words do not run into each other, counted from the right: the largest is named.
    pub fn x_ticks<'a>(&self, x: &'a Axis) -> Vec<&'a (f64, String)> {
        let mut free = f64::INFINITY;
        let fits = |tick: &&(f64, String)| {
            let half = tick.1.chars().count() as f64 * LETTER_WIDTH / 2.0;
            let at = self.x(x, tick.0);
            let fits = at + half <= free;
            if fits {
                free = at - half - LETTER_WIDTH;
            }
            fits
        };
        let mut ticks: Vec<_> = x.ticks.iter().rev().filter(fits).collect();
        ticks.reverse();
        ticks
    }

    pub fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.left + axis.scale.place(value) * self.width
    }

    pub fn y(&self, axis: &Axis, value: f64) -> f64 {
        self.top + (1.0 - axis.scale.place(value)) * self.height
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Grid, tick words and labels. The label of y stands above its axis, where it reads without turning the head.
    pub fn axes(&self, x: &Axis, y: &Axis) -> Markup {
        let (left, right, bottom) = (px(self.left), px(self.right()), px(self.bottom()));
        html! {
            @for (tick, word) in &y.ticks {
                @let at = px(self.y(y, *tick));
                line.grid x1=(left) x2=(right) y1=(at) y2=(at) {}
                text.tick.end x=(px(self.left - 6.0)) y=(at) dy=".32em" { (word) }
            }
            line.axis x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
            @for (tick, word) in self.x_ticks(x) {
                @let at = px(self.x(x, *tick));
                line.axis x1=(at) x2=(at) y1=(bottom) y2=(px(self.bottom() + 4.0)) {}
                text.tick.mid x=(at) y=(px(self.bottom() + 16.0)) { (word) }
            }
            text.label x="0" y="10" { (y.label) }
            text.label.end x=(right) y=(px(self.bottom() + 31.0)) { (x.label) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_that_are_near_each_other_differ_in_more_than_colour() {
        let looks = |style| (dashes(style), mark(style, 0.0, 0.0, 1.0));
        for style in 1..12 {
            for other in style + 1..12 {
                assert_ne!(looks(style), looks(other), "{style} and {other}");
            }
        }
        assert_eq!(
            (class(0), class(1), class(COLOURS), class(COLOURS + 1)),
            ("s0".into(), "s1".into(), "s7".into(), "s1".into())
        );
    }

    #[test]
    fn names_are_shortened_by_letters_and_not_by_bytes() {
        assert_eq!(shortened("ringway", 7), "ringway");
        assert_eq!(shortened("日本語の名前です", 5), "日本語の…");
        assert_eq!(shortened("a very long name", 8), "a very…");
    }
}
