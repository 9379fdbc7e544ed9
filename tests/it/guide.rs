//! What the guide says of codes is what the code says; its examples are run.

mod clients;
pub mod examples;
mod links;
mod settings;
mod shell;
mod words;

use std::path::PathBuf;

use answerd::job::{Reason, Verdict};

/// The Markdown of a page.
pub fn page(name: &str) -> String {
    let path = format!("{}/src/docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The files of all pages.
pub fn files() -> Vec<PathBuf> {
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
        assert_eq!(cells[3], word(reason.verdict() == Verdict::Ill), "{row}");
        assert_eq!(cells[4], reason.http_status().to_string(), "{row}");
    }
}

/// The codes in the source of the HTTP layer and of the request's rules.
#[test]
fn every_error_code_is_in_the_guide() {
    let page = page("errors-and-retries");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut codes = Vec::new();
    for file in [
        "http/request/batch_request.rs",
        "http/request/body.rs",
        "http/error.rs",
        "http/resource/jobs.rs",
        "http/resource/list.rs",
        "http/request/params.rs",
        "http/resource/poll.rs",
        "http/practice.rs",
        "http/transport/parser_errors.rs",
        "http/resource/scrapers.rs",
        "http/resource/usage.rs",
        "http/resource/webhooks.rs",
        "job/request.rs",
        "job/webhook_url.rs",
    ] {
        let text = std::fs::read_to_string(format!("{root}/{file}")).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in code.split('"').skip(1).step_by(2) {
            let ends = [
                "_missing",
                "_invalid",
                "_refused",
                "_repeated",
                "_conflict",
                "_unknown",
                "_limit",
                "_full",
                "_large",
                "_long",
                "_failed",
                "_busy",
                "_timeout",
                "_blank",
                "_configured",
                "_found",
                "_down",
                "_reused",
                "_finished",
                "_allowed",
                "_failure",
            ];
            let is_code = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_code && ends.iter().any(|end| word.ends_with(end)) {
                codes.push(word.to_owned());
            }
        }
    }
    assert!(codes.len() > 25, "{codes:?}");
    for code in codes {
        assert!(page.contains(&format!("`{code}`")), "the guide does not know {code}");
    }
}
