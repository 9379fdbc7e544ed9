//! Perplexity's Agent API: the shape of the Responses API with `search_results` items, whose pages
//! the text marks by id. Gateways still answer in the shape of the retired Sonar API; that is read
//! too.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::answer::{Answer, AppliedPlace, Place, PlaceBy, Source, renumbered};
use crate::config;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;
use crate::upstream::provider::Step;

use super::account::{Account, Shipped, SignIn};
use super::model_api::ModelApi;
use super::model_place::Part;
use super::responses::Reading;
use super::source_list::{SourceList, source};
use super::{chat_completion, json_path, model_place, responses, searches};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.perplexity.ai/v1",
    model: "perplexity/sonar",
    sign_in: SignIn::Bearer,
};

/// A `model` that begins so names a preset ("preset:fast"), which chooses the model itself.
const PRESET: &str = "preset:";

/// What `user_location` has a field for.
const PLACE_FIELDS: &[Part] = &[Part::City, Part::Region];

/// Perplexity, or a gateway to it.
pub(crate) struct Perplexity {
    account: Account,
}

impl Perplexity {
    /// Creates the provider with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Perplexity {
        Perplexity { account: Account::new(settings, &SHIPPED) }
    }
}

impl ModelApi for Perplexity {
    const MODELS: Option<&'static str> = None;

    fn account(&self) -> &Account {
        &self.account
    }

    // Unknown fields are refused, so nothing is sent that the API's reference does not name.
    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let told = [PLACE_FIELDS, &[Part::Language]].concat();
        let fields = request.web_search.then_some(told.as_slice());
        model_place::check(&self.account, request, fields)?;
        let mut body = json!({"input": request.prompt, "store": false});
        let model = self.account.model_for(request);
        match model.strip_prefix(PRESET) {
            Some(preset) => body["preset"] = json!(preset),
            None => body["model"] = json!(model),
        }
        let mut instructions = Vec::new();
        if request.web_search {
            let user_location = model_place::fields(request, PLACE_FIELDS);
            body["tools"] = json!([{"type": "web_search", "user_location": user_location}]);
            if self.account.force_search.unwrap_or(true) {
                body["tool_choice"] = json!({"type": "web_search"});
            } else {
                instructions.push(searches::SEARCH_FIRST.to_owned());
            }
            instructions.extend(model_place::sentences_but(request, &told));
        } else {
            instructions = model_place::sentences(request);
        }
        if !instructions.is_empty() {
            body["instructions"] = json!(instructions.join(" "));
        }
        if let Some(language) = &request.location.language {
            body["language_preference"] = json!(language);
        }
        if let Some(most) = self.account.output_tokens_max {
            body["max_output_tokens"] = json!(most);
        }
        Ok(self.account.post("/agent", body))
    }

    fn step(&self, request: &ScrapeRequest, body: &Value) -> Result<Step, UpstreamError> {
        if body["choices"].is_array() {
            let answer = chat_completion::read(&self.account, request, body)?;
            return Ok(Step::Done(Box::new(as_sonar(request, answer))));
        }
        if let Some(id) = responses::pending(&self.account, request, body)? {
            return Ok(Step::Begun(id));
        }
        let reading = responses::read(&self.account, body)?;
        Ok(Step::Done(Box::new(agent_answer(request, body, reading))))
    }

    fn used(body: &Value) -> UpstreamUsage {
        usage(body)
    }

    fn look(&self, task: &str) -> Option<HttpRequest> {
        Some(responses::look_at(&self.account, task))
    }
}

/// Returns what a response used, or a completion of Sonar.
fn usage(body: &Value) -> UpstreamUsage {
    let is_sonar = body["choices"].is_array();
    if is_sonar { chat_completion::usage(body) } else { responses::usage(body) }
}

/// Sonar always searched, and a missing list is an empty one.
fn as_sonar(request: &ScrapeRequest, mut answer: Answer) -> Answer {
    let has_sources = !answer.sources.get_or_insert_default().is_empty();
    answer.citations.get_or_insert_default();
    if let Some(search) = &mut answer.search {
        search.made.get_or_insert(has_sources);
        answer.warnings.extend(searches::warning(search, ""));
    }
    answer.place = Some(place_of(request));
    answer
}

fn place_of(request: &ScrapeRequest) -> AppliedPlace {
    let by = if request.web_search { PlaceBy::Field } else { PlaceBy::Instruction };
    model_place::applied(request, by)
}

fn agent_answer(request: &ScrapeRequest, body: &Value, reading: Reading) -> Answer {
    let mut found = Found::default();
    let output = json_path::list(body, "output");
    // Pages that are found after the answer was written have no marks in it.
    let last_text = output.iter().rposition(|item| json_path::text(item, "type") == "message");
    for (at, item) in output.iter().enumerate() {
        found.take(item, last_text.is_none_or(|text| at < text));
    }
    let Found { mut sources, mut queries, ids } = found;
    // Presets run models that cite and search in ways of their own.
    queries.extend(reading.queries);
    for page in reading.sources.into_vec() {
        sources.add(page);
    }
    let mut citations = SourceList::default();
    let markdown = renumbered(&reading.markdown, sources.len(), |id| {
        let known = ids.get(&id).and_then(|place| Some((place, sources.get(*place)?)));
        let Some((place, page)) = known else { return Place::Unknown };
        citations.add(page.clone());
        Place::At(place + 1)
    });
    for page in reading.cited.into_vec() {
        citations.add(page);
    }
    let has_found = !(queries.is_empty() && sources.is_empty());
    let search = reading.searches.told(request, has_found);
    Answer {
        warnings: searches::warning(&search, "").into_iter().collect(),
        markdown,
        model: reading.model,
        queries: Some(queries),
        sources: Some(sources.into_vec()),
        citations: Some(citations.into_vec()),
        search: Some(search),
        place: Some(place_of(request)),
        ..Answer::default()
    }
}

/// What the search items of a response add up to.
#[derive(Default)]
struct Found {
    sources: SourceList,
    queries: Vec<String>,
    /// Where the page with an id stands in `sources`. Where several items count from 1, a mark means
    /// the item that stands right before the text.
    ids: HashMap<usize, usize>,
}

impl Found {
    fn take(&mut self, item: &Value, is_marked: bool) {
        let pages = match json_path::text(item, "type") {
            "search_results" => {
                self.queries.extend(json_path::query_list(&item["queries"]));
                json_path::list(item, "results")
            }
            "fetch_url_results" => json_path::list(item, "contents"),
            _ => return,
        };
        let pages: Vec<(Option<usize>, Option<usize>)> = pages
            .iter()
            .map(|page| (id(&json_path::scalar(&page["id"])), self.page(page)))
            .collect();
        if !is_marked {
            return;
        }
        let ids = || pages.iter().filter_map(|(id, place)| Some(((*id)?, *place)));
        // An item that has another page for a known id counts from the start again.
        if ids().any(|(id, place)| self.ids.get(&id).is_some_and(|known| Some(*known) != place)) {
            self.ids.clear();
        }
        self.ids.extend(ids().filter_map(|(id, place)| Some((id, place?))));
    }

    /// Adds a page to the sources, and returns its place among them.
    fn page(&mut self, page: &Value) -> Option<usize> {
        self.sources.add(Source {
            date: json_path::first_text(page, &["date", "last_updated"]).to_owned(),
            ..source(
                json_path::text(page, "url"),
                json_path::text(page, "title"),
                json_path::text(page, "snippet"),
            )
        })
    }
}

/// The number in `7` and in `web:7`.
fn id(text: &str) -> Option<usize> {
    text.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::provider::Provider;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, ok, request, secrets, settings,
    };

    fn perplexity() -> Perplexity {
        Perplexity::new(&settings(UpstreamKind::Perplexity))
    }

    fn searched() -> Value {
        json!({"id": "resp_1", "status": "completed", "error": null, "model": "openai/gpt-6-luna",
            "output": [
            {"type": "search_results", "queries": ["what is ts"], "results": [
                {"id": 3, "url": "https://a.example/", "title": "A", "snippet": "s",
                    "date": null, "last_updated": "2026-08-02", "source": "web"},
                {"id": 4, "url": "https://b.example/", "title": "B", "snippet": "t",
                    "date": "2026-07-01", "last_updated": "2026-08-02"}]},
            {"type": "finance_results", "results": [1]},
            {"type": "search_results", "queries": ["ts site", ""], "results": [
                {"id": 7, "url": "https://c.example/", "title": "C"},
                {"id": "web:9", "url": "https://a.example/"}]},
            {"type": "fetch_url_results", "contents": [{"url": "https://d.example/", "title": "D",
                "snippet": "u"}]},
            {"type": "message", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "Typed.[7] Yes.[web:3][web:9] No.[99]",
                    "annotations": []}]}]})
    }

    fn sonar() -> Value {
        json!({"model": "sonar", "object": "chat.completion", "citations": ["https://a.example/",
            "https://b.example/"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant",
                "content": "Many.[2]"}}]})
    }

    #[test]
    fn only_documented_fields_are_sent() {
        let sent = perplexity().request(&request()).unwrap();
        assert_eq!(sent.url, "https://api.perplexity.ai/v1/agent");
        assert_eq!(secrets(&sent), [("authorization", "Bearer key-of-tests")]);
        assert_eq!(
            sent.body.unwrap(),
            json!({"input": request().prompt, "store": false,
            "model": "perplexity/sonar", "tool_choice": {"type": "web_search"},
            "tools": [{"type": "web_search", "user_location": {"country": "DE"}}]})
        );
        let quiet = ScrapeRequest { web_search: false, ..request() };
        assert!(perplexity().request(&quiet).unwrap().body.unwrap()["tools"].is_null());
        let mut settings = settings(UpstreamKind::Perplexity);
        settings.model = "preset:fast".to_owned();
        let body = Perplexity::new(&settings).request(&request()).unwrap().body.unwrap();
        assert_eq!((&body["preset"], &body["model"]), (&json!("fast"), &Value::Null));
    }

    #[test]
    fn marks_name_the_sources_whatever_their_ids() {
        let answer = answer(&perplexity(), &searched());
        assert_eq!(answer.markdown, "Typed.[3] Yes.[1] No.[99]");
        assert_eq!(answer.model.as_deref(), Some("openai/gpt-6-luna"));
        assert_eq!(answer.queries.unwrap(), ["what is ts", "ts site"]);
        assert_eq!(answer.search.unwrap().calls, Some(2));
        let sources = answer.sources.unwrap();
        assert_eq!(
            (sources[0].date.as_str(), sources[1].date.as_str()),
            ("2026-08-02", "2026-07-01")
        );
        let urls: Vec<String> = sources.into_iter().map(|page| page.url).collect();
        assert_eq!(
            urls,
            [
                "https://a.example/",
                "https://b.example/",
                "https://c.example/",
                "https://d.example/"
            ]
        );
        let cited: Vec<String> =
            answer.citations.unwrap().into_iter().map(|page| page.title).collect();
        assert_eq!(cited, ["C", "A"]);
        assert_eq!(answer.related_questions, None);
    }

    #[test]
    fn marks_name_the_search_right_before_the_text() {
        let page = |id: u64, name: &str| json!({"id": id, "url": format!("https://{name}.example/"), "title": name});
        let search =
            |pages: Value| json!({"type": "search_results", "queries": ["q"], "results": pages});
        let said = |text: &str| json!({"type": "message", "content": [{"type": "output_text", "text": text}]});
        let body = json!({"status": "completed", "output": [
            search(json!([page(1, "a"), page(2, "b"), page(3, "c")])),
            search(json!([page(1, "d"), page(2, "a")])),
            said("One.[1] Two.[2] Three.[3]"),
            search(json!([page(1, "e")]))]});
        let answer = answer(&perplexity(), &body);
        assert_eq!(answer.sources.unwrap().len(), 5);
        assert_eq!(answer.markdown, "One.[4] Two.[1] Three.\\[3]");
        let cited: Vec<String> =
            answer.citations.unwrap().into_iter().map(|page| page.title).collect();
        assert_eq!(cited, ["d", "a"]);
    }

    #[test]
    fn ids_that_count_again_from_one_replace_the_earlier_ones() {
        let page =
            |id: u64, name: &str| json!({"id": id, "url": format!("https://{name}.example/")});
        let said = json!({"type": "message",
            "content": [{"type": "output_text", "text": "Hi [2], x [3]."}]});
        let first = json!({"type": "search_results",
            "results": [page(1, "a"), page(2, "b"), page(3, "e")]});
        let again = json!({"type": "search_results", "results": [page(1, "c")]});
        let body = json!({"status": "completed", "output": [first, again, said]});
        let whole = answer(&perplexity(), &body);
        assert_eq!(whole.markdown, "Hi \\[2], x \\[3].");
        assert_eq!(whole.citations, Some(Vec::new()));
        // Where an id names the page that it named before, nothing counts again.
        let opened = json!({"type": "fetch_url_results", "contents": [page(1, "a")]});
        let body = json!({"status": "completed", "output": [first, opened, said]});
        assert_eq!(answer(&perplexity(), &body).markdown, "Hi [2], x [3].");
    }

    #[test]
    fn the_retired_shape_is_still_read() {
        let answer = answer(&perplexity(), &sonar());
        assert_eq!(answer.markdown, "Many.[2]");
        assert_eq!(answer.sources.unwrap().len(), 2);
        assert_eq!(answer.citations.unwrap()[0].url, "https://b.example/");
        assert_eq!(answer.queries, None);
    }

    #[test]
    fn no_search_is_told_and_a_background_answer_asked_for() {
        let mut body = searched();
        body["output"] = json!([body["output"][4]]);
        assert_eq!(answer(&perplexity(), &body).warnings, ["The engine made no search."]);
        let begun = json!({"id": "resp_1", "status": "queued"});
        let step = perplexity().reply(&request(), &[ok(&begun)]).unwrap();
        assert_eq!(step, Step::Begun("resp_1".to_owned()));
        let next = perplexity().look_at("resp_1").unwrap();
        assert_eq!(next.url, "https://api.perplexity.ai/v1/responses/resp_1");
    }

    #[test]
    fn failures_are_told_apart() {
        let error = |code: u16, kind: &str| {
            json!({"error": {"message": "No.", "type": kind,
            "code": code}})
        };
        assert_eq!(
            failure(&perplexity(), 401, &error(401, "invalid_api_key")).reason,
            Reason::Auth
        );
        assert_eq!(
            failure(&perplexity(), 429, &error(429, "request_rate_limit_exceeded")).reason,
            Reason::UpstreamRateLimited
        );
        assert_eq!(
            failure(&perplexity(), 400, &error(400, "invalid_request")).reason,
            Reason::BadRequest
        );
        assert_eq!(
            failure(&perplexity(), 424, &error(424, "failed_dependency")).reason,
            Reason::BadRequest
        );
        let cut =
            json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}});
        assert_eq!(failure(&perplexity(), 200, &cut).reason, Reason::Incomplete);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&perplexity(), &[searched(), sonar()]);
    }
}
