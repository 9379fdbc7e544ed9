//! What a provider's list of models says of those that an upstream is configured with.

use std::time::Duration;

use serde_json::Value;

use super::providers;
use crate::clock::Clock;
use crate::config::{self, Secret};
use crate::net::Client;

/// The longest look at a list, seconds.
const LOOK_SECONDS_MAX: u64 = 15;

/// Asks the provider of an upstream for its models. Returns a sentence for each that is configured
/// and is not among them, or has a day on which it ends; none where there is no list to be read.
pub fn model_warnings(configured: &config::Upstream, clock: &Clock) -> Vec<String> {
    let query = providers::provider(configured).and_then(|provider| provider.models());
    let proxy = configured.proxy.as_ref().map(Secret::reveal);
    let client = Client::new(proxy, clock.clone()).ok();
    let (Some(query), Some(client)) = (query, client) else { return Vec::new() };
    let within = Duration::from_secs(LOOK_SECONDS_MAX);
    let reply = client.exchange(&query.request, within, || false).ok();
    let listed = reply.filter(|reply| reply.status == 200);
    let listed = listed.and_then(|reply| serde_json::from_slice::<Value>(&reply.body).ok());
    let Some(listed) = listed else { return Vec::new() };
    let asked = [query.model].into_iter().chain(configured.models_allowed.iter().cloned());
    asked.filter_map(|model| warning(&listed, &configured.name, &model)).collect()
}

fn warning(listed: &Value, upstream: &str, model: &str) -> Option<String> {
    let models = listed["data"].as_array().or(listed["models"].as_array())?;
    if models.is_empty() {
        return None;
    }
    let found = models.iter().find(|listed| is_model(listed, model));
    let Some(found) = found else {
        return Some(format!(
            "the model `{model}` of [upstreams.{upstream}] is not on its provider's list"
        ));
    };
    let ends = found["shutdown_date"].as_str().or(found["deprecation"].as_str())?;
    Some(format!("the model `{model}` of [upstreams.{upstream}] ends on {ends}: choose another"))
}

/// Returns whether an entry of a list is a model, or a dated release of it, which it stands for.
fn is_model(listed: &Value, model: &str) -> bool {
    let name = listed["id"].as_str().or(listed["name"].as_str()).unwrap_or_default();
    let name = name.trim_start_matches("models/");
    let aliases = listed["aliases"].as_array().into_iter().flatten();
    let release = name.strip_prefix(model).and_then(|rest| rest.strip_prefix('-'));
    name == model
        || release.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        || aliases.into_iter().any(|alias| alias == model)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn model_that_ends_or_is_not_listed_is_told() {
        let listed = json!({"data": [
            {"id": "old", "shutdown_date": "2026-12-11"},
            {"id": "new-2026-11-02"},
            {"id": "medium-2508", "aliases": ["medium-latest"]},
        ]});
        let told = |model: &str| warning(&listed, "openai", model);
        let ends = "the model `old` of [upstreams.openai] ends on 2026-12-11: choose another";
        assert_eq!(told("old").as_deref(), Some(ends));
        let missing = "the model `gone` of [upstreams.openai] is not on its provider's list";
        assert_eq!(told("gone").as_deref(), Some(missing));
        assert_eq!(
            (told("new"), told("medium-latest"), told("new-2026-11-02")),
            (None, None, None)
        );
        let gemini = json!({"models": [{"name": "models/gemini-3.6-flash"}]});
        assert_eq!(warning(&gemini, "gemini", "gemini-3.6-flash"), None);
        assert!(warning(&gemini, "gemini", "gemini-3").is_some());
        for nothing in [json!({}), json!({"data": []}), json!([1]), json!("x")] {
            assert_eq!(warning(&nothing, "openai", "m"), None, "{nothing}");
        }
    }
}
