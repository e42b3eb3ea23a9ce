//! Proves that the generator and the simulators are not what is measured.
//!
//! The same traffic as in the scenario, in a closed loop straight at a simulator: what they reach together is the ceiling of every figure.
//! An open loop is only measured below half of it. With less room, queues in the generator would be taken for the target's.

use std::io;

use super::spread::median;
use super::traffic::{Traffic, window};
use super::watch::Watch;
use crate::load::Pattern;
use crate::results::{Calibration, Spread};

/// Ceiling over offered rate.
pub const HEADROOM_MIN: f64 = 2.0;

pub fn measure(
    traffic: &mut Traffic,
    connections: usize,
    repetitions: usize,
    window_s: f64,
) -> io::Result<Calibration> {
    let (mut rps, mut cpu_us) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let nobody = Watch { pid: None, upstream_requests: &|| None, perf: None };
        let seen = traffic.watched(&window(Pattern::Closed, window_s / 2.0, window_s), &nobody)?;
        rps.push(seen.offered.report.rps);
        cpu_us.push(seen.load_cores * seen.seconds * 1e6 / seen.requests.max(1) as f64);
    }
    Ok(Calibration { connections, rps: Spread::of(rps), headroom: None, load_cpu_us_per_request: median(&mut cpu_us) })
}

/// Sets the headroom over what a scenario offers, and says why that is too little.
pub fn refuse(calibration: &mut Calibration, offered_per_s: f64) -> Option<String> {
    let ceiling = calibration.rps.median;
    let headroom = ceiling / offered_per_s.max(1e-9);
    calibration.headroom = Some(headroom);
    (headroom < HEADROOM_MIN).then(|| {
        format!(
            "Generator and simulator reach {ceiling:.0} requests/s without a gateway, {headroom:.1} times the {offered_per_s:.0} that are \
             offered. Below {HEADROOM_MIN} times, what would be measured is them: lower the rate, or give the load more CPUs or connections."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::refuse;
    use crate::results::{Calibration, Spread};

    #[test]
    fn less_than_twice_the_rate_is_refused() {
        let check = |ceiling: f64, offered: f64, refused: bool| {
            let rps = Spread::of(vec![ceiling; 5]);
            let mut calibration = Calibration { connections: 1, rps, headroom: None, load_cpu_us_per_request: 1.0 };
            assert_eq!(refuse(&mut calibration, offered).is_some(), refused, "{ceiling} {offered}");
            assert_eq!(calibration.headroom, Some(ceiling / offered));
        };
        check(2_000.0, 1_000.0, false);
        check(1_999.0, 1_000.0, true);
        check(0.0, 1_000.0, true);
    }
}
