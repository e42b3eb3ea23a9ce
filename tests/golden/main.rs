//! The golden files: what a client asks, what each upstream is asked, what it answers, and what the client receives.
//!
//! Every account of `accounts.toml`, and one for each provider of the registry beside it, is asked every shared request of every client's dialect by
//! the code of the data plane (`Outgoing`), and every answer that stands in `_answers` is read for every client's dialect, whole, and streams cut at
//! every size. What comes out is compared with the files beside this one; `GOLDEN=update cargo test --test golden` writes them. `README.md`
//! says how they are laid out.
//!
//! A new provider or dialect needs no change here: it is found by the registry, and its files are missing until they are written.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

mod answers;
mod clients;
mod files;
mod indent;
mod requests;
mod round_trip;
mod support;
mod upstreams;

use files::Expected;
use std::collections::BTreeMap;

#[test]
fn upstreams_are_asked_what_is_written() {
    let upstreams = upstreams::all();
    let mut expected = Expected::below("tests/golden", |folder| !folder.starts_with('_'));
    let asked = requests::asked(&upstreams);
    let like = requests::likes(&upstreams, &asked, &expected);
    requests::write(&upstreams, &asked, &like, &mut expected);
    expected.settle();
}

/// A request that is refused names what it is refused for, and goes through once that may be dropped, unless nothing would be left of it.
#[test]
fn what_is_refused_can_be_dropped() {
    let mut kept = BTreeMap::new();
    let asked = requests::asked(&upstreams::all());
    for ((upstream, pair), outcome) in &asked {
        let requests::Outcome::Refused(refused) = outcome else { continue };
        assert!(!refused.param.is_empty() && !refused.why.is_empty(), "{upstream} {pair}");
        match &refused.without {
            Ok(dropped) => {
                assert!(!dropped.is_empty(), "{upstream} {pair}: something was dropped, and nobody is told what")
            }
            Err(why) => drop(kept.insert(format!("{upstream} {pair}"), why)),
        }
    }
    assert_eq!(kept, BTreeMap::new(), "refused even so");
}

#[test]
fn clients_receive_what_is_written() {
    let mut expected = Expected::below("tests/golden/_received", |_| true);
    let mut wrong = Vec::new();
    answers::translated(&upstreams::all(), &mut expected, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    expected.settle();
}

#[test]
fn what_passes_through_is_counted_rightly() {
    let mut wrong = Vec::new();
    answers::passed_through(&upstreams::all(), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_support_tables_are_those_of_the_golden_files() {
    let upstreams = upstreams::all();
    let asked = requests::asked(&upstreams);
    support::settle(&upstreams, &asked);
}
