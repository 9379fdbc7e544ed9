//! What the provider of each kind documents: its errors with what must come of each, and the cases that
//! every kind must have, so that none comes in without them.

use std::collections::{BTreeMap, BTreeSet};

use answerd::config::Settings;

use super::cases::pattern::WHOLE;
use super::cases::{self, Case};
use super::table::{Table, at_once, in_the_end};

/// Few enough that their sockets fit into the files that a process may open.
const KINDS_AT_ONCE: usize = 4;
/// The sorts of cases that every kind must have.
const SORTS: &[&str] = &["searched", "not-searched", "search-failed", PLACE, "place-refused"];
/// A request from Austin in Texas.
const PLACE: &str = "place";
/// What every kind must have among its documented errors: one of each.
const ERRORS: &[&[&str]] = &[
    &["upstream_auth"],
    &["upstream_quota"],
    &["upstream_rate_limited"],
    &["upstream_bad_request"],
    &["upstream_error", "upstream_overloaded"],
];
/// The kinds that ask no provider over HTTP, with the tests of their answers.
const ELSEWHERE: &[(&str, &str)] =
    &[("browser", "tests/it/pages.rs"), ("practice", "src/upstream/practice.rs")];

/// Every word of `kind`, as the settings list them.
fn kinds() -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "[upstreams.x]\nkind = \"none\"").unwrap();
    let refused = Settings::load_from(Some(&file), &BTreeMap::new()).unwrap_err().to_string();
    let (_, listed) = refused.split_once("must be one of ").unwrap();
    let (listed, _) = listed.split_once(';').unwrap();
    listed.split(", ").map(str::to_owned).filter(|kind| !is_elsewhere(kind)).collect()
}

fn is_elsewhere(kind: &str) -> bool {
    ELSEWHERE.iter().any(|(other, _)| *other == kind)
}

#[test]
fn every_documented_error_ends_as_its_file_says() {
    for kinds in cases::every_kind().chunks(KINDS_AT_ONCE) {
        let errors: Vec<_> = kinds.iter().map(|case| (case, case.errors())).collect();
        let mut table = Table::default();
        for (case, errors) in &errors {
            for (at, error) in errors.iter().enumerate() {
                let ends = if error.tried_again { in_the_end } else { at_once };
                let ends = ends(&error.error_code, &error.says);
                table.row(&format!("error {at}: {}", error.status), case, error.says(), ends);
            }
        }
        table.check();
    }
}

#[test]
fn every_kind_has_a_case_of_each_sort() {
    let all = cases::all();
    let mut missing = Vec::new();
    for kind in kinds() {
        let of_kind: Vec<&Case> = all.iter().filter(|case| case.kind() == kind).collect();
        let Some(own) = of_kind.iter().find(|case| case.name == kind) else {
            missing.push(format!("{kind}: the case with its name"));
            continue;
        };
        for (sort, why) in &own.lacks {
            assert!(SORTS.contains(&sort.as_str()) || is_error(sort), "{kind} lacks {sort}");
            assert!(why.ends_with('.'), "{kind} lacks {sort}: say why");
        }
        let shown: BTreeSet<&str> =
            of_kind.iter().flat_map(|case| &case.shows).map(String::as_str).collect();
        for sort in SORTS {
            if shown.contains(sort) == own.lacks.contains_key(*sort) {
                missing.push(format!("{kind}: {sort}, or why there is none"));
            }
        }
        let errors = own.errors();
        for codes in ERRORS {
            let has = errors.iter().any(|error| codes.contains(&error.error_code.as_str()));
            if has == codes.iter().any(|code| own.lacks.contains_key(*code)) {
                missing.push(format!("{kind}: an error with {codes:?}, or why there is none"));
            }
        }
    }
    for case in &all {
        for sort in &case.shows {
            assert!(SORTS.contains(&sort.as_str()), "{}: {sort} is no sort", case.name);
        }
        let asks_whole = case.expected["sent"][0].to_string().contains(&format!("\"{WHOLE}\":"));
        if case.shows.iter().any(|sort| sort == PLACE) && !asks_whole {
            missing.push(format!("{}: the whole request, under `{WHOLE}`", case.name));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn is_error(code: &str) -> bool {
    ERRORS.iter().any(|codes| codes.contains(&code))
}
