//! A scenario in less time, for a first look and for tests.
//!
//! All windows shrink by the same factor; blocks and repetitions stay, because what is said about them (an interval, a spread) needs their
//! number. Results of a shortened run say so: windows of a tenth of a second hold too few requests for a p99.9.

use super::Scenario;

/// The shortest window, and how many requests fit into one of an open loop at least: a window without any says nothing.
const WINDOW_S_MIN: f64 = 0.05;
const REQUESTS_MIN: f64 = 5.0;

impl Scenario {
    /// So that it takes about `seconds` for so many targets. What is quicker already stays as it is.
    pub fn shorten(&mut self, seconds: f64, targets: usize) {
        let expected_s = self.expected_s(targets);
        if expected_s <= seconds || expected_s <= 0.0 {
            return;
        }
        let factor = (seconds / expected_s).max(0.0);
        self.scale(factor);
        self.not_shown.push(format!(
            "Steady figures: windows were shortened to {:.0} % of what the scenario asks for, to fit into {seconds:.0} s.",
            factor * 100.0
        ));
    }

    fn scale(&mut self, factor: f64) {
        let stream_s = self.stream_s();
        let no_less = |s: &mut f64, least_s: f64| *s = (*s * factor).max(least_s.min(*s));
        let window = |s: &mut f64| no_less(s, WINDOW_S_MIN);
        let pause = |s: &mut f64| *s *= factor;
        if let Some(it) = &mut self.latency {
            no_less(&mut it.window_s, WINDOW_S_MIN.max(REQUESTS_MIN / it.rate));
            pause(&mut it.warmup_s);
        }
        if let Some(it) = &mut self.throughput {
            window(&mut it.window_s);
            pause(&mut it.warmup_s);
        }
        if let Some(it) = &mut self.sustained {
            window(&mut it.window_s);
            pause(&mut it.warmup_s);
        }
        if let Some(it) = &mut self.cost {
            // Streams that take turns: less than one of them would show where in it they are.
            no_less(&mut it.window_s, WINDOW_S_MIN.max(stream_s));
            no_less(&mut it.warmup_s, stream_s);
        }
        if let Some(it) = &mut self.memory {
            window(&mut it.load_s);
            pause(&mut it.settle_s);
        }
        if let Some(it) = &mut self.timeline {
            window(&mut it.seconds);
            it.events.iter_mut().for_each(|event| pause(&mut event.at_s));
        }
        if let Some(it) = &mut self.soak {
            window(&mut it.seconds);
        }
    }
}
