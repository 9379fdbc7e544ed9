//! An answer: what an upstream returns, in one shape for all of them; and the result, that answer
//! rendered into the scraper's JSON. Pure functions over text.

mod arrays;
mod citations;
mod links;
mod markdown;
mod normalize;
pub mod object;
mod plain;
mod result;
mod tags;
mod thoughts;
mod tree;

use serde::de::IgnoredAny;

pub use citations::{Place, cited_numbers, numbered_links, renumbered};
pub use links::{clean_url, domain, is_too_long};
pub use normalize::HIGHLIGHTS_MAX;
pub use result::{ResultFacts, as_cached, filled_arrays, render};
pub use tree::token_tree;

/// Where an answer was had: the word in `provenance.kind` (contract part 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Api,
    Browser,
    Serp,
    Practice,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Api => "api",
            Kind::Browser => "browser",
            Kind::Serp => "serp",
            Kind::Practice => "practice",
        }
    }
}

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
}

/// What an upstream returned. A list is `None` when the upstream cannot give it at all
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
    /// Links beside those in `markdown`.
    pub links: Vec<Link>,
    /// Posts on X that were found.
    pub x_results: Option<Vec<Source>>,
    pub related_questions: Option<Vec<String>>,
    pub products: Option<Vec<Product>>,
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
