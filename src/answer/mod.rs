//! An answer: what an upstream returns, in one shape for all of them; and the result, that answer
//! rendered into the scraper's JSON. Pure functions over text.

mod arrays;
mod bare;
mod citations;
mod facts;
mod items;
mod lines;
mod links;
mod markdown;
mod mentions;
mod normalize;
mod plain;
mod price;
mod reread;
mod result;
mod shopping;
mod tags;
mod thoughts;
mod tree;

use serde::de::IgnoredAny;

pub use crate::job::Kind;
use crate::job::{Location, UpstreamUsage};
pub use arrays::filled_arrays;
pub use bare::shown;
pub use citations::{Place, cited_numbers, numbered_links, renumbered};
pub use facts::{SearchObject, UsageObject};
pub use links::{clean_url, domain, is_too_long};
pub use normalize::{HIGHLIGHTS_MAX, PAGES_MAX};
pub use reread::{as_reread, changed_fields};
pub use result::{CachedResult, ResultFacts, ResultObject, as_cached, render};
pub use tree::token_tree;

/// A page that was consulted, cited or found. Empty strings where the upstream says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    pub url: String,
    pub title: String,
    /// The passage of the page (or, where the upstream gives only that, of the answer) it supports.
    pub snippet: String,
    /// Passages of the page that the answer rests on.
    pub highlights: Vec<String>,
    /// The site's name; filled from the domain where the upstream gives none.
    pub website_name: String,
    pub favicon: Option<String>,
    /// The page's date as the engine wrote it; empty where it says none.
    pub date: String,
}

/// A link that the page shows beside the answer's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub url: String,
    pub text: String,
}

/// A product card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    pub asin: String,
    pub title: String,
    pub url: String,
    pub rating: String,
    pub reviews: String,
    /// As the upstream wrote it: `$1,299.00`.
    pub price: String,
    /// The price before, as the upstream wrote it.
    pub was: String,
    pub merchant: String,
    /// All who sell it, where the upstream names several.
    pub merchants: Vec<String>,
    /// The address of its picture.
    pub image: String,
    /// A badge on its card: `Best seller`.
    pub tag: String,
}

/// An advertisement beside the answer. It is no source and no citation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ad {
    pub brand: String,
    pub title: String,
    pub body: String,
    pub url: String,
    /// The address of its picture.
    pub image: String,
}

/// A brand, person or thing that the engine marked in its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    pub name: String,
    /// The engine's own word for what it is.
    pub r#type: String,
    pub url: String,
}

/// The searches behind an answer, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Whether the request let the engine search.
    pub asked: bool,
    /// Whether one was made and worked; `None` where the upstream does not tell.
    pub made: Option<bool>,
    /// How many were made, those that failed included; `None` where the upstream does not tell.
    pub calls: Option<u32>,
    pub failed: u32,
}

/// The place that an upstream was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedPlace {
    /// The country that was asked from, alpha-2; `None` where the upstream takes none.
    pub country: Option<String>,
    /// What was passed on of the rest.
    pub location: Location,
    pub by: PlaceBy,
}

/// The way in which an upstream was told the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceBy {
    /// A field of its request.
    Field,
    /// A sentence to the model.
    Instruction,
    /// The place that the connection comes from.
    Proxy,
    /// Not at all.
    None,
}

impl PlaceBy {
    /// Returns the word for it in results.
    pub const fn word(self) -> &'static str {
        match self {
            PlaceBy::Field => "field",
            PlaceBy::Instruction => "instruction",
            PlaceBy::Proxy => "proxy",
            PlaceBy::None => "none",
        }
    }
}

/// The answer of an upstream. A list is `None` when the upstream cannot give it at all
/// (`unsupported`) and empty when it had nothing to give this time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The answer in Markdown, or JSON where that was asked for; citation marks included as the
    /// upstream wrote them.
    pub markdown: String,
    /// The plain text; derived from `markdown` by [`Answer::normalized`] where it is empty.
    pub text: String,
    /// The model's name as the upstream gave it.
    pub model: Option<String>,
    /// The searches the engine made.
    pub queries: Option<Vec<String>>,
    /// Everything consulted, in order of first appearance. A marker `[n]` in `markdown` names
    /// `sources[n - 1]`: the upstream's list, with pages that are there twice and those without an
    /// address, until [`Answer::normalized`] renumbers the marks.
    pub sources: Option<Vec<Source>>,
    /// What the answer points at.
    pub citations: Option<Vec<Source>>,
    /// Whether the upstream gives the pages that were consulted and those that are cited as one
    /// list, so that only a mark or a link in the text tells which a page is.
    pub cited_is_untold: bool,
    /// Links beside those in `markdown`.
    pub links: Vec<Link>,
    /// Posts on X that were found.
    pub x_results: Option<Vec<Source>>,
    pub related_questions: Option<Vec<String>>,
    pub products: Option<Vec<Product>>,
    pub ads: Option<Vec<Ad>>,
    pub entities: Option<Vec<Entity>>,
    /// `None` where the upstream tells nothing of its searches.
    pub search: Option<Search>,
    /// What the attempt used, as the reply tells it.
    pub usage: UpstreamUsage,
    /// `None` where the upstream was told no place.
    pub place: Option<AppliedPlace>,
    /// Whether the surface was on the page at all; `None` for engines that always answer.
    pub present: Option<bool>,
    /// The conversation's or the page's address.
    pub url: Option<String>,
    /// What a reader of the answer should know, in sentences ("The engine made no search.").
    pub warnings: Vec<String>,
}

/// Whether a text is JSON as a whole: an answer that is must reach the client as it is.
fn is_json(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    // Several documents, one a line say, are JSON too; several numbers are no document of anybody.
    let is_one = serde_json::from_str::<IgnoredAny>(text).is_ok();
    is_one || text.trim_start().starts_with('{') && documents.all(|document| document.is_ok())
}
