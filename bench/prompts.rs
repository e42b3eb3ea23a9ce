//! Request bodies and answers of given sizes, the same on every run.

/// English prose as it stands in a JSON string: a word in ten is a line break or a quotation.
pub fn prose(bytes: usize) -> String {
    const WORDS: &str = concat!(
        "the |gateway |answers |with |a |stream |of |tokens |and |keeps |count |of |each |request. |It was said: |",
        "\\\"never\\\" |but |in |the |end\\n"
    );
    let words: Vec<&str> = WORDS.split('|').collect();
    let mut chosen = Chosen(1);
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.push_str(words[chosen.below(words.len())]);
    }
    text
}

/// A streaming chat request of about this size, most of it in one prompt.
pub fn chat(bytes: usize) -> Vec<u8> {
    let prompt = prose(bytes.saturating_sub(250));
    format!(
        concat!(
            r#"{{"model":"gpt-4o-mini","messages":[{{"role":"system","content":"You are a helpful assistant."}},"#,
            r#"{{"role":"user","content":"{}"}}],"temperature":0.7,"max_tokens":256,"stream":true,"#,
            r#""stream_options":{{"include_usage":false}},"user":"u-1"}}"#
        ),
        prompt
    )
    .into_bytes()
}

/// A conversation of an agent: many short members, tool calls with escaped arguments.
pub fn agent(bytes: usize) -> Vec<u8> {
    let mut turns = Vec::new();
    let mut turn_bytes = 0;
    while turn_bytes < bytes {
        let number = turns.len();
        let turn = format!(
            concat!(
                r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_{}","type":"function","#,
                r#""function":{{"name":"lookup","arguments":"{{\"query\":\"item {}\",\"limit\":5}}"}}}}]}},"#,
                r#"{{"role":"tool","tool_call_id":"call_{}","content":"{}"}}"#
            ),
            number,
            number,
            number,
            prose(200)
        );
        turn_bytes += turn.len() + 1;
        turns.push(turn);
    }
    format!(r#"{{"model":"gpt-4o-mini","messages":[{}],"stream":true}}"#, turns.join(",")).into_bytes()
}

/// A chat request whose one image is inline.
pub fn image(bytes: usize) -> Vec<u8> {
    let image = "iVBORw0KGgoAAAANSUhEUg+/".repeat(bytes / 24);
    format!(
        r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}]}}"#
    )
    .into_bytes()
}

/// An answer with one embedding vector, as text.
pub fn embedding(bytes: usize) -> Vec<u8> {
    let mut chosen = Chosen(1);
    let mut list = String::new();
    while list.len() < bytes {
        list.push_str(&format!("{:.9},", chosen.below(1 << 30) as f64 / (1u64 << 29) as f64 - 1.0));
    }
    format!(
        r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{list}0]}}],"model":"m","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    )
    .into_bytes()
}

/// A linear congruential generator: enough to vary words.
struct Chosen(u32);

impl Chosen {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 2) as usize % limit
    }
}
