//! The bounds of the document are those that the server holds a request to: what is just within one is
//! taken, and what is just beyond it is refused.

use std::sync::Arc;

use answerd::job::Kind;
use serde_json::{Value, json};

use super::document;
use crate::app::{App, Builder, Reply, Scripted, encoded};
use crate::costs::OfKind;
use crate::receiver::SECRET;

fn of_kind(name: &str, kind: Kind) -> Arc<OfKind> {
    Arc::new(OfKind(Scripted::new(name, []), kind))
}

/// The shortest and the longest name of a tracker.
fn trackers() -> [String; 2] {
    ["a".to_owned(), "a".repeat(64)]
}

fn app() -> App {
    let app = Builder::new()
        .env("ANSWERD_WEBHOOK_SECRET", SECRET)
        // The bound of `retain_hours` is that of the setting, whatever this service keeps.
        .set("STORE__RETENTION_HOURS", 2_160)
        // Nothing is delivered.
        .lookup(Arc::new(|_, _| Ok(Vec::new())))
        .scripted("chatgpt", &Scripted::new("script", []))
        // Upstreams of every kind, and one that allows the models that are tried.
        .upstream("chatgpt", "page", of_kind("page", Kind::Browser))
        .upstream("chatgpt", "serp", of_kind("serp", Kind::Serp))
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"script\", \"serp\", \"page\"]")
        .set("UPSTREAMS__SCRIPT__MODELS_ALLOWED", format!("[\"a\", \"{}\"]", "~".repeat(128)))
        .start();
    for name in trackers() {
        let path = format!("/trackers/{name}");
        app.put(&path, &[], "{\"brands\":[{\"name\":\"Acme\"}]}").expect(200);
    }
    app
}

/// Values that a schema just takes, and values that it just does not.
fn probes(name: &str, schema: &Value) -> (Vec<Value>, Vec<Value>) {
    let number = |bound: &str| schema[bound].as_f64();
    let length = |bound: &str| schema[bound].as_u64().map(|chars| chars as usize);
    let (mut within, mut beyond) = (Vec::new(), Vec::new());
    match schema["type"].as_str().unwrap() {
        "boolean" => {
            within.extend([json!(true), json!(false)]);
            beyond.push(json!("maybe"));
        }
        "integer" | "number" => {
            let whole = schema["type"] == "integer";
            let value = |at: f64| if whole { json!(at as i64) } else { json!(at) };
            within.extend([number("minimum"), number("maximum")].into_iter().flatten().map(value));
            beyond.extend(number("minimum").map(|at| value(at - 1.0)));
            beyond.extend(number("maximum").map(|at| value(at + 1.0)));
            beyond.push(json!("many"));
        }
        "string" if schema["enum"].is_array() => {
            within.extend(schema["enum"].as_array().unwrap().clone());
            beyond.push(json!("another"));
        }
        "string" => {
            let (start, filler) = match (name, schema["format"].as_str()) {
                ("webhook_url", _) => ("https://a.example/", "x"),
                (_, Some("uuid")) => ("00000000-0000-4000-8000-000000000000", ""),
                // Counted in characters and not in bytes.
                _ => ("", "ü"),
            };
            let long = |chars: usize| {
                let more = chars.saturating_sub(start.chars().count());
                json!(format!("{start}{}", filler.repeat(more)))
            };
            match schema["pattern"].as_str() {
                Some("^[A-Za-z]{2}$") => {
                    within.extend([json!("de"), json!("FR")]);
                    beyond.extend([json!("DEU"), json!("D1"), json!("")]);
                }
                Some("^[0-9a-f]{32}$") => beyond.extend([json!("x"), json!("")]),
                Some("^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$") => {
                    within.extend([json!("de"), json!("zh-Hant-TW")]);
                    beyond.extend([json!("german"), json!("d"), json!("de-"), json!("d1")]);
                }
                Some("^[A-Za-z0-9_+-]+/[A-Za-z0-9_+/-]+$") => {
                    within.extend([json!("Europe/Berlin"), json!("America/Indiana/Knox")]);
                    beyond.extend([json!("Berlin"), json!("Europe/"), json!("Europe/São_Paulo")]);
                }
                Some(place) if place.contains("<>") => {
                    beyond.extend([json!("a\nb"), json!("<b>"), json!("[1]"), json!("a\"b")]);
                    within.push(match name {
                        // Any other is refused.
                        "city" => json!("austin"),
                        _ => long(length("maxLength").unwrap()),
                    });
                    beyond.push(long(length("maxLength").unwrap() + 1));
                }
                Some("^[\\x21-\\x7e]+$") => {
                    within.extend([json!("a"), json!("~".repeat(length("maxLength").unwrap()))]);
                    beyond.extend([json!("a b"), json!("a".repeat(256))]);
                }
                Some("^[a-z0-9][a-z0-9_-]*$") => {
                    within.extend(trackers().map(Value::from));
                    beyond.extend([json!("A"), json!("-a"), json!("a b"), json!("a".repeat(65))]);
                }
                Some(no_controls) => {
                    assert_eq!(no_controls, "^[^\\x00-\\x1f\\x7f-\\x9f]*$");
                    beyond.extend([json!("a\nb"), json!("\u{7f}"), json!("\u{85}")]);
                    within.push(long(length("maxLength").unwrap()));
                    beyond.push(long(length("maxLength").unwrap() + 1));
                }
                None => {
                    within.extend(length("maxLength").map(long));
                    beyond.extend(length("maxLength").map(|chars| long(chars + 1)));
                    beyond.extend(length("minLength").map(|chars| long(chars - 1)));
                    if schema["format"].is_string() {
                        within.push(json!(start));
                        beyond.push(json!("nothing"));
                    }
                }
            }
        }
        other => panic!("{name} has the type {other}"),
    }
    (within, beyond)
}

/// Tries a schema's probes; `taken` says whether a value was.
fn try_all(what: &str, name: &str, schema: &Value, taken: impl Fn(&Value) -> bool) -> usize {
    let (within, beyond) = probes(name, schema);
    for value in &within {
        assert!(taken(value), "{what}: `{name}` is within its bounds and refused: {value}");
    }
    for value in &beyond {
        assert!(!taken(value), "{what}: `{name}` is beyond its bounds and taken: {value}");
    }
    within.len() + beyond.len()
}

/// A refusal is a 400, and nothing else is one: a 404 says that nothing has that name or number.
fn is_taken(reply: &Reply) -> bool {
    assert!([200, 202, 400, 404].contains(&reply.status), "{reply:?}");
    reply.status != 400
}

#[test]
fn parameters_are_held_to_the_bounds_of_the_document() {
    let app = app();
    let document = document(&app);
    let job = app.submit("chatgpt", "x");
    app.ended(&job);
    let batch = json!({ "scraper": "chatgpt", "prompts": ["x"] }).to_string();
    let batch = app.post_with("/batches", &[], &batch).expect(202);
    let batch = batch["batch_id"].as_str().unwrap();
    app.get(&format!("/batches/{batch}?wait=30")).expect(200);
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().unwrap() {
                let (name, schema) = (parameter["name"].as_str(), &parameter["schema"]);
                let Some(name) = name.filter(|_| parameter["in"] == "query") else { continue };
                let real = path
                    .replace("{scraper}", "chatgpt")
                    .replace("{job_id}", &job)
                    .replace("{tracker}", "a")
                    .replace("{batch_id}", batch);
                let prompt = path.starts_with("/scrapers/") && name != "prompt";
                let prompt = match path.as_str() {
                    "/reports" if name != "tracker" => "tracker=a&",
                    // Nothing has the label.
                    "/jobs/cancel" | "/jobs/retry" if name != "label" => "label=none&",
                    _ if prompt => "prompt=x&",
                    _ => "",
                };
                tried += try_all(&format!("{method} {path}"), name, schema, |value| {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let target = format!("{real}?{prompt}{name}={}", encoded(&value));
                    is_taken(&match method.as_str() {
                        "get" => app.get(&target),
                        "post" => app.post(&target),
                        // Nothing has the label.
                        "delete" if name == "dry_run" => {
                            app.method("DELETE", &format!("{target}&label=none"))
                        }
                        "delete" => app.method("DELETE", &target),
                        other => panic!("{other} {path} takes a query"),
                    })
                });
            }
        }
    }
    assert!(tried > 100, "{tried}");
    let submit = &document["paths"]["/scrapers/{scraper}/jobs"]["post"]["parameters"];
    let key = submit.as_array().unwrap().iter().find(|it| it["name"] == "Idempotency-Key").unwrap();
    try_all("a submit", "Idempotency-Key", &key["schema"], |value| {
        let headers = [("idempotency-key", value.as_str().unwrap())];
        is_taken(&app.post_with("/scrapers/chatgpt/jobs?prompt=x", &headers, ""))
    });
}

#[test]
fn bodies_are_held_to_the_bounds_of_the_document() {
    let app = app();
    let document = document(&app);
    let properties = |schema: &str| {
        let properties = &document["components"]["schemas"][schema]["properties"];
        properties.as_object().unwrap().clone()
    };
    for (name, schema) in properties("Scrape") {
        try_all("Scrape", &name, &schema, |value| {
            let mut body = json!({ "prompt": "x" });
            body[&name] = value.clone();
            is_taken(&app.post_with("/scrapers/chatgpt/jobs", &[], &body.to_string()))
        });
    }
    let batch = |body: Value| app.post_with("/batches", &[], &body.to_string());
    // Refused whole, or its one item by itself.
    let all_taken = |body: Value| {
        let reply = batch(body);
        is_taken(&reply) && reply.json()["counts"]["refused"] == 0
    };
    for (name, schema) in properties("NewItem") {
        try_all("NewItem", &name, &schema, |value| {
            let mut item = json!({ "scraper": "chatgpt", "prompt": "x" });
            item[&name] = value.clone();
            all_taken(json!({ "items": [item] }))
        });
    }
    for (name, schema) in properties("NewBatch") {
        if schema["type"] != "array" {
            try_all("NewBatch", &name, &schema, |value| {
                let item = if name == "prompt" { json!({}) } else { json!({ "prompt": "x" }) };
                let mut body = json!({ "scraper": "chatgpt", "items": [item] });
                body[&name] = value.clone();
                all_taken(body)
            });
            continue;
        }
        let most = schema["maxItems"].as_u64().unwrap() as usize;
        assert_eq!(schema["minItems"], 1, "{name}");
        let list = |count: usize| {
            let (mut body, one) = match name.as_str() {
                "items" => (json!({}), json!({ "scraper": "chatgpt", "prompt": "x" })),
                "prompts" => (json!({ "scraper": "chatgpt" }), json!("x")),
                "scrapers" => (json!({ "prompts": ["x"] }), json!("chatgpt")),
                "countries" => (json!({ "scraper": "chatgpt", "prompts": ["x"] }), json!("DE")),
                other => panic!("{other} is a list"),
            };
            body[&name] = vec![one; count].into();
            batch(body)
        };
        assert_eq!(list(1).status, 202, "{name}");
        for count in [0, most + 1] {
            assert_eq!(list(count).status, 400, "{count} {name}");
        }
    }
}
