//! `GET /scrapers`: every scraper with what it takes, what it costs, whether it is configured, and
//! its health. No key: a client may look before it has one, and nothing here is secret.

use actix_web::HttpResponse;
use serde_json::Value;

use crate::api::{
    BreakerView, BucketView, HealthView, LastErrorView, LiveScraperView, MARKDOWN_JSON,
    ModelChangeView, Named, PARAMETERS, QueueView, RecipeView, ScraperView, ScrapersView,
    SelectorMatchesView, UpstreamView,
};
use crate::catalog::{self, Array};
use crate::config::Scraper;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::ModelSeen;
use crate::service::{HEALTH_SECONDS, HealthReport, ScraperStatus, Service, UpstreamStanding};
use crate::upstream::browser::{Matches, RecipeHealth};
use crate::upstream::{Circuit, LastError};

/// Returns all scrapers, those that ship with answerd first.
pub(crate) async fn list(call: ApiCall) -> ApiResult {
    Ok(HttpResponse::Ok().json(view(call.service())))
}

/// Returns all scrapers as `GET /scrapers` does.
pub(crate) fn view(service: &Service) -> ScrapersView {
    ScrapersView { scrapers: service.scrapers().iter().map(scraper).collect() }
}

fn scraper(status: &ScraperStatus<'_>) -> ScraperView {
    let Scraper { name, credits, .. } = status.scraper;
    ScraperView {
        name: name.clone(),
        configured: status.missing.is_none(),
        missing: status.missing.clone(),
        credits: *credits,
        refused_countries: status.refused_countries.clone(),
        parameters: parameters(name, status.prompt_chars_max),
        arrays: catalog::arrays(name).iter().map(|array| array.name()).collect(),
        workers: status.workers,
        queue: queue(status),
        upstreams: status.upstreams.iter().map(upstream).collect(),
        health: health(name, &status.health),
    }
}

/// Returns the part of a scraper that changes while the service runs.
pub(crate) fn live(status: &ScraperStatus<'_>, bucket: Option<BucketView>) -> LiveScraperView {
    let name = &status.scraper.name;
    LiveScraperView {
        name: name.clone(),
        configured: status.missing.is_none(),
        workers: status.workers,
        queue: queue(status),
        upstreams: status.upstreams.iter().map(upstream).collect(),
        health: health(name, &status.health),
        bucket,
    }
}

pub(crate) fn queue(status: &ScraperStatus<'_>) -> QueueView {
    QueueView { waiting: status.waiting, running: status.running }
}

fn parameters(scraper: &str, prompt_chars_max: usize) -> Named<Value> {
    let markdown_json = catalog::shipped(scraper).is_some_and(|entry| entry.markdown_json);
    PARAMETERS
        .iter()
        .filter(|parameter| parameter.name != MARKDOWN_JSON || markdown_json)
        .map(|parameter| (parameter.name.to_owned(), parameter.outline(prompt_chars_max)))
        .collect()
}

fn upstream(standing: &UpstreamStanding<'_>) -> UpstreamView {
    let status = standing.status.as_ref();
    let models = status.map_or(&[][..], |status| &status.models);
    let (breaker, rest_ms) = match status.map(|status| status.circuit) {
        Some(Circuit::Closed { .. }) => (Some(BreakerView::Closed), None),
        Some(Circuit::Open { wait_ms }) => (Some(BreakerView::Open), Some(wait_ms)),
        Some(Circuit::HalfOpen) => (Some(BreakerView::HalfOpen), None),
        None => (None, None),
    };
    UpstreamView {
        name: standing.name.to_owned(),
        kind: standing.kind,
        configured: standing.missing.is_none(),
        missing: standing.missing.map(str::to_owned),
        breaker,
        probe_in_seconds: rest_ms.map(|rest_ms| rest_ms.div_ceil(1000)),
        in_flight: status.map(|status| status.in_flight),
        in_flight_max: status.and_then(|status| status.in_flight_max),
        last_error: status.and_then(|status| status.last_error.as_ref()).map(last_error),
        recipe: status.and_then(|status| status.recipe.as_ref()).map(recipe),
        models_allowed: status.map_or_else(Vec::new, |status| status.models_allowed.clone()),
        llm_model: models.last().map(|last| last.model.clone()),
        model_changes: models.windows(2).map(model_change).collect(),
    }
}

/// Returns the change from one model to the next.
fn model_change(pair: &[ModelSeen]) -> ModelChangeView {
    let model = |at: usize| pair.get(at).map(|seen| seen.model.clone()).unwrap_or_default();
    let since_ms = pair.last().map_or(0, |seen| seen.since_ms);
    ModelChangeView { at: since_ms.into(), from: model(0), to: model(1) }
}

/// Returns a recipe and how it fits its page: a selector whose first alternative does not match any
/// more, or none, is a page that has changed.
fn recipe(health: &RecipeHealth) -> RecipeView {
    let selectors = health.selectors.iter().map(|(name, Matches { alternatives, none })| {
        let matches = SelectorMatchesView { alternatives: alternatives.clone(), none: *none };
        (name.clone(), matches)
    });
    RecipeView {
        name: health.recipe.clone(),
        version: health.version,
        last_verified: health.last_verified.clone(),
        selectors: selectors.collect(),
    }
}

fn last_error(last: &LastError) -> LastErrorView {
    LastErrorView { at: last.at_ms.into(), code: last.reason.code(), error: last.sentence.clone() }
}

fn health(scraper: &str, report: &HealthReport) -> HealthView {
    let filled = |array: &Array| (array.name().to_owned(), report.fill_rate(*array));
    HealthView {
        window_seconds: HEALTH_SECONDS,
        attempts: report.attempts,
        succeeded: report.succeeded,
        success_rate: (report.attempts > 0)
            .then(|| report.succeeded as f64 / report.attempts as f64),
        p50_seconds: report.p50_ms.map(seconds),
        p95_seconds: report.p95_ms.map(seconds),
        searched_share: report.searched_share(),
        present_share: report.present_share(),
        non_empty: catalog::arrays(scraper).iter().map(filled).collect(),
    }
}

pub(crate) fn seconds(time_ms: u64) -> f64 {
    time_ms as f64 / 1000.0
}
