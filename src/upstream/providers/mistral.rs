//! Mistral's Conversations API with the `web_search` connector: references stand among the text's
//! chunks, behind what they support.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Source};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::source_list::{SourceList, source};
use super::{json_path, no_search_warning};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.mistral.ai/v1",
    model: "mistral-medium-latest",
    sign_in: SignIn::Bearer,
};

/// Mistral.
pub struct Mistral {
    account: Account,
}

impl Mistral {
    /// With the settings of its section.
    pub fn new(settings: &config::Upstream) -> Mistral {
        Mistral { account: Account::new(settings, &SHIPPED) }
    }
}

impl Provider for Mistral {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let mut body = json!({
            "model": self.account.model,
            "inputs": [{"role": "user", "content": request.prompt}],
            // The connector takes no place.
            "instructions": country::of(&request.country).hint(),
            "stream": false,
            "store": false,
        });
        if request.web_search {
            body["tools"] = json!([{"type": "web_search"}]);
        }
        Ok(self.account.post("/conversations", body))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let body = self.account.read(request, replies)?;
        if json_path::text(&body, "object") == "error" || !body["error"].is_null() {
            return Err(self.account.failure(request, &body));
        }
        let Some(outputs) = body["outputs"].as_array() else {
            return Err(self.account.invalid_response("answered with JSON that has no `outputs`"));
        };
        let mut conversation = Conversation::default();
        outputs.iter().for_each(|output| conversation.take(output));
        if conversation.cut {
            return Err(self.account.incomplete("length"));
        }
        if conversation.markdown.trim().is_empty() {
            return Err(self.account.empty());
        }
        let searched = conversation.searched || !conversation.sources.is_empty();
        let pages = conversation.sources.into_vec();
        Ok(Step::Done(Box::new(Answer {
            warnings: no_search_warning(request, searched).into_iter().collect(),
            markdown: conversation.markdown,
            model: conversation.model,
            queries: Some(conversation.queries),
            // What was consulted and not referred to stays Mistral's.
            sources: Some(pages.clone()),
            citations: Some(pages),
            ..Answer::default()
        })))
    }
}

/// What the outputs of a conversation add up to.
#[derive(Default)]
struct Conversation {
    /// Of the messages after the last search, or before it if none comes after: what is said between
    /// searches narrates them.
    markdown: String,
    /// Whether a search came after `markdown`.
    interrupted: bool,
    model: Option<String>,
    queries: Vec<String>,
    sources: SourceList,
    searched: bool,
    cut: bool,
}

impl Conversation {
    fn take(&mut self, output: &Value) {
        match json_path::text(output, "type") {
            "tool.execution" if json_path::text(output, "name").starts_with("web_search") => {
                self.searched = true;
                self.interrupted = true;
                self.queries.extend(json_path::queries(&output["arguments"]));
            }
            "message.output" => self.message(output),
            _ => {}
        }
    }

    fn message(&mut self, output: &Value) {
        let mut text = String::new();
        match &output["content"] {
            Value::String(content) => text.push_str(content),
            chunks => {
                for chunk in chunks.as_array().into_iter().flatten() {
                    match json_path::text(chunk, "type") {
                        "text" => text.push_str(json_path::text(chunk, "text")),
                        "tool_reference" => drop(self.sources.add(reference(chunk))),
                        // Thinking, and what may come.
                        _ => {}
                    }
                }
            }
        }
        self.cut = json_path::text(output, "finish_reason") == "length";
        let model = json_path::text(output, "model");
        if !model.is_empty() {
            self.model = Some(model.to_owned());
        }
        if text.trim().is_empty() {
            return;
        }
        if std::mem::take(&mut self.interrupted) {
            self.markdown.clear();
        }
        if !self.markdown.is_empty() {
            self.markdown.push_str("\n\n");
        }
        self.markdown.push_str(&text);
    }
}

fn reference(chunk: &Value) -> Source {
    Source {
        favicon: json_path::named(chunk, "favicon"),
        ..source(
            json_path::text(chunk, "url"),
            json_path::text(chunk, "title"),
            json_path::text(chunk, "description"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, request, secrets, settings,
    };

    fn mistral() -> Mistral {
        Mistral::new(&settings(UpstreamKind::Mistral))
    }

    fn searched() -> Value {
        json!({"object": "conversation.response", "conversation_id": "conv_1", "outputs": [
            {"type": "tool.execution", "name": "web_search",
                "arguments": "{\"query\":\"ruby stable\"}", "info": {}},
            {"type": "message.output", "model": "mistral-medium-2508", "content": [
                {"type": "text", "text": "It is 4.0.6"},
                {"type": "tool_reference", "tool": "web_search", "title": "Ruby",
                    "url": "https://a.example/",
                 "favicon": "https://a.example/i.png", "description": "The current version.",
                     "source": "brave"},
                {"type": "tool_reference", "tool": "web_search", "url": "https://b.example/",
                    "title": null},
                {"type": "text", "text": ", of July."}]}],
            "usage": {"connectors": {"web_search": 1}}})
    }

    #[test]
    fn the_connector_is_offered_and_the_place_told() {
        let sent = mistral().request(&request()).unwrap();
        assert_eq!(sent.url, "https://api.mistral.ai/v1/conversations");
        assert_eq!(secrets(&sent), [("authorization", "Bearer key-of-tests")]);
        let body = sent.body.unwrap();
        assert_eq!(body["inputs"][0]["content"], request().prompt);
        assert_eq!(body["instructions"], "The user is in Germany.");
        assert_eq!(body["tools"], json!([{"type": "web_search"}]));
        let quiet = ScrapeRequest { web_search: false, ..request() };
        assert!(mistral().request(&quiet).unwrap().body.unwrap()["tools"].is_null());
    }

    #[test]
    fn references_among_the_chunks_are_the_citations() {
        let answer = answer(&mistral(), &searched());
        assert_eq!(answer.markdown, "It is 4.0.6, of July.");
        assert_eq!(answer.model.as_deref(), Some("mistral-medium-2508"));
        assert_eq!(answer.queries.unwrap(), ["ruby stable"]);
        let citations = answer.citations.unwrap();
        assert_eq!((citations.len(), citations[0].snippet.as_str()), (2, "The current version."));
        assert_eq!(citations[0].favicon.as_deref(), Some("https://a.example/i.png"));
        assert_eq!(answer.sources.unwrap(), citations);
    }

    #[test]
    fn all_messages_after_the_last_search_are_the_answer() {
        let said = |text: &str| json!({"type": "message.output", "content": text});
        let searches = json!({"type": "tool.execution", "name": "web_search", "arguments": "{}"});
        for (outputs, expected) in [
            (
                json!([said("Let me look."), searches, said("Four."), said("More?")]),
                "Four.\n\nMore?",
            ),
            (json!([said("Four."), said(" "), said("More?")]), "Four.\n\nMore?"),
            (json!([said("Four."), searches, said("")]), "Four."),
        ] {
            assert_eq!(answer(&mistral(), &json!({"outputs": outputs})).markdown, expected);
        }
    }

    #[test]
    fn content_may_be_a_string_and_nothing_may_be_searched() {
        let body = json!({"outputs": [{"type": "message.output", "content": "Four."}]});
        let answer = answer(&mistral(), &body);
        assert_eq!((answer.markdown.as_str(), answer.model), ("Four.", None));
        assert_eq!(answer.warnings, ["The engine made no search."]);
    }

    #[test]
    fn failures_are_told_apart() {
        assert_eq!(
            failure(&mistral(), 401, &json!({"detail": "Invalid API Key"})).reason,
            Reason::Auth
        );
        let invalid = json!({"detail": [{"loc": ["body", "model"], "msg": "Field required",
            "type": "missing"}]});
        let error = failure(&mistral(), 422, &invalid);
        assert_eq!(
            (error.reason, error.for_owner()),
            (Reason::BadRequest, "test called the request invalid (HTTP 422): Field required.")
        );
        let limited = json!({"object": "error", "message": "Requests rate limit exceeded",
            "type": "rate_limited", "code": "1300"});
        assert_eq!(failure(&mistral(), 429, &limited).reason, Reason::UpstreamRateLimited);
        assert_eq!(failure(&mistral(), 200, &json!({"outputs": []})).reason, Reason::Empty);
        assert_eq!(
            failure(&mistral(), 200, &json!({"choices": []})).reason,
            Reason::InvalidResponse
        );
        let cut = json!({"outputs": [{"type": "message.output", "content": "Fo",
            "finish_reason": "length"}]});
        assert_eq!(failure(&mistral(), 200, &cut).reason, Reason::Incomplete);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&mistral(), &[searched()]);
    }
}
