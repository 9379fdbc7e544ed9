//! Rules that settings of several sections share.

use crate::config::names::{NAME_CHARS_MAX, is_name};
use crate::config::redaction::may_be_secret;

/// Notes a number that is out of its bounds.
pub(super) fn range(problems: &mut Vec<String>, name: &str, given: u64, least: u64, most: u64) {
    if !(least..=most).contains(&given) {
        problems.push(format!("`{name}` must be {least} to {most}; it is {given}"));
    }
}

/// Returns an http(s) address.
pub(super) fn web_address(given: &str) -> Option<url::Url> {
    let url = url::Url::parse(given).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// Returns whether an address ends with its path.
pub(super) fn is_bare(url: &url::Url) -> bool {
    url.query().is_none() && url.fragment().is_none()
}

/// Returns whether an address holds a login.
pub(super) fn has_login(url: &url::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Returns what a section is called in sentences, and checks its name.
pub(super) fn section(kind: &str, name: &str, problems: &mut Vec<String>) -> String {
    let shown = if may_be_secret(name) { "NAME" } else { name };
    let section = format!("{kind}.{shown}");
    if !is_name(name) {
        problems.push(format!(
            "[{section}]: a name is 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`, and \
             does not look like a key"
        ));
    }
    section
}
