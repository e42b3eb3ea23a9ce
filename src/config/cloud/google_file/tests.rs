use super::*;

fn refused(text: &str, expected: &str) {
    match GoogleFile::parse(text) {
        Ok(file) => panic!("{file:?} is accepted"),
        Err(why) => assert_eq!(why, expected),
    }
}

#[test]
fn says_what_is_wrong_and_nothing_of_what_is_in_it() {
    refused("canary", "it is not the JSON of a credential (line 1)");
    refused("7", "it is not the JSON of a credential (line 1)");
    refused("{}", "it has no 'type', so it is no credential of Google's");
    refused(r#"{"type":"canary"}"#, "its 'type' is neither 'service_account' nor 'authorized_user'");
    refused(r#"{"type":"authorized_user","client_id":"a","client_secret":"canary"}"#, "it has no 'refresh_token'");
    refused(r#"{"type":"service_account","private_key":"canary"}"#, "it has no 'client_email'");
    let account = |members: &str| format!(r#"{{"type":"service_account","client_email":"a@b",{members}}}"#);
    refused(&account(r#""token_uri":"https://x.example""#), "it has no 'private_key'");
    let clear = r#""private_key":"canary","token_uri":"http://x.example/token""#;
    refused(&account(clear), "its 'token_uri' does not begin with https://");
    let nothing = r#""private_key":"canary","token_uri":"canary""#;
    refused(&account(nothing), "its 'token_uri' is not a URL");
    let no_pem = "its 'private_key' is not a key in PEM (-----BEGIN PRIVATE KEY-----)";
    refused(&account(r#""private_key":"canary""#), no_pem);
    let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
    let short = format!(r#""private_key":"{begin}\nAAAA\n{end}\n""#);
    refused(&account(&short), "its 'private_key' is not an RSA key of 2048 to 4096 bits");
}

#[test]
fn a_persons_grant() {
    let text =
        r#"{"type":"authorized_user","client_id":"id","client_secret":"canary","refresh_token":"canary","account":""}"#;
    let file = GoogleFile::parse(text).expect("accepted");
    assert_eq!(format!("{file:?}"), "AuthorizedUser");
}
