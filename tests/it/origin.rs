//! A service without keys answers its own hosts and origins, by the heads of requests. What a real
//! browser sends is tried in `cross_site`.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::{App, Builder, Scripted};
use crate::limits::{A, keys};

const SUBMIT: &str = "/scrapers/chatgpt/jobs?prompt=x";

fn builder(http: &str) -> Builder {
    Builder::new()
        .config(&format!("[http]\n{http}"))
        .scripted("chatgpt", &Scripted::new("script", []))
}

/// Sends a head as it stands; the status and the body's text of the reply.
fn raw(app: &App, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn submit_to(app: &App, host: &str) -> (u16, String) {
    raw(app, &format!("POST {SUBMIT} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n"))
}

#[track_caller]
fn assert_jobs(app: &App, count: usize) {
    let jobs = app.get("/jobs").expect(200);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), count, "{jobs:#}");
}

#[test]
fn host_must_be_loopback_the_bind_address_or_that_of_public_url() {
    let app = builder("public_url = \"https://answers.example.com/ai\"").start();
    let own = [
        "localhost",
        "LocalHost:1",
        "localhost.",
        "app.localhost:8080",
        "127.0.0.1",
        "127.9.8.7:80",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
        "answers.example.com",
        "Answers.Example.Com:444",
    ];
    for host in own {
        let (status, reply) = submit_to(&app, host);
        assert_eq!(status, 202, "{host}: {reply}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "localhost@evil.example",
        "evil.example@localhost",
        "answers.example.com.evil.example",
        "10.0.0.7",
        "0.0.0.0:8080",
        "[::2]",
        "",
        "localhost, evil.example",
    ] {
        let (status, reply) = submit_to(&app, host);
        assert_eq!(status, 403, "{host:?}: {reply}");
        assert!(reply.contains("\"foreign_host\"") && reply.contains("public_url"), "{reply}");
    }
    let nameless = raw(&app, &format!("POST {SUBMIT} HTTP/1.0\r\ncontent-length: 0\r\n"));
    assert_eq!(nameless.0, 403, "{}", nameless.1);
    let twice = submit_to(&app, "localhost\r\nhost: evil.example");
    assert_eq!(twice.0, 400, "{}", twice.1);
    assert_jobs(&app, own.len());
}

#[test]
fn a_service_on_all_addresses_is_reached_by_any_address_and_by_no_name() {
    let app = builder("auth = \"open\"").set("HTTP__BIND", "0.0.0.0:0").start();
    for (host, expected) in
        [("192.0.2.7:80", 202), ("[2001:db8::1]", 202), ("localhost", 202), ("evil.example", 403)]
    {
        assert_eq!(submit_to(&app, host).0, expected, "{host}");
    }
}

#[test]
fn an_absolute_target_names_the_host_too() {
    let app = builder("").start();
    let ask = |target: &str, host: &str| {
        raw(&app, &format!("GET http://{target}/jobs HTTP/1.1\r\nhost: {host}\r\n")).0
    };
    assert_eq!(ask("localhost", "localhost"), 200);
    assert_eq!(ask("evil.example", "localhost"), 403);
    assert_eq!(ask("localhost", "evil.example"), 403);
}

/// Every kind of path, with the methods that it could be asked by.
const ASKED: &[(&str, &str)] = &[
    ("GET", "/scrapers/chatgpt?prompt=x"),
    ("POST", SUBMIT),
    ("POST", "/scrapers/chatgp%74/jobs?prompt=x"),
    ("POST", "/batches"),
    ("GET", "/jobs"),
    ("GET", "/jobs/6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f"),
    ("GET", "/jobs/6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f?wait=1"),
    ("GET", "/jobs/6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f/events"),
    ("DELETE", "/jobs/6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f"),
    ("GET", "/stats/events"),
    ("GET", "/scrapers"),
    ("GET", "/usage"),
    ("GET", "/metrics"),
    ("HEAD", "/healthz"),
    ("OPTIONS", SUBMIT),
    ("OPTIONS", "/jobs"),
    ("GET", "/nothing"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("POST", "/docs"),
];

#[test]
fn no_path_and_no_method_answers_another_site() {
    let app = builder("").start();
    for (method, path) in ASKED {
        for from in [
            "host: evil.example\r\n",
            "host: localhost\r\norigin: https://evil.example\r\n",
            "host: localhost\r\norigin: null\r\n",
            "host: localhost\r\nsec-fetch-site: cross-site\r\n",
            "host: localhost\r\nsec-fetch-site: same-site\r\nsec-fetch-mode: no-cors\r\n",
        ] {
            let (status, reply) = raw(&app, &format!("{method} {path} HTTP/1.1\r\n{from}"));
            assert_eq!(status, 403, "{method} {path} {from}: {reply}");
            let code = if from.contains("evil.example\r\n") && !from.contains("origin") {
                "foreign_host"
            } else {
                "cross_site"
            };
            assert!(*method == "HEAD" || reply.contains(code), "{method} {path} {from}: {reply}");
        }
    }
    assert_jobs(&app, 0);
}

#[test]
fn own_origins_and_clients_that_are_no_browsers_are_served() {
    let app = builder("public_url = \"https://answers.example.com\"").start();
    let own = app.base.as_str();
    let port = own.rsplit(':').next().unwrap();
    for (origin, expected) in [
        (own.to_owned(), 202),
        ("https://answers.example.com".to_owned(), 202),
        ("http://answers.example.com".to_owned(), 403),
        ("http://127.0.0.1".to_owned(), 403),
        ("http://127.0.0.1:1".to_owned(), 403),
        (format!("https://127.0.0.1:{port}"), 403),
        (format!("http://localhost:{port}"), 403),
    ] {
        let reply = app.post_with(SUBMIT, &[("origin", &origin)], "");
        assert_eq!(reply.status, expected, "{origin}: {reply:?}");
    }
    for site in ["same-origin", "none"] {
        assert_eq!(app.post_with(SUBMIT, &[("sec-fetch-site", site)], "").status, 202);
    }
    // The page of another port of this host, whatever it claims of its origin.
    let claims = [("sec-fetch-site", "same-site"), ("origin", own)];
    assert_eq!(app.post_with(SUBMIT, &claims, "").code(), "cross_site");
    assert_eq!(app.post(SUBMIT).status, 202);
}

#[test]
fn a_link_from_elsewhere_opens_pages_and_nothing_else() {
    let app = builder("").start();
    let follows = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    for page in ["/", "/docs", "/docs/api", "/docs/search?q=job", "/practice", "/practice?q=job"] {
        assert_eq!(app.get_with(page, &follows).status, 200, "{page}");
    }
    for path in ["/jobs", "/scrapers/chatgpt?prompt=x", "/stats", "/practice/stream?q=job"] {
        assert_eq!(app.get_with(path, &follows).code(), "cross_site", "{path}");
    }
    let framed = [follows[0], follows[1], ("sec-fetch-dest", "iframe")];
    assert_eq!(app.get_with("/", &framed).code(), "cross_site");
    assert_eq!(app.post_with("/docs", &follows, "").code(), "cross_site");
}

#[test]
fn where_keys_are_needed_a_key_is_enough() {
    let app = builder("").config(&keys("")).start();
    let foreign = [A[0], ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    app.post_with(SUBMIT, &foreign, "").expect(202);
    assert_eq!(raw(&app, "GET /healthz HTTP/1.1\r\nhost: evil.example\r\n").0, 200);
}

#[test]
fn a_star_allows_every_origin_and_no_other_host() {
    let app = builder("cors_origins = [\"*\"]").start();
    let image = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
    assert_eq!(app.get_with("/jobs", &image).status, 200);
    assert_eq!(app.get_with("/jobs", &[("origin", "https://evil.example")]).status, 200);
    assert_eq!(submit_to(&app, "evil.example").0, 403);
}
