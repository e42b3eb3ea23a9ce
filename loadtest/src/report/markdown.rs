//! The report as Markdown: the same tables as the page, without the curves.
//!
//! For pull requests, issues and terminals. Every text from the results is escaped: GitHub and others let HTML through.

use super::numbers::{count, duration, number};
use super::table::escaped;
use super::troubles::troubles;
use super::{environment, tables};
use crate::results::{Calibration, Results, Scenario};

pub fn markdown(results: &Results) -> String {
    let mut text = format!("# {}\n\n", escaped(&results.title));
    let scenarios = results.scenarios.len();
    text += &format!("Begun {}, took {}, scenarios: {scenarios}.\n", escaped(&results.began), duration(results.took_s));
    let troubles = troubles(results);
    if !troubles.is_empty() {
        text += "\n## Failures and refusals\n\n";
        for trouble in troubles {
            let target = trouble.target.map_or(String::new(), |target| format!(", {}", escaped(&target)));
            let (kind, scenario) = (trouble.kind.name(), escaped(&trouble.scenario));
            text += &format!("- **{kind}** · {scenario}{target}: {}\n", escaped(&trouble.says));
        }
    }
    text += &format!("\n## Summary\n\n{}", tables::headline(results).markdown());
    text += "\nAdded: through the target less direct, measured in turn, with its confidence interval. Other ranges are the lowest and \
             highest repetition. A dash is what was not measured.\n";
    for scenario in &results.scenarios {
        text += &of_scenario(scenario);
    }
    text += "\n## Environment\n\n";
    for (name, value) in environment::lines(results) {
        text += &format!("- {}: {}\n", escaped(&name), escaped(&value));
    }
    text
}

fn of_scenario(scenario: &Scenario) -> String {
    let mut text = format!("\n## {}\n\n{}\n", escaped(&scenario.name), escaped(&scenario.says));
    if let Some(reason) = &scenario.refused {
        text += &format!("\n**Refused: {}**\n", escaped(reason));
    }
    if let Some(calibration) = &scenario.calibration {
        text += &format!("\n{}\n", escaped(&ceiling(calibration)));
    }
    for table in tables::of_scenario(scenario) {
        text += &format!("\n### {}\n\n{}", escaped(&table.caption), table.markdown());
    }
    let events = scenario.targets.iter().flat_map(|target| target.events.iter().map(move |event| (target, event)));
    for (index, (target, event)) in events.enumerate() {
        let head = if index == 0 { "\n### Events\n\n" } else { "" };
        text += &format!("{head}- {}, at {}: {}\n", escaped(&target.name), duration(event.at_s), escaped(&event.says));
    }
    if !scenario.not_shown.is_empty() {
        text += "\n### What this does not show\n\n";
        for sentence in &scenario.not_shown {
            text += &format!("- {}\n", escaped(sentence));
        }
    }
    text
}

/// What generator and simulator reach without a gateway, in a sentence.
pub fn ceiling(calibration: &Calibration) -> String {
    let headroom =
        calibration.headroom.map_or(String::new(), |times| format!(", {} times the offered rate", number(times)));
    format!(
        "The measure's own ceiling, without a gateway: {}/s at {} connections{headroom}; the generator used {} µs of CPU per request.",
        number(calibration.rps.median),
        count(calibration.connections as u64),
        number(calibration.load_cpu_us_per_request)
    )
}
