//! What a result says of the brands of a tracker.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::{host, registrable_domain};
use super::brand::Brand;
use super::matcher::Matcher;
use super::page_use::{PageUse, used_pages};
use super::tracker::TrackedBrands;
use crate::job::Kind;

/// The most addresses that are listed for a brand.
pub const CITED_URLS_MAX: usize = 20;
/// The most domains that are counted of one answer.
pub const DOMAINS_MAX: usize = 50;

/// Mention of a brand in an answer, and of its pages.
#[derive(Clone, Debug, JsonSchema, PartialEq, Eq, Serialize)]
#[schemars(rename = "Mention")]
pub struct BrandMention {
    /// Its name in the tracker.
    pub brand: String,
    /// Whether the text names it.
    pub mentioned: bool,
    /// How often the text does.
    pub count: u32,
    /// Where it first does, in characters of `result`; null where it does not.
    pub first_at: Option<usize>,
    /// Its place among the brands of the tracker that the text names, by first appearance, from 1;
    /// null where it is not named.
    pub rank: Option<u32>,
    /// Whether an entry of a list names it.
    pub in_list_item: bool,
    /// Whether the answer cites a page of its domains; null where the upstream does not tell what
    /// is cited.
    pub cited: Option<bool>,
    /// These pages, at most 20.
    pub cited_urls: Vec<String>,
    /// Whether a link in the text leads to one of its domains.
    pub linked: bool,
}

/// A registrable domain that an answer used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainUse {
    pub domain: String,
    /// Whether the answer cites a page of it; otherwise it only consulted one.
    pub cited: bool,
}

/// Counts of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Whether the prompt names a brand of the tracker, which makes its mention no news.
    pub branded: bool,
    /// Whether the engine showed no answer at all, so that there is no text.
    pub absent: bool,
    /// Whether the engine searched the web; `None` where the upstream does not tell.
    pub searched: Option<bool>,
    /// Whether the upstream tells what is cited.
    pub cited_is_told: bool,
    /// In the order of the tracker.
    pub brands: Vec<BrandMention>,
    /// By name, each once.
    pub domains: Vec<DomainUse>,
    /// Each once, those that are cited first.
    pub pages: Vec<PageUse>,
    /// A bit for the kind of the upstream: its place among those of `kind_words`.
    pub kind_bit: u8,
    /// Tells prompts apart, within a few hundred.
    pub prompt_hash: u32,
}

/// The kinds of upstreams, each a bit by its place.
const KINDS: [Kind; 4] = [Kind::Api, Kind::Browser, Kind::Serp, Kind::Practice];

/// Returns the words of the kinds whose bits are set.
pub fn kind_words(bits: u8) -> Vec<&'static str> {
    let is_set = |at: &usize| bits & (1 << at) != 0;
    (0..KINDS.len()).filter(is_set).map(|at| KINDS[at].word()).collect()
}

/// The parts of a result object that are looked at.
#[derive(Deserialize)]
struct ResultView<'a> {
    #[serde(borrow)]
    prompt: Cow<'a, str>,
    #[serde(borrow)]
    result: Cow<'a, str>,
    #[serde(default, borrow)]
    links: Vec<PageView<'a>>,
    #[serde(default, borrow)]
    sources: Vec<PageView<'a>>,
    #[serde(default, borrow)]
    citations: Vec<PageView<'a>>,
    search: Option<SearchView>,
    present: Option<bool>,
    #[serde(borrow)]
    provenance: ProvenanceView<'a>,
}

#[derive(Deserialize)]
struct PageView<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    cited: Option<bool>,
}

#[derive(Deserialize)]
struct SearchView {
    made: Option<bool>,
}

#[derive(Deserialize)]
struct ProvenanceView<'a> {
    #[serde(default)]
    kind: &'a str,
    #[serde(default, borrow)]
    fields: HashMap<&'a str, &'a str>,
}

impl ResultView<'_> {
    /// Returns the addresses of the pages that are cited; `None` where the upstream does not tell.
    fn cited(&self) -> Option<Vec<&str>> {
        let is_list =
            self.provenance.fields.get("citations").is_some_and(|it| *it != "unsupported");
        if is_list {
            return Some(self.citations.iter().map(|page| &*page.url).collect());
        }
        let is_told = !self.sources.is_empty() && self.sources.iter().all(|it| it.cited.is_some());
        let cited = self.sources.iter().filter(|page| page.cited == Some(true));
        is_told.then(|| cited.map(|page| &*page.url).collect())
    }

    fn searched(&self) -> Option<bool> {
        self.search.as_ref().and_then(|search| search.made)
    }
}

/// Counts what a stored result says of some brands; `None` if it is no result.
pub fn measure(result: &[u8], brands: &TrackedBrands, matcher: &Matcher) -> Option<Measured> {
    let view: ResultView<'_> = serde_json::from_slice(result).ok()?;
    let cited = view.cited();
    let links: Vec<&str> = view.links.iter().map(|link| &*link.url).collect();
    let mut mentions: Vec<BrandMention> =
        brands.brands().iter().map(|brand| of_pages(brand, cited.as_deref(), &links)).collect();
    count_names(&view.result, matcher, &mut mentions);
    Some(Measured {
        branded: !matcher.find(&view.prompt).is_empty(),
        absent: view.present == Some(false),
        searched: view.searched(),
        cited_is_told: cited.is_some(),
        brands: mentions,
        domains: domains(used(&view, cited.as_deref())),
        pages: used_pages(used(&view, cited.as_deref())),
        kind_bit: (0..)
            .zip(KINDS)
            .filter(|(_, it)| it.word() == view.provenance.kind)
            .fold(0, |bits, (at, _)| bits | 1 << at),
        prompt_hash: crc32fast::hash(view.prompt.as_bytes()),
    })
}

/// Returns a result with what was measured in it: the version of the tracker, and every mention.
pub fn annotated(mut json: Vec<u8>, tracker: &str, version: u32, measured: &Measured) -> Vec<u8> {
    let Measured { branded, brands, .. } = measured;
    let added = serde_json::json!({
        "tracker": { "name": tracker, "version": version, "branded": branded },
        "mentions": brands,
    });
    // Both are objects with fields.
    if json.pop().is_some() {
        json.push(b',');
        json.extend_from_slice(&added.to_string().as_bytes()[1..]);
    }
    json
}

/// Returns what the pages of an answer say of a brand.
fn of_pages(brand: &Brand, cited: Option<&[&str]>, links: &[&str]) -> BrandMention {
    let is_own = |url: &&&str| has_page(brand, url);
    let mut cited_urls: Vec<String> = Vec::new();
    for url in cited.unwrap_or_default().iter().filter(is_own) {
        if cited_urls.len() < CITED_URLS_MAX && !cited_urls.iter().any(|known| known == url) {
            cited_urls.push((*url).to_owned());
        }
    }
    BrandMention {
        brand: brand.name.clone(),
        mentioned: false,
        count: 0,
        first_at: None,
        rank: None,
        in_list_item: false,
        cited: cited.map(|_| !cited_urls.is_empty()),
        cited_urls,
        linked: links.iter().any(|url| is_own(&url)),
    }
}

/// Returns whether a page stands on one of a brand's domains or below it.
fn has_page(brand: &Brand, url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    brand.domains.iter().any(|domain| {
        host.strip_suffix(domain.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Counts the names in a text.
fn count_names(text: &str, matcher: &Matcher, mentions: &mut [BrandMention]) {
    let mut named = 0;
    let (mut chars, mut counted_to) = (0, 0);
    for found in matcher.find(text) {
        let Some(mention) = mentions.get_mut(found.brand) else { continue };
        chars += text[counted_to..found.range.start].chars().count();
        counted_to = found.range.start;
        if !mention.mentioned {
            named += 1;
            mention.mentioned = true;
            mention.first_at = Some(chars);
            mention.rank = Some(named);
        }
        mention.count = mention.count.saturating_add(1);
        mention.in_list_item |= is_list_item(text, found.range.start);
    }
}

/// Returns whether a place stands in a line that begins with the marker of a list.
fn is_list_item(text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |before| before + 1);
    let line = text[start..].trim_start_matches([' ', '\t']);
    let number = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match number {
        0 => ["- ", "* ", "• ", "+ "].iter().any(|marker| line.starts_with(marker)),
        1..=3 => line[number..].starts_with(". ") || line[number..].starts_with(") "),
        _ => false,
    }
}

/// Returns the addresses that an answer used, and whether it cites each: those first.
fn used<'a>(
    view: &'a ResultView<'_>,
    cited: Option<&'a [&'a str]>,
) -> impl Iterator<Item = (&'a str, bool)> {
    let consulted = view.sources.iter().map(|page| (&*page.url, false));
    cited.unwrap_or_default().iter().map(|url| (*url, true)).chain(consulted)
}

/// Returns the domains of the pages that an answer used; what stands first is kept.
fn domains<'a>(used: impl Iterator<Item = (&'a str, bool)>) -> Vec<DomainUse> {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for (url, cited) in used {
        let Some(host) = host(url) else { continue };
        let domain = registrable_domain(&host).unwrap_or(&host).to_owned();
        if known.len() < DOMAINS_MAX || known.contains_key(&domain) {
            *known.entry(domain).or_default() |= cited;
        }
    }
    known.into_iter().map(|(domain, cited)| DomainUse { domain, cited }).collect()
}
