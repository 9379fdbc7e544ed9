//! Every metric: its name, its kind, its help, and its samples. Words of labels are of a closed
//! set: never a key, a prompt or an id.

use super::exposition::Kind;
use super::exposition::Samples;
use super::{Metric, MetricSources};
use crate::alert::{AlertKind, AlertState};
use crate::api::usd;
use crate::job::RunOutcome;
use crate::service::Readiness;
use crate::upstream::{CallCounts, Circuit};

pub(super) const MILLISECONDS: f64 = 1e3;
pub(super) const MICROSECONDS: f64 = 1e6;

type Sample = fn(&MetricSources<'_>, &mut Samples<'_>);

pub(super) const fn counter(name: &'static str, help: &'static str, sample: Sample) -> Metric {
    Metric { name, kind: Kind::Counter, help, sample }
}

pub(super) const fn gauge(name: &'static str, help: &'static str, sample: Sample) -> Metric {
    Metric { name, kind: Kind::Gauge, help, sample }
}

pub(super) const fn histogram(name: &'static str, help: &'static str, sample: Sample) -> Metric {
    Metric { name, kind: Kind::Histogram, help, sample }
}

pub(crate) const METRICS: &[Metric] = &[
    gauge("answerd_build_info", "The release that runs; always 1.", |_, out| {
        out.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    }),
    gauge("answerd_ready", "1 while jobs are taken, as /readyz says.", |it, out| {
        out.add(&[], f64::from(u8::from(matches!(it.service.readiness(), Readiness::Ready))));
    }),
    gauge("answerd_jobs_waiting", "Jobs that wait for an attempt.", |it, out| {
        for status in it.scrapers {
            out.add(&[("scraper", &status.scraper.name)], status.waiting as f64);
        }
    }),
    gauge("answerd_jobs_running", "Jobs whose attempt runs.", |it, out| {
        for status in it.scrapers {
            out.add(&[("scraper", &status.scraper.name)], status.running_here as f64);
        }
    }),
    counter("answerd_jobs_submitted_total", "Jobs that were taken since the start.", |it, out| {
        for (scraper, total) in &it.totals {
            out.add(&[("scraper", scraper)], total.submitted as f64);
        }
    }),
    counter(
        "answerd_jobs_ended_total",
        "Jobs that have ended since the start: done, failed, canceled.",
        |it, out| {
            for (scraper, total) in &it.totals {
                for (end, count) in
                    [("done", total.done), ("failed", total.failed), ("canceled", total.canceled)]
                {
                    out.add(&[("scraper", scraper), ("end", end)], count as f64);
                }
            }
        },
    ),
    counter(
        "answerd_cache_lookups_total",
        "Jobs that the cache has answered since the start (hit), and that it might have (miss).",
        |it, out| {
            for (scraper, total) in &it.totals {
                for (result, count) in [("hit", total.cache_hits), ("miss", total.cache_misses)] {
                    out.add(&[("scraper", scraper), ("result", result)], count as f64);
                }
            }
        },
    ),
    counter(
        "answerd_attempts_failed_total",
        "Attempts without an answer since the start, by the reason's code.",
        |it, out| {
            for (scraper, total) in &it.totals {
                for (reason, count) in &total.failures {
                    out.add(&[("scraper", scraper), ("code", reason.code())], *count as f64);
                }
            }
        },
    ),
    counter(
        "answerd_answers_absent_total",
        "Answers since the start which say that the engine showed none, such as no AI Overview.",
        |it, out| {
            for (scraper, total) in &it.totals {
                out.add(&[("scraper", scraper)], total.absent as f64);
            }
        },
    ),
    histogram(
        "answerd_job_queue_delay_seconds",
        "How long attempts were due before they began.",
        |it, out| {
            for (scraper, total) in &it.totals {
                out.histogram(&[("scraper", scraper)], &total.waits, MILLISECONDS);
            }
        },
    ),
    histogram(
        "answerd_worker_pickup_seconds",
        "How long attempts that could begin at once waited for a worker, from the commit on.",
        |it, out| {
            for (scraper, total) in &it.totals {
                out.histogram(&[("scraper", scraper)], &total.pickups, MICROSECONDS);
            }
        },
    ),
    histogram("answerd_attempt_seconds", "How long successful attempts took.", |it, out| {
        for (scraper, total) in &it.totals {
            out.histogram(&[("scraper", scraper)], &total.runs, MILLISECONDS);
        }
    }),
    gauge(
        "answerd_upstream_available",
        "1 while calls are made, 0.5 while a probe is under way, 0 while it is paused after failures.",
        |it, out| {
            for upstream in &it.upstreams {
                out.add(
                    &[("upstream", &upstream.name)],
                    match upstream.circuit {
                        Circuit::Closed { .. } => 1.0,
                        Circuit::HalfOpen => 0.5,
                        Circuit::Open { .. } => 0.0,
                    },
                );
            }
        },
    ),
    gauge(
        "answerd_upstream_last_error_timestamp_seconds",
        "When the latest call without an answer ended, Unix time, with the reason's code.",
        |it, out| {
            for upstream in &it.upstreams {
                if let Some(error) = &upstream.last_error {
                    let labels =
                        [("upstream", upstream.name.as_str()), ("code", error.reason.code())];
                    out.add(&labels, error.at_ms as f64 / MILLISECONDS);
                }
            }
        },
    ),
    gauge("answerd_upstream_in_flight", "Calls that are under way.", |it, out| {
        for upstream in &it.upstreams {
            out.add(&[("upstream", &upstream.name)], upstream.in_flight as f64);
        }
    }),
    counter(
        "answerd_upstream_errors_total",
        "Calls without an answer since the start, by the reason's code.",
        |it, out| {
            for upstream in &it.calls {
                for (reason, count) in &upstream.errors {
                    out.add(
                        &[("upstream", &upstream.name), ("code", reason.code())],
                        *count as f64,
                    );
                }
            }
        },
    ),
    histogram(
        "answerd_upstream_call_seconds",
        "How long calls took, however they ended.",
        |it, out| {
            for upstream in &it.calls {
                out.histogram(&[("upstream", &upstream.name)], &upstream.took_ms, MILLISECONDS);
            }
        },
    ),
    counter(
        "answerd_upstream_tokens_total",
        "Tokens of calls since the start: input, output, and reasoning, which output has too.",
        |it, out| {
            for CallCounts { name, spend, .. } in &it.calls {
                for (kind, tokens) in [
                    ("input", spend.input_tokens),
                    ("output", spend.output_tokens),
                    ("reasoning", spend.reasoning_tokens),
                ] {
                    out.add(&[("upstream", name), ("kind", kind)], tokens as f64);
                }
            }
        },
    ),
    counter("answerd_upstream_searches_total", "Searches of calls since the start.", |it, out| {
        for CallCounts { name, spend, .. } in &it.calls {
            out.add(&[("upstream", name)], spend.searches as f64);
        }
    }),
    counter(
        "answerd_upstream_cost_usd_total",
        "What calls have cost since the start, as far as it is known, US dollars.",
        |it, out| {
            for CallCounts { name, spend, .. } in &it.calls {
                out.add(&[("upstream", name)], usd(spend.nano_usd));
            }
        },
    ),
    // Gauges, because they begin again each day.
    gauge(
        "answerd_upstream_spent_usd",
        "What calls have cost today (UTC), US dollars.",
        |it, out| {
            for upstream in &it.upstreams {
                out.add(&[("upstream", &upstream.name)], usd(upstream.day_nanos));
            }
        },
    ),
    gauge(
        "answerd_upstream_usd_per_day",
        "What calls may cost in a day (UTC), US dollars, where there is a cap.",
        |it, out| {
            for upstream in &it.upstreams {
                if let Some(cap) = upstream.day_nanos_max {
                    out.add(&[("upstream", &upstream.name)], usd(cap));
                }
            }
        },
    ),
    gauge(
        "answerd_spent_usd",
        "What a key's jobs have cost today (UTC), US dollars.",
        |it, out| {
            for of in &it.accounts {
                out.add(&[("account", &of.account)], usd(of.day_nanos));
            }
        },
    ),
    counter(
        "answerd_webhook_attempts_total",
        "Attempts to deliver a webhook since the start, by the state of its delivery then.",
        |it, out| {
            let counts = it.service.deliveries();
            for (status, count) in [
                ("delivered", counts.delivered),
                ("pending", counts.pending),
                ("failed", counts.failed),
            ] {
                out.add(&[("status", status)], count as f64);
            }
        },
    ),
    gauge("answerd_schedules", "Schedules by whether they have slots to come.", |it, out| {
        if let Some(counts) = it.schedules {
            for (status, count) in
                [("active", counts.active), ("paused", counts.paused), ("ended", counts.ended)]
            {
                out.add(&[("status", status)], count as f64);
            }
        }
    }),
    gauge(
        "answerd_schedules_refused",
        "Active schedules whose latest slot was refused.",
        |it, out| {
            out.add_known(it.schedules.map(|counts| counts.refused));
        },
    ),
    counter(
        "answerd_schedule_runs_total",
        "Runs of schedules since the start, by their outcome.",
        |it, out| {
            for (outcome, count) in RunOutcome::WORDS
                .iter()
                .zip(it.schedules.map_or_else(Default::default, |counts| counts.runs))
            {
                out.add(&[("outcome", outcome)], count as f64);
            }
        },
    ),
    gauge("answerd_alerts", "Alerts by their state.", |it, out| {
        if let Some(counts) = it.alerts {
            for (state, count) in AlertState::ALL.iter().zip(counts.states) {
                out.add(&[("state", state.word())], count as f64);
            }
            out.add(&[("state", "paused")], counts.paused as f64);
        }
    }),
    counter(
        "answerd_alert_notices_total",
        "Notices of alerts since the start, by the condition, without tests.",
        |it, out| {
            let notices = it.alerts.map_or_else(Default::default, |counts| counts.notices);
            for (kind, count) in AlertKind::ALL.iter().zip(notices) {
                out.add(&[("when", kind.word())], count as f64);
            }
        },
    ),
    counter(
        "answerd_http_requests_total",
        "Requests answered since the start, by route, method and class of status.",
        |it, out| {
            for route in &it.routes {
                for (method, status, count) in &route.requests {
                    let labels = [("route", route.route), ("method", *method), ("status", *status)];
                    out.add(&labels, *count as f64);
                }
            }
        },
    ),
    histogram(
        "answerd_http_request_seconds",
        "How long requests took until the head of their response was ready.",
        |it, out| {
            for route in &it.routes {
                out.histogram(&[("route", route.route)], &route.took_microseconds, MICROSECONDS);
            }
        },
    ),
    counter(
        "answerd_store_commits_total",
        "Transactions committed since the start, each with one fsync.",
        |it, out| {
            out.add(&[], it.service.store_batches().count() as f64);
        },
    ),
    histogram(
        "answerd_store_batch_writes",
        "How many writes shared a transaction and its fsync.",
        |it, out| {
            out.histogram(&[], &it.service.store_batches(), 1.0);
        },
    ),
    gauge("answerd_store_jobs", "Jobs that are kept.", |it, out| {
        out.add_known(it.sizes.map(|sizes| sizes.jobs));
    }),
    gauge("answerd_webhooks_pending", "Webhooks that are still to be delivered.", |it, out| {
        out.add_known(it.sizes.map(|sizes| sizes.deliveries_pending));
    }),
    gauge("answerd_store_bytes", "The files in the store's folder, bytes.", |it, out| {
        out.add_known(it.service.store_bytes());
    }),
    gauge(
        "answerd_store_free_page_bytes",
        "Pages of the database's file that hold nothing, bytes.",
        |it, out| {
            out.add_known(it.service.store_free_page_bytes());
        },
    ),
    gauge(
        "answerd_store_free_bytes",
        "What is free on the disk of the store, bytes.",
        |it, out| {
            out.add_known(it.service.store_free_bytes());
        },
    ),
    // Gauges, because they begin again each month.
    gauge("answerd_credits_allowance", "Credits that a key may spend in a month.", |it, out| {
        for of in &it.accounts {
            if let Some(allowance) = of.monthly_credits {
                out.add(&[("account", &of.account)], allowance as f64);
            }
        }
    }),
    gauge("answerd_credits_used", "Credits that a key has spent this month (UTC).", |it, out| {
        for of in &it.accounts {
            out.add(&[("account", &of.account)], of.credits.used as f64);
        }
    }),
    gauge("answerd_credits_reserved", "Credits of a key's jobs that have not ended.", |it, out| {
        for of in &it.accounts {
            out.add(&[("account", &of.account)], of.credits.reserved as f64);
        }
    }),
    // Under the names that Prometheus' client libraries use.
    gauge("process_start_time_seconds", "When the service started, Unix time.", |it, out| {
        out.add(&[], it.service.since_ms() as f64 / MILLISECONDS);
    }),
    gauge("process_resident_memory_bytes", "Memory.", |it, out| {
        out.add_known(it.process.resident_bytes);
    }),
    gauge("process_open_fds", "Open file descriptors.", |it, out| {
        out.add_known(it.process.open_files);
    }),
    gauge("process_threads", "Threads.", |it, out| {
        out.add_known(it.process.threads);
    }),
    counter("process_cpu_seconds_total", "Processor time of all threads.", |it, out| {
        if let Some(seconds) = it.process.processor_seconds {
            out.add(&[], seconds);
        }
    }),
];
