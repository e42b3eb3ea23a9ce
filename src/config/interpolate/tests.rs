use super::*;

/// A process with a few variables and files.
struct Table;

impl Lookup for Table {
    fn env(&self, name: &str) -> Option<String> {
        let value = match name {
            "NAME" => "value",
            "NEWLINES" => "value\r\n\n",
            "INNER" => "a\nb",
            "EMPTY" => "",
            "NESTED" => "${env:NAME} $$",
            "CREDENTIALS_DIRECTORY" => "/run/credentials/ringway.service",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/secrets/openai") => Ok("from-file\n".to_owned()),
            Some("/run/credentials/ringway.service/openai") => Ok("from-systemd\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }
}

fn expanded(text: &str) -> String {
    match expand(text, &Table) {
        Ok(expanded) => expanded.text,
        Err(refused) => format!("refused: {}", refused.message),
    }
}

#[test]
fn references() {
    let check = |text, expected: &str| assert_eq!(expanded(text), expected, "{text}");
    check("plain", "plain");
    check("${env:NAME}", "value");
    check("a ${env:NAME} b ${file:/secrets/openai} c", "a value b from-file c");
    check("${credential:openai}", "from-systemd");
    check("${env:NEWLINES}", "value");
    check("${env:INNER}", "a\nb");
    check("100$", "100$");
    check("$x", "$x");
    check("$$", "$");
    check("$${env:NAME}", "${env:NAME}");
    check("$$$${x}", "$${x}");

    check("${env:MISSING}", "refused: the environment variable 'MISSING' is not set");
    check("${env:EMPTY}", "refused: what '${env:EMPTY}' names is empty");
    check("${file:/nowhere}", "refused: the file '/nowhere' cannot be used: no such file");
    check("${file:relative}", "refused: 'relative' is not an absolute path");
    check("${credential:other}", "refused: the credential 'other' cannot be used: no such file");
    check("${credential:../openai}", "refused: this is not the name of a credential");
    check("${credential:..}", "refused: this is not the name of a credential");
    check("${credential:}", "refused: this is not the name of a credential");
    check("${NAME}", "refused: this is not a reference");
    check("${vault:x}", "refused: this is not a reference");
    check("${}", "refused: this is not a reference");
    check("${env:NAME", "refused: '${' without '}'");
}

/// What a secret contains is not looked at: a `$` in it is a character.
#[test]
fn values_are_not_expanded_again() {
    assert_eq!(expanded("${env:NESTED}"), "${env:NAME} $$");
}

/// Someone pastes the secret where the variable's name belongs.
#[test]
fn a_secret_in_the_place_of_a_name_is_not_repeated() {
    for text in ["${env:sk-canary-1}", "${sk-canary-1}", "${sk-canary-1:x}", "${credential:sk/canary-1}"] {
        let shown = expanded(text);
        assert!(shown.starts_with("refused") && !shown.contains("canary"), "{text}: {shown}");
    }
}
