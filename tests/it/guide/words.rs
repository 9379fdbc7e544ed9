//! The guide is spelled in one way: American, and each term always the same. Its sentences, and those of
//! errors, use the words of today.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::layers::{row_of, sources, without_tests};

/// What does not stand in the guide, and what stands there instead; in lower case.
const VARIANTS: &[(&str, &str)] = &[
    ("cancelled", "canceled"),
    ("cancelling", "canceling"),
    ("colour", "color"),
    ("behaviour", "behavior"),
    ("recognise", "recognize"),
    ("organisation", "organization"),
    ("normalise", "normalize"),
    ("sanitis", "sanitiz"),
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
    ("(word|count|name) of yours|job that there is", "your own, the existing job"),
    ("(pages?|attempts?) (has|have) left", "screenshots and HTML from"),
];

/// The same words in phrases that are common.
const COMMON: &str = r"stands? for|tools tell the model";

static COMMON_PHRASES: LazyLock<Regex> = LazyLock::new(|| words(COMMON));
static OLD_WORDS: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| OLD_SENSES.iter().map(|(old, meant)| (words(old), *meant)).collect());

fn words(alternatives: &str) -> Regex {
    Regex::new(&format!(r"(?i)\b({alternatives})\b")).unwrap()
}

/// What is wrong with a text: each word with its line.
fn old_senses(text: &str) -> Vec<String> {
    let text = COMMON_PHRASES.replace_all(text, "");
    let of = |(word, meant): &(Regex, &str)| {
        let lines = text.lines().filter(|line| word.is_match(line));
        lines.map(|line| format!("{} ({meant})", line.trim())).collect::<Vec<_>>()
    };
    OLD_WORDS.iter().flat_map(of).collect()
}

#[test]
fn guide_uses_words_in_their_senses_of_today() {
    let mut wrong = Vec::new();
    for file in super::files() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let found = old_senses(&prose(&std::fs::read_to_string(&file).unwrap()));
        wrong.extend(found.into_iter().map(|it| format!("{name}: {it}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn errors_and_the_dashboard_use_words_in_their_senses_of_today() {
    let literal = Regex::new(r#""((?:[^"\\]|\\.)*)""#).unwrap();
    let placeholder = Regex::new(r"\{[^{}]*\}").unwrap();
    let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/dashboard/assets");
    let scripts = std::fs::read_dir(assets).unwrap().map(|entry| entry.unwrap().path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|it| it == "js"));
    let scripts =
        scripts.map(|path| ("dashboard".to_owned(), std::fs::read_to_string(path).unwrap()));
    let code = sources().into_iter().filter(|(path, _)| !path.ends_with("tests.rs"));
    let code = code.map(|(path, text)| (row_of(&path), without_tests(&text)));
    let mut found = Vec::new();
    for (row, text) in code.chain(scripts) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            // A single word is a name, and an arrow is in a program for pages.
            let literals = literal.captures_iter(line).map(|found| found[1].to_owned());
            let prose = literals.filter(|text| text.contains(' ') && !text.contains("=>"));
            let wrong = prose.flat_map(|text| old_senses(&placeholder.replace_all(&text, "")));
            found.extend(wrong.map(|it| (row.clone(), it)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
