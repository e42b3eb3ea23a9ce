use super::*;
use crate::config::snapshot::account_mark;
use proptest::prelude::*;

const ID: &str = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b";

fn ids(key: u8) -> ResponseIds {
    ResponseIds::of(&[key; 32])
}

fn kept(account: u64, id: &str) -> KeptResponse {
    KeptResponse { account, id: id.to_owned() }
}

#[test]
fn an_id_is_found_again_by_its_own_client_alone() {
    let sealed = ids(1).seal(7, ID).expect("an id");
    assert!(sealed.starts_with("resp_") && sealed.len() < 136, "{sealed}");
    assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{sealed}");
    assert!(!sealed.contains(&ID[5..21]), "{sealed}");
    assert_eq!(ids(1).open(&sealed), Some(kept(7, ID)));
    assert_eq!(ids(2).open(&sealed), None);
    // What a client shows in a later answer is what it has.
    assert_eq!(ids(1).seal(7, ID), Some(sealed.clone()));
    assert_ne!(ids(1).seal(8, ID), Some(sealed.clone()));
    assert_ne!(ids(2).seal(7, ID), Some(sealed));
}

/// Ids outlive the program that made them.
#[test]
fn an_id_of_last_year_still_opens() {
    assert_eq!(account_mark(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(account_mark("openai"), 0x8a1b_8f4a_0a91_3503);
    let id = "resp_ksrAm00MQyEbMW0KhoxS5XpqwOMjqNmsb99WeWf81zz8C0bv2cF11sk6TfdX";
    assert_eq!(ids(1).seal(account_mark("openai"), "resp_0123").as_deref(), Some(id));
}

#[test]
fn what_is_no_id_is_none() {
    let ids = ids(1);
    let sealed = ids.seal(7, "x").expect("an id");
    let long = "A".repeat(TEXT_BYTES_MAX + 1);
    for (text, why) in [
        ("", "empty"),
        ("resp_", "nothing after the prefix"),
        (&sealed[5..], "no prefix"),
        (&*format!("{sealed}="), "padded"),
        (&sealed.replacen("resp_", "conv_", 1), "another prefix"),
        (&sealed[..sealed.len() - 1], "cut"),
        (&*format!("{sealed}AAAA"), "longer"),
        (ID, "a provider's own"),
        (&*format!("resp_{long}"), "too long"),
        ("resp_é", "not ASCII"),
    ] {
        assert_eq!(ids.open(text), None, "{why}");
    }
}

#[test]
fn what_cannot_be_a_provider_s_id_gets_none() {
    let longest = "a".repeat(RESPONSE_ID_BYTES_MAX);
    let sealed = ids(1).seal(7, &longest).expect("an id");
    assert_eq!(ids(1).open(&sealed), Some(kept(7, &longest)));
    for id in ["", " ", "a b", "a\nb", "é", ".", "..", &format!("{longest}a")] {
        assert_eq!(ids(1).seal(7, id), None, "{id}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens(key: u8, account: u64, id in "[!-~]{0,255}[a-z]") {
        let sealed = ids(key).seal(account, &id).expect("an id");
        prop_assert_eq!(ids(key).open(&sealed), Some(kept(account, &id)));
        prop_assert_eq!(ids(key.wrapping_add(1)).open(&sealed), None);
    }

    /// No letter of it may be another.
    #[test]
    fn what_was_tampered_with_does_not_open(at: prop::sample::Index, letter in "[A-Za-z0-9_-]", id in "[!-~]{0,39}[a-z]") {
        let sealed = ids(1).seal(7, &id).expect("an id");
        let at = 5 + at.index(sealed.len() - 5);
        let mut changed = sealed.clone();
        changed.replace_range(at..at + 1, &letter);
        prop_assert_eq!(ids(1).open(&changed).is_some(), changed == sealed);
    }

    #[test]
    fn no_text_is_too_strange(text: String) {
        prop_assert_eq!(ids(1).open(&text), None);
        prop_assert_eq!(ids(1).open(&format!("resp_{text}")), None);
    }
}
