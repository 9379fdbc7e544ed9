//! What the SERP vendors' JSON has in common: an answer as Markdown or blocks, the links it rests
//! on, further results, questions, and products.

use serde_json::Value;

use crate::answer::{Product, Source};
use crate::job::{Reason, ScrapeRequest};
use crate::upstream::UpstreamError;

use super::account::Account;
use super::error_body::Verdict;
use super::source_list::source;
use super::{json_path, text_blocks};

/// Under which names the vendors list products.
const SHOPPING: &[&str] =
    &["shopping_results", "inline_shopping_results", "inline_shopping", "shopping_ads", "products"];
/// How the vendors say that an engine had nothing to say.
const NOTHING: &[&str] = &["any results", "no results", "not found any"];

/// The answer's Markdown.
///
/// # Errors
/// The search failed though the status is 200, or there is no text.
pub fn markdown(
    account: &Account,
    request: &ScrapeRequest,
    body: &Value,
) -> Result<String, UpstreamError> {
    let status = json_path::text(&body["search_metadata"], "status");
    if status == "Error" {
        return Err(account.failure(request, body));
    }
    let mut markdown =
        json_path::first_text(body, &["markdown", "reconstructed_markdown"]).to_owned();
    if markdown.is_empty() {
        let heading = json_path::text(body, "header").trim();
        let blocks = text_blocks::markdown(json_path::list(body, "text_blocks"));
        let parts = [heading, blocks.as_str()];
        markdown =
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    }
    if !markdown.trim().is_empty() {
        return Ok(markdown);
    }
    let error = json_path::text(body, "error").to_lowercase();
    Err(if !error.is_empty() && !NOTHING.iter().any(|phrase| error.contains(phrase)) {
        account.failure(request, body)
    } else if matches!(status, "Queued" | "Processing") {
        let verdict = Verdict::new(Reason::UpstreamError, "has not ended its search");
        account.fail(request, verdict, "")
    } else if body.is_object() {
        account.empty()
    } else {
        account.invalid_response("answered with JSON of another shape")
    })
}

/// Returns the pages of the list under `key`, all of them and in its order: marks in the text count
/// them, those that come again or have no address included.
pub fn pages(body: &Value, key: &str) -> Vec<Source> {
    json_path::list(body, key).iter().map(read_page).collect()
}

/// Returns a warning for each page that has no address: no list of the result can hold it.
pub fn left_out(pages: &[Source]) -> Vec<String> {
    let left_out = pages.iter().filter(|page| page.url.is_empty());
    let name = |page: &Source| {
        let names = [&page.title, &page.website_name, &page.snippet];
        names.into_iter().find(|name| !name.is_empty()).cloned()
    };
    left_out
        .filter_map(name)
        .map(|name| format!("A reference without an address was left out: {name}"))
        .collect()
}

/// A page as any of the vendors writes one.
pub fn read_page(page: &Value) -> Source {
    let url = json_path::first_text(page, &["link", "url"]);
    let snippet = json_path::first_text(page, &["snippet", "text", "description"]);
    Source {
        website_name: json_path::first_text(page, &["source_name", "source", "domain"]).to_owned(),
        favicon: json_path::named(page, "favicon"),
        ..source(url, json_path::text(page, "title"), snippet)
    }
}

/// The products that the body lists.
pub fn products(body: &Value) -> Vec<Product> {
    let listed = SHOPPING.iter().flat_map(|key| json_path::list(body, key));
    listed.map(read_product).filter(|product| !product.title.is_empty()).collect()
}

/// A product as any of the vendors writes one.
pub fn read_product(product: &Value) -> Product {
    let rating = &product["rating"];
    let of = |value: &Value, keys: &[&str]| {
        keys.iter().map(|key| json_path::scalar(&value[key])).find(|text| !text.is_empty())
    };
    Product {
        asin: json_path::text(product, "asin").to_owned(),
        title: json_path::text(product, "title").trim().to_owned(),
        url: json_path::first_text(product, &["product_link", "link", "url"]).to_owned(),
        rating: of(product, &["rating"]).or(of(rating, &["value"])).unwrap_or_default(),
        reviews: of(product, &["reviews", "reviews_count"])
            .or(of(rating, &["votes_count"]))
            .unwrap_or_default(),
        ..Product::default()
    }
}

/// The questions under `related_questions`, which are strings or objects.
pub fn related_questions(body: &Value) -> Vec<String> {
    json_path::list(body, "related_questions")
        .iter()
        .map(|question| {
            question
                .as_str()
                .unwrap_or_else(|| json_path::first_text(question, &["question", "title"]))
        })
        .map(|question| question.trim().to_owned())
        .filter(|question| !question.is_empty())
        .collect()
}
