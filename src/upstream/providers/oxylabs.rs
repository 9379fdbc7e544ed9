//! Oxylabs: the pages of three engines and Google's AI Mode, each as a job of its Web Scraper API;
//! `model` names the engine.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Source};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::place::{self, Fields};
use super::{cards, json_path, serp_page};

const SHIPPED: Shipped = Shipped {
    base_url: "https://data.oxylabs.io/v1",
    model: CHATGPT,
    // The key is `username:password`.
    sign_in: SignIn::Basic,
};
const CHATGPT: &str = "chatgpt";
const PERPLEXITY: &str = "perplexity";
const GOOGLE_AI_MODE: &str = "google_ai_mode";
/// The engines by their word in `model`, which is the vendor's `source` as well.
const ENGINES: [&str; 4] = [CHATGPT, PERPLEXITY, "gemini", GOOGLE_AI_MODE];
/// Under which names the engines' results have their text.
const TEXT: &[&str] =
    &["markdown_text", "answer_results_md", "response_text", "answer_text", "answer"];
/// The status of a reply whose job has not ended.
const NO_CONTENT: u16 = 204;

/// One engine at Oxylabs.
pub(crate) struct Oxylabs {
    account: Account,
}

impl Oxylabs {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Oxylabs {
        Oxylabs { account: Account::new(settings, &SHIPPED) }
    }

    fn fields(&self) -> Fields {
        match self.account.model.as_str() {
            GOOGLE_AI_MODE => Fields { city: true, ..Fields::COUNTRY },
            _ => Fields::COUNTRY,
        }
    }

    /// The result of the one page of a job.
    fn answer(&self, request: &ScrapeRequest, result: &Value) -> Result<Answer, UpstreamError> {
        let content = &result["content"];
        let markdown = text(content);
        if markdown.trim().is_empty() {
            let status = result["status_code"].as_u64().unwrap_or(200);
            return Err(match status {
                200 => self.account.empty(),
                _ => self.account.fail(request, Verdict::FAILED, ""),
            });
        }
        let found = &content["additional_results"];
        let sources = [
            pages(content, "citations"),
            pages(found, "sources_results"),
            pages(content, "external_links"),
            pages(content, "sources"),
        ];
        let citations = sources.iter().find(|pages| !pages.is_empty()).cloned();
        let citations = citations.unwrap_or_default();
        let queries =
            serp_page::queries(content, &["search_queries", "web_search_queries"], &request.prompt);
        let asks = self.account.model == PERPLEXITY;
        let products = cards::listed_products(content).or_else(|| cards::listed_products(found));
        Ok(Answer {
            markdown,
            model: json_path::named(content, "llm_model").or(json_path::named(content, "model")),
            warnings: serp_page::left_out(&citations),
            sources: Some(sources.concat()),
            citations: Some(citations),
            related_questions: asks.then(|| json_path::texts(content, "related_queries")),
            products,
            ads: cards::listed_ads(content),
            entities: cards::listed_entities(content),
            search: serp_page::search(request, queries.as_deref()),
            queries,
            place: place::applied(request, self.fields()),
            url: json_path::named(result, "url"),
            ..Answer::default()
        })
    }
}

impl Provider for Oxylabs {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let source = self.account.model.as_str();
        if !ENGINES.contains(&source) {
            return Err(self.account.model_unknown(&ENGINES.join(", ")));
        }
        place::check(&self.account, request, Some(self.fields()))?;
        let place = place::google_location(request).filter(|_| self.fields().city);
        let place = place.unwrap_or_else(|| country::of(&request.country).name.to_owned());
        let mut job = json!({"source": source, "parse": true, "geo_location": place});
        match source {
            GOOGLE_AI_MODE => {
                job["query"] = json!(request.prompt);
                job["render"] = json!("html");
            }
            _ => job["prompt"] = json!(request.prompt),
        }
        if source == CHATGPT {
            job["search"] = json!(request.web_search);
        }
        Ok(self.account.post("/queries", job))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        if replies.last().is_some_and(|reply| reply.status == NO_CONTENT) {
            return Ok(Step::Again);
        }
        let body = self.account.read(request, replies)?;
        if let Some(results) = body["results"].as_array() {
            let result = results.first().ok_or_else(|| self.account.empty())?;
            return Ok(Step::Done(Box::new(self.answer(request, result)?)));
        }
        let id = json_path::task_name(&body, &["id"])
            .ok_or_else(|| self.account.invalid_response("answered with JSON that has no job"))?;
        Ok(match json_path::text(&body, "status") {
            "done" => Step::Round(self.account.get(&format!("/queries/{id}/results"))),
            "faulted" => {
                return Err(self.account.fail(request, Verdict::FAILED, ""));
            }
            // Whatever else it is called: it goes on.
            _ => Step::Begun(id),
        })
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        Some(self.account.get(&format!("/queries/{task}")))
    }
}

/// Returns the text of a result, which may be a list of its paragraphs.
fn text(content: &Value) -> String {
    let of = |key: &&str| match content[*key].as_str() {
        Some(text) => text.to_owned(),
        None => json_path::texts(content, key).join("\n\n"),
    };
    let text = TEXT.iter().map(of).find(|text| !text.trim().is_empty());
    serp_page::without_new_tabs(&text.unwrap_or_default())
}

/// Returns the pages of a list, whose items may name several addresses each.
fn pages(value: &Value, key: &str) -> Vec<Source> {
    let mut pages = Vec::new();
    for item in json_path::list(value, key) {
        let urls = json_path::texts(item, "urls");
        if urls.is_empty() {
            let url = item.as_str().map(|url| json!({"url": url}));
            pages.push(serp_page::read_page(url.as_ref().unwrap_or(item)));
            continue;
        }
        let title = json_path::first_text(item, &["title", "name"]);
        let page = |url: &String| serp_page::read_page(&json!({"url": url, "title": title}));
        pages.extend(urls.iter().map(page));
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, UpstreamKind};
    use crate::job::Reason;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, ok, request, secrets, settings,
    };

    fn oxylabs(engine: &str) -> Oxylabs {
        let mut settings = settings(UpstreamKind::Oxylabs);
        settings.model = engine.to_owned();
        settings.api_key = Some(Secret::new("me:key-of-tests"));
        Oxylabs::new(&settings)
    }

    fn results(content: Value) -> Value {
        json!({"results": [{"content": content, "page": 1, "status_code": 200,
            "url": "https://chatgpt.com/c/1"}]})
    }

    fn conversation() -> Value {
        results(json!({"prompt": "x", "llm_model": "gpt-6", "markdown_text": "Buy **this**.",
            "response_text": "Buy this.", "search_queries": ["best ring"],
            "citations": [{"url": "https://a.example/", "title": "A"}],
            "links": [], "parse_status_code": 12000}))
    }

    #[test]
    fn a_job_is_begun_watched_and_fetched() {
        let sent = oxylabs("chatgpt").request(&request()).unwrap();
        assert_eq!(sent.url, "https://data.oxylabs.io/v1/queries");
        assert_eq!(secrets(&sent), [("authorization", "Basic bWU6a2V5LW9mLXRlc3Rz")]);
        assert_eq!(
            sent.body.unwrap(),
            json!({"source": "chatgpt", "prompt": request().prompt, "parse": true, "search": true,
                "geo_location": "Germany"})
        );
        let ask = oxylabs("chatgpt");
        for status in ["pending", "something new"] {
            let body = json!({"id": "7352996936896485377", "status": status});
            let step = ask.reply(&request(), &[ok(&body)]).unwrap();
            assert_eq!(step, Step::Begun("7352996936896485377".to_owned()));
        }
        let done = json!({"id": "7352996936896485377", "status": "done"});
        let Ok(Step::Round(next)) = ask.reply(&request(), &[ok(&done)]) else { panic!("done") };
        assert!(next.url.ends_with("/v1/queries/7352996936896485377/results"), "{}", next.url);
        let later = HttpReply { status: 204, headers: Vec::new(), body: Vec::new() };
        assert_eq!(ask.reply(&request(), &[later]).unwrap(), Step::Again);
    }

    #[test]
    fn google_is_asked_with_a_query_from_a_city() {
        let mut asked = request();
        asked.location.city = Some("Berlin".to_owned());
        let sent = oxylabs("google_ai_mode").request(&asked).unwrap().body.unwrap();
        assert_eq!((&sent["query"], &sent["render"]), (&json!(asked.prompt), &json!("html")));
        assert_eq!(sent["geo_location"], "Berlin,Germany");
        let sent = oxylabs("perplexity").request(&asked).unwrap().body.unwrap();
        assert_eq!((&sent["geo_location"], &sent["search"]), (&json!("Germany"), &Value::Null));
    }

    #[test]
    fn every_engine_has_its_lists() {
        let first = answer(&oxylabs("chatgpt"), &conversation());
        assert_eq!(
            (first.markdown.as_str(), first.model.as_deref()),
            ("Buy **this**.", Some("gpt-6"))
        );
        assert_eq!(first.queries.unwrap(), ["best ring"]);
        assert_eq!((first.citations.unwrap().len(), first.related_questions), (1, None));
        let perplexity = results(json!({"answer_results_md": ["One.", "Two. [1]"],
            "related_queries": ["And then?"],
            "additional_results": {"sources_results": [
                {"url": "https://a.example/", "title": "A"}]}}));
        let second = answer(&oxylabs("perplexity"), &perplexity);
        assert_eq!(second.markdown, "One.\n\nTwo. [1]");
        assert_eq!(second.related_questions.unwrap(), ["And then?"]);
        assert_eq!((second.citations.unwrap().len(), second.queries), (1, None));
        let google = results(json!({"response_text": "Red.",
            "citations": [{"text": "Red.",
                "urls": ["https://a.example/", "https://b.example/"]}]}));
        let third = answer(&oxylabs("google_ai_mode"), &google);
        assert_eq!(third.citations.unwrap().len(), 2);
    }

    #[test]
    fn failures_are_told_apart() {
        let reason = |body: Value| failure(&oxylabs("chatgpt"), 200, &body).reason;
        assert_eq!(reason(json!({"id": "1", "status": "faulted"})), Reason::UpstreamError);
        assert_eq!(reason(json!({"results": []})), Reason::Empty);
        assert_eq!(reason(results(json!({"markdown_text": " "}))), Reason::Empty);
        let broken = json!({"results": [{"content": null, "status_code": 613}]});
        assert_eq!(reason(broken), Reason::UpstreamError);
        assert_eq!(reason(json!({})), Reason::InvalidResponse);
        let key = failure(&oxylabs("chatgpt"), 401, &json!({"message": "Unauthorized"}));
        assert_eq!(key.reason, Reason::Auth);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        let job = json!({"id": "1", "status": "done"});
        assert_tolerates_mutations(&oxylabs("chatgpt"), &[conversation(), job]);
    }
}
