//! The rules of the source tree that no compiler checks: who may know whom, what only one file may do, how files are named.
//!
//! Sources are read as text with comments and literals removed, so a rule sees code and nothing else. Test code (`tests.rs`,
//! `fixtures.rs`, and what is below `tests/`) may know everything and is exempt, except from the rules on names and open
//! ends. The arrows stand in `MODULES`: a new module needs a row there, and with it a decision.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module at the top of `src/`, and what it may name of the others.
struct Module {
    name: &'static str,
    may_use: &'static [&'static str],
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    /// Values in, values out: no socket, clock, file, thread or environment.
    Pure,
    /// Runs on shards. Under the fence of clippy.toml, like what is pure.
    Hot,
    /// Threads of its own; may block.
    Cold,
}

const fn module(name: &'static str, kind: Kind, may_use: &'static [&'static str]) -> Module {
    Module { name, may_use, kind }
}

/// Who may know whom. Nobody is given `cli`, nothing but `cli` starts shards, and the control plane knows no data plane.
const MODULES: &[Module] = &[
    module("error", Kind::Pure, &[]),
    module("limits", Kind::Pure, &[]),
    module("json", Kind::Pure, &["error", "limits", "sys"]),
    module("sse", Kind::Pure, &["error", "limits"]),
    module("catalog", Kind::Pure, &["limits"]),
    module("dialects", Kind::Pure, &["catalog", "error", "json", "limits", "sse"]),
    module("providers", Kind::Pure, &["catalog", "dialects", "error", "limits"]),
    module("routing", Kind::Pure, &["catalog", "config", "dialects", "error", "limits", "providers", "telemetry"]),
    module("policy", Kind::Pure, &["catalog", "config", "dialects", "error", "limits", "providers"]),
    // It calls the scanner back through a door for wide vectors; see its header.
    module("sys", Kind::Hot, &["json"]),
    module("rt", Kind::Hot, &["limits", "sys"]),
    module("node", Kind::Hot, &["config", "limits", "rt", "telemetry"]),
    module("telemetry", Kind::Hot, &["config", "dialects", "error", "limits", "node", "sys"]),
    module("config", Kind::Cold, &["catalog", "dialects", "error", "limits", "policy", "providers"]),
    module(
        "data_plane",
        Kind::Hot,
        &[
            "catalog",
            "config",
            "dialects",
            "error",
            "json",
            "limits",
            "node",
            "policy",
            "providers",
            "routing",
            "rt",
            "sse",
            "sys",
            "telemetry",
        ],
    ),
    module(
        "control_plane",
        Kind::Cold,
        &[
            "catalog",
            "config",
            "dialects",
            "error",
            "limits",
            "node",
            "policy",
            "providers",
            "routing",
            "sys",
            "telemetry",
        ],
    ),
    module(
        "cli",
        Kind::Cold,
        &[
            "catalog",
            "config",
            "control_plane",
            "data_plane",
            "dialects",
            "error",
            "limits",
            "node",
            "policy",
            "process",
            "providers",
            "rt",
            "sys",
            "telemetry",
        ],
    ),
    // Starts the threads: it is the one place that knows both planes.
    module(
        "process",
        Kind::Cold,
        &["config", "control_plane", "data_plane", "error", "limits", "node", "rt", "sys", "telemetry"],
    ),
    // The doors of the fuzz targets into the parsers.
    module("fuzzing", Kind::Cold, &["config", "data_plane", "dialects", "error", "json", "limits", "sse"]),
];

/// Files of hot modules that run on threads of their own and may leave the fence, and the fence itself.
const COLD_FILES: &[&str] = &[
    "src/rt/mod.rs",
    "src/sys.rs",
    "src/telemetry/access_log/writer.rs",
    "src/telemetry/metrics.rs",
    "src/telemetry/operator_log.rs",
    "src/telemetry/process.rs",
    "src/telemetry/token_counter.rs",
];

/// What pure code must not name, and what it does instead.
const IMPURE: &[(&str, &str)] = &[
    ("Instant", "take the time as an argument"),
    ("SystemTime", "take the time as an argument"),
    ("TcpStream", "I/O is the data plane's"),
    ("TcpListener", "I/O is the data plane's"),
    ("UdpSocket", "I/O is the control plane's"),
    ("UnixStream", "I/O is the data plane's"),
    ("ToSocketAddrs", "names are resolved by the control plane"),
    ("SystemRandom", "take the random source as an argument"),
    ("fs", "files are read by config and the control plane"),
    ("thread", "threads are started by cli"),
];

/// Words that may stand in one place only.
const FENCED: &[(&str, &[&str])] =
    &[("monoio", &["src/rt/", "src/sys.rs"]), ("unsafe", &["src/sys.rs"]), ("simd_json", &["src/json/"])];

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager", "stuff"];

/// Lines beyond which a file has to say why it is still one thing.
const LINES_MAX: usize = 700;

/// Longer files, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "src/dialects/canonical.rs",
        "one definition of what all dialects can say; a part of it would be read with the others anyway",
    ),
    (
        "src/data_plane/downstream/http2.rs",
        "one connection and its streams, which share h2's types; what it may cost is cut out",
    ),
    ("src/data_plane/downstream/http2/tests.rs", "floods and orderly ends share one harness of raw frames"),
    ("src/json/scan.rs", "one state machine"),
    ("src/sys.rs", "all the unsafe code, each piece small, none related to the next"),
];

#[test]
fn modules_know_only_whom_they_may() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        let Some(module) = source.module() else { continue };
        for used in used_modules(source) {
            if used != module.name && !module.may_use.contains(&&*used) && row(&used).is_some() {
                wrong.push(format!("{}: `{}` must not know `{used}`", source.path, module.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_its_row() {
    let found: BTreeSet<_> = sources("src").iter().filter_map(Source::top).collect();
    let missing: Vec<_> = found.iter().filter(|name| row(name).is_none()).collect();
    assert_eq!(missing, Vec::<&String>::new(), "give them a row in MODULES");
    let known: BTreeSet<_> = MODULES.iter().map(|module| module.name).collect();
    for module in MODULES {
        let unknown: Vec<_> = module.may_use.iter().filter(|name| !known.contains(*name)).collect();
        assert_eq!(unknown, Vec::<&&str>::new(), "{}", module.name);
    }
}

#[test]
fn pure_modules_name_nothing_impure() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        if source.module().is_none_or(|module| module.kind != Kind::Pure) {
            continue;
        }
        for (line, word) in source.words() {
            if let Some((_, instead)) = IMPURE.iter().find(|(banned, _)| *banned == word) {
                wrong.push(format!("{}:{line}: `{word}`: {instead}", source.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn fenced_words_stand_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        for (line, word) in source.words() {
            let Some((_, homes)) = FENCED.iter().find(|(fenced, _)| *fenced == word) else { continue };
            if !homes.iter().any(|home| source.path.starts_with(home)) {
                wrong.push(format!("{}:{line}: `{word}` belongs into {homes:?}", source.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn hot_code_does_not_leave_the_lint_fence() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        let cold = source.module().is_none_or(|module| module.kind == Kind::Cold);
        if cold || COLD_FILES.contains(&&*source.path) {
            continue;
        }
        for (line, word) in source.words() {
            if word.starts_with("disallowed_") {
                wrong.push(format!("{}:{line}: `{word}` is allowed there, though shards run this code", source.path));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn file_names_say_what_is_inside() {
    let all = ["src", "loadtest/src", "tests"].iter().flat_map(|root| sources(root));
    let wrong: Vec<_> = all
        .filter(|source| {
            let parts = source.path.trim_end_matches(".rs").split('/');
            parts.flat_map(|part| part.split('_')).any(|word| EMPTY_NAMES.contains(&word))
        })
        .map(|source| source.path)
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn nothing_is_left_open() {
    // Put together here, so that this file does not find itself.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat()];
    let macros = [["todo", "!("].concat(), ["unimplemented", "!("].concat()];
    let mut wrong = Vec::new();
    for source in ["src", "loadtest/src", "tests", "bench"].iter().flat_map(|root| sources(root)) {
        for (number, line) in (1..).zip(source.text.lines()) {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let marked = words.clone().any(|word| marks.iter().any(|mark| mark == word));
            if marked || macros.iter().any(|call| line.contains(call)) {
                wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn long_files_say_why() {
    let all: Vec<_> = ["src", "loadtest/src", "tests", "bench"].iter().flat_map(|root| sources(root)).collect();
    let long: BTreeMap<_, _> = all
        .iter()
        .map(|source| (&*source.path, source.text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    let listed: BTreeSet<_> = LONG_FILES.iter().map(|(path, _)| *path).collect();
    let unexplained: Vec<_> = long.iter().filter(|(path, _)| !listed.contains(*path)).collect();
    assert_eq!(unexplained, Vec::<(&&str, &usize)>::new(), "cut them, or give them a reason in LONG_FILES");
    let stale: Vec<_> = listed.iter().filter(|path| !long.contains_key(*path)).collect();
    assert_eq!(stale, Vec::<&&str>::new(), "they are not long any more");
}

#[test]
fn every_file_says_what_it_is() {
    // `main.rs` and files that only list modules may say it in one line; a file without any is a riddle.
    let wrong: Vec<_> = ["src", "loadtest/src", "tests"]
        .iter()
        .flat_map(|root| sources(root))
        .filter(|source| !source.is_test() || source.path.starts_with("tests/"))
        .filter(|source| !source.path.ends_with("/tests.rs") && !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// One file.
struct Source {
    /// From the repository's root.
    path: String,
    text: String,
    /// The text without comments and literals, line breaks kept.
    code: String,
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || ["/tests.rs", "/fixtures.rs"].iter().any(|end| self.path.ends_with(end))
    }

    /// The module at the top of `src/` that the file belongs to; none for `lib.rs` and `main.rs`.
    fn top(&self) -> Option<String> {
        let below = self.path.strip_prefix("src/")?;
        let top = below.split('/').next()?.trim_end_matches(".rs");
        Some(top).filter(|top| !["lib", "main"].contains(top)).map(str::to_owned)
    }

    fn module(&self) -> Option<&'static Module> {
        row(&self.top()?)
    }

    /// How many `super` lead from the file's module to the crate's root.
    fn depth(&self) -> usize {
        let below = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        below.split('/').filter(|part| *part != "mod").count()
    }

    /// Identifiers with their lines.
    fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines()).flat_map(|(number, line)| {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.filter(|word| !word.is_empty()).map(move |word| (number, word))
        })
    }
}

fn row(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

/// The modules at the top of the crate that a file names, by `crate::` or by enough `super::`.
fn used_modules(source: &Source) -> BTreeSet<String> {
    let tokens = tokens(&source.code);
    let mut used = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let supers = tokens[at..].chunks(2).take_while(|pair| *pair == ["super", "::"]).count();
        let path = match tokens[at] {
            "crate" if tokens.get(at + 1) == Some(&"::") => at + 2,
            "super" if supers >= source.depth() => at + 2 * supers,
            "super" => {
                at += (2 * supers).max(1);
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        match tokens.get(path) {
            // `use crate::{a::b, c};`: the first word of each element.
            Some(&"{") => {
                let mut nesting = 0;
                for (place, token) in tokens.iter().enumerate().skip(path) {
                    match *token {
                        "{" => nesting += 1,
                        "}" => nesting -= 1,
                        _ => {}
                    }
                    if nesting == 0 {
                        break;
                    }
                    if nesting == 1 && ["{", ","].contains(&tokens[place]) {
                        used.extend(tokens.get(place + 1).map(|word| (*word).to_owned()));
                    }
                }
            }
            Some(word) => {
                used.insert((*word).to_owned());
            }
            None => {}
        }
        at = path;
    }
    used
}

/// Identifiers, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    tokens
}

/// Removes comments, strings and characters; keeps line breaks, so that line numbers hold.
fn strip(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if end == at {
            code.push(bytes[at]);
            at += 1;
        } else {
            code.push(b' ');
            code.extend(bytes[at..end].iter().filter(|byte| **byte == b'\n'));
            at = end;
        }
    }
    // Only whole ASCII-delimited pieces were removed, so what is left is still text.
    String::from_utf8(code).expect("text stays text")
}

/// Where the literal or comment that begins at `at` ends; `at` itself if none does.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let find = |what: &[u8], from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.windows(what.len()).position(|window| window == what).map_or(bytes.len(), |place| from + place)
    };
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match &bytes[at..] {
        [b'/', b'/', ..] => find(b"\n", at),
        [b'/', b'*', ..] => (find(b"*/", at) + 2).min(bytes.len()),
        [b'"', ..] => quoted(bytes, at),
        [b'r', b'"' | b'#', ..] if !after_word || bytes[at - 1] == b'b' => {
            let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
            if bytes.get(at + 1 + hashes) != Some(&b'"') {
                // A raw identifier.
                return at;
            }
            let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            (find(&close, at + 2 + hashes) + close.len()).min(bytes.len())
        }
        // A character, not a lifetime: it closes within a few bytes.
        [b'\'', b'\\', ..] => (find(b"'", at + 3) + 1).min(bytes.len()),
        [b'\'', ..] => (at + 2..(at + 6).min(bytes.len())).find(|end| bytes[*end] == b'\'').map_or(at, |end| {
            let one_character = std::str::from_utf8(&bytes[at + 1..end]).is_ok_and(|text| text.chars().count() == 1);
            if one_character { end + 1 } else { at }
        }),
        _ => at,
    }
}

fn quoted(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn sources(root: &str) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![top.join(root)];
    while let Some(folder) = folders.pop() {
        // `bench/` and the like need not be there.
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path: PathBuf = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable source");
                let path = path.strip_prefix(top).expect("below the root").to_string_lossy().into_owned();
                found.push(Source { path, code: strip(&text), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

// The scanner itself.

fn used_in(path: &str, text: &str) -> Vec<String> {
    let source = Source { path: path.to_owned(), text: text.to_owned(), code: strip(text) };
    used_modules(&source).into_iter().collect()
}

#[test]
fn finds_modules_in_every_form_of_path() {
    assert_eq!(used_in("src/a/b.rs", "use crate::json::Scan; fn f() { crate::rt::now() }"), ["json", "rt"]);
    assert_eq!(used_in("src/a/b.rs", "use crate::{json::{Scan, rt}, sse, limits as l};"), ["json", "limits", "sse"]);
    assert_eq!(used_in("src/a/b.rs", "use super::c; use super::super::sse::Cut;"), ["sse"]);
    assert_eq!(used_in("src/a/mod.rs", "use super::sse; use super::{json, rt::x};"), ["json", "rt", "sse"]);
    assert_eq!(used_in("src/a/b.rs", "pub(super) fn f() {} pub(crate) struct S;"), Vec::<String>::new());
}

#[test]
fn sees_no_code_in_comments_and_literals() {
    let text = "// crate::json\n/* crate::sse */ let a = \"crate::rt \\\" crate::x\"; let b = r#\"crate::y \"q\" \"#; \
                let c = '\"'; fn d<'a>(e: &'a str) { crate::limits::F }";
    assert_eq!(used_in("src/a/b.rs", text), ["limits"]);
}
