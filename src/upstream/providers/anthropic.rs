//! Anthropic's Messages API with its web search tool, and DeepSeek behind the same shape. A turn
//! may pause; it goes on when all that was said so far is sent back.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, PlaceBy, Source};
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::{HeaderValue, HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{ModelQuery, Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::model_place::Part;
use super::searches::SearchCount;
use super::source_list::{SourceList, source};
use super::token_usage::{count, sum};
use super::{json_path, model_place, searches, source_list, token_usage};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.anthropic.com",
    model: "claude-haiku-5-5",
    sign_in: SignIn::Header("x-api-key"),
};
const VERSION: &str = "2023-06-01";
/// Later versions filter their results by running code, which adds blocks and takes time.
const SEARCH_TOOL: &str = "web_search_20250305";
/// The longest answer where the settings do not say, tokens. The API wants one.
const OUTPUT_TOKENS_DEFAULT: u32 = 8_192;
/// The most searches in one round where the settings do not say.
const SEARCHES_DEFAULT: u32 = 5;
/// What `user_location` has a field for.
const PLACE_FIELDS: &[Part] = &[Part::City, Part::Region, Part::Timezone];
/// The most rounds of a turn that pauses.
const ROUNDS_MAX: usize = 5;

/// Anthropic, or a service with its Messages API.
pub(crate) struct Anthropic {
    account: Account,
}

impl Anthropic {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Anthropic {
        Anthropic { account: Account::new(settings, &SHIPPED) }
    }

    /// Returns the request, with what the assistant has said so far.
    fn round(&self, request: &ScrapeRequest, said: Vec<Value>) -> HttpRequest {
        let is_first = said.is_empty();
        let mut messages = vec![json!({"role": "user", "content": request.prompt})];
        if !is_first {
            messages.push(json!({"role": "assistant", "content": said}));
        }
        let mut body = json!({
            "model": self.account.model_for(request),
            "max_tokens": self.account.output_tokens_max.unwrap_or(OUTPUT_TOKENS_DEFAULT),
            "messages": messages,
            "stream": false,
        });
        let mut system = Vec::new();
        if request.web_search {
            let mut user_location = model_place::fields(request, PLACE_FIELDS);
            user_location.insert("type".to_owned(), json!("approximate"));
            body["tools"] = json!([{
                "type": SEARCH_TOOL,
                "name": "web_search",
                "max_uses": self.account.searches_max.unwrap_or(SEARCHES_DEFAULT),
                "user_location": user_location,
            }]);
            // A turn that goes on after a pause has made its search.
            if is_first && self.account.force_search == Some(true) {
                body["tool_choice"] = json!({"type": "tool", "name": "web_search"});
            }
            system.push(searches::SEARCH_FIRST.to_owned());
        }
        system.extend(match self.place_by(request) {
            PlaceBy::Field => model_place::sentences_but(request, PLACE_FIELDS),
            PlaceBy::Instruction | PlaceBy::Proxy | PlaceBy::None => {
                model_place::sentences(request)
            }
        });
        if !system.is_empty() {
            body["system"] = Value::String(system.join(" "));
        }
        let mut sent = self.account.post("/v1/messages", body);
        let version = HeaderValue::Plain(VERSION.to_owned());
        sent.headers.push(("anthropic-version".to_owned(), version));
        sent
    }

    /// Returns how the place is told. Look-alikes may ignore the field: DeepSeek documents none.
    fn place_by(&self, request: &ScrapeRequest) -> PlaceBy {
        let has_field = request.web_search && self.account.own_address;
        if has_field { PlaceBy::Field } else { PlaceBy::Instruction }
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

    fn models(&self) -> Option<ModelQuery> {
        let mut query = self.account.models_at("/v1/models?limit=1000");
        let version = HeaderValue::Plain(VERSION.to_owned());
        query.request.headers.push(("anthropic-version".to_owned(), version));
        Some(query)
    }

    fn model_asked(&self, request: &ScrapeRequest) -> Option<String> {
        Some(self.account.model_for(request).to_owned())
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let fields = (self.place_by(request) == PlaceBy::Field).then_some(PLACE_FIELDS);
        model_place::check(&self.account, request, fields)?;
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
            return Ok(Step::Round(self.round(request, said)));
        }
        let mut turn = Turn::default();
        said.iter().for_each(|block| turn.take(block));
        if turn.markdown.trim().is_empty() {
            return Err(self.account.empty());
        }
        let search = turn.searches().told(request, !turn.sources.is_empty());
        let warning = searches::warning(&search, turn.failure.as_deref().unwrap_or_default());
        Ok(Step::Done(Box::new(Answer {
            warnings: warning.into_iter().collect(),
            markdown: turn.markdown,
            model: json_path::named(&latest, "model"),
            queries: Some(turn.queries),
            sources: Some(turn.sources.into_vec()),
            citations: Some(turn.citations.into_vec()),
            search: Some(search),
            place: Some(model_place::applied(request, self.place_by(request))),
            ..Answer::default()
        })))
    }

    fn usage(&self, replies: &[HttpReply]) -> UpstreamUsage {
        token_usage::told(replies, usage)
    }
}

/// Returns what one round used.
fn usage(body: &Value) -> UpstreamUsage {
    let usage = &body["usage"];
    let results = json_path::list(body, "content").iter().filter(|block| {
        json_path::text(block, "type") == "web_search_tool_result" && block["content"].is_array()
    });
    let results = results.count();
    let read = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
    UpstreamUsage {
        input_tokens: sum(read.map(|key| count(usage, &[key]))),
        output_tokens: count(usage, &["output_tokens"]),
        reasoning_tokens: count(usage, &["output_tokens_details", "thinking_tokens"]),
        // Where none was made, the count is left out; look-alikes have none.
        searches: count(usage, &["server_tool_use", "web_search_requests"])
            .or_else(|| usage.is_object().then_some(results as u64)),
        cost: None,
    }
}

/// What the blocks of a turn add up to.
#[derive(Default)]
struct Turn {
    markdown: String,
    queries: Vec<String>,
    sources: SourceList,
    citations: SourceList,
    /// Searches that were begun, and the results that came of them.
    begun: u32,
    results: SearchCount,
    /// The code of the first search that failed.
    failure: Option<String>,
    /// Whether anything but text came since the last text.
    interrupted: bool,
}

impl Turn {
    /// Returns the searches of the turn.
    fn searches(&self) -> SearchCount {
        // Look-alikes may leave either out.
        SearchCount { calls: self.begun.max(self.results.calls), ..self.results }
    }

    fn take(&mut self, block: &Value) {
        match json_path::text(block, "type") {
            "text" => self.say(block),
            "server_tool_use" => {
                self.interrupted = true;
                let input = &block["input"];
                let name = json_path::text(block, "name");
                // DeepSeek has a name of its own for it.
                if name.ends_with("web_search") {
                    self.begun = self.begun.saturating_add(1);
                    self.queries.extend(json_path::queries(input));
                } else if name == "web_fetch" {
                    self.sources.add(source(json_path::text(input, "url"), "", ""));
                }
            }
            "web_search_tool_result" => {
                self.interrupted = true;
                self.read_results(&block["content"]);
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

    fn read_results(&mut self, content: &Value) {
        self.results.add(!content.is_array());
        let Some(results) = content.as_array() else {
            let code = json_path::word(content, "error_code");
            if self.failure.is_none() && !code.is_empty() {
                self.failure = Some(code.to_owned());
            }
            return;
        };
        for page in results {
            let (url, title) = (json_path::text(page, "url"), json_path::text(page, "title"));
            let date = json_path::text(page, "page_age").trim().to_owned();
            self.sources.add(Source { date, ..source(url, title, "") });
        }
    }
}

#[cfg(test)]
mod tests;
