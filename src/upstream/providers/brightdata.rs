//! Bright Data: the pages of six engines, each as a snapshot of a data set; `model` names the
//! engine.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Link, Search};
use crate::config;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::place::{self, Fields};
use super::{cards, json_path, serp_page};

const SHIPPED: Shipped =
    Shipped { base_url: "https://api.brightdata.com", model: "chatgpt", sign_in: SignIn::Bearer };
/// The engines: their word in `model`, the vendor's data set, and the page that it asks.
const ENGINES: [(&str, &str, &str); 6] = [
    (CHATGPT, "gd_m7aof0k82r803d5bjm", "https://chatgpt.com/"),
    ("perplexity", "gd_m7dhdot1vw9a7gc1n", "https://www.perplexity.ai/"),
    ("copilot", "gd_m7di5jy6s9geokz8w", "https://copilot.microsoft.com/chats"),
    ("gemini", "gd_mbz66arm2mf9cu856y", "https://gemini.google.com/"),
    (GROK, "gd_m8ve0u141icu75ae74", "https://grok.com/"),
    ("google_ai_mode", "gd_mcswdt6z2elth3zqr2", "https://google.com/aimode"),
];
const CHATGPT: &str = "chatgpt";
const GROK: &str = "grok";
/// Under which names the engines' records have their text.
const TEXT: &[&str] = &["answer_text_markdown", "answer_text", "answer", "response", "text"];

/// One engine at Bright Data.
pub(crate) struct Brightdata {
    account: Account,
}

impl Brightdata {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Brightdata {
        Brightdata { account: Account::new(settings, &SHIPPED) }
    }

    /// The record of the one prompt.
    fn answer(&self, request: &ScrapeRequest, record: &Value) -> Result<Answer, UpstreamError> {
        let markdown = serp_page::without_new_tabs(json_path::first_text(record, TEXT));
        if markdown.trim().is_empty() {
            let says = json_path::first_text(record, &["error", "error_message"]);
            let failed = !says.is_empty() || !json_path::text(record, "error_code").is_empty();
            return Err(match failed {
                true => self.account.failure(request, record),
                false => self.account.empty(),
            });
        }
        let citations = serp_page::pages(record, "citations");
        let found = ["search_sources", "sources"].map(|key| serp_page::pages(record, key));
        let queries = queries(record, &request.prompt);
        let links = json_path::list(record, "links_attached").iter();
        Ok(Answer {
            markdown,
            model: json_path::named(record, "model"),
            warnings: serp_page::left_out(&citations),
            search: search(request, record, queries.as_deref()),
            queries,
            sources: Some(citations.iter().cloned().chain(found.concat()).collect()),
            citations: Some(citations),
            links: links.map(read_link).filter(|link| !link.url.is_empty()).collect(),
            products: cards::listed_products(record)
                .or_else(|| record["shopping"].is_array().then(|| shopping(record))),
            ads: cards::listed_ads(record),
            entities: cards::listed_entities(record),
            place: place::applied(request, Fields::COUNTRY),
            url: json_path::named(record, "url"),
            ..Answer::default()
        })
    }
}

impl Provider for Brightdata {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let model = self.account.model.as_str();
        let Some((_, data_set, page)) = ENGINES.iter().find(|(name, ..)| *name == model) else {
            let names = ENGINES.map(|(name, ..)| name);
            return Err(self.account.model_unknown(&names.join(", ")));
        };
        place::check(&self.account, request, Some(Fields::COUNTRY))?;
        let mut input = json!({
            "url": page,
            "prompt": request.prompt,
            "country": request.country.to_ascii_lowercase(),
            "index": 1,
        });
        // The other pages decide by themselves.
        if matches!(model, CHATGPT | GROK) {
            input["web_search"] = json!(request.web_search);
        }
        let path = format!(
            "/datasets/v3/trigger?dataset_id={data_set}&format=json&include_errors=true\
             &notify=false"
        );
        Ok(self.account.post(&path, json!([input])))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let body = self.account.read(request, replies)?;
        if let Some(records) = body.as_array() {
            let record = records.first().ok_or_else(|| self.account.empty())?;
            if !record.is_object() {
                let shape = "answered with JSON of another shape";
                return Err(self.account.invalid_response(shape));
            }
            return Ok(Step::Done(Box::new(self.answer(request, record)?)));
        }
        let id = json_path::task_name(&body, &["snapshot_id"]);
        match (json_path::text(&body, "status").to_ascii_lowercase().as_str(), id) {
            ("failed" | "error" | "cancelled" | "canceled", _) => {
                let says = json_path::first_text(&body, &["error_message", "error", "message"]);
                Err(self.account.fail(request, Verdict::FAILED, says))
            }
            ("ready", Some(id)) => {
                let path = format!("/datasets/v3/snapshot/{id}?format=json");
                Ok(Step::Round(self.account.get(&path)))
            }
            (_, Some(id)) => Ok(Step::Begun(id)),
            (_, None) if !json_path::first_text(&body, TEXT).is_empty() => {
                Ok(Step::Done(Box::new(self.answer(request, &body)?)))
            }
            // A snapshot that is still being built says so without its name.
            ("", None) => Err(self.account.invalid_response("answered with JSON of another shape")),
            (_, None) => Ok(Step::Again),
        }
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        Some(self.account.get(&format!("/datasets/v3/progress/{task}")))
    }
}

/// The queries that the page showed, which stand in one of several places.
fn queries(record: &Value, prompt: &str) -> Option<Vec<String>> {
    let own = serp_page::queries(record, &["web_search_query", "search_model_queries"], prompt);
    own.or_else(|| serp_page::queries(&record["search_model_queries"], &["queries"], prompt))
        .or_else(|| {
            let of_metadata = &record["metadata"]["search_model_queries"];
            serp_page::queries(of_metadata, &["queries"], prompt)
        })
}

/// What is known of the searches. `web_search_triggered` is true only where one was made; it is
/// false beside the queries of searches as well, so that alone says nothing.
fn search(request: &ScrapeRequest, record: &Value, queries: Option<&[String]>) -> Option<Search> {
    let triggered = record["web_search_triggered"].as_bool();
    let by_queries = serp_page::search(request, queries)?;
    let nothing = json_path::list(record, "citations").is_empty()
        && json_path::list(record, "search_sources").is_empty();
    let made = match (by_queries.made, triggered) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (_, Some(false)) if nothing => Some(false),
        (made, _) => made,
    };
    Some(Search { made, ..by_queries })
}

fn shopping(record: &Value) -> Vec<crate::answer::Product> {
    cards::products_in(json_path::list(record, "shopping"))
}

fn read_link(link: &Value) -> Link {
    Link {
        url: json_path::text(link, "url").to_owned(),
        text: serp_page::without_new_tab(json_path::first_text(link, &["text", "title"]))
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, ok, reply, request, settings,
    };

    fn brightdata(engine: &str) -> Brightdata {
        let mut settings = settings(UpstreamKind::Brightdata);
        settings.model = engine.to_owned();
        Brightdata::new(&settings)
    }

    fn records() -> Value {
        json!([{"url": "https://chatgpt.com/?q=x", "prompt": "x", "answer_text": "Buy this.",
            "answer_text_markdown": "Buy **this**.", "model": "gpt-6", "web_search_triggered": true,
            "web_search_query": ["best ring"],
            "citations": [{"url": "https://a.example/", "title": "A", "position": 1}],
            "search_sources": [{"url": "https://b.example/", "title": "B"}],
            "links_attached": [{"url": "https://l.example/", "text": "L. Opens in new tab."}, {}],
            "shopping": [{"title": "Ring", "price": "$9"}], "country": "de"}])
    }

    fn step(body: &Value) -> Step {
        brightdata("chatgpt").reply(&request(), &[ok(body)]).unwrap()
    }

    #[test]
    fn a_snapshot_is_triggered_watched_and_fetched() {
        let sent = brightdata("chatgpt").request(&request()).unwrap();
        assert!(sent.url.contains("/trigger?dataset_id=gd_m7aof0k82r803d5bjm&"), "{}", sent.url);
        let body = sent.body.unwrap();
        assert_eq!((&body[0]["country"], &body[0]["web_search"]), (&json!("de"), &json!(true)));
        let others = brightdata("gemini").request(&request()).unwrap().body.unwrap();
        assert_eq!(others[0]["web_search"], Value::Null);
        assert_eq!(step(&json!({"snapshot_id": "s_1"})), Step::Begun("s_1".to_owned()));
        for status in ["starting", "running", "building", "something new"] {
            let body = json!({"snapshot_id": "s_1", "status": status});
            assert_eq!(step(&body), Step::Begun("s_1".to_owned()), "{status}");
        }
        let Step::Round(next) = step(&json!({"snapshot_id": "s_1", "status": "ready"})) else {
            panic!("it is ready")
        };
        assert_eq!(next.url, "https://api.brightdata.com/datasets/v3/snapshot/s_1?format=json");
        let building = json!({"status": "building", "message": "Snapshot is building."});
        let step = brightdata("chatgpt").reply(&request(), &[reply(202, &[], &building)]).unwrap();
        assert_eq!(step, Step::Again);
    }

    #[test]
    fn a_record_is_read_with_all_that_is_beside_it() {
        let answer = answer(&brightdata("chatgpt"), &records());
        assert_eq!(
            (answer.markdown.as_str(), answer.model.as_deref()),
            ("Buy **this**.", Some("gpt-6"))
        );
        assert_eq!(answer.queries.unwrap(), ["best ring"]);
        assert_eq!((answer.citations.unwrap().len(), answer.sources.unwrap().len()), (1, 2));
        assert_eq!((answer.links.len(), answer.links[0].text.as_str()), (1, "L"));
        assert_eq!(answer.products.unwrap()[0].title, "Ring");
        assert_eq!((answer.ads, answer.related_questions), (None, None));
        assert_eq!(answer.search.unwrap().made, Some(true));
    }

    #[test]
    fn whether_a_search_was_made_is_said_only_where_it_is_known() {
        let made = |triggered: Value, queries: Value, citations: Value| {
            let record = json!([{"answer_text": "x", "web_search_triggered": triggered,
                "web_search_query": queries, "citations": citations}]);
            answer(&brightdata("chatgpt"), &record).search.unwrap().made
        };
        let page = json!([{"url": "https://a.example/"}]);
        assert_eq!(made(json!(false), json!(["q"]), json!([])), Some(true));
        assert_eq!(made(json!(false), json!([]), json!([])), Some(false));
        assert_eq!(made(json!(false), json!([]), page.clone()), None);
        assert_eq!(made(json!(null), json!(null), page), None);
    }

    #[test]
    fn failures_are_told_apart() {
        let reason = |body: Value| failure(&brightdata("chatgpt"), 200, &body).reason;
        assert_eq!(reason(json!({"snapshot_id": "s", "status": "failed"})), Reason::UpstreamError);
        assert_eq!(
            reason(json!([{"error": "Crawler error", "error_code": "x"}])),
            Reason::UpstreamError
        );
        assert_eq!(reason(json!([{"answer_text": " "}])), Reason::Empty);
        assert_eq!(reason(json!([])), Reason::Empty);
        assert_eq!(reason(json!({"status": ""})), Reason::InvalidResponse);
        let error = brightdata("altavista").request(&request()).unwrap_err();
        assert!(error.sentence.contains("google_ai_mode"), "{error}");
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        let progress = json!({"snapshot_id": "s", "status": "ready"});
        assert_tolerates_mutations(&brightdata("chatgpt"), &[records(), progress]);
    }
}
