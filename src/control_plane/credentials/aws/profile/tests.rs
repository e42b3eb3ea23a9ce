use super::super::super::fixtures::Table;
use super::*;

const CREDENTIALS: &str = "
# comment
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=secret/with+signs=
[ work ]
aws_access_key_id = AKIAWORK ; a comment
aws_secret_access_key = abc#def
aws_session_token = token
s3 =
  aws_access_key_id = AKIANESTED
[half]
aws_access_key_id = AKIAHALF
[tool]
credential_process = /bin/keys
";

const CONFIG: &str = "
[default]
region = eu-central-1
[profile   config only]
aws_access_key_id = AKIACONFIG
aws_secret_access_key = from-config
[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = default
[profile half]
aws_secret_access_key = other-half
[profile empty]
[work]
aws_access_key_id = AKIANOTAPROFILE
aws_secret_access_key = x
";

/// `id secret token`, or what is said instead.
fn check(name: &str, expected: Result<Option<&str>, &str>) {
    let surroundings = Table::default()
        .env("HOME", "/home/me")
        .file("/home/me/.aws/credentials", CREDENTIALS)
        .file("/home/me/.aws/config", CONFIG);
    let found = read(name, &surroundings).map(|found| {
        found.map(|it| format!("{} {} {}", it.access_key_id, it.secret_access_key, it.token.unwrap_or("-".to_owned())))
    });
    assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected, "{name}");
}

#[test]
fn keys_of_profiles() {
    check("default", Ok(Some("AKIADEFAULT secret/with+signs= -")));
    check("work", Ok(Some("AKIAWORK abc#def token")));
    check("config only", Ok(Some("AKIACONFIG from-config -")));
    check("none", Ok(None));
}

#[test]
fn other_ways_to_keys_are_refused_by_name() {
    check(
        "tool",
        Err("the profile 'tool' has 'credential_process' and no keys, and only profiles with keys can be used"),
    );
    check("role", Err("the profile 'role' has 'role_arn' and no keys, and only profiles with keys can be used"));
    check("half", Err("the profile 'half' has no keys"));
    check("empty", Err("the profile 'empty' has no keys"));
}

#[test]
fn files_may_be_elsewhere_or_nowhere() {
    assert!(read("default", &Table::default()).expect("no error").is_none());
    let elsewhere = Table::default()
        .env("AWS_SHARED_CREDENTIALS_FILE", "/a")
        .env("AWS_CONFIG_FILE", "/b")
        .file("/b", "[default]\naws_access_key_id=A\naws_secret_access_key=b\n");
    assert_eq!(read("default", &elsewhere).expect("no error").expect("found").access_key_id, "A");
    // A default profile that only names a region is as good as none.
    let region = Table::default().env("AWS_CONFIG_FILE", "/b").file("/b", "[default]\nregion=x\n");
    assert!(read("default", &region).expect("no error").is_none());
}
