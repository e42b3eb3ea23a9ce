use super::*;

#[test]
fn outcomes_are_numbered_and_three_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("reload");
    let mut outcome = ReloadOutcome::at(path.clone());
    outcome.write(true, "generation 2").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("there"), "1\nok\ngeneration 2\n");
    outcome.write(false, "line 3: no\nreally").expect("written");
    assert_eq!(fs::read_to_string(&path).expect("there"), "2\nfailed\nline 3: no | really\n");
    assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 1, "nothing is left beside it");
}

#[test]
fn place_that_cannot_be_written_is_an_error() {
    assert!(ReloadOutcome::at("/nonexistent/reload".into()).write(true, "").is_err());
    assert!(ReloadOutcome::none().write(true, "").is_ok());
}
