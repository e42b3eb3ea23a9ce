//! Made-up prose: sentences of common words with names, numbers, quotation marks and other scripts, and now and then a
//! block of code, in proportions such that about one byte in twelve is not ASCII and one in thirty must be escaped in JSON.

use crate::sim::latency::Random;

const WORDS: &[&str] = &[
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "for",
    "it",
    "with",
    "as",
    "on",
    "be",
    "at",
    "by",
    "this",
    "from",
    "we",
    "can",
    "report",
    "which",
    "when",
    "service",
    "request",
    "customer",
    "because",
    "after",
    "latency",
    "system",
    "before",
    "please",
    "summary",
    "table",
    "invoice",
    "should",
    "between",
    "region",
    "error",
    "deployment",
    "meeting",
    "quarter",
    "estimate",
    "could",
    "shipment",
    "through",
    "database",
    "without",
    "contract",
    "schedule",
    "explain",
    "measurement",
    "nevertheless",
    "configuration",
    "responsibility",
    "it's",
    "don't",
    "user-facing",
    "end-to-end",
];

const OTHERS: &[&str] = &[
    "Die Brücke öffnet um 7.45 Uhr, und überall stehen Leute.",
    "桥很长，所以他们一边走一边数灯，然后把一切都写下来。",
    "Η αναφορά πρέπει να είναι έτοιμη πριν από την Παρασκευή.",
    "Отчёт за третий квартал приложен, проверьте итоги.",
    "La réunion est décalée à 15 h — merci d'apporter les chiffres.",
    "会議は午後三時からです。資料を確認してください。",
    "Thanks, that worked 👍 — on to the next one 🚀.",
    "el año pasado costó 12 € más, según el informe.",
];

const CODE: &[&str] = &[
    "```python\ndef total(rows):\n    return sum(row[\"amount\"] for row in rows if row[\"id\"] != NUMBER)\n```",
    "```sql\nSELECT region, count(*) FROM orders WHERE id > NUMBER GROUP BY region ORDER BY 2 DESC;\n```",
    "```json\n{\"level\": \"warn\", \"code\": NUMBER, \"path\": \"C:\\\\logs\\\\today.txt\"}\n```",
    "```rust\nfn retry(limit: u32) -> Option<u32> {\n\t(0..limit).find(|n| n * 7 == NUMBER)\n}\n```",
    "```sh\ngrep -c \"status=5[0-9][0-9]\" access.log | awk '{ print $1 / NUMBER }'\n```",
];

/// So much prose that its JSON form has `json_bytes` bytes, to within the last character.
pub(super) fn text(random: &mut Random, json_bytes: usize) -> String {
    let mut text = String::with_capacity(json_bytes + 128);
    let mut piece = String::new();
    let mut left = json_bytes;
    while left > 0 {
        piece.clear();
        sentence(random, &mut piece);
        for character in piece.chars() {
            let bytes = escaped_bytes(character);
            if bytes > left {
                return text;
            }
            text.push(character);
            left -= bytes;
        }
    }
    text
}

fn escaped_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\t' => 2,
        other => other.len_utf8(),
    }
}

fn sentence(random: &mut Random, out: &mut String) {
    match random.below(16) {
        0 => {
            let code = CODE[random.below(CODE.len())].replace("NUMBER", &random.below(10_000).to_string());
            out.push_str(&code);
            out.push('\n');
            return;
        }
        1 | 2 => {
            out.push_str(OTHERS[random.below(OTHERS.len())]);
            out.push(' ');
            return;
        }
        _ => {}
    }
    let words = 6 + random.below(12);
    for index in 0..words {
        // The beginning of the list is common speech: the lower of two draws prefers it.
        let word = WORDS[random.below(WORDS.len()).min(random.below(WORDS.len()))];
        match random.below(24) {
            0 => out.push_str(&random.below(100_000).to_string()),
            1 => {
                out.push('"');
                out.push_str(word);
                out.push('"');
            }
            _ if index == 0 => {
                out.push_str(&word[..1].to_uppercase());
                out.push_str(&word[1..]);
            }
            _ => out.push_str(word),
        }
        if index + 1 < words {
            out.push_str(if random.below(12) == 0 { ", " } else { " " });
        }
    }
    out.push_str(match random.below(8) {
        0 => ".\n\n",
        1 => "? ",
        _ => ". ",
    });
}
