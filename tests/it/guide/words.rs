//! The guide is spelled in one way: American, and each term always the same.

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
