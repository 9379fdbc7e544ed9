//! SerpApi: Google's AI Mode or AI Overview, or Bing's Copilot; `model` names the engine. Its key
//! goes into the query.

use url::form_urlencoded::Serializer;

use crate::answer::{Answer, Kind};
use crate::config;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::place::{self, Fields};
use super::{cards, overview, serp_page};

const SHIPPED: Shipped = Shipped {
    base_url: "https://serpapi.com",
    model: GOOGLE_AI_MODE,
    sign_in: SignIn::Query("api_key"),
};
const GOOGLE_AI_MODE: &str = "google_ai_mode";
const BING_COPILOT: &str = "bing_copilot";
/// Where the bodies list the pages that an answer rests on.
const REFERENCES: &str = "references";
/// From where an engine without a place is asked.
const HOME_COUNTRIES: &[&str] = &["US"];

/// One engine at SerpApi.
pub(crate) struct Serpapi {
    account: Account,
}

impl Serpapi {
    /// Returns the upstream with the settings of its section.
    pub(crate) fn new(settings: &config::Upstream) -> Serpapi {
        Serpapi { account: Account::new(settings, &SHIPPED) }
    }

    /// Returns a search; `fill` writes the parameters of its own.
    fn search(&self, engine: &str, fill: impl FnOnce(&mut Serializer<'_, String>)) -> HttpRequest {
        let mut query = Serializer::new(String::new());
        query.append_pair("engine", engine);
        fill(&mut query);
        // An hour-old answer from their cache is not what was asked for: ours is its own.
        query.append_pair("no_cache", "true");
        self.account.get(&format!("/search.json?{}", query.finish()))
    }

    /// Returns a search of Google's from the request's place.
    fn google(&self, engine: &str, request: &ScrapeRequest) -> HttpRequest {
        self.search(engine, |query| {
            place::fill_google(query, request, place::google_location(request));
        })
    }

    /// Returns the request for an overview that a page of results has only a token of.
    fn overview(&self, token: &str) -> HttpRequest {
        self.search(overview::ENGINE, |query| {
            query.append_pair("page_token", token);
        })
    }
}

impl Provider for Serpapi {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn limits(&self) -> Limits {
        match self.account.model.as_str() {
            BING_COPILOT => Limits { countries: Some(HOME_COUNTRIES), ..Limits::default() },
            overview::ENGINE => {
                Limits { prompt_chars_max: overview::QUERY_CHARS_MAX, ..Limits::default() }
            }
            _ => Limits::default(),
        }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let fields = (self.account.model != BING_COPILOT).then_some(Fields::GOOGLE);
        place::check(&self.account, request, fields)?;
        Ok(match self.account.model.as_str() {
            GOOGLE_AI_MODE => self.google(GOOGLE_AI_MODE, request),
            overview::ENGINE => self.google("google", request),
            BING_COPILOT => self.search(BING_COPILOT, |query| {
                query.append_pair("q", &request.prompt);
            }),
            _ => {
                let known = [GOOGLE_AI_MODE, BING_COPILOT, overview::ENGINE].join(", ");
                return Err(self.account.model_unknown(&known));
            }
        })
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        if self.account.model == overview::ENGINE {
            let names = overview::Names { references: REFERENCES };
            let page = || self.google("google", request);
            let fetch = |token: &str| self.overview(token);
            return overview::step(&self.account, request, replies, &names, page, fetch);
        }
        let body = self.account.read(request, replies)?;
        let markdown = serp_page::markdown(&self.account, request, &body, REFERENCES)?;
        let references = serp_page::pages(&body, REFERENCES);
        let is_google = self.account.model == GOOGLE_AI_MODE;
        Ok(Step::Done(Box::new(Answer {
            markdown,
            warnings: serp_page::left_out(&references),
            sources: Some(references),
            citations: Some(serp_page::cited(&body, REFERENCES)),
            cited_is_untold: true,
            products: is_google.then(|| cards::products(&body)),
            ads: cards::listed_ads(&body),
            search: serp_page::search(request, None),
            place: is_google.then(|| place::applied(request, Fields::GOOGLE)).flatten(),
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
    use crate::upstream::providers::test_support::{
        answer, assert_tolerates_mutations, failure, request, settings,
    };

    fn serpapi() -> Serpapi {
        Serpapi::new(&settings(UpstreamKind::Serpapi))
    }

    fn page() -> Value {
        json!({"search_metadata": {"status": "Success"},
            "reconstructed_markdown": "Ruby **4.0.6**.",
            "text_blocks": [{"type": "paragraph", "snippet": "Ruby 4.0.6.",
                "reference_indexes": [0]}],
            "references": [{"index": 0, "title": "Ruby", "link": "https://a.example/",
                "snippet": "s", "source": "Ruby"}],
            "shopping_results": [{"title": "Ring", "link": "https://shop.example/", "rating": 4,
                "reviews": 3, "price": "$9.00"}]})
    }

    #[test]
    fn the_key_is_kept_out_of_the_address() {
        let sent = serpapi().request(&request()).unwrap();
        assert!(
            sent.url
                .starts_with("https://serpapi.com/search.json?engine=google_ai_mode&q=Which+Ruby"),
            "{}",
            sent.url
        );
        assert!(sent.url.contains("&gl=de&hl=de") && !sent.url.contains("key-of-tests"));
        let (name, key) = sent.secret_query.unwrap();
        assert_eq!((name.as_str(), key.reveal()), ("api_key", "key-of-tests"));
        assert!(sent.headers.is_empty());
        let mut settings = settings(UpstreamKind::Serpapi);
        settings.model = BING_COPILOT.to_owned();
        let limits = Serpapi::new(&settings).limits();
        let error = limits.check("copilot", &request()).unwrap_err();
        assert_eq!(error.reason, Reason::CountryUnsupported);
        settings.model = "google_scholar".to_owned();
        assert_eq!(
            Serpapi::new(&settings).request(&request()).unwrap_err().reason,
            Reason::BadRequest
        );
    }

    #[test]
    fn references_are_sources_and_citations() {
        let answer = answer(&serpapi(), &page());
        assert_eq!(answer.markdown, "Ruby **4.0.6**.");
        assert_eq!(answer.citations.as_ref().unwrap()[0].website_name, "Ruby");
        assert_eq!(answer.sources, answer.citations);
        assert_eq!(answer.products.unwrap()[0].price, "$9.00");
        assert_eq!((answer.model, answer.queries, answer.related_questions), (None, None, None));
    }

    #[test]
    fn blocks_order_the_citations() {
        let mut page = page();
        page["references"] = json!([{"index": 0, "link": "https://a.example/"},
            {"index": 1, "link": "https://b.example/"},
            {"index": 2, "link": "https://c.example/"}]);
        page["text_blocks"] = json!([{"type": "paragraph", "snippet": "x",
            "reference_indexes": [2, 0]}]);
        page["reconstructed_markdown"] = json!(null);
        let answer = answer(&serpapi(), &page);
        assert_eq!(answer.markdown, "x[3][1]");
        let cited: Vec<&str> =
            answer.citations.iter().flatten().map(|page| page.url.as_str()).collect();
        assert_eq!(cited, ["https://c.example/", "https://a.example/"]);
        assert_eq!(answer.sources.unwrap().len(), 3);
    }

    #[test]
    fn place_below_the_country_is_passed_on() {
        let mut asked = request();
        asked.country = "US".to_owned();
        asked.location.region = Some("Texas".to_owned());
        asked.location.city = Some("Austin".to_owned());
        asked.location.language = Some("es".to_owned());
        asked.location.device = Some(crate::job::Device::Mobile);
        let sent = serpapi().request(&asked).unwrap().url;
        let place = "&location=Austin%2CTexas%2CUnited+States&gl=us&hl=es&device=mobile&no_cache";
        assert!(sent.contains(place), "{sent}");
        let reply = crate::upstream::providers::test_support::ok(&page());
        let Ok(Step::Done(answer)) = serpapi().reply(&asked, &[reply]) else { panic!("no answer") };
        assert_eq!(answer.place.unwrap().location, asked.location);
    }

    #[test]
    fn overview_is_fetched_with_its_token() {
        let mut settings = settings(UpstreamKind::Serpapi);
        settings.model = "google_ai_overview".to_owned();
        let serpapi = Serpapi::new(&settings);
        let first = serpapi.request(&request()).unwrap().url;
        assert!(first.contains("?engine=google&q=Which") && first.contains("&gl=de"), "{first}");
        let page = json!({"search_metadata": {"status": "Success"},
            "ai_overview": {"page_token": "a b", "serpapi_link": "x"}});
        let reply = crate::upstream::providers::test_support::ok(&page);
        let Ok(Step::Round(next)) = serpapi.reply(&request(), &[reply]) else { panic!("no round") };
        let path = "/search.json?engine=google_ai_overview&page_token=a+b&no_cache=true";
        assert_eq!(next.url, format!("https://serpapi.com{path}"));
        assert!(next.secret_query.is_some());
        let error =
            serpapi.limits().check("x", &ScrapeRequest { prompt: "é".repeat(2_049), ..request() });
        assert_eq!(error.unwrap_err().reason, Reason::BadRequest);
        assert_tolerates_mutations(&serpapi, &[page]);
    }

    #[test]
    fn an_error_beside_a_success_means_no_results() {
        let reason = |body: Value| failure(&serpapi(), 200, &body).reason;
        let none = json!({"search_metadata": {"status": "Success"},
            "error": "Google hasn't returned any results for this query."});
        assert_eq!(reason(none), Reason::Empty);
        let broken =
            json!({"search_metadata": {"status": "Error"}, "error": "We couldn't reach Google."});
        assert_eq!(reason(broken), Reason::UpstreamError);
        let early = json!({"search_metadata": {"status": "Processing"}});
        assert_eq!(reason(early), Reason::UpstreamError);
        assert_eq!(
            failure(&serpapi(), 401, &json!({"error": "Invalid API key."})).reason,
            Reason::Auth
        );
        assert_eq!(
            failure(&serpapi(), 429, &json!({"error": "Your account has run out of searches."}))
                .reason,
            Reason::Quota
        );
        assert_eq!(
            failure(&serpapi(), 400, &json!({"error": "Unsupported `xx` country - gl parameter."}))
                .reason,
            Reason::CountryUnsupported
        );
    }

    #[test]
    fn fuzzed_replies_never_panic() {
        assert_tolerates_mutations(&serpapi(), &[page()]);
    }
}
