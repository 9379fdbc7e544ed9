//! Schedules against a running service: slots by the manual clock, what stands in their way, and a
//! real process that is killed in the middle of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use answerd::clock::ManualClock;
use answerd::config::key_hash;
use answerd::store::Blocking;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Scripted, Step, assert_sound, until};
use crate::child::{Served, answerd, store_directory};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// An hourly schedule of one prompt.
fn hourly(name: &str) -> Value {
    json!({
        "name": name, "cron": "0 * * * *",
        "batch": { "scraper": "practice", "prompts": ["What is a job?"], "label": name },
    })
}

#[track_caller]
fn create(app: &App, schedule: &Value) -> Value {
    app.post_with("/schedules", &[], &schedule.to_string()).expect(201)
}

fn path(schedule: &Value) -> String {
    format!("/schedules/{}", schedule["schedule_id"].as_str().unwrap())
}

fn patch(app: &App, schedule: &Value, change: &Value) -> crate::app::Reply {
    app.send("PATCH", &path(schedule), &[], &change.to_string())
}

fn runs(app: &App, schedule: &Value) -> Vec<Value> {
    let runs = app.get(&format!("{}/runs", path(schedule))).expect(200);
    runs["runs"].as_array().unwrap().clone()
}

/// The newest run once there are so many.
#[track_caller]
fn run(app: &App, schedule: &Value, count: usize) -> Value {
    until(|| {
        let runs = runs(app, schedule);
        (runs.len() >= count).then(|| runs[0].clone())
    })
}

fn end_batch(app: &App, run: &Value) -> Value {
    let id = run["batch_id"].as_str().unwrap();
    let batch = app.get(&format!("/batches/{id}?wait=30")).expect(200);
    assert_eq!(batch["status"], "done", "{batch:#}");
    batch
}

fn manual() -> (App, Arc<ManualClock>) {
    let (builder, clock) = Builder::new().manual();
    (builder.start(), clock)
}

#[test]
fn slot_submits_one_batch_and_plans_the_next() {
    let (app, clock) = manual();
    let made = create(&app, &hourly("hourly"));
    assert_eq!(made["status"], "active");
    assert_eq!(made["next_at"], "2026-05-11T13:00:00+00:00");
    assert_eq!(made["timezone"], "UTC");
    assert_eq!(made["batch"]["prompts"][0], "What is a job?");
    clock.advance_ms(HOUR_MS - 1);
    assert!(runs(&app, &made).is_empty());
    clock.advance_ms(1);
    let first = run(&app, &made, 1);
    assert_eq!(first["outcome"], "submitted");
    assert_eq!(first["slot_at"], "2026-05-11T13:00:00+00:00");
    assert_eq!(end_batch(&app, &first)["items"][0]["status"], "done");
    clock.advance_ms(HOUR_MS);
    let second = run(&app, &made, 2);
    end_batch(&app, &second);
    assert_ne!(first["batch_id"], second["batch_id"]);
    let now = app.get(&path(&made)).expect(200);
    assert_eq!((&now["runs"], &now["next_at"]), (&json!(2), &json!("2026-05-11T15:00:00+00:00")));
    assert_eq!(now["last_run"], second);
}

#[test]
fn slot_is_skipped_while_the_run_before_goes_on() {
    let gate = Gate::default();
    let script = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().scripted("practice", &script).manual();
    let app = builder.start();
    let made = create(&app, &hourly("slow"));
    clock.advance_ms(HOUR_MS);
    let first = run(&app, &made, 1);
    gate.arrived(1);
    let again = app.post(&format!("{}/run", path(&made)));
    assert_eq!((again.status, again.code()), (409, "schedule_overlap".to_owned()));
    // Inside the time that the job has.
    patch(&app, &made, &json!({ "cron": "1 * * * *" })).expect(200);
    clock.advance_ms(MINUTE_MS);
    let second = run(&app, &made, 2);
    assert_eq!(second["outcome"], "overlap");
    assert_eq!(second["batch_id"], first["batch_id"]);
    gate.open();
    end_batch(&app, &first);
    clock.advance_ms(HOUR_MS);
    assert_eq!(run(&app, &made, 3)["outcome"], "submitted");
}

#[test]
fn three_days_of_absence_are_one_run_or_a_record_of_none() {
    let (app, clock) = manual();
    let mut run_once = hourly("once");
    run_once["missed"] = json!("run_once");
    let (run_once, skip) = (create(&app, &run_once), create(&app, &hourly("skip")));
    let app = app.restart_with(|builder| {
        clock.advance_ms(3 * DAY_MS + 10 * MINUTE_MS);
        builder
    });
    let ran = run(&app, &run_once, 1);
    assert_eq!((&ran["outcome"], &ran["missed"]), (&json!("submitted"), &json!(71)));
    assert_eq!(ran["slot_at"], "2026-05-14T12:00:00+00:00");
    let missed = run(&app, &skip, 1);
    assert_eq!((&missed["outcome"], &missed["missed"]), (&json!("missed"), &json!(71)));
    end_batch(&app, &ran);
    clock.advance_ms(50 * MINUTE_MS);
    for schedule in [&run_once, &skip] {
        let next = run(&app, schedule, 2);
        assert_eq!((&next["outcome"], &next["missed"]), (&json!("submitted"), &json!(0)));
    }
    assert_eq!(runs(&app, &run_once).len(), 2);
}

#[test]
fn clock_that_is_set_back_repeats_no_slot_and_one_that_was_far_ahead_delays_none() {
    let (app, clock) = manual();
    let made = create(&app, &hourly("hourly"));
    clock.advance_ms(HOUR_MS);
    end_batch(&app, &run(&app, &made, 1));
    // Back to half past twelve: the slot at one comes twice by the clock.
    clock.set_ms(crate::app::START_MS + HOUR_MS / 2);
    clock.advance_ms(HOUR_MS);
    let now = app.get(&path(&made)).expect(200);
    assert_eq!((&now["runs"], &now["next_at"]), (&json!(1), &json!("2026-05-11T14:00:00+00:00")));
    // A year ahead for one slot, and right again.
    clock.set_ms(crate::app::START_MS + 365 * DAY_MS + HOUR_MS);
    clock.advance_ms(MINUTE_MS);
    let ahead = run(&app, &made, 2);
    assert_eq!(ahead["slot_at"], "2027-05-11T13:00:00+00:00");
    clock.set_ms(crate::app::START_MS + 2 * HOUR_MS);
    clock.advance_ms(MINUTE_MS);
    until(|| {
        // Where it began to wait before the step, it is woken.
        app.server().service().heartbeat().unwrap();
        let now = app.get(&path(&made)).expect(200);
        (now["next_at"] == "2026-05-11T15:00:00+00:00").then_some(())
    });
}

/// A service with the key of a team.
fn with_key(builder: Builder, more: &str) -> Builder {
    let hash = key_hash("secret").map(|byte| format!("{byte:02x}")).concat();
    builder.config(&format!("[[keys]]\nname = \"team\"\nhash = \"sha256:{hash}\"\n{more}"))
}

const KEY: [(&str, &str); 1] = [("x-api-key", "secret")];

fn keyed_runs(app: &App, made: &Value) -> Vec<Value> {
    let runs = app.get_with(&format!("{}/runs", path(made)), &KEY).expect(200);
    runs["runs"].as_array().unwrap().clone()
}

#[test]
fn run_of_a_revoked_key_is_refused_and_recorded() {
    let (builder, clock) = Builder::new().manual();
    let other =
        "[[keys]]\nname = \"other\"\nhash = \"sha256:".to_owned() + &"0".repeat(64) + "\"\n";
    let app = with_key(builder, "").config(&other).start();
    let made = app.post_with("/schedules", &KEY, &hourly("hourly").to_string()).expect(201);
    let app = app.restart_with(|builder| {
        clock.advance_ms(HOUR_MS);
        builder.other_config(|_| other.clone())
    });
    // The slot is dealt with once it is not due any more.
    until(|| {
        let metrics = app.get_with("/metrics", &[]);
        assert_eq!(metrics.status, 401);
        let counts = app.server().service().schedule_counts().wait().unwrap();
        (counts.runs[3] == 1 && counts.refused == 1).then_some(())
    });
    let app = app.restart_with(|builder| with_key(builder, ""));
    let refused = &keyed_runs(&app, &made)[0];
    assert_eq!((&refused["outcome"], &refused["code"]), (&json!("refused"), &json!("key_revoked")));
    let now = app.get_with(&path(&made), &KEY).expect(200);
    assert_eq!((&now["refused_in_row"], &now["runs"]), (&json!(1), &json!(0)));
    // It goes on once the key is back.
    clock.advance_ms(HOUR_MS);
    until(|| (keyed_runs(&app, &made)[0]["outcome"] == "submitted").then_some(()));
    assert_eq!(app.get_with(&path(&made), &KEY).expect(200)["refused_in_row"], 0);
}

#[test]
fn run_without_credits_is_refused_and_recorded() {
    let (builder, clock) = Builder::new().manual();
    let builder = with_key(builder, "monthly_credits = 1");
    let app = builder.set("SCRAPERS__PRACTICE__CREDITS", 1).set("CACHE__TTL_SECONDS", 0).start();
    let made = app.post_with("/schedules", &KEY, &hourly("hourly").to_string()).expect(201);
    clock.advance_ms(HOUR_MS);
    let first = until(|| keyed_runs(&app, &made).first().cloned());
    assert_eq!(first["outcome"], "submitted");
    end_batch(&app, &first);
    clock.advance_ms(HOUR_MS);
    let second =
        until(|| keyed_runs(&app, &made).get(1).map(|_| keyed_runs(&app, &made)[0].clone()));
    assert_eq!((&second["outcome"], &second["code"]), (&json!("refused"), &json!("credit_limit")));
    let metrics = app.get_with("/metrics", &KEY).text;
    assert!(metrics.contains("answerd_schedules_refused 1"), "{metrics}");
    assert!(metrics.contains("answerd_schedule_runs_total{outcome=\"refused\"} 1"), "{metrics}");
}

#[test]
fn start_deadline_counts_from_the_slot() {
    let (app, clock) = manual();
    let mut schedule = hourly("soon");
    schedule["batch"]["start_within"] = json!(60);
    let made = create(&app, &schedule);
    // Long after the deadline would have passed, were it counted from the creation.
    clock.advance_ms(HOUR_MS);
    end_batch(&app, &run(&app, &made, 1));
}

#[test]
fn pause_stops_slots_and_none_is_missed_by_it() {
    let (app, clock) = manual();
    let made = create(&app, &hourly("hourly"));
    let paused = patch(&app, &made, &json!({ "paused": true })).expect(200);
    assert_eq!((&paused["status"], &paused["next_at"]), (&json!("paused"), &Value::Null));
    clock.advance_ms(5 * HOUR_MS);
    // A paused one runs when it is told to.
    let run_now = app.post(&format!("{}/run", path(&made))).expect(202);
    app.get(&format!("/batches/{}?wait=30", run_now["batch_id"].as_str().unwrap())).expect(200);
    let resumed = patch(&app, &made, &json!({ "paused": false })).expect(200);
    assert_eq!(resumed["next_at"], "2026-05-11T18:00:00+00:00");
    let recorded = runs(&app, &made);
    assert_eq!(recorded.len(), 1);
    assert_eq!((&recorded[0]["slot_at"], &resumed["runs"]), (&Value::Null, &json!(0)));
}

#[test]
fn changes_keep_what_they_do_not_name() {
    let (app, clock) = manual();
    let mut schedule = hourly("hourly");
    schedule["ends_at"] = json!("2026-05-12");
    schedule["max_runs"] = json!(1);
    let made = create(&app, &schedule);
    assert_eq!(made["ends_at"], "2026-05-12T23:59:59+00:00");
    let renamed = patch(&app, &made, &json!({ "name": "other" })).expect(200);
    assert_eq!((&renamed["cron"], &renamed["max_runs"]), (&json!("0 * * * *"), &json!(1)));
    let berlin = patch(&app, &made, &json!({ "timezone": "europe/berlin", "cron": "0 6 * * *" }));
    assert_eq!(berlin.expect(200)["next_at"], "2026-05-12T04:00:00+00:00");
    let every = patch(&app, &made, &json!({ "every": "90m", "ends_at": null })).expect(200);
    assert_eq!((&every["every"], &every["cron"]), (&json!("1h30m"), &Value::Null));
    assert_eq!(
        (&every["next_at"], &every["ends_at"]),
        (&json!("2026-05-11T13:30:00+00:00"), &Value::Null)
    );
    clock.advance_ms(90 * MINUTE_MS);
    end_batch(&app, &run(&app, &made, 1));
    let ended = app.get(&path(&made)).expect(200);
    assert_eq!((&ended["status"], &ended["next_at"]), (&json!("ended"), &Value::Null));
    let more = patch(&app, &made, &json!({ "max_runs": 2 })).expect(200);
    assert_eq!(more["next_at"], "2026-05-11T15:00:00+00:00");
    assert_eq!(app.method("DELETE", &path(&made)).expect(200)["name"], "other");
    assert_eq!(app.get(&path(&made)).code(), "schedule_not_found");
}

#[test]
fn run_that_is_asked_for_twice_with_one_key_is_one() {
    let (app, _clock) = manual();
    let made = create(&app, &hourly("hourly"));
    let ask = |key| app.post_with(&format!("{}/run", path(&made)), &[("idempotency-key", key)], "");
    let first = ask("one").expect(202);
    let again = ask("one");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.expect(202)["batch_id"], first["batch_id"]);
    assert_eq!(runs(&app, &made).len(), 1);
    app.get(&format!("/batches/{}?wait=30", first["batch_id"].as_str().unwrap())).expect(200);
    assert_ne!(ask("two").expect(202)["batch_id"], first["batch_id"]);
}

#[test]
fn schedules_are_the_key_s_own() {
    let (builder, _clock) = Builder::new().manual();
    let other = format!(
        "[[keys]]\nname = \"other\"\nhash = \"sha256:{}\"\n",
        key_hash("other").map(|byte| format!("{byte:02x}")).concat()
    );
    let app = with_key(builder, "").config(&other).start();
    let made = app.post_with("/schedules", &KEY, &hourly("hourly").to_string()).expect(201);
    let other = [("x-api-key", "other")];
    // Each key has names of its own.
    app.post_with("/schedules", &other, &hourly("hourly").to_string()).expect(201);
    assert_eq!(app.get_with(&path(&made), &other).code(), "schedule_not_found");
    assert_eq!(app.method_with("DELETE", &path(&made), &other).code(), "schedule_not_found");
    let run = app.post_with(&format!("{}/run", path(&made)), &other, "");
    assert_eq!(run.code(), "schedule_not_found");
    let all = app.get_with("/schedules", &KEY).expect(200);
    assert_eq!(all["schedules"].as_array().unwrap().len(), 1);
    assert_eq!(all["schedules"][0]["schedule_id"], made["schedule_id"]);
}

#[test]
fn what_is_no_schedule_is_refused_with_the_rule() {
    let (app, _clock) = manual();
    create(&app, &hourly("taken"));
    let cases = [
        (json!({}), "schedule_invalid", "`cron` is required"),
        (json!({ "cron": "0 6 * *" }), "cron_invalid", "five fields"),
        (json!({ "cron": "0 0 30 2 *" }), "cron_invalid", "some day fits"),
        (json!({ "every": "5s" }), "every_invalid", "1m to 366d"),
        (json!({ "every": "8h", "cron": "0 6 * * *" }), "schedule_invalid", "either"),
        (json!({ "every": "8h", "timezone": "UTC" }), "schedule_invalid", "`timezone`"),
        (json!({ "cron": "0 6 * * *", "timezone": "Berlin" }), "timezone_invalid", "Europe/Berlin"),
        (json!({ "every": "8h", "name": "" }), "schedule_invalid", "1 to 100 characters"),
        (json!({ "every": "8h", "jitter_seconds": 3601 }), "schedule_invalid", "0 to 3600"),
        (json!({ "every": "8h", "missed": "all" }), "schedule_invalid", "`run_once`"),
        (json!({ "every": "8h", "ends_at": "2020-01-01" }), "schedule_invalid", "to come"),
        (json!({ "every": "8h", "max_runs": 0 }), "schedule_invalid", "1 to 1000000"),
        (json!({ "every": "8h", "end_at": "2027-01-01" }), "schedule_invalid", "`end_at`"),
        (json!({ "every": "8h", "batch": [] }), "schedule_invalid", "an object"),
        (json!({ "every": "8h", "batch": {} }), "batch_invalid", "items"),
        (
            json!({ "every": "8h", "batch": { "scraper": "gone", "prompts": ["a"] } }),
            "schedule_invalid",
            "Item 0",
        ),
        (
            json!({ "every": "8h", "batch": { "prompts": ["a"], "scraper": "practice",
                "track": "gone" } }),
            "tracker_not_found",
            "`gone`",
        ),
        (json!({ "every": "8h", "name": "taken" }), "schedule_name_taken", "`taken`"),
    ];
    for (change, code, words) in cases {
        let mut body = json!({ "name": "new", "batch": hourly("x")["batch"] });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = app.post_with("/schedules", &[], &body.to_string());
        assert_eq!(reply.code(), code, "{body}");
        assert!(reply.text.contains(words), "{body}: {}", reply.text);
    }
    assert_eq!(app.post_with("/schedules", &[], "[]").code(), "body_invalid");
    let all = app.get("/schedules").expect(200);
    assert_eq!(all["schedules"].as_array().unwrap().len(), 1);
}

/// A thousand schedules that have nothing to do make the scheduler neither write nor wake.
#[test]
fn a_thousand_idle_schedules_cost_nothing() {
    let (app, clock) = manual();
    let mut yearly = hourly("x");
    yearly["cron"] = json!("0 0 1 1 *");
    for number in 0..1_000 {
        yearly["name"] = json!(format!("schedule {number}"));
        create(&app, &yearly);
    }
    yearly["name"] = json!("one too many");
    let full = app.post_with("/schedules", &[], &yearly.to_string());
    assert_eq!((full.status, full.code()), (409, "schedules_full".to_owned()));
    let passes = || app.server().service().heartbeat().unwrap();
    let commits = app.server().writer_stats().commits;
    let before = passes();
    clock.advance_ms(HOUR_MS);
    let after = passes();
    // One pass when the clock moves, and one for each question.
    assert!(after - before <= 4, "{} passes", after - before);
    // The counts of the hour are saved.
    assert!(app.server().writer_stats().commits - commits <= 2);
}

/// Slots that are due at the start of a real process, which is killed in the middle of them again and
/// again: each submits one batch.
#[test]
fn slot_runs_once_whenever_the_process_is_killed() {
    const SCHEDULES: usize = 40;
    let (app, _clock) = manual();
    let store = app.store_path();
    for number in 0..SCHEDULES {
        let name = format!("schedule {number}");
        let batch = json!({
            "scraper": "practice", "prompts": ["What is a job?", "What is a batch?"],
            "label": name,
        });
        // The manual clock is months behind the system's.
        let missed = "run_once";
        create(&app, &json!({ "name": name, "every": "30d", "missed": missed, "batch": batch }));
    }
    let _directory = app.stop();
    let listed = |served: &Served| {
        let (status, all) = served.get("/schedules").unwrap();
        assert_eq!(status, 200);
        all["schedules"].as_array().unwrap().clone()
    };
    let ran = |all: &[Value]| all.iter().filter(|it| it["last_run"].is_object()).count();
    for wanted in [1, SCHEDULES / 3, SCHEDULES / 2] {
        let served = Served::start(&store, &[]);
        until(|| (ran(&listed(&served)) >= wanted).then_some(()));
        served.signal("KILL");
        served.kill();
    }
    let mut served = Served::start(&store, &[]);
    let all = until(|| {
        let all = listed(&served);
        (ran(&all) == SCHEDULES).then_some(all)
    });
    let mut batches = BTreeSet::new();
    for schedule in &all {
        assert_eq!(schedule["runs"], 1, "{schedule:#}");
        batches.insert(schedule["last_run"]["batch_id"].as_str().unwrap().to_owned());
        let name = schedule["name"].as_str().unwrap();
        let (_, jobs) = served.get(&format!("/jobs?label={}", name.replace(' ', "+"))).unwrap();
        assert_eq!(jobs["jobs"].as_array().unwrap().len(), 2, "{name}");
    }
    assert_eq!(batches.len(), SCHEDULES);
    assert_eq!(served.terminate(), Some(0));
    let checked = answerd(&["db", "check"], &store);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    assert_sound(&store);
}

#[test]
fn schedule_commands_make_show_and_remove_one() {
    let (_directory, store) = store_directory();
    let mut served = Served::start(&store, &[]);
    let base = served.base.clone();
    let at = |line: &[&str]| {
        let output = answerd(&[&["schedule"], line, &["--url", base.as_str()]].concat(), &store);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, id, note) = at(&[
        "add",
        "daily",
        "--cron",
        "0 6 * * *",
        "--timezone",
        "Europe/Berlin",
        "--prompt",
        "What is a job?",
        "--scraper",
        "practice",
        "--samples",
        "2",
        "--missed",
        "run-once",
    ]);
    assert_eq!((code, id.trim().len()), (0, 36), "{note}");
    assert!(note.contains("the first slot is at"), "{note}");
    let (code, listed, _) = at(&["list"]);
    assert_eq!(code, 0);
    assert!(listed.contains("daily\t0 6 * * * (Europe/Berlin)\t"), "{listed}");
    let (code, batch, _) = at(&["run", "daily"]);
    assert_eq!((code, batch.trim().len()), (0, 36));
    served.get(&format!("/batches/{}?wait=30", batch.trim())).unwrap();
    let (code, runs, _) = at(&["runs", "daily"]);
    assert_eq!(code, 0);
    assert!(runs.contains("submitted") && runs.contains(batch.trim()), "{runs}");
    assert!(at(&["pause", id.trim()]).1.contains("\tpaused\t"));
    assert!(at(&["resume", "daily"]).1.contains("\tactive\t"));
    let (code, _, error) =
        at(&["add", "daily", "--every", "8h", "--prompt", "a", "--scraper", "practice"]);
    assert_eq!(code, 1);
    assert!(error.contains("Another schedule has the name"), "{error}");
    let (code, _, error) = at(&["add", "x", "--every", "8h", "--batch", "none.json"]);
    assert_eq!(code, 2);
    assert!(error.contains("none.json"), "{error}");
    assert_eq!(at(&["rm", "daily"]).0, 0);
    let (code, _, error) = at(&["runs", "daily"]);
    assert_eq!(code, 1);
    assert!(error.contains("Schedule not found"), "{error}");
    assert_eq!(served.terminate(), Some(0));
}
