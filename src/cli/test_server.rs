//! A server for tests: sends given replies in order, and keeps the requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::console::Console;

pub(crate) struct TestServer {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl TestServer {
    /// Starts a server that answers one request for each reply (status and JSON body), and has no
    /// events.
    pub(crate) fn answering(replies: Vec<(u16, String)>) -> TestServer {
        TestServer::with_events(Vec::new(), replies)
    }

    /// Does what [`TestServer::answering`] does, with the bodies of its streams of events, which
    /// are no replies of those: a client asks for them when it likes.
    pub(crate) fn with_events(streams: Vec<String>, replies: Vec<(u16, String)>) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut streams = streams.into_iter();
        let thread = std::thread::spawn(move || {
            replies.iter().map(|reply| answer_one(&listener, reply, &mut streams)).collect()
        });
        TestServer { url, thread }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns what it was asked, once all its replies are spent: head and body of each request.
    pub(crate) fn asked(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn answer_one(
    listener: &TcpListener,
    (status, body): &(u16, String),
    streams: &mut impl Iterator<Item = String>,
) -> String {
    loop {
        let (asked, stream) = read_one(listener);
        let is_stream = asked.lines().next().is_some_and(|line| line.contains("/events "));
        if !is_stream {
            answer(stream, *status, body);
            return asked;
        }
        match streams.next() {
            Some(events) => answer(stream, 200, &events),
            None => answer(stream, 404, r#"{"detail": "There is nothing here."}"#),
        }
    }
}

fn answer(mut stream: TcpStream, status: u16, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\nconnection: close\r\n");
    write!(stream, "{head}\r\n{body}").unwrap();
}

fn read_one(listener: &TcpListener) -> (String, TcpStream) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut asked = String::new();
    let mut body_bytes = 0;
    loop {
        let start = asked.len();
        reader.read_line(&mut asked).unwrap();
        let line = asked[start..].trim().to_ascii_lowercase();
        if let Some(length) = line.strip_prefix("content-length:") {
            body_bytes = length.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut sent = vec![0; body_bytes];
    reader.read_exact(&mut sent).unwrap();
    asked.push_str(&String::from_utf8(sent).unwrap());
    (asked, reader.into_inner())
}

/// Returns a job object as the server shows it; a done one has a result.
pub(crate) fn job(status: &str, phase: &str) -> Value {
    let mut job = json!({
        "job_id": "0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10", "status": status, "scraper": "practice",
        "prompt": "What?", "country": "US", "phase": phase, "attempts": 1,
    });
    if status == "done" {
        job["result"] = json!({
            "result": "An answer.", "result_markdown": "*An* answer.", "credits_used": 3,
            "elapsed_ms": 12.0, "cached": false, "markdown_url": "http://host/md/0b7c.md",
            "sources": [{"title": "A page", "url": "https://a.example/", "snippet": ""}],
        });
    }
    if status == "failed" {
        job["error"] = json!("The upstream did not answer.");
        job["error_code"] = json!("upstream_unreachable");
    }
    job
}

/// The output of a test's console.
#[derive(Clone, Default)]
pub(crate) struct Written {
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
}

struct Stream(Arc<Mutex<Vec<u8>>>);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.out.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.err.lock().unwrap().clone()).unwrap()
    }
}

/// Creates a console whose streams are kept.
pub(crate) fn streams(json: bool) -> (Console, Written) {
    let written = Written::default();
    let stream = |kept: &Arc<Mutex<Vec<u8>>>| Box::new(Stream(kept.clone()));
    (Console::of_test(stream(&written.out), stream(&written.err), json), written)
}
