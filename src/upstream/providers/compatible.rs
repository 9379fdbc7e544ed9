//! Any server with OpenAI-compatible chat completions: a model on the same machine, or a gateway
//! that searches by itself or with the tools of `extra_body`.

use serde_json::{Value, json};

use crate::answer::PlaceBy;
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::{Account, Shipped, SignIn};
use super::model_api::ModelApi;
use super::{chat_completion, model_place};

/// The address and the model are the operator's; the configuration asks for them.
const SHIPPED: Shipped = Shipped { base_url: "", model: "", sign_in: SignIn::Bearer };

/// A server with chat completions.
pub(crate) struct Compatible {
    account: Account,
}

impl Compatible {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Compatible {
        Compatible { account: Account::new(settings, &SHIPPED) }
    }
}

impl ModelApi for Compatible {
    fn account(&self) -> &Account {
        &self.account
    }

    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        model_place::check(&self.account, request, None)?;
        let mut body = json!({
            "model": self.account.model_for(request),
            "messages": [
                {"role": "system", "content": model_place::sentences(request).join(" ")},
                {"role": "user", "content": request.prompt},
            ],
            "stream": false,
        });
        if let Some(most) = self.account.output_tokens_max {
            body["max_tokens"] = json!(most);
        }
        Ok(self.account.post("/chat/completions", body))
    }

    fn step(&self, request: &ScrapeRequest, body: &Value) -> Result<Step, UpstreamError> {
        let mut answer = chat_completion::read(&self.account, request, body)?;
        answer.place = Some(model_place::applied(request, PlaceBy::Instruction));
        Ok(Step::Done(Box::new(answer)))
    }

    fn used(body: &Value) -> UpstreamUsage {
        chat_completion::usage(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::net::HttpReply;
    use crate::upstream::provider::Provider;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, reply, request, settings,
    };

    fn compatible() -> Compatible {
        let mut settings = settings(UpstreamKind::Compatible);
        settings.base_url = "http://localhost:11434/v1".to_owned();
        settings.model = "qwen3:0.6b".to_owned();
        Compatible::new(&settings)
    }

    #[test]
    fn the_prompt_is_sent_as_it_is_and_a_key_only_when_there_is_one() {
        let mut settings = settings(UpstreamKind::Compatible);
        settings.base_url = "http://localhost:11434/v1".to_owned();
        settings.api_key = None;
        let sent = Compatible::new(&settings).request(&request()).unwrap();
        assert_eq!(sent.url, "http://localhost:11434/v1/chat/completions");
        assert!(sent.headers.is_empty());
        let body = sent.body.unwrap();
        assert_eq!(body["messages"][0]["content"], "The user is in Germany.");
        assert_eq!(body["messages"][1]["content"], request().prompt);
        assert_eq!(compatible().request(&request()).unwrap().headers.len(), 1);
    }

    #[test]
    fn errors_of_local_servers_are_told_apart() {
        assert_eq!(
            failure(
                &compatible(),
                503,
                &json!({"error": {"message": "Loading model",
            "type": "unavailable_error", "code": 503}})
            )
            .reason,
            Reason::Overloaded
        );
        assert_eq!(
            failure(&compatible(), 404, &json!({"error": "model not found"})).reason,
            Reason::BadRequest
        );
        assert_eq!(
            failure(
                &compatible(),
                422,
                &json!({"detail": [{"loc": ["body"], "msg": "field required"}]})
            )
            .reason,
            Reason::BadRequest
        );
        let page = HttpReply { body: b"<html>".to_vec(), ..reply(502, &[], &json!(0)) };
        assert_eq!(
            compatible().reply(&request(), &[page]).unwrap_err().reason,
            Reason::UpstreamError
        );
        let page = HttpReply { body: b"<html>".to_vec(), ..reply(403, &[], &json!(0)) };
        assert_eq!(compatible().reply(&request(), &[page]).unwrap_err().reason, Reason::Blocked);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        let body = json!({"model": "m", "citations": ["https://a.example/"],
            "related_questions": ["q"],
            "search_results": [{"url": "https://a.example/", "title": "A"}],
            "choices": [{"finish_reason": "stop",
                "message": {"content": "<think>é</think>A.[1] ([a](https://a.example/))",
                "annotations": [{"type": "url_citation",
                    "url_citation": {"url": "https://a.example/", "start_index": 24,
                    "end_index": 49}}],
                "executed_tools": [{"arguments": "{\"query\":\"q\"}",
                    "search_results": {"results": [{"url": "https://b.example/"}]}}]}}]});
        assert_eq!(answer(&compatible(), &body).markdown, "A.[1] ([a](https://a.example/))");
        assert_tolerates_mutations(&compatible(), &[body]);
    }
}
