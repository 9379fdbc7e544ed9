//! Any service that speaks this very API: ScrapeLLM, or another answerd. `model` names the scraper
//! there, if it is not called as here. Its jobs are the tasks.

use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::answer::{Answer, AppliedPlace, Kind, Link, PlaceBy, Search, Source};
use crate::config;
use crate::job::{Cost, Device, Location, ScrapeRequest, UpstreamUsage};
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::{cards, json_path, serp_page, token_usage};

const SHIPPED: Shipped = Shipped { base_url: "", model: "", sign_in: SignIn::Header("X-API-Key") };
/// The lists that may hold what was consulted; those that an answer has are read one after another.
const SOURCES: &[&str] = &["sources", "web_sources", "search_results"];
const CITATIONS: &str = "citations";
/// The codes of jobs that fail for their request, wherever it is sent.
const OF_THE_REQUEST: &[(&str, Verdict)] = &[
    ("answer_refused", Verdict::DECLINED),
    ("country_unsupported", Verdict::NO_COUNTRY),
    ("place_unsupported", Verdict::NO_PLACE),
];

/// A service with this API.
pub(crate) struct Scrapellm {
    account: Account,
}

impl Scrapellm {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Scrapellm {
        Scrapellm { account: Account::new(settings, &SHIPPED) }
    }

    fn answer(&self, request: &ScrapeRequest, result: &Value) -> Result<Answer, UpstreamError> {
        let markdown = json_path::first_text(result, &["result_markdown", "result"]);
        let answer = read(request, result, markdown);
        let sells = answer.products.as_ref().is_some_and(|products| !products.is_empty());
        if markdown.trim().is_empty() && answer.present != Some(false) && !sells {
            return Err(self.account.empty());
        }
        let asked = &request.location;
        if asked.strict && answer.place.as_ref().map(|place| &place.location) != Some(asked) {
            return Err(self.account.place_unsupported("place"));
        }
        Ok(answer)
    }
}

impl Scrapellm {
    /// Returns the failure of a job there. What it says of the prompt or the place holds here too.
    fn failed(&self, request: &ScrapeRequest, body: &Value) -> UpstreamError {
        let code = json_path::text(body, "error_code");
        match OF_THE_REQUEST.iter().find(|(known, _)| *known == code) {
            Some((_, verdict)) => {
                self.account.fail(request, *verdict, json_path::text(body, "error"))
            }
            None => self.account.failure(request, body),
        }
    }
}

impl Provider for Scrapellm {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let scraper = match self.account.model.as_str() {
            "" => request.scraper.as_str(),
            model => model,
        };
        let word = |flag: bool| if flag { "true" } else { "false" };
        let mut query = Serializer::new(String::new());
        query.append_pair("prompt", &request.prompt).append_pair("country", &request.country);
        query.append_pair("web_search", word(request.web_search));
        // An answer from their cache is not what was asked for: ours is its own.
        query.append_pair("bypass_cache", "true");
        query.append_pair("timeout", &(request.timeout_ms / 1_000).max(10).to_string());
        let mode = request.mode.as_deref();
        let [region, city, language, timezone, device] = request.location.parts();
        let named = [
            ("mode", mode),
            ("region", region),
            ("city", city),
            ("language", language),
            ("timezone", timezone),
            ("device", device),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if request.location.strict {
            query.append_pair("strict_place", "true");
        }
        let mut sent = self.account.get(&format!("/scrapers/{scraper}/jobs?{}", query.finish()));
        sent.method = crate::net::Method::Post;
        Ok(sent)
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let body = self.account.read(request, replies)?;
        match json_path::text(&body, "status") {
            "done" => {
                let answer = self.answer(request, &body["result"])?;
                Ok(Step::Done(Box::new(answer)))
            }
            "failed" => Err(self.failed(request, &body)),
            // Whatever else it is called: it goes on.
            _ => match json_path::task_name(&body, &["job_id"]) {
                Some(id) => Ok(Step::Begun(id)),
                None => Err(self.account.invalid_response("answered with JSON that has no job")),
            },
        }
    }

    fn usage(&self, replies: &[HttpReply]) -> UpstreamUsage {
        token_usage::told(replies.last(), |body| usage(&body["result"]))
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        Some(self.account.get(&format!("/jobs/{task}")))
    }
}

/// Whether the service says that its upstream cannot give a list.
fn is_unsupported(result: &Value, list: &str) -> bool {
    json_path::text(&result["provenance"]["fields"], list) == "unsupported"
}

fn is_told(result: &Value, list: &str) -> bool {
    result[list].is_array() && !is_unsupported(result, list)
}

fn lines(result: &Value, list: &str) -> Option<Vec<String>> {
    is_told(result, list).then(|| json_path::texts(result, list))
}

fn pages(result: &Value, lists: &[&str]) -> Option<Vec<Source>> {
    let told: Vec<&&str> = lists.iter().filter(|list| is_told(result, list)).collect();
    let pages = || told.iter().flat_map(|list| serp_page::pages(result, list)).collect();
    (!told.is_empty()).then(pages)
}

fn read(request: &ScrapeRequest, result: &Value, markdown: &str) -> Answer {
    let citations = pages(result, &[CITATIONS]);
    let links = json_path::list(result, "links").iter().map(|link| Link {
        url: json_path::text(link, "url").to_owned(),
        text: json_path::text(link, "text").to_owned(),
    });
    let queries = lines(result, "search_queries");
    Answer {
        markdown: markdown.to_owned(),
        model: json_path::named(result, "llm_model"),
        sources: pages(result, SOURCES).or_else(|| citations.clone()),
        citations,
        links: links.filter(|link| !link.url.is_empty()).collect(),
        x_results: pages(result, &["x_results"]),
        related_questions: lines(result, "related_questions"),
        products: is_told(result, "products").then(|| cards::products(result)),
        ads: is_told(result, "ads").then(|| cards::ads(result)),
        entities: is_told(result, "entities").then(|| cards::entities(result)),
        search: search(request, result, queries.as_deref()),
        queries,
        place: place(request, result),
        present: result["present"].as_bool(),
        url: json_path::named(result, "url"),
        warnings: warnings(result),
        ..Answer::default()
    }
}

/// What the service warns of, and where the answer comes from if not off a page.
fn warnings(result: &Value) -> Vec<String> {
    let mut warnings = json_path::texts(result, "warnings");
    let provenance = &result["provenance"];
    let (upstream, kind) =
        (json_path::word(provenance, "upstream"), json_path::word(provenance, "kind"));
    if !kind.is_empty() && kind != Kind::Serp.word() {
        warnings
            .push(format!("The service took this answer from `{upstream}`, of the kind `{kind}`."));
    }
    warnings
}

fn search(request: &ScrapeRequest, result: &Value, queries: Option<&[String]>) -> Option<Search> {
    let told = &result["search"];
    if !told.is_object() {
        return serp_page::search(request, queries);
    }
    let count = |key: &str| told[key].as_u64().and_then(|count| u32::try_from(count).ok());
    Some(Search {
        asked: told["asked"].as_bool().unwrap_or(request.web_search),
        made: told["made"].as_bool(),
        calls: count("calls"),
        failed: count("failed").unwrap_or_default(),
    })
}

fn usage(result: &Value) -> UpstreamUsage {
    let told = &result["usage"];
    UpstreamUsage {
        input_tokens: told["input_tokens"].as_u64(),
        output_tokens: told["output_tokens"].as_u64(),
        reasoning_tokens: told["reasoning_tokens"].as_u64(),
        searches: told["searches"].as_u64(),
        cost: told["cost_usd"].as_f64().and_then(Cost::told),
    }
}

/// What the service says of the place; one that says nothing has a field for the country.
fn place(request: &ScrapeRequest, result: &Value) -> Option<AppliedPlace> {
    let (applied, by) = (&result["place"]["applied"], json_path::text(&result["place"], "by"));
    if !applied.is_object() {
        return super::place::applied(request, super::place::Fields::COUNTRY);
    }
    let words = [PlaceBy::Field, PlaceBy::Instruction, PlaceBy::Proxy];
    let location = Location {
        region: json_path::named(applied, "region"),
        city: json_path::named(applied, "city"),
        language: json_path::named(applied, "language"),
        timezone: json_path::named(applied, "timezone"),
        device: Device::named(json_path::text(applied, "device")),
        strict: request.location.strict,
    };
    Some(AppliedPlace {
        country: json_path::named(applied, "country"),
        location,
        by: words.into_iter().find(|word| word.word() == by).unwrap_or(PlaceBy::None),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, reply, request, secrets, settings,
    };

    fn scrapellm(model: &str) -> Scrapellm {
        let mut settings = settings(UpstreamKind::Scrapellm);
        settings.base_url = "https://answers.example".to_owned();
        settings.model = model.to_owned();
        Scrapellm::new(&settings)
    }

    fn job(result: Value) -> Value {
        json!({"job_id": "5f0c", "status": "done", "result": result})
    }

    /// As ScrapeLLM answers, with nothing that answerd adds.
    fn plain() -> Value {
        job(json!({"scraper": "perplexity", "status": "done", "result": "So.",
            "result_markdown": "So [1].", "sources": [{"title": "A", "url": "https://a.example/",
                "snippet": "s"}], "related_questions": ["Why?"], "llm_model": "sonar"}))
    }

    #[test]
    fn a_job_is_submitted_and_polled() {
        let mut asked = ScrapeRequest { prompt: "a&b".to_owned(), ..request() };
        asked.location.city = Some("Berlin".to_owned());
        let sent = scrapellm("").request(&asked).unwrap();
        assert_eq!(
            sent.url,
            "https://answers.example/scrapers/chatgpt/jobs?prompt=a%26b&country=DE&web_search=true\
             &bypass_cache=true&timeout=300&city=Berlin"
        );
        assert_eq!((sent.method, sent.body.is_none()), (crate::net::Method::Post, true));
        assert_eq!(secrets(&sent), [("X-API-Key", "key-of-tests")]);
        let sent = scrapellm("perplexity").request(&request()).unwrap();
        assert!(sent.url.contains("/scrapers/perplexity/jobs?"), "{}", sent.url);
        let pending = json!({"job_id": "5f0c", "status": "pending"});
        let step = scrapellm("").reply(&request(), &[reply(202, &[], &pending)]).unwrap();
        assert_eq!(step, Step::Begun("5f0c".to_owned()));
        assert_eq!(scrapellm("").look_at("5f0c").unwrap().url, "https://answers.example/jobs/5f0c");
    }

    #[test]
    fn result_of_the_contract_alone_is_read() {
        let answer = answer(&scrapellm(""), &plain());
        assert_eq!((answer.markdown.as_str(), answer.model.as_deref()), ("So [1].", Some("sonar")));
        assert_eq!(answer.sources.unwrap()[0].snippet, "s");
        assert_eq!(answer.related_questions.unwrap(), ["Why?"]);
        assert_eq!((answer.citations, answer.queries, answer.products), (None, None, None));
        assert_eq!((answer.present, answer.warnings.len()), (None, 0));
        assert_eq!(answer.place.unwrap().country.as_deref(), Some("DE"));
    }

    #[test]
    fn result_of_another_answerd_keeps_what_it_says_of_itself() {
        let body = job(json!({"result": "So.", "result_markdown": "So.", "links": [],
            "search_queries": [], "products": [{"title": "Ring",
                "price": {"raw": "$9", "amount": "9", "currency": "USD"}}],
            "search": {"asked": true, "made": false, "calls": 1, "failed": 1},
            "usage": {"input_tokens": 3, "cost_usd": 0.5},
            "place": {"asked": {}, "applied": {"country": "US", "region": "Texas"}, "by": "field"},
            "warnings": ["The engine made no search."],
            "provenance": {"upstream": "openai", "kind": "api",
                "fields": {"search_queries": "unsupported", "links": "empty"}}}));
        let answer = answer(&scrapellm(""), &body);
        assert_eq!(answer.queries, None, "what is not supported there is not empty here");
        let search = answer.search.unwrap();
        assert_eq!((search.made, search.calls, search.failed), (Some(false), Some(1), 1));
        assert_eq!(answer.products.unwrap()[0].price, "$9");
        assert_eq!((answer.usage.input_tokens, answer.usage.cost.unwrap().usd()), (Some(3), 0.5));
        let place = answer.place.unwrap();
        assert_eq!((place.location.region.as_deref(), place.by), (Some("Texas"), PlaceBy::Field));
        assert_eq!(answer.warnings.len(), 2);
        assert!(
            answer.warnings[1].contains("`openai`, of the kind `api`"),
            "{:?}",
            answer.warnings
        );
    }

    #[test]
    fn absence_and_failures_are_told_apart() {
        let absent = answer(&scrapellm(""), &job(json!({"result": "", "present": false})));
        assert_eq!((absent.present, absent.markdown.as_str()), (Some(false), ""));
        let reason = |body: Value| failure(&scrapellm(""), 200, &body).reason;
        assert_eq!(reason(job(json!({"result": ""}))), Reason::Empty);
        let failed = json!({"job_id": "5f0c", "status": "failed", "error": "No upstream."});
        assert_eq!(reason(failed), Reason::UpstreamError);
        assert_eq!(reason(json!({"status": "pending"})), Reason::InvalidResponse);
        let full = json!({"detail": "Credit limit reached.", "code": "credit_limit"});
        assert_eq!(failure(&scrapellm(""), 429, &full).reason, Reason::Quota);
        assert_eq!(
            failure(&scrapellm(""), 401, &json!({"detail": "Invalid API key."})).reason,
            Reason::Auth
        );
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&scrapellm(""), &[plain(), job(json!({"place": {}}))]);
    }
}
