//! The guide is spelled in one way: American, and each term always the same. Its sentences, and those of
//! errors, use the words of today.

use regex_lite::Regex;

use crate::layers::{sources, without_tests};

/// What does not stand in the guide, and what stands there instead; in lower case.
const VARIANTS: &[(&str, &str)] = &[
    ("cancelled", "canceled"),
    ("cancelling", "canceling"),
    ("colour", "color"),
    ("behaviour", "behavior"),
    ("recognise", "recognize"),
    ("organisation", "organization"),
    ("normalise", "normalize"),
    ("summarise", "summarize"),
    ("optimise", "optimize"),
    ("serialise", "serialize"),
    ("licence", "license"),
    ("labelled", "labeled"),
    ("catalogue", "catalog"),
    ("centre", "center"),
    ("grey", "gray"),
    ("neighbour", "neighbor"),
    ("time-out", "timeout"),
    ("e-mail", "email"),
    ("web site", "website"),
    ("web-site", "website"),
    ("web hook", "webhook"),
    ("up-stream", "upstream"),
    ("back-up", "backup"),
    ("data base", "database"),
    ("whitespace", "white space"),
    ("white-space", "white space"),
    ("filename", "file name"),
    ("hostname", "host name"),
    ("afterwards", "afterward"),
];

/// The prose of a page in lower case: what is code is as programs have it.
fn prose(page: &str) -> String {
    let mut prose = String::new();
    for outside in page.split("```").step_by(2) {
        let words = outside.split('`').step_by(2);
        words.for_each(|words| prose.push_str(&format!("{words} ")));
    }
    prose.to_lowercase()
}

#[test]
fn every_term_is_spelled_in_one_way() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut files = super::files();
    files.extend(["README.md", "config.toml"].map(|name| format!("{root}/{name}").into()));
    let mut wrong = Vec::new();
    for file in files {
        let prose = prose(&std::fs::read_to_string(&file).unwrap());
        for (variant, right) in VARIANTS.iter().filter(|(variant, _)| prose.contains(variant)) {
            wrong.push(format!("{}: {variant}, not {right}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Words in senses that an engineer would not write today, and what is meant by them.
const OLD_SENSES: &[(&str, &str)] = &[
    ("stands?|stood", "is, are, comes, follows"),
    ("tells?|told", "says, shows, reports, distinguishes"),
    ("brings?|brought", "has, returns, adds, opens"),
    ("rests|resting", "is paused, is based on"),
    ("fares?|fared|nought|forthwith|withal", "does, zero, at once, too"),
    ("goes? before", "takes precedence over"),
    ("comes? again", "retries, is sent again"),
    ("no such thing as|of late|anew|whoever", "a plainer word"),
];

/// The same words in phrases that are common.
const COMMON: &str = r"stands? for|tools tell the model";

/// What is wrong with a text: each word with its line.
fn old_senses(text: &str) -> Vec<String> {
    let common = Regex::new(&format!(r"(?i)\b({COMMON})\b")).unwrap();
    let text = common.replace_all(text, "");
    let of = |(words, meant): &(&str, &str)| {
        let word = Regex::new(&format!(r"(?i)\b({words})\b")).unwrap();
        let lines = text.lines().filter(|line| word.is_match(line));
        lines.map(|line| format!("{} ({meant})", line.trim())).collect::<Vec<_>>()
    };
    OLD_SENSES.iter().flat_map(of).collect()
}

/// Pages that are still to be read for this: no page may be added.
const UNREAD: &[&str] = &["command-line", "dashboard", "running", "storage"];

#[test]
fn guide_uses_words_in_their_senses_of_today() {
    let mut wrong = Vec::new();
    for file in super::files() {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if !UNREAD.contains(&name.as_str()) {
            let found = old_senses(&prose(&std::fs::read_to_string(&file).unwrap()));
            wrong.extend(found.into_iter().map(|it| format!("{name}: {it}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where sentences for clients and operators are written, below `src`.
const SENTENCES: [&str; 6] = ["api/", "job/", "http/", "service/", "measure/", "upstream/"];

#[test]
fn errors_use_words_in_their_senses_of_today() {
    let literal = Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        if !SENTENCES.iter().any(|part| name.contains(&format!("src/{part}"))) {
            continue;
        }
        let code = without_tests(&text);
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            // Names of fields in braces and programs for pages are no prose.
            let literals = literal.captures_iter(line).map(|found| found[1].to_owned());
            let prose = literals.filter(|text| text.contains(' ') && !text.contains('{'));
            let found = prose.flat_map(|text| old_senses(&text));
            wrong.extend(found.map(|it| format!("{name}: {it}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
