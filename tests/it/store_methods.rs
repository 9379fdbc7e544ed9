//! The table of `ARCHITECTURE.md` names every method of the store, and says how it is called.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::layers::{sources, without_tests};

/// How the methods of `Store` are called, by their signatures. Whether one that is neither of the
/// two first blocks, its signature does not say.
fn methods() -> BTreeMap<String, &'static [&'static str]> {
    let block = Regex::new(r"(?s)\nimpl Store \{\n(.*?)\n\}").unwrap();
    let method = Regex::new(r"(?s)\n    pub (async )?fn (\w+)([^{]*)\{").unwrap();
    let mut found = BTreeMap::new();
    for (path, text) in sources() {
        if !path.display().to_string().contains("src/store/") {
            continue;
        }
        let code = without_tests(&text);
        for block in block.captures_iter(&code) {
            let methods = "\n".to_owned() + &block[1];
            for method in method.captures_iter(&methods) {
                let how: &[&str] = match (method.get(1), method[3].contains("-> Pending<")) {
                    (Some(_), _) => &["async"],
                    (None, true) => &["`Pending`"],
                    (None, false) => &["at once", "blocking"],
                };
                found.insert(method[2].to_owned(), how);
            }
        }
    }
    found
}

/// What the table says of each method that it names.
fn table() -> BTreeMap<String, String> {
    let page = include_str!("../../src/ARCHITECTURE.md");
    let (_, rest) = page.split_once("# What the store is asked").unwrap();
    let (section, _) = rest.split_once("\n# ").unwrap();
    let name = Regex::new(r"`(\w+)`").unwrap();
    let mut found = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for named in name.captures_iter(cells[1]).filter(|_| !cells[3].is_empty()) {
            found.insert(named[1].to_owned(), cells[3].to_owned());
        }
    }
    found
}

#[test]
fn table_of_the_store_names_every_method_and_how_it_is_called() {
    let (methods, table) = (methods(), table());
    assert!(methods.len() > 100, "{}", methods.len());
    let wrong: Vec<String> = methods
        .iter()
        .filter(|(name, how)| !table.get(*name).is_some_and(|said| how.contains(&said.as_str())))
        .map(|(name, how)| format!("{name} is {how:?}, and the table says {:?}", table.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Evidence is a folder of its own.
    let gone: Vec<&String> = table
        .keys()
        .filter(|name| !methods.contains_key(*name) && *name != "EvidenceFolder")
        .collect();
    assert!(gone.is_empty(), "no methods of the store: {gone:?}");
}
