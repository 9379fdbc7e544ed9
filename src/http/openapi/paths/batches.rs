//! The paths of batches.

use serde_json::Value;

use crate::api::ErrorCode::*;
use crate::http::openapi::codes::{BATCH, Codes, POLL, QUEUED, READS, WRITES};
use crate::http::openapi::examples::{self, BATCH_ID};
use crate::http::openapi::method::{Key, Method, Reply};
use crate::http::openapi::parameters;

const GONE: Codes = &[BatchNotFound];

pub fn add(paths: &mut Value) {
    let mut add = |path: &str, verb: &str, method: Method| {
        paths[path][verb] = method.value("batches");
    };
    let body = "Either `items`, or `prompts` with `scrapers` and `countries`.";
    add(
        "/batches",
        "post",
        Method::new("submitBatch", "Queues up to a thousand scrapes at once", Key::Needed)
            .about("Each item is accepted or refused by itself.")
            .takes(vec![parameters::idempotency_key()])
            .takes_body(true, body, "NewBatch", examples::new_batch())
            .answers(
                "202",
                Reply::json("What was accepted is on disk.", "Batch", examples::batch()).with(&[
                    "Location",
                    "Retry-After",
                    "Idempotency-Replayed",
                ]),
            )
            .fails(&[BATCH, QUEUED, WRITES]),
    );
    let mut polled = vec![parameters::batch_id()];
    polled.extend(parameters::wait());
    add(
        "/batches/{batch_id}",
        "get",
        Method::new("getBatch", "How the jobs of a batch stand", Key::None)
            .takes(polled)
            .answers(
                "200",
                Reply::json("As it stands.", "Batch", examples::batch()).with(&["Retry-After"]),
            )
            .fails(&[POLL, GONE, READS]),
    );
    add(
        "/batches/{batch_id}",
        "delete",
        of_batch("cancelBatch", "Cancels what has not ended")
            .answers("200", Reply::json("The batch.", "Batch", examples::batch()))
            .fails(&[GONE, &[BatchFinished], WRITES]),
    );
    let told = || examples::delivery("batch_id", BATCH_ID);
    const WEBHOOK: Codes = &[WebhookNotFound];
    add(
        "/batches/{batch_id}/webhook",
        "get",
        of_batch("getBatchWebhook", "How the delivery of a batch's webhook stands")
            .answers("200", Reply::json("Every attempt.", "Delivery", told()))
            .fails(&[GONE, WEBHOOK, READS]),
    );
    add(
        "/batches/{batch_id}/webhook",
        "post",
        of_batch("resendBatchWebhook", "Sends a batch's webhook again")
            .answers("202", Reply::json("It is due.", "Delivery", told()))
            .fails(&[GONE, WEBHOOK, &[WebhookPending, RateLimit, WebhooksNotConfigured], WRITES]),
    );
}

/// A method of a batch that takes the key that made it.
fn of_batch(id: &str, summary: &str) -> Method {
    Method::new(id, summary, Key::Needed).takes(vec![parameters::batch_id()])
}
