//! Expected files of some folders: what should be there, against what is.
//!
//! A difference, a file that is missing and one that nobody asks for are failures, told folder by folder; with `GOLDEN=update` the folders
//! become what is expected.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Differences that are shown in full; of the others the names.
const SHOWN_MAX: usize = 5;

pub struct Expected {
    root: PathBuf,
    /// What there is, by its path below the root.
    found: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
}

/// The expectations are to be written anew.
pub fn updates() -> bool {
    std::env::var("GOLDEN").is_ok_and(|value| value == "update")
}

/// A file of the repository.
pub fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// Names in a folder, sorted; none where there is no such folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a readable folder").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

impl Expected {
    /// What is expected in the folders below `root` that `is_ours`.
    pub fn below(root: &str, is_ours: impl Fn(&str) -> bool) -> Expected {
        let root = path(root);
        let mut found = BTreeMap::new();
        for name in names(&root) {
            if is_ours(&name) && root.join(&name).is_dir() {
                collect(&root, &name, &mut found);
            }
        }
        Expected { root, found, files: BTreeMap::new() }
    }

    /// What stands in a file now.
    pub fn found(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.found.get(name)?).ok()
    }

    pub fn file(&mut self, name: String, content: impl Into<Vec<u8>>) {
        let content = content.into();
        assert!(self.files.insert(name.clone(), content).is_none(), "{name} is expected twice");
    }

    /// Writes the files, or fails for each folder that is not as expected.
    pub fn settle(self) {
        if updates() {
            for name in self.found.keys().filter(|name| !self.files.contains_key(*name)) {
                let path = self.root.join(name);
                fs::remove_file(&path).expect("a file that can be removed");
                // Folders that are empty now; others stay.
                let _ = path.parent().is_some_and(|folder| fs::remove_dir(folder).is_ok());
            }
            for (name, content) in self.files.iter().filter(|(name, content)| self.found.get(*name) != Some(content)) {
                let path = self.root.join(name);
                fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder that can be made");
                fs::write(&path, content).expect("a file that can be written");
            }
            return;
        }
        let mut report = String::new();
        let mut folders: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut shown = 0;
        let all: BTreeMap<_, _> = self.files.iter().chain(&self.found).collect();
        for name in all.keys() {
            let (count, wrong) = folders.entry(name.split('/').next().unwrap_or_default()).or_default();
            *count += 1;
            let (expected, found) = (self.files.get(*name), self.found.get(*name));
            if expected == found {
                continue;
            }
            *wrong += 1;
            let what = match (expected, found) {
                (Some(_), None) => "is missing",
                (None, Some(_)) => "belongs to nothing",
                _ => "differs",
            };
            let _ = writeln!(report, "{name} {what}");
            if let (Some(expected), Some(found)) = (expected, found)
                && shown < SHOWN_MAX
            {
                shown += 1;
                difference(found, expected, &mut report);
            }
        }
        let mut is_right = true;
        for (folder, (count, wrong)) in folders {
            is_right &= wrong == 0;
            let _ = writeln!(report, "{folder}: {count} files, {wrong} wrong");
        }
        assert!(is_right, "GOLDEN=update cargo test --test golden writes them anew\n{report}");
        println!("{report}");
    }
}

fn collect(root: &Path, below: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let path = root.join(below);
    if !path.is_dir() {
        found.insert(below.to_owned(), fs::read(&path).expect("a readable file"));
        return;
    }
    for name in names(&path) {
        collect(root, &format!("{below}/{name}"), found);
    }
}

/// The lines from the first that differs to the last.
fn difference(was: &[u8], is: &[u8], report: &mut String) {
    let (was, is) = (String::from_utf8_lossy(was), String::from_utf8_lossy(is));
    let (was, is): (Vec<_>, Vec<_>) = (was.lines().collect(), is.lines().collect());
    let same = was.iter().zip(&is).take_while(|(was, is)| was == is).count();
    let (was, is) = (&was[same..], &is[same..]);
    let tail = was.iter().rev().zip(is.iter().rev()).take_while(|(was, is)| was == is).count();
    for (mark, lines) in [('-', &was[..was.len() - tail]), ('+', &is[..is.len() - tail])] {
        for line in lines.iter().take(12) {
            let _ = writeln!(report, "    {mark} {line}");
        }
    }
}
