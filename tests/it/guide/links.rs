//! What the texts of the repository point to is there: pages, their sections, and files of the source.

use std::path::{Path, PathBuf};

use answerd::guide::sections::anchor;

use super::examples::examples;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, ARCHITECTURE and the guide.
fn texts() -> Vec<(PathBuf, String)> {
    let mut files = super::files();
    files.extend(["README.md", "src/ARCHITECTURE.md"].map(|name| root().join(name)));
    let read = |path: PathBuf| (path.clone(), std::fs::read_to_string(path).unwrap());
    files.into_iter().map(read).collect()
}

/// A text without its examples.
fn without_examples(text: &str) -> String {
    let mut rest = text.to_owned();
    for example in examples(text) {
        rest = rest.replace(&example.code, "");
    }
    rest
}

/// Whether a page has a heading with this anchor.
fn has_section(page: &str, wanted: &str) -> bool {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).any(|it| it == wanted)
}

#[test]
fn every_link_leads_to_a_file_and_its_section() {
    let mut checked = 0;
    for (path, text) in texts() {
        for link in without_examples(&text).split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("http") {
                continue;
            }
            checked += 1;
            let (file, section) = link.split_once('#').map_or((link, None), |(f, s)| (f, Some(s)));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let shown = path.display();
            assert!(target.exists(), "{shown}: {link} leads nowhere");
            if let Some(section) = section {
                let page = std::fs::read_to_string(&target).unwrap();
                assert!(has_section(&page, section), "{shown}: {link} has no such section");
            }
        }
    }
    assert!(checked > 80, "{checked}");
}

#[test]
fn every_file_of_the_source_that_is_named_is_there() {
    let mut checked = 0;
    for (path, text) in texts() {
        if path.starts_with(root().join("src/docs")) {
            continue;
        }
        for name in without_examples(&text).split('`').skip(1).step_by(2) {
            let ends = [".rs", ".js", ".md", ".toml"].iter().any(|end| name.ends_with(end));
            let plain = |byte: u8| byte.is_ascii_lowercase() || b"_-/.0123456789".contains(&byte);
            if !ends || name.starts_with('/') || !name.contains('/') || !name.bytes().all(plain) {
                continue;
            }
            checked += 1;
            let places = [root().join(name), root().join("src").join(name)];
            let found = places.iter().any(|place| place.exists());
            assert!(found, "{} names {name}, which is not there", path.display());
        }
    }
    assert!(checked > 40, "{checked}");
}
