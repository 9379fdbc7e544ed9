//! The routes that ask scrapers.

use super::{Operation, get, get_only, post};
use crate::api::ErrorCode;
use crate::http::openapi::codes::{ASKED, LIMITED, QUEUED, WAITING, WRITES};
use crate::http::openapi::errors::reasons;
use crate::http::openapi::{examples, parameters, schemas};
use crate::http::request::call::{keyed, open};
use crate::http::resource::{discovery, scrapers};
use crate::http::routes::description::{JSON, Reply};

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        get("/scrapers", open(discovery::list), |it| {
            it.named("listScrapers", "Every scraper: what it takes, its queue and its health")
                .answers(
                    "200",
                    Reply::json("Those that ship first.", "Scrapers", examples::scrapers()),
                )
        }),
        get_only("/scrapers/{scraper}", keyed(scrapers::run), |it| {
            let result = Reply::json("The result.", "Result", examples::result());
            it.named("runScrape", "Runs a scrape and waits for it")
                .about("A scrape that does not finish inside `timeout` is stopped with 408, 250 milliseconds early. One whose client has gone runs on until then.")
                .takes(parameters::in_query(parameters::waited_for(), &["prompt"]))
                .takes([parameters::idempotency_key()])
                .answers("200", result.with(&["Idempotency-Replayed"]))
                .fails(&[ErrorCode::RULES, ASKED, WAITING, LIMITED, WRITES, &reasons()])
        }),
        post("/scrapers/{scraper}/jobs", keyed(scrapers::submit), |it| {
            let accepted = Reply::of(
                "It is on disk. A job that the cache answers is `done` already.",
                JSON,
                schemas::any_of(&["Job", "Batch"]),
                Some(examples::pending()),
            );
            it.named("submitJob", "Queues a scrape; with `samples`, a batch of the same")
                .about("The parameters are in the query or in a JSON object as the body, or partly in each; one with different values in both is refused.")
                // What is in the body need not be in the query.
                .takes(parameters::in_query(parameters::queued(), &[]))
                .takes([parameters::idempotency_key()])
                .takes_body(false, "Parameters; those that are in the query need not be here.", "Scrape", examples::scrape())
                .answers("202", accepted.with(&["Location", "Retry-After", "Idempotency-Replayed"]))
                .fails(&[ErrorCode::RULES, ASKED, &[ErrorCode::ParameterConflict], QUEUED, LIMITED, WRITES])
        }),
    ]
}
