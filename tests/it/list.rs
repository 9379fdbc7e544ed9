//! The list of jobs: whose, which, in what order, in pages and as an export. Contract part 2.

use answerd::answer::{Answer, Search};
use answerd::job::Reason;
use serde_json::Value;

use crate::app::{App, Builder, Gate, START_MS, Scripted, Step, answer, encoded, fail};
use crate::limits::{A, B, keys};

fn submit(app: &App, headers: &[(&str, &str)], query: &str) -> String {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), headers, "");
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

fn list(app: &App, query: &str) -> Value {
    app.get_with(&format!("/jobs?{query}"), &A).expect(200)
}

fn prompts(page: &Value) -> Vec<&str> {
    let jobs = page["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["prompt"].as_str().unwrap()).collect()
}

#[test]
fn a_key_lists_its_own_jobs_newest_first_without_results() {
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("s", [])).start();
    let one = submit(&app, &A, "prompt=one");
    submit(&app, &B, "prompt=theirs");
    let two = submit(&app, &A, "prompt=two&label=l");
    app.ended(&one);
    let mut expected = app.ended(&two);
    let result = expected.as_object_mut().unwrap().shift_remove("result").unwrap();
    let mut page = list(&app, "");
    assert_eq!(prompts(&page), ["two", "one"]);
    let seconds = page["jobs"][0].as_object_mut().unwrap().shift_remove("seconds");
    assert!(seconds.is_some_and(|seconds| seconds.is_number()));
    let search = page["jobs"][0].as_object_mut().unwrap().shift_remove("search").unwrap();
    assert!(search["asked"].is_boolean());
    assert_eq!(search, result["search"]);
    assert_eq!(page["jobs"][0], expected);
    assert!(page["next_cursor"].is_null());
    assert_eq!(app.get("/jobs").code(), "key_missing");
}

#[test]
fn without_keys_everybody_lists_the_jobs_of_all() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("s", [])).start();
    assert_eq!(app.get("/jobs").expect(200)["jobs"], Value::Array(Vec::new()));
    app.ended(&app.submit("chatgpt", "x"));
    assert_eq!(prompts(&app.get("/jobs").expect(200)), ["x"]);
}

#[test]
fn pages_follow_one_another_while_jobs_come_in() {
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("s", [])).start();
    for n in 0..7 {
        submit(&app, &A, &format!("prompt=p{n}"));
    }
    let first = list(&app, "limit=3");
    assert_eq!(prompts(&first), ["p6", "p5", "p4"]);
    submit(&app, &A, "prompt=new");
    let next = |page: &Value| {
        let cursor = page["next_cursor"].as_str().unwrap();
        list(&app, &format!("limit=3&cursor={cursor}"))
    };
    let second = next(&first);
    assert_eq!(prompts(&second), ["p3", "p2", "p1"]);
    let third = next(&second);
    assert_eq!((prompts(&third), &third["next_cursor"]), (vec!["p0"], &Value::Null));
    // A cursor looks like an id, and is none.
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(app.get(&format!("/jobs/{cursor}")).status, 404);
}

#[test]
fn filters_narrow_the_list() {
    let gate = Gate::default();
    let upstream = Scripted::new("s", [fail(Reason::Refused), Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .scripted("grok", &Scripted::new("s2", []))
        .start();
    app.ended(&submit(&app, &A, "prompt=failed&label=red"));
    clock.advance_ms(10_000);
    submit(&app, &A, "prompt=pending&label=red");
    let done = app.post_with("/scrapers/grok/jobs?prompt=done", &A, "").expect(202);
    app.ended(done["job_id"].as_str().unwrap());
    let seconds = START_MS / 1_000 + 1;
    for (query, expected) in [
        ("canceled=true", vec![]),
        ("status=failed&canceled=false", vec!["failed"]),
        ("status=failed", vec!["failed"]),
        ("status=pending", vec!["pending"]),
        ("status=done", vec!["done"]),
        ("scraper=grok", vec!["done"]),
        ("scraper=other", vec![]),
        ("label=red", vec!["pending", "failed"]),
        ("label=re", vec![]),
        ("label=red&status=failed", vec!["failed"]),
        ("since=2026-05-11T12:00:01Z", vec!["done", "pending"]),
        ("since=2026-05-11T14:00:00+02:00", vec!["done", "pending", "failed"]),
        (&format!("since={seconds}"), vec!["done", "pending"]),
        ("since=2026-05-11", vec!["done", "pending", "failed"]),
        ("since=2026-05-12", vec![]),
        ("until=2026-05-11", vec!["done", "pending", "failed"]),
        ("until=2026-05-10", vec![]),
        ("until=2026-05-11T12:00:00Z", vec!["failed"]),
        ("since=2026-05-11T12:00:10Z&until=2026-05-11T12:00:10Z", vec!["done", "pending"]),
    ] {
        assert_eq!(prompts(&list(&app, query)), expected, "{query}");
    }
    gate.open();
    // What has expired is not there, swept or not.
    clock.advance_ms(86_400_000 - 10_000);
    assert_eq!(prompts(&list(&app, "")), ["done", "pending"]);
}

#[test]
fn jobs_with_the_prompt_of_a_job_or_of_a_tracker_are_found() {
    let app = Builder::new()
        .config(&keys(""))
        .set("CACHE__TTL_SECONDS", 0)
        .scripted("chatgpt", &Scripted::new("s", []))
        .start();
    app.put("/trackers/acme", &A, r#"{"brands": [{"name": "Acme"}]}"#).expect(200);
    let first = submit(&app, &A, "prompt=one&country=DE");
    submit(&app, &A, "prompt=one+more");
    submit(&app, &B, "prompt=one");
    let last = submit(&app, &A, "prompt=one&track=acme");
    let ids = |page: &Value| -> Vec<String> {
        let jobs = page["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&list(&app, &format!("prompt_of={first}"))), [last.clone(), first]);
    assert_eq!(ids(&list(&app, "tracker=acme")), [last]);
    let of = |id: &str| app.get_with(&format!("/jobs?prompt_of={id}"), &A);
    assert_eq!((of("one").status, of("one").code().as_str()), (400, "prompt_of_invalid"));
    let none = of("00000000-0000-4000-8000-000000000000");
    assert_eq!((none.status, none.code().as_str()), (404, "job_not_found"));
}

#[test]
fn wrong_filters_are_refused() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("s", [])).start();
    let id = app.submit("chatgpt", "x");
    for (query, code) in [
        ("status=queued", "status_invalid"),
        ("limit=0", "limit_invalid"),
        ("limit=201", "limit_invalid"),
        ("limit=x", "limit_invalid"),
        ("since=yesterday", "since_invalid"),
        ("since=-1", "since_invalid"),
        ("until=2026-05-32", "until_invalid"),
        ("since=1960-01-01T00:00:00Z", "since_invalid"),
        ("cursor=1", "cursor_invalid"),
        (&format!("cursor={id}"), "cursor_invalid"),
    ] {
        let refused = app.get(&format!("/jobs?{query}"));
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{query}");
    }
}

#[test]
fn exports_have_a_line_for_every_job() {
    // More than fit in one page.
    const JOBS: usize = 230;
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("s", [])).start();
    let tricky = submit(&app, &A, &format!("prompt={}&label=a,b", encoded("say \"hi\",\nplease")));
    for n in 1..JOBS {
        submit(&app, &A, &format!("prompt=p{n}"));
    }
    submit(&app, &B, "prompt=theirs");
    let accept = |media_type| {
        let reply = app.get_with("/jobs?limit=1", &[A[0], ("accept", media_type)]);
        assert_eq!(reply.status, 200);
        reply
    };
    let lines = accept("application/x-ndjson");
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    let jobs: Vec<Value> =
        lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((jobs.len(), &jobs[0]["prompt"]), (JOBS, &"p229".into()));
    assert_eq!(jobs[JOBS - 1]["job_id"], tricky.as_str());

    let csv = accept("text/html, text/csv;q=0.9");
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let (header, rest) = csv.text.split_once("\r\n").unwrap();
    assert!(header.starts_with("job_id,status,scraper,prompt,country,label,error,"), "{header}");
    assert_eq!(rest.matches("\r\n").count(), JOBS);
    assert!(rest.contains(",chatgpt,\"say \"\"hi\"\",\nplease\",US,\"a,b\","), "{rest}");
    assert!(accept("*/*").json()["jobs"].is_array());
}

#[test]
fn lines_of_an_export_have_what_the_list_has() {
    let gate = Gate::default();
    let upstream = Scripted::new("s", [fail(Reason::Refused), Step::Hold(gate.clone())]);
    let search = Some(Search { asked: true, made: Some(true), calls: None, failed: 0 });
    let searched = Answer { search, ..answer("done") };
    let app = Builder::new()
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .scripted("grok", &Scripted::new("s2", [Step::Answer(Box::new(searched))]))
        .start();
    app.ended(&submit(&app, &A, "prompt=failed"));
    let done = app.post_with("/scrapers/grok/jobs?prompt=done", &A, "").expect(202);
    app.ended(done["job_id"].as_str().unwrap());
    submit(&app, &A, "prompt=pending");
    gate.arrived(1);
    let listed = list(&app, "")["jobs"].take();
    let get = |media_type| app.get_with("/jobs", &[A[0], ("accept", media_type)]).text;
    let lines = get("application/x-ndjson");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(lines), listed);
    let csv = get("text/csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| {
        let at = columns.iter().position(|column| column == name).unwrap();
        rows[row][at].to_owned()
    };
    for (row, job) in listed.as_array().unwrap().iter().enumerate() {
        for name in ["job_id", "status", "phase", "created_at", "expires_at", "prompt"] {
            assert_eq!(cell(row, name), job[name].as_str().unwrap(), "{name}");
        }
        for name in ["error", "error_code", "completed_at", "account"] {
            assert_eq!(cell(row, name), job[name].as_str().unwrap_or_default(), "{name}");
        }
        let seconds = job["seconds"].as_f64();
        assert_eq!(cell(row, "seconds").parse().ok(), seconds);
    }
    let searched = [0, 1, 2].map(|row| cell(row, "searched"));
    assert_eq!(searched, ["", "true", ""]);
    gate.open();
}

#[test]
fn csv_cells_that_a_spreadsheet_would_run_get_an_apostrophe() {
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("s", [])).start();
    let cells = [
        ("=HYPERLINK(\"http://a.example\")", true),
        ("+49 30 1", true),
        ("-inf", true),
        ("@cmd", true),
        ("\tx", true),
        ("\rx", true),
        ("-5.5", true),
        ("+3e2", true),
        ("5.5", false),
        ("a=b", false),
        ("'=1", false),
    ];
    for (cell, _) in cells {
        submit(&app, &A, &format!("prompt={}", encoded(cell)));
    }
    submit(&app, &A, "prompt=last&label=%3D1%2B1");
    let rows = |query: &str| {
        let reply = app.get_with(&format!("/jobs{query}"), &[A[0], ("accept", "text/csv")]);
        let mut reader = csv::Reader::from_reader(reply.text.as_bytes());
        let rows = reader.records().map(|row| row.unwrap());
        let mut rows: Vec<(String, String)> =
            rows.map(|row| (row[3].to_owned(), row[5].to_owned())).collect();
        rows.reverse();
        rows
    };
    let (escaped, kept) = (rows(""), rows("?formulas=keep"));
    for (((cell, runs), (escaped, _)), (kept, _)) in cells.iter().zip(&escaped).zip(&kept) {
        assert_eq!(kept, cell);
        let expected = if *runs { format!("'{cell}") } else { (*cell).to_owned() };
        assert_eq!(*escaped, expected);
    }
    assert_eq!((escaped[cells.len()].1.as_str(), kept[cells.len()].1.as_str()), ("'=1+1", "=1+1"));
    let refused = app.get_with("/jobs?formulas=run", &A);
    assert_eq!((refused.status, refused.code().as_str()), (400, "formulas_invalid"));
}
