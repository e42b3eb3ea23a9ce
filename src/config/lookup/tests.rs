use super::*;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

fn hash(key: &(impl Hash + ?Sized)) -> u64 {
    BuildHasherDefault::<WordHasher>::default().hash_one(key)
}

#[test]
fn an_owned_name_and_a_borrowed_one_meet() {
    let mut map: ConfigMap<Box<str>, u32> = ConfigMap::default();
    let names: Vec<String> = (0..500).map(|n| format!("provider/model-{n}:{}", "x".repeat(n % 20))).collect();
    for (name, value) in names.iter().zip(0..) {
        map.insert(name.as_str().into(), value);
    }
    for (name, value) in names.iter().zip(0..) {
        assert_eq!(map.get(name.as_str()), Some(&value));
        assert_eq!(map.get(&name[1..]), None);
    }
}

/// Names differ in a version or a date; neither may make them meet in the bits that a map goes by.
#[test]
fn names_that_are_alike_are_spread() {
    let names = |format: fn(u32) -> String| (0..4096).map(format).collect::<Vec<_>>();
    for names in [
        names(|n| format!("{n}")),
        names(|n| format!("gpt-{n}-mini")),
        names(|n| format!("model-of-a-long-name-{n:08}")),
        names(|n| format!("{n:04}-model")),
    ] {
        let hashes: HashSet<u64> = names.iter().map(|name| hash(name.as_str())).collect();
        assert_eq!(hashes.len(), names.len());
        // 4,096 balls in as many bins leave 63 % of these taken, and in 128 bins none empty.
        let low: HashSet<u64> = hashes.iter().map(|hash| hash % 4096).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(low.len() > 2_200, "{} {}", names[0], low.len());
        assert_eq!(high.len(), 128, "{}", names[0]);
    }
}

#[test]
fn length_and_order_matter() {
    let texts =
        ["", "\0", "\0\0", "a", "a\0", "\0a", "ab", "ba", "abcdefgh", "abcdefgh\0", "hgfedcba", "abcdefghabcdefgh"];
    let hashes: HashSet<u64> = texts.iter().map(|text| hash(*text)).collect();
    assert_eq!(hashes.len(), texts.len());
}
