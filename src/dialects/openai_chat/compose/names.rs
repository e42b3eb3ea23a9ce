//! Names of tools: 1 to 64 letters, digits, underscores and dashes. Others are changed, the same one the same way throughout a request.

use crate::dialects::canonical::Tool;
use crate::json::piece::Text;
use std::collections::{HashMap, HashSet};

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The names that had to be changed.
#[derive(Default)]
pub struct Names {
    /// The upstream's, by the client's.
    upstream: HashMap<String, String>,
    /// Names that are not free. Empty as long as no name had to be changed.
    taken: HashSet<String>,
}

pub fn is_acceptable(name: &Text<'_>) -> bool {
    let said = match name {
        Text::Escaped(said) => said,
        Text::Plain(said) => said.as_bytes(),
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NAME_CHARS_MAX).contains(&said.len()) && said.iter().all(is_name)
}

impl Names {
    pub fn of(tools: &[Tool<'_>]) -> Names {
        let mut names = Names::default();
        let declared = || {
            tools.iter().filter_map(|tool| match tool {
                Tool::Function(function) => Some(&function.name),
                Tool::Other { .. } => None,
            })
        };
        if declared().any(|name| !is_acceptable(name)) {
            names.taken.extend(declared().filter(|name| is_acceptable(name)).map(|name| name.decoded().into_owned()));
            for name in declared() {
                names.upstream(name);
            }
        }
        names
    }

    /// What the upstream knows the tool as, if that is another name.
    pub fn upstream(&mut self, name: &Text<'_>) -> Option<&str> {
        if is_acceptable(name) {
            return None;
        }
        let client = name.decoded();
        if !self.upstream.contains_key(&*client) {
            let upstream = self.free(&client);
            self.taken.insert(upstream.clone());
            self.upstream.insert(client.clone().into_owned(), upstream);
        }
        self.upstream.get(&*client).map(String::as_str)
    }

    /// Any acceptable name that is near to `client` and free.
    fn free(&self, client: &str) -> String {
        let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        let near = |character| if is_name(character) { character } else { '_' };
        // Room for a number that tells it apart.
        let stem: String = client.chars().map(near).take(NAME_CHARS_MAX - 8).collect();
        let stem = if stem.is_empty() { "tool".to_owned() } else { stem };
        let numbered = (2u32..).map(|number| format!("{stem}_{number}"));
        std::iter::once(stem.clone()).chain(numbered).find(|name| !self.taken.contains(name)).unwrap_or(stem)
    }

    /// The upstream's and the client's names.
    pub fn into_renamed(self) -> Vec<(Box<str>, Box<str>)> {
        let mut renamed: Vec<_> =
            self.upstream.into_iter().map(|(client, upstream)| (upstream.into(), client.into())).collect();
        renamed.sort();
        renamed
    }
}
