//! `GET /metrics`: how the service fares, in the text format that Prometheus reads. It needs a key
//! where keys are needed, and tells nothing of a job, a prompt or an account.

mod exposition;

use actix_web::{HttpResponse, web};

use crate::service::{Caller, RUN_BOUNDS_MS, Readiness, ScraperStatus, Service, TotalsReport};
use crate::upstream::Circuit;
use exposition::{Exposition, Kind};

/// Version 0.0.4 of the text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything, as it stands now.
pub async fn get(service: web::Data<Service>, _: Caller) -> HttpResponse {
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(text(&service))
}

fn text(service: &Service) -> String {
    let mut out = Exposition::default();
    let ready = matches!(service.readiness(), Readiness::Ready);
    out.family("answerd_build_info", Kind::Gauge, "The release that runs; always 1.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    out.family("answerd_ready", Kind::Gauge, "1 while jobs are taken, as /readyz says.")
        .sample(&[], f64::from(u8::from(ready)));
    let scrapers = service.scrapers();
    queues(&mut out, &scrapers);
    let totals: Vec<(&str, TotalsReport)> = scrapers
        .iter()
        .filter_map(|status| {
            let name = status.scraper.name.as_str();
            Some((name, service.totals(name)?))
        })
        .collect();
    jobs(&mut out, &totals);
    attempts(&mut out, &totals);
    upstreams(&mut out, &scrapers);
    store(&mut out, service);
    process(&mut out, service);
    out.finish()
}

fn queues(out: &mut Exposition, scrapers: &[ScraperStatus<'_>]) {
    let mut family =
        out.family("answerd_jobs_waiting", Kind::Gauge, "Jobs that wait for an attempt.");
    for status in scrapers {
        family.sample(&[("scraper", &status.scraper.name)], status.waiting as f64);
    }
    let mut family = out.family("answerd_jobs_running", Kind::Gauge, "Jobs whose attempt runs.");
    for status in scrapers {
        family.sample(&[("scraper", &status.scraper.name)], status.running as f64);
    }
}

fn jobs(out: &mut Exposition, totals: &[(&str, TotalsReport)]) {
    let mut family = out.family(
        "answerd_jobs_submitted_total",
        Kind::Counter,
        "Jobs that were taken since the start.",
    );
    for (scraper, total) in totals {
        family.sample(&[("scraper", scraper)], total.submitted as f64);
    }
    let mut family = out.family(
        "answerd_jobs_ended_total",
        Kind::Counter,
        "Jobs that have ended since the start: done, failed, canceled.",
    );
    for (scraper, total) in totals {
        let ends = [("done", total.done), ("failed", total.failed), ("canceled", total.canceled)];
        for (end, count) in ends {
            family.sample(&[("scraper", scraper), ("end", end)], count as f64);
        }
    }
}

fn attempts(out: &mut Exposition, totals: &[(&str, TotalsReport)]) {
    let mut family = out.family(
        "answerd_attempts_failed_total",
        Kind::Counter,
        "Attempts without an answer since the start, by the reason's code.",
    );
    for (scraper, total) in totals {
        for (reason, count) in &total.failures {
            family.sample(&[("scraper", scraper), ("code", reason.code())], *count as f64);
        }
    }
    let mut family = out.family(
        "answerd_attempt_seconds",
        Kind::Histogram,
        "How long attempts took that brought an answer.",
    );
    for (scraper, total) in totals {
        let mut within = 0;
        for (bound_ms, count) in RUN_BOUNDS_MS.iter().zip(&total.runs) {
            within += count;
            let bound = (*bound_ms as f64 / 1000.0).to_string();
            family.part("_bucket", &[("scraper", scraper), ("le", &bound)], within as f64);
        }
        let all = total.runs.iter().sum::<u64>() as f64;
        family.part("_bucket", &[("scraper", scraper), ("le", "+Inf")], all);
        family.part("_sum", &[("scraper", scraper)], total.run_sum_ms as f64 / 1000.0);
        family.part("_count", &[("scraper", scraper)], all);
    }
}

fn upstreams(out: &mut Exposition, scrapers: &[ScraperStatus<'_>]) {
    let mut known: Vec<_> = scrapers
        .iter()
        .flat_map(|status| &status.upstreams)
        .filter_map(|upstream| upstream.status.as_ref())
        .collect();
    // One upstream may serve several scrapers.
    known.sort_by(|one, other| one.name.cmp(&other.name));
    known.dedup_by(|one, other| one.name == other.name);
    let mut family = out.family(
        "answerd_upstream_available",
        Kind::Gauge,
        "1 while calls are made, 0.5 while a probe is under way, 0 while it rests after failures.",
    );
    for upstream in &known {
        let available = match upstream.circuit {
            Circuit::Closed { .. } => 1.0,
            Circuit::HalfOpen => 0.5,
            Circuit::Open { .. } => 0.0,
        };
        family.sample(&[("upstream", &upstream.name)], available);
    }
    let mut family =
        out.family("answerd_upstream_in_flight", Kind::Gauge, "Calls that are under way.");
    for upstream in &known {
        family.sample(&[("upstream", &upstream.name)], upstream.in_flight as f64);
    }
}

fn store(out: &mut Exposition, service: &Service) {
    let stats = service.writer_stats();
    out.family(
        "answerd_store_commits_total",
        Kind::Counter,
        "Transactions committed since the start, each with one fsync.",
    )
    .sample(&[], stats.commits as f64);
    out.family(
        "answerd_store_writes_total",
        Kind::Counter,
        "Writes in those transactions; divided by the commits, how many share an fsync.",
    )
    .sample(&[], stats.writes as f64);
    if let Some(bytes) = service.store_bytes() {
        out.family("answerd_store_bytes", Kind::Gauge, "The files in the store's folder, bytes.")
            .sample(&[], bytes as f64);
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
