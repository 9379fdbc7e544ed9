//! Trackers: what is measured in answers, that it is counted once, and the reports over it.

use std::io::Write;
use std::process::{Command, Stdio};

use answerd::answer::{Answer, Search, Source};
use serde_json::{Value, json};

use crate::app::{App, Builder, Reply, Scripted, Step, encoded};
use crate::child::{Served, answerd, store_directory};
use crate::limits::{A, B, keys};

const DAY_MS: u64 = 86_400_000;

fn brands() -> Value {
    json!({ "brands": [
        { "name": "Acme", "aliases": ["ACME Inc."], "domains": ["acme.com"], "own": true },
        { "name": "Globex", "domains": ["globex.com"] },
    ] })
}

fn put(app: &App, name: &str, body: &Value) -> Reply {
    app.put(&format!("/trackers/{name}"), &[], &body.to_string())
}

fn submit(app: &App, query: &str) -> Value {
    let reply = app.post(&format!("/scrapers/chatgpt/jobs?{query}"));
    let id = reply.expect(202)["job_id"].as_str().unwrap().to_owned();
    app.ended(&id)
}

fn report(app: &App, query: &str) -> Value {
    app.get(&format!("/reports?tracker=acme&{query}")).expect(200)
}

fn source(url: &str) -> Source {
    Source { url: url.to_owned(), title: "A page".to_owned(), ..Source::default() }
}

/// An answer with this text that consulted some pages, cites the first, and says of its search.
fn answer(markdown: &str, pages: &[&str], searched: Option<bool>) -> Step {
    let sources: Vec<Source> = pages.iter().map(|url| source(url)).collect();
    Step::Answer(Box::new(Answer {
        markdown: markdown.to_owned(),
        citations: Some(sources.iter().take(1).cloned().collect()),
        sources: Some(sources),
        search: Some(Search { asked: true, made: searched, calls: None, failed: 0 }),
        ..Answer::default()
    }))
}

#[test]
fn a_changed_tracker_is_a_new_version() {
    let app = Builder::new().config(&keys("")).start();
    let of = |key, method: &str, path: &str| app.method_with(method, path, key);
    let write = |body: &Value| app.put("/trackers/acme", &A, &body.to_string());
    let first = write(&brands()).expect(200);
    assert_eq!((&first["version"], &first["warnings"]), (&json!(1), &json!([])));
    assert_eq!(write(&brands()).expect(200), first);
    let mut changed = brands();
    changed["brands"][1]["aliases"] = json!(["Zoom"]);
    let second = write(&changed).expect(200);
    assert_eq!(second["version"], 2);
    assert!(second["warnings"][0].as_str().unwrap().contains("common word"), "{second}");
    assert_eq!(of(&A, "GET", "/trackers/acme").expect(200), second);
    assert_eq!(of(&A, "GET", "/trackers").expect(200), json!({ "trackers": [second] }));

    // Another key has none, and cannot change it.
    assert_eq!(of(&B, "GET", "/trackers").expect(200), json!({ "trackers": [] }));
    for (method, path) in [
        ("GET", "/trackers/acme"),
        ("DELETE", "/trackers/acme"),
        ("POST", "/trackers/acme/apply"),
        ("GET", "/trackers/acme/observations"),
        ("GET", "/reports?tracker=acme"),
    ] {
        assert_eq!(of(&B, method, path).code(), "tracker_not_found", "{method} {path}");
    }
    assert_eq!(of(&A, "DELETE", "/trackers/acme").expect(200), second);
    assert_eq!(of(&A, "GET", "/trackers/acme").code(), "tracker_not_found");
    assert_eq!(write(&brands()).expect(200)["version"], 1);
}

#[test]
fn what_breaks_a_rule_is_named() {
    let app = Builder::new().start();
    let sentence = |body: &str| {
        let reply = app.put("/trackers/acme", &[], body);
        assert_eq!((reply.status, reply.code().as_str()), (400, "tracker_invalid"), "{body}");
        reply.json()["detail"].as_str().unwrap().to_owned()
    };
    for (body, named) in [
        ("", "`brands`"),
        ("[]", "`brands`"),
        (r#"{"brands":[]}"#, "1 to 50 brands; given: 0"),
        (r#"{"brands":[{"name":""}]}"#, "`brands[0].name`"),
        (r#"{"brands":[{"name":"Acme"},{"name":"acme"}]}"#, "`brands[1].name`"),
        (r#"{"brands":[{"name":"Acme","aliases":["you"]}]}"#, "`brands[0].aliases[0]`"),
        (r#"{"brands":[{"name":"Acme","domains":["acme"]}]}"#, "`brands[0].domains[0]`"),
        (r#"{"brands":[{"name":"Acme","color":"red"}]}"#, "color"),
    ] {
        let sentence = sentence(body);
        assert!(sentence.contains(named), "{body}: {sentence}");
    }
    assert_eq!(put(&app, "Acme", &brands()).code(), "tracker_invalid");
}

#[test]
fn a_tracked_answer_says_what_it_names_and_cites() {
    let text = "Buy from **Globex** or acme.com:\n\n1. [ACME Inc.](https://shop.acme.com/a) [1]";
    let upstream = Scripted::new("s", [answer(text, &["https://www.acme.com/x"], Some(true))]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    put(&app, "acme", &brands()).expect(200);
    let job = submit(&app, "prompt=best+anvil&track=acme");
    let result = &job["result"];
    assert_eq!(result["tracker"], json!({ "name": "acme", "version": 1, "branded": false }));
    let plain = result["result"].as_str().unwrap();
    let first_at = plain.chars().count() - plain.split("ACME").nth(1).unwrap().chars().count() - 4;
    let acme = json!({
        "brand": "Acme", "mentioned": true, "count": 1, "first_at": first_at, "rank": 2,
        "in_list_item": true, "cited": true, "cited_urls": ["https://www.acme.com/x"],
        "linked": true,
    });
    assert_eq!(result["mentions"][0], acme, "{result:#}");
    assert_eq!(result["mentions"][1]["rank"], 1);
    assert_eq!(result["mentions"][1]["cited"], false);

    // The cache serves the answer without the measure, and serves no tracked job.
    let again = submit(&app, "prompt=best+anvil");
    assert_eq!(again["result"]["cached"], true);
    assert!(again["result"]["mentions"].is_null() && again["result"]["tracker"].is_null());
    let tracked = submit(&app, "prompt=best+anvil&track=acme");
    assert_eq!(tracked["result"]["cached"], false);
    assert_eq!(report(&app, "")["rows"][0]["answers"], 2);

    // A job, and a batch as a whole, name only trackers that there are.
    let none = app.post("/scrapers/chatgpt/jobs?prompt=a&track=none");
    assert_eq!((none.status, none.code().as_str()), (404, "tracker_not_found"));
    let batch = json!({ "prompts": ["a"], "scraper": "chatgpt", "track": "none" }).to_string();
    assert_eq!(app.post_with("/batches", &[], &batch).code(), "tracker_not_found");
    let wrong = app.get("/scrapers/chatgpt?prompt=a&track=No");
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "track_invalid"));
}

/// Every observation, over pages.
fn observations(app: &App) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.get(&format!("/trackers/acme/observations?limit=4{cursor}")).expect(200);
        found.extend(page["observations"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// The rows that a script of its own makes of exported observations.
fn recomputed(observations: &[Value], by: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/trackers/recompute.py");
    let by: Vec<&str> = by.split(',').filter(|word| !word.is_empty()).collect();
    let asked = json!({
        "observations": observations, "by": by,
        "brands": [{ "name": "Acme", "own": true }, { "name": "Globex", "own": false }],
    });
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Two rows agree in every field of the second, numbers to nine digits.
#[track_caller]
fn assert_agree(row: &Value, expected: &Value) {
    for (name, expected) in expected.as_object().unwrap() {
        let same = match (row[name].as_f64(), expected.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() < 1e-9,
            _ => row[name] == *expected,
        };
        assert!(same, "{name}: {} and not {expected}", row[name]);
    }
}

/// Answers of all kinds over five days; returns the app and moves the clock.
fn five_days() -> (App, std::sync::Arc<answerd::clock::ManualClock>) {
    let texts = [
        "Acme and Globex",
        "Globex, then Acme, then Globex",
        "Neither of them",
        "Only Globex",
        "ACME Inc.",
    ];
    let pages = ["https://acme.com/a", "https://b.globex.com/", "https://news.example/"];
    let mut steps = Vec::new();
    for at in 0..40_usize {
        let pages: Vec<&str> = (0..at % 4).map(|more| pages[(at + more) % 3]).collect();
        let searched = [Some(true), Some(true), Some(false), None][at / 3 % 4];
        let mut step = answer(texts[at * 7 % 5], &pages, searched);
        if let (Step::Answer(answer), true) = (&mut step, at % 11 == 3) {
            answer.present = Some(false);
            answer.markdown = "No overview.".to_owned();
        }
        steps.push(step);
    }
    let upstream = Scripted::new("s", steps);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).set("SCRAPERS__CHATGPT__WORKERS", 1).start();
    put(&app, "acme", &brands()).expect(200);
    for at in 0..40 {
        let prompt = ["best anvil", "which anvil", "is Acme good"][at % 3];
        let country = ["US", "DE"][at % 2];
        let label = ["", "&label=anvils"][at / 5 % 2];
        submit(&app, &format!("prompt={}&country={country}{label}&track=acme", encoded(prompt)));
        if at % 8 == 7 {
            clock.advance_ms(DAY_MS);
        }
    }
    (app, clock)
}

const BY: [&str; 9] = [
    "",
    "brand",
    "country",
    "label",
    "day",
    "week",
    "scraper,brand",
    "country,label,brand",
    "day,country,label,brand,scraper",
];

#[test]
fn reports_equal_what_a_script_makes_of_the_observations() {
    let (app, _clock) = five_days();
    let observations = observations(&app);
    assert_eq!(observations.len(), 40);
    for by in BY {
        let rows = report(&app, &format!("by={by}"))["rows"].as_array().unwrap().clone();
        let expected = recomputed(&observations, by);
        let expected = expected.as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "by={by}");
        for expected in expected {
            let place = |row: &&Value| {
                ["day", "week", "scraper", "country", "label", "brand"]
                    .iter()
                    .all(|name| row[*name] == expected[*name])
            };
            let row = rows.iter().find(place).unwrap_or_else(|| panic!("by={by}: {expected}"));
            assert_agree(row, expected);
        }
    }
    // Branded prompts are left out, and shown where they are asked for.
    let answers = |query: &str| report(&app, query)["rows"][0]["answers"].as_u64().unwrap();
    assert_eq!((answers(""), answers("branded=only"), answers("branded=include")), (27, 13, 40));
    let csv = app.get("/reports?tracker=acme&by=day,brand&format=csv");
    assert_eq!(csv.text.lines().count(), 11, "{}", csv.text);
    assert!(csv.text.starts_with("day,week,scraper,country,label,brand,answers,"));
    let ndjson = app.get("/reports?tracker=acme&by=day&format=ndjson");
    let first: Value = serde_json::from_str(ndjson.text.lines().next().unwrap()).unwrap();
    assert_eq!(first, report(&app, "by=day")["rows"][0]);
}

#[test]
fn rates_do_not_change_when_results_expire() {
    let (app, clock) = five_days();
    let before: Vec<Value> = BY.iter().map(|by| report(&app, &format!("by={by}"))).collect();
    let until = before[0]["until"].as_str().unwrap().to_owned();
    let since = before[0]["since"].as_str().unwrap().to_owned();
    let (rows, kept) = (before, observations(&app));
    clock.advance_ms(3 * DAY_MS);
    crate::app::until(|| {
        let jobs = app.get("/jobs").expect(200);
        jobs["jobs"].as_array().unwrap().is_empty().then_some(())
    });
    for (by, before) in BY.iter().zip(&rows) {
        let query = format!("by={by}&since={since}&until={until}");
        assert_eq!(report(&app, &query)["rows"], before["rows"], "by={by}");
    }
    assert_eq!(observations(&app), kept);
    // Nor with a restart, and a tracker that has changed leaves them to its first version.
    let app = app.restart();
    let mut changed = brands();
    changed["brands"][0]["aliases"] = json!([]);
    put(&app, "acme", &changed).expect(200);
    assert_eq!(report(&app, &format!("since={since}&until={until}"))["rows"], json!([]));
    let first = report(&app, &format!("version=1&since={since}&until={until}"));
    assert_eq!(first["rows"], rows[0]["rows"]);
    assert_eq!(app.get("/reports?tracker=acme&version=3").code(), "tracker_version_unknown");
}

#[test]
fn pages_and_domains_are_listed_with_what_is_new_and_what_is_gone() {
    let old = ["https://a.example.com/old", "https://both.example.net/p?utm_source=chatgpt.com"];
    let new = ["https://both.example.net/p#part", "https://c.example.org/new"];
    let steps = [answer("Acme", &old, Some(true)), answer("Acme", &old, Some(true))];
    let later = [answer("Acme", &new, Some(true)), answer("Globex", &new[..1], Some(true))];
    let upstream = Scripted::new("s", steps.into_iter().chain(later));
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    put(&app, "acme", &brands()).expect(200);
    let ask = |prompt: &str| submit(&app, &format!("prompt={prompt}&track=acme"));
    ask("one");
    ask("two");
    clock.advance_ms(DAY_MS);
    ask("one");
    ask("two");
    let today = report(&app, "since=2026-05-12&pages=true&top=1");
    let row = &today["rows"][0];
    let both = "https://both.example.net/p";
    let first = |name: &str, value: &str| json!([{ name: value, "answers": 2, "cited": 2, "answers_before": 2 }]);
    assert_eq!(row["top_pages"], first("url", both), "{row:#}");
    assert_eq!(row["top_domains"], first("domain", "example.net"), "{row:#}");
    let changes = &row["since_before"];
    assert_eq!(changes["measured"], 2);
    assert_eq!(changes["new_pages"], json!(["https://c.example.org/new"]));
    assert_eq!(changes["lost_pages"], json!(["https://a.example.com/old"]));
    // The first page of an answer is the one that it cites.
    assert_eq!(changes["new_cited_pages"], json!([both]));
    assert_eq!(changes["lost_cited_pages"], json!(["https://a.example.com/old"]));
    assert_eq!(
        (&changes["new_domains"], &changes["lost_domains"]),
        (&json!(["example.org"]), &json!(["example.com"]),)
    );
    let (_directory, store) = store_directory();
    let line = ["report", "acme", "--since", "2026-05-12", "--pages", "--top", "1", "--url"];
    let shown = answerd(&[&line[..], &[&app.base]].concat(), &store);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let lists: Vec<&str> = shown.lines().skip(2).map(str::trim).collect();
    assert_eq!(
        lists,
        [
            "2  example.net (before: 2)",
            "2  https://both.example.net/p (before: 2)",
            "new: example.org",
            "lost: example.com",
            "new pages: https://c.example.org/new",
            "lost pages: https://a.example.com/old",
        ]
    );
    // Pages are there only where they are asked for, and go with the tracker.
    let without = report(&app, "since=2026-05-12");
    assert!(without["rows"][0]["top_pages"].is_null(), "{without}");
    assert!(without["rows"][0]["since_before"]["new_pages"].is_null(), "{without}");
    let csv = app.get("/reports?tracker=acme&pages=true&format=csv&since=2026-05-12").text;
    assert!(csv.lines().next().unwrap().ends_with("lost_cited_pages"), "{csv}");
    assert!(csv.contains(&format!("{both} https://c.example.org/new,")), "{csv}");
    let days = report(&app, "by=day&pages=true");
    assert_eq!(days["rows"][1]["since_before"]["new_pages"], changes["new_pages"]);
    let many = app.get("/reports?tracker=acme&top=101");
    assert_eq!((many.status, many.code().as_str()), (400, "top_invalid"));
    app.method("DELETE", "/trackers/acme").expect(200);
    let path = app.store_path();
    let _directory = app.stop();
    crate::app::assert_sound(&path);
}

#[test]
fn a_tracker_measures_results_that_are_still_there_once() {
    let upstream = Scripted::new("s", [answer("Acme", &[], None), answer("Globex", &[], None)]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    submit(&app, "prompt=one");
    submit(&app, "prompt=two");
    submit(&app, "prompt=one");
    put(&app, "acme", &brands()).expect(200);
    let apply = || app.post("/trackers/acme/apply").expect(200);
    let applied = |measured: u64, already: u64, version: u64| {
        json!({
            "tracker": "acme", "version": version, "measured": measured, "already": already,
            "cached": 1,
        })
    };
    assert_eq!(apply(), applied(2, 0, 1));
    assert_eq!(apply(), applied(0, 2, 1));
    let row = report(&app, "")["rows"][0].clone();
    assert_eq!((&row["answers"], &row["mentioned"]), (&json!(2), &json!(1)));
    let mut changed = brands();
    changed["brands"][0]["aliases"] = json!(["two"]);
    put(&app, "acme", &changed).expect(200);
    assert_eq!(apply(), applied(2, 0, 2));
    assert_eq!(report(&app, "version=1")["rows"][0], row);
    assert_eq!(report(&app, "branded=only")["rows"][0]["answers"], 1);
}

#[test]
fn what_was_measured_goes_after_its_days_and_with_its_tracker() {
    let (builder, clock) = Builder::new().manual();
    let upstream = Scripted::new("s", []);
    let app = builder.scripted("chatgpt", &upstream).set("STORE__REPORT_DAYS", 10).start();
    put(&app, "acme", &brands()).expect(200);
    submit(&app, "prompt=one&track=acme");
    clock.advance_ms(9 * DAY_MS);
    submit(&app, "prompt=two&track=acme");
    assert_eq!(observations(&app).len(), 2);
    clock.advance_ms(2 * DAY_MS);
    // The second has expired, and its sweep takes the first observation along.
    // It may be held for ten minutes, where it takes the way of the clock for a step.
    crate::app::until(|| {
        clock.advance_ms(1_000);
        (observations(&app).len() == 1).then_some(())
    });
    assert_eq!(report(&app, "since=2026-01-01")["rows"][0]["answers"], 1);
    app.method("DELETE", "/trackers/acme").expect(200);
    put(&app, "acme", &brands()).expect(200);
    assert!(observations(&app).is_empty());
    assert_eq!(report(&app, "")["rows"], json!([]));
}

#[test]
fn each_answer_is_counted_once_through_kill_9() {
    let (_directory, store) = store_directory();
    let settings = [
        ("PRACTICE__LATENCY_MS", "5"),
        ("PRACTICE__FAILURE_PERCENT", "20"),
        ("SCRAPERS__PRACTICE__WORKERS", "8"),
        ("RETRY__BACKOFF_MS", "10"),
    ];
    let mut ids = Vec::new();
    for round in 0..4 {
        let served = Served::start(&store, &settings);
        if round == 0 {
            let (status, _) = served.put("/trackers/acme", &brands()).unwrap();
            assert_eq!(status, 200);
        }
        for at in 0..40 {
            let path = format!("/scrapers/practice/jobs?prompt=jobs+{round}+{at}&track=acme");
            let (status, job) = served.post(&path).unwrap();
            assert_eq!(status, 202, "{job}");
            ids.push(job["job_id"].as_str().unwrap().to_owned());
        }
        // In the middle of what is left of them.
        served.kill();
    }
    let mut served = Served::start(&store, &settings);
    let mut done = 0;
    for id in &ids {
        let (_, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
        assert_ne!(job["status"], "pending");
        done += u64::from(job["status"] == "done");
    }
    let (_, page) = served.get("/trackers/acme/observations?limit=1000").unwrap();
    let mut observed: Vec<&str> = page["observations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|observation| observation["job_id"].as_str().unwrap())
        .collect();
    observed.sort_unstable();
    observed.dedup();
    let (_, report) = served.get("/reports?tracker=acme&branded=include").unwrap();
    assert_eq!(observed.len() as u64, done);
    assert_eq!(report["rows"][0]["answers"], done, "{report}");
    assert_eq!(served.terminate(), Some(0));
    let checked = answerd(&["db", "check", "--json"], &store);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&checked["ok"], &checked["observations"]), (&json!(true), &json!(done)));
}

#[test]
fn a_tracker_is_set_up_and_read_from_the_command_line() {
    let app = Builder::new().start();
    let (_directory, store) = store_directory();
    let run = |arguments: &[&str]| {
        let mut line = vec!["--json"];
        line.extend(arguments);
        line.extend(["--url", &app.base]);
        let output = answerd(&line, &store);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let rival = "Globex=globex.com,globex.io";
    let made = run(&["tracker", "put", "acme", "--own", "jobs=acme.com", "--rival", rival]);
    assert_eq!(made["brands"][1]["domains"], json!(["globex.com", "globex.io"]));
    run(&["submit", "practice", "How long are they kept?", "--track", "acme", "--wait"]);
    let report = run(&["report", "acme", "--by", "scraper,brand"]);
    assert_eq!(report["rows"].as_array().unwrap().len(), 2);
    assert_eq!(report["rows"][0]["mention_rate"], 1.0, "{report}");
    assert_eq!(run(&["tracker", "apply", "acme"])["already"], 1);
    assert_eq!(run(&["tracker", "list"])["trackers"][0], run(&["tracker", "show", "acme"]));
    assert_eq!(run(&["tracker", "rm", "acme"])["name"], "acme");
    let shown = answerd(&["report", "acme", "--url", &app.base], &store);
    assert_eq!(shown.status.code(), Some(1));
}
