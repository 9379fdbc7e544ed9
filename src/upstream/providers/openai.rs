//! OpenAI's Responses API with its `web_search` tool, and services that speak it at another
//! address: Azure (with `auth_header = "api-key"`), Meta, OpenRouter and other gateways. What these
//! do not take is switched off by `force_search` and `include_sources`.

use serde_json::{Value, json};

use crate::answer::{Answer, PlaceBy};
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::{Account, Shipped, SignIn};
use super::model_api::ModelApi;
use super::model_place::Part;
use super::{model_place, responses, searches};

const SHIPPED: Shipped =
    Shipped { base_url: "https://api.openai.com/v1", model: "gpt-6-luna", sign_in: SignIn::Bearer };
/// What `user_location` has a field for.
const PLACE_FIELDS: &[Part] = &[Part::City, Part::Region, Part::Timezone];

/// OpenAI, or a service with its Responses API.
pub(crate) struct Openai {
    account: Account,
    /// Whether all pages that were consulted are asked for.
    include_sources: bool,
}

impl Openai {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Openai {
        Openai {
            account: Account::new(settings, &SHIPPED),
            include_sources: settings.include_sources,
        }
    }
}

impl ModelApi for Openai {
    fn account(&self) -> &Account {
        &self.account
    }

    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let fields = request.web_search.then_some(PLACE_FIELDS);
        model_place::check(&self.account, request, fields)?;
        let mut body = json!({
            "model": self.account.model_for(request),
            "input": [{"role": "user", "content": request.prompt}],
            "store": false,
            "stream": false,
        });
        let instructions = if request.web_search {
            self.offer_search(request, &mut body)
        } else {
            model_place::sentences(request)
        };
        if !instructions.is_empty() {
            body["instructions"] = json!(instructions.join(" "));
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
        let by = if request.web_search { PlaceBy::Field } else { PlaceBy::Instruction };
        Ok(Step::Done(Box::new(Answer {
            warnings: searches::warning(&search, "").into_iter().collect(),
            markdown: reading.markdown,
            model: reading.model,
            queries: Some(reading.queries),
            sources: Some(reading.sources.into_vec()),
            citations: Some(reading.cited.into_vec()),
            search: Some(search),
            place: Some(model_place::applied(request, by)),
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

impl Openai {
    /// Offers the search tool in a request, and returns what is left to say in words.
    fn offer_search(&self, request: &ScrapeRequest, body: &mut Value) -> Vec<String> {
        let mut user_location = model_place::fields(request, PLACE_FIELDS);
        user_location.insert("type".to_owned(), json!("approximate"));
        body["tools"] = json!([{"type": "web_search", "user_location": user_location}]);
        if self.include_sources {
            body["include"] = json!(["web_search_call.action.sources"]);
        }
        if let Some(most) = self.account.searches_max {
            body["max_tool_calls"] = json!(most);
        }
        let mut instructions = Vec::new();
        // Left to itself the model may answer from memory.
        if self.account.force_search.unwrap_or(true) {
            body["tool_choice"] = json!("required");
        } else {
            instructions.push(searches::SEARCH_FIRST.to_owned());
        }
        instructions.extend(model_place::sentences_but(request, PLACE_FIELDS));
        instructions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::net::{HeaderValue, HttpReply, Method};
    use crate::upstream::provider::Provider;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, ok, reply, request, secrets, settings,
    };

    fn openai() -> Openai {
        Openai::new(&settings(UpstreamKind::Openai))
    }

    fn searched() -> Value {
        let text = "Ruby **4.0.6**. ([r.example](https://r.example/?utm_source=openai))";
        json!({"id": "resp_1", "status": "completed", "error": null, "model": "gpt-6-luna-2026",
            "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {
                "type": "search", "query": "ruby", "queries": ["ruby", "ruby stable"],
                "sources": [{"type": "url", "url": "https://other.example/"}]}},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": text, "annotations": [{"type": "url_citation",
                    "start_index": 16, "end_index": text.chars().count(), "title": "Ruby",
                    "url": "https://r.example/?utm_source=openai"}]}]}]})
    }

    #[test]
    fn a_search_is_asked_for_in_the_country_of_the_request() {
        let sent = openai().request(&request()).unwrap();
        assert_eq!(
            (sent.method, sent.url.as_str()),
            (Method::Post, "https://api.openai.com/v1/responses")
        );
        assert_eq!(secrets(&sent), [("authorization", "Bearer key-of-tests")]);
        let body = sent.body.unwrap();
        assert_eq!(body["model"], "gpt-6-luna");
        assert_eq!(body["input"][0]["content"], request().prompt);
        assert_eq!(body["tools"][0]["user_location"]["country"], "DE");
        assert_eq!((&body["tool_choice"], &body["store"]), (&json!("required"), &json!(false)));

        assert_eq!(body["include"], json!(["web_search_call.action.sources"]));
        assert!(body["instructions"].is_null() && body["max_output_tokens"].is_null());

        let quiet = ScrapeRequest { web_search: false, ..request() };
        let body = openai().request(&quiet).unwrap().body.unwrap();
        assert!(body["tools"].is_null() && body["tool_choice"].is_null());
        assert_eq!(body["instructions"], "The user is in Germany.");
    }

    #[test]
    fn azure_is_an_address_and_a_header() {
        let mut settings = settings(UpstreamKind::Openai);
        settings.base_url = "https://res.openai.azure.com/openai/v1".to_owned();
        settings.auth_header = "api-key".to_owned();
        settings.model = "my-deployment".to_owned();
        let sent = Openai::new(&settings).request(&request()).unwrap();
        assert_eq!(sent.url, "https://res.openai.azure.com/openai/v1/responses");
        assert_eq!(
            sent.headers,
            [("api-key".to_owned(), HeaderValue::Secret(settings.api_key.unwrap()))]
        );
        assert_eq!(sent.body.unwrap()["model"], "my-deployment");
    }

    #[test]
    fn gateway_that_takes_less_is_two_settings() {
        let mut settings = settings(UpstreamKind::Openai);
        settings.base_url = "https://api.meta.ai/v1".to_owned();
        settings.model = "muse-spark-1.3".to_owned();
        settings.force_search = Some(false);
        settings.include_sources = false;
        let sent = Openai::new(&settings).request(&request()).unwrap();
        assert_eq!(sent.url, "https://api.meta.ai/v1/responses");
        assert_eq!(
            sent.body.unwrap(),
            json!({"model": "muse-spark-1.3", "stream": false, "store": false,
                "input": [{"role": "user", "content": request().prompt}],
                "tools": [{"type": "web_search",
                    "user_location": {"country": "DE", "type": "approximate"}}],
                "instructions": "Search the web before you answer."})
        );
    }

    #[test]
    fn an_answer_has_its_queries_sources_and_citations() {
        let answer = answer(&openai(), &searched());
        assert_eq!(answer.model.as_deref(), Some("gpt-6-luna-2026"));
        assert!(answer.markdown.ends_with("utm_source=openai))"));
        assert_eq!(answer.queries.unwrap(), ["ruby", "ruby stable"]);
        assert_eq!(answer.sources.unwrap().len(), 2);
        assert_eq!(answer.citations.unwrap()[0].title, "Ruby");
        assert_eq!(
            (answer.related_questions, answer.products, answer.x_results),
            (None, None, None)
        );
        assert!(answer.warnings.is_empty());
    }

    #[test]
    fn no_search_is_legal_and_told() {
        let mut body = searched();
        body["output"] = json!([body["output"][2]]);
        body["output"][0]["content"][0]["annotations"] = json!([]);
        let answer = answer(&openai(), &body);
        assert_eq!(answer.queries, Some(Vec::new()));
        assert_eq!(answer.sources, Some(Vec::new()));
        assert_eq!(answer.warnings, ["The engine made no search."]);
        let quiet = ScrapeRequest { web_search: false, ..request() };
        let Step::Done(answer) = openai().reply(&quiet, &[ok(&body)]).unwrap() else { panic!() };
        assert!(answer.warnings.is_empty());
    }

    #[test]
    fn a_background_answer_is_asked_for_until_it_is_there() {
        let begun = json!({"id": "resp_1", "status": "queued", "output": []});
        let step = openai().reply(&request(), &[ok(&begun)]).unwrap();
        assert_eq!(step, Step::Begun("resp_1".to_owned()));
        let next = openai().look_at("resp_1").unwrap();
        assert_eq!((next.method, next.body), (Method::Get, None));
        assert_eq!(next.url, "https://api.openai.com/v1/responses/resp_1");
        let replies = [ok(&begun), ok(&searched())];
        assert!(matches!(openai().reply(&request(), &replies), Ok(Step::Done(_))));
    }

    #[test]
    fn failures_are_told_apart() {
        let limited = json!({"error": {"message": "Slow down.", "type": "requests",
            "code": "rate_limit_exceeded"}});
        let error = openai()
            .reply(&request(), &[reply(429, &[("retry-after", "20")], &limited)])
            .unwrap_err();
        assert_eq!(
            (error.reason, error.retry_after_ms),
            (Reason::UpstreamRateLimited, Some(20_000))
        );
        let owners = "test rate limit exceeded (HTTP 429): Slow down.";
        assert_eq!(error.for_owner(), owners);
        assert_eq!(error.sentence, "test rate limit exceeded (HTTP 429).");

        let quota = json!({"error": {"message": "No credits.", "type": "insufficient_quota",
            "code": "insufficient_quota"}});
        let error = openai()
            .reply(&request(), &[reply(429, &[("retry-after", "20")], &quota)])
            .unwrap_err();
        assert_eq!((error.reason, error.retry_after_ms), (Reason::Quota, None));

        let key = json!({"error": {"message": "Incorrect API key provided: key-of-tests.",
            "code": "invalid_api_key"}});
        let error = openai().reply(&request(), &[reply(401, &[], &key)]).unwrap_err();
        assert_eq!(error.reason, Reason::Auth);
        assert_eq!(
            error.sentence,
            "test refused the key (HTTP 401); look at `api_key_env` of [upstreams.test]."
        );

        let invalid = json!({"error": {"message": "Unsupported parameter.",
            "type": "invalid_request_error"}});
        assert_eq!(failure(&openai(), 400, &invalid).reason, Reason::BadRequest);
        assert_eq!(failure(&openai(), 503, &json!({})).reason, Reason::Overloaded);
        let final_word = reply(500, &[("x-should-retry", "false")], &json!({}));
        assert!(!openai().reply(&request(), &[final_word]).unwrap_err().reason.retryable());
        let page = HttpReply { status: 200, headers: Vec::new(), body: b"<html>".to_vec() };
        assert_eq!(
            openai().reply(&request(), &[page]).unwrap_err().reason,
            Reason::InvalidResponse
        );
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(
            &openai(),
            &[searched(), json!({"id": "r", "status": "queued"})],
        );
    }
}
