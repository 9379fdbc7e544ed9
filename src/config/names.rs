//! The names of keys, scrapers, upstreams and models.

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
