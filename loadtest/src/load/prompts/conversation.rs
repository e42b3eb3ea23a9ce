//! What is said in one request, before any dialect writes it down.
//!
//! How many turns, tools and pictures there are follows from the size of the body; how long the texts are, from the bytes
//! given for them. The last word is always the user's, so that every provider takes it.

use serde_json::{Value, json};

use super::picture::png_base64;
use super::prose::text;
use crate::load::options::Kind;
use crate::sim::latency::Random;

pub(super) struct Conversation {
    pub system: &'static str,
    pub tools: Vec<Tool>,
    pub turns: Vec<Turn>,
}

/// A function that the model may call.
pub(super) struct Tool {
    pub name: String,
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Value,
}

pub(super) enum Turn {
    User {
        text: String,
        /// PNG in base64.
        pictures: Vec<String>,
    },
    Assistant {
        text: String,
    },
    /// The model called a tool, and this is what came of it.
    Call {
        id: String,
        tool: String,
        arguments: Value,
        result: String,
    },
}

const TOOL_NAMES: &[&str] = &["search_orders", "get_weather", "run_query", "read_file", "send_message", "find_flights"];

impl Conversation {
    pub fn new(kind: Kind, random: &mut Random, body_bytes: usize, text_bytes: usize) -> Self {
        let tools = match kind {
            Kind::Tools => (0..(body_bytes / 4_096).clamp(1, 24)).map(|index| Tool::new(random, index)).collect(),
            Kind::Chat | Kind::Images => Vec::new(),
        };
        // User and assistant in turn, and the user's question at the end.
        let pairs = (body_bytes / 2_048).clamp(usize::from(body_bytes >= 512), 20);
        let shares: Vec<f64> = (0..=2 * pairs).map(|_| 0.5 + random.unit()).collect();
        let whole: f64 = shares.iter().sum();
        let pictures = match kind {
            // Most of the body is pictures, where it is large enough for one.
            Kind::Images => text_bytes * 9 / 10,
            Kind::Chat | Kind::Tools => 0,
        };
        let bytes_of = |share: f64| ((text_bytes - pictures) as f64 * share / whole) as usize;
        let mut turns = Vec::new();
        for pair in 0..pairs {
            turns.push(Turn::User { text: text(random, bytes_of(shares[2 * pair])), pictures: Vec::new() });
            let answer = bytes_of(shares[2 * pair + 1]);
            if let Some(tool) = tools.get(pair % tools.len().max(1)) {
                turns.push(Turn::call(random, pair, tool, answer / 2));
                turns.push(Turn::Assistant { text: text(random, answer / 2) });
            } else {
                turns.push(Turn::Assistant { text: text(random, answer) });
            }
        }
        let count = (pictures / 200_000).clamp(usize::from(kind == Kind::Images), 8);
        let pictures = (0..count).map(|_| png_base64(random, pictures / count)).collect();
        turns.push(Turn::User { text: text(random, bytes_of(shares[2 * pairs])), pictures });
        Self { system: "You are a careful assistant. Answer briefly, from the conversation alone.", tools, turns }
    }
}

impl Tool {
    fn new(random: &mut Random, index: usize) -> Self {
        let name = format!("{}_{index}", TOOL_NAMES[index % TOOL_NAMES.len()]);
        let parameters = json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": text(random, 48)},
                "limit": {"type": "integer"},
                "unit": {"type": "string", "enum": ["day", "week", "month"]},
            },
            "required": ["query"],
        });
        Self { name, description: text(random, 96), parameters }
    }
}

impl Turn {
    fn call(random: &mut Random, index: usize, tool: &Tool, result_bytes: usize) -> Self {
        let arguments = json!({"query": text(random, 40), "limit": random.below(50)});
        Turn::Call {
            id: format!("call_{index:04}{:012x}", random.bits() >> 16),
            tool: tool.name.clone(),
            arguments,
            result: text(random, result_bytes),
        }
    }
}
