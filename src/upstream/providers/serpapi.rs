//! SerpApi: Google's AI Mode, or Bing's Copilot; `model` names the engine. Its key goes into the
//! query.

use url::form_urlencoded;

use crate::answer::{Answer, Kind};
use crate::config;
use crate::country;
use crate::job::ScrapeRequest;
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::{Limits, UpstreamError};

use super::account::{Account, Shipped, SignIn};
use super::serp_page;

const SHIPPED: Shipped = Shipped {
    base_url: "https://serpapi.com",
    model: GOOGLE_AI_MODE,
    sign_in: SignIn::Query("api_key"),
};
const GOOGLE_AI_MODE: &str = "google_ai_mode";
const BING_COPILOT: &str = "bing_copilot";
/// From where an engine without a place is asked.
const HOME_COUNTRIES: &[&str] = &["US"];

/// One engine at SerpApi.
pub struct Serpapi {
    account: Account,
}

impl Serpapi {
    /// With the settings of its section.
    pub fn new(settings: &config::Upstream) -> Serpapi {
        Serpapi { account: Account::new(settings, &SHIPPED) }
    }
}

impl Provider for Serpapi {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn limits(&self) -> Limits {
        let countries = (self.account.model == BING_COPILOT).then_some(HOME_COUNTRIES);
        Limits { countries, ..Limits::default() }
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("engine", &self.account.model).append_pair("q", &request.prompt);
        match self.account.model.as_str() {
            GOOGLE_AI_MODE => {
                let country = country::of(&request.country);
                query.append_pair("gl", &country.google_country());
                query.append_pair("hl", &country.google_language());
            }
            BING_COPILOT => {}
            _ => {
                let known = format!("{GOOGLE_AI_MODE}, {BING_COPILOT}");
                return Err(self.account.model_unknown(&known));
            }
        }
        // An hour-old answer from their cache is not what was asked for: ours is its own.
        query.append_pair("no_cache", "true");
        Ok(self.account.get(&format!("/search.json?{}", query.finish())))
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let body = self.account.read(request, replies)?;
        let markdown = serp_page::markdown(&self.account, request, &body)?;
        let references = serp_page::pages(&body, "references");
        let sells = self.account.model == GOOGLE_AI_MODE;
        Ok(Step::Done(Box::new(Answer {
            markdown,
            warnings: serp_page::left_out(&references),
            sources: Some(references.clone()),
            citations: Some(references),
            cited_is_untold: true,
            products: sells.then(|| serp_page::products(&body)),
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
                "reviews": 3}]})
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
        settings.model = "google".to_owned();
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
        assert_eq!(answer.products.unwrap()[0].title, "Ring");
        assert_eq!((answer.model, answer.queries, answer.related_questions), (None, None, None));
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
