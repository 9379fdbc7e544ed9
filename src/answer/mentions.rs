//! Which pages the text of an answer cites: in which order, and how often.

use std::collections::HashMap;

use super::citations::{cited_places, numbered_pages};
use super::links::placed_links_in;
use super::{Answer, Source, is_json};

/// One page in a text that cites it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    /// Its place among the pages that are cited, in the order in which they first are; from 1.
    pub position: usize,
    /// How often it is cited.
    pub times: usize,
}

/// The pages that a text cites, by address.
#[derive(Debug)]
pub(super) struct Mentions<'a> {
    known: HashMap<&'a str, Mention>,
    /// Whether a page that is not among them is surely not cited.
    is_whole: bool,
}

impl<'a> Mentions<'a> {
    /// Collects what a normalized answer cites: first by the marks and links in its text, then what
    /// the upstream says beyond them.
    pub(crate) fn of(answer: &'a Answer) -> Mentions<'a> {
        let mut mentions = Mentions { known: HashMap::new(), is_whole: false };
        for url in in_text(answer) {
            mentions.add(url, 1);
        }
        let is_told = !answer.cited_is_untold;
        mentions.is_whole = is_told && (answer.citations.is_some() || !mentions.known.is_empty());
        if is_told {
            for page in answer.citations.iter().flatten() {
                if !mentions.known.contains_key(page.url.as_str()) {
                    mentions.add(&page.url, page.highlights.len().max(1));
                }
            }
        }
        mentions
    }

    /// Returns how the text cites a page.
    pub(crate) fn mention(&self, url: &str) -> Option<Mention> {
        self.known.get(url).copied()
    }

    /// Returns whether the text cites a page; `None` where the upstream does not tell.
    pub(crate) fn is_cited(&self, url: &str) -> Option<bool> {
        let is_cited = self.known.contains_key(url);
        (is_cited || self.is_whole).then_some(is_cited)
    }

    /// Returns the pages that the text rests on. Where the upstream tells them they stand in the
    /// order in which the text first cites them; `None` where nothing does.
    pub(crate) fn cited(&self, answer: &'a Answer) -> Option<Vec<&'a Source>> {
        let told = answer.citations.iter().flatten();
        if answer.citations.is_some() && !self.is_whole {
            return Some(told.collect());
        }
        if !self.is_whole {
            return None;
        }
        let mut pages: HashMap<&str, &Source> = HashMap::new();
        for page in told.chain(answer.sources.iter().flatten()) {
            if self.known.contains_key(page.url.as_str()) {
                pages.entry(&page.url).or_insert(page);
            }
        }
        let mut pages: Vec<&Source> = pages.into_values().collect();
        pages.sort_by_key(|page| self.known[page.url.as_str()].position);
        Some(pages)
    }

    fn add(&mut self, url: &'a str, times: usize) {
        let position = self.known.len() + 1;
        self.known.entry(url).or_insert(Mention { position, times: 0 }).times += times;
    }
}

/// Returns the addresses of the pages that marks and links in the text name, in their order.
fn in_text(answer: &Answer) -> Vec<&str> {
    let pages = [&answer.sources, &answer.citations].into_iter().flatten().flatten();
    let known: HashMap<&str, &str> =
        pages.map(|page| (page.url.as_str(), page.url.as_str())).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let mut places: Vec<(usize, &str)> = placed_links_in(&answer.markdown)
        .into_iter()
        .filter_map(|(at, link)| Some((at, *known.get(link.url.as_str())?)))
        .collect();
    if !is_json(&answer.markdown) {
        let numbered = numbered_pages(answer);
        for (at, number) in cited_places(&answer.markdown, numbered.len()) {
            places.push((at, &numbered[number - 1].url));
        }
    }
    places.sort_by_key(|(at, _)| *at);
    places.into_iter().map(|(_, url)| url).collect()
}
