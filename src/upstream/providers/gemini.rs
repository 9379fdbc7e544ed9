//! Google's Gemini API: `generateContent` with the `google_search` tool. Pages are named by
//! redirects, and the supports count UTF-8 bytes.

use serde_json::{Value, json};

use crate::answer::{Answer, HIGHLIGHTS_MAX, Kind, Source};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::source_list::{SourceList, source};
use super::{json_path, no_search_warning, source_list};

const SHIPPED: Shipped = Shipped {
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    model: "gemini-3.6-flash",
    // Never `?key=`: that lands in logs.
    sign_in: SignIn::Header("x-goog-api-key"),
};

/// What grounding puts in the place of a page's address.
const REDIRECT: &str = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/";

/// Google's Gemini API.
pub struct Gemini {
    account: Account,
}

impl Gemini {
    /// With the settings of its section.
    pub fn new(settings: &config::Upstream) -> Gemini {
        Gemini { account: Account::new(settings, &SHIPPED) }
    }
}

impl Provider for Gemini {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let mut body = json!({
            "contents": [{"role": "user", "parts": [{"text": request.prompt}]}],
            "systemInstruction": {"parts": [{"text": country::of(&request.country).hint()}]},
        });
        if request.web_search {
            // `toolConfig.retrievalConfig` takes a place, and is documented for Google Maps only.
            body["tools"] = json!([{"google_search": {}}]);
        }
        let model = self.account.model.strip_prefix("models/").unwrap_or(&self.account.model);
        Ok(self.account.post(&format!("/models/{model}:generateContent"), body))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let body = self.account.read(request, replies)?;
        let candidate = self.candidate(request, &body)?;
        let parts: Vec<&str> =
            json_path::list(&candidate["content"], "parts").iter().map(answer_text).collect();
        let markdown = parts.concat();
        if markdown.trim().is_empty() {
            return Err(self.account.empty());
        }
        let grounding = &candidate["groundingMetadata"];
        let queries = json_path::query_list(&grounding["webSearchQueries"]);
        let (sources, citations, is_cut) = pages(grounding, &parts);
        let searched = !queries.is_empty() || !sources.is_empty();
        let cut = is_cut.then(|| {
            format!("Highlights of a page beyond the first {HIGHLIGHTS_MAX} were left out.")
        });
        Ok(Step::Done(Box::new(Answer {
            warnings: no_search_warning(request, searched).into_iter().chain(cut).collect(),
            markdown,
            model: json_path::named(&body, "modelVersion"),
            queries: Some(queries),
            sources: Some(sources.into_vec()),
            citations: Some(citations.into_vec()),
            ..Answer::default()
        })))
    }

    fn resolve_prefix(&self) -> Option<&'static str> {
        Some(REDIRECT)
    }
}

impl Gemini {
    /// The one candidate, when it ended as an answer does.
    fn candidate<'a>(
        &self,
        request: &ScrapeRequest,
        body: &'a Value,
    ) -> Result<&'a Value, UpstreamError> {
        if !body["error"].is_null() {
            return Err(self.account.failure(request, &body["error"]));
        }
        let feedback = &body["promptFeedback"];
        if !json_path::text(feedback, "blockReason").is_empty() {
            return Err(self.account.refused(json_path::word(feedback, "blockReason")));
        }
        let Some(candidate) = json_path::list(body, "candidates").first() else {
            let ours = ["candidates", "promptFeedback", "usageMetadata", "modelVersion"];
            return Err(if ours.iter().any(|key| !body[key].is_null()) {
                self.account.empty()
            } else {
                self.account.invalid_response("answered with JSON that has no `candidates`")
            });
        };
        match json_path::text(candidate, "finishReason") {
            "MAX_TOKENS" => Err(self.account.incomplete("MAX_TOKENS")),
            reason @ ("SAFETY" | "RECITATION" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII"
            | "LANGUAGE" | "IMAGE_SAFETY" | "MODEL_ARMOR") => Err(self.account.refused(reason)),
            "OTHER"
            | "MALFORMED_FUNCTION_CALL"
            | "MALFORMED_RESPONSE"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS" => {
                let reason = json_path::text(candidate, "finishReason");
                Err(self.account.fail(request, Verdict::FAILED, reason))
            }
            // "STOP", older bodies' nothing, and what may come: the text decides.
            _ => Ok(candidate),
        }
    }
}

/// A part's text, when it belongs to the answer.
fn answer_text(part: &Value) -> &str {
    if part["thought"] == true { "" } else { json_path::text(part, "text") }
}

/// Returns the grounding chunks, and those of them that supports name, with the passages of the
/// answer that they support. Where no support names any, all chunks are what the answer rests on.
/// The third is whether a page has more passages than are kept.
fn pages(grounding: &Value, parts: &[&str]) -> (SourceList, SourceList, bool) {
    let mut is_cut = false;
    let mut sources = SourceList::default();
    let chunks: Vec<Option<Source>> =
        json_path::list(grounding, "groundingChunks").iter().map(chunk).collect();
    for page in chunks.iter().flatten() {
        sources.add(page.clone());
    }
    let mut citations = SourceList::default();
    for support in json_path::list(grounding, "groundingSupports") {
        let passage = passage(&support["segment"], parts);
        for index in json_path::list(support, "groundingChunkIndices") {
            let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
            if let Some(Some(page)) = index.and_then(|index| chunks.get(index)) {
                let passages = Some(passage.to_owned()).filter(|passage| !passage.is_empty());
                let place = citations.add(Source {
                    snippet: passage.to_owned(),
                    highlights: passages.iter().cloned().collect(),
                    ..page.clone()
                });
                let kept = place.and_then(|place| citations.get(place));
                is_cut |= kept
                    .zip(passages)
                    .is_some_and(|(page, passage)| !page.highlights.contains(&passage));
            }
        }
    }
    if citations.is_empty() {
        citations = sources.clone();
    }
    (sources, citations, is_cut)
}

fn chunk(chunk: &Value) -> Option<Source> {
    let page = ["web", "maps", "retrievedContext"]
        .iter()
        .map(|kind| &chunk[kind])
        .find(|page| !json_path::text(page, "uri").is_empty())?;
    // The title of a web chunk is the site's domain.
    let title = json_path::text(page, "title");
    let domain = json_path::first_text(page, &["domain", "title"]);
    let website_name = if domain.contains(' ') { String::new() } else { domain.to_owned() };
    Some(Source { website_name, ..source(json_path::text(page, "uri"), title, "") })
}

/// The answer's words that a support is about: as it quotes them, else by its bytes of the part.
fn passage<'a>(segment: &'a Value, parts: &[&'a str]) -> &'a str {
    let quoted = source_list::passage(json_path::text(segment, "text"));
    if !quoted.is_empty() {
        return quoted;
    }
    let number = |key: &str| segment[key].as_u64().unwrap_or(0);
    let part = usize::try_from(number("partIndex")).ok().and_then(|at| parts.get(at));
    part.and_then(|part| byte_slice(part, number("startIndex"), number("endIndex")))
        .map(source_list::passage)
        .unwrap_or_default()
}

/// The text at a range of bytes; `None` when it lies outside or splits a character.
fn byte_slice(text: &str, start: u64, end: u64) -> Option<&str> {
    text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::net::Method;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, request, secrets, settings,
    };

    fn gemini() -> Gemini {
        Gemini::new(&settings(UpstreamKind::Gemini))
    }

    fn grounded() -> Value {
        json!({"candidates": [{"content": {"role": "model", "parts": [
                {"text": "Let me think.", "thought": true},
                {"text": "Größe: 4.0.6. "}, {"text": "Neu seit Juli.", "thoughtSignature": "x"}]},
            "finishReason": "STOP", "index": 0, "groundingMetadata": {
                "webSearchQueries": ["ruby stable", "ruby 4"],
                "groundingChunks": [
                    {"web": {"uri": format!("{REDIRECT}AAA="), "title": "ruby.example"}},
                    {"web": null},
                    {"web": {"uri": format!("{REDIRECT}BBB="), "title": "wiki.example"}}],
                "groundingSupports": [
                    {"segment": {"partIndex": 1, "startIndex": 9, "endIndex": 14},
                     "groundingChunkIndices": [2, 7, -1, "x"]},
                    {"segment": {"endIndex": 14, "text": "Neu seit Juli."},
                     "groundingChunkIndices": [2, 1]}]}}],
            "modelVersion": "gemini-3.6-flash", "responseId": "r"})
    }

    #[test]
    fn the_place_goes_into_the_instruction() {
        let sent = gemini().request(&request()).unwrap();
        assert_eq!(sent.method, Method::Post);
        assert_eq!(
            sent.url,
            "https://generativelanguage.googleapis.com/v1beta\
             /models/gemini-3.6-flash:generateContent"
        );
        assert_eq!(secrets(&sent), [("x-goog-api-key", "key-of-tests")]);
        let body = sent.body.unwrap();
        assert_eq!(body["contents"][0]["parts"][0]["text"], request().prompt);
        assert_eq!(body["tools"], json!([{"google_search": {}}]));
        assert!(body["toolConfig"].is_null());
        assert_eq!(body["systemInstruction"]["parts"][0]["text"], "The user is in Germany.");
        let quiet = ScrapeRequest { web_search: false, ..request() };
        let body = gemini().request(&quiet).unwrap().body.unwrap();
        assert!(body["tools"].is_null());
    }

    #[test]
    fn offsets_are_bytes_of_a_part_and_thoughts_are_no_answer() {
        let answer = answer(&gemini(), &grounded());
        assert_eq!(answer.markdown, "Größe: 4.0.6. Neu seit Juli.");
        assert_eq!(answer.text, "");
        assert_eq!(answer.queries.unwrap(), ["ruby stable", "ruby 4"]);
        assert_eq!(answer.sources.unwrap().len(), 2);
        let citations = answer.citations.unwrap();
        assert_eq!(citations.len(), 1);
        assert_eq!(
            (citations[0].title.as_str(), citations[0].snippet.as_str()),
            ("wiki.example", "4.0.6")
        );
        assert_eq!(citations[0].highlights, ["4.0.6", "Neu seit Juli."]);
        assert!(citations[0].url.starts_with(gemini().resolve_prefix().unwrap()));
    }

    #[test]
    fn every_passage_of_a_page_is_a_highlight_once() {
        let mut body = grounded();
        let support = |text: &str, chunks: Value| json!({"segment": {"text": text}, "groundingChunkIndices": chunks});
        body["candidates"][0]["groundingMetadata"]["groundingSupports"] = json!([
            support("One.", json!([0, 2])),
            support("**", json!([0])),
            support("Two.", json!([0])),
            support("One.", json!([0])),
            support("* ", json!([2]))
        ]);
        let citations = answer(&gemini(), &body).citations.unwrap();
        assert_eq!(citations[0].snippet, "One.");
        assert_eq!(citations[0].highlights, ["One.", "Two."]);
        assert_eq!(citations[1].highlights, ["One."]);
    }

    #[test]
    fn passages_beyond_the_bound_are_left_out_with_a_warning() {
        let grounded_by = |passages: usize| {
            let mut body = grounded();
            let support = |at: usize| json!({"segment": {"text": format!("Passage {at}.")}, "groundingChunkIndices": [0]});
            // The last one is there twice: it is not left out.
            let supports: Vec<Value> = (0..passages).chain([passages - 1]).map(support).collect();
            body["candidates"][0]["groundingMetadata"]["groundingSupports"] = json!(supports);
            answer(&gemini(), &body)
        };
        let whole = grounded_by(HIGHLIGHTS_MAX);
        assert_eq!(whole.citations.unwrap()[0].highlights.len(), HIGHLIGHTS_MAX);
        assert_eq!(whole.warnings, Vec::<String>::new());
        let cut = grounded_by(HIGHLIGHTS_MAX + 1);
        assert_eq!(cut.citations.unwrap()[0].highlights.len(), HIGHLIGHTS_MAX);
        assert_eq!(cut.warnings, ["Highlights of a page beyond the first 20 were left out."]);
    }

    #[test]
    fn chunks_without_supports_are_sources_and_citations() {
        for supports in [Value::Null, json!([]), json!([{"segment": {"text": "x"}}])] {
            let mut body = grounded();
            body["candidates"][0]["groundingMetadata"]["groundingSupports"] = supports;
            let answer = answer(&gemini(), &body);
            let citations = answer.citations.unwrap();
            assert_eq!(citations.len(), 2);
            assert!(citations.iter().all(|page| page.snippet.is_empty()));
            assert_eq!(answer.sources.unwrap(), citations);
        }
    }

    #[test]
    fn no_search_is_legal_and_told() {
        for grounding in [json!({}), Value::Null] {
            let mut body = grounded();
            body["candidates"][0]["groundingMetadata"] = grounding;
            let answer = answer(&gemini(), &body);
            assert_eq!((answer.queries, answer.sources), (Some(Vec::new()), Some(Vec::new())));
            assert_eq!(answer.warnings, ["The engine made no search."]);
        }
    }

    #[test]
    fn a_200_can_be_a_failure() {
        let reason = |body: Value| failure(&gemini(), 200, &body).reason;
        assert_eq!(
            reason(json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})),
            Reason::Refused
        );
        let ended = |how: &str| {
            json!({"candidates": [{"content": {"role": "model"},
            "finishReason": how}]})
        };
        assert_eq!(reason(ended("SAFETY")), Reason::Refused);
        assert_eq!(reason(ended("MAX_TOKENS")), Reason::Incomplete);
        assert_eq!(reason(ended("OTHER")), Reason::UpstreamError);
        assert_eq!(reason(ended("STOP")), Reason::Empty);
        assert_eq!(reason(json!({"candidates": [], "usageMetadata": {}})), Reason::Empty);
        assert_eq!(reason(json!({"hello": 1})), Reason::InvalidResponse);
        assert_eq!(reason(json!([1])), Reason::InvalidResponse);
    }

    #[test]
    fn errors_are_told_apart() {
        let key = json!({"error": {"code": 400, "message": "API key not valid.",
            "status": "INVALID_ARGUMENT",
            "details": [{"reason": "API_KEY_INVALID"}]}});
        assert_eq!(failure(&gemini(), 400, &key).reason, Reason::Auth);
        let limited = json!({"error": {"code": 429, "message": "You exceeded your current quota.",
            "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "34.4s"}]}});
        let error = failure(&gemini(), 429, &limited);
        assert_eq!(
            (error.reason, error.retry_after_ms),
            (Reason::UpstreamRateLimited, Some(34_400))
        );
        let level = json!({"error": {"code": 400,
            "message": "Thinking level MINIMAL is not supported.", "status": "INVALID_ARGUMENT"}});
        assert_eq!(failure(&gemini(), 400, &level).reason, Reason::BadRequest);
        let busy = json!({"error": {"code": 503, "message": "The model is overloaded.",
            "status": "UNAVAILABLE"}});
        assert_eq!(failure(&gemini(), 503, &busy).reason, Reason::Overloaded);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&gemini(), &[grounded()]);
    }
}
