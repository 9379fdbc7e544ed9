//! The routes of schedules.

use super::{Operation, delete, get, patch, post};
use crate::api::ErrorCode::*;
use crate::http::openapi::codes::{ASKED, BATCH, Codes, QUEUED, READS, WRITES};
use crate::http::openapi::examples;
use crate::http::openapi::parameters;
use crate::http::request::call::keyed;
use crate::http::resource::schedules;
use crate::http::routes::description::Reply;

const GONE: Codes = &[ScheduleNotFound];
/// Of what a schedule is made of.
const DEFINED: Codes = &[
    ScheduleInvalid,
    CronInvalid,
    EveryInvalid,
    TimezoneInvalid,
    ScheduleNameTaken,
    BodyInvalid,
    BodyTimeout,
    BodyTooLarge,
    BodiesFull,
    ParameterInvalid,
    ParameterRepeated,
    SamplesInvalid,
    RateLimit,
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        post("/schedules", keyed(schedules::create), |it| {
            let made = Reply::json("It is on disk.", "Schedule", examples::schedule(true));
            let body = "`name`, `batch`, and either `cron` or `every`.";
            it.named("createSchedule", "Submits a batch again and again")
                .about("Every slot submits the batch as `POST /batches` would, once.")
                .takes_body(true, body, "NewSchedule", examples::new_schedule())
                .answers("201", made.with(&["Location"]))
                .fails(&[DEFINED, BATCH, &[SchedulesFull], WRITES])
        }),
        get("/schedules", keyed(schedules::list), |it| {
            let all = examples::schedules();
            it.named("listSchedules", "The schedules of a key")
                .about("Without their batches, oldest first.")
                .answers("200", Reply::json("All of them.", "Schedules", all))
                .fails(&[READS])
        }),
        post("/schedules/{schedule_id}/run", keyed(schedules::run), |it| {
            let accepted = Reply::json("What was accepted is on disk.", "Batch", examples::batch());
            it.named("runSchedule", "Submits the batch of a schedule now")
                .about("Beside its slots, paused or not. Refused while the run before goes on.")
                .takes([parameters::idempotency_key()])
                .answers("202", accepted.with(&["Location", "Retry-After", "Idempotency-Replayed"]))
                .fails(&[GONE, &[ScheduleOverlap], ASKED, BATCH, QUEUED, WRITES])
        }),
        get("/schedules/{schedule_id}/runs", keyed(schedules::runs), |it| {
            let runs = examples::schedule_runs();
            it.named("listScheduleRuns", "The newest runs of a schedule")
                .about("Newest first, those that did not come about among them.")
                .answers("200", Reply::json("A hundred at most.", "ScheduleRuns", runs))
                .fails(&[GONE, READS])
        }),
        get("/schedules/{schedule_id}", keyed(schedules::get), |it| {
            let schedule = examples::schedule(true);
            it.named("getSchedule", "A schedule and its batch")
                .answers("200", Reply::json("Its present state.", "Schedule", schedule))
                .fails(&[GONE, READS])
        }),
        patch("/schedules/{schedule_id}", keyed(schedules::change), |it| {
            let schedule = examples::schedule(true);
            let body = "What is to change; the rest stays. `paused` stops it and lets it go on.";
            let example = serde_json::json!({ "paused": true });
            it.named("changeSchedule", "Changes, pauses or resumes a schedule")
                .about("Slots that pass while it is paused are not missed.")
                .takes_body(true, body, "ScheduleChange", example)
                .answers("200", Reply::json("As it is now.", "Schedule", schedule))
                .fails(&[GONE, DEFINED, BATCH, WRITES])
        }),
        delete("/schedules/{schedule_id}", keyed(schedules::remove), |it| {
            let schedule = examples::schedule(true);
            it.named("deleteSchedule", "Removes a schedule")
                .about("Its batches stay and go on.")
                .answers("200", Reply::json("As it was.", "Schedule", schedule))
                .fails(&[GONE, WRITES])
        }),
    ]
}
