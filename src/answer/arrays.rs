//! The arrays of a result: each filled from an answer, and what `provenance` says of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::citations::is_mark;
use super::items::{
    AdItem, CitationItem, EntityItem, LinkItem, PreviewItem, ProductItem, SearchResultItem,
    SourceItem,
};
use super::links::{is_on_x, links_in};
use super::mentions::Mentions;
use super::{Answer, Source, domain};
use crate::catalog::{self, Array};

/// What stands behind a scraper's own arrays, in this order.
const APPENDED: [Array; 6] = [
    Array::SearchQueries,
    Array::Sources,
    Array::Citations,
    Array::Products,
    Array::Ads,
    Array::Entities,
];

/// The word of `provenance.fields` for an array: `unsupported` where the upstream cannot give it.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum State {
    Ok,
    Empty,
    // A doc comment of its own would make it a schema of its own, which some generators refuse.
    Unsupported,
}

/// An array of the result object.
#[derive(Debug)]
pub(super) struct Filled<'a> {
    pub array: Array,
    /// `None` where the array is left out.
    items: Option<Items<'a>>,
    pub state: State,
}

/// The entries of an array.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Items<'a> {
    Links(Vec<LinkItem<'a>>),
    Lines(&'a [String]),
    Sources(Vec<SourceItem<'a>>),
    Citations(Vec<CitationItem<'a>>),
    Previews(Vec<PreviewItem<'a>>),
    Found(Vec<SearchResultItem<'a>>),
    Products(Vec<ProductItem<'a>>),
    Ads(Vec<AdItem<'a>>),
    Entities(Vec<EntityItem<'a>>),
}

/// The arrays of one result, in their order.
#[derive(Debug)]
pub(super) struct Arrays<'a>(Vec<Filled<'a>>);

/// The arrays of any scraper: each has its own, which `GET /scrapers` names, and behind them those
/// that the upstream has something for.
#[derive(JsonSchema)]
#[schemars(transform = none_required)]
#[expect(dead_code, reason = "only the schema is made of it")]
pub(super) struct AnyArrays<'a> {
    /// Links in the answer.
    links: Option<Vec<LinkItem<'a>>>,
    /// What the engine searched for.
    search_queries: Option<&'a [String]>,
    /// What was consulted, in the order found. A mark `[1]` in the text names the first.
    sources: Option<Vec<SourceItem<'a>>>,
    /// What one may ask next.
    related_questions: Option<&'a [String]>,
    /// What the text rests on, in the order in which it first cites it.
    citations: Option<Vec<CitationItem<'a>>>,
    /// Pages.
    web_sources: Option<Vec<PreviewItem<'a>>>,
    /// Posts.
    x_results: Option<Vec<PreviewItem<'a>>>,
    /// What stood in the list of results.
    search_results: Option<Vec<SearchResultItem<'a>>>,
    /// Products that were shown.
    products: Option<Vec<ProductItem<'a>>>,
    /// What was paid for. None of it is a source, a citation or a link.
    ads: Option<Vec<AdItem<'a>>>,
    /// Brands, places and things that the engine recognized.
    entities: Option<Vec<EntityItem<'a>>>,
}

/// Says of a schema that all of its fields may be left out.
fn none_required(schema: &mut Schema) {
    schema.remove("required");
}

impl<'a> Arrays<'a> {
    /// Returns the arrays of a normalized answer for a scraper: its own, and behind them what every
    /// result has. Without extras those that the contract names stand alone, in its shapes.
    pub(crate) fn of(answer: &'a Answer, scraper: &str, has_extras: bool) -> Arrays<'a> {
        let own = catalog::arrays(scraper);
        let view = View::of(answer, has_extras);
        let mut arrays: Vec<Filled<'a>> = own.iter().map(|array| view.fill(*array)).collect();
        for array in APPENDED.into_iter().filter(|array| !own.contains(array)) {
            let mut filled = view.fill(array);
            let is_for_all = matches!(array, Array::Sources | Array::Citations);
            let is_given = filled.state != State::Unsupported;
            if !has_extras && (array != Array::SearchQueries || !is_given) {
                continue;
            }
            filled.items = filled.items.filter(|_| is_for_all || is_given);
            arrays.push(filled);
        }
        Arrays(arrays)
    }

    /// Returns what `provenance.fields` says.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&'static str, State)> {
        self.0.iter().map(|filled| (filled.array.name(), filled.state))
    }
}

impl Serialize for Arrays<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for filled in &self.0 {
            if let Some(items) = &filled.items {
                map.serialize_entry(filled.array.name(), items)?;
            }
        }
        map.end()
    }
}

/// Returns which of its scraper's own arrays an answer has something for.
pub fn filled_arrays(answer: &Answer, scraper: &str) -> Vec<Array> {
    let view = View::of(answer, false);
    let own = catalog::arrays(scraper).iter();
    own.filter(|array| view.fill(**array).state == State::Ok).copied().collect()
}

/// An answer with what its text cites.
struct View<'a> {
    answer: &'a Answer,
    mentions: Mentions<'a>,
    /// What the text rests on; `None` if unknown.
    cited: Option<Vec<&'a Source>>,
    has_extras: bool,
}

impl<'a> View<'a> {
    fn of(answer: &'a Answer, has_extras: bool) -> View<'a> {
        let mentions = Mentions::of(answer);
        let cited = mentions.cited(answer);
        View { answer, mentions, cited, has_extras }
    }

    /// Fills one array.
    fn fill(&self, array: Array) -> Filled<'a> {
        let answer = self.answer;
        // What was consulted; an upstream that says only what it cites has at least consulted that.
        let consulted = answer.sources.as_deref().or(answer.citations.as_deref());
        let pages = consulted.unwrap_or_default();
        let mentions = self.has_extras.then_some(&self.mentions);
        let (is_known, items) = match array {
            Array::Links => (true, Items::Links(self.links())),
            Array::SearchQueries => lines(answer.queries.as_deref()),
            Array::RelatedQuestions => lines(answer.related_questions.as_deref()),
            Array::Sources => {
                let items = pages.iter().map(|page| SourceItem::of(page, mentions));
                (consulted.is_some(), Items::Sources(items.collect()))
            }
            Array::Citations => {
                let pages = self.cited.iter().flatten().copied();
                let items = pages.map(|page| CitationItem::of(page, mentions));
                (self.cited.is_some(), Items::Citations(items.collect()))
            }
            Array::WebSources => {
                let pages = pages.iter().filter(|page| !is_on_x(&page.url));
                (consulted.is_some(), Items::Previews(pages.map(PreviewItem::of).collect()))
            }
            Array::XResults => x_results(answer, pages),
            Array::SearchResults => {
                let items = pages.iter().map(SearchResultItem::of);
                (consulted.is_some(), Items::Found(items.collect()))
            }
            Array::Products => {
                let products = answer.products.iter().flatten().enumerate();
                let items = products.map(|(at, it)| ProductItem::of(it, at, self.has_extras));
                (answer.products.is_some(), Items::Products(items.collect()))
            }
            Array::Ads => {
                let ads = answer.ads.iter().flatten().enumerate();
                let items = ads.map(|(at, ad)| AdItem::of(ad, at));
                (answer.ads.is_some(), Items::Ads(items.collect()))
            }
            Array::Entities => {
                let items = answer.entities.iter().flatten().map(EntityItem::of);
                (answer.entities.is_some(), Items::Entities(items.collect()))
            }
        };
        let state = match (is_known, items.is_empty()) {
            (_, false) => State::Ok,
            (true, true) => State::Empty,
            (false, true) => State::Unsupported,
        };
        Filled { array, items: Some(items), state }
    }

    /// Returns the links in the text in their order, then what the answer cites beyond them; each
    /// address once. A link to a page whose title the engine told is called by that title. What was
    /// only consulted is no link: the text does not cite it.
    fn links(&self) -> Vec<LinkItem<'a>> {
        let titles = titles(self.answer);
        let mut seen: HashSet<Cow<'a, str>> = HashSet::new();
        let mut items = Vec::new();
        for link in links_in(&self.answer.markdown) {
            if !seen.insert(Cow::Owned(link.url.clone())) {
                continue;
            }
            let text = match titles.get(link.url.as_str()) {
                Some(title) => Cow::Borrowed(*title),
                None => called(&link.url, link.text),
            };
            items.push(LinkItem { url: link.url.into(), text });
        }
        for link in &self.answer.links {
            if seen.insert(Cow::Borrowed(&link.url)) {
                items.push(LinkItem { url: (&link.url).into(), text: (&link.text).into() });
            }
        }
        for source in self.cited.iter().flatten().copied() {
            if seen.insert(Cow::Borrowed(&source.url)) {
                items.push(LinkItem { url: (&source.url).into(), text: (&source.title).into() });
            }
        }
        items
    }
}

fn lines(known: Option<&[String]>) -> (bool, Items<'_>) {
    (known.is_some(), Items::Lines(known.unwrap_or_default()))
}

/// The posts that the upstream found, then those on X among what was consulted: a post must not
/// be lost because the upstream has no list for it.
fn x_results<'a>(answer: &'a Answer, consulted: &'a [Source]) -> (bool, Items<'a>) {
    let found = answer.x_results.as_deref().unwrap_or_default();
    let known: HashSet<&str> = found.iter().map(|post| post.url.as_str()).collect();
    let new =
        consulted.iter().filter(|page| is_on_x(&page.url) && !known.contains(page.url.as_str()));
    let posts = found.iter().chain(new).map(PreviewItem::of);
    (answer.x_results.is_some(), Items::Previews(posts.collect()))
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
            Items::Ads(items) => items.is_empty(),
            Items::Entities(items) => items.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::SchemaGenerator;

    use super::*;

    #[test]
    fn schema_has_every_array() {
        let schema = SchemaGenerator::default().into_root_schema_for::<AnyArrays<'_>>();
        let properties = schema.get("properties").unwrap().as_object().unwrap();
        let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut arrays = Array::ALL.map(Array::name);
        names.sort_unstable();
        arrays.sort_unstable();
        assert_eq!(names, arrays);
    }
}
