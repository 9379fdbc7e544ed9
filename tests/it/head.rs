//! HEAD is GET without the body, wherever GET is (RFC 9110, section 9.1).

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::app::{App, Builder, Gate, Scripted, Step};

fn raw(app: &App, requests: &str) -> String {
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// The head of a reply to HEAD, which nothing follows but the reply to a request after it.
#[track_caller]
fn head(app: &App, path: &str) -> String {
    let next = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let reply = raw(app, &format!("HEAD {path} HTTP/1.1\r\nhost: localhost\r\n\r\n{next}"));
    let parts = reply.split_once("\r\n\r\n");
    let (head, rest) = parts.unwrap_or_else(|| panic!("{path}: {reply:?}"));
    assert!(rest.starts_with("HTTP/1.1 200 OK"), "{path}: a body came: {reply}");
    head.to_owned()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn head_is_served_wherever_get_is() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let id = app.submit("chatgpt", "x");
    app.ended(&id);
    let batch = app.post_with("/batches", &[], r#"{"scraper":"chatgpt","prompts":["x"]}"#);
    let batch = batch.expect(202)["batch_id"].as_str().unwrap().to_owned();
    app.get(&format!("/batches/{batch}?wait=30")).expect(200);
    let document: Value = app.get("/openapi.json").expect(200);
    let mut paths: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        // Those two begin something.
        .filter(|(path, _)| !["/scrapers/{scraper}", "/backup"].contains(&path.as_str()))
        .filter(|(_, methods)| methods["get"].is_object())
        .map(|(path, _)| {
            path.replace("{job_id}", &id).replace("{batch_id}", &batch).replace("{page}", "api")
        })
        .collect();
    paths.extend(
        ["/dashboard/app.js", "/docs/guide.js", "/docs/assets/alerts.yaml"].map(str::to_owned),
    );
    paths.extend(["/jobs/none", "/none", "/practice.js"].map(str::to_owned));
    assert!(paths.len() > 25, "{paths:?}");
    // What changes with time or with each request has another length a moment later.
    let moving = ["/metrics", "/scrapers", "/stats"];
    for path in &paths {
        let head = head(&app, path);
        if path.ends_with("/events") {
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert_eq!(header(&head, "content-length"), None, "{path}: {head}");
            continue;
        }
        let got = app.get(path);
        assert!(head.starts_with(&format!("HTTP/1.1 {}", got.status)), "{path}: {head}");
        let length = got.headers.get("content-length").map(String::as_str);
        if !moving.contains(&path.as_str()) {
            assert_eq!(header(&head, "content-length"), length, "{path}");
        }
        for name in ["content-type", "etag", "cache-control"] {
            let expected = got.headers.get(name).map(String::as_str);
            assert_eq!(header(&head, name), expected, "{path}: {name}");
        }
    }
    let allow = |path: &str| app.method("PUT", path).headers["allow"].clone();
    assert_eq!(allow("/jobs"), "GET, HEAD, DELETE");
    assert_eq!(allow(&format!("/jobs/{id}")), "GET, HEAD, DELETE");
    assert_eq!(allow(&format!("/jobs/{id}/webhook")), "GET, HEAD, POST");
}

#[test]
fn head_of_a_waiting_call_runs_no_scrape() {
    let upstream = Scripted::new("script", [Step::Hold(Gate::default())]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let reply = head(&app, "/scrapers/chatgpt?prompt=x");
    assert!(reply.starts_with("HTTP/1.1 405"), "{reply}");
    assert_eq!(header(&reply, "allow"), Some("GET"));
    assert_eq!(app.get("/jobs").expect(200)["jobs"].as_array().unwrap().len(), 0);
    assert_eq!(upstream.asked(), 0);
}
