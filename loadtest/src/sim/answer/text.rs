//! Made-up words. They repeat the beginning of what was asked, so that a reader sees which request was answered.

use crate::sim::latency::Random;

const WORDS: &[&str] = &[
    "a", "answer", "bridge", "carries", "clear", "distance", "each", "even", "far", "first", "gives", "grain",
    "harbour", "hold", "in", "keeps", "known", "line", "many", "measure", "near", "of", "one", "over", "part", "quiet",
    "river", "road", "same", "signal", "small", "stone", "straße", "that", "the", "through", "time", "to", "turns",
    "under", "wave", "while", "with", "words", "→",
];

/// Words of the prompt that are repeated.
const REPEATED: usize = 6;

/// `count` pieces whose concatenation is the answer. Each is one word with the space before it, and some are not ASCII.
pub(super) fn pieces(prompt: &str, count: usize, random: &mut Random) -> Vec<String> {
    let said = ["You", "said:"].into_iter().chain(prompt.split_whitespace().take(REPEATED));
    let mut pieces: Vec<String> = said.take(count).map(str::to_owned).collect();
    while pieces.len() < count {
        pieces.push(WORDS[random.below(WORDS.len())].to_owned());
    }
    for piece in pieces.iter_mut().skip(1) {
        piece.insert(0, ' ');
    }
    pieces
}

/// Puts neighbours together until `count` pieces are left.
pub(super) fn regroup(pieces: Vec<String>, count: usize) -> Vec<String> {
    if count == 0 || pieces.len() <= count {
        return pieces;
    }
    let total = pieces.len();
    let mut groups = vec![String::new(); count];
    for (index, piece) in pieces.into_iter().enumerate() {
        groups[index * count / total].push_str(&piece);
    }
    groups
}

/// Cuts a text into pieces of about `bytes` bytes, never within a character.
pub(super) fn cut(text: &str, bytes: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in text.chars() {
        if pieces.last().is_some_and(|last| last.len() >= bytes) {
            pieces.push(String::new());
        }
        if let Some(last) = pieces.last_mut() {
            last.push(character);
        }
    }
    pieces
}

/// A JSON string literal.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `count` pieces of thinking, each one word.
pub(super) fn thoughts(count: usize, random: &mut Random) -> Vec<String> {
    let words = (1..count).map(|_| format!(" {}", WORDS[random.below(WORDS.len())]));
    std::iter::once("Thinking:".to_owned()).chain(words).collect()
}
