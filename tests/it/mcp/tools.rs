//! Every tool is listed and called, over HTTP and over stdin and stdout, in each kind of revision.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client::{HANDSHAKE, OverHttp, OverStdio, STATELESS, Speaks};
use crate::app::{App, Builder, Gate, Scripted, Step};
use crate::limits::keys;

const KEY: &str = "secret-a";

/// A server with keys, and a scraper that holds the second question.
fn app(gate: &Gate) -> App {
    let upstream = Scripted::new("script", []);
    let held = Scripted::new("held", [Step::Hold(gate.clone())]);
    Builder::new()
        .config(&keys("monthly_credits = 900"))
        .scripted("chatgpt", &upstream)
        .scripted("perplexity", &held)
        .start()
}

const TOOLS: [&str; 13] = [
    "ask",
    "cancel_job",
    "get_batch",
    "get_job",
    "list_jobs",
    "list_scrapers",
    "list_trackers",
    "report",
    "retry_jobs",
    "run_batch",
    "submit",
    "usage",
    "wait_job",
];

const HINTS: [&str; 4] = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

/// Lists the tools and calls each.
fn exchange(app: &App, gate: &Gate, client: &mut impl Speaks) {
    let tools = client.result("tools/list", json!({}))["tools"].clone();
    let names: BTreeSet<&str> =
        tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(TOOLS));

    let asked = client.call("ask", json!({ "scraper": "chatgpt", "prompt": "What is it?" }));
    let (job, text) = (&asked["structuredContent"], asked["content"][0]["text"].as_str().unwrap());
    assert_eq!((&asked["isError"], &job["status"]), (&json!(false), &json!("done")));
    assert!(
        text.starts_with("The answer to **11** is 42. [1]\n\nSources:\n[1] Page 1 <https"),
        "{text}"
    );
    assert!(text.contains("[2] Page 2 <https://example.com/2> (consulted, not cited)"), "{text}");
    let id = job["job_id"].as_str().unwrap();
    // It is what the path of the same job returns.
    assert_eq!(job, &app.get(&format!("/jobs/{id}")).expect(200));
    assert_eq!(&client.called("get_job", json!({ "job_id": id })), job);

    let submit =
        json!({ "scraper": "perplexity", "prompt": "Wait.", "label": "mcp", "timeout": 60 });
    let pending = client.called("submit", submit);
    assert_eq!(
        (&pending["status"], &pending["next_tool"]),
        (&json!("pending"), &json!("wait_job"))
    );
    let id = pending["job_id"].as_str().unwrap().to_owned();
    gate.arrived(1);
    let waited = client.call("wait_job", json!({ "job_id": id, "wait_seconds": 0 }));
    assert_eq!(
        (&waited["isError"], &waited["structuredContent"]["phase"]),
        (&json!(false), &json!("running"))
    );
    assert!(waited["content"][0]["text"].as_str().unwrap().contains("Call `wait_job`"), "{waited}");
    let listed = client.called("list_jobs", json!({ "label": "mcp", "limit": 5 }));
    assert_eq!(listed["jobs"][0]["job_id"], id.as_str());
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    let canceled = client.called("cancel_job", json!({ "job_id": id }));
    assert_eq!(canceled["error_code"], "canceled");
    gate.open();
    let counted = client.called("retry_jobs", json!({ "label": "mcp", "dry_run": true }));
    assert_eq!((&counted["matched"], &counted["batch_id"]), (&json!(1), &Value::Null));
    let named = client.called("retry_jobs", json!({ "ids": id, "dry_run": true }));
    assert_eq!(named, counted);
    let again = json!({ "label": "mcp", "idempotency_key": "again" });
    let retried = client.called("retry_jobs", again.clone());
    assert_eq!((&retried["changed"], retried["batch_id"].is_string()), (&json!(1), true));
    assert_eq!(client.called("retry_jobs", again)["batch_id"], retried["batch_id"]);

    let batch =
        json!({ "prompts": ["One?", "Two?"], "scrapers": ["chatgpt"], "countries": ["DE"] });
    let batch = client.called("run_batch", batch);
    assert_eq!(batch["counts"]["items"], 2, "{batch}");
    let ended = json!({ "batch_id": batch["batch_id"], "wait_seconds": 30 });
    let ended = client.called("get_batch", ended);
    assert_eq!((&ended["status"], &ended["counts"]["done"]), (&json!("done"), &json!(2)));

    let scrapers = client.called("list_scrapers", json!({}))["scrapers"].clone();
    let named = |name: &str| scrapers.as_array().unwrap().iter().any(|it| it["name"] == name);
    assert!(named("chatgpt") && named("practice") && !named("grok"), "{scrapers}");
    assert_eq!(client.called("usage", json!({ "days": 1 }))["account"], "a");
    assert_eq!(client.called("list_trackers", json!({})), json!({ "trackers": [] }));
    let none = client.call("report", json!({ "tracker": "none" }));
    assert_eq!(none["isError"], true);
    assert_eq!(none["structuredContent"]["code"], "tracker_not_found");
}

#[test]
fn every_tool_answers_over_http_without_a_handshake() {
    let gate = Gate::default();
    let app = app(&gate);
    let mut client = OverHttp::new(&app.base, Some(KEY), STATELESS);
    let discovered = client.result("server/discover", json!({}));
    assert_eq!(discovered["supportedVersions"], json!([STATELESS, HANDSHAKE, "2025-06-18"]));
    assert_eq!(discovered["resultType"], "complete");
    let server = &discovered["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(server["name"], "answerd", "{discovered}");
    let listed = client.result("tools/list", json!({}));
    assert_eq!((&listed["cacheScope"], &listed["ttlMs"]), (&json!("private"), &json!(60_000)));
    exchange(&app, &gate, &mut client);
}

#[test]
fn every_tool_answers_over_http_after_a_handshake() {
    let gate = Gate::default();
    let app = app(&gate);
    let mut client = OverHttp::new(&app.base, Some(KEY), HANDSHAKE);
    let initialized = client.result("initialize", json!({ "protocolVersion": "2025-06-18" }));
    assert_eq!(initialized["protocolVersion"], "2025-06-18");
    assert_eq!(initialized["serverInfo"]["name"], "answerd");
    assert!(initialized["instructions"].as_str().unwrap().contains("untrusted"));
    assert_eq!(client.result("ping", json!({})), json!({}));
    exchange(&app, &gate, &mut client);
}

#[test]
fn every_tool_answers_over_stdio() {
    for version in [STATELESS, HANDSHAKE] {
        let gate = Gate::default();
        let app = app(&gate);
        let mut client = OverStdio::start(&app.base, Some(KEY), version);
        if version == HANDSHAKE {
            let initialized = client.result("initialize", json!({ "protocolVersion": version }));
            assert_eq!(initialized["protocolVersion"], version);
            client.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        } else {
            client.result("server/discover", json!({}));
        }
        exchange(&app, &gate, &mut client);
        assert_eq!(client.end(), Some(0));
    }
}

/// A slow tool does not hold up a quick one.
#[test]
fn stdio_answers_requests_as_they_end() {
    let gate = Gate::default();
    let app = app(&gate);
    let mut client = OverStdio::start(&app.base, Some(KEY), HANDSHAKE);
    let ask = json!({
        "jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": {
            "name": "ask", "arguments": { "scraper": "perplexity", "prompt": "Slow?" },
        },
    });
    client.write(&ask.to_string());
    gate.arrived(1);
    assert_eq!(client.result("ping", json!({})), json!({}));
    client.write("{");
    assert_eq!(client.read()["error"]["code"], -32_700);
    gate.open();
    let slow = client.read();
    assert_eq!(slow["id"], "slow");
    assert_eq!(slow["result"]["structuredContent"]["status"], "done", "{slow:#}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn schemas_of_arguments_are_those_of_the_document() {
    let gate = Gate::default();
    let app = app(&gate);
    let mut client = OverHttp::new(&app.base, Some(KEY), HANDSHAKE);
    let tools = client.result("tools/list", json!({}))["tools"].clone();
    let tool = |name: &str| {
        tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap().clone()
    };
    let document = app.get("/openapi.json").expect(200);
    let scrape = &document["components"]["schemas"]["Scrape"]["properties"];
    let submit = tool("submit")["inputSchema"].clone();
    for (name, property) in scrape.as_object().unwrap().iter().filter(|it| it.0 != "samples") {
        assert_eq!(&submit["properties"][name], property, "{name}");
    }
    let ask = tool("ask");
    let scrapers = &ask["inputSchema"]["properties"]["scraper"]["enum"];
    assert_eq!(scrapers, &json!(["chatgpt", "perplexity", "practice"]));
    let names: Vec<&String> =
        ask["inputSchema"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["scraper", "prompt", "country", "web_search", "wait_seconds", "idempotency_key"]
    );
    assert!(ask["description"].as_str().unwrap().contains("untrusted content"));
    assert_eq!(tool("cancel_job")["annotations"]["destructiveHint"], true);
    assert_eq!(tool("get_job")["annotations"]["readOnlyHint"], true);
    for tool in tools.as_array().unwrap() {
        let hints = tool["annotations"].as_object().unwrap();
        assert_eq!(hints.keys().collect::<Vec<_>>(), HINTS, "{tool}");
        assert!(hints.values().all(Value::is_boolean), "{tool}");
    }
    let size = |field: &str| -> usize {
        tools.as_array().unwrap().iter().map(|tool| tool[field].to_string().len()).sum()
    };
    let (all, outputs) = (tools.to_string().len(), size("outputSchema"));
    let bytes = all - outputs;
    assert!(bytes < 40_000, "the list of tools takes {bytes} bytes of each conversation");
    assert!(outputs < 28_000, "the schemas of what tools return take {outputs} bytes");
    let item = &tool("run_batch")["inputSchema"]["properties"]["items"]["items"]["properties"];
    assert!(item["prompt"].is_object() && item["scraper"]["enum"].is_array(), "{item}");
}

#[test]
fn text_is_cut_where_the_setting_says() {
    let payload =
        Builder::new().set("PRACTICE__PAYLOAD_BYTES", 50_000).set("MCP__TEXT_CHARS_MAX", 1_000);
    let app = payload.start();
    let mut client = OverHttp::new(&app.base, None, STATELESS);
    let result = client.call("ask", json!({ "scraper": "practice", "prompt": "What is a job?" }));
    let text = result["content"][0]["text"].as_str().unwrap();
    let markdown: Value = result["structuredContent"]["result"]["result_markdown"].clone();
    assert!(markdown.as_str().unwrap().len() > 40_000);
    assert!((700..1_400).contains(&text.chars().count()), "{text}");
    assert!(text.contains("(Cut. The whole answer: http"), "{text}");
}
