//! `GET /metrics`: how the service fares, in the text format that Prometheus reads. It needs a key
//! where keys are needed, and tells nothing of a job or a prompt; what keys have spent it tells an
//! operator's key alone.

mod exposition;
mod work;

use actix_web::HttpResponse;

use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::traffic::Traffic;
use crate::service::{AccountCredits, Caller, Readiness, Service};
use exposition::{Exposition, Kind};

/// Version 0.0.4 of the text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const MICROSECONDS: f64 = 1e6;

/// Everything, as it stands now.
pub async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service();
    let mut out = Exposition::default();
    standing(&mut out, service);
    work::tell(&mut out, service);
    http(&mut out, &call.state.traffic);
    store(&mut out, service);
    credits(&mut out, service, &caller);
    process(&mut out, service);
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(out.finish()))
}

fn standing(out: &mut Exposition, service: &Service) {
    let ready = matches!(service.readiness(), Readiness::Ready);
    out.family("answerd_build_info", Kind::Gauge, "The release that runs; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    out.family("answerd_ready", Kind::Gauge, "1 while jobs are taken, as /readyz says.")
        .sample(&[], f64::from(u8::from(ready)));
}

fn http(out: &mut Exposition, traffic: &Traffic) {
    let routes = traffic.report();
    let mut family = out.family(
        "answerd_http_requests_total",
        Kind::Counter,
        "Requests answered since the start, by route, method and class of status.",
    );
    for route in &routes {
        for (method, status, count) in &route.requests {
            let labels = [("route", route.route), ("method", *method), ("status", *status)];
            family.sample(&labels, *count as f64);
        }
    }
    let mut family = out.family(
        "answerd_http_request_seconds",
        Kind::Histogram,
        "How long requests took until the head of their response was ready.",
    );
    for route in &routes {
        family.histogram(&[("route", route.route)], &route.took_microseconds, MICROSECONDS);
    }
}

fn store(out: &mut Exposition, service: &Service) {
    let batches = service.store_batches();
    out.family(
        "answerd_store_commits_total",
        Kind::Counter,
        "Transactions committed since the start, each with one fsync.",
    )
    .sample(&[], batches.count() as f64);
    out.family(
        "answerd_store_batch_writes",
        Kind::Histogram,
        "How many writes shared a transaction and its fsync.",
    )
    .histogram(&[], &batches, 1.0);
    // What cannot be told at the moment is left out.
    let sizes = service.store_sizes();
    let gauges = [
        ("answerd_store_jobs", "Jobs that are kept.", sizes.map(|sizes| sizes.jobs)),
        (
            "answerd_webhooks_pending",
            "Webhooks that are still to be delivered.",
            sizes.map(|sizes| sizes.deliveries_pending),
        ),
        ("answerd_store_bytes", "The files in the store's folder, bytes.", service.store_bytes()),
        (
            "answerd_store_free_page_bytes",
            "Pages of the database's file that hold nothing, bytes.",
            service.store_free_page_bytes(),
        ),
        (
            "answerd_store_free_bytes",
            "What is free on the disk of the store, bytes.",
            service.store_free_bytes(),
        ),
    ];
    for (name, help, value) in gauges {
        let mut family = out.family(name, Kind::Gauge, help);
        if let Some(value) = value {
            family.sample(&[], value as f64);
        }
    }
}

/// Gauges, because they begin anew each month. Of no key unless an operator asks.
fn credits(out: &mut Exposition, service: &Service, caller: &Caller) {
    // What cannot be read at the moment is left out.
    let accounts = service.all_credits(caller).ok().flatten().unwrap_or_default();
    let gauges = [
        ("answerd_credits_allowance", "Credits that a key may spend in a month."),
        ("answerd_credits_used", "Credits that a key has spent this month (UTC)."),
        ("answerd_credits_reserved", "Credits of a key's jobs that have not ended."),
    ];
    for (at, (name, help)) in gauges.into_iter().enumerate() {
        let mut family = out.family(name, Kind::Gauge, help);
        for AccountCredits { account, monthly_credits, credits } in &accounts {
            let values = [*monthly_credits, Some(credits.used), Some(credits.reserved)];
            if let Some(value) = values[at] {
                family.sample(&[("account", account)], value as f64);
            }
        }
    }
}

/// Under the names that Prometheus' client libraries use.
fn process(out: &mut Exposition, service: &Service) {
    let used = service.process_use();
    out.family("process_start_time_seconds", Kind::Gauge, "When the service started, Unix time.")
        .sample(&[], service.since_ms() as f64 / 1000.0);
    let rest = [
        ("process_resident_memory_bytes", Kind::Gauge, "Memory.", used.resident_bytes),
        ("process_open_fds", Kind::Gauge, "Open file descriptors.", used.open_files),
        ("process_threads", Kind::Gauge, "Threads.", used.threads),
    ];
    for (name, kind, help, value) in rest {
        if let Some(value) = value {
            out.family(name, kind, help).sample(&[], value as f64);
        }
    }
    if let Some(seconds) = used.processor_seconds {
        out.family("process_cpu_seconds_total", Kind::Counter, "Processor time of all threads.")
            .sample(&[], seconds);
    }
}
