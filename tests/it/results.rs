//! `GET /results`: every row once and in the order of completion, whatever its bytes, whoever reads it
//! and however often the reading is broken off.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};

use answerd::answer::{Answer, Source};
use serde_json::{Value, json};

use crate::app::{App, Builder, Scripted, Step, answer, until};
use crate::child::{Served, answerd, store_directory};
use crate::limits::{A, B, keys};

/// Prompts that a format has to carry as they are.
const PROMPTS: [&str; 14] = [
    "He said \"no\", twice; \"\"",
    "a\rb",
    "a\r\nb",
    "a\nb\n",
    "tab\tand, comma",
    "👩‍👩‍👧 emoji 🏳️‍🌈",
    "\u{202e}RTL\u{202c} שלום \u{200f}",
    "=1+1",
    "+49 30 1",
    "-x",
    "@SUM(A1)",
    "'quoted",
    "\u{feff}mark",
    " spaces  ",
];

fn post(app: &App, headers: &[(&str, &str)], prompt: &str) -> String {
    let body = json!({ "prompt": prompt }).to_string();
    let job = app.post_with("/scrapers/practice/jobs", headers, &body).expect(202);
    job["job_id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn rows(app: &App, query: &str) -> Vec<Value> {
    let reply = app.get(&format!("/results?{query}"));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of a CSV, each by its column.
fn csv_rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|record| record.unwrap()).collect()
}

#[test]
fn values_are_the_same_bytes_after_a_csv_reader() {
    let nul = Answer { markdown: "a\u{0}b\r\n\"c\"".to_owned(), ..answer("x") };
    let script = Scripted::new("script", [Step::Answer(Box::new(nul))]);
    let app = Builder::new().scripted("practice", &script).start();
    app.ended(&post(&app, &[], "first"));
    for prompt in PROMPTS {
        app.ended(&post(&app, &[], prompt));
    }
    let json = rows(&app, "");
    let prompts: Vec<&str> = json.iter().map(|row| row["prompt"].as_str().unwrap()).collect();
    assert_eq!(prompts[1..], PROMPTS);
    let keep = app.get("/results?format=csv&formulas=keep");
    assert_eq!(keep.headers["content-type"], "text/csv; charset=utf-8");
    let read = csv_rows(&keep.text);
    assert_eq!(read.len(), json.len());
    for (cells, row) in read.iter().zip(&json) {
        for (name, value) in row.as_object().unwrap() {
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cells[name], text, "{name} of {row}");
        }
        assert_eq!(cells.len(), row.as_object().unwrap().len());
    }
    assert!(json[0]["result_markdown"].as_str().unwrap().contains('"'));
    // By default nothing is left that a spreadsheet would run.
    let escaped = csv_rows(&app.get("/results?format=csv").text);
    for (cells, prompt) in escaped[1..].iter().zip(PROMPTS) {
        let runs = prompt.starts_with(['=', '+', '-', '@']);
        let expected = if runs { format!("'{prompt}") } else { prompt.to_owned() };
        assert_eq!(cells["prompt"], expected);
    }
    let marked = app.get("/results?format=csv&bom=true").text;
    assert!(marked.starts_with("\u{feff}job_id,completed_at,"), "{marked}");
    assert!(json.iter().all(|row| row["completed_at"].as_str().unwrap().ends_with('Z')));
}

#[test]
fn rows_go_on_after_any_of_them() {
    let script = Scripted::new("script", []);
    let app = Builder::new().scripted("practice", &script).start();
    for number in 0..5 {
        app.ended(&post(&app, &[], &format!("question {number}")));
    }
    let all = rows(&app, "rows=sources");
    assert_eq!(all.len(), 10, "two sources each");
    assert_eq!(all[1]["url"], "https://example.com/2");
    assert_eq!((&all[0]["domain"], &all[0]["cited"]), (&json!("example.com"), &json!(true)));
    assert_eq!(all[1]["number"], 2);
    for (at, row) in all.iter().enumerate() {
        let after = rows(&app, &format!("rows=sources&after={}", row["cursor"].as_str().unwrap()));
        assert_eq!(after, all[at + 1..]);
    }
    let two = rows(&app, "rows=sources&limit=3");
    assert_eq!(two, all[..3]);
    let queries = rows(&app, "rows=search_queries");
    assert_eq!((queries.len(), &queries[0]["query"]), (5, &json!("what is it")));
    assert_eq!(rows(&app, "rows=citations").len(), 5);
    assert!(rows(&app, "rows=products").is_empty());
    // A row of a job that ends later stands behind all.
    let last = all[9]["cursor"].as_str().unwrap();
    app.ended(&post(&app, &[], "later"));
    assert_eq!(rows(&app, &format!("rows=sources&after={last}")).len(), 2);
}

#[test]
fn mentions_are_rows_of_the_jobs_with_a_tracker() {
    let app = Builder::new().scripted("practice", &Scripted::new("script", [])).start();
    let brands = r#"{"brands": [{"name": "Acme", "own": true}, {"name": "Globex"}]}"#;
    app.put("/trackers/acme", &[], brands).expect(200);
    app.ended(&post(&app, &[], "without"));
    let tracked = app.post("/scrapers/practice/jobs?prompt=with&track=acme").expect(202);
    let id = tracked["job_id"].as_str().unwrap();
    let result = app.ended(id)["result"].clone();
    let found = rows(&app, "rows=mentions");
    assert_eq!(found.len(), 2);
    for (at, row) in found.iter().enumerate() {
        assert_eq!(
            (&row["job_id"], &row["tracker"], &row["version"]),
            (&json!(id), &json!("acme"), &json!(1))
        );
        assert_eq!(row["number"], at + 1);
        let mention = result["mentions"][at].as_object().unwrap();
        assert_eq!(mention.len(), 9);
        for (name, value) in mention {
            assert_eq!(&row[name.as_str()], value, "{name}");
        }
    }
    assert_eq!(rows(&app, "rows=answers").len(), 2);
    let of_tracker = rows(&app, "rows=answers&tracker=acme");
    assert_eq!((of_tracker.len(), &of_tracker[0]["job_id"]), (1, &json!(id)));
    assert!(rows(&app, "tracker=other").is_empty());
}

#[test]
fn filters_times_and_samples() {
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("practice", &Scripted::new("script", [])).start();
    let batch = json!({
        "scraper": "practice", "prompts": ["a", "b"], "countries": ["US", "DE"], "samples": 2,
        "label": "sampled",
    });
    let batch = app.post_with("/batches", &[], &batch.to_string()).expect(202);
    let id = batch["batch_id"].as_str().unwrap();
    app.get(&format!("/batches/{id}?wait=30")).expect(200);
    clock.advance_ms(86_400_000 / 2);
    app.ended(&post(&app, &[], "alone"));
    let of_batch = rows(&app, &format!("batch={id}"));
    assert_eq!(of_batch.len(), 8);
    let samples: BTreeSet<(String, String, u64)> = of_batch
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("prompt"), text("country"), row["sample"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(samples.len(), 8, "{samples:?}");
    assert_eq!(rows(&app, "label=sampled&country=de").len(), 4);
    assert_eq!(rows(&app, "scraper=chatgpt").len(), 0);
    // The second half of the 11th is the day's, and midnight is the next.
    assert_eq!(rows(&app, "until=2026-05-11").len(), 8);
    assert_eq!(rows(&app, "since=2026-05-12").len(), 1);
    assert_eq!(rows(&app, "since=2026-05-11&until=2026-05-12").len(), 9);
    for (query, code) in [
        ("rows=jobs", "rows_invalid"),
        ("format=xlsx", "format_invalid"),
        ("after=1", "after_invalid"),
        ("after=00000000000040008000000000000000", "after_invalid"),
        ("limit=0", "limit_invalid"),
        ("until=today", "until_invalid"),
        ("bom=maybe", "parameter_invalid"),
    ] {
        assert_eq!(app.get(&format!("/results?{query}")).code(), code, "{query}");
    }
    // What has expired is not exported, and is no obstacle for a cursor.
    let first = of_batch[0]["cursor"].as_str().unwrap().to_owned();
    clock.advance_ms(86_400_000 / 2 + 1_000);
    assert_eq!(rows(&app, "").len(), 1);
    assert_eq!(rows(&app, &format!("after={first}")).len(), 1);
}

#[test]
fn keys_see_their_own_results() {
    let app = Builder::new().config(&keys("")).start();
    let (a, b) = (post(&app, &A, "of a"), post(&app, &B, "of b"));
    app.ended(&a);
    app.ended(&b);
    for (key, prompt) in [(A, "of a"), (B, "of b")] {
        let text = app.get_with("/results", &key).text;
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains(prompt), "{text}");
    }
    assert_eq!(app.get("/results").code(), "key_missing");
}

#[test]
fn every_row_comes_once_while_jobs_end() {
    const JOBS: usize = 300;
    let app = Builder::new()
        .scripted("practice", &Scripted::new("script", []))
        .set("SCRAPERS__PRACTICE__WORKERS", 16)
        .set("CACHE__TTL_SECONDS", 0)
        .start();
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        for client in 0..3 {
            let app = &app;
            scope.spawn(move || {
                for number in 0..JOBS / 3 {
                    post(app, &[], &format!("question {client} {number}"));
                }
            });
        }
        let mut after = String::new();
        until(|| {
            let more = rows(&app, &after);
            if let Some(last) = more.last() {
                after = format!("after={}", last["cursor"].as_str().unwrap());
            }
            seen.extend(more.into_iter().map(|row| row["job_id"].as_str().unwrap().to_owned()));
            (seen.len() >= JOBS).then_some(())
        });
    });
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (JOBS, JOBS));
}

/// The memory of this process, MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn a_hundred_thousand_rows_take_no_more_memory_than_a_few() {
    const JOBS: usize = 50;
    const SOURCES: usize = 2_000;
    const GROWTH_MIB_MAX: u64 = 64;
    let source = |number: usize| Source {
        url: format!("https://example.com/{number}"),
        title: format!("Page {number}"),
        ..Source::default()
    };
    let sources: Vec<Source> = (0..SOURCES).map(source).collect();
    let wide = || Answer { sources: Some(sources.clone()), citations: None, ..answer("x") };
    let steps = (0..JOBS).map(|_| Step::Answer(Box::new(wide())));
    let script = Scripted::new("script", steps);
    let app = Builder::new()
        .scripted("practice", &script)
        .set("CACHE__TTL_SECONDS", 0)
        .set("SCRAPERS__PRACTICE__WORKERS", 1)
        .start();
    for number in 0..JOBS {
        app.ended(&post(&app, &[], &format!("question {number}")));
    }
    let mut lines = app.lines("/results?rows=sources", &[]);
    let first: Vec<String> = lines.by_ref().take(5_000).collect();
    drop(first);
    let (before_mib, mut count) = (resident_mib(), 5_000);
    for line in lines {
        count += usize::from(line.ends_with('}'));
        if count % 10_000 == 0 {
            let now_mib = resident_mib();
            assert!(now_mib <= before_mib + GROWTH_MIB_MAX, "{before_mib} MiB, then {now_mib} MiB");
        }
    }
    assert_eq!(count, JOBS * SOURCES);
}

/// A process is killed in the middle of an export, and the export goes on with the next process.
#[test]
fn export_goes_on_after_a_kill() {
    const JOBS: usize = 120;
    let (_directory, store) = store_directory();
    let served = Served::start(&store, &[]);
    let prompts: Vec<String> = (0..JOBS).map(|number| format!("What is job {number}?")).collect();
    let batch = json!({ "scraper": "practice", "prompts": prompts, "bypass_cache": true });
    let (_, batch) = served.send("POST", "/batches", None, &batch.to_string()).unwrap();
    let path = format!("/batches/{}?wait=30", batch["batch_id"].as_str().unwrap());
    until(|| (served.get(&path).unwrap().1["status"] == "done").then_some(()));

    let reply = ureq::get(format!("{}/results?rows=sources", served.base)).call().unwrap();
    let mut lines = BufReader::new(reply.into_body().into_reader()).lines();
    let mut seen: Vec<Value> = Vec::new();
    for line in lines.by_ref().take(50) {
        seen.push(serde_json::from_str(&line.unwrap()).unwrap());
    }
    served.kill();
    // What was on its way, up to a line that is cut off.
    seen.extend(lines.map_while(|line| serde_json::from_str(&line.ok()?).ok()));
    let served = Served::start(&store, &[]);
    let read = |query: &str| -> Vec<Value> {
        let mut reply = ureq::get(format!("{}/results?{query}", served.base)).call().unwrap();
        let text = reply.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let cursor = seen.last().unwrap()["cursor"].as_str().unwrap().to_owned();
    seen.extend(read(&format!("rows=sources&after={cursor}")));
    assert_eq!(seen, read("rows=sources"));
    assert!(seen.len() > JOBS, "{}", seen.len());
}

#[test]
fn export_command_writes_a_file_and_goes_on_with_it() {
    let (directory, store) = store_directory();
    let mut served = Served::start(&store, &[]);
    let base = served.base.clone();
    let submit = |prompt: &str| {
        let line = ["submit", "practice", prompt, "--wait", "--url", base.as_str()];
        assert!(answerd(&line, &store).status.success());
    };
    submit("What is\na \"job\"?");
    submit("What is a batch?");
    for format in ["csv", "ndjson"] {
        let file = directory.path().join(format!("rows.{format}"));
        let path = file.to_str().unwrap();
        let export = || {
            let line = ["export", "--rows", "sources", "--out", path, "--url", base.as_str()];
            let output = answerd(&line, &store);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        export();
        let whole = std::fs::read(&file).unwrap();
        let expected = app_rows(&base, &format!("rows=sources&format={format}"));
        assert_eq!(String::from_utf8_lossy(&whole), expected);
        // Nothing new.
        export();
        assert_eq!(std::fs::read(&file).unwrap(), whole);
        // A row that was cut off is written again.
        for cut in [1, 40, whole.len() / 2] {
            std::fs::write(&file, &whole[..whole.len() - cut]).unwrap();
            export();
            assert_eq!(String::from_utf8_lossy(&std::fs::read(&file).unwrap()), expected, "{cut}");
        }
    }
    submit("What is a key?");
    let out = answerd(&["export", "--rows", "answers", "--url", base.as_str()], &store);
    assert_eq!(String::from_utf8(out.stdout).unwrap(), app_rows(&base, "rows=answers"));
    assert_eq!(served.terminate(), Some(0));
}

fn app_rows(base: &str, query: &str) -> String {
    let mut reply = ureq::get(format!("{base}/results?{query}")).call().unwrap();
    reply.body_mut().read_to_string().unwrap()
}
