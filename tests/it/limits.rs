//! Keys, credits, rate limits and the queue's limit: contract 1.2, 1.9 and the three 429s.

use crate::app::{App, Builder, Gate, Scripted, Step, fail};
use answerd::clock::calendar_month;
use answerd::job::Reason;
use serde_json::json;

/// `sha256:` of `secret-a` and `secret-b`.
pub(crate) fn keys(lines_of_a: &str) -> String {
    use sha2::{Digest, Sha256};
    let hash = |key: &str| -> String {
        Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    format!(
        "[[keys]]\nname = \"a\"\nhash = \"sha256:{}\"\n{lines_of_a}\n\
         [[keys]]\nname = \"b\"\nhash = \"sha256:{}\"\n",
        hash("secret-a"),
        hash("secret-b"),
    )
}

pub(crate) const A: [(&str, &str); 1] = [("x-api-key", "secret-a")];
pub(crate) const B: [(&str, &str); 1] = [("x-api-key", "secret-b")];

fn submit(app: &App, headers: &[(&str, &str)], prompt: &str) -> crate::app::Reply {
    app.post_with(&format!("/scrapers/chatgpt/jobs?prompt={prompt}"), headers, "")
}

#[test]
fn a_key_is_taken_from_three_places_and_the_header_wins() {
    let app =
        Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("script", [])).start();
    let missing = submit(&app, &[], "x");
    assert_eq!((missing.status, missing.code().as_str()), (401, "key_missing"));
    assert_eq!(
        missing.json()["detail"],
        "Missing API key. Pass your key in the X-API-Key header or as ?api_key= in the URL."
    );
    let wrong = submit(&app, &[("x-api-key", "wrong")], "x");
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "key_invalid"));
    assert_eq!(wrong.json()["detail"], "Invalid API key.");

    submit(&app, &A, "x").expect(202);
    submit(&app, &[("authorization", "Bearer secret-b")], "x").expect(202);
    app.post("/scrapers/chatgpt/jobs?prompt=x&api_key=secret-a").expect(202);
    app.get("/scrapers/chatgpt?prompt=x&api_key=secret-a").expect(200);
    let header_wins = app.post_with(
        "/scrapers/chatgpt/jobs?prompt=x&api_key=secret-a",
        &[("x-api-key", "wrong")],
        "",
    );
    assert_eq!(header_wins.status, 401);
    // Polls need no key.
    let id = submit(&app, &A, "y").expect(202)["job_id"].as_str().unwrap().to_owned();
    assert_eq!(app.ended(&id)["status"], "done");
}

#[test]
fn an_address_that_tries_wrong_keys_is_slowed_down_and_right_keys_are_served() {
    let (builder, clock) = Builder::new().config(&keys("")).manual();
    let app = builder
        .set("HTTP__KEY_FAILURES_PER_MINUTE", 3)
        .set("HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let guesser = ("x-forwarded-for", "192.0.2.1, 203.0.113.7");
    let guess = || submit(&app, &[("x-api-key", "wrong"), guesser], "x");
    for _ in 0..3 {
        assert_eq!(guess().status, 401);
    }
    clock.advance_ms(18_000);
    let refused = guess();
    assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_invalid_keys"));
    assert_eq!(refused.headers["retry-after"], "42");
    // Somebody else may call from there, with a right key.
    submit(&app, &[A[0], guesser], "x").expect(202);
    assert_eq!(guess().status, 429);
    // The port is none of the address.
    for same in ["203.0.113.7:4711", "[::ffff:203.0.113.7]:80"] {
        let guessing = [("x-api-key", "wrong"), ("x-forwarded-for", same)];
        assert_eq!(submit(&app, &guessing, "x").status, 429, "{same}");
    }
    submit(&app, &[A[0], ("x-forwarded-for", "203.0.113.7, 203.0.113.8")], "x").expect(202);
    clock.advance_ms(42_000);
    assert_eq!(guess().status, 401);
}

#[test]
fn an_address_that_cannot_be_read_counts_for_nobody() {
    let app = Builder::new()
        .config(&keys(""))
        .set("HTTP__KEY_FAILURES_PER_MINUTE", 1)
        .set("HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\", \"203.0.113.1\"]")
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    // The outer proxy is trusted, and everybody comes through it.
    for reported in ["unknown", "_hidden", "4.4.4"] {
        let forwarded = format!("{reported}, 203.0.113.1");
        for _ in 0..3 {
            let guessing = [("x-api-key", "wrong"), ("x-forwarded-for", forwarded.as_str())];
            assert_eq!(submit(&app, &guessing, "x").status, 401, "{reported}");
        }
    }
    let of_the_proxy = [("x-api-key", "wrong"), ("x-forwarded-for", "203.0.113.1")];
    assert_eq!(submit(&app, &of_the_proxy, "x").status, 401, "counted against the proxy");
}

#[test]
fn what_an_unknown_peer_reports_of_itself_counts_for_nothing() {
    let app = Builder::new()
        .config(&keys(""))
        .set("HTTP__KEY_FAILURES_PER_MINUTE", 1)
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let reported = ("x-forwarded-for", "203.0.113.7");
    for _ in 0..3 {
        assert_eq!(submit(&app, &[("x-api-key", "wrong"), reported], "x").status, 401);
    }
    submit(&app, &[A[0], reported], "x").expect(202);
}

#[test]
fn without_keys_any_key_is_welcome() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    submit(&app, &[("x-api-key", "whatever")], "x").expect(202);
    submit(&app, &[], "x").expect(202);
}

#[test]
fn credits_are_reserved_kept_and_given_back() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone()), fail(Reason::Refused)]);
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&keys("monthly_credits = 7"))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let first = submit(&app, &A, "one").expect(202)["job_id"].as_str().unwrap().to_owned();
    let second = submit(&app, &A, "two").expect(202)["job_id"].as_str().unwrap().to_owned();
    gate.arrived(1);
    let refused = submit(&app, &A, "three");
    assert_eq!((refused.status, refused.code().as_str()), (429, "credit_limit"));
    assert_eq!(
        refused.json()["detail"],
        "Credit limit reached. Upgrade your plan or wait for your billing cycle to reset."
    );
    assert!(refused.headers.contains_key("retry-after"));
    submit(&app, &B, "three").expect(202); // no allowance is set for this key
    gate.open();
    assert_eq!(app.ended(&first)["status"], "done");
    assert_eq!(app.ended(&second)["status"], "failed");
    // Three are used, four are left: the failed job's credits came back.
    submit(&app, &A, "four").expect(202);
    assert_eq!(submit(&app, &A, "five").status, 429);
    // A cached answer costs nothing.
    assert_eq!(submit(&app, &A, "one").expect(202)["result"]["credits_used"], 0);
    // A new month begins anew.
    let month = calendar_month(crate::app::START_MS);
    clock.advance_ms(31 * 86_400_000);
    assert_ne!(calendar_month(crate::app::START_MS + 31 * 86_400_000), month);
    submit(&app, &A, "six").expect(202);
}

#[test]
fn a_rate_limit_says_when_to_come_back() {
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&keys("requests_per_minute = 2"))
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    submit(&app, &A, "1").expect(202);
    app.get_with("/scrapers/chatgpt?prompt=1", &A).expect(200);
    let refused = submit(&app, &A, "3");
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limit"));
    assert_eq!(refused.json()["detail"], "Rate limit exceeded. Retry after a moment.");
    let wait: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    submit(&app, &B, "3").expect(202);
    clock.advance_ms(wait * 1_000);
    submit(&app, &A, "3").expect(202);
}

#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .set("QUEUE__JOBS_MAX", 2)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let taken: Vec<String> = (0..3).map(|n| app.submit("chatgpt", &format!("p{n}"))).collect();
    gate.arrived(1);
    let refused = submit(&app, &[], "more");
    assert_eq!((refused.status, refused.code().as_str()), (429, "queue_full"));
    assert_eq!(refused.json()["detail"], "Scraper queue full. Retry in a few seconds.");
    assert!(refused.headers["retry-after"].parse::<u64>().unwrap() >= 1);
    gate.open();
    for id in &taken {
        assert_eq!(app.ended(id)["status"], "done");
    }
    submit(&app, &[], "more").expect(202);
}

/// What was spent where no upstream tells of any cost.
fn nothing_spent() -> serde_json::Value {
    json!({
        "calls": 0, "calls_without_cost": 0, "input_tokens": 0, "output_tokens": 0,
        "reasoning_tokens": 0, "searches": 0, "cost_usd": 0.0,
    })
}

#[test]
fn usage_says_what_is_used_reserved_and_left() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, _clock) = Builder::new().manual();
    let app = builder.config(&keys("monthly_credits = 7")).scripted("chatgpt", &upstream).start();
    let id = submit(&app, &A, "x").expect(202)["job_id"].as_str().unwrap().to_owned();
    gate.arrived(1);
    let expected = |used: u64, reserved: u64| {
        let done = used / 3;
        let chatgpt = serde_json::json!({
            "jobs": 1, "done": done, "failed": 0, "cached": 0, "credits": used,
        });
        serde_json::json!({
            "account": "a", "monthly_credits": 7, "used": used, "reserved": reserved, "left": 4,
            "resets_at": "2026-06-01T00:00:00+00:00", "usd_per_day": null, "usd_spent_today": 0.0,
            "spent": nothing_spent(), "upstreams": {}, "labels": {},
            "scrapers": { "chatgpt": chatgpt },
            "days": [{
                "date": "2026-05-11", "scrapers": { "chatgpt": chatgpt },
                "spent": nothing_spent(), "upstreams": {}, "labels": {},
            }],
        })
    };
    assert_eq!(app.get_with("/usage", &A).expect(200), expected(0, 3));
    gate.open();
    app.ended(&id);
    assert_eq!(app.get_with("/usage", &A).expect(200), expected(3, 0));
    let other = app.get_with("/usage", &B).expect(200);
    assert_eq!((&other["used"], other["left"].is_null()), (&0.into(), true));
    assert_eq!((&other["scrapers"], &other["days"]), (&json!({}), &json!([])));
    assert_eq!(app.get("/usage").code(), "key_missing");
}

#[test]
fn an_operator_sees_the_credits_of_every_key_and_nobody_else_does() {
    let (gate, upstream) = (Gate::default(), Scripted::new("script", []));
    let held = Scripted::new("held", [Step::Hold(gate.clone())]);
    let lines = format!("{}operator = true\nmonthly_credits = 20\n", keys("monthly_credits = 7"));
    let builder = Builder::new().config(&lines).scripted("chatgpt", &upstream);
    let app = builder.scripted("grok", &held).start();
    let id = submit(&app, &A, "x").expect(202)["job_id"].as_str().unwrap().to_owned();
    app.ended(&id);
    app.post_with("/scrapers/grok/jobs?prompt=x", &A, "").expect(202);
    gate.arrived(1);
    let account = |name: &str, allowance: u64, used: u64, reserved: u64| {
        json!({
            "account": name, "monthly_credits": allowance, "used": used, "reserved": reserved,
            "left": allowance - used - reserved, "usd_per_day": null, "usd_spent_today": 0.0,
        })
    };
    let usage = app.get_with("/usage", &B).expect(200);
    assert_eq!(usage["accounts"], json!([account("a", 7, 3, 3), account("b", 20, 0, 0)]));
    assert_eq!((&usage["account"], &usage["days"]), (&json!("b"), &json!([])));
    let metrics = app.get_with("/metrics", &B).text;
    for line in [
        "answerd_credits_allowance{account=\"a\"} 7",
        "answerd_credits_used{account=\"a\"} 3",
        "answerd_credits_reserved{account=\"a\"} 3",
        "answerd_credits_used{account=\"b\"} 0",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("secret-a") && !metrics.contains("sha256"));
    // It is no master key: the jobs of another stay out of its reach.
    assert_eq!(app.get_with("/jobs", &B).expect(200)["jobs"], json!([]));
    // Another key is told of itself alone.
    let own = app.get_with("/usage", &A).expect(200);
    assert!(own.get("accounts").is_none() && !own.to_string().contains("\"b\""), "{own}");
    let metrics = app.get_with("/metrics", &A).text;
    assert!(metrics.contains("# TYPE answerd_credits_used gauge"));
    assert!(!metrics.contains("account="), "{metrics}");
    assert_eq!(app.get("/metrics").code(), "key_missing");
    gate.open();
}

#[test]
fn usage_is_told_by_day_and_by_scraper() {
    let no = || fail(Reason::Refused);
    let (chatgpt, grok) = (Scripted::new("one", [no()]), Scripted::new("two", []));
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&keys(""))
        .set("SCRAPERS__GROK__CREDITS", 5)
        .scripted("chatgpt", &chatgpt)
        .scripted("grok", &grok)
        .start();
    let ended = |path: &str| {
        let job = app.post_with(path, &A, "").expect(202);
        app.ended(job["job_id"].as_str().unwrap())
    };
    assert_eq!(ended("/scrapers/chatgpt/jobs?prompt=x")["status"], "failed");
    ended("/scrapers/chatgpt/jobs?prompt=x");
    assert_eq!(ended("/scrapers/chatgpt/jobs?prompt=x")["result"]["cached"], true);
    clock.advance_ms(12 * 3_600_000); // the next day, by a hair
    ended("/scrapers/grok/jobs?prompt=y");

    let app = app.restart();
    let usage = app.get_with("/usage?days=1", &A).expect(200);
    let grok = json!({ "jobs": 1, "done": 1, "failed": 0, "cached": 0, "credits": 5 });
    let day = |date: &str, scrapers: serde_json::Value| {
        json!({
            "date": date, "scrapers": scrapers, "spent": nothing_spent(), "upstreams": {},
            "labels": {},
        })
    };
    assert_eq!(usage["days"], json!([day("2026-05-12", json!({ "grok": grok }))]));
    let usage = app.get_with("/usage?days=2", &A).expect(200);
    let chatgpt = json!({ "jobs": 3, "done": 2, "failed": 1, "cached": 1, "credits": 3 });
    assert_eq!(usage["scrapers"], json!({ "chatgpt": chatgpt, "grok": grok }));
    assert_eq!(usage["days"][0], day("2026-05-11", json!({ "chatgpt": chatgpt })));
    // Unless asked otherwise, this month's.
    assert_eq!(app.get_with("/usage", &A).expect(200)["days"], usage["days"]);
    for wrong in ["0", "401", "-1", "x", ""] {
        let refused = app.get_with(&format!("/usage?days={wrong}"), &A);
        assert_eq!((refused.status, refused.code().as_str()), (400, "days_invalid"));
    }
    // What is older than a year and a bit is forgotten with the first job of a new day.
    clock.advance_ms(401 * 86_400_000);
    app.post_with("/scrapers/chatgpt/jobs?prompt=z", &A, "").expect(202);
    let days = &app.get_with("/usage?days=400", &A).expect(200)["days"];
    assert_eq!(days.as_array().unwrap().len(), 1, "{days:#}");
}
