//! What an operator sees of the processes that share a store.

use std::sync::Arc;

use answerd::answer::Answer;
use answerd::clock::Clock;
use answerd::job::{Cost, CostFrom, UpstreamUsage};
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, START_MS, Scripted, Step, answer, until};
use crate::child::{answerd, command};
use crate::limits::{A, B, keys};
use crate::metrics::scrape;
use crate::postgres::PostgresServer;

/// A process of some that share a schema of their own.
pub(crate) fn node(schema: &str, name: &str) -> Builder {
    let server = PostgresServer::shared();
    Builder::new()
        .set("STORE__URL", server.url())
        .set("STORE__SCHEMA", schema)
        .set("STORE__REQUIRE_STANDBY", "false")
        .set("NODE__NAME", name)
}

/// The nodes as one of them sees them, once there are so many.
pub(crate) fn nodes_of(app: &App, count: usize) -> Vec<Value> {
    until(|| {
        let nodes = app.get("/nodes").expect(200)["nodes"].as_array().unwrap().clone();
        (nodes.len() == count).then_some(nodes)
    })
}

#[test]
fn nodes_are_listed_by_any_of_them_and_their_differences_are_named() {
    let schema = PostgresServer::shared().new_schema();
    let a = node(&schema, "a").start();
    let b = node(&schema, "b").set("CACHE__TTL_SECONDS", 77).start();
    nodes_of(&a, 2);
    let differing = until(|| {
        let nodes = nodes_of(&b, 2);
        (nodes[0]["settings_differ"] == json!(["retention"])).then_some(nodes)
    });
    let is_self = |node: &Value| node["is_self"] == true;
    assert_eq!(differing.iter().map(is_self).collect::<Vec<_>>(), [false, true]);
    assert_eq!(differing.iter().filter(|node| node["leader"] == true).count(), 1);
    for node in &differing {
        assert!(node["workers"].as_u64().unwrap() > 0, "{node}");
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    }
    let store = a.store_path();
    std::fs::create_dir_all(&store).unwrap();
    let output = answerd(&["nodes", "--url", &b.base], &store);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(printed.lines().count() == 2 && printed.contains("differ: retention"), "{printed}");

    let samples = until(|| {
        let (samples, _) = scrape(&b);
        (samples.get("answerd_settings_differ") == Some(&1.0)
            && samples.contains_key("answerd_hours"))
        .then_some(samples)
    });
    let value = |name: &str| samples.get(name).copied();
    assert_eq!(value("answerd_nodes"), Some(2.0));
    assert_eq!(value("answerd_nodes_dead_total"), Some(0.0));
    assert_eq!(value("answerd_store_connected{role=\"beat\"}"), Some(1.0));
    assert!(value("answerd_hours").unwrap() >= 1.0);
    assert!(value("answerd_store_oldest_snapshot_seconds").is_some());
    assert!(samples.keys().any(|it| it.starts_with("answerd_node_info{") && it.contains("\"b\"")));
    b.stop();
    a.stop();
}

#[test]
fn store_in_a_file_has_one_node() {
    let (builder, _clock) = Builder::new().set("NODE__NAME", "only").manual();
    let app = builder.start();
    let nodes = app.get("/nodes").expect(200);
    let node = &nodes["nodes"][0];
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 1);
    assert_eq!((&node["name"], &node["leader"]), (&json!("only"), &json!(true)), "{node}");
    let started = answerd::clock::rfc3339_seconds(START_MS);
    assert_eq!(node["started_at"], started);
    assert!(!scrape(&app).0.keys().any(|sample| sample.starts_with("answerd_node")));
}

#[test]
fn nodes_are_seen_by_operators_only_where_there_are_keys() {
    let app = Builder::new().config(&keys("operator = true")).start();
    app.get_with("/nodes", &A).expect(200);
    assert_eq!(app.get_with("/nodes", &B).code(), "operator_needed");
    assert_eq!(app.get("/nodes").status, 401);
}

#[test]
fn limit_of_a_key_is_kept_over_all_nodes() {
    let schema = PostgresServer::shared().new_schema();
    let (clock, hand) = Clock::manual(START_MS);
    let start = |name: &str| {
        let config = keys("requests_per_minute = 10");
        let builder = node(&schema, name).config(&config).at(clock.clone());
        builder.scripted("chatgpt", &Scripted::new("script", [])).start()
    };
    let apps = ["a", "b"].map(start);
    let minute = |round: u32| {
        let submit = |n: usize| {
            let path = format!("/scrapers/chatgpt/jobs?prompt=p{round}-{n}");
            apps[n % 2].post_with(&path, &A, "").status
        };
        let statuses: Vec<u16> = (0..20).map(submit).collect();
        assert!(statuses.iter().all(|status| [202, 429].contains(status)), "{statuses:?}");
        statuses.iter().filter(|status| **status == 202).count()
    };
    for round in 0..2 {
        assert_eq!(minute(round), 10);
        hand.advance_ms(60_000);
    }
    let taken = minute(2);
    let reply = apps[0].post_with("/scrapers/chatgpt/jobs?prompt=late", &A, "");
    assert_eq!((taken, reply.status, reply.headers["retry-after"].as_str()), (10, 429, "6"));
    assert_eq!(reply.headers["ratelimit"], "\"default\";r=0;t=60");
    let [a, b] = apps;
    b.stop();
    a.stop();
}

#[test]
fn hour_and_day_are_those_of_all_nodes() {
    let schema = PostgresServer::shared().new_schema();
    let (clock, hand) = Clock::manual(START_MS);
    let start = |name: &str| {
        let upstream = Scripted::new("script", []);
        node(&schema, name).at(clock.clone()).scripted("chatgpt", &upstream).start()
    };
    let apps = ["a", "b"].map(start);
    for (n, app) in apps.iter().chain(&apps).enumerate() {
        let path = format!("/jobs/{}", app.submit("chatgpt", &format!("question {n}")));
        // Any of them may run it, and the clock decides when they look at each other.
        until(|| {
            hand.advance_ms(50);
            (app.get(&path).expect(200)["status"] == "done").then_some(())
        });
    }
    let seen = |app: &App| {
        let find = |document: Value| {
            let scrapers = document["scrapers"].as_array().unwrap();
            scrapers.iter().find(|it| it["name"] == "chatgpt").unwrap().clone()
        };
        let stats = find(app.get("/stats").expect(200));
        let health = find(app.get("/scrapers").expect(200))["health"].clone();
        let of = |name: &str| {
            let buckets = stats["buckets"].as_array().unwrap();
            buckets.iter().map(|bucket| bucket[name].as_u64().unwrap()).sum::<u64>()
        };
        [
            of("submitted"),
            of("done"),
            of("attempts_succeeded"),
            health["attempts"].as_u64().unwrap(),
        ]
    };
    until(|| {
        hand.advance_ms(1_000);
        apps.iter().all(|app| seen(app) == [4; 4]).then_some(())
    });
    let [a, b] = apps;
    b.stop();
    // What a process that has stopped has counted stays.
    assert_eq!(seen(&a), [4; 4]);
    a.stop();
}

#[test]
fn check_looks_at_the_database_and_says_what_a_start_would_say() {
    let server = PostgresServer::shared();
    let (directory, store) = crate::child::store_directory();
    let schema = server.new_schema();
    let check = |arguments: &[&str], url: &str, standby: &str| {
        let mut command = command(&store);
        command.args(["check", "--json"]).args(arguments);
        for (name, value) in
            [("URL", url), ("SCHEMA", schema.as_str()), ("REQUIRE_STANDBY", standby)]
        {
            command.env(format!("ANSWERD_STORE__{name}"), value);
        }
        let output = command.output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), document)
    };
    let (code, found) = check(&[], &server.url(), "false");
    assert_eq!((code, &found["ok"]), (Some(0), &json!(true)), "{found}");
    assert_eq!(found["database"]["schema_version"], Value::Null);
    assert!(found["warnings"][0].as_str().unwrap().contains("standby"), "{found}");

    let app = node(&schema, "front-1").start();
    let (_, found) = check(&[], &server.url(), "false");
    assert_eq!(found["database"]["schema_version"], 1);
    let names = [format!("front-1 ({})", env!("CARGO_PKG_VERSION"))];
    assert_eq!(found["database"]["nodes"], json!(names));
    app.stop();

    let (code, found) = check(&[], &server.url(), "true");
    assert_eq!((code, &found["ok"]), (Some(1), &json!(false)));
    let problem = found["database"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("synchronous_standby_names"), "{problem}");
    let nowhere = "postgres://answerd@/postgres?host=/nowhere";
    assert_eq!(check(&[], nowhere, "false").0, Some(1));
    let (code, offline) = check(&["--offline"], nowhere, "false");
    assert_eq!((code, &offline["database"]), (Some(0), &Value::Null));
    drop(directory);
}

#[test]
fn jobs_that_a_busy_node_cannot_begin_are_run_by_another() {
    const JOBS: usize = 12;
    let schema = PostgresServer::shared().new_schema();
    let gate = Gate::default();
    let held = Scripted::new("held", [Step::Hold(gate.clone())]);
    let one = |name| node(&schema, name).set("SCRAPERS__CHATGPT__WORKERS", 1);
    let a = one("a").scripted("chatgpt", &held).start();
    let first = a.submit("chatgpt", "holds the only worker");
    gate.arrived(1);
    let ids: Vec<String> = (0..JOBS).map(|n| a.submit("chatgpt", &format!("job {n}"))).collect();
    let b = one("b").scripted("chatgpt", &Scripted::new("free", [])).start();
    let done = |id: &String| a.get(&format!("/jobs/{id}")).expect(200)["status"] == "done";
    // One waits for the worker, as it may be free the next moment.
    until(|| (ids.iter().filter(|id| done(id)).count() + 1 >= JOBS).then_some(()));
    gate.open();
    for id in ids.iter().chain([&first]) {
        assert_eq!(b.ended(id)["status"], "done");
    }
    b.stop();
    a.stop();
}

#[test]
fn limit_of_a_queue_and_places_in_it_count_the_workers_of_all_nodes() {
    let schema = PostgresServer::shared().new_schema();
    let gate = Gate::default();
    let start = |name: &str| {
        node(&schema, name)
            .scripted("chatgpt", &Scripted::new("held", [Step::Hold(gate.clone())]))
            .set("SCRAPERS__CHATGPT__WORKERS", 1)
            .set("QUEUE__JOBS_MAX", 1)
            .start()
    };
    let apps = ["a", "b"].map(start);
    let chatgpt = |app: &App| {
        let scrapers = app.get("/scrapers").expect(200)["scrapers"].as_array().unwrap().clone();
        scrapers.into_iter().find(|it| it["name"] == "chatgpt").unwrap()
    };
    let see = |what: &dyn Fn(&App) -> bool| {
        until(|| apps.iter().all(what).then_some(()));
    };
    see(&|app| chatgpt(app)["workers"] == 2);
    let submit = |n: usize| apps[0].post(&format!("/scrapers/chatgpt/jobs?prompt=p{n}"));
    // Two that run and one that waits are as many as there may be.
    let ids: Vec<String> =
        (0..3).map(|n| submit(n).expect(202)["job_id"].as_str().unwrap().to_owned()).collect();
    see(&|app| {
        let queue = &chatgpt(app)["queue"];
        (&queue["running"], &queue["waiting"]) == (&json!(2), &json!(1))
    });
    for app in &apps {
        let refused = app.post("/scrapers/chatgpt/jobs?prompt=late");
        assert_eq!((refused.status, refused.code().as_str()), (429, "queue_full"));
    }
    let paths = ids.iter().map(|id| format!("/jobs/{id}"));
    let is_queued = |path: &String| apps[0].get(path).expect(200)["phase"] == "queued";
    let waits = paths.clone().find(is_queued).unwrap();
    let places = apps.each_ref().map(|app| {
        let attempts = app.get(&format!("{waits}/attempts")).expect(200);
        attempts["waiting"].clone()
    });
    for place in &places {
        assert_eq!((&place["position"], &place["waiting"]), (&json!(1), &json!(1)), "{place}");
    }
    gate.open();
    for id in &ids {
        assert_eq!(apps[0].ended(id)["status"], "done");
    }
    let [a, b] = apps;
    b.stop();
    a.stop();
}

#[test]
fn money_of_the_day_is_that_of_all_nodes() {
    let schema = PostgresServer::shared().new_schema();
    let (clock, hand) = Clock::manual(START_MS);
    let start = |name: &str| {
        let cost = Some(Cost { nano_usd: 10_000_000, from: CostFrom::Provider });
        let usage = UpstreamUsage { cost, ..UpstreamUsage::default() };
        let costs = Step::Answer(Box::new(Answer { usage, ..answer("x") }));
        let builder = node(&schema, name).at(clock.clone()).config(&keys("usd_per_day = 0.01"));
        let builder = builder.set("UPSTREAMS__SCRIPT__USD_PER_DAY", 0.01);
        builder.scripted("chatgpt", &Scripted::new("script", [costs])).start()
    };
    let apps = ["a", "b"].map(start);
    let submit = |app: &App, key: &[(&str, &str)], prompt: &str| {
        app.post_with(&format!("/scrapers/chatgpt/jobs?prompt={prompt}"), key, "")
    };
    let id = submit(&apps[0], &A, "one").expect(202)["job_id"].as_str().unwrap().to_owned();
    until(|| {
        hand.advance_ms(100);
        (apps[0].get(&format!("/jobs/{id}")).expect(200)["status"] == "done").then_some(())
    });
    // Whichever has run it, neither spends more of the key's money.
    until(|| {
        hand.advance_ms(1_000);
        let told = apps.each_ref().map(|app| app.get_with("/usage", &A).expect(200));
        told.iter().all(|usage| usage["usd_spent_today"] == 0.01).then_some(())
    });
    for app in &apps {
        assert_eq!(submit(app, &A, "two").code(), "spend_limit");
    }
    // Nor of that of the upstream, which another key may ask.
    let waits = submit(&apps[1], &B, "three").expect(202)["job_id"].as_str().unwrap().to_owned();
    let waiting = until(|| {
        hand.advance_ms(100);
        let job = apps[1].get(&format!("/jobs/{waits}")).expect(200);
        (job["phase"] != "queued" && job["phase"] != "running").then_some(job)
    });
    assert_eq!(
        (&waiting["phase"], &waiting["error_code"]),
        (&json!("waiting_retry"), &json!("upstream_at_limit")),
        "{waiting}"
    );
    let [a, b] = apps;
    b.stop();
    a.stop();
}

#[test]
fn job_is_run_where_it_was_submitted_if_a_worker_is_idle_there() {
    const JOBS: usize = 30;
    let schema = PostgresServer::shared().new_schema();
    let upstreams = ["a", "b"].map(|name| Scripted::new(name, []));
    let start = |upstream: &Arc<Scripted>, name: &str| {
        let builder = node(&schema, name).set("CACHE__TTL_SECONDS", 0);
        builder.scripted("chatgpt", upstream).start()
    };
    let apps = [start(&upstreams[0], "a"), start(&upstreams[1], "b")];
    nodes_of(&apps[0], 2);
    for number in 0..JOBS {
        let id = apps[0].submit("chatgpt", &format!("question {number}"));
        assert_eq!(apps[0].ended(&id)["status"], "done");
    }
    assert_eq!(upstreams.each_ref().map(|upstream| upstream.asked()), [JOBS, 0]);
    let [a, b] = apps;
    b.stop();
    a.stop();
}
