//! What a selector may look like: CSS, with ` >>> ` to step into a shadow root or an iframe and
//! `:text("...")` for what an element says. The page's script (`page/find.js`) evaluates it.

use scraper::Selector;
use serde::Serialize;

use super::read::{Entry, Section};

/// The longest selector, bytes.
const SELECTOR_BYTES_MAX: usize = 1_000;
/// The most alternatives of one selector.
pub(super) const ALTERNATIVES_MAX: usize = 20;
/// What steps into the shadow root or the document of the element before it.
const PIERCE: &str = " >>> ";
/// What begins the text that an element must hold.
const TEXT: &str = ":text(";

/// Selectors of which the first that matches counts. Empty: none was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Selectors(pub Vec<String>);

impl Selectors {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the selectors under a key, and checks each.
pub(super) fn selectors(section: &Section<'_>, key: &'static str) -> Selectors {
    section.get(key).map_or_else(Selectors::default, |entry| selectors_of(section, key, &entry))
}

/// Reads what [`selectors`] does from a value that was looked up before.
pub(super) fn selectors_of(section: &Section<'_>, key: &str, entry: &Entry<'_>) -> Selectors {
    let given = section.strings_of(key, entry);
    if let Some((_, span)) = given.get(ALTERNATIVES_MAX) {
        let rule = format!("`{key}` in {} has at most {ALTERNATIVES_MAX} selectors", section.name);
        section.source.problem(span, rule);
    }
    for (selector, span) in &given {
        if let Some(rule) = broken_rule(selector) {
            section.source.problem(span, format!("`{key}` in {}: {rule}", section.name));
        }
    }
    Selectors(given.into_iter().map(|(selector, _)| selector).collect())
}

/// Returns the rule that a selector breaks; `None` when it is sound.
pub(crate) fn broken_rule(selector: &str) -> Option<String> {
    if selector.len() > SELECTOR_BYTES_MAX {
        return Some(format!("a selector has at most {SELECTOR_BYTES_MAX} bytes"));
    }
    selector.split(PIERCE).find_map(|part| {
        let css = match part.split_once(TEXT) {
            None => part,
            Some((css, text)) => {
                if !is_quoted_end(text) {
                    return Some(format!(
                        "`:text(...)` takes one text in double quotes and stands at the end, as \
                         in `button:text(\"Accept\")`; the selector is `{selector}`"
                    ));
                }
                if css.is_empty() { "*" } else { css }
            }
        };
        (!is_css(css)).then(|| format!("`{part}` is no CSS selector"))
    })
}

fn is_quoted_end(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix("\")"));
    inner.is_some_and(|inner| !inner.trim().is_empty() && !inner.contains('"'))
}

fn is_css(css: &str) -> bool {
    match Selector::parse(css) {
        Ok(_) => true,
        // Browsers know pseudo-classes that this parser does not (`:enabled`).
        Err(error) => format!("{error:?}").contains("UnsupportedPseudoClass"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_every_form_are_sound() {
        for selector in [
            "#q",
            "form > button[type=\"submit\"]:not([disabled])",
            "button:enabled",
            "button:text(\"Accept all (2)\")",
            ":text(\"Log in\")",
            "chat-app >>> iframe.inner >>> div[contenteditable]",
            "li:has(> a)",
        ] {
            assert_eq!(broken_rule(selector), None, "{selector}");
        }
    }

    #[test]
    fn a_broken_selector_is_told() {
        for selector in [
            "",
            "div[",
            "a >",
            "x >>>  >>> y",
            "button:text(Accept)",
            "button:text(\"A\") > b",
            "#1",
            "a:text(\"\")",
        ] {
            assert!(broken_rule(selector).is_some(), "{selector}");
        }
    }
}
