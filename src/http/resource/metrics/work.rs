//! The metrics of what the service is for: jobs, their attempts, the upstreams that they ask, and the
//! webhooks that tell of them.

use super::exposition::{Exposition, Kind};
use crate::service::{ScraperStatus, Service, TotalsReport};
use crate::upstream::Circuit;

const MILLISECONDS: f64 = 1e3;
const MICROSECONDS: f64 = 1e6;

/// Adds the families of all that.
pub fn tell(out: &mut Exposition, service: &Service) {
    let scrapers = service.scrapers();
    let totals: Vec<(&str, TotalsReport)> = scrapers
        .iter()
        .filter_map(|status| {
            let name = status.scraper.name.as_str();
            Some((name, service.totals(name)?))
        })
        .collect();
    queues(out, &scrapers);
    jobs(out, &totals);
    cache(out, &totals);
    attempts(out, &totals);
    upstreams(out, &scrapers);
    calls(out, service);
    webhooks(out, service);
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

fn cache(out: &mut Exposition, totals: &[(&str, TotalsReport)]) {
    let mut family = out.family(
        "answerd_cache_lookups_total",
        Kind::Counter,
        "Jobs that the cache has answered since the start (hit), and that it might have (miss).",
    );
    for (scraper, total) in totals {
        for (result, count) in [("hit", total.cache_hits), ("miss", total.cache_misses)] {
            family.sample(&[("scraper", scraper), ("result", result)], count as f64);
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
        "answerd_job_queue_delay_seconds",
        Kind::Histogram,
        "How long attempts were due before they began.",
    );
    for (scraper, total) in totals {
        family.histogram(&[("scraper", scraper)], &total.waits, MILLISECONDS);
    }
    let mut family = out.family(
        "answerd_worker_pickup_seconds",
        Kind::Histogram,
        "How long attempts that could begin at once waited for a worker, from the commit on.",
    );
    for (scraper, total) in totals {
        family.histogram(&[("scraper", scraper)], &total.pickups, MICROSECONDS);
    }
    let mut family = out.family(
        "answerd_attempt_seconds",
        Kind::Histogram,
        "How long attempts took that brought an answer.",
    );
    for (scraper, total) in totals {
        family.histogram(&[("scraper", scraper)], &total.runs, MILLISECONDS);
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
    let mut family = out.family(
        "answerd_upstream_last_error_timestamp_seconds",
        Kind::Gauge,
        "When the latest call without an answer ended, Unix time, with the reason's code.",
    );
    for upstream in &known {
        if let Some(error) = &upstream.last_error {
            let labels = [("upstream", upstream.name.as_str()), ("code", error.reason.code())];
            family.sample(&labels, error.at_ms as f64 / MILLISECONDS);
        }
    }
    let mut family =
        out.family("answerd_upstream_in_flight", Kind::Gauge, "Calls that are under way.");
    for upstream in &known {
        family.sample(&[("upstream", &upstream.name)], upstream.in_flight as f64);
    }
}

fn calls(out: &mut Exposition, service: &Service) {
    let upstreams = service.upstream_calls();
    let mut family = out.family(
        "answerd_upstream_errors_total",
        Kind::Counter,
        "Calls without an answer since the start, by the reason's code.",
    );
    for upstream in &upstreams {
        for (reason, count) in &upstream.errors {
            family.sample(&[("upstream", &upstream.name), ("code", reason.code())], *count as f64);
        }
    }
    let mut family = out.family(
        "answerd_upstream_call_seconds",
        Kind::Histogram,
        "How long calls took, however they ended.",
    );
    for upstream in &upstreams {
        family.histogram(&[("upstream", &upstream.name)], &upstream.took_ms, MILLISECONDS);
    }
}

fn webhooks(out: &mut Exposition, service: &Service) {
    let counts = service.deliveries();
    let mut family = out.family(
        "answerd_webhook_attempts_total",
        Kind::Counter,
        "Attempts to deliver a webhook since the start, by how its delivery stood then.",
    );
    for (status, count) in
        [("delivered", counts.delivered), ("pending", counts.pending), ("failed", counts.failed)]
    {
        family.sample(&[("status", status)], count as f64);
    }
}
