//! What an operator sees of the processes that share a store.

use serde_json::{Value, json};

use crate::app::{App, Builder, START_MS, until};
use crate::child::answerd;
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
    assert!(value("answerd_clock_offset_seconds").is_some());
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
