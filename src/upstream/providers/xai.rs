//! xAI's Responses API with `web_search` and `x_search`: OpenAI's shape in two generations, with
//! posts on X among the pages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answer::{Answer, PlaceBy, Source, numbered_links};
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::{Account, Shipped, SignIn};
use super::model_api::ModelApi;
use super::source_list::SourceList;
use super::{model_place, responses, searches};

const SHIPPED: Shipped =
    Shipped { base_url: "https://api.x.ai/v1", model: "grok-4.6", sign_in: SignIn::Bearer };

/// xAI.
pub(crate) struct Xai {
    account: Account,
}

impl Xai {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Xai {
        Xai { account: Account::new(settings, &SHIPPED) }
    }
}

impl ModelApi for Xai {
    fn account(&self) -> &Account {
        &self.account
    }

    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        model_place::check(&self.account, request, None)?;
        let mut body = json!({
            "model": self.account.model_for(request),
            // The tools' own field for the place is not settled, and unknown fields are refused.
            "input": [
                {"role": "system", "content": model_place::sentences(request).join(" ")},
                {"role": "user", "content": request.prompt},
            ],
            "store": false,
            "stream": false,
        });
        if request.web_search {
            body["tools"] = json!([{"type": "web_search"}, {"type": "x_search"}]);
            if self.account.force_search == Some(true) {
                body["tool_choice"] = json!("required");
            }
        }
        if let Some(most) = self.account.output_tokens_max {
            body["max_output_tokens"] = json!(most);
        }
        Ok(self.account.post("/responses", body))
    }

    fn step(&self, request: &ScrapeRequest, body: &Value) -> Result<Step, UpstreamError> {
        if let Some(id) = responses::pending(&self.account, request, body)? {
            return Ok(Step::Begun(id));
        }
        let reading = responses::read(&self.account, body)?;
        let search = reading.searches.told(request, reading.has_found());
        let sources = numbered_first(&reading.markdown, reading.sources);
        Ok(Step::Done(Box::new(Answer {
            warnings: searches::warning(&search, "").into_iter().collect(),
            markdown: reading.markdown,
            model: reading.model,
            queries: Some(reading.queries),
            sources: Some(sources),
            citations: Some(reading.cited.into_vec()),
            // Posts are among the sources: a scraper without a list of posts would lose them here.
            x_results: Some(Vec::new()),
            search: Some(search),
            place: Some(model_place::applied(request, PlaceBy::Instruction)),
            ..Answer::default()
        })))
    }

    fn used(body: &Value) -> UpstreamUsage {
        responses::usage(body)
    }

    fn look(&self, task: &str) -> Option<HttpRequest> {
        Some(responses::look_at(&self.account, task))
    }
}

/// The pages with those first that the text numbers, as in `[[1]](https://…)`, so that mark `n`
/// names the `n`-th; in their own order when the numbers have gaps or repeat a page.
fn numbered_first(markdown: &str, pages: SourceList) -> Vec<Source> {
    let mut numbered = BTreeMap::new();
    for (number, url) in numbered_links(markdown) {
        if let Some(place) = pages.place(&url) {
            numbered.entry(number).or_insert(place);
        }
    }
    let mut first: Vec<usize> = numbered.values().copied().collect();
    let gapless = numbered.keys().copied().eq(1..=first.len());
    first.sort_unstable();
    first.dedup();
    let mut rest: Vec<Option<Source>> = pages.into_vec().into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(rest.len());
    if gapless && first.len() == numbered.len() {
        for place in numbered.into_values() {
            ordered.extend(rest.get_mut(place).and_then(Option::take));
        }
    }
    ordered.extend(rest.into_iter().flatten());
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::provider::Provider;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, request, secrets, settings,
    };

    fn xai() -> Xai {
        Xai::new(&settings(UpstreamKind::Xai))
    }

    fn newer() -> Value {
        let text = "It is 4.0.6.[[1]](https://b.example/)[[2]](https://a.example/) So they say.";
        json!({"id": "r", "model": "grok-4.5", "status": "completed", "output": [
            {"type": "web_search_call", "status": "completed", "action": {"type": "search",
                "query": "ruby", "sources": [{"type": "url", "url": "https://a.example/"},
                {"type": "url", "url": "https://b.example/"}, {"url": "https://c.example/"}]}},
            {"type": "custom_tool_call", "name": "x_keyword_search",
                "input": "{\"query\":\"ruby from:x\"}"},
            {"type": "x_search_call", "action": {"query": "ruby"}, "results": [
                {"url": "https://x.com/i/status/1", "title": "A post"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text",
                "text": text,
                "annotations": [
                {"type": "url_citation", "url": "https://b.example/", "title": "1",
                    "start_index": 12, "end_index": 37},
                {"type": "url_citation", "url": "https://a.example/", "title": "2",
                    "start_index": 37, "end_index": 62}]}]}]})
    }

    fn older() -> Value {
        json!({"id": "r", "model": "grok-4-fast", "status": "completed", "output": [
            {"type": "web_search_call", "name": "web_search",
                "arguments": "{\"query\":\"what is xAI\"}"},
            {"type": "x_search_call", "name": "x_semantic_search",
                "arguments": "{\"query\":\"AI\"}"},
            {"type": "message", "content": [{"type": "output_text", "text": "A company.",
                "annotations": [{"type": "url_citation", "url": "https://x.ai/company"},
                {"type": "url_citation", "url": "https://x.com/i/status/19"}]}]}]})
    }

    #[test]
    fn both_searches_are_offered_and_the_place_is_told() {
        let sent =
            xai().request(&ScrapeRequest { mode: Some("fun".to_owned()), ..request() }).unwrap();
        assert_eq!(sent.url, "https://api.x.ai/v1/responses");
        assert_eq!(secrets(&sent), [("authorization", "Bearer key-of-tests")]);
        let body = sent.body.unwrap();
        assert_eq!(body["input"][0]["content"], "The user is in Germany.");
        assert_eq!(body["input"][1]["content"], request().prompt);
        assert_eq!(body["tools"], json!([{"type": "web_search"}, {"type": "x_search"}]));
        let quiet = ScrapeRequest { web_search: false, ..request() };
        assert!(xai().request(&quiet).unwrap().body.unwrap()["tools"].is_null());
    }

    #[test]
    fn the_newer_shape_numbers_its_citations() {
        let answer = answer(&xai(), &newer());
        assert_eq!(answer.queries.unwrap(), ["ruby", "ruby from:x", "ruby"]);
        let urls: Vec<String> = answer.sources.unwrap().into_iter().map(|page| page.url).collect();
        assert_eq!(
            urls,
            [
                "https://b.example/",
                "https://a.example/",
                "https://c.example/",
                "https://x.com/i/status/1"
            ]
        );
        assert_eq!(answer.x_results, Some(Vec::new()));
        assert_eq!(answer.citations.unwrap().len(), 2);
        assert!(answer.markdown.contains("[[1]](https://b.example/)"));
    }

    #[test]
    fn the_older_shape_has_addresses_only() {
        let answer = answer(&xai(), &older());
        assert_eq!(answer.queries.unwrap(), ["what is xAI", "AI"]);
        let urls: Vec<String> = answer.sources.unwrap().into_iter().map(|page| page.url).collect();
        assert_eq!(urls, ["https://x.ai/company", "https://x.com/i/status/19"]);
        assert_eq!(answer.citations.unwrap().len(), 2);
    }

    #[test]
    fn failures_are_told_apart() {
        let key = json!({"code": "invalid-argument",
            "error": "Incorrect API key provided. You can obtain one."});
        let error = failure(&xai(), 400, &key);
        assert_eq!(error.reason, Reason::Auth);
        assert!(error.sentence.contains("`api_key_env` of [upstreams.test]"));
        let unknown = json!({"code": "invalid-argument", "error": "Unknown field `fun`."});
        assert_eq!(failure(&xai(), 400, &unknown).reason, Reason::BadRequest);
        let spent = json!({"code": "x",
            "error": "Your team has used all available credits or reached its spending limit."});
        assert_eq!(failure(&xai(), 429, &spent).reason, Reason::Quota);
        let policy =
            json!({"code": "permission-denied", "error": "Content violates usage guidelines."});
        assert_eq!(failure(&xai(), 403, &policy).reason, Reason::Refused);
        let nothing = json!({"id": "r", "model": "grok-4.6", "output": [], "status": "completed"});
        assert_eq!(failure(&xai(), 200, &nothing).reason, Reason::Empty);
    }

    #[test]
    fn no_search_is_told() {
        let mut body = newer();
        body["output"] = json!([{"type": "message", "content": "Four."}]);
        let answer = answer(&xai(), &body);
        assert_eq!((answer.sources, answer.x_results), (Some(Vec::new()), Some(Vec::new())));
        assert_eq!(answer.warnings, ["The engine made no search."]);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&xai(), &[newer(), older()]);
    }
}
