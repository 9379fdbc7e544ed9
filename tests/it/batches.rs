//! Batches: jobs that are submitted together, and samples of one prompt. Contract part 2.

use answerd::clock::ManualClock;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Reply, Scripted, Step};
use crate::limits::{A, B, keys};

fn post(app: &App, body: &Value) -> Reply {
    app.post_with("/batches", &A, &body.to_string())
}

fn id(batch: &Value) -> String {
    batch["batch_id"].as_str().unwrap().to_owned()
}

fn ended(app: &App, id: &str) -> Value {
    let batch = app.get(&format!("/batches/{id}?wait=30")).expect(200);
    assert_eq!(batch["status"], "done", "{batch:#}");
    batch
}

fn job_ids(batch: &Value) -> Vec<String> {
    let items = batch["items"].as_array().unwrap().iter();
    items.filter_map(|item| Some(item["job_id"].as_str()?.to_owned())).collect()
}

fn open() -> (std::sync::Arc<Scripted>, Builder) {
    let upstream = Scripted::new("script", []);
    (upstream.clone(), Builder::new().config(&keys("")).scripted("chatgpt", &upstream))
}

#[test]
fn each_item_is_accepted_or_refused_by_itself() {
    let (_, builder) = open();
    let app = builder.start();
    let reply = post(
        &app,
        &json!({
            "label": "nightly",
            "scraper": "chatgpt",
            "country": "de",
            "items": [
                { "prompt": "one" },
                { "scraper": "nothing", "prompt": "x" },
                "two",
                { "prompt": "three", "country": "FR", "label": "own" },
                { "country": "US" },
                { "prompt": "x", "timeout": "soon" },
                { "scraper": "perplexity", "prompt": "x" },
            ],
        }),
    );
    assert_eq!(reply.headers["location"], format!("/batches/{}", id(&reply.json())));
    assert_eq!(reply.headers["retry-after"], "2");
    let batch = reply.expect(202);
    assert_eq!(
        batch["counts"],
        json!({
            "items": 7, "refused": 5, "pending": 2, "done": 0, "failed": 0, "canceled": 0,
        })
    );
    assert_eq!((&batch["status"], &batch["label"]), (&"pending".into(), &"nightly".into()));
    let items = batch["items"].as_array().unwrap();
    let codes: Vec<&str> =
        items.iter().map(|item| item["error"]["code"].as_str().unwrap_or("ok")).collect();
    assert_eq!(
        codes,
        [
            "ok",
            "scraper_unknown",
            "item_invalid",
            "ok",
            "prompt_missing",
            "parameter_invalid",
            "scraper_not_configured",
        ]
    );
    assert!(items.iter().zip(0..).all(|(item, at)| item["index"] == at));
    assert!(items[5]["error"]["detail"].as_str().unwrap().contains("`timeout`"), "{items:#?}");

    let batch = ended(&app, &id(&batch));
    assert_eq!((&batch["counts"]["done"], &batch["counts"]["pending"]), (&2.into(), &0.into()));
    assert!(batch["completed_at"].is_string());
    let jobs: Vec<Value> =
        job_ids(&batch).iter().map(|id| app.get(&format!("/jobs/{id}")).expect(200)).collect();
    let told: Vec<_> =
        jobs.iter().map(|job| (&job["prompt"], &job["country"], &job["label"])).collect();
    assert_eq!(
        told,
        [
            (&json!("one"), &json!("DE"), &json!("nightly")),
            (&json!("three"), &json!("FR"), &json!("own")),
        ]
    );
    assert!(jobs.iter().all(|job| job["batch_id"] == batch["batch_id"]));
    let listed = app.get_with(&format!("/jobs?batch={}", id(&batch)), &A).expect(200);
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 2);
    // Its id is no job's, and a job's is no batch's.
    assert_eq!(app.get(&format!("/jobs/{}", id(&batch))).code(), "job_not_found");
    let job = &job_ids(&batch)[0];
    assert_eq!(app.get(&format!("/batches/{job}")).code(), "batch_not_found");
    let status = app.get(&format!("/batches/{}?fields=status", id(&batch))).expect(200);
    assert!(status["items"].is_null() && status["counts"]["done"] == 2);
}

#[test]
fn limits_refuse_items_and_not_the_batch() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone()), Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys("monthly_credits = 6"))
        .set("QUEUE__JOBS_MAX", 1)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let items = |n: usize| {
        json!({
            "items": (0..n).map(|n| json!({ "scraper": "chatgpt", "prompt": n.to_string() }))
                .collect::<Vec<_>>(),
        })
    };
    let full = post(&app, &items(4)).expect(202);
    assert_eq!(
        full["items"][2]["error"],
        json!({
            "code": "queue_full", "detail": "Scraper queue full. Retry in a few seconds.",
        })
    );
    gate.open();
    assert_eq!(ended(&app, &id(&full))["counts"]["done"], 2);
    let spent = post(&app, &json!({ "scraper": "chatgpt", "prompts": ["new"] })).expect(202);
    assert_eq!(
        spent["items"][0]["error"],
        json!({
            "code": "credit_limit",
            "detail": "Credit limit reached. Upgrade your plan or wait for your billing cycle to reset.",
        })
    );
    // Nothing of it is left to wait for.
    assert_eq!((&spent["status"], &spent["completed_at"]), (&"done".into(), &spent["created_at"]));
}

#[test]
fn what_is_no_batch_is_refused_whole() {
    let (_, builder) = open();
    let app = builder.set("HTTP__BATCH_KIB_MAX", 64).start();
    let item = json!({ "scraper": "chatgpt", "prompt": "x" });
    for (body, code) in [
        (json!({}), "batch_invalid"),
        (json!({ "items": [] }), "batch_invalid"),
        (json!({ "items": item }), "parameter_invalid"),
        (json!({ "items": [item], "prompts": ["x"] }), "batch_invalid"),
        (json!({ "items": [item], "countries": ["DE"] }), "batch_invalid"),
        (json!({ "prompts": ["x"], "scrapers": "chatgpt" }), "parameter_invalid"),
        (json!({ "prompts": ["x", 1] }), "parameter_invalid"),
        (json!({ "items": [item], "label": "a\nb" }), "label_invalid"),
        (json!({ "items": [item], "samples": 0 }), "samples_invalid"),
        (json!({ "items": [item], "samples": 21 }), "samples_invalid"),
        (json!({ "items": [item], "samples": 1.5 }), "parameter_invalid"),
        (json!({ "items": vec![json!({}); 1_001] }), "batch_too_large"),
        (
            json!({ "prompts": vec!["x"; 26], "countries": ["DE", "FR"], "samples": 20 }),
            "batch_too_large",
        ),
        (json!([item]), "body_invalid"),
    ] {
        let refused = post(&app, &body);
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{body}");
    }
    let long = post(&app, &json!({ "items": [item], "label": "x".repeat(65 << 10) }));
    assert_eq!((long.status, long.code().as_str()), (413, "body_too_large"));
    assert_eq!(app.post_with("/batches", &[], "{}").code(), "key_missing");
    assert_eq!(app.method("PUT", "/batches").headers["allow"], "POST, GET, HEAD");
    assert_eq!(app.get("/batches/x").code(), "batch_not_found");
}

#[test]
fn a_matrix_asks_every_prompt_everywhere() {
    let (upstream, builder) = open();
    let app = builder.set("SCRAPERS__PERPLEXITY__UPSTREAMS", "[\"script\"]").start();
    let batch = post(
        &app,
        &json!({
            "prompts": ["a", "b"],
            "scrapers": ["chatgpt", "perplexity"],
            "countries": ["US", "DE"],
            "web_search": false,
        }),
    )
    .expect(202);
    let order: Vec<String> = job_ids(&ended(&app, &id(&batch)))
        .iter()
        .map(|id| {
            let job = app.get(&format!("/jobs/{id}")).expect(200);
            let word = |name: &str| job[name].as_str().unwrap().to_owned();
            [word("prompt"), word("scraper"), word("country")].join(" ")
        })
        .collect();
    assert_eq!(
        order,
        [
            "a chatgpt US",
            "a chatgpt DE",
            "a perplexity US",
            "a perplexity DE",
            "b chatgpt US",
            "b chatgpt DE",
            "b perplexity US",
            "b perplexity DE",
        ]
    );
    assert!(upstream.asked.lock().unwrap().iter().all(|asked| !asked.web_search));
}

#[test]
fn samples_are_scrapes_of_their_own() {
    let (upstream, builder) = open();
    let app = builder.start();
    let first = app.post_with("/scrapers/chatgpt/jobs?prompt=x", &A, "").expect(202);
    app.ended(first["job_id"].as_str().unwrap());
    let reply = app.post_with("/scrapers/chatgpt/jobs?prompt=x&samples=3&label=l", &A, "");
    let batch = reply.expect(202);
    assert_eq!((&batch["counts"]["items"], &batch["label"]), (&3.into(), &"l".into()));
    for id in job_ids(&ended(&app, &id(&batch))) {
        assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["result"]["cached"], false);
    }
    assert_eq!(upstream.asked(), 4);
    let two = json!({ "scraper": "chatgpt", "items": [{ "prompt": "x" }, { "prompt": "y" }], "samples": 2 });
    let batch = post(&app, &two).expect(202);
    assert_eq!(ended(&app, &id(&batch))["counts"]["done"], 4);
    assert_eq!(upstream.asked(), 8);
    for wrong in ["0", "21", "x", "-1", "1.0"] {
        let path = format!("/scrapers/chatgpt/jobs?prompt=x&samples={wrong}");
        assert_eq!(app.post_with(&path, &A, "").status, 400, "{wrong}");
    }
    // A single answer is what a waiting call gives.
    app.get_with("/scrapers/chatgpt?prompt=x&samples=3", &A).expect(200);
}

fn keyed(app: &App, path: &str, key: &str, body: &str) -> Reply {
    app.post_with(path, &[A[0], ("idempotency-key", key)], body)
}

#[test]
fn a_repeated_batch_is_the_batch_that_there_is() {
    let (upstream, builder) = open();
    let (builder, clock): (Builder, std::sync::Arc<ManualClock>) = builder.manual();
    let app = builder.start();
    let body = r#"{"scraper":"chatgpt","prompts":["a","b"]}"#;
    let first = keyed(&app, "/batches", "k", body).expect(202);
    ended(&app, &id(&first));
    let app = app.restart();
    let again = keyed(&app, "/batches", "k", body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let again = again.expect(202);
    assert_eq!((&again["batch_id"], &again["counts"]["done"]), (&first["batch_id"], &2.into()));
    assert_eq!(upstream.asked(), 2);

    let other = keyed(&app, "/batches", "k", r#"{"scraper":"chatgpt","prompts":["a"]}"#);
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    let job = keyed(&app, "/scrapers/chatgpt/jobs?prompt=a", "k", "");
    assert_eq!((job.status, job.code().as_str()), (422, "idempotency_key_reused"));
    keyed(&app, "/scrapers/chatgpt/jobs?prompt=a", "j", "").expect(202);
    assert_eq!(keyed(&app, "/batches", "j", body).code(), "idempotency_key_reused");
    let samples =
        |n: usize| keyed(&app, &format!("/scrapers/chatgpt/jobs?prompt=a&samples={n}"), "s", "");
    let (one, two) = (samples(2).expect(202), samples(2).expect(202));
    assert_eq!(one["batch_id"], two["batch_id"]);
    assert_eq!(samples(3).code(), "idempotency_key_reused");
    // All of it is remembered as long as the jobs.
    ended(&app, &id(&one));
    clock.advance_ms(86_399_999);
    app.get(&format!("/batches/{}", id(&first))).expect(200);
    clock.advance_ms(1);
    assert_eq!(app.get(&format!("/batches/{}", id(&first))).code(), "batch_not_found");
    let fresh = keyed(&app, "/batches", "k", body).expect(202);
    assert_ne!(fresh["batch_id"], first["batch_id"]);
}

#[test]
fn a_canceled_batch_leaves_nothing_running_and_nothing_charged() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys("monthly_credits = 9"))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let batch =
        post(&app, &json!({ "scraper": "chatgpt", "prompts": ["a", "b", "c"] })).expect(202);
    let path = format!("/batches/{}", id(&batch));
    gate.arrived(1);
    assert_eq!(app.method("DELETE", &path).code(), "key_missing");
    assert_eq!(app.method_with("DELETE", &path, &B).code(), "batch_not_found");
    let canceled = app.method_with("DELETE", &path, &A).expect(200);
    assert_eq!((&canceled["status"], &canceled["counts"]["failed"]), (&"done".into(), &3.into()));
    assert_eq!(
        (&canceled["counts"]["canceled"], &canceled["credits_used"]),
        (&3.into(), &0.into())
    );
    assert!(canceled["items"].as_array().unwrap().iter().all(|i| i["error_code"] == "canceled"));
    assert!(upstream.told_to_stop());
    assert_eq!(app.get_with("/usage", &A).expect(200)["left"], 9);
    let again = app.method_with("DELETE", &path, &A);
    assert_eq!((again.status, again.code().as_str()), (409, "batch_finished"));
    gate.open();
}

#[test]
fn a_wait_for_a_batch_ends_with_its_last_job_over_a_restart() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .set("HTTP__GRACE_SECONDS", 0)
        .scripted("chatgpt", &upstream)
        .start();
    let batch = post(&app, &json!({ "scraper": "chatgpt", "prompts": ["a", "b"] })).expect(202);
    gate.arrived(1);
    let waited = app.get(&format!("/batches/{}?wait=0.01", id(&batch))).expect(200);
    assert_eq!(waited["status"], "pending");
    let app = app.restart();
    assert_eq!(ended(&app, &id(&batch))["counts"]["done"], 2);
    gate.open();
}

#[test]
fn fields_of_the_batch_are_refused_in_an_item() {
    let (upstream, builder) = open();
    let app = builder.start();
    let items: Vec<Value> = [
        json!({ "samples": 3 }),
        json!({ "countries": ["DE", "FR"] }),
        json!({ "scrapers": ["chatgpt"] }),
        json!({ "prompts": ["b"] }),
        json!({ "items": [] }),
        json!({ "samples": null }),
    ]
    .into_iter()
    .map(|mut item| {
        item["prompt"] = "a".into();
        item
    })
    .collect();
    let batch = post(&app, &json!({ "scraper": "chatgpt", "items": items })).expect(202);
    for (item, name) in batch["items"].as_array().unwrap().iter().zip([
        "samples",
        "countries",
        "scrapers",
        "prompts",
    ]) {
        assert_eq!(item["error"]["code"], "item_invalid", "{item:#}");
        assert!(item["error"]["detail"].as_str().unwrap().contains(&format!("`{name}`")), "{item}");
    }
    assert_eq!(batch["counts"]["refused"], 5);
    ended(&app, &id(&batch));
    assert_eq!(upstream.asked(), 1, "null is as good as absent");
}

#[test]
fn a_list_and_its_single_value_are_not_both_taken() {
    let (_, builder) = open();
    let app = builder.start();
    let before = app.server().writer_stats().writes;
    for (field, value, word) in [
        ("country", json!("US"), "`countries`"),
        ("scraper", json!("chatgpt"), "`scrapers`"),
        ("prompt", json!("b"), "`prompts`"),
        ("countries", json!([]), "empty"),
        ("scrapers", json!([]), "empty"),
    ] {
        let mut body = json!({ "prompts": ["a"], "scrapers": ["chatgpt"], "countries": ["DE"] });
        body[field] = value;
        let refused = post(&app, &body);
        assert_eq!((refused.status, refused.code().as_str()), (400, "batch_invalid"), "{field}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(word), "{refused:?}");
    }
    assert_eq!(app.server().writer_stats().writes, before, "a refusal writes nothing");
    // A prompt beside items is that of those that have none.
    let body = json!({ "scraper": "chatgpt", "prompt": "a", "items": [{}, { "prompt": "b" }] });
    let batch = post(&app, &body).expect(202);
    let prompts: Vec<Value> = job_ids(&batch)
        .iter()
        .map(|id| app.get(&format!("/jobs/{id}")).expect(200)["prompt"].clone())
        .collect();
    assert_eq!(prompts, ["a", "b"]);
    ended(&app, &id(&batch));
}
