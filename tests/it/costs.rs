//! What calls of upstreams cost: told with the job and in sums, over retries, cancels and restarts, and
//! capped by day; and what a request may insist on: a search, a model, a kind.

use std::sync::Arc;

use answerd::answer::{Answer, Kind, Search};
use answerd::job::{Cost, CostFrom, Reason, ScrapeRequest, UpstreamUsage};
use answerd::upstream::{Call, Upstream, UpstreamError};
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Scripted, Step, answer};
use crate::limits::{A, B, keys};

/// From the start of manual clocks, which is noon, to midnight.
const HALF_DAY_MS: u64 = 43_200_000;

pub(crate) fn usage(output_tokens: u64, nano_usd: Option<u64>) -> UpstreamUsage {
    UpstreamUsage {
        input_tokens: Some(100),
        output_tokens: Some(output_tokens),
        reasoning_tokens: None,
        searches: Some(2),
        cost: nano_usd.map(|nano_usd| Cost { nano_usd, from: CostFrom::Provider }),
    }
}

pub(crate) fn costing(usage: UpstreamUsage) -> Step {
    Step::Answer(Box::new(Answer { usage, ..answer("x") }))
}

fn failing(reason: Reason, usage: UpstreamUsage) -> Step {
    Step::Fail(UpstreamError::new(reason, "The script says no.").with_usage(usage))
}

/// An answer of a model, of which it is known whether it was searched for.
fn searched(made: Option<bool>, model: &str) -> Step {
    let search = Some(Search { asked: true, made, calls: None, failed: 0 });
    let (markdown, model) = ("From memory: 41.".to_owned(), Some(model.to_owned()));
    Step::Answer(Box::new(Answer { search, markdown, model, ..answer("x") }))
}

fn submit(app: &App, query: &str) -> String {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &A, "");
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

/// Two upstreams of `chatgpt`, asked in this order.
fn two(one: &Arc<Scripted>, other: &Arc<Scripted>) -> Builder {
    Builder::new()
        .scripted("chatgpt", one)
        .scripted("chatgpt", other)
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"one\", \"other\"]")
}

fn upstream_of(app: &App, name: &str) -> Value {
    let scrapers = app.get("/scrapers").expect(200);
    let all = scrapers["scrapers"].as_array().unwrap().iter();
    let mut found = all.flat_map(|scraper| scraper["upstreams"].as_array().unwrap());
    found.find(|upstream| upstream["name"] == name).unwrap().clone()
}

#[test]
fn usage_is_summed_over_retries_and_kept_over_a_restart() {
    let script = Scripted::new(
        "script",
        [
            failing(Reason::Empty, usage(10, Some(1_500_000))),
            costing(usage(20, Some(2_500_001))),
            failing(Reason::Refused, usage(5, None)),
        ],
    );
    let (builder, clock) =
        Builder::new().config(&keys("operator = true")).scripted("chatgpt", &script).manual();
    let app = builder.start();
    let id = submit(&app, "prompt=sum&label=nightly");
    app.until(&id, |job| job["phase"] == "waiting_retry");
    clock.advance_ms(1_000);
    let job = app.ended(&id);
    let sum = json!({"input_tokens": 200, "output_tokens": 30, "reasoning_tokens": null,
        "searches": 4, "cost_usd": 0.004000001, "cost_from": "provider"});
    assert_eq!((&job["status"], &job["usage"]), (&"done".into(), &sum));
    let failed = app.ended(&submit(&app, "prompt=refused"));
    assert_eq!(
        (&failed["status"], &failed["usage"]["output_tokens"]),
        (&"failed".into(), &5.into())
    );
    assert_eq!(failed["usage"]["cost_usd"], Value::Null);

    let attempts = app.get_with(&format!("/jobs/{id}/attempts"), &A).expect(200);
    let attempts = attempts["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{attempts:#?}");
    assert_eq!(attempts[0]["error_code"], "answer_empty");
    assert_eq!(attempts[0]["usage"]["cost_usd"], 0.0015);
    assert_eq!(
        (&attempts[1]["error_code"], &attempts[1]["upstream"]),
        (&Value::Null, &"script".into())
    );
    assert_eq!(attempts[1]["calls"][0]["usage"]["cost_usd"], 0.002500001);

    let app = app.restart();
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["usage"], sum);
    let told = app.get_with("/usage", &A).expect(200);
    let all = json!({"calls": 3, "calls_without_cost": 1, "input_tokens": 300,
        "output_tokens": 35, "reasoning_tokens": 0, "searches": 6, "cost_usd": 0.004000001});
    assert_eq!((&told["spent"], &told["upstreams"]["script"]), (&all, &all));
    assert_eq!(told["labels"]["nightly"]["output_tokens"], 30);
    assert_eq!(told["days"][0]["labels"]["nightly"]["calls"], 2);
    assert_eq!(
        (&told["usd_spent_today"], &told["usd_per_day"]),
        (&json!(0.004000001), &Value::Null)
    );
    let other = app.get_with("/usage", &B).expect(200);
    assert_eq!((&other["spent"]["calls"], &other["days"]), (&0.into(), &json!([])));
    let metrics = app.get_with("/metrics", &A).text;
    assert!(metrics.contains("answerd_upstream_spent_usd{upstream=\"script\"} 0.004000001"));
    assert!(metrics.contains("answerd_spent_usd{account=\"a\"} 0.004000001"));
}

#[test]
fn call_of_a_canceled_job_costs_what_a_call_costs() {
    let gate = Gate::default();
    let script = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &script)
        .set("UPSTREAMS__SCRIPT__USD_PER_CALL", 0.25)
        .start();
    let id = submit(&app, "prompt=x");
    gate.arrived(1);
    app.method_with("DELETE", &format!("/jobs/{id}"), &A).expect(200);
    gate.open();
    // The next job is taken by the same worker or another; its call is counted after that one's.
    assert_eq!(app.ended(&submit(&app, "prompt=y"))["usage"]["cost_usd"], 0.25);
    crate::app::until(|| {
        let told = app.get_with("/usage", &A).expect(200);
        (told["spent"]["cost_usd"] == 0.5).then_some(())
    });
    let job = app.get(&format!("/jobs/{id}")).expect(200);
    assert_eq!(
        (&job["error_code"], &job["usage"]["cost_from"]),
        (&"canceled".into(), &"table".into())
    );
}

#[test]
fn cap_of_an_upstream_stops_it_after_the_job_that_crosses_it_until_midnight_utc() {
    let cost = || costing(usage(1, Some(6_000_000)));
    let one = Scripted::new("one", [cost(), cost(), cost()]);
    let other = Scripted::new("other", []);
    let (builder, clock) = two(&one, &other).set("UPSTREAMS__ONE__USD_PER_DAY", 0.01).manual();
    let app = builder.start();
    let by = |app: &App, prompt: &str| {
        let job = app.ended(&app.submit("chatgpt", prompt));
        job["result"]["provenance"]["upstream"].as_str().unwrap().to_owned()
    };
    assert_eq!([by(&app, "1"), by(&app, "2"), by(&app, "3")], ["one", "one", "other"]);
    let app = app.restart();
    assert_eq!(by(&app, "4"), "other", "a restart does not begin the day anew");

    // Without another upstream, a queued job waits, and a waiting call is told.
    let app = app.restart_with(|it| it.set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"one\"]"));
    let id = app.submit("chatgpt", "5");
    let job = app.until(&id, |job| job["phase"] == "waiting_retry");
    assert_eq!((&job["error_code"], &job["attempts"]), (&"upstream_at_limit".into(), &0.into()));
    let refused = app.get("/scrapers/chatgpt?prompt=6&timeout=60");
    assert_eq!((refused.status, refused.code().as_str()), (503, "upstreams_paused"));
    clock.advance_ms(HALF_DAY_MS - 1);
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["phase"], "waiting_retry");
    clock.advance_ms(1);
    assert_eq!(app.ended(&id)["status"], "done");
    assert_eq!(one.asked(), 3);
}

#[test]
fn cap_of_a_key_is_a_429_and_its_queued_jobs_wait() {
    let gate = Gate::default();
    let cost = || costing(usage(1, Some(10_000_000)));
    let script = Scripted::new("script", [cost(), cost()]);
    let (builder, clock) = Builder::new()
        .config(&keys("usd_per_day = 0.01"))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &script)
        .manual();
    let app = builder.start();
    let batch = r#"{"items": [{"scraper": "chatgpt", "prompt": "1"},
        {"scraper": "chatgpt", "prompt": "2"}]}"#;
    let batch = app.post_with("/batches", &A, batch).expect(202);
    let ids: Vec<&str> = batch["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["job_id"].as_str().unwrap())
        .collect();
    assert_eq!(app.ended(ids[0])["usage"]["cost_usd"], 0.01);
    let job = app.until(ids[1], |job| job["phase"] == "waiting_retry");
    assert_eq!((&job["error_code"], &job["attempts"]), (&"key_at_limit".into(), &0.into()));

    let refused = app.post_with("/scrapers/chatgpt/jobs?prompt=3", &A, "");
    assert_eq!((refused.status, refused.code().as_str()), (429, "spend_limit"));
    assert_eq!(refused.headers["retry-after"], "43200");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("`usd_per_day` of 0.01 USD"), "{detail}");
    let one_more = r#"{"items": [{"scraper": "chatgpt", "prompt": "3"}]}"#;
    assert_eq!(app.post_with("/batches", &A, one_more).code(), "spend_limit");
    let cached = app.ended(&submit(&app, "prompt=1"));
    assert_eq!((&cached["result"]["cached"], &cached["usage"]), (&true.into(), &Value::Null));
    gate.open();
    let other = app.post_with("/scrapers/chatgpt/jobs?prompt=4", &B, "").expect(202);
    assert_eq!(app.ended(other["job_id"].as_str().unwrap())["status"], "done");
    assert_eq!(app.get_with("/usage", &A).expect(200)["usd_per_day"], 0.01);

    clock.advance_ms(HALF_DAY_MS);
    assert_eq!(app.ended(ids[1])["status"], "done");
}

#[test]
fn key_over_its_cap_is_answered_as_before_where_it_repeats_a_submit() {
    let cost = || costing(usage(1, Some(10_000_000)));
    let script = Scripted::new("script", [cost(), cost()]);
    let app = Builder::new()
        .config(&keys("usd_per_day = 0.02"))
        .scripted("chatgpt", &script)
        .set("CACHE__TTL_SECONDS", 0)
        .start();
    let headers = |key: &'static str| [A[0], ("idempotency-key", key)];
    let single = |prompt: &str, key| {
        let path = format!("/scrapers/chatgpt/jobs?prompt={prompt}");
        app.post_with(&path, &headers(key), "")
    };
    let batch = |prompt: &str, key| {
        let items = json!({"items": [{"scraper": "chatgpt", "prompt": prompt}]});
        app.post_with("/batches", &headers(key), &items.to_string())
    };
    let job = single("one", "k1").expect(202)["job_id"].clone();
    app.ended(job.as_str().unwrap());
    let first = batch("two", "k2").expect(202);
    app.ended(first["items"][0]["job_id"].as_str().unwrap());
    assert_eq!(single("three", "k3").code(), "spend_limit");
    assert_eq!(batch("three", "k3").code(), "spend_limit");
    assert_eq!(
        app.post_with("/batches", &A, "{\"prompts\":[\"a\"],\"scraper\":\"chatgpt\"}").code(),
        "spend_limit"
    );

    let again = single("one", "k1");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.expect(202)["job_id"], job);
    let again = batch("two", "k2");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.expect(202)["batch_id"], first["batch_id"]);
    for other in [single("else", "k1"), batch("else", "k2"), batch("one", "k1")] {
        assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    }
    assert_eq!(script.asked(), 2);
}

#[test]
fn result_job_and_usage_tell_the_same_cost_by_the_prices_of_the_settings() {
    let script = Scripted::new("script", [costing(usage(1_000, None))]);
    let app = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &script)
        .set("UPSTREAMS__SCRIPT__USD_PER_CALL", 0.25)
        .set("UPSTREAMS__SCRIPT__USD_PER_MILLION_OUTPUT_TOKENS", 2)
        .start();
    let job = app.ended(&submit(&app, "prompt=x"));
    assert_eq!(job["usage"]["cost_usd"], 0.252);
    assert_eq!(job["usage"]["cost_from"], "table");
    assert_eq!(job["result"]["usage"], job["usage"]);
    assert_eq!(app.get_with("/usage", &A).expect(200)["spent"]["cost_usd"], 0.252);
}

#[test]
fn answer_without_a_search_is_tried_again_once_and_then_at_the_next() {
    let one = Scripted::new("one", [searched(Some(false), "m"), searched(Some(false), "m")]);
    let other = Scripted::new("other", [searched(Some(true), "m"), searched(None, "m")]);
    let (builder, clock) = two(&one, &other).config(&keys("")).manual();
    let app = builder.start();
    let id = submit(&app, "prompt=x&require_search=true");
    let waiting = app.until(&id, |job| job["phase"] == "waiting_retry");
    assert_eq!((&waiting["error_code"], &waiting["attempts"]), (&"no_search".into(), &1.into()));
    clock.advance_ms(1_000);
    let job = app.ended(&id);
    assert_eq!(job["result"]["provenance"]["upstream"], "other");
    assert_eq!((&job["attempts"], one.asked(), other.asked()), (&2.into(), 2, 1));
    let attempts = app.get_with(&format!("/jobs/{id}/attempts"), &A).expect(200);
    assert_eq!(attempts["attempts"][0]["error_code"], "no_search");
    assert_eq!(attempts["parameters"]["require_search"], true);

    // An upstream that does not tell is not blamed; that it did not search is told of the scraper.
    let health = |app: &App| {
        let scrapers = app.get("/scrapers").expect(200)["scrapers"].clone();
        let all = scrapers.as_array().unwrap().iter();
        all.clone().find(|it| it["name"] == "chatgpt").unwrap()["health"].clone()
    };
    assert_eq!(health(&app)["searched_share"], 0.5);
    let one_only = |it: Builder| it.set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"other\"]");
    let app = app.restart_with(one_only);
    let unknown = app.ended(&submit(&app, "prompt=y&require_search=true"));
    assert_eq!(unknown["status"], "done");
    assert_eq!(health(&app)["searched_share"], 0.5, "kept, and what is not known is not counted");
}

#[test]
fn unsearched_text_is_in_the_error_only_where_it_is_wanted() {
    let never = || (0..4).map(|_| searched(Some(false), "m"));
    let script = Scripted::new("script", never());
    let (builder, clock) = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &script)
        .set("SCRAPERS__CHATGPT__REQUIRE_SEARCH", true)
        .manual();
    let app = builder.start();
    let fail = |query: &str| {
        let id = submit(&app, query);
        app.until(&id, |job| job["phase"] == "waiting_retry");
        clock.advance_ms(1_000);
        app.ended(&id)
    };
    let job = fail("prompt=a");
    assert_eq!((&job["error_code"], &job["attempts"]), (&"no_search".into(), &2.into()));
    assert_eq!(job["error"], "script answered without a search.");
    let job = fail("prompt=b&keep_unsearched=true");
    assert_eq!(job["error"], "script answered without a search.\n\nFrom memory: 41.");
    assert_eq!(script.asked(), 4);
    // What a request says takes precedence over the scraper's setting, and no search is required of nothing.
    for query in ["prompt=c&require_search=false", "prompt=d&web_search=false"] {
        assert_eq!(app.ended(&submit(&app, query))["status"], "done", "{query}");
    }
    let both = app.post_with(
        "/scrapers/chatgpt/jobs?prompt=e&web_search=false&require_search=true",
        &A,
        "",
    );
    assert_eq!((both.status, both.code().as_str()), (400, "require_search_invalid"));
}

/// A scripted upstream of another kind.
pub(crate) struct OfKind(pub Arc<Scripted>, pub Kind);

impl Upstream for OfKind {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn kind(&self) -> Kind {
        self.1
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        self.0.ask(request, call)
    }
}

fn refused(app: &App, query: &str) -> (u16, String, String) {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &A, "");
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    (reply.status, reply.code(), detail)
}

#[test]
fn upstreams_of_another_kind_are_passed_over_by_name() {
    let (api, serp) = (Scripted::new("api_one", []), Scripted::new("serp_one", []));
    let of_kind = Arc::new(OfKind(serp.clone(), Kind::Serp));
    let app = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &api)
        .upstream("chatgpt", "serp_one", of_kind)
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"api_one\", \"serp_one\"]")
        .start();
    let job = app.ended(&submit(&app, "prompt=x&kind=serp"));
    assert_eq!(job["result"]["provenance"]["kind"], "serp");
    assert_eq!((api.asked(), serp.asked()), (0, 1));
    let job = app.ended(&submit(&app, "prompt=x&kind=api"));
    assert_eq!(job["result"]["provenance"]["kind"], "api", "the cache tells them apart");

    let (status, code, detail) = refused(&app, "prompt=x&kind=browser");
    assert_eq!((status, code.as_str()), (400, "kind_refused"));
    assert!(detail.contains("`api`, `serp`") && detail.contains("`browser`"), "{detail}");
    assert_eq!(refused(&app, "prompt=x&kind=web").1, "kind_invalid");
    assert_eq!(api.asked() + serp.asked(), 2, "nothing was spent");
}

#[test]
fn failure_names_the_upstreams_that_were_passed_over() {
    let refusing = || Step::Fail(UpstreamError::new(Reason::Refused, "It declines."));
    let (api, serp) = (Scripted::new("api_one", []), Scripted::new("serp_one", [refusing()]));
    let app = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &api)
        .upstream("chatgpt", "serp_one", Arc::new(OfKind(serp, Kind::Serp)))
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"api_one\", \"serp_one\"]")
        .start();
    let job = app.ended(&submit(&app, "prompt=x&kind=serp"));
    assert_eq!(job["error_code"], "answer_refused");
    let told = "It declines (passed over, by `kind` or `model`: api_one).";
    assert_eq!(job["error"], told);
    assert_eq!(api.asked(), 0);
}

#[test]
fn model_is_asked_only_where_it_is_allowed_and_no_other_answers_for_it() {
    let (one, other) = (Scripted::new("one", []), Scripted::new("other", []));
    let app = two(&one, &other)
        .config(&keys(""))
        .set("UPSTREAMS__OTHER__MODELS_ALLOWED", "[\"large\", \"small\"]")
        .start();
    let job = app.ended(&submit(&app, "prompt=x&model=large"));
    assert_eq!(job["result"]["provenance"]["upstream"], "other");
    assert_eq!(job["result"]["provenance"]["model_asked"], "large");
    assert_eq!(other.asked.lock().unwrap()[0].model.as_deref(), Some("large"));
    let job = app.ended(&submit(&app, "prompt=x&model=small"));
    assert_eq!(job["result"]["cached"], false, "the cache tells models apart");
    assert_eq!((one.asked(), other.asked()), (0, 2));

    let (status, code, detail) = refused(&app, "prompt=x&model=huge");
    assert_eq!((status, code.as_str()), (400, "model_refused"));
    assert!(detail.contains("`large`, `small`") && detail.contains("`huge`"), "{detail}");
    assert_eq!(upstream_of(&app, "other")["models_allowed"], json!(["large", "small"]));
    assert_eq!(refused(&app, "prompt=x&model=a%20b").1, "model_invalid");
    let app = app.restart_with(|it| it.set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"one\"]"));
    let (_, code, detail) = refused(&app, "prompt=x&model=large");
    assert_eq!(code, "model_refused");
    assert!(detail.contains("`models_allowed` lists none"), "{detail}");
}

#[test]
fn changes_of_a_model_are_kept_over_a_restart() {
    let steps = (0..25).map(|n| searched(Some(true), &format!("m-{}", n / 2)));
    let script = Scripted::new("script", steps);
    let (builder, clock) = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &script)
        .set("UPSTREAMS__SCRIPT__MODELS_ALLOWED", "[\"large\"]")
        .manual();
    let app = builder.start();
    let ask = |app: &App, n: usize| {
        clock.advance_ms(60_000);
        app.ended(&submit(app, &format!("prompt={n}")));
    };
    (0..4).for_each(|n| ask(&app, n));
    let upstream = upstream_of(&app, "script");
    let change = json!([{"at": "2026-05-11T12:03:00+00:00", "from": "m-0", "to": "m-1"}]);
    assert_eq!((&upstream["llm_model"], &upstream["model_changes"]), (&"m-1".into(), &change));
    let app = app.restart();
    assert_eq!(upstream_of(&app, "script")["model_changes"], change);
    // Other models that were asked for are no change of this one.
    app.ended(&submit(&app, "prompt=5&model=large"));
    assert_eq!(upstream_of(&app, "script")["model_changes"], change);
    (10..30).for_each(|n| ask(&app, n));
    let changes = upstream_of(&app, "script")["model_changes"].as_array().unwrap().len();
    assert_eq!(changes, 12, "m-0 to m-12");
}
