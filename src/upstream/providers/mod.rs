//! The providers over HTTP, one file per kind, and what several of them share. Each is two pure
//! functions: from a scrape to a request, and from replies to an answer or the reason there is
//! none.

mod account;
mod annotations;
mod anthropic;
mod brightdata;
mod cards;
mod chat_completion;
mod cloro;
mod compatible;
mod dataforseo;
mod error_body;
mod gemini;
mod json_path;
mod json_text;
mod mistral;
mod model_api;
mod model_place;
mod openai;
mod overview;
mod oxylabs;
mod perplexity;
mod place;
mod responses;
mod scrapeless;
mod scrapellm;
pub(super) mod searchapi;
mod searches;
mod serp_page;
mod serpapi;
mod source_list;
#[cfg(test)]
pub(in crate::upstream) mod test_support;
mod text_blocks;
mod token_usage;
mod xai;

use super::provider::Provider;
use crate::config::{self, UpstreamKind};

/// Returns the provider that an upstream's settings name; `None` for a browser and the practice
/// engine, which are no providers over HTTP.
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
        UpstreamKind::Cloro => Box::new(cloro::Cloro::new(settings)),
        UpstreamKind::Brightdata => Box::new(brightdata::Brightdata::new(settings)),
        UpstreamKind::Oxylabs => Box::new(oxylabs::Oxylabs::new(settings)),
        UpstreamKind::Scrapeless => Box::new(scrapeless::Scrapeless::new(settings)),
        UpstreamKind::Scrapellm => Box::new(scrapellm::Scrapellm::new(settings)),
        UpstreamKind::Browser | UpstreamKind::Practice => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::searches::SEARCH_FIRST;
    use super::test_support::{request, settings};
    use super::*;
    use crate::job::ScrapeRequest;
    use crate::net::HeaderValue;

    /// The kinds that ask a model.
    const APIS: [UpstreamKind; 7] = [
        UpstreamKind::Openai,
        UpstreamKind::Perplexity,
        UpstreamKind::Gemini,
        UpstreamKind::Xai,
        UpstreamKind::Anthropic,
        UpstreamKind::Mistral,
        UpstreamKind::Compatible,
    ];

    #[test]
    fn every_kind_of_an_api_is_a_provider_that_hides_its_key() {
        for kind in UpstreamKind::ALL.iter().copied() {
            let word = kind.word();
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
    fn model_of_a_request_goes_before_that_of_the_settings() {
        let asked = ScrapeRequest { model: Some("other-model".to_owned()), ..request() };
        for kind in APIS {
            let provider = provider(&settings(kind)).unwrap();
            let sent = provider.request(&asked).unwrap();
            let body = sent.body.unwrap();
            let of_url = sent.url.contains("/models/other-model:");
            assert!(body["model"] == "other-model" || of_url, "{kind:?}: {body:#}");
            let own = provider.request(&request()).unwrap();
            assert!(!format!("{own:?}").contains("other-model"), "{kind:?}");
        }
    }

    #[test]
    fn caps_of_the_settings_are_sent_in_the_field_that_a_kind_has() {
        let rows = [
            (UpstreamKind::Openai, "/max_output_tokens", "/max_tool_calls"),
            (UpstreamKind::Perplexity, "/max_output_tokens", ""),
            (UpstreamKind::Gemini, "/generationConfig/maxOutputTokens", ""),
            (UpstreamKind::Xai, "/max_output_tokens", ""),
            (UpstreamKind::Anthropic, "/max_tokens", "/tools/0/max_uses"),
            (UpstreamKind::Mistral, "/completion_args/max_tokens", ""),
            (UpstreamKind::Compatible, "/max_tokens", ""),
        ];
        for (kind, tokens, searches) in rows {
            let body = |settings: &config::Upstream| {
                provider(settings).unwrap().request(&request()).unwrap().body.unwrap()
            };
            let default = body(&settings(kind));
            let defaults = [tokens, searches].map(|pointer| default.pointer(pointer).cloned());
            match kind {
                UpstreamKind::Anthropic => {
                    assert_eq!(defaults, [Some(8_192.into()), Some(5.into())]);
                }
                _ => assert_eq!(defaults[0], None, "{kind:?}"),
            }
            let capped = config::Upstream {
                output_tokens_max: Some(1_000),
                searches_max: Some(3),
                ..settings(kind)
            };
            let capped = body(&capped);
            assert_eq!(capped.pointer(tokens), Some(&1_000.into()), "{kind:?}");
            if !searches.is_empty() {
                assert_eq!(capped.pointer(searches), Some(&3.into()), "{kind:?}");
            }
        }
    }

    #[test]
    fn search_is_forced_as_the_settings_say() {
        let choice = |kind, force_search| {
            let settings = config::Upstream { force_search, ..settings(kind) };
            let body = provider(&settings).unwrap().request(&request()).unwrap().body.unwrap();
            (body["tool_choice"].clone(), body.to_string().contains(SEARCH_FIRST))
        };
        let required = || json!("required");
        let rows = [
            (UpstreamKind::Openai, required(), true),
            (UpstreamKind::Perplexity, json!({"type": "web_search"}), true),
            (UpstreamKind::Xai, required(), false),
            (UpstreamKind::Anthropic, json!({"type": "tool", "name": "web_search"}), false),
        ];
        for (kind, forced, is_default) in rows {
            assert_eq!(choice(kind, Some(true)).0, forced, "{kind:?}");
            assert_eq!(choice(kind, Some(false)).0, Value::Null, "{kind:?}");
            let default = if is_default { forced } else { Value::Null };
            assert_eq!(choice(kind, None).0, default, "{kind:?}");
        }
        // Where it is not forced, it is asked for.
        assert!(choice(UpstreamKind::Openai, Some(false)).1);
        assert!(!choice(UpstreamKind::Openai, None).1);
        assert!(choice(UpstreamKind::Gemini, None).1);
    }

    #[test]
    fn every_engine_of_the_settings_is_known_to_its_provider() {
        for kind in UpstreamKind::ALL.iter().copied() {
            let word = kind.word();
            for engine in kind.engines() {
                let settings = config::Upstream { model: (*engine).to_owned(), ..settings(kind) };
                let sent = provider(&settings).unwrap().request(&request());
                assert!(sent.is_ok(), "{word} {engine}: {sent:?}");
            }
        }
    }
}
