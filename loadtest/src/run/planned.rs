//! What a run is going to do, and how long that takes: known before anything is started.

use std::fmt::Write as _;

use super::Options;
use crate::scenario::Scenario;
use crate::target::{Ringway, Spec};

/// One scenario as it will be run.
pub struct Planned {
    /// Within the budget; without the measures that there is no time for.
    pub scenario: Scenario,
    pub targets: Vec<Spec>,
    /// Sentences: what is shorter than the scenario asks for, and what is left out.
    pub shortened: Vec<String>,
    pub left_out: Vec<String>,
}

impl Planned {
    fn of(scenario: &Scenario, options: &Options) -> Planned {
        let targets = options.targets_of(scenario);
        let budget_s = options.seconds.map_or(f64::INFINITY, |seconds| seconds * targets.len() as f64);
        let fitted = scenario.fit(budget_s, targets.len());
        Planned { scenario: fitted.scenario, targets, shortened: fitted.shortened, left_out: fitted.left_out }
    }

    /// Without the time in which targets start.
    pub fn seconds(&self) -> f64 {
        if self.has_no_time() { 0.0 } else { self.scenario.expected_s(self.targets.len()) }
    }

    /// Whether nothing but the calibration is left.
    pub fn has_no_time(&self) -> bool {
        self.scenario.measures(self.targets.len()).len() <= 1
    }
}

impl Options {
    /// What is measured in a scenario: its own forms of Ringway, or what was named.
    fn targets_of(&self, scenario: &Scenario) -> Vec<Spec> {
        let ringway = self.targets.iter().find_map(|spec| match spec {
            Spec::Ringway(ringway) => Some(ringway),
            _ => None,
        });
        match ringway {
            Some(plain) if !scenario.targets.is_empty() => {
                scenario.targets.iter().map(|target| Spec::Ringway(Ringway::variant(target, &plain.binary))).collect()
            }
            _ => self.targets.clone(),
        }
    }

    pub fn plan(&self) -> Vec<Planned> {
        self.scenarios.iter().map(|scenario| Planned::of(scenario, self)).collect()
    }
}

/// For a terminal.
pub fn text(plan: &[Planned]) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut text, plan);
    text
}

fn write(text: &mut String, plan: &[Planned]) -> std::fmt::Result {
    for planned in plan {
        let names: Vec<&str> = planned.targets.iter().map(Spec::name).collect();
        let each_s = planned.seconds() / names.len().max(1) as f64;
        writeln!(
            text,
            "plan: {}: {}, {} for each of {}: {}",
            planned.scenario.name,
            duration(planned.seconds()),
            duration(each_s),
            names.len(),
            names.join(", ")
        )?;
        if !planned.has_no_time() {
            let measures = planned.scenario.measures(names.len()).into_iter();
            let measures: Vec<_> = measures.map(|(measure, s)| format!("{} {}", measure.name(), duration(s))).collect();
            writeln!(text, "        {}", measures.join(", "))?;
        }
        planned.shortened.iter().chain(&planned.left_out).try_for_each(|says| writeln!(text, "        {says}"))?;
    }
    let whole_s: f64 = plan.iter().map(Planned::seconds).sum();
    writeln!(text, "plan: {} in all, and the time in which targets start", duration(whole_s))
}

/// As people say it.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..120 => format!("{whole} s"),
        120..7_200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_said_as_people_say_them() {
        let check = |seconds, expected: &str| assert_eq!(duration(seconds), expected);
        check(0.04, "0.0 s");
        check(9.4, "9.4 s");
        check(119.4, "119 s");
        check(125.0, "2 min 5 s");
        check(7_260.0, "2 h 1 min");
    }
}
