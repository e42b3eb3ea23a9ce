use super::*;
use crate::config::{checked, load, snapshot::account_mark};

/// Two providers; group `chat` has three deployments, `embed` two of one model and one of another.
const CONFIG: &str = r#"
[providers.a]
kind = "openai-compatible"
base_url = "http://127.0.0.1:1/v1"
[providers.b]
kind = "openai-compatible"
base_url = "http://127.0.0.1:2/v1"
[providers.keeps]
kind = "openai-compatible"
base_url = "http://127.0.0.1:3/v1"
quirks = { responses = true }
[server]
open_access = true
[[models]]
name = "chat"
deployments = ["a/one", "b/two", "a/three"]
attempts_max = 2
[[models]]
name = "embed"
deployments = ["a/vector", "b/other", "b/vector"]
attempts_max = 3
[[models]]
name = "kept"
deployments = ["a/four", "keeps/one", "keeps/two"]
[[models]]
name = "last"
deployments = ["keeps/two"]
"#;

struct NoLookup;

impl crate::config::interpolate::Lookup for NoLookup {
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &std::path::Path) -> Result<String, String> {
        Err("no files".into())
    }
}

fn snapshot() -> Snapshot {
    let file = load::SourceFile { name: "test".into(), text: CONFIG.into() };
    let loaded = load::parse(&[file], &NoLookup).expect("a good file");
    checked::build(&loaded, 1, None).expect("a good configuration").0
}

/// The plan's deployments by name, or the failure's code and wait.
fn check(
    group: &str,
    same_model_only: bool,
    parked: &[(&str, u64, Upstream)],
    expected: Result<&[&str], (&str, Option<u64>)>,
) {
    let snapshot = snapshot();
    let named = |index: u32| &*snapshot.deployments[index as usize].name;
    let planned = plan(&snapshot, &snapshot.groups[group], Facts { same_model_only, account: None }, |index| {
        parked.iter().find(|(name, ..)| *name == named(index)).map(|(_, wait_ms, why)| (*wait_ms, why.clone()))
    });
    match (planned, expected) {
        (Ok(planned), Ok(expected)) => {
            assert_eq!(planned.candidates().iter().map(|index| named(*index)).collect::<Vec<_>>(), expected);
        }
        (Err(failure), Err(expected)) => assert_eq!((failure.code(), failure.retry_after_ms()), expected),
        (planned, _) => panic!("{planned:?}"),
    }
}

const LIMITED: Upstream = Upstream::RateLimited { retry_after_ms: None };

#[test]
fn order_is_the_groups_and_attempts_are_bounded() {
    check("chat", false, &[], Ok(&["a/one", "b/two"]));
}

#[test]
fn parked_deployments_are_passed_over() {
    check("chat", false, &[("a/one", 10, LIMITED)], Ok(&["b/two", "a/three"]));
}

#[test]
fn vectors_stay_with_one_model() {
    check("embed", true, &[], Ok(&["a/vector", "b/vector"]));
}

#[test]
fn all_parked_says_the_smallest_wait() {
    let parked = [("a/one", 3_000, LIMITED), ("b/two", 1_000, LIMITED), ("a/three", 2_000, LIMITED)];
    check("chat", false, &parked, Err(("rate_limit_exceeded", Some(1_000))));
    let refused = Upstream::Credential { status: 401 };
    let parked = [("a/one", 10, refused), ("b/two", 1_000, LIMITED), ("a/three", 2_000, LIMITED)];
    check("chat", false, &parked, Err(("upstream_credential", None)));
}

#[test]
fn what_is_skipped_is_told_with_its_reason() {
    let snapshot = snapshot();
    let told = |group: &str, same_model_only, parked: &str| {
        let mut told = Vec::new();
        let _ = plan_and_tell(
            &snapshot,
            &snapshot.groups[group],
            Facts { same_model_only, account: None },
            |index| (*snapshot.deployments[index as usize].name == *parked).then_some((7, LIMITED)),
            |index, why| told.push((&*snapshot.deployments[index as usize].name, why)),
        );
        told
    };
    let parked = Skipped::Parked { wait_ms: 7, why: LIMITED };
    assert_eq!(told("chat", false, ""), [("a/three", Skipped::BeyondAttempts)]);
    assert_eq!(told("chat", false, "a/one"), [("a/one", parked.clone())]);
    assert_eq!(told("embed", true, "b/vector"), [("b/other", Skipped::OtherModel), ("b/vector", parked)]);
}

#[test]
fn who_keeps_the_previous_response_has_to_answer() {
    let snapshot = snapshot();
    let planned = |group: &str, account: &str, parked: &[&str]| {
        let facts = Facts { same_model_only: false, account: Some(account_mark(account)) };
        let named = |index: u32| &*snapshot.deployments[index as usize].name;
        let parked = |index: u32| parked.contains(&named(index)).then_some((1_000, LIMITED));
        let mut other = Vec::new();
        let tell = |index, why| {
            if why == Skipped::OtherProvider {
                other.push(named(index).to_owned());
            }
        };
        let planned = plan_and_tell(&snapshot, &snapshot.groups[group], facts, parked, tell);
        let planned = planned.map(|plan| plan.candidates().iter().map(|index| named(*index)).collect::<Vec<_>>());
        (planned.map_err(|failure| (failure.code(), failure.status())), other)
    };
    assert_eq!(planned("kept", "keeps", &[]), (Ok(vec!["keeps/one", "keeps/two"]), vec!["a/four".into()]));
    assert_eq!(planned("kept", "keeps", &["keeps/one"]).0, Ok(vec!["keeps/two"]));
    assert_eq!(planned("last", "keeps", &["keeps/two"]).0, Err(("rate_limit_exceeded", 429)));
    assert_eq!(planned("chat", "keeps", &[]).0, Err(("previous_response_not_found", 400)));
}

#[test]
fn who_keeps_a_response_is_asked_once_by_any_deployment() {
    let snapshot = snapshot();
    let asked = |account: &str, parked: &[&str]| {
        let named = |index: u32| &*snapshot.deployments[index as usize].name;
        let parked = |index: u32| parked.contains(&named(index)).then_some((1_000, LIMITED));
        plan_kept(&snapshot, account_mark(account), parked).map(|planned| match planned {
            Ok((group, plan)) => {
                (&*group.name, plan.candidates().iter().map(|index| named(*index)).collect::<Vec<_>>())
            }
            Err(failure) => (failure.code(), vec![]),
        })
    };
    assert_eq!(asked("keeps", &[]), Some(("kept", vec!["keeps/one"])));
    assert_eq!(asked("keeps", &["keeps/one"]), Some(("kept", vec!["keeps/two"])));
    assert_eq!(asked("keeps", &["keeps/one", "keeps/two"]), Some(("rate_limit_exceeded", vec![])));
    for unknown in ["a", "gone"] {
        assert_eq!(asked(unknown, &[]), None, "{unknown}");
    }
}
