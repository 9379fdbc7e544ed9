//! `GET /scrapers`: every scraper with what it takes, what it costs, whether it is configured, and
//! how it fares. No key: a client may look before it has one, and nothing here is secret.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

use crate::api::{MARKDOWN_JSON, PARAMETERS};
use crate::catalog;
use crate::clock::rfc3339_seconds;
use crate::config::Scraper;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::{HEALTH_SECONDS, HealthReport, ScraperStatus, UpstreamStanding};
use crate::upstream::browser::RecipeHealth;
use crate::upstream::{Circuit, UpstreamStatus};

/// Returns all scrapers, those that ship with answerd first.
pub async fn list(call: ApiCall) -> ApiResult {
    let scrapers: Vec<Value> = call.service().scrapers().iter().map(scraper).collect();
    Ok(HttpResponse::Ok().json(json!({ "scrapers": scrapers })))
}

fn scraper(status: &ScraperStatus<'_>) -> Value {
    let Scraper { name, workers, credits, .. } = status.scraper;
    let arrays: Vec<&str> = catalog::arrays(name).iter().map(|array| array.name()).collect();
    json!({
        "name": name,
        "configured": status.missing.is_none(),
        "missing": status.missing,
        "credits": credits,
        "refused_countries": status.refused_countries,
        "parameters": parameters(name, status.prompt_chars_max),
        "arrays": arrays,
        "workers": workers,
        "queue": { "waiting": status.waiting, "running": status.running },
        "upstreams": status.upstreams.iter().map(upstream).collect::<Vec<Value>>(),
        "health": health(name, &status.health),
    })
}

/// The part of a scraper that changes while the service runs.
pub fn live(status: &ScraperStatus<'_>) -> Value {
    let name = &status.scraper.name;
    json!({
        "name": name,
        "configured": status.missing.is_none(),
        "workers": status.scraper.workers,
        "queue": { "waiting": status.waiting, "running": status.running },
        "upstreams": status.upstreams.iter().map(upstream).collect::<Vec<Value>>(),
        "health": health(name, &status.health),
    })
}

fn parameters(scraper: &str, prompt_chars_max: usize) -> Map<String, Value> {
    let markdown_json = catalog::shipped(scraper).is_some_and(|entry| entry.markdown_json);
    PARAMETERS
        .iter()
        .filter(|parameter| parameter.name != MARKDOWN_JSON || markdown_json)
        .map(|parameter| (parameter.name.to_owned(), parameter.outline(prompt_chars_max)))
        .collect()
}

fn upstream(standing: &UpstreamStanding<'_>) -> Value {
    let status = standing.status.as_ref();
    let (breaker, rest_ms) = match status.map(|status| status.circuit) {
        Some(Circuit::Closed { .. }) => (Some("closed"), None),
        Some(Circuit::Open { wait_ms }) => (Some("open"), Some(wait_ms)),
        Some(Circuit::HalfOpen) => (Some("half_open"), None),
        None => (None, None),
    };
    json!({
        "name": standing.name,
        "kind": standing.kind,
        "configured": standing.missing.is_none(),
        "missing": standing.missing,
        "breaker": breaker,
        "probe_in_seconds": rest_ms.map(|rest_ms| rest_ms.div_ceil(1000)),
        "in_flight": status.map(|status| status.in_flight),
        "in_flight_max": status.and_then(|status| status.in_flight_max),
        "last_error": status.and_then(last_error),
        "recipe": status.and_then(|status| status.recipe.as_ref()).map(recipe),
    })
}

/// A recipe and how it fits its page: a selector whose first alternative does not match any more, or
/// none, is a page that has changed.
fn recipe(health: &RecipeHealth) -> Value {
    let selectors: Map<String, Value> = health
        .selectors
        .iter()
        .map(|(name, matches)| {
            let counts = json!({ "alternatives": matches.alternatives, "none": matches.none });
            (name.clone(), counts)
        })
        .collect();
    json!({
        "name": health.recipe,
        "version": health.version,
        "last_verified": health.last_verified,
        "selectors": selectors,
    })
}

fn last_error(status: &UpstreamStatus) -> Option<Value> {
    status.last_error.as_ref().map(|last| {
        json!({
            "at": rfc3339_seconds(last.at_ms), "code": last.reason.code(), "error": last.sentence,
        })
    })
}

fn health(scraper: &str, report: &HealthReport) -> Value {
    let seconds = |time_ms: Option<u64>| time_ms.map(|time_ms| time_ms as f64 / 1000.0);
    let rate = (report.attempts > 0).then(|| report.succeeded as f64 / report.attempts as f64);
    let filled: Map<String, Value> = catalog::arrays(scraper)
        .iter()
        .map(|array| (array.name().to_owned(), json!(report.fill_rate(*array))))
        .collect();
    json!({
        "window_seconds": HEALTH_SECONDS,
        "attempts": report.attempts,
        "succeeded": report.succeeded,
        "success_rate": rate,
        "p50_seconds": seconds(report.p50_ms),
        "p95_seconds": seconds(report.p95_ms),
        "non_empty": filled,
    })
}
