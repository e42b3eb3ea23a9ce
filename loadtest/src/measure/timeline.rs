//! One long open loop in which things happen, with the target's memory read beside it: failovers, brown-outs, soaks.
//!
//! Events count from the end of the warm-up, like everything that is reported. A slope of the memory is only told over a half of two
//! minutes and more, and with its interval.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::absolute::Absolute;
use super::process::resident_bytes;
use super::traffic::Traffic;
use crate::load::Window;
use crate::scenario::Event;

/// Between two looks at the memory and the clock.
const LOOK: Duration = Duration::from_millis(250);

pub struct Measured {
    pub absolute: Absolute,
    /// Of traffic beside the measured one, by its name.
    pub beside: Vec<(String, BTreeMap<String, u64>)>,
    /// Seconds and resident bytes.
    pub resident: Vec<(f64, u64)>,
}

/// Runs the window; `act` makes an event happen, `each_look` hears the seconds that have passed.
pub fn measure(
    traffic: &mut Traffic,
    pid: Option<u32>,
    window: &Window,
    events: &[Event],
    mut act: impl FnMut(&Event) -> io::Result<()>,
    mut each_look: impl FnMut(f64) -> io::Result<()>,
) -> io::Result<Measured> {
    let mut due: Vec<&Event> = events.iter().collect();
    due.sort_by(|a, b| b.at_s.total_cmp(&a.at_s));
    let mut resident = Vec::new();
    let begin = Instant::now() + window.warmup;
    let offered = std::thread::scope(|scope| {
        let run = std::thread::Builder::new().name("window".to_owned());
        let running = run.spawn_scoped(scope, || traffic.window(window))?;
        while !running.is_finished() {
            let now_s = Instant::now().saturating_duration_since(begin).as_secs_f64();
            while let Some(event) = due.pop_if(|event| Instant::now() >= begin && event.at_s <= now_s) {
                act(event)?;
            }
            if Instant::now() >= begin && now_s <= window.time.as_secs_f64() {
                resident.extend(pid.and_then(resident_bytes).map(|bytes| (now_s, bytes)));
                each_look(now_s)?;
            }
            let next = due.last().map(|event| begin + Duration::try_from_secs_f64(event.at_s).unwrap_or_default());
            let next_look = Instant::now() + LOOK;
            std::thread::sleep(next.unwrap_or(next_look).min(next_look).saturating_duration_since(Instant::now()));
        }
        running.join().map_err(|_| io::Error::other("the load generator panicked"))?
    })?;
    let mut absolute = Absolute::default();
    absolute.add(Duration::ZERO, offered.report);
    for slice in &mut absolute.slices {
        let near = resident.iter().find(|(at_s, _)| *at_s >= slice.at_s);
        slice.resident_bytes = near.map(|(_, bytes)| *bytes);
    }
    let beside = offered.beside.into_iter().map(|(name, report)| (name, report.errors)).collect();
    Ok(Measured { absolute, beside, resident })
}

/// Bytes per hour over the second half: the first fills pools and caches. In 19 of 20 runs the true slope is within `low` and `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// The shortest half that says anything. An allocator that gives memory back every few seconds makes steps which look like
/// megabytes an hour within less.
const SLOPE_S_MIN: f64 = 120.0;

/// Pieces of the half. Readings follow each other closely and are no witnesses of their own; means of pieces of 12 s and more nearly are.
const PIECES: usize = 10;

/// Student's t for 95 % and `PIECES - 2` degrees of freedom.
const T: f64 = 2.306;

/// By least squares over the means of the pieces, or why nothing can be said.
pub fn slope(resident: &[(f64, u64)]) -> Result<Slope, String> {
    let (Some((first_s, _)), Some((last_s, _))) = (resident.first(), resident.last()) else {
        return Err("its memory could not be read".to_owned());
    };
    let (half_s, begin_s) = ((last_s - first_s) / 2.0, f64::midpoint(*first_s, *last_s));
    if half_s < SLOPE_S_MIN {
        return Err(format!(
            "the second half lasted {half_s:.0} s; below {SLOPE_S_MIN:.0} s a slope is what the allocator did last"
        ));
    }
    let mut pieces = [(0.0, 0.0, 0.0); PIECES];
    for (at_s, bytes) in resident.iter().filter(|(at_s, _)| *at_s >= begin_s) {
        let piece = ((at_s - begin_s) / half_s * PIECES as f64) as usize;
        let (count, seconds, sum) = &mut pieces[piece.min(PIECES - 1)];
        (*count, *seconds, *sum) = (*count + 1.0, *seconds + at_s, *sum + *bytes as f64);
    }
    if pieces.iter().any(|(count, ..)| *count == 0.0) {
        return Err("its memory was read too seldom".to_owned());
    }
    let means = pieces.map(|(count, seconds, sum)| (seconds / count, sum / count));
    let mean_s = means.iter().map(|(at_s, _)| at_s).sum::<f64>() / PIECES as f64;
    let mean_bytes = means.iter().map(|(_, bytes)| bytes).sum::<f64>() / PIECES as f64;
    let spread: f64 = means.iter().map(|(at_s, _)| (at_s - mean_s).powi(2)).sum();
    let slope = means.iter().map(|(at_s, bytes)| (at_s - mean_s) * (bytes - mean_bytes)).sum::<f64>() / spread;
    let residual = |(at_s, bytes): &(f64, f64)| (bytes - mean_bytes - slope * (at_s - mean_s)).powi(2);
    let error = (means.iter().map(residual).sum::<f64>() / (PIECES as f64 - 2.0) / spread).sqrt();
    let per_hour = |per_second: f64| per_second * 3_600.0;
    Ok(Slope { estimate: per_hour(slope), low: per_hour(slope - T * error), high: per_hour(slope + T * error) })
}

#[cfg(test)]
mod tests {
    use super::slope;

    fn line(seconds: u64, bytes: impl Fn(u64) -> u64) -> Vec<(f64, u64)> {
        (0..=seconds).map(|s| (s as f64, bytes(s))).collect()
    }

    #[test]
    fn a_slope_is_that_of_the_second_half() {
        let level = slope(&line(600, |_| 1_000)).expect("long enough");
        assert_eq!((level.estimate, level.low, level.high), (0.0, 0.0, 0.0));
        let grows = slope(&line(600, |s| 10 * s)).expect("long enough");
        assert!((grows.estimate - 36_000.0).abs() < 1e-3 && grows.high - grows.low < 1e-3, "{grows:?}");
        // Fills at first, and is level then.
        let fills = slope(&line(600, |s| (s * 100).min(25_000))).expect("long enough");
        assert_eq!(fills.estimate, 0.0);
    }

    #[test]
    fn steps_up_and_down_are_within_the_interval() {
        // A purge every 45 s drops what was gathered: no growth, whichever part of a saw is seen.
        let saw = slope(&line(600, |s| 1_000_000 + 10_000 * (s % 45))).expect("long enough");
        assert!(saw.low < 0.0 && saw.high > 0.0, "{saw:?}");
        let both = slope(&line(600, |s| 1_000_000 + 10_000 * (s % 45) + 5_000 * s)).expect("long enough");
        assert!(both.low > 0.0 && both.low < 18e6 && both.high > 18e6, "{both:?}");
    }

    #[test]
    fn a_window_that_is_too_short_has_no_slope() {
        let said = |readings: &[(f64, u64)]| slope(readings).expect_err("nothing can be said");
        assert!(said(&line(239, |s| s)).contains("lasted 120 s; below 120 s"));
        assert!(slope(&line(240, |s| s)).is_ok());
        assert!(said(&[]).contains("could not be read"));
        assert!(said(&[(0.0, 1), (1_000.0, 2)]).contains("too seldom"));
    }
}
