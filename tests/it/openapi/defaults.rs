//! Every `default` of the document is true: to leave the field out does the same as to send it. What
//! generated clients send by themselves is never an error.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::document;
use crate::app::{App, Builder, Scripted, encoded};

fn app() -> (Arc<Scripted>, App) {
    let upstream = Scripted::new("script", []);
    // Without a cache every call shows what it asks for.
    let app = Builder::new().set("CACHE__TTL_SECONDS", 0).scripted("chatgpt", &upstream).start();
    (upstream, app)
}

/// The JSON pointers of all defaults of schemas.
fn defaults(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                // A reply without a status of its own, and what an example says, are no defaults.
                if name == "example" || name == "examples" {
                    continue;
                }
                let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                if name == "default" && !at.ends_with("/responses") {
                    found.push(pointer);
                } else {
                    defaults(field, &pointer, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                defaults(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A value as it stands in a query.
fn in_query(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), encoded)
}

#[test]
fn every_default_is_what_leaving_the_field_out_does() {
    let (upstream, app) = app();
    let document = document(&app);
    let mut found = Vec::new();
    defaults(&document, "", &mut found);
    assert!(found.len() > 5, "{found:?}");
    let brands = "{\"brands\":[{\"name\":\"answer\"}]}";
    app.put("/trackers/acme", &[], brands).expect(200);
    for prompt in ["1", "2+answer"] {
        app.get(&format!("/scrapers/chatgpt?track=acme&prompt={prompt}")).expect(200);
    }

    let prompts: Vec<String> = (0..60).map(|n| format!("={n}")).collect();
    let batch = json!({ "scraper": "chatgpt", "prompts": prompts }).to_string();
    let batch = app.post_with("/batches", &[], &batch).expect(202);
    app.get(&format!("/batches/{}?wait=60", batch["batch_id"].as_str().unwrap())).expect(200);

    for pointer in found {
        let parameter = pointer.strip_suffix("/schema/default").and_then(|it| document.pointer(it));
        let parameter = parameter.unwrap_or_else(|| panic!("no call proves {pointer}"));
        assert_eq!(parameter["in"], "query", "no call proves {pointer}");
        let name = parameter["name"].as_str().unwrap();
        let value = in_query(document.pointer(&pointer).unwrap());
        let proved = |path: &str| pointer.starts_with(&format!("/paths/{path}/get/parameters/"));
        if proved("~1scrapers~1{scraper}") {
            let ask = |query: &str| {
                app.get(&format!("/scrapers/chatgpt?prompt={name}{query}")).expect(200);
                upstream.asked.lock().unwrap().pop().unwrap()
            };
            assert_eq!(ask(""), ask(&format!("&{name}={value}")), "{name}");
        } else if proved("~1jobs") {
            for accept in ["application/json", "text/csv"] {
                let list = |query: &str| {
                    app.get_with(&format!("/jobs?{query}"), &[("accept", accept)]).text
                };
                assert_eq!(list(""), list(&format!("{name}={value}")), "{name}, {accept}");
            }
        } else if proved("~1batches") {
            let list = |query: &str| app.get(&format!("/batches?{query}")).text;
            assert_eq!(list(""), list(&format!("{name}={value}")), "{name}");
        } else if proved("~1reports") {
            let report = |query: &str| app.get(&format!("/reports?tracker=acme{query}")).text;
            assert_eq!(report(""), report(&format!("&{name}={value}")), "{name}");
        } else if proved("~1results") {
            let format = if name == "format" { "" } else { "format=csv&" };
            let export = |query: &str| app.get(&format!("/results?{format}{query}")).text;
            assert_eq!(export(""), export(&format!("{name}={value}")), "{name}");
        } else {
            panic!("no call proves {pointer}");
        }
    }
}

/// The defaults that a client generated from the document sends by itself for an object.
fn sent_by_itself(document: &Value, schema: &str) -> Map<String, Value> {
    let properties = &document["components"]["schemas"][schema]["properties"];
    let each = properties.as_object().unwrap().iter();
    each.filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
        .collect()
}

#[test]
fn what_generated_clients_send_by_themselves_changes_nothing() {
    let (upstream, app) = app();
    let document = document(&app);
    let asked = |reply: Value| {
        let id = reply["job_id"].as_str().unwrap().to_owned();
        app.ended(&id);
        upstream.asked.lock().unwrap().pop().unwrap()
    };
    let parameters = document["paths"]["/scrapers/{scraper}/jobs"]["post"]["parameters"].clone();
    let by_itself: String = parameters
        .as_array()
        .unwrap()
        .iter()
        .filter(|parameter| parameter["in"] == "query" && !parameter["schema"]["default"].is_null())
        .map(|it| {
            format!("&{}={}", it["name"].as_str().unwrap(), in_query(&it["schema"]["default"]))
        })
        .collect();
    // All in the body; all in the query; and the same in both.
    let own = json!({ "prompt": "a", "country": "DE", "web_search": false, "timeout": 60 });
    let mut body = sent_by_itself(&document, "Scrape");
    body.extend(own.as_object().unwrap().clone());
    let body = Value::Object(body).to_string();
    let empty = Value::Object(sent_by_itself(&document, "Scrape")).to_string();
    let query = "prompt=b&country=DE&web_search=false&timeout=60";
    let both = json!({ "prompt": "c", "country": "de", "web_search": false, "timeout": 60.0 });
    for (query, body) in [
        (by_itself.trim_start_matches('&').to_owned(), body),
        (format!("{query}{by_itself}"), empty),
        ("prompt=c&country=DE&web_search=0&timeout=60".to_owned(), both.to_string()),
    ] {
        let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &[], &body);
        let request = asked(reply.expect(202));
        assert_eq!((request.country.as_str(), request.web_search), ("DE", false), "{query}");
        assert_eq!(request.timeout_ms, 60_000);
    }

    let mut item = sent_by_itself(&document, "NewItem");
    item.insert("prompt".to_owned(), "d".into());
    let mut whole = sent_by_itself(&document, "NewBatch");
    for (name, value) in [
        ("scraper", json!("chatgpt")),
        ("country", json!("FR")),
        ("web_search", json!(false)),
        ("timeout", json!(90)),
        ("items", json!([item])),
    ] {
        whole.insert(name.to_owned(), value);
    }
    let batch = app.post_with("/batches", &[], &Value::Object(whole).to_string()).expect(202);
    let request = asked(batch["items"][0].clone());
    assert_eq!((request.country.as_str(), request.web_search), ("FR", false));
    assert_eq!(request.timeout_ms, 90_000);

    let mut lists = sent_by_itself(&document, "NewBatch");
    for (name, value) in [("prompts", "e"), ("scrapers", "chatgpt"), ("countries", "FR")] {
        lists.insert(name.to_owned(), json!([value]));
    }
    let batch = app.post_with("/batches", &[], &Value::Object(lists).to_string()).expect(202);
    assert_eq!(asked(batch["items"][0].clone()).country, "FR");
}
