//! Names of tools as Gemini takes them: a letter or an underscore first, then letters, digits, `_`, `.`, `:` and `-`, at most 64 bytes.
//!
//! A name that is not like that gets another, the same each time in a conversation and no other tool's; the answer's calls get theirs
//! back (`Adapted::names`).

use crate::dialects::canonical::Tool;
use crate::json::piece::Text;
use std::collections::{HashMap, HashSet};

/// Longest name, in bytes. <https://ai.google.dev/api/caching#FunctionDeclaration>
const NAME_BYTES_MAX: usize = 64;

/// The names of one request.
pub struct Names<'r> {
    tools: &'r [Tool<'r>],
    /// Names that are used, once one had to be made.
    taken: HashSet<String>,
    /// The upstream's names by the client's.
    renamed: HashMap<String, String>,
}

impl<'r> Names<'r> {
    pub fn new(tools: &'r [Tool<'r>]) -> Names<'r> {
        Names { tools, taken: HashSet::new(), renamed: HashMap::new() }
    }

    /// What a tool is called upstream.
    pub fn upstream<'n>(&mut self, name: &'n Text<'_>) -> Text<'n> {
        let said = name.decoded();
        if is_fit(&said) {
            return name.by_ref();
        }
        if let Some(upstream) = self.renamed.get(&*said) {
            return Text::plain(upstream.clone());
        }
        let fitting = self.unused(&fitted(&said));
        self.renamed.insert(said.into_owned(), fitting.clone());
        Text::plain(fitting)
    }

    /// A name like `wanted`, which is fit, that no tool has.
    pub fn unused(&mut self, wanted: &str) -> String {
        if self.taken.is_empty() {
            let functions =
                self.tools.iter().filter_map(|tool| if let Tool::Function(tool) = tool { Some(tool) } else { None });
            self.taken.extend(functions.map(|tool| tool.name.decoded().into_owned()));
        }
        let mut name = wanted.to_owned();
        // After a few tries the number is one that was not reached yet: a thousand names that are alike are not a million tries.
        let mut number = 2;
        while self.taken.contains(&name) {
            let suffix = format!("_{number}");
            name = format!("{}{suffix}", &wanted[..wanted.len().min(NAME_BYTES_MAX - suffix.len())]);
            number = if number < 8 { number + 1 } else { number.max(self.renamed.len()) + 1 };
        }
        self.taken.insert(name.clone());
        name
    }

    pub fn into_renamed(self) -> Vec<(Box<str>, Box<str>)> {
        let mut renamed: Vec<_> =
            self.renamed.into_iter().map(|(client, upstream)| (upstream.into(), client.into())).collect();
        renamed.sort_unstable();
        renamed
    }
}

fn is_fit(name: &str) -> bool {
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| fits(byte as char))
}

fn fits(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | ':' | '-')
}

/// What does not fit becomes `_`; all that is left is ASCII.
fn fitted(name: &str) -> String {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || !fits(first));
    let head = if begins { "" } else { "_" };
    let characters = name.chars().map(|character| if fits(character) { character } else { '_' });
    head.chars().chain(characters).take(NAME_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::canonical::FunctionTool;

    fn tool(name: &'static str) -> Tool<'static> {
        Tool::Function(FunctionTool {
            name: Text::plain(name),
            description: None,
            schema: None,
            strict: None,
            cache: None,
        })
    }

    #[test]
    fn only_what_does_not_fit_is_renamed() {
        let tools = [tool("a/b"), tool("a_b"), tool("a b"), tool("get.weather-2:x")];
        let mut names = Names::new(&tools);
        for (name, expected) in [
            ("get.weather-2:x", "get.weather-2:x"),
            ("a_b", "a_b"),
            ("a/b", "a_b_2"),
            ("a b", "a_b_3"),
            ("a/b", "a_b_2"),
            ("1st", "_1st"),
            (".x", "_.x"),
            ("", "_"),
            ("wétter", "w_tter"),
        ] {
            assert_eq!(names.upstream(&Text::plain(name)), Text::plain(expected), "{name}");
        }
        let renamed = names.into_renamed();
        assert!(renamed.contains(&("a_b_2".into(), "a/b".into())));
        assert_eq!(renamed.len(), 6);
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "x".repeat(100);
        let (first, second) = (Text::plain(format!("{long}1")), Text::plain(format!("{long}2")));
        let mut names = Names::new(&[]);
        assert_eq!(names.upstream(&first).decoded(), "x".repeat(64));
        assert_eq!(names.upstream(&second).decoded(), format!("{}_2", "x".repeat(62)));
    }
}
