//! The routes of trackers and reports.

use serde_json::json;

use super::operation::{Operation, delete, get, post, put};
use crate::api::ErrorCode;
use crate::http::openapi::codes::{BODY, READS, REPORT, TRACKER, WRITES};
use crate::http::openapi::{examples, parameters};
use crate::http::request::call::keyed;
use crate::http::resource::{reports, trackers};
use crate::http::routes::description::Reply;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        get("/trackers", keyed(trackers::list), |it| {
            let example = json!({ "trackers": [examples::tracker()] });
            it.named("listTrackers", "The trackers of a key")
                .answers("200", Reply::json("By name.", "Trackers", example))
                .fails(&[READS])
        }),
        post("/trackers/{tracker}/apply", keyed(trackers::apply), |it| {
            let applied = Reply::json("What was measured.", "Applied", examples::applied());
            it.named("applyTracker", "Measures all results of a key that are still there")
                .about("By the latest version. What that has measured before stays as it is.")
                .answers("200", applied)
                .fails(&[TRACKER, &[ErrorCode::RateLimit], WRITES])
        }),
        get("/trackers/{tracker}/observations", keyed(trackers::observations), |it| {
            let page = Reply::json("A page.", "Observations", examples::observations());
            it.named("listObservations", "What a tracker has measured, answer by answer")
                .takes(parameters::observations())
                .answers("200", page)
                .fails(&[
                    TRACKER,
                    &[
                        ErrorCode::VersionInvalid,
                        ErrorCode::TrackerVersionUnknown,
                        ErrorCode::SinceInvalid,
                        ErrorCode::UntilInvalid,
                        ErrorCode::LimitInvalid,
                        ErrorCode::CursorInvalid,
                    ],
                    READS,
                ])
        }),
        get("/reports", keyed(reports::get), |it| {
            let text = || json!({ "type": "string" });
            let report = Reply::json("By whole days (UTC).", "Report", examples::report())
                .or("application/x-ndjson", text(), None)
                .or("text/csv", text(), None);
            it.named("getReport", "Rates over what a tracker has measured")
                .takes(parameters::report())
                .answers("200", report)
                .fails(&[TRACKER, REPORT, READS])
        }),
        put("/trackers/{tracker}", keyed(trackers::put), |it| {
            let tracker = Reply::json("Its latest version.", "Tracker", examples::tracker());
            it.named("putTracker", "Makes a tracker, or a new version of it")
                .about("Brands that are looked for in the answers of jobs with `track`.")
                .takes_body(true, "The brands.", "NewTracker", examples::new_tracker())
                .answers("200", tracker)
                .fails(&[
                    &[
                        ErrorCode::TrackerInvalid,
                        ErrorCode::TooManyTrackers,
                        ErrorCode::TooManyTrackerVersions,
                        ErrorCode::RateLimit,
                    ],
                    BODY,
                    WRITES,
                ])
        }),
        get("/trackers/{tracker}", keyed(trackers::get), |it| {
            let tracker = Reply::json("Its latest version.", "Tracker", examples::tracker());
            it.named("getTracker", "A tracker").answers("200", tracker).fails(&[TRACKER, READS])
        }),
        delete("/trackers/{tracker}", keyed(trackers::delete), |it| {
            it.named("deleteTracker", "Deletes a tracker with all that it has measured")
                .answers("200", Reply::json("As it was.", "Tracker", examples::tracker()))
                .fails(&[TRACKER, WRITES])
        }),
    ]
}
