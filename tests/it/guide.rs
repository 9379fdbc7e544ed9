//! What the guide says of codes is what the code says; its examples are run.

mod clients;
pub(crate) mod examples;
mod libraries;
mod links;
mod settings;
mod shell;
mod trial;
mod words;

use std::path::PathBuf;

use answerd::api::{ErrorCode, Kind, PARAMETERS};
use answerd::job::{Blame, Reason};
use serde_json::Value;

/// The Markdown of a page.
pub(crate) fn page(name: &str) -> String {
    let path = format!("{}/src/docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The files of all pages.
pub(crate) fn files() -> Vec<PathBuf> {
    let found = std::fs::read_dir(format!("{}/src/docs", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let paths = found.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_reason_has_its_row_with_what_follows_from_it() {
    let page = page("errors-and-retries");
    for reason in Reason::ALL {
        let start = format!("| `{}` |", reason.code());
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("the guide does not know {start}"));
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let word = |yes: bool| if yes { "yes" } else { "no" };
        assert!(cells[2].starts_with(word(reason.retryable())), "{row}");
        assert_eq!(cells[3], word(reason.info().blame == Blame::Upstream), "{row}");
        assert_eq!(cells[4], reason.info().status.to_string(), "{row}");
    }
}

#[test]
fn every_parameter_has_its_row_with_its_default() {
    let page = page("parameters");
    for parameter in PARAMETERS {
        let start = format!("| `{}` |", parameter.name);
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("the guide does not know {start}"));
        let schema = parameter.schema();
        let default = match (parameter.default(), &parameter.kind) {
            (Some(Value::String(text)), _) => format!("`{text}`"),
            (Some(Value::Number(number)), _) => format!("`{}`", number.as_f64().unwrap()),
            (Some(default), _) => format!("`{default}`"),
            (None, Kind::Prompt) => "required".to_owned(),
            (None, _) => "none".to_owned(),
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!((cells[2], cells[3]), (schema["type"].as_str().unwrap(), &*default), "{row}");
    }
}

#[test]
fn every_error_code_is_in_the_guide_with_its_status() {
    let page = page("errors-and-retries");
    for code in ErrorCode::CALLS.iter().chain(ErrorCode::ELSEWHERE) {
        let start = format!("| `{}` |", code.code());
        let row = page.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("the guide does not know {start}"));
        let status = row.split('|').nth(2).unwrap();
        // An item of a batch has no status of its own.
        let known = status.contains(&code.status().to_string()) || status.trim() == "in a batch";
        assert!(known, "{code:?}: {row}");
    }
}
