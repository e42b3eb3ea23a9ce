//! The program as a person runs it: arguments, standard output, standard error, exit status.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs the program in an environment that holds nothing but `variables`.
fn ringway(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.output().expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "sk-canary-0123456789");

/// What `keys create` prints is accepted as it stands, and the key is nowhere in the file.
#[test]
fn a_created_key_makes_a_configuration_complete() {
    let created = ringway(&["keys", "create", "--name", "laptop", "--expires", "90d"], &[]);
    assert!(created.status.success());
    let text = stdout(&created);
    let (secret, lines) = text.split_once('\n').expect("the key and the lines");
    assert!(secret.starts_with("rw-") && !lines.contains(secret));

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ringway.toml");
    let rest = "[providers.openai]\nkind = 'openai'\ncredential = '${env:OPENAI_API_KEY}'\n\
                [[models]]\nname = '*'\ndeployments = ['openai/*']\n";
    fs::write(&path, format!("{lines}\n{rest}")).expect("written");
    let checked = ringway(&["check", "--config", &path.display().to_string()], &[OPENAI]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    assert!(stdout(&checked).contains("1 key, 1 model, 1 deployment, 1 endpoint"), "{}", stdout(&checked));
    assert_eq!(stderr(&checked), "");
}

#[test]
fn check_reports_everything_and_fails() {
    let output = ringway(&["check", "--config", "tests/config/bad/shape.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let expected = fs::read_to_string("tests/config/bad/shape.txt").expect("the case");
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    assert!(stderr(&output).ends_with("errors found; the configuration would be refused\n"));
}

#[test]
fn check_of_a_missing_file_fails() {
    let output = ringway(&["check", "--config", "/nowhere/ringway.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/ringway.toml: no such file"), "{}", stderr(&output));
}

/// The effective configuration shows references, never what they stand for, and is itself a configuration.
#[test]
fn the_effective_configuration_can_be_saved_and_shows_no_secret() {
    let main = "tests/config/good/merged/ringway.toml";
    let variables = [("CANARY_KEY", "sk-canary-0123456789")];
    let output = ringway(&["check", "--print-effective", "--config", main], &variables);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("credential = \"${env:CANARY_KEY}\"") && !text.contains("sk-canary"), "{text}");
    assert!(text.contains("warm_min = 3") && text.contains("head_timeout_ms = 3000"), "{text}");

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ringway.toml");
    fs::write(&path, &text).expect("written");
    let again = ringway(&["check", "--print-effective", "--config", &path.display().to_string()], &variables);
    assert_eq!(stdout(&again), text);
}

#[test]
fn without_a_file_the_environment_is_checked() {
    if Path::new(ringway::config::origin::DEFAULT_PATH).exists() {
        return; // This machine has Ringway installed; its configuration is not ours to judge.
    }
    let output = ringway(&["check"], &[OPENAI]);
    assert!(output.status.success(), "{}", stderr(&output));
    let effective = ringway(&["check", "--print-effective"], &[OPENAI]);
    assert!(stdout(&effective).contains("credential = \"${env:OPENAI_API_KEY}\""), "{}", stdout(&effective));
    assert!(!stdout(&effective).contains("canary"));

    let nothing = ringway(&["check"], &[]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stderr(&nothing).contains("OPENAI_API_KEY"), "{}", stderr(&nothing));
}

#[test]
fn the_schema_is_json() {
    let output = ringway(&["schema"], &[]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["title"], "Ringway configuration");
    assert!(schema["properties"]["server"].is_object());
}

#[test]
fn providers_are_listed() {
    let text = stdout(&ringway(&["providers"], &[]));
    assert_eq!(text.lines().count(), ringway::providers::registry::PROVIDERS.len() + 1);
    assert!(text.contains("openai ") && text.contains("https://api.openai.com/v1") && text.contains("OPENAI_API_KEY"));
}

#[test]
fn models_are_listed_and_filtered() {
    let all = ringway(&["models"], &[]);
    assert!(all.status.success(), "{}", stderr(&all));
    let readme = fs::read_to_string("README.md").expect("the front page");
    let providers = ringway::catalog::providers().count();
    let count = format!("{} models of {providers} providers", stdout(&all).lines().count() - 1);
    assert!(readme.contains(&count), "README.md does not say that there are {count}");
    let some =
        ["models", "--provider", "anthropic,bedrock", "--capability", "tools,vision", "--price-max", "5", "haiku"];
    let text = stdout(&ringway(&some, &[]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("MODEL ") && lines[0].contains("CONTEXT") && lines.len() > 3, "{text}");
    assert!(lines[1..].iter().all(|line| line.contains("haiku") && line.contains("tools")), "{text}");
    let wrong = ringway(&["models", "--provider", "antropic"], &[]);
    assert_eq!((wrong.status.code(), stdout(&wrong).as_str()), (Some(1), ""));
    assert!(stderr(&wrong).contains("did you mean 'anthropic'?"), "{}", stderr(&wrong));
}

#[test]
fn models_as_json_with_what_the_operator_says() {
    let arguments = ["models", "--json", "--config", "tests/config/good/catalog.toml", "--provider", "openai,ours"];
    let output = ringway(&arguments, &[("CANARY_KEY", "sk-canary-0123456789")]);
    let models: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let find = |provider: &str, id: &str| {
        let found = models.iter().find(|model| model["provider"] == provider && model["id"] == id);
        found.unwrap_or_else(|| panic!("{provider}/{id}"))
    };
    let own = find("openai", "gpt-4o");
    assert_eq!((&own["configured"], &own["price"]["input_picousd"]), (&true.into(), &2_000_000.into()));
    assert_eq!(own["cannot"], serde_json::json!(["tools", "json_schema"]));
    assert_eq!(find("openai", "gpt-5-of-ours")["retires_on"], "2027-01-31");
    assert_eq!(find("ours", "tuned")["context_tokens"], 100_000);
    let built_in = find("openai", "gpt-5.5");
    assert_eq!(
        (&built_in["configured"], &built_in["price"]["tiers"][0]["above_tokens"]),
        (&false.into(), &272_000.into())
    );
    assert!(!stdout(&output).contains("canary"));

    let broken = ringway(&["models", "--config", "tests/config/bad/catalog.toml"], &[]);
    assert_eq!((broken.status.code(), stdout(&broken).as_str()), (Some(1), ""));
}

#[test]
fn wrong_arguments_are_status_2() {
    for arguments in [
        &["models", "--kind", "chats"][..],
        &["models", "--capability", "tools,telepathy"],
        &["models", "--price-max", "x"],
    ] {
        assert_eq!(ringway(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [&["serve", "--shards", "0"][..], &["nothing"], &["check", "--nothing"], &["keys"]] {
        assert_eq!(ringway(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [&["keys", "create", "--name", "a\"b"][..], &["keys", "create", "--expires", "soon"]] {
        let output = ringway(arguments, &[]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments:?}");
    }
}

/// The installed example is right in all its examples, and as shipped asks for what only the operator can give.
#[test]
fn the_example_configuration() {
    let example = fs::read_to_string("systemd/ringway.toml").expect("the example");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ringway.toml");
    fs::write(&path, &example).expect("written");
    let shipped = ringway(&["check", "--config", &path.display().to_string()], &[]);
    let keys = ["keys: there is no key", "providers: there is no provider", "models: there is no model"];
    for key in keys {
        assert!(stderr(&shipped).contains(key), "{}", stderr(&shipped));
    }
    assert!(stderr(&shipped).contains("3 errors found"), "{}", stderr(&shipped));

    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = example.lines().map(uncommented).collect();
    fs::write(&path, text.join("\n")).expect("written");
    fs::write(directory.path().join("openai"), "sk-canary-0123456789\n").expect("written");
    let credentials = directory.path().display().to_string();
    let variables = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    let all = ringway(&["check", "--config", &path.display().to_string()], &variables);
    assert!(all.status.success(), "{}", stderr(&all));
    assert_eq!(stderr(&all), "");
    assert!(stdout(&all).contains("1 key, 3 models, 4 deployments, 2 endpoints"), "{}", stdout(&all));
}

/// Every key that there is stands in the example, so that nobody has to guess.
#[test]
fn the_example_names_every_key_of_the_server() {
    let example = fs::read_to_string("systemd/ringway.toml").expect("the example");
    let schema = ringway::config::schema::schema();
    for section in ["Server", "Admin", "AccessLog", "Key", "Deadlines"] {
        let keys = schema["$defs"][section]["properties"].as_object().expect(section);
        // Not for an example that people copy: it lets everyone in.
        for key in keys.keys().filter(|key| *key != "open_access") {
            let named = example.contains(&format!("#{key} = ")) || example.contains(&format!(" {key} = "));
            assert!(named, "{section}.{key}");
        }
    }
}

/// The manual lists each command, each option and the name of its value as `--help` does, and nothing that there is not.
#[test]
fn manual_and_help_agree() {
    let mut helped = BTreeSet::new();
    help_of(&mut Vec::new(), &mut helped);
    let manual = fs::read_to_string("man/ringway.8").expect("the manual").replace("\\-", "-");
    let commands = manual.split(".SH COMMANDS\n").nth(1).expect("the section").split("\n.SH").next().expect("its text");
    let mut documented = BTreeSet::new();
    let mut command = "";
    for line in commands.lines() {
        if let Some(name) = line.strip_prefix(".SS ") {
            command = name;
            documented.insert(command.to_owned());
        } else if let Some(option) = line.strip_prefix(".BI --").or(line.strip_prefix(".B --")) {
            documented.insert(format!("{command} --{}", option.replace(" \"", "").replace('"', "")));
        }
    }
    assert_eq!(documented, helped);
    assert!(helped.len() > 10, "help was understood: {helped:?}");
}

/// Commands that do something, and their options as `COMMAND --option VALUE`; every command has `--help` and `--version` besides.
fn help_of(command: &mut Vec<String>, found: &mut BTreeSet<String>) {
    let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["-h"]).collect();
    let output = ringway(&arguments, &[]);
    assert!(output.status.success(), "{arguments:?}");
    let text = stdout(&output);
    let section = |title: &str| {
        let lines = text.lines().skip_while(move |line| *line != title).skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.trim_start().to_owned()).collect::<Vec<_>>()
    };
    let name = command.join(" ");
    for option in section("Options:").iter().filter_map(|line| line.strip_prefix("--")) {
        // Two spaces end it, one goes before the name of its value.
        let shown = option.split("  ").next().expect("split gives one at least").replace(['<', '>'], "");
        found.insert(format!("{name} --{shown}"));
    }
    let below = section("Commands:");
    if below.is_empty() {
        found.insert(name);
    }
    for line in below.iter().filter(|line| !line.starts_with("help ")) {
        command.push(line.split(' ').next().expect("split gives one at least").to_owned());
        help_of(command, found);
        command.pop();
    }
}
