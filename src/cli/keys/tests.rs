use super::*;
use crate::config::raw;

#[test]
fn the_lines_are_a_key_of_the_configuration() {
    let expires_at = "2027-01-31T12:00:00.5Z".parse().expect("a time");
    for expires_at in [None, Some(expires_at)] {
        let text = toml_lines("a team's key #1", "rw-secret", expires_at);
        assert!(!text.contains("rw-secret"));
        let table: toml::Table = text.parse().expect("TOML");
        let keys = table["keys"].as_array().expect("keys");
        assert_eq!(keys[0]["name"].as_str(), Some("a team's key #1"));
        assert_eq!(keys::parse_hash(keys[0]["hash"].as_str().expect("a hash")), Ok(keys::hash(b"rw-secret")));
        let files = [crate::config::load::SourceFile { name: "keys.toml".into(), text }];
        let config: raw::Config = crate::config::load::parse_as_written(&files).expect("accepted").config;
        assert_eq!(config.keys[0].expires_at.is_some(), expires_at.is_some());
    }
}

#[test]
fn expiries() {
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a time");
    let check = |text: &str, expected: &str| {
        let found = expiry(text, now).map_or_else(|message| message, |at| at.to_string());
        assert_eq!(found, expected, "{text}");
    };
    check("90d", "2027-02-19T10:00:00Z");
    check("12h", "2026-11-21T22:00:00Z");
    check("2027-01-31", "2027-01-31T00:00:00Z");
    check("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00Z");
    check("2026-01-31", "2026-01-31T00:00:00Z is not in the future");
    check("0d", "2026-11-21T10:00:00Z is not in the future");
    let help = "write 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z";
    check("-1d", help);
    check("999999999d", help);
    check("soon", help);
    check("2027-01-31T12:00:00", help);
}
