//! What the SERP vendors' JSON has in common: an answer as Markdown or blocks, the links it rests
//! on, further results, questions, and products.

use serde_json::Value;

use crate::answer::{Search, Source};
use crate::job::{Reason, ScrapeRequest};
use crate::upstream::UpstreamError;

use super::account::Account;
use super::error_body::Verdict;
use super::source_list::source;
use super::text_blocks::Numbers;
use super::{json_path, text_blocks};

/// How the vendors say that an engine had nothing to say.
const NOTHING: &[&str] = &["any results", "no results", "not found any"];

/// Returns the answer's Markdown. `references` is where the body lists the pages that its blocks
/// name.
///
/// # Errors
/// Returns an error if the search failed though the status is 200, or there is no text.
pub(crate) fn markdown(
    account: &Account,
    request: &ScrapeRequest,
    body: &Value,
    references: &str,
) -> Result<String, UpstreamError> {
    let status = json_path::text(&body["search_metadata"], "status");
    if status == "Error" {
        return Err(account.failure(request, body));
    }
    let markdown = written(body, references);
    if !markdown.is_empty() {
        return Ok(markdown);
    }
    let error = json_path::text(body, "error");
    Err(if !error.is_empty() && !says_no_results(error) {
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

/// Returns whether a vendor's error is that the engine had nothing to say.
pub(crate) fn says_no_results(error: &str) -> bool {
    let error = error.to_lowercase();
    NOTHING.iter().any(|phrase| error.contains(phrase))
}

/// Returns an answer's text as Markdown, which is made of its blocks where there is none; empty if
/// it says nothing.
pub(crate) fn written(answer: &Value, references: &str) -> String {
    let own = json_path::first_text(answer, &["markdown", "reconstructed_markdown"]);
    if !own.is_empty() {
        return without_new_tabs(own);
    }
    let numbers = Numbers::of(json_path::list(answer, references));
    let blocks = text_blocks::markdown(json_path::list(answer, "text_blocks"), &numbers);
    let parts = [json_path::text(answer, "header").trim(), blocks.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Returns the references that an answer's blocks name, in that order; all of them where its blocks
/// name none.
pub(crate) fn cited(answer: &Value, references: &str) -> Vec<Source> {
    let pages = pages(answer, references);
    let numbers = Numbers::of(json_path::list(answer, references));
    let named = numbers.cited(json_path::list(answer, "text_blocks"));
    if named.is_empty() {
        return pages;
    }
    named.into_iter().filter_map(|number| pages.get(number - 1).cloned()).collect()
}

/// Returns the pages of the list under `key`, all of them and in its order: marks in the text count
/// them, those that come again or have no address included.
pub(crate) fn pages(body: &Value, key: &str) -> Vec<Source> {
    json_path::list(body, key).iter().map(read_page).collect()
}

/// Returns a warning for each page that has no address: no list of the result can hold it.
pub(crate) fn left_out(pages: &[Source]) -> Vec<String> {
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

/// Returns a page as any of the vendors writes one.
pub(crate) fn read_page(page: &Value) -> Source {
    let url = json_path::first_text(page, &["link", "url"]);
    let title = json_path::first_text(page, &["title", "label", "name"]);
    let snippet = json_path::first_text(page, &["snippet", "text", "description", "preview"]);
    let site = ["source_name", "source", "website_name", "site_name", "attribution", "domain"];
    let date = ["date", "publication_date", "datePublished", "published_date"];
    Source {
        website_name: json_path::first_text(page, &site).to_owned(),
        favicon: json_path::named(page, "favicon"),
        highlights: json_path::texts(page, "highlights"),
        date: json_path::first_text(page, &date).trim().to_owned(),
        ..source(url, without_new_tab(title), snippet)
    }
}

/// Returns a label without the note for screen readers that a page puts behind its links.
pub(crate) fn without_new_tab(label: &str) -> &str {
    const NOTE: &str = ". opens in new tab";
    let label = label.trim();
    let bare = label.strip_suffix('.').unwrap_or(label);
    let split = bare.len().checked_sub(NOTE.len()).and_then(|at| bare.split_at_checked(at));
    match split {
        Some((kept, note)) if note.eq_ignore_ascii_case(NOTE) => kept.trim_end(),
        Some(_) | None => label,
    }
}

/// Returns Markdown without that note at the end of the labels of its links.
pub(crate) fn without_new_tabs(markdown: &str) -> String {
    markdown.replace(". Opens in new tab.](", "](").replace(". Opens in new tab](", "](")
}

/// Returns the queries under the first of `keys` that has a list, without those that only repeat
/// the prompt; `None` where there is no such list.
pub(crate) fn queries(body: &Value, keys: &[&str], prompt: &str) -> Option<Vec<String>> {
    let listed = keys.iter().map(|key| &body[*key]).find(|listed| listed.is_array())?;
    let asks_more = |query: &String| query.to_lowercase() != prompt.trim().to_lowercase();
    Some(json_path::query_list(listed).into_iter().filter(asks_more).collect())
}

/// Returns what is known of the searches from the queries that a vendor read: that there are some
/// says that a search was made, and that there are none says nothing.
pub(crate) fn search(request: &ScrapeRequest, queries: Option<&[String]>) -> Option<Search> {
    let made = queries.is_some_and(|queries| !queries.is_empty()).then_some(true);
    Some(Search { asked: request.web_search, made, ..Search::default() })
}

/// Returns the questions under `related_questions`, which are strings or objects.
pub(crate) fn related_questions(body: &Value) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn note_for_screen_readers_is_cut() {
        for (label, kept) in [
            ("Ruby. Opens in new tab.", "Ruby"),
            (" Ruby 4.0. opens in new tab ", "Ruby 4.0"),
            ("Opens in new tab.", "Opens in new tab."),
            ("é. Opens in new tab.", "é"),
            ("How a link opens in new tab", "How a link opens in new tab"),
            ("", ""),
        ] {
            assert_eq!(without_new_tab(label), kept, "{label:?}");
        }
        let markdown = "See [Ruby. Opens in new tab.](https://a.example/). Opens in new tab.";
        assert_eq!(without_new_tabs(markdown), "See [Ruby](https://a.example/). Opens in new tab.");
    }

    #[test]
    fn queries_that_repeat_the_prompt_are_dropped() {
        let body =
            json!({"a": null, "b": ["Which Ruby? ", "ruby stable", {"query": "which ruby?"}]});
        assert_eq!(
            queries(&body, &["a", "b"], "Which Ruby?"),
            Some(vec!["ruby stable".to_owned()])
        );
        assert_eq!(queries(&body, &["a", "c"], "Which Ruby?"), None);
        let none = json!({"b": []});
        assert_eq!(queries(&none, &["b"], ""), Some(Vec::new()));
    }
}
