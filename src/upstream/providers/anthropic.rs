//! Anthropic's Messages API with its web search tool, and DeepSeek behind the same shape. A turn
//! may pause; it goes on when all that was said so far is sent back.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Source};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HeaderValue, HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::source_list::{SourceList, source};
use super::{json_path, no_search_warning, source_list};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.anthropic.com",
    model: "claude-haiku-5-5",
    sign_in: SignIn::Header("x-api-key"),
};
const VERSION: &str = "2023-06-01";
/// Later versions filter their results by running code, which adds blocks and takes time.
const SEARCH_TOOL: &str = "web_search_20250305";
/// The longest answer, tokens.
const MAX_TOKENS: u32 = 8_192;
/// The most searches in one round.
const SEARCHES_MAX: u32 = 5;
/// The most rounds of a turn that pauses.
const ROUNDS_MAX: usize = 5;

/// Anthropic, or a service with its Messages API.
pub struct Anthropic {
    account: Account,
}

impl Anthropic {
    /// With the settings of its section.
    pub fn new(settings: &config::Upstream) -> Anthropic {
        Anthropic { account: Account::new(settings, &SHIPPED) }
    }

    /// The request, with what the assistant has said so far.
    fn round(&self, request: &ScrapeRequest, said: Vec<Value>) -> HttpRequest {
        let mut messages = vec![json!({"role": "user", "content": request.prompt})];
        if !said.is_empty() {
            messages.push(json!({"role": "assistant", "content": said}));
        }
        let mut body = json!({
            "model": self.account.model,
            "max_tokens": MAX_TOKENS,
            "messages": messages,
            "stream": false,
        });
        let mut system = Vec::new();
        if request.web_search {
            body["tools"] = json!([{
                "type": SEARCH_TOOL,
                "name": "web_search",
                "max_uses": SEARCHES_MAX,
                "user_location": {"type": "approximate", "country": request.country},
            }]);
            // Whether a server's tool can be forced is not settled; asking for it works.
            system.push("Search the web before you answer.".to_owned());
        }
        if !request.web_search || !self.account.own_address {
            system.push(country::of(&request.country).hint());
        }
        body["system"] = Value::String(system.join(" "));
        let mut sent = self.account.post("/v1/messages", body);
        let version = HeaderValue::Plain(VERSION.to_owned());
        sent.headers.push(("anthropic-version".to_owned(), version));
        sent
    }

    /// Whether the turn has ended as an answer does; `false` when it only pauses.
    fn ended(&self, request: &ScrapeRequest, body: &Value) -> Result<bool, UpstreamError> {
        if json_path::text(body, "type") == "error" || !body["error"].is_null() {
            return Err(self.account.failure(request, body));
        }
        match json_path::text(body, "stop_reason") {
            "pause_turn" => Ok(false),
            "refusal" => {
                let details = &body["stop_details"];
                Err(match json_path::text(details, "explanation") {
                    "" => self.account.refused(json_path::word(details, "category")),
                    why => self.account.fail(request, Verdict::DECLINED, why),
                })
            }
            reason @ ("max_tokens" | "model_context_window_exceeded") => {
                Err(self.account.incomplete(reason))
            }
            _ => Ok(true),
        }
    }
}

impl Provider for Anthropic {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        Ok(self.round(request, Vec::new()))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let mut said: Vec<Value> = Vec::new();
        let mut latest = Value::Null;
        for rounds in 1..=replies.len() {
            latest = self.account.read(request, &replies[..rounds])?;
            if !latest["content"].is_array() && latest["error"].is_null() {
                return Err(self
                    .account
                    .invalid_response("answered with JSON that has no `content`"));
            }
            said.extend_from_slice(json_path::list(&latest, "content"));
        }
        if !self.ended(request, &latest)? {
            if replies.len() >= ROUNDS_MAX {
                return Err(self.account.incomplete("it paused too often"));
            }
            return Ok(Step::Next(self.round(request, said)));
        }
        let mut turn = Turn::default();
        said.iter().for_each(|block| turn.take(block));
        if turn.markdown.trim().is_empty() {
            return Err(self.account.empty());
        }
        let mut warnings: Vec<String> =
            no_search_warning(request, turn.searched).into_iter().collect();
        warnings.extend(turn.failed.map(|code| format!("A search failed: {code}.")));
        Ok(Step::Done(Box::new(Answer {
            warnings,
            markdown: turn.markdown,
            model: json_path::named(&latest, "model"),
            queries: Some(turn.queries),
            sources: Some(turn.sources.into_vec()),
            citations: Some(turn.citations.into_vec()),
            ..Answer::default()
        })))
    }
}

/// What the blocks of a turn add up to.
#[derive(Default)]
struct Turn {
    markdown: String,
    queries: Vec<String>,
    sources: SourceList,
    citations: SourceList,
    searched: bool,
    /// The code of the first search that failed.
    failed: Option<String>,
    /// Whether anything but text came since the last text.
    interrupted: bool,
}

impl Turn {
    fn take(&mut self, block: &Value) {
        match json_path::text(block, "type") {
            "text" => self.say(block),
            "server_tool_use" => {
                self.interrupted = true;
                let input = &block["input"];
                let name = json_path::text(block, "name");
                // DeepSeek has a name of its own for it.
                if name.ends_with("web_search") {
                    self.searched = true;
                    self.queries.extend(json_path::queries(input));
                } else if name == "web_fetch" {
                    self.sources.add(source(json_path::text(input, "url"), "", ""));
                }
            }
            "web_search_tool_result" => {
                self.interrupted = true;
                self.searched = true;
                self.results(&block["content"]);
            }
            // Thinking, code, and what may come.
            _ => self.interrupted = true,
        }
    }

    /// Citations split sentences into many blocks, which join without anything between; a tool's
    /// use stands between paragraphs.
    fn say(&mut self, block: &Value) {
        let text = json_path::text(block, "text");
        let paragraph = self.interrupted
            && !self.markdown.is_empty()
            && !self.markdown.ends_with('\n')
            && !text.starts_with('\n');
        if paragraph {
            self.markdown.push_str("\n\n");
        }
        self.interrupted = false;
        self.markdown.push_str(text);
        for citation in json_path::list(block, "citations") {
            let passage = source_list::passage(json_path::text(citation, "cited_text"));
            let url = json_path::first_text(citation, &["url", "source"]);
            let highlights = if passage.is_empty() { Vec::new() } else { vec![passage.to_owned()] };
            let page = source(url, json_path::text(citation, "title"), passage);
            self.citations.add(Source { highlights, ..page.clone() });
            self.sources.add(page);
        }
    }

    fn results(&mut self, content: &Value) {
        match content {
            Value::Array(results) => {
                for page in results {
                    self.sources.add(source(
                        json_path::text(page, "url"),
                        json_path::text(page, "title"),
                        "",
                    ));
                }
            }
            error => {
                let code = json_path::word(error, "error_code");
                if self.failed.is_none() && !code.is_empty() {
                    self.failed = Some(code.to_owned());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, ok, reply, request, secrets, settings,
    };

    fn anthropic() -> Anthropic {
        Anthropic::new(&settings(UpstreamKind::Anthropic))
    }

    fn used(id: &str, query: &str) -> Value {
        json!({"type": "server_tool_use", "id": id, "name": "web_search",
            "input": {"query": query}})
    }

    fn found(id: &str, url: &str) -> Value {
        json!({"type": "web_search_tool_result", "tool_use_id": id, "content": [
            {"type": "web_search_result", "url": url, "title": "T", "page_age": null,
                "encrypted_content": "E=="}]})
    }

    fn body(stop_reason: &str, content: Value) -> Value {
        json!({"type": "message", "role": "assistant", "model": "claude-haiku-5-5",
            "content": content, "stop_reason": stop_reason})
    }

    fn ended() -> Value {
        let cited = |passage: &str| {
            json!({"type": "web_search_result_location",
            "url": "https://a.example/", "title": "A", "cited_text": passage,
                "encrypted_index": "I"})
        };
        body(
            "end_turn",
            json!([
            found("2", "https://b.example/"),
            {"type": "text", "text": "Ruby 4.0.6", "citations": [cited("Stable is 4.0.6. "),
                cited("Since July.")]},
            {"type": "text", "text": ", released in July."}]),
        )
    }

    fn paused() -> Value {
        body(
            "pause_turn",
            json!([
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I'll search:"},
            used("1", "ruby"), found("1", "https://a.example/"), used("2", "ruby 4")]),
        )
    }

    #[test]
    fn a_search_is_asked_for_in_the_country_of_the_request() {
        let sent = anthropic().request(&request()).unwrap();
        assert_eq!(sent.url, "https://api.anthropic.com/v1/messages");
        assert_eq!(secrets(&sent), [("x-api-key", "key-of-tests")]);
        assert!(
            sent.headers.contains(&(
                "anthropic-version".to_owned(),
                HeaderValue::Plain(VERSION.to_owned())
            ))
        );
        let body = sent.body.unwrap();
        assert_eq!(body["tools"][0]["user_location"]["country"], "DE");
        assert_eq!(body["messages"][0]["content"], request().prompt);
        assert_eq!(body["system"], "Search the web before you answer.");
        let quiet = ScrapeRequest { web_search: false, ..request() };
        let body = anthropic().request(&quiet).unwrap().body.unwrap();
        assert!(body["tools"].is_null());
        assert_eq!(body["system"], "The user is in Germany.");
    }

    #[test]
    fn deepseek_is_an_address_and_is_told_the_place() {
        let mut settings = settings(UpstreamKind::Anthropic);
        settings.base_url = "https://api.deepseek.com/anthropic".to_owned();
        let sent = Anthropic::new(&settings).request(&request()).unwrap();
        assert_eq!(sent.url, "https://api.deepseek.com/anthropic/v1/messages");
        assert!(sent.body.unwrap()["system"].as_str().unwrap().contains("Germany"));
    }

    #[test]
    fn a_paused_turn_goes_on_with_all_that_was_said() {
        let Step::Next(next) = anthropic().reply(&request(), &[ok(&paused())]).unwrap() else {
            panic!()
        };
        let messages = next.body.unwrap()["messages"].clone();
        assert_eq!(messages[1]["role"], "assistant");
        assert_eq!(messages[1]["content"], paused()["content"]);
        let replies = [ok(&paused()), ok(&ended())];
        let Step::Done(answer) = anthropic().reply(&request(), &replies).unwrap() else { panic!() };
        assert_eq!(answer.markdown, "I'll search:\n\nRuby 4.0.6, released in July.");
        assert_eq!(answer.queries.unwrap(), ["ruby", "ruby 4"]);
        let sources = answer.sources.unwrap();
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].url, "https://a.example/");
        let citations = answer.citations.unwrap();
        assert_eq!(citations[0].snippet, "Stable is 4.0.6.");
        assert_eq!(citations[0].highlights, ["Stable is 4.0.6.", "Since July."]);
        let rounds: Vec<HttpReply> = (0..ROUNDS_MAX).map(|_| ok(&paused())).collect();
        assert_eq!(anthropic().reply(&request(), &rounds).unwrap_err().reason, Reason::Incomplete);
    }

    #[test]
    fn a_failed_search_is_told_and_the_answer_stands() {
        let content = json!([used("1", "ruby"),
            {"type": "web_search_tool_result", "tool_use_id": "1", "content":
                {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}},
            {"type": "text", "text": "Four."}]);
        let answer = answer(&anthropic(), &body("end_turn", content));
        assert_eq!(answer.warnings, ["A search failed: max_uses_exceeded."]);
        assert_eq!(answer.sources, Some(Vec::new()));
    }

    #[test]
    fn a_200_can_be_a_failure() {
        let reason = |body: Value| failure(&anthropic(), 200, &body).reason;
        let mut refusal = body("refusal", json!([]));
        refusal["stop_details"] =
            json!({"category": "cyber", "explanation": "Blocked under the policy."});
        assert_eq!(
            failure(&anthropic(), 200, &refusal).for_owner(),
            "test declined to answer this prompt: Blocked under the policy."
        );
        assert_eq!(reason(body("refusal", json!([]))), Reason::Refused);
        assert_eq!(
            reason(body("max_tokens", json!([{"type": "text", "text": "Ru"}]))),
            Reason::Incomplete
        );
        assert_eq!(reason(body("end_turn", json!([]))), Reason::Empty);
        assert_eq!(
            reason(json!({"type": "error", "error": {"type": "overloaded_error",
                    "message": "Overloaded"}})),
            Reason::Overloaded
        );
        assert_eq!(reason(json!({"hello": 1})), Reason::InvalidResponse);
    }

    #[test]
    fn errors_are_told_apart() {
        let error =
            |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "No."}});
        assert_eq!(failure(&anthropic(), 401, &error("authentication_error")).reason, Reason::Auth);
        assert_eq!(
            failure(&anthropic(), 529, &error("overloaded_error")).reason,
            Reason::Overloaded
        );
        assert_eq!(
            failure(&anthropic(), 413, &error("request_too_large")).reason,
            Reason::BadRequest
        );
        let limited = reply(429, &[("retry-after", "3")], &error("rate_limit_error"));
        let error = anthropic().reply(&request(), &[limited]).unwrap_err();
        assert_eq!(
            (error.reason, error.retry_after_ms),
            (Reason::UpstreamRateLimited, Some(3_000))
        );
        let deepseek =
            json!({"error": {"message": "Insufficient Balance", "type": "unknown_error"}});
        assert_eq!(failure(&anthropic(), 402, &deepseek).reason, Reason::Quota);
    }

    #[test]
    fn no_search_is_told() {
        let answer =
            answer(&anthropic(), &body("end_turn", json!([{"type": "text", "text": "Four."}])));
        assert_eq!(answer.warnings, ["The engine made no search."]);
        assert_eq!(answer.queries, Some(Vec::new()));
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&anthropic(), &[paused(), ended()]);
    }
}
