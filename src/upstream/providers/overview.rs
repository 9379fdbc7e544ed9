//! Google's AI Overview as vendors read it off a page of results. Google puts it on the page, or
//! the vendor has to fetch it with a token that lives for a minute. Most pages have none, and that
//! is an answer too.

use serde_json::Value;

use crate::answer::{Answer, Search};
use crate::job::{Reason, ScrapeRequest};
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::Account;
use super::error_body::{ProviderError, Verdict};
use super::place::{self, Fields};
use super::{json_path, json_text, serp_page};

/// The engine's word in `model`.
pub(crate) const ENGINE: &str = "google_ai_overview";
/// The longest search query, characters: what Google's own field takes.
pub(crate) const QUERY_CHARS_MAX: usize = 2_048;
/// How Google says on its page that it has no overview.
const NONE: &[&str] = &["an ai overview is not available", "can't generate an ai overview"];

/// The names of the fields in a vendor's JSON.
pub(crate) struct Names {
    /// The list of the pages that the overview rests on.
    pub references: &'static str,
}

/// What a page of results has of the overview.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found<'a> {
    Absent,
    /// It has to be fetched with this token.
    Token(&'a str),
    Whole,
}

/// Reads the replies of the two requests: a page of results, then the overview where it has to be
/// fetched. `page` and `overview` make these. A token that has expired brings one more of each.
///
/// # Errors
/// Returns an error if the vendor says that something went wrong, or if there is no text though
/// there should be one.
pub(crate) fn step(
    account: &Account,
    request: &ScrapeRequest,
    replies: &[HttpReply],
    names: &Names,
    page: impl FnOnce() -> HttpRequest,
    overview: impl FnOnce(&str) -> HttpRequest,
) -> Result<Step, UpstreamError> {
    let is_page = replies.len() % 2 == 1;
    if is_page {
        let body = account.read(request, replies)?;
        if !body.is_object() {
            return Err(account.invalid_response("answered with JSON of another shape"));
        }
        check_status(account, request, &body)?;
        return Ok(match found(&body["ai_overview"], names) {
            Found::Absent => done(absent(request, &body)),
            // An address may be shown; the key may not.
            Found::Token(token) if account.holds_key(token) => {
                return Err(account.invalid_response("sent our key back"));
            }
            Found::Token(token) => Step::Round(overview(token)),
            Found::Whole => done(answer(request, &body, &body["ai_overview"], names)),
        });
    }
    if let Some(message) = replies.last().and_then(expired) {
        if replies.len() > 2 {
            let verdict = Verdict::new(Reason::UpstreamError, "let its token expire");
            return Err(account.fail(request, verdict, &message));
        }
        return Ok(Step::Round(page()));
    }
    let body = account.read(request, replies)?;
    let before = replies.len().checked_sub(2).and_then(|at| replies.get(at));
    let page = before.and_then(|reply| json_text::parse(&reply.body)).unwrap_or_default();
    let fetched = if body["ai_overview"].is_object() { &body["ai_overview"] } else { &body };
    if says_none(fetched) {
        return Ok(done(absent(request, &page)));
    }
    match found(fetched, names) {
        Found::Whole => Ok(done(answer(request, &page, fetched, names))),
        Found::Absent | Found::Token(_) => {
            check_status(account, request, &body)?;
            Err(account.empty())
        }
    }
}

fn done(answer: Answer) -> Step {
    Step::Done(Box::new(answer))
}

fn check_status(
    account: &Account,
    request: &ScrapeRequest,
    body: &Value,
) -> Result<(), UpstreamError> {
    let status = json_path::text(&body["search_metadata"], "status");
    let has_results = !json_path::list(body, "organic_results").is_empty();
    let error = json_path::text(body, "error");
    let failed = status == "Error" || !error.is_empty() && !has_results;
    if failed && !serp_page::says_no_results(error) {
        return Err(account.failure(request, body));
    }
    Ok(())
}

fn found<'a>(overview: &'a Value, names: &Names) -> Found<'a> {
    if says_none(overview) {
        return Found::Absent;
    }
    if !serp_page::written(overview, names.references).is_empty() {
        return Found::Whole;
    }
    match json_path::text(overview, "page_token") {
        "" => Found::Absent,
        token => Found::Token(token),
    }
}

/// Whether the overview is Google's note that there is none.
fn says_none(overview: &Value) -> bool {
    let first =
        &json_path::list(overview, "text_blocks").first().unwrap_or(&Value::Null)["snippet"];
    let notes = [json_path::text(overview, "error"), json_path::text(overview, "markdown")];
    let notes = notes.into_iter().chain(first.as_str());
    notes.map(str::to_lowercase).any(|note| NONE.iter().any(|none| note.trim().starts_with(none)))
}

/// Returns what a vendor says of a token that has expired; `None` if the reply is not that.
fn expired(reply: &HttpReply) -> Option<String> {
    let error = ProviderError::read(&json_text::parse(&reply.body)?["error"]);
    let message = error.message.to_lowercase();
    (message.contains("token") || message.contains("expired")).then_some(error.message)
}

/// Returns what a page without an overview says.
pub(crate) fn absent(request: &ScrapeRequest, page: &Value) -> Answer {
    Answer {
        present: Some(false),
        sources: Some(serp_page::pages(page, "organic_results")),
        citations: Some(Vec::new()),
        related_questions: Some(serp_page::related_questions(page)),
        ..common(request)
    }
}

fn answer(request: &ScrapeRequest, page: &Value, overview: &Value, names: &Names) -> Answer {
    let references = serp_page::pages(overview, names.references);
    let organic = serp_page::pages(page, "organic_results");
    Answer {
        markdown: serp_page::written(overview, names.references),
        warnings: serp_page::left_out(&references),
        sources: Some(references.into_iter().chain(organic).collect()),
        citations: Some(serp_page::cited(overview, names.references)),
        related_questions: Some(serp_page::related_questions(page)),
        present: Some(true),
        ..common(request)
    }
}

/// Returns what holds of every overview: it is part of a search.
pub(crate) fn common(request: &ScrapeRequest) -> Answer {
    Answer {
        search: Some(Search { asked: request.web_search, ..Search::default() }),
        place: place::applied(request, Fields::GOOGLE),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::providers::test_support::{account, ok, reply, request};

    const NAMES: Names = Names { references: "references" };

    fn to(path: &str) -> HttpRequest {
        account().get(path)
    }

    fn read(replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let overview = |token: &str| to(&format!("/overview/{token}"));
        step(&account(), &request(), replies, &NAMES, || to("/page"), overview)
    }

    fn answered(replies: &[HttpReply]) -> Answer {
        match read(replies) {
            Ok(Step::Done(answer)) => *answer,
            other => panic!("no answer: {other:?}"),
        }
    }

    fn page(overview: &Value) -> Value {
        json!({"search_metadata": {"status": "Success"}, "ai_overview": overview,
            "organic_results": [{"title": "B", "link": "https://b.example/"}],
            "related_questions": [{"question": "Why?"}]})
    }

    fn overview() -> Value {
        json!({"text_blocks": [{"type": "paragraph", "snippet": "Ruby is red.",
                "reference_indexes": [1]}],
            "references": [{"index": 0, "link": "https://z.example/"},
                {"index": 1, "link": "https://a.example/"}]})
    }

    #[test]
    fn overview_is_read_where_it_is_or_fetched_with_its_token() {
        let on_page = answered(&[ok(&page(&overview()))]);
        assert_eq!((on_page.markdown.as_str(), on_page.present), ("Ruby is red.[2]", Some(true)));
        let urls = |pages: Option<Vec<crate::answer::Source>>| -> Vec<String> {
            pages.unwrap().into_iter().map(|page| page.url).collect()
        };
        assert_eq!(urls(on_page.citations.clone()), ["https://a.example/"]);
        assert_eq!(
            urls(on_page.sources.clone()),
            ["https://z.example/", "https://a.example/", "https://b.example/"]
        );
        assert_eq!(on_page.related_questions.as_deref(), Some(&["Why?".to_owned()][..]));

        let first = ok(&page(&json!({"page_token": "t1"})));
        let next = read(std::slice::from_ref(&first)).unwrap();
        assert_eq!(next, Step::Round(to("/overview/t1")));
        let fetched = answered(&[first, ok(&json!({"ai_overview": overview()}))]);
        assert_eq!(fetched, on_page);
    }

    #[test]
    fn page_without_an_overview_is_an_answer() {
        let nothing = [
            json!(null),
            json!({"error": "An AI Overview is not available for this search"}),
            json!({"text_blocks": [{"type": "paragraph",
                "snippet": "Can't generate an AI overview right now. Try again later."}]}),
        ];
        for overview in &nothing {
            let answer = answered(&[ok(&page(overview))]);
            assert_eq!((answer.markdown.as_str(), answer.present), ("", Some(false)), "{overview}");
            assert_eq!(answer.sources.unwrap()[0].url, "https://b.example/");
            assert_eq!(answer.citations, Some(Vec::new()));
            let first = ok(&page(&json!({"page_token": "t1"})));
            if overview.is_object() {
                assert_eq!(answered(&[first, ok(overview)]).present, Some(false));
            }
        }
    }

    #[test]
    fn token_that_has_expired_brings_one_fresh_page() {
        let first = ok(&page(&json!({"page_token": "t1"})));
        for expired in [
            reply(400, &[], &json!({"error": "The `page_token` has expired."})),
            ok(&json!({"error": "Invalid page token."})),
        ] {
            let replies = [first.clone(), expired.clone()];
            assert_eq!(read(&replies).unwrap(), Step::Round(to("/page")));
            let replies = [first.clone(), expired.clone(), first.clone()];
            assert_eq!(read(&replies).unwrap(), Step::Round(to("/overview/t1")));
            let replies = [first.clone(), expired.clone(), first.clone(), expired];
            assert_eq!(read(&replies).unwrap_err().reason, Reason::UpstreamError);
        }
    }

    #[test]
    fn failures_are_no_absence() {
        let reason = |body: &Value| read(&[ok(body)]).unwrap_err().reason;
        assert_eq!(reason(&json!({"error": "We broke."})), Reason::UpstreamError);
        assert_eq!(reason(&json!(7)), Reason::InvalidResponse);
        let first = ok(&page(&json!({"page_token": "t1"})));
        assert_eq!(read(&[first, ok(&json!({}))]).unwrap_err().reason, Reason::Empty);
        let none = json!({"error": "Google hasn't returned any results for this query."});
        assert_eq!(answered(&[ok(&none)]).present, Some(false));
    }
}
