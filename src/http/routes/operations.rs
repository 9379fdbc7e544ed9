//! The routes for the health and usage of the service.

use serde_json::json;

use super::{Operation, get, get_only};
use crate::api::ErrorCode;
use crate::http::openapi::codes::{READS, WRITES};
use crate::http::openapi::{examples, parameters};
use crate::http::request::call::{keyed, open};
use crate::http::resource::{backups, document, health, metrics, nodes, stats, usage};
use crate::http::routes::description::{JSON, Reply};

/// The codes of a backup.
const BACKUPS: &[ErrorCode] = &[
    ErrorCode::OperatorNeeded,
    ErrorCode::BackupRunning,
    ErrorCode::BackupNotFound,
    ErrorCode::ResumeInvalid,
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        get("/usage", keyed(usage::get), |it| {
            it.named("getUsage", "The credits of a key")
                .takes([parameters::days()])
                .answers("200", Reply::json("By day and by scraper.", "Usage", examples::usage()))
                .fails(&[&[ErrorCode::DaysInvalid], READS])
        }),
        get("/nodes", keyed(nodes::get), |it| {
            let nodes = Reply::json("By their names.", "Nodes", examples::nodes());
            it.named("getNodes", "The processes that share the store")
                .about("Where there are keys, it takes an operator's.")
                .answers("200", nodes)
                .fails(&[&[ErrorCode::OperatorNeeded]])
        }),
        get("/stats", keyed(stats::get), |it| {
            let stats = Reply::json("In buckets of five minutes.", "Stats", examples::stats());
            it.named("getStats", "The last day of every scraper").answers("200", stats)
        }),
        get("/stats/events", keyed(stats::stream), |it| {
            it.named("streamStats", "The state of the scrapers, as events")
                .answers("200", Reply::events("Events of the name `overview`.", None))
                .fails(&[&[ErrorCode::StreamsFull]])
        }),
        get("/metrics", keyed(metrics::get), |it| {
            let example = Some("answerd_ready 1\n");
            it.named("getMetrics", "Metrics for Prometheus").answers(
                "200",
                Reply::text("The text format, version 0.0.4.", "text/plain", example),
            )
        }),
        get_only("/backup", keyed(backups::get), |it| {
            let bytes = json!({ "type": "string", "format": "binary" });
            let bytes = Reply::of("Block by block.", backups::CONTENT, bytes, None);
            it.named("backUp", "A copy of all data, as they are now")
                .about("For `answerd db backup`. Where there are keys, it takes an operator's, with `operators_read_jobs`.")
                .takes([parameters::resume()])
                .answers("200", bytes.with(&["Backup-Id"]))
                .fails(&[BACKUPS, READS])
        }),
        get("/healthz", open(health::healthz), |it| {
            it.named("isAlive", "Whether the process is alive")
                .answers("200", Reply::json("It is.", "Status", json!({ "status": "ok" })))
        }),
        get("/readyz", open(health::readyz), |it| {
            it.named("isReady", "Whether jobs are taken")
                .answers("200", Reply::json("They are.", "Status", json!({ "status": "ready" })))
                .fails(&[WRITES])
        }),
        get("/openapi.json", open(document::get), |it| {
            let document = Reply::of("OpenAPI 3.1.", JSON, json!({ "type": "object" }), None);
            it.named("getOpenApi", "This document").answers("200", document)
        }),
    ]
}
