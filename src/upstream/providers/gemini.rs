//! Google's Gemini API: `generateContent` with the `google_search` tool. Pages are named by
//! redirects, and the supports count UTF-8 bytes.

use serde_json::{Value, json};

use crate::answer::{Answer, HIGHLIGHTS_MAX, PlaceBy, Source};
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::model_api::ModelApi;
use super::searches::SearchCount;
use super::source_list::{SourceList, source};
use super::token_usage::{count, sum};
use super::{json_path, model_place, searches, source_list};

const SHIPPED: Shipped = Shipped {
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    model: "gemini-3.8-flash",
    // Never `?key=`: that lands in logs.
    sign_in: SignIn::Header("x-goog-api-key"),
};

/// What grounding puts in the place of a page's address.
const REDIRECT: &str = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/";

/// Google's Gemini API.
pub(crate) struct Gemini {
    account: Account,
}

impl Gemini {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Gemini {
        Gemini { account: Account::new(settings, &SHIPPED) }
    }
}

impl ModelApi for Gemini {
    const MODELS: Option<&'static str> = Some("/models?pageSize=1000");
    const REDIRECTS: Option<&'static str> = Some(REDIRECT);

    fn account(&self) -> &Account {
        &self.account
    }

    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        model_place::check(&self.account, request, None)?;
        // Google lets nobody force a search: left to itself the model often answers from memory.
        let search = request.web_search.then(|| searches::SEARCH_FIRST.to_owned());
        let instruction: Vec<String> =
            search.into_iter().chain(model_place::sentences(request)).collect();
        let mut body = json!({
            "contents": [{"role": "user", "parts": [{"text": request.prompt}]}],
            "systemInstruction": {"parts": [{"text": instruction.join(" ")}]},
        });
        if request.web_search {
            // `toolConfig.retrievalConfig` takes a place, and is documented for Google Maps only.
            body["tools"] = json!([{"google_search": {}}]);
        }
        if let Some(most) = self.account.output_tokens_max {
            body["generationConfig"] = json!({"maxOutputTokens": most});
        }
        let model = self.account.model_for(request);
        let model = model.strip_prefix("models/").unwrap_or(model);
        Ok(self.account.post(&format!("/models/{model}:generateContent"), body))
    }

    fn step(&self, request: &ScrapeRequest, body: &Value) -> Result<Step, UpstreamError> {
        let candidate = self.candidate(request, body)?;
        let parts: Vec<&str> =
            json_path::list(&candidate["content"], "parts").iter().map(answer_text).collect();
        let markdown = parts.concat();
        if markdown.trim().is_empty() {
            return Err(self.account.empty());
        }
        let grounding = &candidate["groundingMetadata"];
        let queries = queries(grounding);
        let (sources, citations, is_cut) = pages(grounding, &parts);
        // Each query is a search, and what failed is not told.
        let calls = u32::try_from(queries.len()).unwrap_or(u32::MAX);
        let search = SearchCount { calls, failed: 0 }.told(request, !sources.is_empty());
        let cut = is_cut.then(|| {
            format!("Highlights of a page beyond the first {HIGHLIGHTS_MAX} were left out.")
        });
        Ok(Step::Done(Box::new(Answer {
            warnings: searches::warning(&search, "").into_iter().chain(cut).collect(),
            markdown,
            model: json_path::named(body, "modelVersion"),
            queries: Some(queries),
            sources: Some(sources.into_vec()),
            cited_is_untold: citations.is_none(),
            citations: Some(citations.map_or_else(Vec::new, SourceList::into_vec)),
            search: Some(search),
            place: Some(model_place::applied(request, PlaceBy::Instruction)),
            ..Answer::default()
        })))
    }

    fn used(body: &Value) -> UpstreamUsage {
        usage(body)
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
            reason @ ("SAFETY"
            | "RECITATION"
            | "PROHIBITED_CONTENT"
            | "BLOCKLIST"
            | "SPII"
            | "LANGUAGE"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR") => Err(self.account.refused(reason)),
            "OTHER"
            | "IMAGE_OTHER"
            | "NO_IMAGE"
            | "MISSING_THOUGHT_SIGNATURE"
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

/// Returns what an answer used. Google counts thoughts apart from the answer.
fn usage(body: &Value) -> UpstreamUsage {
    let usage = &body["usageMetadata"];
    let counts = |keys: [&str; 2]| sum(keys.map(|key| count(usage, &[key])));
    let grounding =
        &json_path::list(body, "candidates").first().map(|one| &one["groundingMetadata"]);
    let searches = grounding.map(|grounding| queries(grounding).len() as u64);
    UpstreamUsage {
        input_tokens: counts(["promptTokenCount", "toolUsePromptTokenCount"]),
        output_tokens: counts(["candidatesTokenCount", "thoughtsTokenCount"]),
        reasoning_tokens: count(usage, &["thoughtsTokenCount"]),
        searches: searches.filter(|searches| *searches > 0 || usage.is_object()),
        cost: None,
    }
}

/// Returns the searches for pages and for pictures.
fn queries(grounding: &Value) -> Vec<String> {
    let lists = ["webSearchQueries", "imageSearchQueries"];
    lists.iter().flat_map(|key| json_path::query_list(&grounding[key])).collect()
}

/// Returns the grounding chunks, and those of them that supports name, with the passages of the
/// answer that they support; `None` where chunks are there and no support names any: which of them
/// the answer rests on is not told then. The third is whether a page has more passages than are
/// kept.
fn pages(grounding: &Value, parts: &[&str]) -> (SourceList, Option<SourceList>, bool) {
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
    let is_told = sources.is_empty() || !citations.is_empty();
    (sources, is_told.then_some(citations), is_cut)
}

fn chunk(chunk: &Value) -> Option<Source> {
    const ADDRESSES: &[&str] = &["uri", "sourceUri"];
    let page = ["web", "maps", "retrievedContext", "image"]
        .iter()
        .map(|kind| &chunk[kind])
        .find(|page| !json_path::first_text(page, ADDRESSES).is_empty())?;
    // The title of a web chunk is the site's domain.
    let title = json_path::text(page, "title");
    let domain = json_path::first_text(page, &["domain", "title"]);
    let website_name = if domain.contains(' ') { String::new() } else { domain.to_owned() };
    Some(Source { website_name, ..source(json_path::first_text(page, ADDRESSES), title, "") })
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
    use crate::answer::Search;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::net::Method;
    use crate::upstream::provider::Provider;
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
             /models/gemini-3.8-flash:generateContent"
        );
        assert_eq!(secrets(&sent), [("x-goog-api-key", "key-of-tests")]);
        let body = sent.body.unwrap();
        assert_eq!(body["contents"][0]["parts"][0]["text"], request().prompt);
        assert_eq!(body["tools"], json!([{"google_search": {}}]));
        assert!(body["toolConfig"].is_null());
        let instruction = |body: &Value| body["systemInstruction"]["parts"][0]["text"].clone();
        assert_eq!(instruction(&body), "Search the web before you answer. The user is in Germany.");
        let quiet = ScrapeRequest { web_search: false, ..request() };
        let body = gemini().request(&quiet).unwrap().body.unwrap();
        assert!(body["tools"].is_null());
        assert_eq!(instruction(&body), "The user is in Germany.");
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
    fn chunks_without_supports_are_sources_that_may_be_cited() {
        for supports in [Value::Null, json!([]), json!([{"segment": {"text": "x"}}])] {
            let mut body = grounded();
            body["candidates"][0]["groundingMetadata"]["groundingSupports"] = supports;
            let answer = answer(&gemini(), &body);
            assert_eq!(answer.sources.unwrap().len(), 2);
            assert_eq!((answer.citations, answer.cited_is_untold), (Some(Vec::new()), true));
        }
    }

    #[test]
    fn no_search_is_legal_and_told() {
        for grounding in [json!({}), Value::Null] {
            let mut body = grounded();
            body["candidates"][0]["groundingMetadata"] = grounding;
            let answer = answer(&gemini(), &body);
            assert_eq!((answer.queries, answer.sources), (Some(Vec::new()), Some(Vec::new())));
            assert_eq!(answer.citations, Some(Vec::new()));
            let search = Search { asked: true, made: Some(false), calls: Some(0), failed: 0 };
            assert_eq!(answer.search, Some(search));
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
        assert_eq!(
            reason(json!({"promptFeedback": {"blockReason": "JAILBREAK"}})),
            Reason::Refused
        );
        for refused in ["SAFETY", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"] {
            assert_eq!(reason(ended(refused)), Reason::Refused, "{refused}");
        }
        for failed in ["IMAGE_OTHER", "NO_IMAGE"] {
            assert_eq!(reason(ended(failed)), Reason::UpstreamError, "{failed}");
        }
        assert_eq!(reason(ended("MAX_TOKENS")), Reason::Incomplete);
        assert_eq!(reason(ended("OTHER")), Reason::UpstreamError);
        assert_eq!(reason(ended("STOP")), Reason::Empty);
        assert_eq!(reason(json!({"candidates": [], "usageMetadata": {}})), Reason::Empty);
        assert_eq!(reason(json!({"hello": 1})), Reason::InvalidResponse);
        assert_eq!(reason(json!([1])), Reason::InvalidResponse);
    }

    #[test]
    fn pictures_are_found_on_pages_too() {
        let mut body = grounded();
        body["candidates"][0]["groundingMetadata"] = json!({
            "webSearchQueries": ["ruby"], "imageSearchQueries": ["ruby logo"],
            "groundingChunks": [{"image": {"sourceUri": "https://a.example/",
                "imageUri": "https://a.example/i.png", "title": "A", "domain": "a.example"}}]});
        body["usageMetadata"] = json!({"promptTokenCount": 10, "toolUsePromptTokenCount": 70,
            "candidatesTokenCount": 30, "thoughtsTokenCount": 109});
        let answer = answer(&gemini(), &body);
        assert_eq!(answer.queries.unwrap(), ["ruby", "ruby logo"]);
        assert_eq!(answer.sources.unwrap()[0].url, "https://a.example/");
        assert_eq!(answer.search.unwrap().calls, Some(2));
        let usage = answer.usage;
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(80), Some(139)));
        assert_eq!((usage.reasoning_tokens, usage.searches), (Some(109), Some(2)));
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
