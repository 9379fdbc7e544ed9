//! The clients of the guide, run as they stand there against a real server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;

use sha2::{Digest, Sha256};

use super::examples::{example, run};
use crate::app::{App, Builder};

const KEY: &str = "key-of-the-client";
const LANGUAGES: &[(&str, &str)] = &[
    ("How do I use answerd from a shell script?", "sh"),
    ("How do I use answerd from Python without the library?", "python"),
    ("How do I use answerd from JavaScript?", "javascript"),
    ("How do I use answerd from Rust?", "rust"),
];

fn keyed() -> App {
    let hash: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("[[keys]]\nname = \"client\"\nhash = \"sha256:{hash}\"");
    Builder::new().config(&key).start()
}

/// Runs the client in a language against a server at `base`.
fn client(heading: &str, language: &str, base: &str, key: &str) -> Output {
    let code = example("clients", heading, language);
    let environment = [("ANSWERD_URL", base), ("ANSWERD_API_KEY", key)];
    let at = tempfile::tempdir().unwrap();
    match language {
        "sh" => run("sh", &["-c", &code], &environment, at.path()),
        "python" => run("python3", &["-c", &code], &environment, at.path()),
        "javascript" => run("node", &["--input-type=module", "-e", &code], &environment, at.path()),
        "rust" => {
            // Cargo builds it beside the tests.
            let tests = std::env::current_exe().unwrap();
            let built = tests.parent().unwrap().parent().unwrap().join("examples/client");
            run(built.to_str().unwrap(), &[], &environment, at.path())
        }
        other => panic!("the guide has a client in {other}"),
    }
}

#[test]
fn every_client_asks_and_shows_the_answer() {
    let app = keyed();
    for (heading, language) in LANGUAGES {
        let ended = client(heading, language, &app.base, KEY);
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{language}: {error}");
        let jobs = app.get_with("/jobs?limit=1", &[("x-api-key", KEY)]).expect(200);
        let job = app.get(&format!("/jobs/{}", jobs["jobs"][0]["job_id"].as_str().unwrap()));
        let job = job.expect(200);
        assert_eq!(job["prompt"], "How do I back up the store?");
        let field = if *language == "sh" { "result_markdown" } else { "result" };
        let shown = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(shown.trim_end(), job["result"][field].as_str().unwrap().trim_end());
    }
    let jobs = app.get_with("/jobs", &[("x-api-key", KEY)]).expect(200);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), LANGUAGES.len());
}

#[test]
fn every_client_tells_why_it_was_refused() {
    let app = keyed();
    for (heading, language) in LANGUAGES {
        let refused = client(heading, language, &app.base, "wrong");
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success(), "{language}");
        assert!(error.contains("Invalid API key."), "{language}: {error}");
    }
}

/// Refuses the first request with a 429 and passes the others on.
fn busy_at_first(server: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut connections = listener.incoming().map(Result::unwrap);
        refuse(connections.next().unwrap());
        for client in connections {
            let server = TcpStream::connect(server).unwrap();
            pass(client.try_clone().unwrap(), server.try_clone().unwrap());
            pass(server, client);
        }
    });
    base
}

fn refuse(mut client: TcpStream) {
    let mut head = Vec::new();
    let mut piece = [0; 1_024];
    // A body, where there is one, is so short that it comes with the head or right behind it.
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = client.read(&mut piece).unwrap();
        head.extend_from_slice(&piece[..read]);
    }
    let body = r#"{"detail":"Scraper queue full. Retry in a few seconds.","code":"queue_full"}"#;
    let reply = format!(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    client.write_all(reply.as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    // Until the client has read it and closes.
    let _ = client.read_to_end(&mut head);
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

#[test]
fn every_client_comes_again_when_the_service_is_busy() {
    let app = Builder::new().start();
    let server = app.server().address();
    for (heading, language) in LANGUAGES {
        let ended = client(heading, language, &busy_at_first(server), "");
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{language}: {error}");
        assert!(String::from_utf8_lossy(&ended.stdout).contains("backup"), "{language}");
    }
}

#[test]
fn the_rust_client_is_the_one_that_is_built() {
    let file = include_str!("client.rs");
    let (_, program) = file.split_once("\n\n").unwrap();
    assert_eq!(example("clients", "How do I use answerd from Rust?", "rust"), program);
}
