//! cloro: the pages of six engines and Google's AI Overview, each as a task; `model` names the
//! engine.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Source};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::place::{self, Fields};
use super::{cards, json_path, overview, serp_page};

const SHIPPED: Shipped =
    Shipped { base_url: "https://api.cloro.dev", model: "chatgpt", sign_in: SignIn::Bearer };
const TASKS: &str = "/v1/async/task";
/// Under which names the engines' pages list their queries.
const QUERIES: &[&str] = &["searchQueries", "search_model_queries"];

/// An engine, by its word in `model`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Chatgpt,
    Perplexity,
    Copilot,
    Gemini,
    Grok,
    GoogleAiMode,
    GoogleAiOverview,
}

impl Engine {
    const ALL: [(&'static str, Engine); 7] = [
        ("chatgpt", Engine::Chatgpt),
        ("perplexity", Engine::Perplexity),
        ("copilot", Engine::Copilot),
        ("gemini", Engine::Gemini),
        ("grok", Engine::Grok),
        ("google_ai_mode", Engine::GoogleAiMode),
        (overview::ENGINE, Engine::GoogleAiOverview),
    ];

    /// Returns the vendor's word for a task of this engine.
    const fn task_type(self) -> &'static str {
        match self {
            Engine::Chatgpt => "CHATGPT",
            Engine::Perplexity => "PERPLEXITY",
            Engine::Copilot => "COPILOT",
            Engine::Gemini => "GEMINI",
            Engine::Grok => "GROK",
            Engine::GoogleAiMode => "AIMODE",
            Engine::GoogleAiOverview => "GOOGLE",
        }
    }

    /// Returns what of a place it has a field for.
    const fn fields(self) -> Fields {
        match self {
            Engine::GoogleAiMode | Engine::GoogleAiOverview => Fields::GOOGLE,
            Engine::Chatgpt
            | Engine::Perplexity
            | Engine::Copilot
            | Engine::Gemini
            | Engine::Grok => Fields::COUNTRY,
        }
    }
}

/// One engine at cloro.
pub(crate) struct Cloro {
    account: Account,
}

impl Cloro {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Cloro {
        Cloro { account: Account::new(settings, &SHIPPED) }
    }

    fn engine(&self) -> Result<Engine, UpstreamError> {
        self.account.engine(&Engine::ALL)
    }

    /// The answer of a task that has ended.
    fn answer(
        &self,
        engine: Engine,
        request: &ScrapeRequest,
        response: &Value,
    ) -> Result<Answer, UpstreamError> {
        // The result stands alone, or in the envelope of the synchronous API.
        let result = if response["result"].is_object() { &response["result"] } else { response };
        let answer = if engine == Engine::GoogleAiOverview {
            page_of_results(request, result)
        } else {
            conversation(request, result)
        };
        if answer.markdown.trim().is_empty() && answer.present != Some(false) {
            return Err(self.account.empty());
        }
        Ok(Answer { place: place::applied(request, engine.fields()), ..answer })
    }
}

impl Provider for Cloro {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn limits(&self) -> Limits {
        match self.engine().ok() {
            Some(Engine::GoogleAiOverview) => {
                Limits { prompt_chars_max: overview::QUERY_CHARS_MAX, ..Limits::default() }
            }
            Some(_) | None => Limits::default(),
        }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let engine = self.engine()?;
        place::check(&self.account, request, Some(engine.fields()))?;
        let mut payload = if engine == Engine::GoogleAiOverview {
            json!({"query": request.prompt, "include": {"aioverview": {"markdown": true}}})
        } else {
            json!({"prompt": request.prompt, "include": {"markdown": true}})
        };
        if engine.fields() == Fields::GOOGLE {
            payload["gl"] = json!(request.country.to_ascii_lowercase());
            payload["hl"] = json!(place::google_language(request));
            if let Some(location) = place::google_location(request) {
                payload["location"] = json!(location);
            }
            if let Some(device) = place::device(request) {
                payload["device"] = json!(device);
            }
        } else {
            payload["country"] = json!(country::of(&request.country).alpha_2);
        }
        if engine == Engine::Chatgpt {
            payload["include"]["searchQueries"] = json!(true);
            if !request.web_search {
                payload["disableWebSearch"] = json!(true);
            }
        }
        let task = json!({"taskType": engine.task_type(), "payload": payload});
        Ok(self.account.post(TASKS, task))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let engine = self.engine()?;
        let body = self.account.read(request, replies)?;
        let (task, response) = (&body["task"], &body["response"]);
        match json_path::text(task, "status").to_ascii_uppercase().as_str() {
            "COMPLETED" => {
                let answer = self.answer(engine, request, response)?;
                Ok(Step::Done(Box::new(answer)))
            }
            "FAILED" => Err(self.account.failure(request, response)),
            // Whatever else it is called: it goes on.
            _ => match json_path::task_name(task, &["id"]) {
                Some(id) => Ok(Step::Begun(id)),
                None => Err(self.account.invalid_response("answered with JSON that has no task")),
            },
        }
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        Some(self.account.get(&format!("{TASKS}/{task}")))
    }
}

fn conversation(request: &ScrapeRequest, result: &Value) -> Answer {
    let sources = serp_page::pages(result, "sources");
    let queries = serp_page::queries(result, QUERIES, &request.prompt);
    let pills = pills(result);
    Answer {
        markdown: serp_page::without_new_tabs(json_path::first_text(result, &["markdown", "text"])),
        model: json_path::named(result, "model"),
        warnings: serp_page::left_out(&sources),
        cited_is_untold: pills.is_none(),
        citations: Some(pills.unwrap_or_else(|| sources.clone())),
        sources: Some(sources),
        related_questions: json_path::list(result, "related_queries")
            .first()
            .map(|_| json_path::texts(result, "related_queries")),
        products: cards::listed_products(result),
        ads: cards::listed_ads(result),
        entities: cards::listed_entities(result),
        search: serp_page::search(request, queries.as_deref()),
        queries,
        ..Answer::default()
    }
}

/// The pages that the text points at, in their order; `None` where the vendor read no such marks.
fn pills(result: &Value) -> Option<Vec<Source>> {
    let pills = serp_page::pages(result, "citationPills");
    (!pills.is_empty()).then_some(pills)
}

fn page_of_results(request: &ScrapeRequest, result: &Value) -> Answer {
    let overview = ["aioverview", "aiOverview", "ai_overview"].map(|key| &result[key]);
    let overview = overview.into_iter().find(|overview| overview.is_object());
    let citations = overview.map(|it| serp_page::pages(it, "sources")).unwrap_or_default();
    let organic = serp_page::pages(result, "organicResults");
    let questions = json_path::list(result, "peopleAlsoAsk").iter();
    Answer {
        markdown: overview
            .map(|it| json_path::first_text(it, &["markdown", "text"]).to_owned())
            .unwrap_or_default(),
        warnings: serp_page::left_out(&citations),
        sources: Some(citations.iter().cloned().chain(organic).collect()),
        citations: Some(citations),
        related_questions: Some(
            questions.filter_map(|question| json_path::named(question, "question")).collect(),
        ),
        ads: cards::listed_ads(result),
        search: serp_page::search(request, None),
        present: Some(overview.is_some()),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, ok, request, secrets, settings,
    };

    fn cloro(engine: &str) -> Cloro {
        let mut settings = settings(UpstreamKind::Cloro);
        settings.model = engine.to_owned();
        Cloro::new(&settings)
    }

    fn task(status: &str, response: Value) -> Value {
        json!({"task": {"id": "b27a21e1", "taskType": "CHATGPT", "status": status},
            "credits": {"creditsCharged": 5}, "response": response})
    }

    fn conversation() -> Value {
        task(
            "COMPLETED",
            json!({"success": true, "result": {"text": "Buy this.", "markdown": "Buy **this** [1].",
                "model": "gpt-6", "searchQueries": [request().prompt, "best ring"],
                "sources": [{"position": 1, "url": "https://a.example/",
                    "label": "A. Opens in new tab.",
                    "description": "s", "datePublished": "2026-05-01"}],
                "shoppingCards": [{"products": [{"title": "Ring", "price": "$9"}]}],
                "ads": {"ads": [{"title": "Buy", "url": "https://ad.example/"}]},
                "entities": [{"type": "brand", "name": "Acme"}]}}),
        )
    }

    #[test]
    fn a_task_is_begun_and_looked_at_by_its_name() {
        let sent = cloro("chatgpt").request(&request()).unwrap();
        assert_eq!(sent.url, "https://api.cloro.dev/v1/async/task");
        assert_eq!(secrets(&sent), [("authorization", "Bearer key-of-tests")]);
        assert_eq!(
            sent.body.unwrap(),
            json!({"taskType": "CHATGPT", "payload": {"prompt": request().prompt, "country": "DE",
                "include": {"markdown": true, "searchQueries": true}}})
        );
        for status in ["QUEUED", "PROCESSING", "SOMETHING_NEW", ""] {
            let body = task(status, Value::Null);
            let step = cloro("chatgpt").reply(&request(), &[ok(&body)]).unwrap();
            assert_eq!(step, Step::Begun("b27a21e1".to_owned()), "{status}");
        }
        let look = cloro("chatgpt").look_at("b27a21e1").unwrap();
        assert_eq!(look.url, "https://api.cloro.dev/v1/async/task/b27a21e1");
        let quiet = ScrapeRequest { web_search: false, ..request() };
        let sent = cloro("chatgpt").request(&quiet).unwrap().body.unwrap();
        assert_eq!(sent["payload"]["disableWebSearch"], true);
    }

    #[test]
    fn google_takes_a_place() {
        let mut asked = request();
        asked.location.city = Some("Berlin".to_owned());
        asked.location.language = Some("en".to_owned());
        let sent = cloro("google_ai_overview").request(&asked).unwrap().body.unwrap();
        assert_eq!(sent["taskType"], "GOOGLE");
        let payload = &sent["payload"];
        assert_eq!((&payload["gl"], &payload["hl"]), (&json!("de"), &json!("en")));
        assert_eq!(payload["location"], "Berlin,Germany");
        assert_eq!(payload["query"], asked.prompt.as_str());
    }

    #[test]
    fn a_conversation_is_read_with_all_that_is_beside_it() {
        let answer = answer(&cloro("chatgpt"), &conversation());
        assert_eq!(
            (answer.markdown.as_str(), answer.model.as_deref()),
            ("Buy **this** [1].", Some("gpt-6"))
        );
        assert_eq!(answer.queries.unwrap(), ["best ring"]);
        assert_eq!(answer.search.unwrap().made, Some(true));
        let sources = answer.sources.unwrap();
        assert_eq!((sources[0].title.as_str(), sources[0].date.as_str()), ("A", "2026-05-01"));
        assert_eq!(answer.products.unwrap()[0].price, "$9");
        assert_eq!(answer.ads.unwrap()[0].title, "Buy");
        assert_eq!(answer.entities.unwrap()[0].name, "Acme");
        assert_eq!(answer.related_questions, None);
    }

    #[test]
    fn an_overview_that_is_not_there_is_an_answer() {
        let page = |overview: Value| {
            task(
                "COMPLETED",
                json!({"aioverview": overview, "peopleAlsoAsk": [{"question": "Why?"}],
                "organicResults": [{"title": "B", "link": "https://b.example/"}]}),
            )
        };
        let absent = answer(&cloro("google_ai_overview"), &page(Value::Null));
        assert_eq!((absent.present, absent.markdown.as_str()), (Some(false), ""));
        let there = page(json!({"markdown": "Red.", "sources": [{"url": "https://a.example/"}]}));
        let there = answer(&cloro("google_ai_overview"), &there);
        assert_eq!((there.present, there.sources.unwrap().len()), (Some(true), 2));
        let hollow = page(json!({}));
        assert_eq!(failure(&cloro("google_ai_overview"), 200, &hollow).reason, Reason::Empty);
    }

    #[test]
    fn failures_are_told_apart() {
        let chatgpt = cloro("chatgpt");
        let failed = task(
            "FAILED",
            json!({"error": {"code": "INTERNAL_SERVER_ERROR",
            "message": "Maximum retries exceeded"}}),
        );
        assert_eq!(failure(&chatgpt, 200, &failed).reason, Reason::UpstreamError);
        let empty = task("COMPLETED", json!({"result": {"text": " "}}));
        assert_eq!(failure(&chatgpt, 200, &empty).reason, Reason::Empty);
        assert_eq!(failure(&chatgpt, 200, &task("COMPLETED", Value::Null)).reason, Reason::Empty);
        assert_eq!(failure(&chatgpt, 200, &json!({})).reason, Reason::InvalidResponse);
        let spent = json!({"success": false, "error": {"code": "INSUFFICIENT_CREDITS",
            "message": "Insufficient credits"}});
        assert_eq!(failure(&chatgpt, 403, &spent).reason, Reason::Quota);
        let key = json!({"error": {"code": "INVALID_OR_EXPIRED_API_KEY", "message": "No."}});
        assert_eq!(failure(&chatgpt, 401, &key).reason, Reason::Auth);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&cloro("chatgpt"), &[conversation(), task("QUEUED", json!(1))]);
        assert_tolerates_mutations(&cloro("google_ai_overview"), &[conversation()]);
    }
}
