//! The paths of a job that exists, and of lists of jobs.

use serde_json::{Value, json};

use crate::api::ErrorCode::*;
use crate::http::openapi::codes::{Codes, LIST, POLL, READS, WRITES};
use crate::http::openapi::examples::{self, JOB_ID};
use crate::http::openapi::method::{JSON, Key, Method, Reply};
use crate::http::openapi::{parameters, schemas};

const GONE: Codes = &[JobNotFound];

pub fn add(paths: &mut Value) {
    let mut add = |path: &str, verb: &str, method: Method| {
        paths[path][verb] = method.value("jobs");
    };
    let text = || json!({ "type": "string" });
    let page = Reply::json("A page.", "Jobs", examples::jobs())
        .or("application/x-ndjson", text(), None)
        .or("text/csv", text(), None);
    add(
        "/jobs",
        "get",
        Method::new("listJobs", "The jobs of a key, newest first", Key::Needed)
            .about(
                "In pages without results; or, where `Accept` asks for `application/x-ndjson` or `text/csv`, all that match, a line for each.",
            )
            .takes(parameters::list())
            .answers("200", page)
            .fails(&[LIST, READS]),
    );
    add("/jobs/{job_id}", "get", poll());
    add(
        "/jobs/{job_id}",
        "delete",
        of_job("cancelJob", "Cancels a job of the key's", Key::Needed)
            .answers("200", Reply::json("The job, failed.", "Job", examples::canceled()))
            .fails(&[GONE, &[JobFinished], WRITES]),
    );
    let stream = Reply::events(
        "Events: queued, running, retry, done, failed, canceled.",
        Some(examples::EVENTS),
    );
    add(
        "/jobs/{job_id}/events",
        "get",
        of_job("streamJob", "What happens to a job, as it happens", Key::None)
            .takes(vec![parameters::last_event_id()])
            .answers("200", stream)
            .answers("204", Reply::empty("Nothing more will come."))
            .fails(&[GONE, READS]),
    );
    let attempts = Reply::json("Those that have ended.", "Attempts", examples::attempts());
    add(
        "/jobs/{job_id}/attempts",
        "get",
        of_job("listAttempts", "How a job's attempts have ended", Key::Needed)
            .answers("200", attempts)
            .fails(&[GONE, READS]),
    );
    webhook(&mut add);
    files(&mut add);
}

/// A method of a job.
fn of_job(id: &str, summary: &str, key: Key) -> Method {
    Method::new(id, summary, key).takes(vec![parameters::job_id()])
}

fn poll() -> Method {
    let mut taken = vec![parameters::job_id()];
    taken.extend(parameters::poll());
    Method::new("getJob", "A job, and its result", Key::None)
        .about("A failed job is a 200: the request for its state has succeeded.")
        .takes(taken)
        .answers(
            "200",
            Reply::json("As it stands.", "Job", examples::done()).with(&["ETag", "Retry-After"]),
        )
        .answers("304", Reply::empty("Nothing has changed.").with(&["ETag", "Retry-After"]))
        .fails(&[POLL, GONE, READS])
}

fn webhook(add: &mut impl FnMut(&str, &str, Method)) {
    let told = || examples::delivery("job_id", JOB_ID);
    const WEBHOOK: Codes = &[WebhookNotFound];
    add(
        "/jobs/{job_id}/webhook",
        "get",
        of_job("getJobWebhook", "How the delivery of a job's webhook stands", Key::Needed)
            .answers("200", Reply::json("Every attempt.", "Delivery", told()))
            .fails(&[GONE, WEBHOOK, READS]),
    );
    add(
        "/jobs/{job_id}/webhook",
        "post",
        of_job("resendJobWebhook", "Sends a job's webhook again", Key::Needed)
            .answers("202", Reply::json("It is due.", "Delivery", told()))
            .fails(&[GONE, WEBHOOK, &[WebhookPending, RateLimit, WebhooksNotConfigured], WRITES]),
    );
}

fn files(add: &mut impl FnMut(&str, &str, Method)) {
    let kept = Reply::json("Steps, and files with their paths.", "Evidence", examples::evidence());
    add(
        "/jobs/{job_id}/evidence",
        "get",
        of_job("listEvidence", "What attempts at web pages have left", Key::Needed)
            .answers("200", kept)
            .fails(&[GONE, READS]),
    );
    let binary = json!({ "type": "string", "contentEncoding": "binary" });
    let file = Reply::of("A screenshot.", "image/png", binary, None)
        .or("text/plain", json!({ "type": "string" }), None)
        .or(JSON, json!({ "type": "object" }), None);
    add(
        "/jobs/{job_id}/evidence/{file}",
        "get",
        of_job("getEvidence", "One of those files; a page's HTML as plain text", Key::Needed)
            .takes(vec![parameters::file()])
            .answers("200", file)
            .fails(&[GONE, READS]),
    );
    let markdown =
        Reply::text("The Markdown.", "text/markdown", Some("The latest version is **Ruby 3.4**."));
    add(
        "/md/{job_id}.md",
        "get",
        of_job("getMarkdown", "The answer as Markdown", Key::None)
            .answers("200", markdown)
            .fails(&[GONE, READS]),
    );
    let tokens = Reply::of("The tokens.", JSON, schemas::of("Tokens"), Some(examples::tokens()));
    add(
        "/md/{job_id}.json",
        "get",
        of_job("getTokens", "The answer as a tree of tokens", Key::None)
            .answers("200", tokens)
            .fails(&[GONE, READS]),
    );
}
