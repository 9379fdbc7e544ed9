//! The providers over HTTP, one file per kind, and what several of them share. Each is two pure
//! functions: from a scrape to a request, and from replies to an answer or the reason there is
//! none.

mod account;
mod annotations;
mod anthropic;
mod chat_completion;
mod compatible;
mod dataforseo;
mod error_body;
mod gemini;
mod json_path;
mod json_text;
mod mistral;
mod openai;
mod perplexity;
mod responses;
pub(super) mod searchapi;
mod serp_page;
mod serpapi;
mod source_list;
#[cfg(test)]
pub(in crate::upstream) mod test_support;
mod text_blocks;
mod xai;

use crate::config::{self, UpstreamKind};
use crate::job::ScrapeRequest;

use super::provider::Provider;

/// The provider that an upstream's settings name; `None` for a browser and the practice engine,
/// which are no providers over HTTP.
pub fn provider(settings: &config::Upstream) -> Option<Box<dyn Provider>> {
    Some(match settings.kind {
        UpstreamKind::Openai => Box::new(openai::Openai::new(settings)),
        UpstreamKind::Perplexity => Box::new(perplexity::Perplexity::new(settings)),
        UpstreamKind::Gemini => Box::new(gemini::Gemini::new(settings)),
        UpstreamKind::Xai => Box::new(xai::Xai::new(settings)),
        UpstreamKind::Anthropic => Box::new(anthropic::Anthropic::new(settings)),
        UpstreamKind::Mistral => Box::new(mistral::Mistral::new(settings)),
        UpstreamKind::Compatible => Box::new(compatible::Compatible::new(settings)),
        UpstreamKind::Searchapi => Box::new(searchapi::Searchapi::new(settings)),
        UpstreamKind::Serpapi => Box::new(serpapi::Serpapi::new(settings)),
        UpstreamKind::Dataforseo => Box::new(dataforseo::Dataforseo::new(settings)),
        UpstreamKind::Browser | UpstreamKind::Practice => return None,
    })
}

/// The warning of an answer for which a search was wanted and none was made: legal, and worth
/// knowing.
fn no_search_warning(request: &ScrapeRequest, searched: bool) -> Option<String> {
    (request.web_search && !searched).then(|| "The engine made no search.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::test_support::{request, settings};
    use super::*;
    use crate::net::HeaderValue;

    #[test]
    fn every_kind_of_an_api_is_a_provider_that_hides_its_key() {
        for (word, kind) in UpstreamKind::ALL {
            let Some(provider) = provider(&settings(kind)) else {
                assert!(matches!(kind, UpstreamKind::Browser | UpstreamKind::Practice));
                continue;
            };
            let us = ScrapeRequest { country: "US".to_owned(), ..request() };
            let sent = provider.request(&us).unwrap();
            assert!(!format!("{sent:?}").contains("key-of-tests"), "{word}");
            let secret = |value: &HeaderValue| matches!(value, HeaderValue::Secret(_));
            let signed = sent.headers.iter().any(|(_, value)| secret(value));
            assert!(signed || sent.secret_query.is_some(), "{word}");
        }
    }

    #[test]
    fn every_engine_of_the_settings_is_known_to_its_provider() {
        for (word, kind) in UpstreamKind::ALL {
            for engine in kind.engines() {
                let settings = config::Upstream { model: (*engine).to_owned(), ..settings(kind) };
                let sent = provider(&settings).unwrap().request(&request());
                assert!(sent.is_ok(), "{word} {engine}: {sent:?}");
            }
        }
    }
}
