//! DataForSEO: Google's AI Mode or AI Overview, ChatGPT's or Gemini's page; `model` names which.
//! Its failures come with status 200 and a number of its own.

mod parts;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::answer::{Answer, Kind, Product, Source};
use crate::config;
use crate::country;
use crate::job::{Cost, Reason, ScrapeRequest, UpstreamUsage};
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::error_body::Verdict;
use super::place::{self, Fields};
use super::{cards, json_path, overview, serp_page, token_usage};
use parts::{of_parts, texts};

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
const SERP_PROMPT_CHARS_MAX: usize = 700;
const LLM_PROMPT_CHARS_MAX: usize = 2_000;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    GoogleAiMode,
    GoogleAiOverview,
    Chatgpt,
    Gemini,
}

impl Page {
    /// Returns the page that a word of `model` names.
    fn named(model: &str) -> Option<Page> {
        match model {
            "google_ai_mode" | "ai_mode" => Some(Page::GoogleAiMode),
            overview::ENGINE => Some(Page::GoogleAiOverview),
            "chatgpt" | "chat_gpt" => Some(Page::Chatgpt),
            "gemini" => Some(Page::Gemini),
            _ => None,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Page::GoogleAiMode => "/v3/serp/google/ai_mode/live/advanced",
            Page::GoogleAiOverview => "/v3/serp/google/organic/live/advanced",
            Page::Chatgpt => "/v3/ai_optimization/chat_gpt/llm_scraper/live/advanced",
            Page::Gemini => "/v3/ai_optimization/gemini/llm_scraper/live/advanced",
        }
    }

    /// Returns what of a place it has a field for.
    const fn fields(self) -> Fields {
        match self {
            Page::GoogleAiMode | Page::GoogleAiOverview => Fields::GOOGLE,
            Page::Chatgpt | Page::Gemini => Fields { device: false, ..Fields::GOOGLE },
        }
    }
}

/// One page at DataForSEO.
pub(crate) struct Dataforseo {
    account: Account,
    /// `None` when `model` names none.
    page: Option<Page>,
}

impl Dataforseo {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Dataforseo {
        let account = Account::new(settings, &SHIPPED);
        let page = Page::named(&account.model);
        Dataforseo { account, page }
    }

    fn page(&self) -> Result<Page, UpstreamError> {
        let known = "google_ai_mode, google_ai_overview, chatgpt, gemini";
        self.page.ok_or_else(|| self.account.model_unknown(known))
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
            40_201 | 40_204 | 40_207 => Verdict::NO_PERMISSION,
            40_202 | 40_209 => Verdict::RATE_LIMITED,
            // The engine failed it, or the vendor's own task.
            40_101 | 40_103 => Verdict::FAILED,
            40_102 => Verdict::new(Reason::Empty, "found no answer"),
            40_400 | 40_402 => Verdict::UNKNOWN,
            40_500..40_600 if about_place => Verdict::NO_COUNTRY,
            40_000..50_000 => Verdict::INVALID,
            50_301..50_400 => Verdict::BUSY,
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
        let prompt_chars_max = match self.page {
            Some(Page::GoogleAiMode | Page::GoogleAiOverview) => SERP_PROMPT_CHARS_MAX,
            Some(Page::Chatgpt | Page::Gemini) => LLM_PROMPT_CHARS_MAX,
            None => return Limits::default(),
        };
        Limits { prompt_chars_max, ..Limits::default() }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let page = self.page()?;
        place::check(&self.account, request, Some(page.fields()))?;
        let country = country::of(&request.country);
        let language = request.location.language.as_deref().unwrap_or(country.language);
        let mut task = json!({
            // It decodes what it is sent as if it were an address.
            "keyword": request.prompt.replace('%', "%25").replace('+', "%2B"),
            "language_code": language,
        });
        match place::google_location(request) {
            Some(name) => task["location_name"] = json!(name),
            None => task["location_code"] = json!(country.google_criteria_id()),
        }
        if let Some(device) = place::device(request).filter(|_| page.fields().device) {
            task["device"] = json!(device);
        }
        match page {
            Page::GoogleAiMode | Page::Gemini => {}
            Page::GoogleAiOverview => task["load_async_ai_overview"] = json!(true),
            Page::Chatgpt => task["force_web_search"] = json!(request.web_search),
        }
        Ok(self.account.post(page.path(), json!([task])))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let page = self.page()?;
        let body = self.account.read(request, replies)?;
        let result = self.result(request, &body)?;
        let answer = match page {
            Page::GoogleAiMode => ai_mode(request, result),
            Page::GoogleAiOverview => ai_overview(request, result),
            Page::Chatgpt | Page::Gemini => conversation(page, request, result),
        };
        if answer.markdown.trim().is_empty() && answer.present != Some(false) {
            return Err(self.account.empty());
        }
        let place = place::applied(request, page.fields());
        Ok(Step::Done(Box::new(Answer { place, ..answer })))
    }

    fn usage(&self, replies: &[HttpReply]) -> UpstreamUsage {
        token_usage::told(replies.last(), usage)
    }
}

/// What the vendor says that the call cost.
fn usage(body: &Value) -> UpstreamUsage {
    let told = [&body["cost"], &body["tasks"][0]["cost"]];
    let cost = told.into_iter().find_map(Value::as_f64).and_then(Cost::told);
    UpstreamUsage { cost, ..UpstreamUsage::default() }
}

fn of_type<'a>(result: &'a Value, kind: &str) -> Vec<&'a Value> {
    let items = json_path::list(result, "items").iter();
    items.filter(|item| json_path::text(item, "type") == kind).collect()
}

fn ai_mode(request: &ScrapeRequest, result: &Value) -> Answer {
    let overviews = of_type(result, "ai_overview");
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
        search: serp_page::search(request, None),
        url: page_address(result),
        ..Answer::default()
    }
}

/// A page of results with an overview on it, or without one.
fn ai_overview(request: &ScrapeRequest, result: &Value) -> Answer {
    let organic = of_type(result, "organic").into_iter().map(serp_page::read_page);
    let asked = of_type(result, "people_also_ask").into_iter();
    let questions = asked.flat_map(|block| json_path::list(block, "items"));
    let questions: Vec<String> =
        questions.filter_map(|question| json_path::named(question, "title")).collect();
    let is_there = !of_type(result, "ai_overview").is_empty();
    let overview = if is_there { ai_mode(request, result) } else { Answer::default() };
    let citations = overview.citations.unwrap_or_default();
    Answer {
        sources: Some(citations.iter().cloned().chain(organic).collect()),
        citations: Some(citations),
        related_questions: Some(questions),
        search: serp_page::search(request, None),
        present: Some(is_there),
        url: page_address(result),
        ..overview
    }
}

fn conversation(page: Page, request: &ScrapeRequest, result: &Value) -> Answer {
    let items: Vec<&Value> = json_path::list(result, "items").iter().collect();
    let mut citations = serp_page::pages(result, "sources");
    let warnings = serp_page::left_out(&citations);
    citations.extend(of_parts(&items));
    let found = serp_page::pages(result, "search_results");
    let markdown = json_path::text(result, "markdown");
    let queries = serp_page::queries(result, &["fan_out_queries"], &request.prompt);
    // Gemini's page says nothing of its queries.
    let queries = queries.or_else(|| (page == Page::Chatgpt).then(Vec::new));
    let mut entities = cards::entities(result);
    entities.extend(items.iter().flat_map(|item| cards::entities(item)));
    Answer {
        warnings,
        markdown: if markdown.is_empty() { texts(&items) } else { markdown.to_owned() },
        model: json_path::named(result, "model").or(json_path::named(result, "model_name")),
        sources: Some(citations.iter().cloned().chain(found).collect()),
        citations: Some(citations),
        products: Some(products(&items)),
        entities: Some(entities),
        search: serp_page::search(request, queries.as_deref()),
        queries,
        url: page_address(result),
        ..Answer::default()
    }
}

fn page_address(result: &Value) -> Option<String> {
    json_path::named(result, "check_url")
}

fn products(items: &[&Value]) -> Vec<Product> {
    let groups = items.iter().filter(|item| json_path::text(item, "type").contains("product"));
    groups.flat_map(|group| cards::products_in(json_path::list(group, "items"))).collect()
}
