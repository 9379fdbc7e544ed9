//! The routes of batches.

use super::{Operation, delete, get, post};
use crate::api::ErrorCode;
use crate::http::openapi::codes::{
    BATCH, BATCHES, Codes, POLL, QUEUED, READS, WEBHOOK, WEBHOOK_AGAIN, WRITES,
};
use crate::http::openapi::examples::{self, BATCH_ID};
use crate::http::openapi::parameters;
use crate::http::request::call::{keyed, open};
use crate::http::resource::{batches, webhooks};
use crate::http::routes::description::Reply;

const GONE: Codes = &[ErrorCode::BatchNotFound];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        post("/batches", keyed(batches::submit), |it| {
            let accepted =
                Reply::json("The accepted items are on disk.", "Batch", examples::batch());
            let body = "Either `items`, or `prompts` with `scrapers` and `countries`.";
            it.named("submitBatch", "Queues up to a thousand scrapes at once")
                .about("Each item is accepted or refused by itself.")
                .takes([parameters::idempotency_key()])
                .takes_body(true, body, "NewBatch", examples::new_batch())
                .answers("202", accepted.with(&["Location", "Retry-After", "Idempotency-Replayed"]))
                .fails(&[BATCH, QUEUED, WRITES])
        }),
        get("/batches", keyed(batches::list), |it| {
            it.named("listBatches", "The batches of a key, newest first")
                .about("Without their items, in pages.")
                .takes(parameters::batches())
                .answers("200", Reply::json("A page.", "Batches", examples::batches()))
                .fails(&[BATCHES, READS])
        }),
        get("/batches/{batch_id}", open(batches::get), |it| {
            let found = Reply::json("Its present state.", "Batch", examples::batch());
            it.named("getBatch", "The state of a batch and its jobs")
                .takes(parameters::wait())
                .answers("200", found.with(&["Retry-After"]))
                .fails(&[POLL, GONE, READS])
        }),
        delete("/batches/{batch_id}", keyed(batches::cancel), |it| {
            it.named("cancelBatch", "Cancels the unfinished jobs of a batch")
                .answers("200", Reply::json("The batch.", "Batch", examples::batch()))
                .fails(&[GONE, &[ErrorCode::BatchFinished], WRITES])
        }),
        get("/batches/{batch_id}/webhook", keyed(webhooks::of_batch), |it| {
            let delivery = examples::delivery("batch_id", BATCH_ID);
            it.named("getBatchWebhook", "The delivery of a batch's webhook")
                .answers("200", Reply::json("Every attempt.", "Delivery", delivery))
                .fails(&[GONE, WEBHOOK, READS])
        }),
        post("/batches/{batch_id}/webhook", keyed(webhooks::resend_of_batch), |it| {
            let delivery = examples::delivery("batch_id", BATCH_ID);
            it.named("resendBatchWebhook", "Sends a batch's webhook again")
                .answers("202", Reply::json("It is due.", "Delivery", delivery))
                .fails(&[GONE, WEBHOOK, WEBHOOK_AGAIN, WRITES])
        }),
    ]
}
