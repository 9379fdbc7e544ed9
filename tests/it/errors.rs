//! Every error is JSON with `detail` and `code`, names the parameter, the rule and the value, and
//! leaves nothing behind. Contract 1.3 and 1.10.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::{App, Builder, Scripted, encoded};

fn app() -> App {
    Builder::new()
        .scripted("chatgpt", &Scripted::new("script", []))
        .scripted("gemini", &Scripted::new("script2", []))
        .start()
}

/// Bad queries: what is sent, the code, and what the sentence must contain.
const BAD_QUERIES: &[(&str, &str, &[&str])] = &[
    ("", "prompt_missing", &["`prompt`", "required"]),
    ("prompt=", "prompt_blank", &["`prompt`", "not blank"]),
    ("prompt=%20%09", "prompt_blank", &["`prompt`", "not blank"]),
    ("prompt=a%00b", "prompt_invalid", &["`prompt`", "U+0000"]),
    ("prompt=%", "query_invalid", &["percent", "`%`"]),
    ("prompt=%g1", "query_invalid", &["percent", "`%g1`"]),
    ("prompt=%ff", "query_invalid", &["UTF-8"]),
    ("prompt=x&prompt=y", "parameter_repeated", &["`prompt`", "twice"]),
    ("prompt=x&country=USA", "country_invalid", &["`country`", "3166", "`USA`"]),
    ("prompt=x&country=XX", "country_invalid", &["`country`", "`XX`"]),
    ("prompt=x&country=", "country_invalid", &["`country`", "``"]),
    ("prompt=x&timeout=9.9", "timeout_invalid", &["`timeout`", "10 to 600", "`9.9`"]),
    ("prompt=x&timeout=601", "timeout_invalid", &["`timeout`", "`601`"]),
    ("prompt=x&timeout=nan", "timeout_invalid", &["`timeout`", "`NaN`"]),
    ("prompt=x&timeout=soon", "parameter_invalid", &["`timeout`", "number", "`soon`"]),
    ("prompt=x&bypass_cache=yes", "parameter_invalid", &["`bypass_cache`", "`true`", "`yes`"]),
    ("prompt=x&web_search=2", "parameter_invalid", &["`web_search`", "`2`"]),
    ("prompt=x&markdown_json=", "parameter_invalid", &["`markdown_json`", "``"]),
    ("prompt=x&mode=%0a", "mode_invalid", &["`mode`", "control"]),
];

#[test]
fn bad_parameters_are_named_with_rule_and_value_on_both_paths() {
    let app = app();
    let before = app.server().writer_stats().writes;
    for (query, code, parts) in BAD_QUERIES {
        let replies = [
            app.get(&format!("/scrapers/chatgpt?{query}")),
            app.post(&format!("/scrapers/chatgpt/jobs?{query}")),
        ];
        for reply in replies {
            assert_eq!((reply.status, reply.code().as_str()), (400, *code), "{query}");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            for part in *parts {
                assert!(detail.contains(part), "{query}: {detail}");
            }
        }
    }
    let long = app.get(&format!("/scrapers/chatgpt?prompt={}", "x".repeat(4_001)));
    assert_eq!(long.code(), "prompt_too_long");
    assert_eq!(app.server().writer_stats().writes, before, "a refusal writes nothing");
}

#[test]
fn refused_countries_are_those_of_the_scraper() {
    let app = app();
    for country in ["JP", "tw"] {
        let refused = app.post(&format!("/scrapers/gemini/jobs?prompt=x&country={country}"));
        assert_eq!(refused.code(), "country_refused");
        app.post(&format!("/scrapers/chatgpt/jobs?prompt=x&country={country}")).expect(202);
    }
}

#[test]
fn bodies_are_checked_like_queries() {
    let app = app();
    let json = [("content-type", "application/json")];
    for (body, code) in [
        ("{", "body_invalid"),
        ("[1]", "body_invalid"),
        ("prompt=x", "body_invalid"),
        (r#"{"prompt":5}"#, "parameter_invalid"),
        (r#"{"prompt":"x","timeout":"60"}"#, "parameter_invalid"),
        (r#"{"prompt":"x","timeout":1}"#, "timeout_invalid"),
        (r#"{"prompt":"  "}"#, "prompt_blank"),
        (r#"{"prompt":"a\u0000"}"#, "prompt_invalid"),
        ("{}", "prompt_missing"),
    ] {
        let reply = app.post_with("/scrapers/chatgpt/jobs", &json, body);
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
    }
    let both = app.post_with("/scrapers/chatgpt/jobs?prompt=x", &json, r#"{"prompt":"y"}"#);
    assert_eq!(both.code(), "parameter_conflict");
    let split = app.post_with("/scrapers/chatgpt/jobs?country=fr", &json, r#"{"prompt":"y"}"#);
    assert_eq!(split.expect(202)["country"], "FR");
    let large = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(300 << 10));
    let reply = app.post_with("/scrapers/chatgpt/jobs", &json, &large);
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
}

#[test]
fn unknown_paths_methods_and_scrapers_are_json_too() {
    let app = app();
    for path in [
        "/dashboard",
        "/dashboard/x.js",
        "/nothing",
        "/jobs/",
        "/jobs/a/b",
        "/scrapers/",
        "/md/x",
        "/%ff",
    ] {
        let reply = app.get(path);
        assert_eq!(reply.status, 404, "{path}");
        reply.code();
    }
    let unknown = app.get("/scrapers/altavista?prompt=x");
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "scraper_unknown"));
    let detail = unknown.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("altavista") && detail.contains("perplexity"), "{detail}");

    let missing = app.get("/scrapers/perplexity?prompt=x");
    assert_eq!((missing.status, missing.code().as_str()), (503, "scraper_not_configured"));
    let detail = missing.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("PERPLEXITY_API_KEY"), "{detail}");
    assert!(missing.headers.contains_key("retry-after"));

    for (method, path, allow) in [
        ("POST", "/scrapers/chatgpt", "GET"),
        ("DELETE", "/scrapers/chatgpt/jobs", "POST"),
        ("PUT", "/jobs/x", "GET, HEAD, DELETE"),
        ("POST", "/md/x.md", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ] {
        let reply = app.method(method, path);
        assert_eq!((reply.status, reply.code().as_str()), (405, "method_not_allowed"), "{path}");
        assert_eq!(reply.headers["allow"], allow, "{path}");
    }
}

#[test]
fn a_browser_is_led_to_pages_and_shown_one_where_there_is_none() {
    let app = app();
    let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    for (path, page) in [
        ("/docs/", "/docs"),
        ("/docs/api/", "/docs/api"),
        ("/dashboard", "/"),
        ("/dashboard/", "/"),
    ] {
        let reply = app.get_with(path, &browser);
        assert_eq!((reply.status, reply.headers["location"].as_str()), (308, page), "{path}");
        assert_eq!(app.get_with(page, &browser).status, 200);
        assert_eq!(app.get(path).code(), "not_found", "{path}");
    }
    for path in ["/docs/x", "/docs/x/", "/docs/assets/x", "/dashboard/x", "/x", "/x/", "//evil/"] {
        let reply = app.get_with(path, &browser);
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert!(reply.headers.contains_key("content-security-policy"), "{path}");
        // In the look of the guide, with a way on.
        let links = ["<h1>Not found</h1>", "href=\"/docs\"", "href=\"/\"", "/practice.css"];
        for part in links {
            assert!(reply.text.contains(part), "{path}: {part}: {}", reply.text);
        }
        assert_eq!(app.get(path).code(), "not_found", "{path}");
    }
    let quoted = app.get_with("/docs/%3Cb%3E", &browser).text;
    assert!(quoted.contains("<code>&lt;b&gt;</code>") && !quoted.contains("<b>"), "{quoted}");
    assert_eq!(app.get_with("/jobs/x", &browser).code(), "job_not_found");
}

#[test]
fn ids_that_are_unknown_or_no_ids_are_one_404() {
    let app = app();
    for id in [
        "x",
        "00000000-0000-0000-0000-000000000000",
        "6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f",
        "{6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f}",
        "6f1c2d3e4b5a4c7d8e9f0a1b2c3d4e5f",
        "%00",
    ] {
        for path in [format!("/jobs/{}", encoded(id)), format!("/md/{}.md", encoded(id))] {
            let reply = app.get(&path);
            assert_eq!((reply.status, reply.code().as_str()), (404, "job_not_found"), "{path}");
        }
    }
}

fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.base.strip_prefix("http://").unwrap()).unwrap()
}

/// A connection that has had a good request already.
fn used(app: &App, version: &str) -> TcpStream {
    let mut stream = connect(app);
    let good =
        format!("GET /healthz {version}\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n");
    stream.write_all(good.as_bytes()).unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(br#"{"status":"ok"}"#) {
        let mut piece = [0; 1_024];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "closed after {}", String::from_utf8_lossy(&reply));
        reply.extend_from_slice(&piece[..read]);
    }
    stream
}

/// Sends bytes as they are and reads until the server closes.
fn raw_on(mut stream: TcpStream, request: &[u8]) -> String {
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(request);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn heads_up_to_what_the_parser_reads_are_refused_in_json() {
    let app = app();
    let refused = |request: String| {
        for connection in [connect(&app), used(&app, "HTTP/1.1")] {
            let reply = raw_on(connection, request.as_bytes());
            assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
            assert!(reply.contains("\"url_too_long\""), "{reply}");
        }
    };
    let rest = "HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    for bytes in [60_001, 61_000, 65_500] {
        refused(format!("GET /{} {rest}\r\n", "x".repeat(bytes - 1)));
    }
    for header in [100_000, 125_000] {
        refused(format!("GET / {rest}other: {}\r\n\r\n", "x".repeat(header)));
    }
    // The longest prompt of the widest characters fits into both.
    let prompt = "%F0%9F%98%80".repeat(4_000);
    let taken = app.get(&format!("/scrapers/chatgpt?prompt={prompt}"));
    assert_eq!(taken.status, 200, "{}", taken.text);
}

#[test]
fn what_is_no_http_request_gets_an_answer_and_stops_nothing() {
    let app = app();
    let huge_url = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(200_000));
    let long_url = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(65_600));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(500));
    for request in [
        huge_url.as_bytes(),
        long_url.as_bytes(),
        many_headers.as_bytes(),
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /scrapers/chatgpt/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /scrapers/chatgpt/jobs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        for connection in [connect(&app), used(&app, "HTTP/1.1"), used(&app, "HTTP/1.0")] {
            let reply = raw_on(connection, request);
            // The parser's own, so it says nothing but its status.
            assert!(reply.starts_with("HTTP/1."), "{shown:?}: {reply}");
            assert_eq!(reply.get(8..10), Some(" 4"), "{shown:?}: {reply}");
        }
    }
    assert_eq!(app.get("/healthz").status, 200);
}
