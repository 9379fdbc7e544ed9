//! The arrays of a result: each filled from an answer in the shape contract 1.6 gives it, and what
//! `provenance` says of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::citations::is_mark;
use super::links::{is_on_x, links_in};
use super::{Answer, Source, domain};
use crate::catalog::Array;

/// What `provenance.fields` says of an array: a missing one is not an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    Empty,
    /// The upstream cannot give it.
    Unsupported,
}

/// An array as it stands in the result object.
#[derive(Debug)]
pub(super) struct Filled<'a> {
    pub array: Array,
    pub items: Items<'a>,
    pub state: State,
}

/// The items of an array, in the shapes of contract 1.6.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Items<'a> {
    Links(Vec<LinkItem<'a>>),
    Lines(&'a [String]),
    Sources(Vec<SourceItem<'a>>),
    Citations(Vec<CitationItem<'a>>),
    Previews(Vec<PreviewItem<'a>>),
    Found(Vec<FoundItem<'a>>),
    Products(Vec<ProductItem<'a>>),
}

#[derive(Debug, Serialize)]
pub(super) struct LinkItem<'a> {
    url: Cow<'a, str>,
    text: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
pub(super) struct SourceItem<'a> {
    title: &'a str,
    url: &'a str,
    snippet: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct CitationItem<'a> {
    title: &'a str,
    url: &'a str,
    snippet: &'a str,
    highlights: &'a [String],
    website_name: &'a str,
    favicon: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct PreviewItem<'a> {
    title: &'a str,
    url: &'a str,
    preview: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct FoundItem<'a> {
    title: &'a str,
    url: &'a str,
    snippet: &'a str,
    website_name: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ProductItem<'a> {
    asin: &'a str,
    title: &'a str,
    url: &'a str,
    rating: &'a str,
    reviews: &'a str,
}

/// Fills one array from a normalized answer.
pub(super) fn fill(answer: &Answer, array: Array) -> Filled<'_> {
    // What was consulted; an upstream that says only what it cites has at least consulted that.
    let consulted = answer.sources.as_deref().or(answer.citations.as_deref());
    let (is_known, items) = match array {
        Array::Links => (true, Items::Links(links(answer))),
        Array::SearchQueries => lines(answer.queries.as_deref()),
        Array::RelatedQuestions => lines(answer.related_questions.as_deref()),
        Array::Sources => {
            (consulted.is_some(), Items::Sources(listed(consulted, |_| true, SourceItem::of)))
        }
        Array::Citations => {
            let citations = answer.citations.as_deref();
            (citations.is_some(), Items::Citations(listed(citations, |_| true, CitationItem::of)))
        }
        Array::WebSources => {
            let elsewhere = |source: &Source| !is_on_x(&source.url);
            (consulted.is_some(), Items::Previews(listed(consulted, elsewhere, PreviewItem::of)))
        }
        Array::XResults => x_results(answer, consulted),
        Array::SearchResults => {
            (consulted.is_some(), Items::Found(listed(consulted, |_| true, FoundItem::of)))
        }
        Array::Products => {
            let products = answer.products.as_deref();
            (
                products.is_some(),
                Items::Products(products.unwrap_or_default().iter().map(ProductItem::of).collect()),
            )
        }
    };
    let state = match (is_known, items.is_empty()) {
        (_, false) => State::Ok,
        (true, true) => State::Empty,
        (false, true) => State::Unsupported,
    };
    Filled { array, items, state }
}

fn lines(known: Option<&[String]>) -> (bool, Items<'_>) {
    (known.is_some(), Items::Lines(known.unwrap_or_default()))
}

fn listed<'a, T>(
    sources: Option<&'a [Source]>,
    wanted: impl Fn(&Source) -> bool,
    item: impl Fn(&'a Source) -> T,
) -> Vec<T> {
    sources.unwrap_or_default().iter().filter(|source| wanted(source)).map(item).collect()
}

/// The posts that the upstream found, then those on X among what was consulted: a post must not
/// be lost because the upstream has no list for it.
fn x_results<'a>(answer: &'a Answer, consulted: Option<&'a [Source]>) -> (bool, Items<'a>) {
    let found = answer.x_results.as_deref();
    let known: HashSet<&str> =
        found.unwrap_or_default().iter().map(|post| post.url.as_str()).collect();
    let is_new = |source: &Source| is_on_x(&source.url) && !known.contains(source.url.as_str());
    let mut posts = listed(found, |_| true, PreviewItem::of);
    posts.extend(listed(consulted, is_new, PreviewItem::of));
    (found.is_some(), Items::Previews(posts))
}

/// The links in the text in their order, then what the answer cites beyond them; each address
/// once. A link to a page whose title the engine told is called by that title. Rule 4 of the shared
/// normalisation rules.
fn links(answer: &Answer) -> Vec<LinkItem<'_>> {
    let cited = answer.citations.as_deref().or(answer.sources.as_deref()).unwrap_or_default();
    let titles = titles(answer);
    let mut seen: HashSet<Cow<'_, str>> = HashSet::new();
    let mut items = Vec::with_capacity(cited.len());
    for link in links_in(&answer.markdown) {
        if !seen.insert(Cow::Owned(link.url.clone())) {
            continue;
        }
        let text = match titles.get(link.url.as_str()) {
            Some(title) => Cow::Borrowed(*title),
            None => called(&link.url, link.text),
        };
        items.push(LinkItem { url: link.url.into(), text });
    }
    for link in &answer.links {
        if seen.insert(Cow::Borrowed(&link.url)) {
            items.push(LinkItem { url: (&link.url).into(), text: (&link.text).into() });
        }
    }
    for source in cited {
        if seen.insert(Cow::Borrowed(&source.url)) {
            items.push(LinkItem { url: (&source.url).into(), text: (&source.title).into() });
        }
    }
    items
}

/// The titles that the engine gave pages: a domain in the place of one was put there by tidying.
fn titles(answer: &Answer) -> HashMap<&str, &str> {
    let pages = [&answer.sources, &answer.citations].into_iter().flatten().flatten();
    let titled = pages.filter(|page| {
        !page.title.is_empty() && domain(&page.url).is_none_or(|site| site != page.title)
    });
    titled.map(|page| (page.url.as_str(), page.title.as_str())).collect()
}

/// The text of a link, or the site's name where it says nothing about the page, as `[[1]](url)`
/// does.
fn called(url: &str, text: String) -> Cow<'static, str> {
    let trimmed = text.trim();
    let is_named =
        !trimmed.is_empty() && !is_mark(trimmed) && !trimmed.bytes().all(|b| b.is_ascii_digit());
    Cow::Owned(if is_named { trimmed.to_owned() } else { domain(url).unwrap_or_default() })
}

impl Items<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Items::Links(items) => items.is_empty(),
            Items::Lines(items) => items.is_empty(),
            Items::Sources(items) => items.is_empty(),
            Items::Citations(items) => items.is_empty(),
            Items::Previews(items) => items.is_empty(),
            Items::Found(items) => items.is_empty(),
            Items::Products(items) => items.is_empty(),
        }
    }
}

impl<'a> SourceItem<'a> {
    fn of(source: &'a Source) -> Self {
        SourceItem { title: &source.title, url: &source.url, snippet: &source.snippet }
    }
}

impl<'a> CitationItem<'a> {
    fn of(source: &'a Source) -> Self {
        CitationItem {
            title: &source.title,
            url: &source.url,
            snippet: &source.snippet,
            highlights: &source.highlights,
            website_name: &source.website_name,
            favicon: source.favicon.as_deref(),
        }
    }
}

impl<'a> PreviewItem<'a> {
    fn of(source: &'a Source) -> Self {
        PreviewItem { title: &source.title, url: &source.url, preview: &source.snippet }
    }
}

impl<'a> FoundItem<'a> {
    fn of(source: &'a Source) -> Self {
        FoundItem {
            title: &source.title,
            url: &source.url,
            snippet: &source.snippet,
            website_name: &source.website_name,
        }
    }
}

impl<'a> ProductItem<'a> {
    fn of(product: &'a super::Product) -> Self {
        ProductItem {
            asin: &product.asin,
            title: &product.title,
            url: &product.url,
            rating: &product.rating,
            reviews: &product.reviews,
        }
    }
}
