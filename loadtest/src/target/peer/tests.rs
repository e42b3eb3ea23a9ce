use std::fs;

use super::Peer;
use crate::target::launch::Folder;

#[test]
fn a_folder_says_how_it_is_started() {
    let folder = Folder::new().expect("a folder");
    let check = |text: &str| {
        fs::write(folder.path.join("peer.toml"), text).expect("written");
        Peer::open(&folder.path)
    };
    let peer =
        check("name = \"echo\"\nstart = [\"echo\", \"{{port}}\"]\nversion = [\"echo\", \"7\"]\n").expect("it is good");
    assert_eq!((peer.name.as_str(), peer.setup.as_str(), peer.base.as_str()), ("echo", "defaults", "/v1"));
    assert_eq!(peer.version().as_deref(), Some("7"));
    let mistake = |text: &str| check(text).expect_err("it is not").to_string();
    assert!(mistake("start = [\"x\"]").ends_with("name is missing"));
    assert!(mistake("name = \"x\"").ends_with("start is missing: the command"));
    assert!(mistake("name = \"x\"\nstart = [\"x\"]\nmodels = \"y\"").ends_with("did you mean \"model\"?"));
}
