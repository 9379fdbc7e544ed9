//! DataForSEO: Google's AI Mode, or ChatGPT's page; `model` names which. Its failures come with
//! status 200 and a number of its own.

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Product, Source};
use crate::config;
use crate::country;
use crate::job::{Reason, ScrapeRequest};
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::{json_path, serp_page, text_blocks};

const SHIPPED: Shipped = Shipped {
    base_url: "https://api.dataforseo.com",
    model: "google_ai_mode",
    // The key is `login:password`.
    sign_in: SignIn::Basic,
};
/// `status_code` of a reply and of a task that went well.
const OK: u64 = 20_000;
/// The longest `keyword`, characters: of the SERP API, and of the LLM scraper (the vendor's help
/// page "Rules and limitations of keyword fields", and the reference of the LLM scraper).
const AI_MODE_PROMPT_CHARS_MAX: usize = 700;
const CHATGPT_PROMPT_CHARS_MAX: usize = 2_000;
/// How deep the items of an answer may nest.
const DEPTH_MAX: usize = 6;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    GoogleAiMode,
    Chatgpt,
}

/// One page at DataForSEO.
pub struct Dataforseo {
    account: Account,
    /// `None` when `model` names neither.
    page: Option<Page>,
}

impl Dataforseo {
    /// With the settings of its section.
    pub fn new(settings: &config::Upstream) -> Dataforseo {
        let account = Account::new(settings, &SHIPPED);
        let page = match account.model.as_str() {
            "google_ai_mode" | "ai_mode" => Some(Page::GoogleAiMode),
            "chatgpt" | "chat_gpt" => Some(Page::Chatgpt),
            _ => None,
        };
        Dataforseo { account, page }
    }

    fn page(&self) -> Result<Page, UpstreamError> {
        self.page.ok_or_else(|| self.account.model_unknown("google_ai_mode, chatgpt"))
    }

    /// The one result of the one task.
    fn result<'a>(
        &self,
        request: &ScrapeRequest,
        body: &'a Value,
    ) -> Result<&'a Value, UpstreamError> {
        if body["status_code"].as_u64().is_some_and(|code| code != OK) {
            return Err(self.failed(request, body));
        }
        let Some(task) = json_path::list(body, "tasks").first() else {
            return Err(self.account.invalid_response("answered with JSON that has no `tasks`"));
        };
        if task["status_code"].as_u64() != Some(OK) {
            return Err(self.failed(request, task));
        }
        json_path::list(task, "result").first().ok_or_else(|| self.account.empty())
    }

    fn failed(&self, request: &ScrapeRequest, body: &Value) -> UpstreamError {
        let message = json_path::text(body, "status_message");
        let about_place =
            ["location", "language"].iter().any(|word| message.to_lowercase().contains(word));
        let verdict = match body["status_code"].as_u64().unwrap_or(0) {
            40_100 | 40_104 => Verdict::KEY_REFUSED,
            40_200 | 40_203 | 40_210 => Verdict::NO_QUOTA,
            40_202 | 40_209 => Verdict::RATE_LIMITED,
            40_102 => Verdict::new(Reason::Empty, "found no answer"),
            40_500..40_600 if about_place => Verdict::NO_COUNTRY,
            40_000..50_000 => Verdict::INVALID,
            _ => Verdict::FAILED,
        };
        self.account.fail(request, verdict, message)
    }
}

impl Provider for Dataforseo {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn limits(&self) -> Limits {
        match self.page {
            Some(Page::GoogleAiMode) => {
                Limits { prompt_chars_max: AI_MODE_PROMPT_CHARS_MAX, ..Limits::default() }
            }
            Some(Page::Chatgpt) => {
                Limits { prompt_chars_max: CHATGPT_PROMPT_CHARS_MAX, ..Limits::default() }
            }
            None => Limits::default(),
        }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let country = country::of(&request.country);
        let mut task = json!({
            // It decodes what it is sent as if it were an address.
            "keyword": request.prompt.replace('%', "%25").replace('+', "%2B"),
            "location_code": country.google_criteria_id(),
            "language_code": country.language,
        });
        let path = match self.page()? {
            Page::GoogleAiMode => "/v3/serp/google/ai_mode/live/advanced",
            Page::Chatgpt => {
                task["force_web_search"] = json!(request.web_search);
                "/v3/ai_optimization/chat_gpt/llm_scraper/live/advanced"
            }
        };
        Ok(self.account.post(path, json!([task])))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let page = self.page()?;
        let body = self.account.read(request, replies)?;
        let result = self.result(request, &body)?;
        let answer = match page {
            Page::GoogleAiMode => ai_mode(result),
            Page::Chatgpt => chatgpt(result),
        };
        if answer.markdown.trim().is_empty() {
            return Err(self.account.empty());
        }
        Ok(Step::Done(Box::new(answer)))
    }
}

fn ai_mode(result: &Value) -> Answer {
    let overviews: Vec<&Value> = json_path::list(result, "items")
        .iter()
        .filter(|item| json_path::text(item, "type") == "ai_overview")
        .collect();
    // Those of the whole answer first: its marks count them.
    let mut pages: Vec<Source> =
        overviews.iter().flat_map(|overview| serp_page::pages(overview, "references")).collect();
    let warnings = serp_page::left_out(&pages);
    pages.extend(of_parts(&overviews));
    Answer {
        warnings,
        markdown: texts(&overviews),
        sources: Some(pages.clone()),
        citations: Some(pages),
        cited_is_untold: true,
        url: page_address(result),
        ..Answer::default()
    }
}

fn chatgpt(result: &Value) -> Answer {
    let items: Vec<&Value> = json_path::list(result, "items").iter().collect();
    let mut citations = serp_page::pages(result, "sources");
    let warnings = serp_page::left_out(&citations);
    citations.extend(of_parts(&items));
    let found = serp_page::pages(result, "search_results");
    let markdown = json_path::text(result, "markdown");
    Answer {
        warnings,
        markdown: if markdown.is_empty() { texts(&items) } else { markdown.to_owned() },
        model: json_path::named(result, "model").or(json_path::named(result, "model_name")),
        queries: Some(json_path::query_list(&result["fan_out_queries"])),
        sources: Some(citations.iter().cloned().chain(found).collect()),
        citations: Some(citations),
        products: Some(products(&items)),
        url: page_address(result),
        ..Answer::default()
    }
}

fn page_address(result: &Value) -> Option<String> {
    json_path::named(result, "check_url")
}

/// Returns the items' Markdown, their own or their parts'.
fn texts(items: &[&Value]) -> String {
    let mut paragraphs = Vec::new();
    for item in items {
        write(item, 0, &mut paragraphs);
    }
    paragraphs.join("\n\n")
}

/// An item's Markdown holds its parts; its text does not hold those that unfold (`components`), and
/// without either there are only the parts.
fn write(item: &Value, depth: usize, paragraphs: &mut Vec<String>) {
    if depth == DEPTH_MAX {
        return;
    }
    let markdown = json_path::text(item, "markdown").trim();
    if !markdown.is_empty() {
        return paragraphs.push(markdown.to_owned());
    }
    let components = json_path::list(item, "components");
    let kind = json_path::text(item, "type");
    let title = json_path::text(item, "title").trim();
    let text = json_path::text(item, "text").trim();
    // A product's title is the product's, and listed with it.
    let is_titled = !components.is_empty() || kind.ends_with("_component");
    if is_titled && !title.is_empty() && !text.starts_with(title) {
        paragraphs.push(format!("**{title}**"));
    }
    if !text.is_empty() {
        paragraphs.push(text.to_owned());
    }
    let table = text_blocks::table(&item["table"]);
    if !table.is_empty() {
        paragraphs.push(table);
    }
    let parts = if text.is_empty() { json_path::list(item, "items") } else { &[] };
    for part in parts.iter().chain(components) {
        write(part, depth + 1, paragraphs);
    }
}

/// The pages that items and their parts name.
fn of_parts(items: &[&Value]) -> Vec<Source> {
    let mut pages = Vec::new();
    for item in items {
        collect(item, 0, &mut pages);
    }
    pages
}

fn collect(item: &Value, depth: usize, pages: &mut Vec<Source>) {
    if depth == DEPTH_MAX {
        return;
    }
    for key in ["references", "sources", "links"] {
        pages.extend(serp_page::pages(item, key));
    }
    for part in json_path::list(item, "items").iter().chain(json_path::list(item, "components")) {
        collect(part, depth + 1, pages);
    }
}

fn products(items: &[&Value]) -> Vec<Product> {
    items
        .iter()
        .filter(|item| json_path::text(item, "type").contains("product"))
        .flat_map(|item| json_path::list(item, "items"))
        .map(serp_page::read_product)
        .filter(|product| !product.title.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, UpstreamKind};
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, request, secrets, settings,
    };

    fn dataforseo(model: &str) -> Dataforseo {
        let mut settings = settings(UpstreamKind::Dataforseo);
        settings.model = model.to_owned();
        settings.api_key = Some(Secret::new("me@example.com:key-of-tests"));
        Dataforseo::new(&settings)
    }

    fn envelope(result: Value) -> Value {
        json!({"version": "0.1", "status_code": 20000, "status_message": "Ok.",
            "tasks": [{"id": "t", "status_code": 20000, "status_message": "Ok.",
                "result": [result]}]})
    }

    fn overview() -> Value {
        envelope(json!({"keyword": "k", "check_url": "https://www.google.com/search?q=k&udm=50",
                "items": [
            {"type": "organic", "title": "no"},
            {"type": "ai_overview", "markdown": "Ruby **4.0.6**.",
             "items": [{"type": "ai_overview_element", "text": "Ruby", "references": [
                {"source": "B", "url": "https://b.example/", "title": "B", "text": "t"}]}],
             "references": [{"type": "ai_overview_reference", "source": "Ruby",
                 "domain": "a.example",
                "url": "https://a.example/", "title": "A", "text": "s"}]}]}))
    }

    fn conversation() -> Value {
        envelope(
            json!({"model": "gpt-5-3", "markdown": "Buy **this**.", "fan_out_queries": ["best ring",
                ""],
            "sources": [{"title": "A", "snippet": "s", "domain": "a.example",
                "url": "https://a.example/"}],
            "search_results": [{"title": "B", "url": "https://b.example/", "description": "d"}],
            "items": [{"type": "chat_gpt_text", "markdown": "Buy **this**.", "sources": null},
                {"type": "chat_gpt_products", "items": [{"title": "Ring",
                    "url": "https://shop.example/",
                    "rating": {"value": 4.5, "votes_count": 12}}]}]}),
        )
    }

    #[test]
    fn the_country_is_a_number_and_the_keyword_is_escaped() {
        let asked = ScrapeRequest { prompt: "100% C++".to_owned(), ..request() };
        let sent = dataforseo("").request(&asked).unwrap();
        assert_eq!(sent.url, "https://api.dataforseo.com/v3/serp/google/ai_mode/live/advanced");
        assert_eq!(
            secrets(&sent),
            [("authorization", "Basic bWVAZXhhbXBsZS5jb206a2V5LW9mLXRlc3Rz")]
        );
        assert_eq!(
            sent.body.unwrap(),
            json!([{"keyword": "100%25 C%2B%2B", "location_code": 2276, "language_code": "de"}])
        );
        let sent = dataforseo("chatgpt").request(&request()).unwrap();
        assert!(sent.url.ends_with("/chat_gpt/llm_scraper/live/advanced"));
        assert_eq!(sent.body.unwrap()[0]["force_web_search"], true);
        assert_eq!(dataforseo("bing").request(&request()).unwrap_err().reason, Reason::BadRequest);
    }

    #[test]
    fn prompt_limits_are_those_of_each_page() {
        for (model, chars_max) in [("google_ai_mode", 700), ("chatgpt", 2_000)] {
            let limits = dataforseo(model).limits();
            let prompt = |chars: usize| {
                let request = ScrapeRequest { prompt: "%".repeat(chars), ..request() };
                limits.check(model, &request).map_err(|error| error.reason)
            };
            assert_eq!(prompt(chars_max), Ok(()));
            assert_eq!(prompt(chars_max + 1), Err(Reason::BadRequest));
        }
    }

    #[test]
    fn an_overview_has_its_references() {
        let answer = answer(&dataforseo(""), &overview()).normalized();
        assert_eq!(answer.markdown, "Ruby **4.0.6**.");
        let citations = answer.citations.unwrap();
        assert_eq!((citations.len(), citations[0].url.as_str()), (2, "https://a.example/"));
        assert_eq!(
            (citations[0].website_name.as_str(), citations[0].snippet.as_str()),
            ("Ruby", "s")
        );
        assert!(answer.url.unwrap().contains("udm=50"));
        assert_eq!((answer.queries, answer.products), (None, None));
    }

    #[test]
    fn parts_that_unfold_are_read_where_there_is_no_markdown() {
        let component = |title: &str, text: &str, url: &str| {
            json!({"type": "ai_overview_expanded_component", "title": title, "text": text,
                "references": [{"url": url, "title": title}]})
        };
        let body = envelope(json!({"items": [{"type": "ai_overview", "items": [
            {"type": "ai_overview_element", "title": "Ruby", "text": "Ruby is red."},
            {"type": "ai_overview_expanded_element", "title": "Versions", "text": "There are two.",
             "components": [component("4.0", "The newest.", "https://a.example/"),
                component("", "", "https://b.example/"),
                component("3.4", "3.4 is older.", "https://c.example/")]},
            {"type": "ai_overview_table_element", "table": {"table_header": ["a", "b"],
                "table_content": [["1", "2"]]}},
            {"type": "ai_overview_expanded_element", "components": [
                {"type": "ai_overview_expanded_component", "markdown": "**Last** one."}]}]}]}));
        let answer = answer(&dataforseo(""), &body);
        assert_eq!(
            answer.markdown,
            "Ruby is red.\n\n**Versions**\n\nThere are two.\n\n**4.0**\n\nThe newest.\n\n\
             3.4 is older.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n**Last** one."
        );
        assert_eq!(answer.sources.unwrap().len(), 3);
    }

    #[test]
    fn marks_count_the_references_that_come_again_and_those_without_an_address() {
        let reference =
            |name: &str| json!({"url": format!("https://{name}.example/"), "title": name});
        let body =
            envelope(json!({"items": [{"type": "ai_overview", "markdown": "One.[3] Two.[5]",
            "references": [reference("a"), reference("b"), reference("a"), {"title": "Lost"},
                reference("c")]}]}));
        let answer = answer(&dataforseo(""), &body).normalized();
        assert_eq!(answer.markdown, "One.[1] Two.[3]");
        let titles: Vec<String> =
            answer.sources.unwrap().into_iter().map(|page| page.title).collect();
        assert_eq!(titles, ["a", "b", "c"]);
        assert_eq!(answer.warnings, ["A reference without an address was left out: Lost"]);
    }

    #[test]
    fn a_conversation_has_its_queries_and_products() {
        let answer = answer(&dataforseo("chatgpt"), &conversation()).normalized();
        assert_eq!(
            (answer.markdown.as_str(), answer.model.as_deref()),
            ("Buy **this**.", Some("gpt-5-3"))
        );
        assert_eq!(answer.queries.unwrap(), ["best ring"]);
        assert_eq!((answer.citations.unwrap().len(), answer.sources.unwrap().len()), (1, 2));
        let products = answer.products.unwrap();
        assert_eq!((products[0].title.as_str(), products[0].reviews.as_str()), ("Ring", "12"));
    }

    #[test]
    fn failures_are_told_apart() {
        let task = |code: u64, message: &str| {
            json!({"status_code": 20000,
            "tasks": [{"status_code": code, "status_message": message, "result": null}]})
        };
        let reason = |body: Value| failure(&dataforseo(""), 200, &body).reason;
        assert_eq!(reason(task(40_100, "You are not Authorized.")), Reason::Auth);
        assert_eq!(reason(task(40_210, "Insufficient Funds.")), Reason::Quota);
        assert_eq!(reason(task(40_202, "Rate limit.")), Reason::UpstreamRateLimited);
        assert_eq!(reason(task(40_102, "No Search Results.")), Reason::Empty);
        assert_eq!(
            reason(task(40_501, "Invalid Field: 'location_code'.")),
            Reason::CountryUnsupported
        );
        assert_eq!(reason(task(40_501, "Invalid Field: 'keyword'.")), Reason::BadRequest);
        assert_eq!(reason(task(50_000, "Internal Error.")), Reason::UpstreamError);
        assert_eq!(reason(task(20_000, "Ok.")), Reason::Empty);
        assert_eq!(reason(json!({"status_code": 40_200, "tasks": []})), Reason::Quota);
        assert_eq!(reason(json!({"status_code": 20_000, "tasks": null})), Reason::InvalidResponse);
        assert_eq!(reason(envelope(json!({"items": []}))), Reason::Empty);
        assert_eq!(
            failure(&dataforseo(""), 401, &json!({"status_code": 40100, "status_message": "x"}))
                .reason,
            Reason::Auth
        );
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&dataforseo(""), &[overview()]);
        assert_tolerates_mutations(&dataforseo("chatgpt"), &[conversation()]);
    }
}
