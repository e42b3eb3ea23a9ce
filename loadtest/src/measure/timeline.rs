//! One long open loop in which things happen, with the target's memory read beside it: failovers, brown-outs, soaks.
//!
//! Events count from the end of the warm-up, like everything that is reported.

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

/// Bytes per hour by least squares over the second half: the first fills pools and caches.
pub fn slope_bytes_per_hour(resident: &[(f64, u64)]) -> Option<f64> {
    let half = &resident[resident.len() / 2..];
    if half.len() < 3 {
        return None;
    }
    let count = half.len() as f64;
    let mean_s = half.iter().map(|(at_s, _)| at_s).sum::<f64>() / count;
    let mean_bytes = half.iter().map(|(_, bytes)| *bytes as f64).sum::<f64>() / count;
    let covariance: f64 = half.iter().map(|(at_s, bytes)| (at_s - mean_s) * (*bytes as f64 - mean_bytes)).sum();
    let variance: f64 = half.iter().map(|(at_s, _)| (at_s - mean_s).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance * 3_600.0)
}

#[cfg(test)]
mod tests {
    use super::slope_bytes_per_hour;

    #[test]
    fn a_slope_is_that_of_the_second_half() {
        let line = |bytes: fn(u64) -> u64| (0..100).map(|s| (s as f64, bytes(s))).collect::<Vec<_>>();
        assert_eq!(slope_bytes_per_hour(&line(|_| 1_000)), Some(0.0));
        let grows = slope_bytes_per_hour(&line(|s| 10 * s)).expect("there is a slope");
        assert!((grows - 36_000.0).abs() < 1e-3, "{grows}");
        // Fills at first, and is level then.
        assert_eq!(slope_bytes_per_hour(&line(|s| (s * 100).min(5_000))), Some(0.0));
        assert_eq!(slope_bytes_per_hour(&[(0.0, 1), (1.0, 2)]), None);
    }
}
