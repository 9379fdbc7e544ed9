//! SearchApi.io: one shape for five consumer engines and Google's AI Overview; `model` names the
//! engine.

use url::form_urlencoded::Serializer;

use crate::answer::{Answer, Kind};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::place::{self, Fields};
use super::{cards, json_path, overview, serp_page};

const SHIPPED: Shipped = Shipped {
    base_url: "https://www.searchapi.io/api/v1",
    model: "chatgpt",
    sign_in: SignIn::Bearer,
};
/// Where the bodies list the pages that an answer rests on.
const REFERENCES: &str = "reference_links";
/// From where engines without a place are asked. An answer from there under another country's name
/// would be worse than none.
const HOME_COUNTRIES: &[&str] = &["US"];

/// The engines whose answers have the shared shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Chatgpt,
    Perplexity,
    Gemini,
    BingCopilot,
    GoogleAiMode,
    GoogleAiOverview,
}

impl Engine {
    const ALL: [(&'static str, Engine); 6] = [
        ("chatgpt", Engine::Chatgpt),
        ("perplexity", Engine::Perplexity),
        ("gemini", Engine::Gemini),
        ("bing_copilot", Engine::BingCopilot),
        ("google_ai_mode", Engine::GoogleAiMode),
        (overview::ENGINE, Engine::GoogleAiOverview),
    ];

    /// Whether it is a page of Google's, which depends on the place.
    const fn is_google(self) -> bool {
        match self {
            Engine::GoogleAiMode | Engine::GoogleAiOverview => true,
            Engine::Chatgpt | Engine::Perplexity | Engine::Gemini | Engine::BingCopilot => false,
        }
    }
}

/// One engine at SearchApi.io.
pub(crate) struct Searchapi {
    account: Account,
}

impl Searchapi {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Searchapi {
        Searchapi { account: Account::new(settings, &SHIPPED) }
    }

    fn engine(&self) -> Result<Engine, UpstreamError> {
        self.account.engine(&Engine::ALL)
    }

    /// Returns a search; `fill` writes the parameters of its own.
    fn search(&self, engine: &str, fill: impl FnOnce(&mut Serializer<'_, String>)) -> HttpRequest {
        let mut query = Serializer::new(String::new());
        query.append_pair("engine", engine);
        fill(&mut query);
        self.account.get(&format!("/search?{}", query.finish()))
    }

    /// Returns a search of Google's from the request's place.
    fn google(&self, engine: &str, request: &ScrapeRequest) -> HttpRequest {
        self.search(engine, |query| {
            let location = place::google_location(request);
            let country = || country::of(&request.country).name.to_owned();
            place::fill_google(query, request, Some(location.unwrap_or_else(country)));
        })
    }

    /// Returns the request for an overview that a page of results has only a token of.
    fn overview(&self, token: &str) -> HttpRequest {
        self.search(overview::ENGINE, |query| {
            query.append_pair("page_token", token);
        })
    }
}

impl Provider for Searchapi {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn limits(&self) -> Limits {
        match self.engine().ok() {
            Some(Engine::Chatgpt | Engine::Perplexity | Engine::Gemini | Engine::BingCopilot) => {
                Limits { countries: Some(HOME_COUNTRIES), ..Limits::default() }
            }
            Some(Engine::GoogleAiOverview) => {
                Limits { prompt_chars_max: overview::QUERY_CHARS_MAX, ..Limits::default() }
            }
            Some(Engine::GoogleAiMode) | None => Limits::default(),
        }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let engine = self.engine()?;
        let fields = engine.is_google().then_some(Fields::GOOGLE);
        place::check(&self.account, request, fields)?;
        Ok(match engine {
            Engine::GoogleAiMode => self.google(&self.account.model, request),
            Engine::GoogleAiOverview => self.google("google", request),
            Engine::Chatgpt | Engine::Perplexity | Engine::Gemini | Engine::BingCopilot => self
                .search(&self.account.model, |query| {
                    query.append_pair("q", &request.prompt);
                    if engine == Engine::Chatgpt {
                        let asks = if request.web_search { "true" } else { "false" };
                        query.append_pair("web_search", asks);
                    }
                }),
        })
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let engine = self.engine()?;
        if engine == Engine::GoogleAiOverview {
            let names = overview::Names { references: REFERENCES };
            let page = || self.google("google", request);
            let fetch = |token: &str| self.overview(token);
            return overview::step(&self.account, request, replies, &names, page, fetch);
        }
        let body = self.account.read(request, replies)?;
        let markdown = serp_page::markdown(&self.account, request, &body, REFERENCES)?;
        let references = serp_page::pages(&body, REFERENCES);
        let found = serp_page::pages(&body, "web_results");
        let queries = serp_page::queries(&body, &["search_queries"], &request.prompt);
        let asks = match engine {
            Engine::Perplexity | Engine::Gemini => true,
            Engine::Chatgpt
            | Engine::BingCopilot
            | Engine::GoogleAiMode
            | Engine::GoogleAiOverview => body["related_questions"].is_array(),
        };
        let products = cards::listed_products(&body);
        Ok(Step::Done(Box::new(Answer {
            markdown,
            model: json_path::named(&body["response_metadata"], "model"),
            warnings: serp_page::left_out(&references),
            // The links that the answer rests on, and after them what else was found.
            sources: Some(references.into_iter().chain(found).collect()),
            citations: Some(serp_page::cited(&body, REFERENCES)),
            cited_is_untold: true,
            related_questions: asks.then(|| serp_page::related_questions(&body)),
            products: products.or_else(|| engine.is_google().then(Vec::new)),
            ads: cards::listed_ads(&body),
            entities: cards::listed_entities(&body),
            search: serp_page::search(request, queries.as_deref()),
            queries,
            place: engine.is_google().then(|| place::applied(request, Fields::GOOGLE)).flatten(),
            ..Answer::default()
        })))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::UpstreamKind;
    use crate::job::Reason;
    use crate::net::Method;
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, request, secrets, settings,
    };

    fn searchapi(engine: &str) -> Searchapi {
        let mut settings = settings(UpstreamKind::Searchapi);
        settings.model = engine.to_owned();
        Searchapi::new(&settings)
    }

    fn page() -> Value {
        json!({"search_metadata": {"id": "s", "status": "Success"},
            "markdown": "Ruby **4.0.6** [1].",
            "text_blocks": [{"type": "paragraph", "answer": "Ruby 4.0.6"}],
            "reference_links": [{"index": 0, "title": "Ruby", "link": "https://a.example/",
                "source": "Ruby", "snippet": "s", "favicon": "https://a.example/i.png"}],
            "web_results": [{"title": "B", "link": "https://b.example/", "snippet": "t"},
                {"title": "A", "link": "https://a.example/"}],
            "related_questions": ["And 5.0?", {"question": "Why?"}, {}],
            "shopping_results": [{"title": "Ring", "product_link": "https://shop.example/",
                "rating": 4.5, "reviews": 12}],
            "response_metadata": {"model": "gpt-5.3"}})
    }

    #[test]
    fn the_prompt_is_a_query_parameter_and_the_key_is_not() {
        let us =
            ScrapeRequest {
                country: "US".to_owned(), prompt: "a&b c+d é".to_owned(), ..request()
            };
        let sent = searchapi("chatgpt").request(&us).unwrap();
        assert_eq!((sent.method, sent.body.is_none()), (Method::Get, true));
        assert_eq!(
            sent.url,
            "https://www.searchapi.io/api/v1/search\
             ?engine=chatgpt&q=a%26b+c%2Bd+%C3%A9&web_search=true"
        );
        assert_eq!(secrets(&sent), [("authorization", "Bearer key-of-tests")]);
        let quiet = ScrapeRequest { web_search: false, ..us };
        assert!(searchapi("chatgpt").request(&quiet).unwrap().url.ends_with("web_search=false"));
    }

    #[test]
    fn only_engines_with_a_place_serve_other_countries() {
        assert_eq!(searchapi("google_ai_mode").limits(), Limits::default());
        let sent = searchapi("google_ai_mode").request(&request()).unwrap();
        assert!(sent.url.ends_with("&location=Germany&gl=de&hl=de"), "{}", sent.url);
        for engine in ["chatgpt", "perplexity", "gemini", "bing_copilot"] {
            let error = searchapi(engine).limits().check(engine, &request()).unwrap_err();
            assert_eq!(error.reason, Reason::CountryUnsupported);
            assert!(error.sentence.contains("DE"), "{}", error.sentence);
        }
        let error = searchapi("altavista").request(&request()).unwrap_err();
        assert_eq!(error.reason, Reason::BadRequest);
        assert!(error.sentence.contains("`altavista`") && error.sentence.contains("bing_copilot"));
    }

    #[test]
    fn place_below_the_country_is_passed_on() {
        let mut asked = request();
        asked.location.city = Some("München".to_owned());
        asked.location.language = Some("en".to_owned());
        for engine in ["google_ai_mode", "google_ai_overview"] {
            let sent = searchapi(engine).request(&asked).unwrap().url;
            let place = "&location=M%C3%BCnchen%2CGermany&gl=de&hl=en";
            assert!(sent.ends_with(place), "{sent}");
        }
    }

    #[test]
    fn every_engine_has_its_lists() {
        let first = answer(&searchapi("google_ai_mode"), &page()).normalized();
        assert_eq!(first.markdown, "Ruby **4.0.6** [1].");
        assert_eq!(first.model.as_deref(), Some("gpt-5.3"));
        let citations = first.citations.unwrap();
        assert_eq!((citations.len(), citations[0].website_name.as_str()), (1, "Ruby"));
        assert_eq!(first.sources.unwrap().len(), 2);
        assert_eq!(first.related_questions.unwrap(), ["And 5.0?", "Why?"]);
        let products = first.products.unwrap();
        assert_eq!((products[0].rating.as_str(), products[0].reviews.as_str()), ("4.5", "12"));
        assert_eq!(first.queries, None);
        let bare = json!({"text_blocks": [{"type": "paragraph", "answer": "Four."}]});
        let second = answer(&searchapi("bing_copilot"), &bare);
        assert_eq!((second.markdown.as_str(), second.sources), ("Four.", Some(Vec::new())));
        assert_eq!((second.related_questions, second.products), (None, None));
    }

    #[test]
    fn failures_are_told_apart() {
        let chatgpt = searchapi("chatgpt");
        assert_eq!(
            failure(&chatgpt, 401, &json!({"error": "Invalid API key."})).reason,
            Reason::Auth
        );
        let spent =
            json!({"error": "You have used all of the searches for the month. Upgrade your plan."});
        assert_eq!(failure(&chatgpt, 429, &spent).reason, Reason::Quota);
        assert_eq!(
            failure(&chatgpt, 429, &json!({"error": "Too many requests."})).reason,
            Reason::UpstreamRateLimited
        );
        assert_eq!(
            failure(&chatgpt, 200, &json!({"error": "Engine broke."})).reason,
            Reason::UpstreamError
        );
        assert_eq!(
            failure(&chatgpt, 200, &json!({"error": "The engine hasn't returned any results."}))
                .reason,
            Reason::Empty
        );
        assert_eq!(failure(&chatgpt, 200, &json!({})).reason, Reason::Empty);
        assert_eq!(failure(&chatgpt, 200, &json!(7)).reason, Reason::InvalidResponse);
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&searchapi("google_ai_mode"), &[page()]);
        let overview = json!({"ai_overview": {"page_token": "t"}, "organic_results": [{}]});
        assert_tolerates_mutations(&searchapi("google_ai_overview"), &[overview, page()]);
    }
}
