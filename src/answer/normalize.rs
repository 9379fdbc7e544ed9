//! Normalizes what an upstream returned, so that it keeps the promises of contract 1.6. No U+0000,
//! no empty items, addresses cleaned and each once, markers that name their source, and nothing
//! without a limit. Rules 4 and 5 of the shared normalisation rules.

use std::collections::HashMap;

use super::citations::{Known, Place, renumbered};
use super::lines::{LIST_ITEMS_MAX, clean, distinct_lines, line, trimmed};
use super::links::{
    URL_BYTES_MAX, clean_url, domain, has_long_link, is_too_long, without_engine_marks,
};
use super::plain::plain_text;
use super::shopping::{distinct_ads, distinct_entities, distinct_products};
use super::thoughts::without_thoughts;
use super::{Answer, Link, Source, is_json};

/// The longest Markdown or plain text, bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
/// The most pages in a list of the answer; no engine names a tenth of that.
pub const PAGES_MAX: usize = 2_000;
/// The longest snippet or highlight, bytes.
pub(crate) const PASSAGE_BYTES_MAX: usize = 8_000;
/// The most highlights of one source.
pub const HIGHLIGHTS_MAX: usize = 20;
/// The most warnings.
pub(crate) const WARNINGS_MAX: usize = 20;

impl Answer {
    /// Returns the answer with every promise of contract 1.6 kept. A second call changes nothing.
    #[must_use]
    pub fn normalized(mut self) -> Answer {
        self.markdown = without_thoughts(&self.markdown);
        if self.has_long_address() {
            let warning = format!("An address longer than {URL_BYTES_MAX} bytes was left out.");
            self.warnings.push(warning);
        }
        let was_cut =
            clean(&mut self.markdown, TEXT_BYTES_MAX) | clean(&mut self.text, TEXT_BYTES_MAX);
        if was_cut {
            self.warnings.push(format!("The answer was cut at {TEXT_BYTES_MAX} bytes."));
        }
        self.model = self.model.map(line).filter(|model| !model.is_empty());
        self.url = self.url.as_deref().and_then(clean_url);
        self.queries = self.queries.map(distinct_lines);
        self.related_questions = self.related_questions.map(distinct_lines);
        self.links = distinct_links(self.links);
        self.products = self.products.map(distinct_products);
        self.ads = self.ads.map(distinct_ads);
        self.entities = self.entities.map(distinct_entities);
        self.tidy_sources();
        self.warnings = distinct_lines(self.warnings);
        self.warnings.truncate(WARNINGS_MAX);
        if !is_json(&self.markdown) {
            self.markdown = without_engine_marks(&self.markdown).into_owned();
        }
        if self.text.trim().is_empty() {
            self.text = self.plain_text();
            clean(&mut self.text, TEXT_BYTES_MAX);
        }
        self
    }

    /// Returns the plain text of a normalized answer: its Markdown without marks and markup.
    /// A text of marks alone keeps them: an answer that has a text is not empty.
    pub fn plain_text(&self) -> String {
        let text = plain_text(&self.markdown, &Known::of(self));
        if text.is_empty() { plain_text(&self.markdown, &Known::default()) } else { text }
    }

    /// Returns whether an address is left out only because of its length.
    fn has_long_address(&self) -> bool {
        let lists = [&self.sources, &self.citations, &self.x_results];
        let pages = lists.into_iter().flatten().flatten();
        let mut addresses = pages
            .flat_map(|page| [Some(&page.url), page.favicon.as_ref()])
            .chain(self.links.iter().map(|link| Some(&link.url)))
            .chain(self.products.iter().flatten().map(|product| Some(&product.url)))
            .chain(self.ads.iter().flatten().map(|ad| Some(&ad.url)))
            .chain([self.url.as_ref()])
            .flatten();
        addresses.any(|url| is_too_long(url)) || has_long_link(&self.markdown)
    }

    fn tidy_sources(&mut self) {
        let lists = [&self.sources, &self.citations, &self.x_results];
        if lists.into_iter().flatten().any(|list| has_too_many(list)) {
            self.warnings.push(format!("Only the first {PAGES_MAX} pages of a list were kept."));
        }
        if let Some(sources) = self.sources.take() {
            let (sources, places) = distinct_sources(sources);
            let moved = places.iter().enumerate().any(|(at, place)| *place != Some(at));
            if moved {
                let place = |number: usize| match places.get(number - 1) {
                    Some(Some(place)) => Place::At(place + 1),
                    Some(None) => Place::Gone,
                    None => Place::Unknown,
                };
                self.markdown = renumbered(&self.markdown, sources.len(), place);
            }
            self.sources = Some(sources);
        }
        self.citations = self.citations.take().map(|citations| distinct_sources(citations).0);
        self.x_results = self.x_results.take().map(|results| distinct_sources(results).0);
        share_names(&mut self.sources, &mut self.citations);
        for list in [&mut self.sources, &mut self.citations, &mut self.x_results] {
            list.iter_mut().flatten().for_each(fill_names);
        }
    }
}

/// Returns the links with an address; one without a text is called by its domain.
fn distinct_links(links: Vec<Link>) -> Vec<Link> {
    let mut seen = std::collections::HashSet::new();
    let links = links.into_iter().filter_map(|link| {
        let url = clean_url(&link.url)?;
        let text = Some(line(link.text)).filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| domain(&url).unwrap_or_default());
        Some(Link { url, text })
    });
    links.filter(|link| seen.insert(link.url.clone())).take(LIST_ITEMS_MAX).collect()
}

/// Returns whether a list has more pages than are kept, each counted once.
fn has_too_many(pages: &[Source]) -> bool {
    pages.len() > PAGES_MAX && {
        let addresses = pages.iter().filter_map(|page| clean_url(&page.url));
        addresses.collect::<std::collections::HashSet<String>>().len() > PAGES_MAX
    }
}

/// Returns the sources with an address, each once, in order of first appearance, and for each that
/// was given the place it has now.
fn distinct_sources(given: Vec<Source>) -> (Vec<Source>, Vec<Option<usize>>) {
    let mut kept: Vec<Source> = Vec::with_capacity(given.len().min(PAGES_MAX));
    let mut place_of: HashMap<String, usize> = HashMap::new();
    let mut places = Vec::with_capacity(given.len());
    for source in given {
        let Some(url) = clean_url(&source.url) else {
            places.push(None);
            continue;
        };
        if let Some(place) = place_of.get(&url) {
            kept[*place].complete(tidy_source(source, url));
            places.push(Some(*place));
        } else if kept.len() < PAGES_MAX {
            place_of.insert(url.clone(), kept.len());
            places.push(Some(kept.len()));
            kept.push(tidy_source(source, url));
        } else {
            places.push(None);
        }
    }
    (kept, places)
}

fn tidy_source(source: Source, url: String) -> Source {
    let title = line(source.title);
    let highlights = source.highlights.into_iter().map(|text| trimmed(text, PASSAGE_BYTES_MAX));
    Source {
        url,
        // xAI's titles are "1", "2": rule 5.
        title: if title.bytes().all(|byte| byte.is_ascii_digit()) { String::new() } else { title },
        snippet: trimmed(source.snippet, PASSAGE_BYTES_MAX),
        highlights: highlights.filter(|text| !text.is_empty()).take(HIGHLIGHTS_MAX).collect(),
        website_name: line(source.website_name),
        favicon: source.favicon.as_deref().and_then(clean_url),
        date: line(source.date),
    }
}

impl Source {
    /// Takes from another mention of the same page what this one lacks; passages are added up.
    pub(crate) fn complete(&mut self, other: Source) {
        let strings = [
            (&mut self.title, other.title),
            (&mut self.snippet, other.snippet),
            (&mut self.website_name, other.website_name),
            (&mut self.date, other.date),
        ];
        for (own, other) in strings {
            if own.is_empty() {
                *own = other;
            }
        }
        for passage in other.highlights {
            if self.highlights.len() < HIGHLIGHTS_MAX && !self.highlights.contains(&passage) {
                self.highlights.push(passage);
            }
        }
        if self.favicon.is_none() {
            self.favicon = other.favicon;
        }
    }
}

/// Sources and citations of the same page name it the same: OpenAI's sources come without titles,
/// which its citations have.
fn share_names(sources: &mut Option<Vec<Source>>, citations: &mut Option<Vec<Source>>) {
    let (Some(sources), Some(citations)) = (sources, citations) else { return };
    let place_of: HashMap<String, usize> =
        sources.iter().enumerate().map(|(place, source)| (source.url.clone(), place)).collect();
    for citation in citations {
        let Some(source) = place_of.get(&citation.url).map(|place| &mut sources[*place]) else {
            continue;
        };
        let pairs = [
            (&mut source.title, &mut citation.title),
            (&mut source.website_name, &mut citation.website_name),
        ];
        for (one, other) in pairs {
            if one.is_empty() {
                one.clone_from(other);
            } else if other.is_empty() {
                other.clone_from(one);
            }
        }
        if source.favicon.is_none() {
            source.favicon.clone_from(&citation.favicon);
        } else if citation.favicon.is_none() {
            citation.favicon.clone_from(&source.favicon);
        }
    }
}

fn fill_names(source: &mut Source) {
    if !source.title.is_empty() && !source.website_name.is_empty() {
        return;
    }
    let site = domain(&source.url).unwrap_or_default();
    if source.title.is_empty() {
        source.title.clone_from(&site);
    }
    if source.website_name.is_empty() {
        source.website_name = site;
    }
}

#[cfg(test)]
mod tests;
