//! Scenario files: what comes with the binary, what is accepted and how it reads, what is refused and what is said about it.
//!
//! `tests/scenarios/good/x.toml` is read and compared with `x.checked.txt`, which holds every default; `SCENARIOS=update` writes it.
//! `tests/scenarios/bad/x.toml` ends with `# expected: ` and the beginning of the message after the file's name.

use std::fs;
use std::path::{Path, PathBuf};

use ringway_loadtest::scenario::budget::Measure;
use ringway_loadtest::scenario::{SHIPPED, open, parse};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(folder);
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for path in files("bad") {
        let text = fs::read_to_string(&path).expect("text");
        let (_, expected) = text.rsplit_once("# expected: ").expect("it says what is expected");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let mistake = parse(name, &text).expect_err(name).to_string();
        assert!(mistake.starts_with(&format!("{name}:{}", expected.trim_end())), "{mistake}");
    }
}

#[test]
fn what_is_read_has_every_default() {
    for path in files("good") {
        let text = fs::read_to_string(&path).expect("text");
        let read = parse("good", &text).expect("it is good").to_toml();
        let golden = path.with_extension("checked.txt");
        if std::env::var_os("SCENARIOS").is_some_and(|what| what == "update") {
            fs::write(&golden, &read).expect("written");
        }
        assert_eq!(read, fs::read_to_string(&golden).expect("its golden file"), "{}", path.display());
    }
}

#[test]
fn what_is_written_reads_back_the_same() {
    let good = files("good").into_iter().map(|path| fs::read_to_string(path).expect("text"));
    for text in good.chain(SHIPPED.iter().map(|(_, text)| (*text).to_owned())) {
        let read = parse("first", &text).expect("it is good");
        assert_eq!(parse("second", &read.to_toml()).as_ref(), Ok(&read));
    }
}

#[test]
fn shipped_scenarios_are_files_and_have_their_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), SHIPPED.len(), "each file is shipped");
    for (name, _) in SHIPPED {
        let by_name = open(name).expect("it is shipped");
        assert_eq!(by_name.name, *name);
        let path = folder.join(name).with_extension("toml");
        assert_eq!(open(path.to_str().expect("a path")), Ok(by_name), "by its path too");
    }
    let unknown = open("no-such").expect_err("there is none").to_string();
    assert!(unknown.contains("chat-small"), "it lists what there is: {unknown}");
}

#[test]
fn the_scenario_of_the_readme_can_be_run() {
    let readme = include_str!("../README.md");
    let (_, after) = readme.split_once("```toml scenario\n").expect("it shows one");
    let (text, _) = after.split_once("```").expect("it ends");
    // What is commented out is there to be chosen too.
    let timeline: String = text.lines().filter_map(|line| line.strip_prefix("# ")).collect::<Vec<_>>().join("\n");
    assert_eq!(parse("README.md", text).map(|scenario| scenario.loads.len()), Ok(2));
    let (timeline, target) = timeline.split_once("binary").expect("both");
    let shared = "name = \"x\"\nsays = \"y\"\n[simulator]\ncount = 2\n[[load]]\nname = \"z\"\n";
    let head = timeline.split_once("[timeline]").expect("a timeline").1;
    let other = format!("{shared}[timeline]{head}\n[[target]]\nname = \"t\"\nsetup = \"u\"\nbinary{target}");
    assert!(parse("README.md", &other).is_ok_and(|scenario| scenario.timeline.is_some()), "{other}");
}

#[test]
fn a_budget_is_kept_and_what_it_costs_is_said() {
    for (name, text) in SHIPPED {
        let asked = parse(name, text).expect("it is shipped");
        for (targets, seconds) in [(1, 3.0), (1, 20.0), (2, 60.0), (7, 5.0), (7, 20.0), (7, 1e6)] {
            let budget_s = seconds * targets as f64;
            let case = format!("{name}, {targets} targets, {seconds} s");
            let fitted = asked.fit(budget_s, targets);
            let short = &fitted.scenario;
            let is_left = |measure: Measure| short.measure_s(measure, targets) > 0.0;
            for (measure, _) in asked.measures(targets) {
                let is_said = fitted.left_out.iter().any(|says| says.starts_with(measure.name()));
                assert_ne!(is_left(measure), is_said, "{case}: {} is there, or said to be left out", measure.name());
            }
            if short.measures(targets).len() > 1 {
                assert!(short.expected_s(targets) <= budget_s + 1e-6, "{case}: {} s", short.expected_s(targets));
                assert_eq!(parse(name, &short.to_toml()).as_ref(), Ok(short), "{case}: it is still a scenario");
            }
            assert!(short.repetitions >= 5 && short.latency.as_ref().is_none_or(|it| it.blocks >= 20), "{case}");
            let is_shorter = |measure| {
                is_left(measure) && short.measure_s(measure, targets) < asked.measure_s(measure, targets) - 0.05
            };
            for measure in [Measure::Latency, Measure::Throughput, Measure::Cost, Measure::Memory, Measure::Soak] {
                let is_said = fitted.shortened.iter().any(|says| says.starts_with(measure.name()));
                assert!(is_said || !is_shorter(measure), "{case}: {} is shorter and nobody says so", measure.name());
            }
            if budget_s >= asked.expected_s(targets) {
                assert_eq!((short, fitted.shortened.len(), fitted.left_out.len()), (&asked, 0, 0), "{case}");
            } else {
                assert!(!fitted.shortened.is_empty() || !fitted.left_out.is_empty(), "{case}");
            }
        }
    }
}

#[test]
fn a_budget_is_used_up() {
    let asked = open("chat-small").expect("it is shipped");
    for seconds in [40.0, 80.0, 120.0] {
        let short = asked.fit(seconds, 1).scenario;
        // Blocks and repetitions are whole numbers: between two of them the windows make up for it.
        assert!(short.expected_s(1) > 0.97 * seconds, "{} of {seconds} s", short.expected_s(1));
        assert_eq!(short.measures(1).len(), asked.measures(1).len());
    }
    let blocks = |seconds| asked.fit(seconds, 1).scenario.latency.map(|it| (it.blocks, (it.window_s * 100.0) as u64));
    // First fewer blocks, then shorter windows.
    assert!(blocks(300.0).is_some_and(|(blocks, hundredths)| blocks < 40 && hundredths > 120), "{:?}", blocks(300.0));
    assert!(blocks(40.0).is_some_and(|(blocks, hundredths)| blocks == 20 && hundredths < 80), "{:?}", blocks(40.0));
}
