//! The routes of a job that exists, and of lists of jobs.

use serde_json::json;

use super::{Operation, delete, get, post};
use crate::api::ErrorCode;
use crate::http::openapi::codes::{
    BULK, Codes, DELETION, LIST, POLL, RAW, READS, RESULTS, RETRY, WEBHOOK, WEBHOOK_AGAIN, WRITES,
};
use crate::http::openapi::examples::{self, JOB_ID};
use crate::http::openapi::{parameters, schemas};
use crate::http::request::call::{keyed, open};
use crate::http::resource::{attempts, bulk, events, evidence, jobs, list, raw, results, webhooks};
use crate::http::routes::description::{JSON, Reply};

const GONE: Codes = &[ErrorCode::JobNotFound];

pub(crate) fn operations() -> Vec<Operation> {
    let mut operations = jobs();
    operations.extend(of_a_job());
    operations
}

fn jobs() -> Vec<Operation> {
    vec![
        get("/jobs", keyed(list::list), |it| {
            let text = || json!({ "type": "string" });
            let page = Reply::json("A page.", "Jobs", examples::jobs())
                .or("application/x-ndjson", text(), None)
                .or("text/csv", text(), None);
            it.named("listJobs", "The jobs of a key, newest first")
                .about("In pages without results; or, where `Accept` asks for `application/x-ndjson` or `text/csv`, all that match, a line for each.")
                .takes(parameters::list())
                .answers("200", page)
                .fails(&[LIST, READS])
        }),
        get("/results", keyed(results::export), |it| {
            let text = || json!({ "type": "string" });
            let rows = Reply::of("A line for each row.", "application/x-ndjson", text(), None).or(
                "text/csv",
                text(),
                None,
            );
            it.named("exportResults", "What the jobs of a key have found, row by row")
                .about("In the order of completion; a later call goes on from a row's `cursor`.")
                .takes(parameters::results())
                .answers("200", rows)
                .fails(&[RESULTS, READS])
        }),
        delete("/jobs", keyed(jobs::delete), |it| {
            let counts = Reply::json("What was deleted.", "Deletion", examples::deletion());
            it.named("deleteJobs", "Deletes finished jobs of a key, by their ids or a label")
                .about("With everything that was kept of them. Unfinished jobs stay.")
                .takes(parameters::deletion())
                .answers("200", counts)
                .fails(&[DELETION, WRITES])
        }),
        post("/jobs/cancel", keyed(bulk::cancel), |it| {
            let counts = Reply::json("What was canceled.", "Bulk", examples::canceled_jobs());
            it.named("cancelJobs", "Cancels unfinished jobs of a key, by their ids or a filter")
                .about("At most 1,000, the newest first; `next_cursor` leads to the others.")
                .takes(parameters::bulk())
                .answers("200", counts)
                .fails(&[BULK, WRITES])
        }),
        post("/jobs/retry", keyed(bulk::retry), |it| {
            let counts = || Reply::json("Nothing was submitted.", "Bulk", examples::no_retry());
            let batch = Reply::json("The batch is on disk.", "Bulk", examples::retried_jobs());
            it.named("retryJobs", "Submits failed jobs of a key again, by their ids or a filter")
                .about("As one batch, without their webhooks: at most 1,000, the newest first.")
                .takes(parameters::bulk())
                .takes([parameters::idempotency_key()])
                .answers("200", counts())
                .answers("202", batch.with(&["Location", "Idempotency-Replayed"]))
                .fails(&[BULK, RETRY, WRITES])
        }),
        get("/jobs/{job_id}", open(jobs::get), |it| {
            let found = Reply::json("Its present state.", "Job", examples::done());
            it.named("getJob", "A job, and its result")
                .about("A failed job is a 200: the request for its state has succeeded.")
                .takes(parameters::poll())
                .answers("200", found.with(&["ETag", "Retry-After"]))
                .answers("304", Reply::empty("Nothing has changed.").with(&["ETag", "Retry-After"]))
                .fails(&[POLL, GONE, READS])
        }),
        delete("/jobs/{job_id}", keyed(jobs::cancel), |it| {
            it.named("cancelJob", "Cancels a job of the key")
                .answers("200", Reply::json("The job, failed.", "Job", examples::canceled()))
                .fails(&[GONE, &[ErrorCode::JobFinished], WRITES])
        }),
    ]
}

fn of_a_job() -> Vec<Operation> {
    vec![
        get("/jobs/{job_id}/events", open(events::stream), |it| {
            let stream = "Events: queued, running, retry, done, failed, canceled.";
            it.named("streamJob", "The transitions of a job, as events")
                .takes([parameters::last_event_id()])
                .answers("200", Reply::events(stream, Some(examples::EVENTS)))
                .answers("204", Reply::empty("The job has ended; there are no more events."))
                .fails(&[GONE, READS])
        }),
        get("/jobs/{job_id}/attempts", keyed(attempts::list), |it| {
            let ended = Reply::json("The attempts.", "Attempts", examples::attempts());
            it.named("listAttempts", "The attempts of a job, and its place in the queue")
                .answers("200", ended)
                .fails(&[GONE, READS])
        }),
        get("/jobs/{job_id}/webhook", keyed(webhooks::of_job), |it| {
            let delivery = examples::delivery("job_id", JOB_ID);
            it.named("getJobWebhook", "The delivery of a job's webhook")
                .answers("200", Reply::json("Every attempt.", "Delivery", delivery))
                .fails(&[GONE, WEBHOOK, READS])
        }),
        post("/jobs/{job_id}/webhook", keyed(webhooks::resend_of_job), |it| {
            let delivery = examples::delivery("job_id", JOB_ID);
            it.named("resendJobWebhook", "Sends a job's webhook again")
                .answers("202", Reply::json("It is due.", "Delivery", delivery))
                .fails(&[GONE, WEBHOOK, WEBHOOK_AGAIN, WRITES])
        }),
        get("/jobs/{job_id}/raw", keyed(raw::get), |it| {
            let kept = "The replies, as they came but for secrets.";
            it.named("getRaw", "The raw replies of upstreams")
                .about("Kept where the job asked for it, or the upstream's `keep_raw` says so.")
                .answers("200", Reply::json(kept, "Raw", examples::raw()))
                .fails(&[GONE, RAW, READS])
        }),
        get("/jobs/{job_id}/evidence", keyed(evidence::list), |it| {
            let kept = "Steps, and files with their paths.";
            it.named("listEvidence", "Evidence of attempts at web pages")
                .answers("200", Reply::json(kept, "Evidence", examples::evidence()))
                .fails(&[GONE, READS])
        }),
        get("/jobs/{job_id}/evidence/{file}", keyed(evidence::file), |it| {
            let binary = json!({ "type": "string", "contentEncoding": "binary" });
            let file = Reply::of("A screenshot.", "image/png", binary, None)
                .or("text/plain", json!({ "type": "string" }), None)
                .or(JSON, json!({ "type": "object" }), None);
            it.named("getEvidence", "One of those files; a page's HTML as plain text")
                .answers("200", file)
                .fails(&[GONE, READS])
        }),
        get("/md/{job_id}.md", open(jobs::markdown), |it| {
            let example = Some("The latest version is **Ruby 3.4**.");
            it.named("getMarkdown", "The answer as Markdown")
                .answers("200", Reply::text("The Markdown.", "text/markdown", example))
                .fails(&[GONE, READS])
        }),
        get("/md/{job_id}.json", open(jobs::tokens), |it| {
            let tokens = Some(examples::tokens());
            it.named("getTokens", "The answer as a tree of tokens")
                .answers("200", Reply::of("The tokens.", JSON, schemas::of("Tokens"), tokens))
                .fails(&[GONE, READS])
        }),
    ]
}
