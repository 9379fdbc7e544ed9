//! Examples of requests and replies. A test holds them to the schemas of the document.

mod mcp;
mod nodes;

use serde_json::{Value, json};

use crate::answer::token_tree;
pub(crate) use mcp::{mcp_message, mcp_refusal, mcp_reply};
pub(crate) use nodes::nodes;

pub(crate) const JOB_ID: &str = "0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10";
pub(crate) const BATCH_ID: &str = "7f6b1c0e-52a4-4c8e-9a0d-3d6f0b8e21c5";
pub(crate) const ALERT_ID: &str = "b07f52c1-6d2e-4c55-9b1a-0f3e7d8a1c64";
pub(crate) const NOTICE_ID: &str = "9e41d7a3-58c6-4f0b-8a27-c3b6f1e09d52";
pub(crate) const SCHEDULE_ID: &str = "3c1d9a44-7b0f-4d0e-8e5b-91f2c6a7d803";
pub(crate) const PROMPT: &str = "latest stable Ruby version";
const CREATED: &str = "2026-05-11T12:00:00+00:00";
const ENDED: &str = "2026-05-11T12:00:09+00:00";
const EXPIRES: &str = "2026-05-12T12:00:00+00:00";

pub(crate) fn result() -> Value {
    json!({
        "scraper": "chatgpt",
        "status": "done",
        "job_id": JOB_ID,
        "prompt": PROMPT,
        "country": "US",
        "result": "The latest stable version is Ruby 3.4.",
        "result_markdown": "The latest stable version is **Ruby 3.4**.",
        "links": [{ "url": "https://www.ruby-lang.org/en/downloads/", "text": "Download Ruby" }],
        "search_queries": ["latest stable ruby version"],
        "sources": [
            {
                "title": "Download Ruby", "url": "https://www.ruby-lang.org/en/downloads/",
                "snippet": "", "position": 1, "times": 1, "cited": true, "date": null,
            },
            {
                "title": "Ruby", "url": "https://endoflife.date/ruby",
                "snippet": "", "position": null, "times": 0, "cited": false, "date": null,
            },
        ],
        "citations": [{
            "title": "Download Ruby", "url": "https://www.ruby-lang.org/en/downloads/",
            "snippet": "", "highlights": [], "website_name": "ruby-lang.org", "favicon": null,
            "position": 1, "times": 1, "cited": true, "date": null,
        }],
        "llm_model": "gpt-5-mini",
        "credits_used": 3,
        "elapsed_ms": 8412.7,
        "cached": false,
        "markdown_url": format!("http://127.0.0.1:8080/md/{JOB_ID}.md"),
        "provenance": {
            "upstream": "openai", "kind": "api", "model_asked": "gpt-6-luna",
            "fields": {
                "links": "ok", "search_queries": "ok", "sources": "ok", "citations": "ok",
                "products": "unsupported", "ads": "unsupported", "entities": "unsupported",
            },
        },
        "search": { "asked": true, "made": true, "calls": 1, "failed": 0 },
        "usage": {
            "input_tokens": 8214, "output_tokens": 412, "reasoning_tokens": 256, "searches": 1,
            "cost_usd": null, "cost_from": null,
        },
        "place": { "asked": { "country": "US" }, "applied": { "country": "US" }, "by": "field" },
    })
}

/// Returns a job that waits in its queue.
pub(crate) fn pending() -> Value {
    json!({
        "job_id": JOB_ID,
        "status": "pending",
        "scraper": "chatgpt",
        "prompt": PROMPT,
        "country": "US",
        "created_at": CREATED,
        "completed_at": null,
        "phase": "queued",
        "attempts": 0,
        "started_at": null,
        "expires_at": EXPIRES,
        "label": null,
        "error_code": null,
    })
}

pub(crate) fn done() -> Value {
    let mut job = json!({
        "job_id": JOB_ID,
        "status": "done",
        "scraper": "chatgpt",
        "prompt": PROMPT,
        "country": "US",
        "result": result(),
    });
    for (name, value) in [
        ("created_at", json!(CREATED)),
        ("completed_at", json!(ENDED)),
        ("phase", json!("finished")),
        ("attempts", json!(1)),
        ("started_at", json!(CREATED)),
        ("expires_at", json!(EXPIRES)),
        ("label", Value::Null),
        ("error_code", Value::Null),
        ("usage", upstream_usage()),
    ] {
        job[name] = value;
    }
    job
}

pub(crate) fn canceled() -> Value {
    let mut job = pending();
    job["status"] = "failed".into();
    job["error"] = "The job was canceled.".into();
    job["completed_at"] = ENDED.into();
    job["phase"] = "finished".into();
    job["error_code"] = "canceled".into();
    job
}

pub(crate) fn jobs() -> Value {
    json!({ "jobs": [pending()], "next_cursor": null })
}

pub(crate) fn scrape() -> Value {
    json!({ "prompt": PROMPT, "country": "DE", "label": "nightly" })
}

pub(crate) fn new_batch() -> Value {
    json!({
        "prompts": [PROMPT], "scrapers": ["chatgpt", "perplexity"], "countries": ["US"],
        "label": "nightly",
    })
}

pub(crate) fn new_alert() -> Value {
    json!({
        "name": "fewer-mentions", "when": "mention_rate_below", "tracker": "acme",
        "threshold": 0.3, "over": "3 runs",
        "to": { "webhook": "https://hooks.slack.com/services/T0/B0/x", "format": "slack" },
    })
}

/// Returns an alert, with its notices where one is asked for.
pub(crate) fn alert(whole: bool) -> Value {
    let mut alert = json!({
        "alert_id": ALERT_ID, "name": "fewer-mentions", "when": "mention_rate_below",
        "tracker": "acme", "brand": null, "scraper": null, "threshold": 0.3, "over": "3 runs",
        "to": { "webhook": "https://hooks.slack.com/services/T0/B0/x", "format": "slack" },
        "paused": false, "state": "firing", "state_since": ENDED, "evaluated_at": ENDED,
        "value": 0.2, "sample": 30, "created_at": CREATED, "notice_count": 1, "links": true,
    });
    if whole {
        alert["notices"] = json!([notice()]);
    }
    alert
}

pub(crate) fn alerts() -> Value {
    json!({ "alerts": [alert(false)] })
}

pub(crate) fn notice() -> Value {
    json!({
        "notice_id": NOTICE_ID, "webhook_id": format!("msg_{NOTICE_ID}"), "at": ENDED,
        "test": false,
        "message": "The mention rate of acme is 20 % over 3 runs (30 answers), below 30 %.",
        "value": 0.2, "sample": 30, "since": CREATED,
        "rows": [{ "subject": ENDED, "hits": 6, "total": 30, "share": 0.2, "cost_usd": null }],
        "state": "delivered", "reason": null, "attempts": 1, "next_attempt_at": null,
    })
}

pub(crate) fn new_schedule() -> Value {
    json!({
        "name": "daily", "cron": "0 6 * * *", "timezone": "Europe/Berlin", "jitter_seconds": 300,
        "missed": "run_once", "batch": new_batch(),
    })
}

/// Returns a schedule, with its batch where one is asked for.
pub(crate) fn schedule(whole: bool) -> Value {
    let mut schedule = json!({
        "schedule_id": SCHEDULE_ID, "name": "daily", "status": "active",
        "cron": "0 6 * * *", "every": null, "timezone": "Europe/Berlin", "jitter_seconds": 300,
        "missed": "run_once", "ends_at": null, "max_runs": null, "created_at": CREATED,
        "next_at": "2026-05-12T04:00:00+00:00", "due_at": "2026-05-12T04:02:07+00:00",
        "runs": 0, "refused_in_row": 0, "last_run": null,
    });
    if whole {
        schedule["batch"] = new_batch();
    }
    schedule
}

pub(crate) fn schedules() -> Value {
    json!({ "schedules": [schedule(false)] })
}

pub(crate) fn schedule_runs() -> Value {
    let run = |number: u64, slot: &str, outcome: &str| {
        json!({
            "number": number, "slot_at": slot, "at": slot, "outcome": outcome,
            "batch_id": BATCH_ID, "refused_items": 0, "missed": 0, "code": null, "reason": null,
        })
    };
    json!({
        "runs": [
            run(1, "2026-05-13T04:00:00+00:00", "overlap"),
            run(0, "2026-05-12T04:00:00+00:00", "submitted"),
        ],
    })
}

pub(crate) fn batch() -> Value {
    json!({
        "batch_id": BATCH_ID,
        "status": "pending",
        "label": "nightly",
        "created_at": CREATED,
        "completed_at": null,
        "expires_at": EXPIRES,
        "counts": { "items": 2, "refused": 1, "pending": 1, "done": 0, "failed": 0, "canceled": 0 },
        "has_webhook": false,
        "credits_used": 0,
        "items": [
            {
                "index": 0, "job_id": JOB_ID, "status": "pending", "scraper": "chatgpt",
                "country": "US",
            },
            { "index": 1, "error": { "code": "scraper_unknown", "detail": "There is no scraper `gone`; there are chatgpt." } },
        ],
    })
}

pub(crate) fn scrapers() -> Value {
    json!({ "scrapers": [{
        "name": "chatgpt",
        "configured": true,
        "missing": null,
        "credits": 3,
        "refused_countries": [],
        "parameters": { "timeout": { "type": "number", "unit": "seconds", "minimum": 10.0, "maximum": 600.0, "default": 300.0 } },
        "arrays": ["links", "search_queries"],
        "workers": 8,
        "queue": { "waiting": 12, "running": 8 },
        "upstreams": [{
            "name": "openai", "kind": "openai", "configured": true, "missing": null,
            "breaker": "closed", "probe_in_seconds": null, "in_flight": 8, "in_flight_max": null,
            "last_error": { "at": CREATED, "code": "upstream_overloaded", "error": "openai answered with status 503." },
            "recipe": null,
            "models_allowed": ["gpt-6-astra"], "llm_model": "gpt-6-luna-2026-11-02",
            "model_changes": [{
                "at": CREATED, "from": "gpt-6-luna-2026-08-07", "to": "gpt-6-luna-2026-11-02",
            }],
        }],
        "health": {
            "window_seconds": 3600, "attempts": 34, "succeeded": 31, "success_rate": 0.912,
            "p50_seconds": 11.5, "p95_seconds": 30.0, "searched_share": 0.97, "present_share": null,
            "non_empty": { "links": 0.9, "search_queries": 1.0 },
        },
    }] })
}

fn used() -> Value {
    json!({ "jobs": 1500, "done": 1400, "failed": 60, "cached": 0, "credits": 4200 })
}

fn spent() -> Value {
    json!({
        "calls": 1420, "calls_without_cost": 0, "input_tokens": 12950400,
        "output_tokens": 2101600, "reasoning_tokens": 908800, "searches": 4260,
        "cost_usd": 61.2304,
    })
}

fn upstream_usage() -> Value {
    json!({
        "input_tokens": 9120, "output_tokens": 1480, "reasoning_tokens": 640, "searches": 3,
        "cost_usd": 0.03524, "cost_from": "table",
    })
}

pub(crate) fn usage() -> Value {
    json!({
        "account": "team-a",
        "monthly_credits": 10000,
        "used": 4200,
        "reserved": 30,
        "left": 5770,
        "usd_per_day": 100.0,
        "usd_spent_today": 61.2304,
        "resets_at": "2026-06-01T00:00:00+00:00",
        "scrapers": { "chatgpt": used() },
        "spent": spent(),
        "upstreams": { "openai": spent() },
        "labels": { "nightly": spent() },
        "days": [{
            "date": "2026-05-11", "scrapers": { "chatgpt": used() }, "spent": spent(),
            "upstreams": { "openai": spent() }, "labels": { "nightly": spent() },
        }],
    })
}

pub(crate) fn stats() -> Value {
    json!({
        "now": "2026-05-11T12:03:20+00:00",
        "since": "2026-05-11T09:00:00+00:00",
        "bucket_seconds": 300,
        "scrapers": [{
            "name": "chatgpt",
            "queue": { "waiting": 12, "running": 8 },
            "buckets": [{
                "at": CREATED, "submitted": 40, "done": 31, "failed": 1, "canceled": 0,
                "attempts_succeeded": 31, "attempts_failed": 3, "absent": 0,
                "p50_seconds": 11.5, "p95_seconds": 30.0,
            }],
        }],
    })
}

pub(crate) fn attempts() -> Value {
    json!({
        "job_id": JOB_ID,
        "account": "team-a",
        "since": "2026-05-11T09:00:00+00:00",
        "attempts": [{
            "attempt": 1, "started_at": CREATED, "seconds": 8.412, "backoff_seconds": 0.0,
            "queue_seconds": 0.021, "upstream": "openai",
            "error_code": null, "error": null, "usage": upstream_usage(),
            "calls": [
                {
                    "upstream": "searchapi", "outcome": "passed_over", "error_code": null,
                    "passed_over": "paused", "wait_seconds": 21.4, "http_status": null,
                    "after_seconds": 0.0, "seconds": null, "usage": null,
                },
                {
                    "upstream": "openai", "outcome": "answered", "error_code": null,
                    "passed_over": null, "wait_seconds": null, "http_status": 200,
                    "after_seconds": 0.0, "seconds": 8.412, "usage": upstream_usage(),
                },
            ],
        }],
        "running": null,
        "waiting": null,
        "parameters": {
            "prompt": PROMPT, "country": "US", "bypass_cache": false, "timeout": 300.0,
            "web_search": true, "markdown_json": false,
        },
    })
}

pub(crate) fn delivery(subject: &str, id: &str) -> Value {
    json!({
        subject: id,
        "webhook_id": format!("msg_{id}"),
        "url": "https://app.example.com/hook",
        "state": "delivered",
        "reason": null,
        "attempts": 1,
        "resends": 0,
        "next_attempt_at": null,
        "log": [{ "at": ENDED, "took_ms": 41, "status": 204, "error": null }],
    })
}

pub(crate) fn deletion() -> Value {
    json!({
        "label": "nightly", "dry_run": false, "jobs": 120, "results": 118, "raw": 40, "evidence": 6,
        "cache_entries": 97, "webhooks_pending": 1, "unfinished": 2,
    })
}

pub(crate) fn canceled_jobs() -> Value {
    json!({
        "dry_run": false, "matched": 12, "changed": 12, "batch_id": null, "next_cursor": null,
    })
}

pub(crate) fn no_retry() -> Value {
    json!({ "dry_run": true, "matched": 43, "changed": 0, "batch_id": null, "next_cursor": null })
}

pub(crate) fn retried_jobs() -> Value {
    json!({
        "dry_run": false, "matched": 43, "changed": 43, "batch_id": BATCH_ID, "next_cursor": null,
    })
}

pub(crate) fn batches() -> Value {
    let mut batch = batch();
    if let Some(fields) = batch.as_object_mut() {
        fields.shift_remove("items");
    }
    json!({ "batches": [batch], "next_cursor": null })
}

pub(crate) fn raw() -> Value {
    let body = "{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[]}";
    json!({
        "job_id": JOB_ID,
        "parser": "0.1.0",
        "attempt": 1,
        "answered_by": "openai",
        "replies": [{
            "upstream": "openai", "status": 200, "content_type": "application/json", "body": body,
        }],
    })
}

pub(crate) fn evidence() -> Value {
    json!({
        "job_id": JOB_ID,
        "attempts": [{
            "attempt": 1,
            "upstream": "chatgpt_page",
            "url": "https://chat.example.com/",
            "steps": [{ "name": "find `prompt`", "at_ms": 1210, "took_ms": 34, "matched": "#prompt", "alternative": "1 of 3" }],
            "files": [{
                "name": "01-chatgpt_page.png", "type": "image/png", "bytes": 48211,
                "path": format!("/jobs/{JOB_ID}/evidence/01-chatgpt_page.png"),
            }],
        }],
    })
}

pub(crate) fn tokens() -> Value {
    json!({ "tokens": token_tree("Ruby **3.4**") })
}

pub(crate) const EVENTS: &str = "id: 3\nevent: done\ndata: {\"job_id\":\"0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10\",\"status\":\"done\",...}\n\n";

pub(crate) fn new_tracker() -> Value {
    json!({
        "brands": [
            { "name": "Acme", "aliases": ["ACME Inc."], "domains": ["acme.com"], "own": true },
            { "name": "Globex", "aliases": [], "domains": ["globex.com"], "own": false },
        ],
    })
}

pub(crate) fn tracker() -> Value {
    let mut tracker = json!({
        "name": "acme", "version": 1, "created_at": CREATED, "changed_at": CREATED,
        "brands": [], "warnings": [],
    });
    tracker["brands"] = new_tracker()["brands"].take();
    tracker
}

pub(crate) fn applied() -> Value {
    json!({ "tracker": "acme", "version": 2, "measured": 120, "already": 0, "cached": 4 })
}

pub(crate) fn observations() -> Value {
    json!({
        "tracker": "acme", "version": 1, "next_cursor": null,
        "observations": [{
            "job_id": JOB_ID, "at": ENDED, "scraper": "chatgpt", "country": "US", "label": null,
            "kind": "api", "prompt_hash": 3_141_592_653_u32, "branded": false, "absent": false,
            "searched": true, "citable": true,
            "brands": [{
                "brand": "Acme", "count": 2, "rank": 1, "in_list_item": true, "cited": true,
                "linked": false,
            }],
        }],
    })
}

pub(crate) fn report() -> Value {
    json!({
        "tracker": "acme", "version": 1, "since": "2026-05-05", "until": "2026-05-11",
        "rows": [{
            "scraper": "chatgpt", "answers": 50, "absent": 0, "measured": 50, "searched": 48,
            "unsearched": 2, "citable": 48, "mentioned": 20, "mention_rate": 0.4,
            "mention_low": 0.2761, "mention_high": 0.5382, "cited": 12, "citation_rate": 0.25,
            "citation_low": 0.1491, "citation_high": 0.3879, "share": 0.3333, "mean_rank": 1.8,
            "spread": 0.21, "kinds": ["api"],
            "top_domains": [{
                "domain": "acme.com", "answers": 14, "cited": 12, "answers_before": 9,
            }],
            "since_before": {
                "measured": 48, "new_domains": ["globex.com"], "lost_domains": [], "new_cited": [],
                "lost_cited": [], "overlap": 0.8,
            },
        }],
    })
}
