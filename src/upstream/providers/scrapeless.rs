//! Scrapeless: the pages of seven engines and Amazon's Rufus, each as a task of an actor; `model`
//! names the engine.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Link, Source};
use crate::config;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::place::{self, Fields};
use super::{cards, json_path, serp_page};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.scrapeless.com",
    model: "chatgpt",
    sign_in: SignIn::Header("x-api-token"),
};
/// Under which names the actors' results have their text.
const TEXT: &[&str] = &[
    "result_text",
    "full_response",
    "raw_response",
    "markdown",
    "answer",
    "response",
    "text",
    "content",
];
/// Under which names the actors list what the text rests on.
const CITED: &[&str] = &["citations", "content_references", "references"];
/// Under which names the actors list what was found.
const FOUND: &[&str] = &["search_result", "web_results", "web_search_results"];
/// Under which names the actors list further questions.
const QUESTIONS: &[&str] = &["related_prompt", "related_questions", "suggested_questions"];
/// Amazon's site in each country where it has one.
const AMAZON: [(&str, &str); 23] = [
    ("AE", "www.amazon.ae"),
    ("AU", "www.amazon.com.au"),
    ("BE", "www.amazon.com.be"),
    ("BR", "www.amazon.com.br"),
    ("CA", "www.amazon.ca"),
    ("DE", "www.amazon.de"),
    ("EG", "www.amazon.eg"),
    ("ES", "www.amazon.es"),
    ("FR", "www.amazon.fr"),
    ("GB", "www.amazon.co.uk"),
    ("IE", "www.amazon.ie"),
    ("IN", "www.amazon.in"),
    ("IT", "www.amazon.it"),
    ("JP", "www.amazon.co.jp"),
    ("MX", "www.amazon.com.mx"),
    ("NL", "www.amazon.nl"),
    ("PL", "www.amazon.pl"),
    ("SA", "www.amazon.sa"),
    ("SE", "www.amazon.se"),
    ("SG", "www.amazon.sg"),
    ("TR", "www.amazon.com.tr"),
    ("US", "www.amazon.com"),
    ("ZA", "www.amazon.co.za"),
];
/// The same countries, as limits name them.
const AMAZON_COUNTRIES: &[&str] = &[
    "AE", "AU", "BE", "BR", "CA", "DE", "EG", "ES", "FR", "GB", "IE", "IN", "IT", "JP", "MX", "NL",
    "PL", "SA", "SE", "SG", "TR", "US", "ZA",
];

/// An engine, by its word in `model`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Chatgpt,
    Perplexity,
    Copilot,
    Gemini,
    Grok,
    GoogleAiMode,
    MetaAi,
    AmazonRufus,
}

impl Engine {
    const ALL: [(&'static str, Engine); 8] = [
        ("chatgpt", Engine::Chatgpt),
        ("perplexity", Engine::Perplexity),
        ("copilot", Engine::Copilot),
        ("gemini", Engine::Gemini),
        ("grok", Engine::Grok),
        ("google_ai_mode", Engine::GoogleAiMode),
        ("meta_ai", Engine::MetaAi),
        ("amazon_rufus", Engine::AmazonRufus),
    ];

    const fn actor(self) -> &'static str {
        match self {
            Engine::Chatgpt => "scraper.chatgpt",
            Engine::Perplexity => "scraper.perplexity",
            Engine::Copilot => "scraper.copilot",
            Engine::Gemini => "scraper.gemini",
            Engine::Grok => "scraper.grok",
            Engine::GoogleAiMode => "scraper.aimode",
            Engine::MetaAi => "scraper.meta",
            Engine::AmazonRufus => "scraper.amazon",
        }
    }

    /// Returns where its tasks are: the actor of shops is of an older interface.
    const fn path(self) -> &'static str {
        match self {
            Engine::AmazonRufus => "/api/v1/scraper",
            Engine::Chatgpt
            | Engine::Perplexity
            | Engine::Copilot
            | Engine::Gemini
            | Engine::Grok
            | Engine::GoogleAiMode
            | Engine::MetaAi => "/api/v2/scraper",
        }
    }

    fn input(self, request: &ScrapeRequest) -> Value {
        let mut input = json!({"prompt": request.prompt, "country": request.country});
        let mode = request.mode.as_deref().unwrap_or_default();
        match self {
            Engine::Chatgpt | Engine::Perplexity => input["web_search"] = json!(request.web_search),
            Engine::Copilot => {
                input["mode"] = json!(if mode.is_empty() { "search" } else { mode });
            }
            Engine::Grok => {
                let mode = if mode.is_empty() { "auto" } else { mode };
                input["mode"] = json!(format!("MODEL_MODE_{}", mode.to_ascii_uppercase()));
            }
            Engine::AmazonRufus => {
                let site = AMAZON.iter().find(|(country, _)| *country == request.country);
                let site = site.map_or("www.amazon.com", |(_, site)| site);
                return json!({"type": "rufus", "keywords": request.prompt, "domain": site});
            }
            Engine::Gemini | Engine::GoogleAiMode | Engine::MetaAi => {}
        }
        input
    }
}

/// One engine at Scrapeless.
pub(crate) struct Scrapeless {
    account: Account,
}

impl Scrapeless {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Scrapeless {
        Scrapeless { account: Account::new(settings, &SHIPPED) }
    }

    fn engine(&self) -> Result<Engine, UpstreamError> {
        self.account.engine(&Engine::ALL)
    }

    fn done(&self, request: &ScrapeRequest, result: &Value) -> Result<Step, UpstreamError> {
        let answer = answer(self.engine()?, request, result);
        let says = !answer.markdown.trim().is_empty();
        let sells = answer.products.as_ref().is_some_and(|products| !products.is_empty());
        if says || sells { Ok(Step::Done(Box::new(answer))) } else { Err(self.account.empty()) }
    }
}

impl Provider for Scrapeless {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn limits(&self) -> Limits {
        match self.engine().ok() {
            Some(Engine::AmazonRufus) => {
                Limits { countries: Some(AMAZON_COUNTRIES), ..Limits::default() }
            }
            Some(_) | None => Limits::default(),
        }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let engine = self.engine()?;
        place::check(&self.account, request, Some(Fields::COUNTRY))?;
        let task = json!({"actor": engine.actor(), "input": engine.input(request)});
        Ok(self.account.post(&format!("{}/request", engine.path()), task))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let engine = self.engine()?;
        let body = self.account.read(request, replies)?;
        let id = json_path::task_name(&body, &["task_id", "taskId"]);
        let result = body.get("task_result");
        match json_path::text(&body, "status").to_ascii_lowercase().as_str() {
            "failed" | "error" => Err(self.account.failure(request, &body)),
            // That the vendor took a task has this word too, and no result yet.
            "success" if result.is_some() || id.is_none() => {
                self.done(request, result.unwrap_or(&Value::Null))
            }
            // Without an envelope, the whole body is the result.
            "" if engine == Engine::AmazonRufus && id.is_none() && !body["result"].is_null() => {
                self.done(request, &body["result"])
            }
            // Whatever else it is called: it goes on.
            _ => match id {
                Some(id) => Ok(Step::Begun(id)),
                None if body.is_object() => Ok(Step::Again),
                None => Err(self.account.invalid_response("answered with JSON of another shape")),
            },
        }
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        let path = self.engine().map_or("", Engine::path);
        Some(self.account.get(&format!("{path}/result/{task}")))
    }
}

fn answer(engine: Engine, request: &ScrapeRequest, result: &Value) -> Answer {
    let own = result.as_str().unwrap_or_else(|| json_path::first_text(result, TEXT));
    let pages = |keys: &[&str]| -> Option<Vec<Source>> {
        let listed = keys.iter().filter(|key| result[**key].is_array()).collect::<Vec<_>>();
        let pages = || listed.iter().flat_map(|key| serp_page::pages(result, key)).collect();
        (!listed.is_empty()).then(pages)
    };
    let citations = pages(CITED).unwrap_or_default();
    let mut sources = citations.clone();
    sources.extend(pages(FOUND).unwrap_or_default());
    for step in json_path::list(result, "search_steps") {
        sources.extend(serp_page::pages(step, "sources"));
    }
    let queries = serp_page::queries(result, &["search_queries", "queries"], &request.prompt);
    let questions = QUESTIONS.iter().find(|key| result[**key].is_array());
    let links = json_path::list(result, "links").iter();
    let is_shop = engine == Engine::AmazonRufus;
    Answer {
        markdown: serp_page::without_new_tabs(own),
        model: json_path::named(result, "model"),
        warnings: serp_page::left_out(&citations),
        // Perplexity's and Grok's actors have one list, which the marks in the text count.
        citations: Some(if citations.is_empty() { sources.clone() } else { citations }),
        sources: Some(sources),
        x_results: pages(&["x_search_results"]),
        links: links.map(read_link).filter(|link| !link.url.is_empty()).collect(),
        related_questions: questions.map(|key| json_path::texts(result, key)),
        products: cards::listed_products(result).or_else(|| is_shop.then(Vec::new)),
        ads: cards::listed_ads(result),
        search: serp_page::search(request, queries.as_deref()),
        queries,
        place: place::applied(request, Fields::COUNTRY),
        url: ["raw_url", "share_url", "url"].iter().find_map(|key| json_path::named(result, key)),
        ..Answer::default()
    }
}

fn read_link(link: &Value) -> Link {
    let text = json_path::first_text(link, &["text", "title"]);
    Link {
        url: link.as_str().unwrap_or_else(|| json_path::text(link, "url")).to_owned(),
        text: serp_page::without_new_tab(text).to_owned(),
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

    fn scrapeless(engine: &str) -> Scrapeless {
        let mut settings = settings(UpstreamKind::Scrapeless);
        settings.model = engine.to_owned();
        Scrapeless::new(&settings)
    }

    fn success(result: Value) -> Value {
        json!({"status": "success", "task_id": "t-1", "task_result": result})
    }

    fn sent(engine: &str, request: &ScrapeRequest) -> Value {
        scrapeless(engine).request(request).unwrap().body.unwrap()
    }

    #[test]
    fn a_task_of_an_actor_is_begun_and_looked_at() {
        let first = scrapeless("chatgpt").request(&request()).unwrap();
        assert_eq!(first.url, "https://api.scrapeless.com/api/v2/scraper/request");
        assert_eq!(secrets(&first), [("x-api-token", "key-of-tests")]);
        assert_eq!(
            first.body.unwrap(),
            json!({"actor": "scraper.chatgpt", "input": {"prompt": request().prompt,
                "country": "DE", "web_search": true}})
        );
        let ask = scrapeless("chatgpt");
        for status in ["pending", "running", "success", "something new"] {
            let body = json!({"status": status, "task_id": "t-1"});
            assert_eq!(ask.reply(&request(), &[ok(&body)]).unwrap(), Step::Begun("t-1".to_owned()));
        }
        let look = ask.look_at("t-1").unwrap();
        assert_eq!(look.url, "https://api.scrapeless.com/api/v2/scraper/result/t-1");
        let mode = ScrapeRequest { mode: Some("reasoning".to_owned()), ..request() };
        assert_eq!(sent("copilot", &mode)["input"]["mode"], "reasoning");
        assert_eq!(sent("copilot", &request())["input"]["mode"], "search");
        assert_eq!(sent("grok", &request())["input"]["mode"], "MODEL_MODE_AUTO");
    }

    #[test]
    fn rufus_is_asked_at_the_site_of_the_country() {
        let ask = scrapeless("amazon_rufus");
        let first = ask.request(&request()).unwrap();
        assert!(first.url.ends_with("/api/v1/scraper/request"));
        assert_eq!(
            first.body.unwrap(),
            json!({"actor": "scraper.amazon", "input": {"type": "rufus",
                "keywords": request().prompt, "domain": "www.amazon.de"}})
        );
        assert!(AMAZON.iter().map(|(country, _)| *country).eq(AMAZON_COUNTRIES.iter().copied()));
        let at_home = ScrapeRequest { country: "CH".to_owned(), ..request() };
        let error = ask.limits().check("x", &at_home).unwrap_err();
        assert_eq!(error.reason, Reason::CountryUnsupported);
        let begun = json!({"message": "task in progress", "taskId": "t-1"});
        let step = ask.reply(&request(), &[reply(201, &[], &begun)]).unwrap();
        assert_eq!(step, Step::Begun("t-1".to_owned()));
        let waits = json!({"message": "task in progress"});
        assert_eq!(ask.reply(&request(), &[reply(202, &[], &waits)]).unwrap(), Step::Again);
        let whole = json!({"html": "<p>", "metadata": {}, "result": {"text": "Buy this.",
            "products": [{"asin": "B0", "title": "Ring"}], "related_questions": ["Why?"]}});
        let read = answer(&ask, &whole);
        assert_eq!(
            (read.markdown.as_str(), read.related_questions.unwrap().len()),
            ("Buy this.", 1)
        );
        assert_eq!(read.products.unwrap()[0].asin, "B0");
        let text = json!({"html": "", "metadata": {}, "result": "Buy **this**."});
        assert_eq!(answer(&ask, &text).markdown, "Buy **this**.");
    }

    #[test]
    fn every_actor_has_its_lists() {
        let chatgpt = answer(
            &scrapeless("chatgpt"),
            &success(json!({"prompt": "x", "result_text": "Buy **this**.", "model": "gpt-6",
                "links": ["https://l.example/"],
                "content_references": [{"title": "A", "url": "https://a.example/",
                    "attribution": "A's site"}],
                "search_result": [{"title": "B", "url": "https://b.example/"}]})),
        );
        assert_eq!(
            (chatgpt.markdown.as_str(), chatgpt.model.as_deref()),
            ("Buy **this**.", Some("gpt-6"))
        );
        assert_eq!(chatgpt.citations.as_ref().unwrap()[0].website_name, "A's site");
        assert_eq!((chatgpt.sources.unwrap().len(), chatgpt.links.len()), (2, 1));
        let perplexity = answer(
            &scrapeless("perplexity"),
            &success(json!({"result_text": "So [1].", "related_prompt": ["Why?"],
                "web_results": [{"name": "A", "url": "https://a.example/", "snippet": "s"}]})),
        );
        assert_eq!(perplexity.citations.unwrap()[0].title, "A");
        assert_eq!(perplexity.related_questions.unwrap(), ["Why?"]);
        let meta = answer(
            &scrapeless("meta_ai"),
            &success(json!({"full_response": "So.", "raw_response": "raw",
                "references": [{"url": "https://a.example/", "title": "A", "site_name": "A's site",
                    "index": 1, "cited_count": 2}],
                "search_steps": [{"title": "Looking",
                    "sources": [{"url": "https://b.example/"}]}]})),
        );
        assert_eq!((meta.markdown.as_str(), meta.sources.unwrap().len()), ("So.", 2));
        assert_eq!((meta.queries, meta.search.unwrap().made), (None, None));
    }

    #[test]
    fn failures_are_told_apart() {
        let reason = |body: Value| failure(&scrapeless("chatgpt"), 200, &body).reason;
        assert_eq!(reason(success(json!({"result_text": ""}))), Reason::Empty);
        assert_eq!(
            reason(json!({"status": "failed", "message": "Model unavailable"})),
            Reason::UpstreamError
        );
        assert_eq!(reason(success(Value::Null)), Reason::Empty);
        assert_eq!(reason(json!({"status": "success"})), Reason::Empty);
        assert_eq!(reason(json!("x")), Reason::InvalidResponse);
        let key = failure(&scrapeless("chatgpt"), 401, &json!({"message": "Invalid token"}));
        assert_eq!(key.reason, Reason::Auth);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        let whole = success(json!({"result_text": "x", "links": [1], "references": [{}]}));
        assert_tolerates_mutations(&scrapeless("grok"), &[whole]);
        let whole = json!({"html": "", "result": {"text": "x", "products": [{"title": "y"}]}});
        assert_tolerates_mutations(&scrapeless("amazon_rufus"), &[whole]);
    }
}
