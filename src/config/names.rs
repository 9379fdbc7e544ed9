//! The names of keys, scrapers, upstreams and models, and what is said of one that does not exist.

use super::redaction::is_marked_as_secret;

/// The account of those who need no key.
pub const ANONYMOUS: &str = "anonymous";
/// The longest name of a model, in characters.
pub const MODEL_CHARS_MAX: usize = 128;
/// The longest name of a key, a scraper or an upstream, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Returns whether a key, a scraper or an upstream may be called so. Names are public, so what
/// looks like a key is none.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && !is_marked_as_secret(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Returns the one of some names that is most like another, if it is like it at all.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    /// By Jaro and Winkler, 0 to 1.
    const LIKENESS_MIN: f64 = 0.7;
    let likeness = |known: &&'a str| (strsim::jaro_winkler(known, name), *known);
    let near = names.iter().map(likeness).filter(|(likeness, _)| *likeness > LIKENESS_MIN);
    near.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

/// Returns the rest of a sentence about a name that does not exist: the nearest of the known ones,
/// or all of them.
pub fn suggestion(name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are {}", names.join(", ")),
    }
}

/// Returns the line and the column of a place in a text, both from 1.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
