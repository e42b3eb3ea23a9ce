//! Scales of axes: a value to its place between 0 and 1, and the ticks that name places.
//!
//! Four of them: linear from zero; logarithmic; the "nines" of HdrHistogram's plots, where each decade is one more nine of the
//! quantile (`log10(1 / (1 - q))`); and one that is linear around zero and logarithmic away from it (`asinh`), for differences, which
//! can be negative and span decades. Whatever the input, a scale has a width above zero and places are finite.

/// Which value is where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    Linear {
        low: f64,
        high: f64,
    },
    Log {
        low: f64,
        high: f64,
    },
    /// With a place for the maximum, quantile 1, beyond the last nine.
    Nines {
        nines: f64,
        maximum: bool,
    },
    AroundZero {
        low: f64,
        high: f64,
        linear: f64,
    },
}

impl Scale {
    /// From zero to a round number that holds all values.
    pub fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let high = bounds(values).map_or(1.0, |(_, high)| high);
        let high = if high > SMALLEST { high } else { 1.0 };
        let step = round_step(high / 4.0);
        Self::Linear { low: 0.0, high: (high / step).ceil() * step }
    }

    /// From the first to the last value, not from zero: for time.
    pub fn exact(low: f64, high: f64) -> Self {
        Self::Linear { low, high: if high > low { high } else { low + 1.0 } }
    }

    /// Holds all values above zero, its ends at 1, 2 or 5 times a power of ten.
    pub fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = bounds(values.into_iter().filter(|value| *value > SMALLEST)).unwrap_or((1.0, 10.0));
        let (low, high) = (round_down(low), round_up(high));
        Self::Log { low, high: if high > low { high } else { low * 10.0 } }
    }

    /// Exactly from the first to the last value: for connections, which are powers of two.
    pub fn log_exact(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = bounds(values.into_iter().filter(|value| *value > SMALLEST)).unwrap_or((1.0, 10.0));
        Self::Log { low, high: if high > low { high } else { low * 2.0 } }
    }

    /// Up to the largest quantile below 1, at least to 99 %, and the maximum if it is there.
    pub fn nines(quantiles: impl IntoIterator<Item = f64>) -> Self {
        let (mut largest, mut maximum) = (0.0_f64, false);
        for quantile in quantiles {
            maximum |= quantile >= 1.0;
            largest = largest.max(if quantile < 1.0 { quantile } else { 0.0 });
        }
        let beyond = if maximum { MAXIMUM_WIDTH } else { 0.0 };
        Self::Nines { nines: nines_of(largest).clamp(2.0, NINES_MAX) + beyond, maximum }
    }

    /// Holds zero and all values. Linear as far as a tenth of the smallest that is not zero would be lost.
    pub fn around_zero(values: impl IntoIterator<Item = f64> + Clone) -> Self {
        let (low, high) = bounds(values.clone()).unwrap_or((0.0, 1.0));
        let smallest =
            bounds(values.into_iter().map(f64::abs).filter(|value| *value > SMALLEST)).map_or(1.0, |(low, _)| low);
        let widest = low.abs().max(high.abs()).max(SMALLEST);
        let linear = smallest.max(widest / 1e4);
        // Room on both sides, so that a whisker does not end on the frame.
        let room = |value: f64| ((value / linear).asinh() * 1.08).sinh() * linear;
        let (low, high) = (room(low.min(0.0)), room(high.max(0.0)));
        Self::AroundZero { low, high: if high > low { high } else { low + 1.0 }, linear }
    }

    /// 0 at the low end, 1 at the high end; what lies outside is put on the end.
    pub fn place(&self, value: f64) -> f64 {
        let between = |value: f64, low: f64, high: f64| (value - low) / (high - low);
        let place = match *self {
            Self::Linear { low, high } => between(value, low, high),
            Self::Log { low, high } => between(value.max(f64::MIN_POSITIVE).log10(), low.log10(), high.log10()),
            Self::Nines { nines, .. } => nines_of(value) / nines,
            Self::AroundZero { low, high, linear } => {
                let bent = |value: f64| (value / linear).asinh();
                between(bent(value), bent(low), bent(high))
            }
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }

    /// Values worth naming, in order, at most about `wanted` of them.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        let wanted = wanted.max(2);
        match *self {
            Self::Linear { low, high } => {
                let step = round_step((high - low) / wanted as f64);
                let first = (low / step).ceil() as i64;
                let last = (high / step + 1e-9).floor() as i64;
                (first..=last).map(|index| index as f64 * step).collect()
            }
            Self::Log { low, high } => log_ticks(low, high, wanted),
            Self::Nines { nines, maximum } => {
                let named = if maximum { nines - MAXIMUM_WIDTH } else { nines };
                let whole = (0..=(named + 1e-9).floor() as i32).map(|nines| 1.0 - 10.0_f64.powi(-nines));
                whole.chain(maximum.then_some(1.0)).collect()
            }
            Self::AroundZero { low, high, linear } => around_zero_ticks(low, high, linear, wanted),
        }
    }
}

/// More than the sixth nine takes a million requests in a slice of the curve: nobody reads beyond.
const NINES_MAX: f64 = 7.0;

/// In nines: as far as words stand apart.
const MAXIMUM_WIDTH: f64 = 0.75;

/// `log10(1 / (1 - q))`. One has infinitely many, and is put on the end.
fn nines_of(quantile: f64) -> f64 {
    if quantile >= 1.0 { NINES_MAX + 1.0 } else { -(1.0 - quantile.max(0.0)).log10() }
}

/// A quantile as percent, with as many nines as it has: `0%`, `90%`, `99.9%`, `max`.
pub fn percent(quantile: f64) -> String {
    if quantile >= 1.0 {
        return "max".to_owned();
    }
    let decimals = (nines_of(quantile) - 2.0 + 1e-6).floor().clamp(0.0, NINES_MAX) as usize;
    format!("{:.decimals$}%", quantile * 100.0)
}

/// Beyond these nothing is measured, and sums of what is drawn would not be finite.
const LARGEST: f64 = 1e18;
const SMALLEST: f64 = 1e-9;

fn bounds(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|value| value.is_finite()).fold(None, |bounds, value| {
        let value = value.clamp(-LARGEST, LARGEST);
        let (low, high) = bounds.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// Decades if they are enough, else also their fives and twos.
fn log_ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let within = |steps: &[f64]| {
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10.0_f64.powi(decade)));
        all.filter(|tick| *tick >= low * 0.999 && *tick <= high * 1.001).collect::<Vec<_>>()
    };
    let dense = [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]];
    let mut ticks = dense.iter().map(|steps| within(steps)).find(|ticks| ticks.len() <= wanted).unwrap_or_else(|| {
        let decades = within(&[1.0]);
        let every = decades.len().div_ceil(wanted);
        decades.into_iter().step_by(every).collect()
    });
    if ticks.len() < 2 {
        ticks = vec![low, high];
    }
    ticks
}

/// Zero, and decades beyond the linear part on both sides.
fn around_zero_ticks(low: f64, high: f64, linear: f64, wanted: usize) -> Vec<f64> {
    let decades = |end: f64| -> Vec<f64> {
        let first = (linear * 2.0).log10().floor() as i32;
        let last = if end > 0.0 { end.log10().floor() as i32 } else { first - 1 };
        (first..=last).map(|decade| 10.0_f64.powi(decade)).filter(|tick| *tick > linear && *tick <= end).collect()
    };
    let (below, above) = (decades(-low), decades(high));
    let every = (below.len() + above.len()).div_ceil(wanted - 1).max(1);
    let mut ticks: Vec<f64> = below.iter().rev().step_by(every).map(|tick| -tick).rev().collect();
    ticks.push(0.0);
    // From the outside in: the largest is what the eye looks for.
    let mut outer: Vec<f64> = above.iter().rev().step_by(every).copied().collect();
    outer.reverse();
    ticks.extend(outer);
    if ticks.len() == 1 {
        let step = round_step(high.max(-low) / 2.0);
        ticks.extend((1..).map(|index| f64::from(index) * step).take_while(|tick| *tick <= high));
    }
    ticks
}

/// The next of 1, 2, 5 times a power of ten that is not below `rough`.
fn round_step(rough: f64) -> f64 {
    if rough > 0.0 && rough.is_finite() { round_up(rough) } else { 1.0 }
}

fn round_up(value: f64) -> f64 {
    let decade = 10.0_f64.powi(value.log10().floor() as i32);
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|round| *round >= value * 0.999_999)
        .unwrap_or(value)
}

fn round_down(value: f64) -> f64 {
    let decade = 10.0_f64.powi(value.log10().floor() as i32);
    [5.0, 2.0, 1.0].into_iter().map(|step| step * decade).find(|round| *round <= value * 1.000_001).unwrap_or(value)
}

#[cfg(test)]
mod tests;
