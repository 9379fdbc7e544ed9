//! The HTTP front end: the running server, and every route once. Handlers parse, call the service
//! and answer; the rules are below.

mod dashboard;
mod docs;
mod error;
mod openapi;
mod practice;
mod request;
mod resource;
#[cfg(test)]
mod tests;
mod transport;

use actix_web::{HttpRequest, HttpResponse, ResponseError, guard, web};

pub use error::ApiError;
pub use request::params;
pub use resource::export::Formulas;
pub use transport::server::{Reloader, ServeError, Server, ShutdownHandle, StartError};

use crate::answer::object as render;
use crate::service::Service;
use request::{body, origin};
use resource::{
    attempts, batches, discovery, events, evidence, health, jobs, list, metrics, scrapers, stats,
    usage, webhooks,
};
use transport::cors;
use transport::traffic::{POLL_PATH, SUBMIT_PATH, Traffic};

/// The longest path and query, bytes: a prompt of 4,000 characters fits, percent-encoded.
pub const URL_BYTES_MAX: usize = 60_000;

/// The limits of a request that handlers keep.
#[derive(Clone, Debug)]
struct Limits {
    body_bytes_max: usize,
    /// Of a batch.
    batch_bytes_max: usize,
    /// What is held of all bodies.
    bodies: body::Budget,
}

/// What every worker of the server shares.
#[derive(Clone)]
struct State {
    service: web::Data<Service>,
    limits: web::Data<Limits>,
    cors: web::Data<cors::Cors>,
    origin: web::Data<origin::OriginCheck>,
    practice: web::Data<practice::PracticeState>,
    streams: web::Data<stats::Streams>,
    traffic: web::Data<Traffic>,
}

/// Every route. What is not here is a 404, and another method a 405 with `Allow`. The plainest polls and
/// submits are answered before this is asked: see [`transport::fast_path`].
fn routes(config: &mut web::ServiceConfig, state: &State) {
    let traffic = &*state.traffic;
    config
        .app_data(state.service.clone())
        .app_data(state.limits.clone())
        .app_data(state.cors.clone())
        .app_data(state.streams.clone())
        .app_data(state.traffic.clone())
        // Tried in this order: what is asked for most stands first.
        .service(
            traffic
                .resource(POLL_PATH)
                .route(get_or_head().to(jobs::get))
                .route(web::delete().to(jobs::cancel))
                .default_service(web::to(only_get_delete)),
        )
        .service(
            traffic
                .resource(SUBMIT_PATH)
                .route(web::post().to(scrapers::submit))
                .default_service(web::to(only_post)),
        )
        .service(get(traffic, "/scrapers", get_or_head().to(discovery::list)))
        .service(
            traffic
                .resource("/scrapers/{scraper}")
                // No HEAD: it must be safe, and this runs a scrape.
                .route(web::get().to(scrapers::run))
                .default_service(web::to(only_get)),
        )
        .service(
            traffic
                .resource("/batches")
                .route(web::post().to(batches::submit))
                .default_service(web::to(only_post)),
        )
        .service(
            traffic
                .resource("/batches/{id}")
                .route(get_or_head().to(batches::get))
                .route(web::delete().to(batches::cancel))
                .default_service(web::to(only_get_delete)),
        )
        .service(get(traffic, "/usage", get_or_head().to(usage::get)))
        .service(get(traffic, "/jobs", get_or_head().to(list::list)))
        .service(get(traffic, "/openapi.json", get_or_head().to(openapi::get)))
        .service(get(traffic, "/metrics", get_or_head().to(metrics::get)))
        .service(get(traffic, "/stats", get_or_head().to(stats::get)))
        .service(get(traffic, "/stats/events", get_or_head().to(stats::stream)))
        .service(get(traffic, "/jobs/{id}/attempts", get_or_head().to(attempts::list)))
        .service(get(traffic, "/jobs/{id}/events", get_or_head().to(events::stream)))
        .service(
            traffic
                .resource("/jobs/{id}/webhook")
                .route(get_or_head().to(webhooks::of_job))
                .route(web::post().to(webhooks::send_again_of_job))
                .default_service(web::to(only_get_post)),
        )
        .service(
            traffic
                .resource("/batches/{id}/webhook")
                .route(get_or_head().to(webhooks::of_batch))
                .route(web::post().to(webhooks::send_again_of_batch))
                .default_service(web::to(only_get_post)),
        )
        .service(get(traffic, "/jobs/{id}/evidence", get_or_head().to(evidence::list)))
        .service(get(traffic, "/jobs/{id}/evidence/{file}", get_or_head().to(evidence::file)))
        .service(get(traffic, "/md/{id}.json", get_or_head().to(jobs::tokens)))
        .service(get(traffic, "/md/{id}.md", get_or_head().to(jobs::markdown)))
        .service(get(traffic, "/healthz", get_or_head().to(health::healthz)))
        .service(get(traffic, "/readyz", get_or_head().to(health::readyz)))
        .configure(|config| practice::configure(config, traffic, state.practice.clone()))
        .configure(|config| docs::configure(config, traffic))
        .configure(|config| dashboard::configure(config, traffic))
        .default_service(web::to(no_path));
}

/// A path that takes GET, and HEAD with it.
fn get(traffic: &Traffic, path: &'static str, route: actix_web::Route) -> actix_web::Resource {
    traffic.resource(path).route(route).default_service(web::to(only_get_head))
}

/// The route of what is read: HEAD is served wherever GET is (RFC 9110, section 9.1).
fn get_or_head() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn only_get_head(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET, HEAD").error_response()
}

async fn only_get(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET").error_response()
}

async fn only_get_delete(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET, HEAD, DELETE").error_response()
}

async fn only_get_post(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "GET, HEAD, POST").error_response()
}

async fn only_post(request: HttpRequest) -> HttpResponse {
    ApiError::method(request.method().as_str(), "POST").error_response()
}

async fn no_path(request: HttpRequest) -> HttpResponse {
    docs::nothing_at(&request)
}
