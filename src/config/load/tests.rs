use super::*;
use crate::config::interpolate::Process;
use std::fs;

#[test]
fn a_missing_file_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ringway.toml");
    let errors = load(&path, &Process).expect_err("no file");
    assert_eq!(errors[0].to_string(), format!("error: {}: no such file", path.display()));
}

#[test]
fn only_bounded_regular_text_files_are_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    fs::write(&path, "12345678").expect("written");
    assert_eq!(read_bounded(&path, 8).as_deref(), Ok("12345678"));
    assert_eq!(read_bounded(&path, 7), Err("larger than 7 bytes".to_owned()));
    fs::write(&path, [0xff, 0xfe]).expect("written");
    assert_eq!(read_bounded(&path, 8), Err("not UTF-8 text".to_owned()));
    assert_eq!(read_bounded(directory.path(), 8), Err("not a regular file".to_owned()));
    // Never ends.
    assert_eq!(read_bounded(Path::new("/dev/zero"), 8), Err("not a regular file".to_owned()));
}

#[test]
fn conf_d_is_bounded() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("conf.d")).expect("created");
    for index in 0..=CONFIG_FILES_MAX {
        fs::write(directory.path().join(format!("conf.d/{index}.toml")), "").expect("written");
    }
    let main = directory.path().join("ringway.toml");
    fs::write(&main, "").expect("written");
    let errors = read(&main).expect_err("too many files");
    assert!(errors[0].message.ends_with("more than 256 files"), "{}", errors[0]);
}

/// Deep nesting is refused by the parser, not by the end of the stack.
#[test]
fn nesting_bombs() {
    let bombs = [
        format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}1{}", "{ b = ".repeat(100_000), "}".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        "[a.b]\n".repeat(10_000),
        "[[keys]]\n".repeat(10_000),
        "a = \"".repeat(10_000),
        "\u{feff}[server]\nshards = \u{0}".to_owned(),
    ];
    for bomb in bombs {
        let files = [SourceFile { name: "bomb.toml".into(), text: bomb }];
        let errors = parse_as_written(&files).expect_err("a bomb");
        assert!(!errors.is_empty() && errors.len() <= crate::limits::CONFIG_ERRORS_MAX, "{}", errors.len());
    }
}
