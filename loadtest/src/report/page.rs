//! The report as one HTML page that needs nothing else: no network, font, image or script from elsewhere.
//!
//! It is complete without its script, which only shows the number under the pointer. A content policy forbids everything but the
//! page's own style and that one script (by its hash), so text from the results could do nothing even if escaping failed; `maud`
//! escapes every interpolated text. Failures and refusals stand above the first figure.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Styles, class, dashes, mark};
use super::figures::{self, Figure};
use super::numbers::{count, duration};
use super::table::Table;
use super::troubles::{Kind, Trouble, troubles};
use super::{environment, markdown, tables};
use crate::results::{Results, Scenario};

pub const STYLE: &str = include_str!("page/page.css");
pub const SCRIPT: &str = include_str!("page/page.js");

/// SHA-256 of [`SCRIPT`]. A browser that finds another says which; the rendering test looks for that.
const SCRIPT_HASH: &str = "sha256-9jqGfbCR/mv4JFOZBCT8ChEh4A7bcaHAcudpBuISNm8=";

pub fn html(results: &Results) -> String {
    let styles = Styles::new(results);
    let troubles = troubles(results);
    let everywhere = said_everywhere(results);
    let content = html! {
        header.top {
            h1 { (results.title) }
            p.meta {
                span { (results.began) } span { "took " (duration(results.took_s)) }
                span { (results.environment.cpu) } span { "Linux " (results.environment.kernel.trim_start_matches("Linux ")) }
            }
        }
        (what_failed(&troubles))
        nav aria-label="Contents" {
            a href="#summary" { "Summary" }
            @for (index, scenario) in results.scenarios.iter().enumerate() {
                a href=(format!("#{}", id(index))) .bad[is_troubled(&troubles, scenario)] {
                    (scenario.name) @if is_troubled(&troubles, scenario) { span.sign title="failures or refusals" { " ▲" } }
                }
            }
            a href="#environment" { "Environment" }
        }
        main {
            section #summary {
                h2 { "Summary" }
                (tables::headline(results).html())
                p.small {
                    "Added: through the target less direct, measured in turn (ABBA), with its confidence interval. Other ranges are the "
                    "lowest and highest repetition. A dash is what was not measured. Compare within this report only: the machine's "
                    "speed differs from run to run."
                }
            }
            @for (index, scenario) in results.scenarios.iter().enumerate() {
                (section(scenario, &id(index), &styles, &troubles, &everywhere))
            }
            section #environment {
                h2 { "Environment" }
                div.boxes {
                    dl.box {
                        @for (name, value) in environment::lines(results) { div { dt { (name) } dd { (value) } } }
                    }
                    @if !everywhere.is_empty() { (limits("What none of this shows", everywhere.iter().copied())) }
                }
            }
        }
        footer { "Written by ringway-loadtest " (env!("CARGO_PKG_VERSION")) ". The numbers are in " code { "results.json" } ", the histograms in the files beside it." }
        div #tip hidden {}
    };
    document(&results.title, &content)
}

/// A page around content; comparisons use it too.
pub fn document(title: &str, content: &Markup) -> String {
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src '{SCRIPT_HASH}'; img-src data:; base-uri 'none'; form-action 'none'"
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (content) script { (PreEscaped(SCRIPT)) } }
        }
    }
    .into_string()
}

fn what_failed(troubles: &[Trouble]) -> Markup {
    let of = |kind| troubles.iter().filter(move |trouble| trouble.kind == kind).count();
    let kinds = [(Kind::Failed, "failure"), (Kind::Refused, "refusal"), (Kind::Doubt, "doubt")];
    let plural = |times| if times == 1 { "" } else { "s" };
    let counted: Vec<_> = kinds
        .iter()
        .map(|(kind, name)| (of(*kind), name))
        .filter(|(times, _)| *times > 0)
        .map(|(times, name)| format!("{} {name}{}", count(times as u64), plural(times)))
        .collect();
    html! {
        @if troubles.is_empty() { p.fine { span aria-hidden="true" { "✓ " } "Nothing failed and nothing was refused." } }
        @else {
            section.troubles aria-labelledby="troubles" {
                h2 #troubles { span.sign aria-hidden="true" { "▲ " } "Read first: " (counted.join(", ")) }
                ul { @for trouble in troubles { li {
                    span.(format!("kind {}", trouble.kind.name())) { (trouble.kind.name()) } " "
                    strong { (trouble.scenario) @if let Some(target) = &trouble.target { " · " (target) } } ": " (trouble.says)
                } } }
            }
        }
    }
}

fn section(
    scenario: &Scenario,
    id: &str,
    styles: &Styles,
    troubles: &[Trouble],
    everywhere: &BTreeSet<&str>,
) -> Markup {
    let own: Vec<_> =
        troubles.iter().filter(|trouble| trouble.scenario == scenario.name && trouble.target.is_some()).collect();
    let limits_here: Vec<&str> =
        scenario.not_shown.iter().map(String::as_str).filter(|says| !everywhere.contains(says)).collect();
    html! {
        section.scenario id=(id) {
            h2 { (scenario.name) }
            p.says { (scenario.says) }
            @if let Some(reason) = &scenario.refused {
                p.refused { span.sign aria-hidden="true" { "▲ " } strong { "Refused: " } (reason) }
            }
            @if !own.is_empty() {
                ul.own-troubles { @for trouble in own { li {
                    span.(format!("kind {}", trouble.kind.name())) { (trouble.kind.name()) } " "
                    @if let Some(target) = &trouble.target { strong { (target) } ": " } (trouble.says)
                } } }
            }
            (key(scenario, styles))
            div.figures { @for figure in figures::of_scenario(scenario, styles, id) { (drawn(&figure)) } }
            @let times = figures::over_time(scenario, styles, id);
            @if !times.is_empty() {
                div.times {
                    h3 { "Latency over time" }
                    p.small { "p50, p99 and maximum of each slice, on the same axes for every target. A cross is a slice with errors; a dotted line is an event." }
                    div { @for figure in &times { figure {
                        h4 { (figure.title) }
                        (figure.chart)
                        (below(figure))
                    } } }
                }
            }
            @let tables = tables::of_scenario(scenario);
            @if !tables.is_empty() {
                details.all-tables { summary { "All numbers of " (scenario.name) } @for table in &tables { (table.html()) } }
                @for table in tables.iter().filter(|table| shown_openly(table)) { (table.html()) }
            }
            @if let Some(calibration) = &scenario.calibration { p.small { (markdown::ceiling(calibration)) } }
            @if !limits_here.is_empty() { (limits("What this does not show", limits_here.into_iter())) }
            @if !scenario.source.is_empty() { details { summary { "The scenario as it was run" } pre { (scenario.source) } } }
        }
    }
}

/// Which mark, line and colour is whom, with what it was told.
fn key(scenario: &Scenario, styles: &Styles) -> Markup {
    html! {
        @if !scenario.targets.is_empty() {
            ul.key { @for target in &scenario.targets {
                @let style = styles.of(&target.name);
                li class=(class(style)) {
                    svg viewBox="0 0 30 12" aria-hidden="true" {
                        path.line d="M0 6H30" stroke-dasharray=(dashes(style)) {}
                        path.mark d=(mark(style, 15.0, 6.0, 4.0)) {}
                    }
                    span {
                        strong { (target.name) } @if let Some(version) = &target.version { " " (version) }
                        @if target.baseline { " · baseline" }
                        @if !target.setup.is_empty() { span.faint { " · " (target.setup) } }
                    }
                }
            } }
        }
    }
}

fn drawn(figure: &Figure) -> Markup {
    html! {
        figure {
            h3 { (figure.title) }
            p.small { (figure.says) }
            (figure.chart)
            (below(figure))
        }
    }
}

fn below(figure: &Figure) -> Markup {
    html! {
        @for note in &figure.notes { p.small { (note) } }
        details { summary { "Numbers" } (figure.table.html()) }
    }
}

/// Tables that have no chart and must not be folded away.
fn shown_openly(table: &Table) -> bool {
    table.caption.starts_with("Errors") || table.caption.starts_with("Streams")
}

fn limits<'a>(title: &str, sentences: impl Iterator<Item = &'a str>) -> Markup {
    html! { aside.box.limits { h3 { (title) } ul { @for sentence in sentences { li { (sentence) } } } } }
}

/// What every scenario says, if there are several: it is said once, at the end.
fn said_everywhere(results: &Results) -> BTreeSet<&str> {
    let mut all =
        results.scenarios.iter().map(|scenario| scenario.not_shown.iter().map(String::as_str).collect::<BTreeSet<_>>());
    let first = all.next().filter(|_| results.scenarios.len() > 1).unwrap_or_default();
    all.fold(first, |common, own| common.intersection(&own).copied().collect())
}

fn is_troubled(troubles: &[Trouble], scenario: &Scenario) -> bool {
    troubles.iter().any(|trouble| trouble.scenario == scenario.name && trouble.kind != Kind::Doubt)
}

fn id(index: usize) -> String {
    format!("scenario-{}", index + 1)
}
