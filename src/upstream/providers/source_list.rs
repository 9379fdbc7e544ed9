//! A list of pages in order of first appearance, each once: what providers name in several places
//! is one source with all that was said of it.

use std::collections::HashMap;

use crate::answer::{PAGES_MAX, Source, clean_url, is_too_long};

/// The most pages kept of one answer: one more than its result holds, so that this is told there.
const SOURCES_MAX: usize = PAGES_MAX + 1;

/// Pages without repetition. Built by [`SourceList::add`].
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceList {
    sources: Vec<Source>,
    /// Where each cleaned address stands in `sources`.
    places: HashMap<String, usize>,
}

impl SourceList {
    /// Adds a page or completes the one with the same address, and returns its place; `None` when
    /// the address is none that a reader could open. One that is too long stays as it is: tidying
    /// leaves it out with a warning.
    pub(crate) fn add(&mut self, mut source: Source) -> Option<usize> {
        let too_long = || is_too_long(&source.url).then(|| source.url.clone());
        let url = clean_url(&source.url).or_else(too_long)?;
        if let Some(place) = self.places.get(&url) {
            self.sources.get_mut(*place)?.complete(source);
            return Some(*place);
        }
        if self.sources.len() == SOURCES_MAX {
            return None;
        }
        let place = self.sources.len();
        source.url.clone_from(&url);
        self.sources.push(source);
        self.places.insert(url, place);
        Some(place)
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Returns the page at a place that [`SourceList::add`] returned.
    pub(crate) fn get(&self, place: usize) -> Option<&Source> {
        self.sources.get(place)
    }

    /// Returns the place of the page with this address.
    pub(crate) fn place(&self, url: &str) -> Option<usize> {
        self.places.get(&clean_url(url.trim())?).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    pub(crate) fn into_vec(self) -> Vec<Source> {
        self.sources
    }
}

/// Returns a passage without the blanks around it; empty if it has no letter and no digit: a `**`
/// that a provider took for a sentence says nothing.
pub(crate) fn passage(text: &str) -> &str {
    if text.chars().any(char::is_alphanumeric) { text.trim() } else { "" }
}

/// Returns a page with an address, a title and a passage.
pub(crate) fn source(url: &str, title: &str, snippet: &str) -> Source {
    Source {
        url: url.trim().to_owned(),
        title: title.trim().to_owned(),
        snippet: passage(snippet).to_owned(),
        ..Source::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_named_twice_is_one_source_with_all_that_was_said() {
        let mut list = SourceList::default();
        assert_eq!(list.add(source("https://a.example/", "", "")), Some(0));
        assert_eq!(list.add(source("https://b.example/", "B", "")), Some(1));
        let again = Source {
            highlights: vec!["passage".to_owned()],
            ..source("https://a.example/", "A", "passage")
        };
        assert_eq!(list.add(again.clone()), Some(0));
        assert_eq!(list.add(again), Some(0));
        assert_eq!(list.add(source(" ", "nothing", "")), None);
        assert_eq!(source("", "", "** — ").snippet, "");
        assert_eq!(source("", "", " 答。 ").snippet, "答。");
        assert_eq!(list.place("https://b.example/"), Some(1));
        let sources = list.into_vec();
        assert_eq!(sources.len(), 2);
        assert_eq!((sources[0].title.as_str(), sources[0].snippet.as_str()), ("A", "passage"));
        assert_eq!(sources[0].highlights, ["passage"]);
    }
}
