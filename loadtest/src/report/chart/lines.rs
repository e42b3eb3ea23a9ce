//! Lines over two axes, each with its name at its right end.
//!
//! Names that would overlap are moved apart and tied to their line. What was refused is a cross on the x axis, not a point: a place
//! on the y axis would be a figure. Events are dotted lines with a number that the text below the chart explains.

use maud::{Markup, html};

use super::{Axis, Plot, class, dashes, mark, px, shortened, svg};

pub struct LineChart {
    pub title: String,
    pub says: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
    /// Places on x with a word each.
    pub events: Vec<(f64, String)>,
    pub crosses: Vec<Cross>,
    /// Of the part in which lines are drawn.
    pub height: f64,
}

pub struct Line {
    pub name: String,
    pub style: usize,
    /// Instead of the style's own: where lines of one target are to be told apart.
    pub dashes: Option<&'static str>,
    /// In order of x.
    pub points: Vec<Point>,
    /// Whether each point is something measured on its own; a curve has marks at its named quantiles only.
    pub marks: Marks,
}

pub struct Point {
    pub x: f64,
    /// Absent where nothing was measured: the line is broken there.
    pub y: Option<f64>,
    /// At the pointer.
    pub says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    Each,
    AtTicks,
    None,
}

/// Something that happened at a place on x: a refusal, errors.
pub struct Cross {
    pub x: f64,
    pub style: usize,
    pub says: String,
}

pub const TALL: f64 = 196.0;
pub const LOW: f64 = 112.0;
const BOTTOM: f64 = 36.0;
const NAME_LETTERS_MAX: usize = 11;

impl LineChart {
    fn plot(&self) -> Plot {
        Plot { left: 48.0, top: 22.0, width: 258.0, height: self.height }
    }

    pub fn svg(&self, id: &str) -> Markup {
        let plot = self.plot();
        let content = html! {
            (plot.axes(&self.x, &self.y))
            @for (index, (at, says)) in self.events.iter().enumerate() {
                @let x = px(plot.x(&self.x, *at));
                line.event x1=(x) x2=(x) y1=(px(plot.top - 2.0)) y2=(px(plot.bottom())) {}
                text.event-name.mid x=(x) y=(px(plot.top - 5.0)) data-t=(says) { (index + 1) }
            }
            @for line in &self.lines { (self.line(line)) }
            @for (row, cross) in self.crosses.iter().enumerate() {
                @let (x, y) = (plot.x(&self.x, cross.x), plot.bottom() - 5.0 - 7.0 * (row % CROSS_ROWS) as f64);
                path class=(format!("cross {}", class(cross.style))) data-t=(cross.says)
                    d=(format!("M{} {}l6 6m0 -6l-6 6", px(x - 3.0), px(y - 3.0))) {}
            }
            (self.names())
        };
        svg(id, &self.title, &self.says, plot.bottom() + BOTTOM, &content)
    }

    fn line(&self, line: &Line) -> Markup {
        let plot = self.plot();
        let places: Vec<_> =
            line.points.iter().map(|point| (plot.x(&self.x, point.x), point.y.map(|y| plot.y(&self.y, y)))).collect();
        let mut path = String::new();
        for (x, y) in &places {
            // A line that was broken begins anew.
            let command = if y.is_none() || path.is_empty() || path.ends_with(' ') { "M" } else { "L" };
            match y {
                Some(y) => path += &format!("{command}{} {}", px(*x), px(*y)),
                None if path.is_empty() => {}
                None => path.push(' '),
            }
        }
        let alone = |index: usize| {
            let there =
                |index: Option<usize>| index.and_then(|index| places.get(index)).is_some_and(|(_, y)| y.is_some());
            !there(index.checked_sub(1)) && !there(index.checked_add(1))
        };
        let marked = |index: usize| match line.marks {
            Marks::Each => true,
            Marks::AtTicks => self.is_at_a_tick(line, index),
            Marks::None => false,
        };
        html! {
            g class=(class(line.style)) {
                @if path.contains('L') {
                    path.line d=(path.trim()) stroke-dasharray=(line.dashes.unwrap_or(dashes(line.style))) {}
                }
                @for (index, (point, (x, y))) in line.points.iter().zip(&places).enumerate() { @if let Some(y) = y {
                    @if marked(index) || alone(index) { path.mark d=(mark(line.style, *x, *y, 3.2)) data-t=(point.says) {} }
                    @else { path.point d=(format!("M{} {}h0", px(*x), px(*y))) data-t=(point.says) {} }
                } }
            }
        }
    }

    /// The first point at or beyond a tick of x.
    fn is_at_a_tick(&self, line: &Line, index: usize) -> bool {
        let before = index.checked_sub(1).map_or(f64::NEG_INFINITY, |index| line.points[index].x);
        self.x.ticks.iter().any(|(tick, _)| before < *tick - 1e-9 && *tick - 1e-9 <= line.points[index].x)
    }

    fn names(&self) -> Markup {
        let plot = self.plot();
        let ends: Vec<_> = self
            .lines
            .iter()
            .filter_map(|line| {
                let (x, y) = line.points.iter().rev().find_map(|last| Some((last.x, last.y?)))?;
                Some((line, plot.x(&self.x, x), plot.y(&self.y, y)))
            })
            .collect();
        let places = apart(&ends.iter().map(|(_, _, y)| *y).collect::<Vec<_>>(), plot.top - 4.0, plot.bottom() + 8.0);
        let left = plot.right() + 10.0;
        html! {
            @for ((line, x, y), place) in ends.iter().zip(places) {
                g class=(class(line.style)) {
                    path.tie d=(format!("M{} {}L{} {}", px(x + 4.0), px(*y), px(left - 2.0), px(place))) {}
                    @if line.marks == Marks::None {
                        path.line d=(format!("M{} {}h14", px(left), px(place))) stroke-dasharray=(line.dashes.unwrap_or(dashes(line.style))) {}
                    } @else { path.mark d=(mark(line.style, left + 4.0, place, 3.2)) {} }
                    @let gap = if line.marks == Marks::None { 18.0 } else { 11.0 };
                    text.name x=(px(left + gap)) y=(px(place)) dy=".32em" data-t=(line.name) {
                        (shortened(&line.name, NAME_LETTERS_MAX))
                    }
                }
            }
        }
    }
}

/// Crosses at one place stand above each other.
const CROSS_ROWS: usize = 6;

/// Places as near to those wanted as leaves a line of text between each two, inside of two ends if they fit.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let gap = ((bottom - top) / wanted.len().max(1) as f64).min(LINE_HEIGHT);
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|left, right| wanted[*left].total_cmp(&wanted[*right]));
    let mut places = wanted.to_vec();
    let mut free = top;
    for &index in &order {
        places[index] = places[index].max(free);
        free = places[index] + gap;
    }
    let mut free = bottom;
    for &index in order.iter().rev() {
        places[index] = places[index].min(free);
        free = places[index] - gap;
    }
    places
}

const LINE_HEIGHT: f64 = 13.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_moved_apart_and_stay_inside() {
        assert_eq!(apart(&[50.0, 10.0], 0.0, 100.0), [50.0, 10.0]);
        assert_eq!(apart(&[50.0, 50.0], 0.0, 100.0), [50.0, 63.5]);
        assert_eq!(apart(&[100.0, 99.0], 0.0, 100.0), [100.0, 86.5]);
        let many = apart(&[5.0; 40], 0.0, 200.0);
        assert!(many.iter().all(|place| (0.0..=200.0).contains(place)), "{many:?}");
        assert_eq!(apart(&[], 0.0, 1.0), [0.0; 0]);
    }
}
