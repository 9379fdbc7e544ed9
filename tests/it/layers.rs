//! The layers of the design, held as text: a file imports only from rows above its own, and some
//! names stand in one file only.

use std::path::{Path, PathBuf};

/// The rows of the design, lowest first. `cli` is last.
const ROWS: &[&str] = &[
    "clock", "rate", "tally", "country", "catalog", "config", "id", "job", "answer", "measure",
    "alert", "api", "store", "guide", "practice", "net", "upstream", "engine", "service", "http",
    "server", "cli",
];

/// Every source file below `src` but those in folders of tests.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// The row that a file belongs to: the first part of its path below `src`.
pub(crate) fn row_of(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without its unit tests, which may look further. rustfmt ends an item with a
/// brace in the column of its beginning.
pub(crate) fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let first = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        if first.is_none_or(|first| first.ends_with([';', ','])) {
            continue;
        }
        let end = format!("{indent}}}");
        lines.by_ref().find(|line| line.starts_with(&end));
    }
    code
}

#[test]
fn imports_run_downward_only() {
    for (path, text) in sources() {
        let row = row_of(&path);
        if row == "lib" || row == "main" || path.ends_with("tests.rs") {
            continue;
        }
        let place = ROWS.iter().position(|known| *known == row);
        let place = place.unwrap_or_else(|| panic!("{row} is no row of the design"));
        for (above, name) in ROWS.iter().enumerate().skip(place + 1) {
            let import = format!("crate::{name}");
            for (number, line) in without_tests(&text).lines().enumerate() {
                let names = line.match_indices(&import).any(|(at, _)| {
                    let next = line[at + import.len()..].chars().next();
                    !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
                });
                assert!(
                    !names,
                    "{}:{} reaches up to {name} (row {above}): {line}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

/// A word, and the files that may name it.
const NAMED_IN: &[(&str, &[&str])] = &[
    ("redb", &["store/embedded/"]),
    ("tokio_postgres", &["store/shared/"]),
    ("bincode", &["store/record.rs", "store/record/"]),
    // Of the file of a backup, which is no store yet.
    (
        "begin_write",
        &["store/embedded/writer.rs", "store/embedded/open.rs", "store/embedded/backup/partial.rs"],
    ),
    ("SystemTime::now", &["clock.rs"]),
    ("Instant::now", &["clock.rs"]),
    ("actix_web", &["http/"]),
    ("ureq", &["net/", "upstream/http/errors.rs", "upstream/browser/client.rs", "cli/client.rs"]),
    ("clap", &["cli/"]),
    ("croner", &["job/schedule/"]),
    ("jiff", &["job/schedule/"]),
];

#[test]
fn some_names_stand_in_one_place_only() {
    for (path, text) in sources() {
        let shown = path.display().to_string();
        let code = without_tests(&text);
        let code: Vec<&str> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for (word, places) in NAMED_IN {
            if places.iter().any(|place| shown.contains(&format!("src/{place}"))) {
                continue;
            }
            for line in &code {
                let path_like =
                    line.contains(&format!("{word}::")) || line.contains(&format!("{word}("));
                assert!(!path_like, "{shown} names {word}: {line}");
            }
        }
    }
}

#[test]
fn every_file_opens_with_its_charter() {
    for (path, text) in sources() {
        if row_of(&path) == "main" || path.ends_with("tests.rs") {
            continue;
        }
        assert!(text.starts_with("//!"), "{} has no charter", path.display());
    }
}
