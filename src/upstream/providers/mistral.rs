//! Mistral's Conversations API with the `web_search` connector: references stand among the text's
//! chunks, behind what they support. They become marks there.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::answer::{Answer, PlaceBy, Source};
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::{Account, Shipped, SignIn};
use super::model_api::ModelApi;
use super::searches::SearchCount;
use super::source_list::{SourceList, source};
use super::token_usage::{count, sum};
use super::{json_path, model_place, searches};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.mistral.ai/v1",
    model: "mistral-medium-latest",
    sign_in: SignIn::Bearer,
};

/// How the search connectors are called, the one with news agencies as well.
const CONNECTOR: &str = "web_search";

/// Mistral.
pub(crate) struct Mistral {
    account: Account,
}

impl Mistral {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Mistral {
        Mistral { account: Account::new(settings, &SHIPPED) }
    }
}

impl ModelApi for Mistral {
    fn account(&self) -> &Account {
        &self.account
    }

    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        model_place::check(&self.account, request, None)?;
        let mut body = json!({
            "model": self.account.model_for(request),
            "inputs": [{"role": "user", "content": request.prompt}],
            // The connector takes no place.
            "instructions": model_place::sentences(request).join(" "),
            "stream": false,
            "store": false,
        });
        if request.web_search {
            body["tools"] = json!([{"type": "web_search"}]);
        }
        if let Some(most) = self.account.output_tokens_max {
            body["completion_args"] = json!({"max_tokens": most});
        }
        Ok(self.account.post("/conversations", body))
    }

    fn step(&self, request: &ScrapeRequest, body: &Value) -> Result<Step, UpstreamError> {
        if json_path::text(body, "object") == "error" || !body["error"].is_null() {
            return Err(self.account.failure(request, body));
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
        let search = conversation.searches.told(request, !conversation.sources.is_empty());
        let markdown = conversation.marked();
        let citations = conversation.cited();
        Ok(Step::Done(Box::new(Answer {
            warnings: searches::warning(&search, "").into_iter().collect(),
            markdown,
            model: conversation.model,
            queries: Some(conversation.queries),
            // What was consulted and not referred to stays Mistral's.
            sources: Some(conversation.sources.into_vec()),
            citations: Some(citations),
            search: Some(search),
            place: Some(model_place::applied(request, PlaceBy::Instruction)),
            ..Answer::default()
        })))
    }

    fn used(body: &Value) -> UpstreamUsage {
        usage(body)
    }
}

/// Returns what a conversation used. What the connector read is billed as input.
fn usage(body: &Value) -> UpstreamUsage {
    let usage = &body["usage"];
    let connectors = usage["connectors"].as_object();
    let by_connector = connectors.into_iter().flatten();
    let searched = by_connector.filter(|(name, _)| name.starts_with(CONNECTOR));
    UpstreamUsage {
        input_tokens: sum(["prompt_tokens", "connector_tokens"].map(|key| count(usage, &[key]))),
        output_tokens: count(usage, &["completion_tokens"]),
        reasoning_tokens: None,
        searches: sum(searched.map(|(_, calls)| calls.as_u64()))
            .or_else(|| connectors.is_some().then_some(0)),
        cost: None,
    }
}

/// What the outputs of a conversation add up to.
#[derive(Default)]
struct Conversation {
    /// Of the messages after the last search, or before it if none comes after: what is said
    /// between searches narrates them.
    markdown: String,
    /// Where in `markdown` a reference stands, and the place of its page in `sources`.
    references: Vec<(usize, usize)>,
    /// Whether a search came after `markdown`.
    interrupted: bool,
    model: Option<String>,
    queries: Vec<String>,
    sources: SourceList,
    searches: SearchCount,
    cut: bool,
}

impl Conversation {
    fn take(&mut self, output: &Value) {
        match json_path::text(output, "type") {
            "tool.execution" if json_path::text(output, "name").starts_with(CONNECTOR) => {
                self.searches.add(json_path::text(output, "status") == "failed");
                self.interrupted = true;
                self.queries.extend(json_path::queries(&output["arguments"]));
            }
            "message.output" => self.message(output),
            _ => {}
        }
    }

    fn message(&mut self, output: &Value) {
        let mut text = String::new();
        let mut references = Vec::new();
        let content = &output["content"];
        // It is a text, or a list of chunks.
        text.push_str(content.as_str().unwrap_or_default());
        for chunk in content.as_array().into_iter().flatten() {
            match json_path::text(chunk, "type") {
                "text" => text.push_str(json_path::text(chunk, "text")),
                "tool_reference" => {
                    let place = self.sources.add(reference(chunk));
                    references.extend(place.map(|place| (text.len(), place)));
                }
                // Thinking, and what may come.
                _ => {}
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
            self.references.clear();
        }
        if !self.markdown.is_empty() {
            self.markdown.push_str("\n\n");
        }
        let start = self.markdown.len();
        // A mark before the text would be its label: such a reference goes behind it.
        let moved = |at: usize| if at == 0 { text.len() } else { at };
        self.references.extend(references.iter().map(|(at, place)| (start + moved(*at), *place)));
        self.references.sort_by_key(|(at, _)| *at);
        self.markdown.push_str(&text);
    }

    /// Returns the pages that the text refers to, in the order in which it does so first.
    fn cited(&self) -> Vec<Source> {
        let mut cited = SourceList::default();
        for page in self.references.iter().filter_map(|(_, place)| self.sources.get(*place)) {
            cited.add(page.clone());
        }
        cited.into_vec()
    }

    /// Returns the text with a mark where each reference stands. A text that is JSON has none.
    fn marked(&self) -> String {
        if serde_json::from_str::<IgnoredAny>(&self.markdown).is_ok() {
            return self.markdown.clone();
        }
        let mut marked = String::with_capacity(self.markdown.len() + self.references.len() * 4);
        let mut from = 0;
        for (at, place) in &self.references {
            marked.push_str(&self.markdown[from..*at]);
            marked.push_str(&format!("[{}]", place + 1));
            from = *at;
        }
        marked + &self.markdown[from..]
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
    use crate::upstream::provider::Provider;
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
        assert_eq!(answer.markdown, "It is 4.0.6[1][2], of July.");
        assert_eq!(answer.model.as_deref(), Some("mistral-medium-2508"));
        assert_eq!(answer.queries.unwrap(), ["ruby stable"]);
        let citations = answer.citations.unwrap();
        assert_eq!((citations.len(), citations[0].snippet.as_str()), (2, "The current version."));
        assert_eq!(citations[0].favicon.as_deref(), Some("https://a.example/i.png"));
        assert_eq!(answer.sources.unwrap(), citations);
    }

    #[test]
    fn references_are_marks_where_they_stand() {
        let said = |chunks: Value| json!({"type": "message.output", "content": chunks});
        let text = |text: &str| json!({"type": "text", "text": text});
        let page = |name: &str| {
            json!({"type": "tool_reference", "title": name,
            "url": format!("https://{name}.example/")})
        };
        let nowhere = json!({"type": "tool_reference", "title": "no address"});
        let searches = json!({"type": "tool.execution", "name": "web_search_premium",
            "arguments": "{}"});
        let body = json!({"outputs": [said(json!([text("Let me look."), page("z")])), searches,
            said(json!([text("Größe"), page("a"), nowhere, text(", ja"), page("b"), page("a"),
                text(".")])),
            said(json!([page("a"), text("Ende."), page("b")]))]});
        let whole = answer(&mistral(), &body);
        let cited = whole.citations.iter().flatten().map(|page| page.title.as_str());
        assert_eq!(cited.collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(whole.markdown, "Größe[2], ja[3][2].\n\nEnde.[2][3]");
        assert_eq!(whole.normalized().text, "Größe, ja.\n\nEnde.");

        let body = json!({"outputs": [said(json!([text("{\"a\": 1}"), page("a")]))]});
        let json = answer(&mistral(), &body);
        assert_eq!((json.markdown.as_str(), json.citations.unwrap().len()), ("{\"a\": 1}", 1));
    }

    #[test]
    fn usage_counts_what_the_connector_read() {
        let mut body = searched();
        body["usage"] = json!({"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 150,
            "connector_tokens": 100, "connectors": {"web_search": 2, "code_interpreter": 1}});
        let usage = answer(&mistral(), &body).usage;
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(120), Some(30)));
        assert_eq!((usage.searches, usage.cost), (Some(2), None));
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
