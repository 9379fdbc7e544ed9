//! Request bodies: repeated fields, forms, too large ones, and too many at once.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::app::{App, Builder, Reply, Scripted, until};
use crate::limits::{A, keys};

const SUBMIT: &str = "/scrapers/chatgpt/jobs";
/// A body far over the limit.
const LARGE_BYTES: usize = 3 << 20;

fn builder() -> Builder {
    Builder::new().scripted("chatgpt", &Scripted::new("script", []))
}

fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.base.strip_prefix("http://").unwrap()).unwrap()
}

/// Sends everything, and only then reads until the server closes.
fn send_then_read(app: &App, head: &str, body: &[u8]) -> String {
    let mut stream = connect(app);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[track_caller]
fn assert_refused(reply: &Reply, code: &str, words: &[&str]) {
    assert_eq!((reply.status, reply.code().as_str()), (400, code), "{reply:?}");
    for word in words {
        assert!(reply.text.contains(word), "{word}: {reply:?}");
    }
}

#[test]
fn repeated_fields_are_refused_and_nothing_is_written() {
    let app = builder().start();
    let before = app.server().writer_stats().writes;
    let post = |path: &str, body: &str| app.post_with(path, &[], body);
    for body in [
        r#"{"prompt":"a","prompt":"b"}"#,
        r#"{"prompt":"a","country":"DE","\u0070rompt":"a"}"#,
        r#"{"prompt":null,"prompt":"a"}"#,
    ] {
        assert_refused(&post(SUBMIT, body), "parameter_repeated", &["`prompt`", "twice"]);
    }
    for (body, word) in [
        (r#"{"scraper":"chatgpt","prompts":["a"],"prompts":["b"]}"#, "`prompts`"),
        (r#"{"scraper":"chatgpt","scraper":"chatgpt","items":[{"prompt":"a"}]}"#, "`scraper`"),
        (r#"{"items":[{"scraper":"chatgpt","prompt":"a","prompt":"b"}]}"#, "`prompt` of item 0"),
        (
            r#"{"scraper":"chatgpt","items":[{"prompt":"a"},{"prompt":"a","mode":"x","mode":"x"}]}"#,
            "`mode` of item 1",
        ),
    ] {
        assert_refused(&post("/batches", body), "parameter_repeated", &[word, "twice"]);
    }
    assert_eq!(app.server().writer_stats().writes, before);
    // What is not known is ignored, as in the query.
    post(SUBMIT, r#"{"other":1,"prompt":"a","other":{"prompt":2}}"#).expect(202);
}

#[test]
fn a_form_is_told_to_send_json_or_a_query() {
    let app = builder().start();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for path in [SUBMIT, "/batches"] {
        let reply = app.post_with(path, &form, "prompt=x&country=DE");
        assert_refused(&reply, "body_invalid", &["a form", "as JSON", "query"]);
    }
    // curl's `-d` names that type whatever it sends.
    app.post_with(SUBMIT, &form, r#"{"prompt":"x"}"#).expect(202);
    app.post_with(&format!("{SUBMIT}?prompt=x"), &form, "").expect(202);
}

#[test]
fn a_batch_is_counted_beyond_its_limit() {
    let app = builder().start();
    let items = format!("{{\"items\":[{}0]}}", "0,".repeat(2_000_000));
    let reply = app.post_with("/batches", &[], &items);
    assert_refused(&reply, "batch_too_large", &["given: 2000001."]);
}

#[test]
fn a_refusal_arrives_before_the_connection_of_a_large_body_closes() {
    let app = builder().start();
    let keyed = builder().config(&keys("")).start();
    let body = vec![b' '; LARGE_BYTES];
    let chunks = [format!("{LARGE_BYTES:x}\r\n").as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let length = format!("content-length: {LARGE_BYTES}\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    for _ in 0..4 {
        for (app, start, code) in [
            (&app, format!("POST {SUBMIT} HTTP/1.1\r\nhost: localhost\r\n"), "body_too_large"),
            (&app, format!("POST {SUBMIT} HTTP/1.0\r\nhost: localhost\r\n"), "body_too_large"),
            (&app, format!("POST {SUBMIT} HTTP/1.1\r\nhost: evil.example\r\n"), "foreign_host"),
            (&app, "POST /jobs HTTP/1.1\r\nhost: localhost\r\n".to_owned(), "method_not_allowed"),
            (&app, "POST /none HTTP/1.1\r\nhost: localhost\r\n".to_owned(), "not_found"),
            (&keyed, format!("POST {SUBMIT} HTTP/1.1\r\nhost: a\r\n"), "key_missing"),
        ] {
            let reply = send_then_read(app, &format!("{start}{length}\r\n"), &body);
            assert!(reply.contains(&format!("\"{code}\"")), "{start}: {reply}");
            if start.contains("1.1") {
                let reply = send_then_read(app, &format!("{start}{chunked}\r\n"), &chunks);
                assert!(reply.contains(&format!("\"{code}\"")), "{start}: {reply}");
            }
        }
        let url = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(LARGE_BYTES));
        let reply = send_then_read(&app, &url, b"");
        assert!(reply.starts_with("HTTP/1.1 431"), "{reply}");
    }
}

#[test]
fn all_bodies_together_have_a_bound() {
    let app = builder().set("HTTP__BODY_KIB_MAX", 64).set("HTTP__BATCH_KIB_MAX", 64).start();
    let large = format!("{{\"prompt\":\"x\"{}}}", " ".repeat((64 << 10) - 14));
    // Bodies whose last byte does not come are held. Which ones find room is open, but at some time
    // there is none for one more.
    let mut held = Vec::new();
    let mut fill = |path: &str| {
        until(|| {
            let mut stream = connect(&app);
            let head = format!("POST {SUBMIT} HTTP/1.1\r\nhost: localhost\r\n");
            let head = format!("{head}content-length: {}\r\n\r\n", large.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&large.as_bytes()[..large.len() - 1]).unwrap();
            held.push(stream);
            let reply = app.post_with(path, &[], &large);
            (reply.status == 503).then_some(reply)
        })
    };
    for path in [SUBMIT, "/batches"] {
        let refused = fill(path);
        assert_eq!(refused.code(), "bodies_full", "{path}: {refused:?}");
        assert_eq!(refused.headers["retry-after"], "2", "{path}");
    }
    drop(held);
    until(|| (app.post_with(SUBMIT, &[], &large).status == 202).then_some(()));
}

#[test]
fn a_body_over_the_rate_limit_is_not_read() {
    let (builder, _clock) = builder().config(&keys("requests_per_minute = 1")).manual();
    let app = builder.start();
    app.post_with(&format!("{SUBMIT}?prompt=x"), &A, "").expect(202);
    for path in [SUBMIT, "/batches"] {
        let mut stream = connect(&app);
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: secret-a\r\n");
        stream.write_all(format!("{head}content-length: 60000\r\n\r\n").as_bytes()).unwrap();
        // Nothing of the body is sent.
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 429") && reply.contains("rate_limit"), "{reply}");
        assert!(reply.contains("retry-after: 60\r\n"), "{reply}");
    }
}
