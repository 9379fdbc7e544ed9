//! `GET /openapi.json`: that it names what there is and nothing else, that real replies are as its
//! schemas say, and that what it says has not changed unseen.

mod bounds;
mod defaults;
mod errors;
mod states;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{App, Builder};

const API: &str = include_str!("../../src/docs/api.md");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document(app: &App) -> Value {
    let document = app.get("/openapi.json").expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    document
}

/// Every (method, path) of the document.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    each.collect()
}

#[test]
fn the_document_and_the_guide_name_the_same() {
    let document = document(&Builder::new().start());
    let told: BTreeSet<(String, String)> = API
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`')?.0.split_once(' '))
        .filter(|(method, _)| METHODS.contains(&method.to_lowercase().as_str()))
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    let real = operations(&document);
    // Described in their pages of the guide, and not in this table.
    let elsewhere = ["/jobs/{job_id}/evidence/{file}", "/batches/{batch_id}/webhook"];
    let missing: Vec<_> =
        real.difference(&told).filter(|(_, path)| !elsewhere.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "not in api.md: {missing:?}");
    let unknown: Vec<_> = told.difference(&real).collect();
    assert!(unknown.is_empty(), "not in the document: {unknown:?}");
}

#[test]
fn every_path_is_there_with_its_methods_and_no_others() {
    let app = Builder::new().start();
    let document = document(&app);
    for (path, methods) in document["paths"].as_object().unwrap() {
        let real = path
            .replace("{job_id}", "00000000-0000-4000-8000-000000000000")
            .replace("{batch_id}", "00000000-0000-4000-8000-000000000000")
            .replace("{schedule_id}", "00000000-0000-4000-8000-000000000000")
            .replace("{alert_id}", "00000000-0000-4000-8000-000000000000")
            .replace("{scraper}", "practice")
            .replace("{page}", "api")
            .replace("{tracker}", "acme")
            .replace("{file}", "1.html");
        let other = if methods["put"].is_object() { "POST" } else { "PUT" };
        let reply = app.method(other, &real);
        assert_eq!(reply.status, 405, "{path}");
        let allowed: BTreeSet<String> = reply.headers["allow"]
            .split(", ")
            .map(str::to_lowercase)
            .filter(|method| method != "head")
            .collect();
        let told: BTreeSet<String> = methods.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, told, "{path}");
        // A parameter of the path is told of, and nothing else is.
        for method in methods.as_object().unwrap().values() {
            let parameters = method["parameters"].as_array().unwrap();
            let names: BTreeSet<String> = parameters
                .iter()
                .filter(|it| it["in"] == "path")
                .map(|it| format!("{{{}}}", it["name"].as_str().unwrap()))
                .collect();
            assert!(names.iter().all(|name| path.contains(name.as_str())), "{path}: {names:?}");
            assert_eq!(names.len(), path.matches('{').count(), "{path}");
        }
    }
}

/// Every reference leads somewhere.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document(&Builder::new().start());
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// A word with a doc comment becomes a schema beside those of the others. Generated clients find such
/// words in several of them, and refuse the reply.
#[test]
fn words_are_one_enum() {
    let app = Builder::new().start();
    let text = app.get("/openapi.json").text;
    assert!(text.contains(r#"["ok","empty","unsupported"]"#) && !text.contains("\"oneOf\""));
}

/// By the operations themselves: each link gives a method the one thing that its path takes.
#[test]
fn every_id_leads_to_all_that_can_be_done_with_it() {
    let document = document(&Builder::new().start());
    let paths = document["paths"].as_object().unwrap();
    let takers = |id: &str| {
        let of = paths
            .iter()
            .filter(|(path, _)| path.contains(&format!("{{{id}}}")) && !path.contains("{file}"));
        let operations = of.flat_map(|(_, methods)| methods.as_object().unwrap().values());
        let each = operations.map(|operation| {
            (operation["operationId"].as_str().unwrap(), format!("$response.body#/{id}"))
        });
        each.collect::<BTreeSet<_>>()
    };
    let (of_job, of_batch) = (takers("job_id"), takers("batch_id"));
    assert!(of_job.len() == 10 && of_batch.len() == 4, "{of_job:?} {of_batch:?}");
    let either = &of_job | &of_batch;
    for (path, wanted) in [("/scrapers/{scraper}/jobs", either), ("/batches", of_batch)] {
        let links = &document["paths"][path]["post"]["responses"]["202"]["links"];
        let told = links.as_object().unwrap().values().map(|link| {
            let with = link["parameters"].as_object().unwrap().values().next().unwrap();
            (link["operationId"].as_str().unwrap(), with.as_str().unwrap().to_owned())
        });
        assert_eq!(told.collect::<BTreeSet<_>>(), wanted, "{path}");
    }
}

/// Some clients take a schema there to be of the whole body, and others to be of each event.
#[test]
fn an_event_stream_has_no_schema() {
    let document = document(&Builder::new().start());
    for path in ["/jobs/{job_id}/events", "/stats/events"] {
        let content = &document["paths"][path]["get"]["responses"]["200"]["content"];
        assert!(content["text/event-stream"].is_object(), "{path}");
        assert!(content["text/event-stream"]["schema"].is_null(), "{path}");
    }
}

/// Why a value is not as a schema says; the keywords that the document uses.
pub(crate) fn fault(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return fault(document, target, value, at);
    }
    if let Some(all) = schema["allOf"].as_array() {
        // The first is whole, the others narrow some of its fields.
        let narrowed = all[1..].iter().flat_map(|schema| schema["properties"].as_object().unwrap());
        let mut faults = narrowed.filter_map(|(name, schema)| {
            fault(document, schema, &value[name], &format!("{at}.{name}"))
        });
        return fault(document, &all[0], value, at).or_else(|| faults.next());
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let faults: Vec<_> = any.iter().map(|schema| fault(document, schema, value, at)).collect();
        if faults.iter().all(Option::is_some) {
            return Some(format!("{at} is none of them: {faults:?}"));
        }
        if schema["properties"].is_null() {
            return None;
        }
    }
    let kinds = match &schema["type"] {
        Value::Null => Vec::new(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => vec![kind.as_str().unwrap()],
    };
    let is = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the schema has the type {other}"),
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return Some(format!("{at} is no {kinds:?}: {value}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Some(format!("{at} is none of {words:?}: {value}"));
    }
    let required = schema["required"].as_array().filter(|_| value.is_object());
    let required = required.into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Some(format!("{at} has no `{name}`"));
        }
    }
    if let (true, Some(fields)) = (schema["additionalProperties"].is_object(), value.as_object()) {
        let each = fields.iter().filter_map(|(name, field)| {
            fault(document, &schema["additionalProperties"], field, &format!("{at}.{name}"))
        });
        return each.into_iter().next();
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object())
    {
        for (name, field) in fields {
            let at = format!("{at}.{name}");
            // A field that the document does not name is one that nobody will look for.
            let Some(schema) = properties.get(name) else {
                if schema["additionalProperties"] == true {
                    continue;
                }
                return Some(format!("{at} is not told"));
            };
            if let Some(fault) = fault(document, schema, field, &at) {
                return Some(fault);
            }
        }
    }
    let mut items = value.as_array().into_iter().flatten().filter(|_| !schema["items"].is_null());
    items.find_map(|item| fault(document, &schema["items"], item, at))
}

/// Every media type object of a method: of its body and of its replies.
fn contents(operation: &Value) -> Vec<&Value> {
    let replies = operation["responses"].as_object().unwrap().values();
    let bodies = replies.chain([&operation["requestBody"]]);
    let contents = bodies.filter_map(|body| body["content"].as_object());
    contents.flat_map(|content| content.values()).collect()
}

#[test]
fn the_examples_are_as_the_schemas_say() {
    let document = document(&Builder::new().start());
    let kinds = ["paths", "webhooks"].map(|kind| document[kind].as_object().unwrap());
    let operations = kinds
        .iter()
        .flat_map(|paths| paths.values().flat_map(|methods| methods.as_object().unwrap().values()));
    let mut checked = 0;
    for operation in operations {
        let name = operation["operationId"].as_str().unwrap();
        for content in contents(operation) {
            let own = content.get("example");
            let named = content["examples"].as_object().into_iter().flat_map(|it| it.values());
            let named = named.map(|example| {
                let pointer = example["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
                &document.pointer(pointer).unwrap()["value"]
            });
            for example in own.into_iter().chain(named) {
                checked += 1;
                if let Some(fault) = fault(&document, &content["schema"], example, name) {
                    panic!("the example of {fault}");
                }
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn the_document_has_not_changed_unseen() {
    let mut document = document(&Builder::new().start());
    // Every method and reply names it.
    assert_eq!(document["info"]["version"].take(), env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!("document", lines(&document, 0));
}

/// JSON in lines that can be compared: what is short stands on one.
fn lines(value: &Value, depth: usize) -> String {
    const CHARS_MAX: usize = 110;
    let short = value.to_string();
    if short.chars().count() + depth <= CHARS_MAX {
        return short;
    }
    let indent = " ".repeat(depth + 1);
    let each: Vec<String> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| format!("{indent}{name:?}: {}", lines(field, depth + 1)))
            .collect(),
        Value::Array(items) => {
            items.iter().map(|item| format!("{indent}{}", lines(item, depth + 1))).collect()
        }
        _ => return short,
    };
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    format!("{open}\n{}\n{}{close}", each.join(",\n"), &indent[1..])
}

#[test]
fn every_method_can_be_named_and_says_what_every_reply_has() {
    let document = document(&Builder::new().start());
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is there twice");
            let keyed = !operation["security"].as_array().unwrap().is_empty();
            for (status, reply) in operation["responses"].as_object().unwrap() {
                let limited = keyed && status.starts_with('2');
                let has = |header: &str| reply["headers"][header].is_object();
                if status != "default" {
                    assert!(has("X-Request-Id"), "{path} {status}");
                    assert_eq!(has("RateLimit"), limited, "{path} {status}");
                    assert!(has("Retry-After") || !["429", "503"].contains(&status.as_str()));
                }
            }
            let mut taken = BTreeSet::new();
            for parameter in operation["parameters"].as_array().unwrap() {
                let one = (parameter["$ref"].to_string(), parameter["name"].to_string());
                assert!(taken.insert(one), "{path}: {parameter} is there twice");
                let told = parameter["$ref"].is_string()
                    || parameter["description"].as_str().is_some_and(|it| !it.is_empty());
                assert!(told, "{path}: {parameter}");
            }
        }
    }
}

fn assert_conforms(document: &Value, method: &str, path: &str, status: &str, value: &Value) {
    let reply = &document["paths"][path][method]["responses"][status];
    let schema = &reply["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} has no {status}");
    if let Some(fault) = fault(document, schema, value, "reply") {
        panic!("{method} {path} {status}: {fault}\n{value:#}");
    }
}

#[test]
fn real_replies_are_as_the_schemas_say() {
    // The scraper with a token tree in its result.
    let app = Builder::new().env("ANSWERD_SCRAPERS__CHATGPT__UPSTREAMS", "[\"practice\"]").start();
    let document = document(&app);
    let conforms = |method: &str, path: &str, status: &str, value: &Value| {
        assert_conforms(&document, method, path, status, value);
    };
    let submit = "/scrapers/{scraper}/jobs";
    let job = app.post("/scrapers/practice/jobs?prompt=How+long&label=x").expect(202);
    conforms("post", submit, "202", &job);
    let ended = app.ended(job["job_id"].as_str().unwrap());
    assert_eq!(ended["status"], "done");
    conforms("get", "/jobs/{job_id}", "200", &ended);
    let samples = app.post("/scrapers/practice/jobs?prompt=How+long&samples=2").expect(202);
    conforms("post", submit, "202", &samples);
    conforms(
        "get",
        "/scrapers/{scraper}",
        "200",
        &app.get("/scrapers/practice?prompt=Why").expect(200),
    );
    let tree = app.get("/scrapers/chatgpt?prompt=Why&markdown_json=true").expect(200);
    assert!(tree["markdown_json"][0]["tokens"][0]["type"].is_string(), "{tree}");
    conforms("get", "/scrapers/{scraper}", "200", &tree);
    conforms("get", "/scrapers", "200", &app.get("/scrapers").expect(200));
    conforms("get", "/jobs", "200", &app.get("/jobs").expect(200));
    let items =
        json!({ "items": [{ "scraper": "practice", "prompt": "a" }, { "scraper": "gone" }] });
    let json = [("content-type", "application/json")];
    let batch = app.post_with("/batches", &json, &items.to_string()).expect(202);
    conforms("post", "/batches", "202", &batch);
    let path = format!("/batches/{}?wait=30", batch["batch_id"].as_str().unwrap());
    conforms("get", "/batches/{batch_id}", "200", &app.get(&path).expect(200));
    let id = ended["job_id"].as_str().unwrap();
    for (path, real) in [
        ("/jobs/{job_id}/attempts", format!("/jobs/{id}/attempts")),
        ("/jobs/{job_id}/evidence", format!("/jobs/{id}/evidence")),
        ("/md/{job_id}.json", format!("/md/{id}.json")),
        ("/usage", "/usage".to_owned()),
        ("/nodes", "/nodes".to_owned()),
        ("/stats", "/stats".to_owned()),
        ("/healthz", "/healthz".to_owned()),
        ("/readyz", "/readyz".to_owned()),
        ("/openapi.json", "/openapi.json".to_owned()),
    ] {
        conforms("get", path, "200", &app.get(&real).expect(200));
    }
    for (method, path, real, status) in [
        ("get", "/scrapers/{scraper}", "/scrapers/practice", 400),
        ("get", "/scrapers/{scraper}", "/scrapers/gone?prompt=a", 404),
        ("get", "/scrapers/{scraper}", "/scrapers/perplexity?prompt=a", 503),
        ("get", "/jobs/{job_id}", "/jobs/none", 404),
        ("get", "/jobs", "/jobs?limit=0", 400),
    ] {
        conforms(method, path, &status.to_string(), &app.get(real).expect(status));
    }
}
