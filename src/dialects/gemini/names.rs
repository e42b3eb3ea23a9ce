//! Names of tools as Gemini takes them: a letter or an underscore first, then letters, digits, `_`, `.`, `:` and `-`, at most 64 bytes.
//!
//! A name that is not like that gets another, the same each time in a conversation and no other tool's; the answer's calls get theirs
//! back (`Adapted::names`).

use crate::dialects::canonical::Tool;
use crate::json::piece::Text;

/// Longest name, in bytes. <https://ai.google.dev/api/caching#FunctionDeclaration>
const NAME_BYTES_MAX: usize = 64;

/// The names of one request.
pub struct Names<'r> {
    tools: &'r [Tool<'r>],
    /// The upstream's name, the client's name.
    renamed: Vec<(Box<str>, Box<str>)>,
}

impl<'r> Names<'r> {
    pub fn new(tools: &'r [Tool<'r>]) -> Names<'r> {
        Names { tools, renamed: Vec::new() }
    }

    /// What a tool is called upstream.
    pub fn upstream<'n>(&mut self, name: &'n Text<'_>) -> Text<'n> {
        let said = name.decoded();
        if is_fit(&said) {
            return name.by_ref();
        }
        if let Some((upstream, _)) = self.renamed.iter().find(|(_, client)| **client == *said) {
            return Text::plain(upstream.to_string());
        }
        let fitting = self.unused(&fitted(&said));
        self.renamed.push((fitting.as_str().into(), said.as_ref().into()));
        Text::plain(fitting)
    }

    /// A name like `wanted`, which is fit, that no tool has.
    pub fn unused(&self, wanted: &str) -> String {
        let is_taken = |name: &str| {
            let declared = self.tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.name.says(name)));
            declared || self.renamed.iter().any(|(upstream, _)| **upstream == *name)
        };
        let mut name = wanted.to_owned();
        let mut number = 2;
        while is_taken(&name) {
            let suffix = format!("_{number}");
            name = format!("{}{suffix}", &wanted[..wanted.len().min(NAME_BYTES_MAX - suffix.len())]);
            number += 1;
        }
        name
    }

    pub fn into_renamed(self) -> Vec<(Box<str>, Box<str>)> {
        self.renamed
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
        assert_eq!(renamed[0], ("a_b_2".into(), "a/b".into()));
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
