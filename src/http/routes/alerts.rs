//! The routes of alerts.

use super::{Operation, delete, get, patch, post};
use crate::api::ErrorCode::*;
use crate::http::openapi::codes::{BODY, Codes, READS, WRITES};
use crate::http::openapi::examples;
use crate::http::request::call::keyed;
use crate::http::resource::alerts;
use crate::http::routes::description::Reply;

const GONE: Codes = &[AlertNotFound];
/// Of what an alert is made of.
const DEFINED: Codes = &[
    AlertInvalid,
    AlertNameTaken,
    ScraperUnknown,
    TrackerNotFound,
    WebhooksNotConfigured,
    RateLimit,
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        post("/alerts", keyed(alerts::create), |it| {
            let made = Reply::json("It is on disk.", "Alert", examples::alert(true));
            let body = "`name`, `when`, `to`, and what the condition needs.";
            it.named("createAlert", "Sends a notice when a measure crosses a limit")
                .about("A notice is sent once for each crossing, over the outbox of webhooks.")
                .takes_body(true, body, "NewAlert", examples::new_alert())
                .answers("201", made.with(&["Location"]))
                .fails(&[DEFINED, BODY, &[AlertsFull], WRITES])
        }),
        get("/alerts", keyed(alerts::list), |it| {
            let all = examples::alerts();
            it.named("listAlerts", "The alerts of a key")
                .about("Without their notices, oldest first.")
                .answers("200", Reply::json("All of them.", "Alerts", all))
                .fails(&[READS])
        }),
        post("/alerts/{alert_id}/test", keyed(alerts::test), |it| {
            let notice = Reply::json("It will be sent.", "Notice", examples::notice());
            it.named("testAlert", "Sends a notice that is marked as a test")
                .about("Its figures are made up. The state of the alert stays as it is.")
                .answers("202", notice)
                .fails(&[GONE, &[RateLimit, WebhooksNotConfigured], WRITES])
        }),
        get("/alerts/{alert_id}", keyed(alerts::get), |it| {
            let alert = examples::alert(true);
            it.named("getAlert", "An alert, its state and its newest notices")
                .answers("200", Reply::json("Its present state.", "Alert", alert))
                .fails(&[GONE, READS])
        }),
        patch("/alerts/{alert_id}", keyed(alerts::change), |it| {
            let alert = examples::alert(true);
            let body = "What is to change; the rest stays. `paused` stops it and lets it go on.";
            let example = serde_json::json!({ "threshold": 0.2 });
            it.named("changeAlert", "Changes, pauses or resumes an alert")
                .about("Another `threshold` or `over`, and a resumption, begins from the start.")
                .takes_body(true, body, "AlertChange", example)
                .answers("200", Reply::json("As it is now.", "Alert", alert))
                .fails(&[GONE, DEFINED, BODY, WRITES])
        }),
        delete("/alerts/{alert_id}", keyed(alerts::remove), |it| {
            let alert = examples::alert(true);
            it.named("deleteAlert", "Removes an alert and its notices")
                .about("Notices that were not delivered yet are not sent.")
                .answers("200", Reply::json("As it was.", "Alert", alert))
                .fails(&[GONE, WRITES])
        }),
    ]
}
