//! How the source reads, held as text: names that stand for one thing, doc comments that begin as
//! Rust's do, lines that fit. What is not so yet is counted by row, and no count may rise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex_lite::Regex;

use super::layers::{row_of, sources, without_tests};

/// Lines of more than 100 columns, which rustfmt leaves alone in strings and comments.
const LONG_LINES: &[(&str, usize)] = &[
    ("answer", 37),
    ("api", 4),
    ("cli", 9),
    ("clock", 2),
    ("config", 31),
    ("engine", 73),
    ("guide", 2),
    ("http", 35),
    ("job", 1),
    ("main", 1),
    ("practice", 3),
    ("store", 1),
    ("upstream", 17),
];
/// Files of more than 500 lines.
const LONG_FILES: &[(&str, usize)] = &[("net", 1), ("upstream", 1)];
/// Doc comments that do not begin with a verb in the third person (functions), are no noun phrase
/// (types), or say of errors anything but when they are returned.
const DOC_COMMENTS: &[(&str, usize)] = &[("upstream", 1)];
/// Lines with words of [`old_words`].
const OLD_WORDS: &[(&str, usize)] = &[("upstream", 40)];
/// Type names that stand for more than one thing. `Args` is clap's word for what a command takes.
const TYPE_NAMES: &[&str] = &[
    "Answer",
    "Answered",
    "Args",
    "Attempt",
    "Browser",
    "Client",
    "Engine",
    "Entry",
    "Evidence",
    "Field",
    "Fields",
    "Form",
    "Format",
    "Found",
    "Http",
    "InvalidProxy",
    "Key",
    "Kind",
    "Limits",
    "Link",
    "Look",
    "Operation",
    "Outcome",
    "Page",
    "Parts",
    "Place",
    "Point",
    "Pool",
    "Progress",
    "Provenance",
    "Queue",
    "Reading",
    "Retry",
    "Scraper",
    "Section",
    "Shared",
    "Source",
    "State",
    "Step",
    "Store",
    "Stream",
    "Task",
    "Upstream",
    "Walk",
    "Webhooks",
    "Written",
];

/// Holds each row to its count, and names what is too much.
pub(crate) fn hold(allowed: &[(&str, usize)], found: impl IntoIterator<Item = (String, String)>) {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (row, what) in found {
        rows.entry(row).or_default().push(what);
    }
    let most = |row: &str| allowed.iter().find(|(known, _)| *known == row).map_or(0, |it| it.1);
    rows.retain(|row, found| found.len() > most(row));
    let counts: Vec<_> = rows.iter().map(|(row, found)| (row, found.len(), most(row))).collect();
    assert!(rows.is_empty(), "{rows:#?}\nrow, found, at most: {counts:?}");
}

#[test]
fn lines_have_at_most_100_columns() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > 100) {
            found.push((row_of(&path), format!("{}:{}: {line}", path.display(), at + 1)));
        }
    }
    hold(LONG_LINES, found);
}

#[test]
fn files_have_at_most_500_lines() {
    let long = sources().into_iter().filter(|(_, text)| text.lines().count() > 500);
    hold(LONG_FILES, long.map(|(path, _)| (row_of(&path), path.display().to_string())));
}

/// Words that begin a clause or a sentence about something else, where a noun is due.
const NO_NOUNS: &[&str] = &[
    "As", "How", "If", "It", "Its", "So", "That", "Told", "What", "When", "Where", "Whether",
    "Which", "Whose", "Why",
];
/// Words that end like a verb in the third person and are none.
const NO_VERBS: &[&str] = &["As", "Its", "This", "Whose", "Was"];

/// What is wrong with the doc comment of an item, if anything is.
fn fault(kind: &str, doc: &[&str]) -> Option<&'static str> {
    let first = doc.first()?.split([' ', ',', '.', ';', ':']).next()?;
    let errors = doc.iter().position(|line| *line == "# Errors");
    let said = errors.and_then(|at| doc.get(at + 1)).copied();
    if said.is_some_and(|said| !said.starts_with("Returns ") && !said.starts_with("Panics ")) {
        return Some("# Errors");
    }
    match kind {
        "fn" => {
            let verb = first.ends_with('s') && !NO_VERBS.contains(&first);
            (!verb).then_some("no verb")
        }
        _ => NO_NOUNS.contains(&first).then_some("no noun"),
    }
}

#[test]
fn doc_comments_begin_as_those_of_the_standard_library() {
    let item =
        Regex::new(r"^\s*pub(?:\([^)]*\))? (?:async |const )*(fn|struct|enum|trait|type) (\w+)");
    let item = item.unwrap();
    let mut found = Vec::new();
    for (path, text) in sources() {
        let code = without_tests(&text);
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(named) = item.captures(line) else { continue };
            let before = lines[..at].iter().rev().map(|line| line.trim());
            let before = before.skip_while(|line| line.starts_with("#[") || line.ends_with(")]"));
            let mut doc: Vec<&str> =
                before.map_while(|line| line.strip_prefix("///")).map(str::trim).collect();
            doc.reverse();
            if let Some(fault) = fault(&named[1], &doc) {
                let told = format!("{}:{}: {fault}: {}", path.display(), at + 1, doc[0]);
                found.push((row_of(&path), told));
            }
        }
    }
    hold(DOC_COMMENTS, found);
}

/// Words that an engineer of today does not write: see the rest of the guide for those that it uses.
fn old_words() -> Regex {
    let words = "nobody|whoever|anew|of late|as (it|they) stands?|tells? of|told of|whatever else|\
                 (has|have) become of|so many|fare[sd]?|stands? so|forthwith|whereby|thereof";
    Regex::new(&format!(r"(?i)\b({words})\b")).unwrap()
}

#[test]
fn texts_use_the_words_of_today() {
    let old = old_words();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<(String, PathBuf, String)> = Vec::new();
    for (path, text) in sources() {
        texts.push((row_of(&path), path, without_tests(&text)));
    }
    let folders =
        ["src/docs", "src/docs/assets", "src/http/dashboard/assets"].map(|it| top.join(it));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let own = ["README.md", "config.toml"].map(|it| top.join(it));
    for path in files.chain(own).filter(|path| path.extension().is_none_or(|it| it != "svg")) {
        let text = std::fs::read_to_string(&path).unwrap();
        texts.push(("texts".to_owned(), path, text));
    }
    let mut found = Vec::new();
    for (row, path, text) in texts {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| old.is_match(line)) {
            found.push((row.clone(), format!("{}:{}: {line}", path.display(), at + 1)));
        }
    }
    hold(OLD_WORDS, found);
}

#[test]
fn type_name_stands_for_one_thing() {
    let item = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) (\w+)(.?)");
    let item = item.unwrap();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources() {
        if path.ends_with("tests.rs") {
            continue;
        }
        for named in item.captures_iter(&without_tests(&text)) {
            // Types of a trait are the trait's.
            let associated =
                named[0].trim_start().starts_with("type ") && named[0].starts_with(' ');
            if !associated {
                places.entry(named[1].to_owned()).or_default().push(path.display().to_string());
            }
        }
    }
    places.retain(|_, places| places.len() > 1);
    places.retain(|name, _| !TYPE_NAMES.contains(&name.as_str()));
    assert!(places.is_empty(), "names of several types: {places:#?}");
}
