//! The HTTP front end: the running server, and every route once. Handlers parse, call the service
//! and answer; the rules are below.

mod address;
mod attempts;
mod auth;
mod batch_request;
mod batches;
mod body;
mod cors;
mod dashboard;
mod discovery;
mod docs;
mod edge;
mod error;
mod events;
mod evidence;
mod export;
mod jobs;
mod list;
mod metrics;
mod openapi;
mod ops;
mod params;
mod poll;
mod practice;
mod quick;
mod refusals;
mod scrapers;
mod server;
mod site;
mod stats;
mod unread;
mod usage;
mod webhooks;

use actix_web::{HttpRequest, HttpResponse, ResponseError, guard, web};

pub use error::ApiError;
pub use server::{Reloader, ServeError, Server, StartError, Stopper};

use crate::answer::object as render;
use crate::service::Service;

/// The longest path and query, bytes: a prompt of 4,000 characters fits, percent-encoded.
pub const URL_BYTES_MAX: usize = 60_000;

/// The limits of a request that handlers keep.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub body_bytes_max: usize,
    /// Of a batch.
    pub batch_bytes_max: usize,
}

/// What every worker of the server shares.
#[derive(Clone)]
struct State {
    service: web::Data<Service>,
    limits: web::Data<Limits>,
    cors: web::Data<cors::Cors>,
    practice: web::Data<practice::PracticeState>,
    streams: web::Data<stats::Streams>,
}

/// Every route. What is not here is a 404, and another method a 405 with `Allow`. The plainest poll is
/// answered before this is asked: see [`quick`].
fn routes(config: &mut web::ServiceConfig, state: &State) {
    config
        .app_data(state.service.clone())
        .app_data(state.limits.clone())
        .app_data(state.cors.clone())
        .app_data(state.streams.clone())
        // Tried in this order: what is asked for most stands first.
        .service(
            web::resource("/jobs/{id}")
                .route(web::get().to(jobs::get))
                .route(web::delete().to(jobs::cancel))
                .default_service(web::to(only_get_delete)),
        )
        .service(
            web::resource("/scrapers/{scraper}/jobs")
                .route(web::post().to(scrapers::submit))
                .default_service(web::to(only_post)),
        )
        .service(get("/scrapers", web::get().to(discovery::list)))
        .service(get("/scrapers/{scraper}", web::get().to(scrapers::run)))
        .service(
            web::resource("/batches")
                .route(web::post().to(batches::submit))
                .default_service(web::to(only_post)),
        )
        .service(
            web::resource("/batches/{id}")
                .route(web::get().to(batches::get))
                .route(web::delete().to(batches::cancel))
                .default_service(web::to(only_get_delete)),
        )
        .service(get("/usage", web::get().to(usage::get)))
        .service(get("/jobs", web::get().to(list::list)))
        .service(get("/openapi.json", web::get().to(openapi::get)))
        .service(get("/metrics", web::get().to(metrics::get)))
        .service(get("/stats", web::get().to(stats::get)))
        .service(get("/stats/events", web::get().to(stats::stream)))
        .service(get("/jobs/{id}/attempts", web::get().to(attempts::list)))
        .service(get("/jobs/{id}/events", web::get().to(events::stream)))
        .service(
            web::resource("/jobs/{id}/webhook")
                .route(web::get().to(webhooks::of_job))
                .route(web::post().to(webhooks::send_again_of_job))
                .default_service(web::to(only_get_post)),
        )
        .service(
            web::resource("/batches/{id}/webhook")
                .route(web::get().to(webhooks::of_batch))
                .route(web::post().to(webhooks::send_again_of_batch))
                .default_service(web::to(only_get_post)),
        )
        .service(get("/jobs/{id}/evidence", web::get().to(evidence::list)))
        .service(get("/jobs/{id}/evidence/{file}", web::get().to(evidence::file)))
        .service(get("/md/{id}.json", web::get().to(jobs::tokens)))
        .service(get("/md/{id}.md", web::get().to(jobs::markdown)))
        .service(probe("/healthz", probed().to(ops::healthz)))
        .service(probe("/readyz", probed().to(ops::readyz)))
        .configure(|config| practice::configure(config, state.practice.clone()))
        .configure(docs::configure)
        .configure(dashboard::configure)
        .default_service(web::to(no_path));
}

/// A path that takes GET and nothing else.
fn get(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(only_get))
}

/// A path that probes ask: many of them send HEAD.
fn probe(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(only_get_head))
}

fn probed() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn only_get_head(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET, HEAD").error_response()
}

async fn only_get(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET").error_response()
}

async fn only_get_delete(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET, DELETE").error_response()
}

async fn only_get_post(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET, POST").error_response()
}

async fn only_post(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "POST").error_response()
}

async fn no_path(request: HttpRequest) -> HttpResponse {
    ApiError::no_path(request.path()).error_response()
}
