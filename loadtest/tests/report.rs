//! Reports of results that are as odd as results can be, and verdicts over pairs of results: files with the expected text beside them.
//!
//! `GOLDEN=update cargo test -p ringway-loadtest --test report` writes what is there now; read the difference before it is committed. Each
//! folder of `compare/` is a case: `a.json`, `b.json`, and `expected.txt`, whose first line is the exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use ringway_loadtest::{hdr, report};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn run(args: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringway-loadtest")).args(args).output().expect("the binary starts")
}

fn check(actual: &str, expected: &Path) {
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "update") {
        fs::write(expected, actual).expect("written");
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    assert!(actual == wanted, "{} differs; it would be:\n{actual}", expected.display());
}

fn odd_page() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(&["report".as_ref(), &data("report/odd.json"), "--out".as_ref(), folder.path()]);
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(folder.path().join("report.html")).expect("the page")
}

#[test]
fn odd_results_make_the_markdown_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(&["report".as_ref(), &data("report/odd.json"), "--out".as_ref(), folder.path()]);
    assert!(output.status.success(), "{output:?}");
    check(&fs::read_to_string(folder.path().join("report.md")).expect("Markdown"), &data("report/odd.md"));
}

#[test]
fn nothing_from_the_results_becomes_markup() {
    let page = odd_page();
    assert_eq!(page.matches("<script").count(), 1, "only our own");
    for tag in ["<img", "<b>", "<i>", "onload=alert(3)>", "javascript:alert(1)\""] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("&lt;script&gt;alert"), "it is shown as text");
}

#[test]
fn no_place_in_a_chart_is_not_a_number() {
    let page = odd_page();
    for word in ["NaN", "inf ", "\"inf\"", "-inf"] {
        assert!(!page.contains(word), "{word}");
    }
}

/// Slices 0 and 3 were not answered, 1 and 2 were, 4 stands alone.
#[test]
fn a_slice_without_an_answer_breaks_the_line() {
    let page = odd_page();
    let chart = &page[page.find("id=\"scenario-1-time-0-t\"").expect("the chart over time")..];
    let chart = &chart[..chart.find("</svg>").expect("its end")];
    let line = chart.split("<path class=\"line\" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a line");
    assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, 1), "{line}");
}

#[test]
fn failures_and_refusals_stand_above_the_first_figure() {
    let page = odd_page();
    let first_figure = page.find("id=\"summary\"").expect("a summary");
    for said in
        ["could not be started: &lt;nothing&gt; found", "the generator reached only 1.4 times", "7 never", "12 lost"]
    {
        let at = page.find(said).unwrap_or_else(|| panic!("{said} is not said"));
        assert!(at < first_figure, "{said} comes too late");
    }
}

/// `tests/loadtest/report` reads the same files with another reader, and knows the same values.
#[test]
fn histogram_files_are_as_they_were() {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Over five decades, as latencies are.
        (state >> 40) % 10_u64.pow(1 + u32::try_from(state >> 61).expect("three bits") % 6) + 1
    };
    let mut interval = |second, length| {
        let mut histogram = Histogram::new_with_bounds(1, 600_000_000, 3).expect("bounds that make sense");
        (0..length).for_each(|_| histogram.record(next()).expect("in range"));
        hdr::Interval { start: Duration::from_secs(second), length: Duration::from_secs(1), histogram }
    };
    let intervals = vec![interval(0, 1_000), interval(1, 0), interval(2, 9_000)];
    let recording = hdr::Recording {
        scenario: "sample".to_owned(),
        target: "made up".to_owned(),
        began: SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_000_000_250),
        measures: vec![hdr::Measure { name: "whole", intervals }],
    };
    let folder = tempfile::tempdir().expect("a folder");
    let names = hdr::write(&[recording], folder.path()).expect("written");
    assert_eq!(names, [["sample.made-up.whole.hlog", "sample.made-up.whole.hgrm"]]);
    for name in &names[0] {
        check(&fs::read_to_string(folder.path().join(name)).expect("a file"), &data("report").join(name));
    }
}

#[test]
fn a_run_leaves_everything_that_reads_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut results = report::read(&data("report/odd.json")).expect("results");
    results.environment.command_line = ["run", "--key", "sk-secret"].map(str::to_owned).to_vec();
    let mut histogram = Histogram::new(3).expect("three digits");
    histogram.record(88).expect("in range");
    let interval = hdr::Interval { start: Duration::ZERO, length: Duration::from_secs(1), histogram };
    let recording = |target: &str, intervals| hdr::Recording {
        scenario: "stream-paced".to_owned(),
        target: target.to_owned(),
        began: SystemTime::UNIX_EPOCH,
        measures: vec![hdr::Measure { name: "ttft", intervals }],
    };
    // The second recorded nothing, so it has no files and the results name none.
    let recordings = [recording("ringway", vec![interval]), recording("envoy", Vec::new())];
    let place = folder.path().join("made/by/it");
    report::write(&results, &recordings, &place).expect("written");

    let read = report::read(&place.join("results.json")).expect("it reads its own results");
    let streams = read.scenarios.iter().find(|scenario| scenario.name == "stream-paced").expect("the scenario");
    let files: Vec<_> =
        streams.targets.iter().filter_map(|target| Some(target.latency.as_ref()?.histogram_files.clone())).collect();
    let named = vec!["stream-paced.ringway.ttft.hlog".to_owned(), "stream-paced.ringway.ttft.hgrm".to_owned()];
    assert_eq!(files, [Vec::new(), named.clone(), Vec::new()]);
    for name in named.iter().map(String::as_str).chain(["report.html", "report.md"]) {
        assert!(place.join(name).is_file(), "{name}");
    }
    for entry in fs::read_dir(&place).expect("the folder") {
        let path = entry.expect("an entry").path();
        assert!(!fs::read_to_string(&path).expect("text").contains("sk-secret"), "{}", path.display());
    }
}

#[test]
fn verdicts() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(data("compare")).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    cases.sort();
    assert!(cases.len() >= 6, "{cases:?}");
    for case in cases {
        let output = run(&["compare".as_ref(), &case.join("a.json"), &case.join("b.json")]);
        let said =
            String::from_utf8(if output.stdout.is_empty() { output.stderr } else { output.stdout }).expect("UTF-8");
        let said = said.replace(&format!("{}/", case.display()), "");
        check(&format!("exit status {}\n{said}", output.status.code().expect("no signal")), &case.join("expected.txt"));
    }
}

#[test]
fn what_cannot_be_compared_is_status_two() {
    let here = data("compare/same/a.json");
    let status = |args: &[&Path]| run(args).status.code();
    assert_eq!(status(&["compare".as_ref(), &here, "/nonexistent".as_ref()]), Some(2));
    assert_eq!(status(&["compare".as_ref(), &here]), Some(2));
    assert_eq!(status(&["compare".as_ref(), &here, &here, "--tolerance".as_ref(), "100%".as_ref()]), Some(2));
    assert_eq!(status(&["compare".as_ref(), &here, &here, "--tolerance".as_ref(), "0.1".as_ref()]), Some(0));
}

#[test]
fn a_comparison_as_a_page_escapes_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("comparison.html");
    let odd = data("report/odd.json");
    let output = run(&["compare".as_ref(), &odd, &odd, "--html".as_ref(), &page]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(page).expect("the page").matches("<script").count(), 1);
}
