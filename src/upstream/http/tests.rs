//! The client against real sockets on the loopback: each test scripts what the other side does with
//! the connections it gets, one after another.

mod exchange;
mod redirects;
mod rounds;
mod tasks;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use serde_json::json;

use super::exchange::ROUNDS_MAX;
use super::*;
use crate::answer::{Answer, Kind, Source};
use crate::clock::Clock;
use crate::config::{self, Secret, UpstreamKind};
use crate::job::{RawRequest, Reason, ScrapeRequest, UpstreamUsage};
use crate::net::{BODY_BYTES_MAX, HeaderValue, HttpReply, HttpRequest, Method};
use crate::upstream::provider::{Provider, Step};
use crate::upstream::providers::test_support;
use crate::upstream::{Call, Upstream, UpstreamError};

const PROMPT: &str = "a private question";
const KEY: &str = "key-that-is-secret";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// `{"text":"zipped"}`, gzipped.
const ZIPPED: &str = "1f8b0800000000000203ab562a49ad2851b252aaca2c28484d51aa0500edf6e3dd11000000";
/// 64 KiB of zeros, gzipped; a body may hold many such members.
const ZIPPED_64_KIB: &str = "1f8b0800000000000203edc101010000008090feafee080a0000000000000000\
    0000000000000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000000006aeb8e97d700000100";

type Handler = Box<dyn FnOnce(&mut TcpStream) + Send>;

struct Server {
    base_url: String,
    /// What was asked, head and body, in order.
    asked: Receiver<String>,
}

/// Serves one connection after another, each for one request.
fn serve(handlers: Vec<Handler>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = unbounded();
    std::thread::spawn(move || {
        for handler in handlers {
            let (mut stream, _) = listener.accept().unwrap();
            tell.send(read_request(&stream)).unwrap();
            handler(&mut stream);
        }
    });
    Server { base_url, asked }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return request;
        }
    }
    let head = request.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    request + std::str::from_utf8(&body).unwrap()
}

fn answer(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Handler {
    let body = body.into();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    Box::new(move |stream| {
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&body);
    })
}

/// Bytes as they are, then the end of the connection.
fn raw(bytes: impl Into<Vec<u8>>) -> Handler {
    let bytes = bytes.into();
    Box::new(move |stream| {
        let _ = stream.write_all(&bytes);
    })
}

/// Says nothing until the client has gone.
fn silence(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 1]);
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

type Reply = dyn Fn(&[HttpReply]) -> Result<Step, UpstreamError> + Send + Sync;

/// Asks with one POST; what the replies mean is the test's part.
struct Fake {
    url: String,
    secret_query: bool,
    resolve_prefix: Option<&'static str>,
    reply: Box<Reply>,
}

impl Provider for Fake {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        let secret = HeaderValue::Secret(Secret::new(KEY));
        Ok(HttpRequest {
            method: Method::Post,
            url: self.url.clone(),
            headers: vec![("X-Key".to_owned(), secret)],
            body: Some(json!({ "prompt": request.prompt })),
            secret_query: self.secret_query.then(|| ("api_key".to_owned(), Secret::new(KEY))),
        })
    }

    fn reply(&self, _: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        (self.reply)(replies)
    }

    /// A search for each reply.
    fn usage(&self, replies: &[HttpReply]) -> UpstreamUsage {
        let searches = Some(replies.len() as u64).filter(|replies| *replies > 0);
        UpstreamUsage { searches, ..UpstreamUsage::default() }
    }

    fn resolve_prefix(&self) -> Option<&'static str> {
        self.resolve_prefix
    }
}

/// The body is the answer; any other status than 200 is an error that names it.
fn body_is_answer(replies: &[HttpReply]) -> Result<Step, UpstreamError> {
    let reply = replies.last().unwrap();
    if reply.status != 200 {
        return Err(UpstreamError::new(Reason::UpstreamError, format!("HTTP {}", reply.status)));
    }
    let markdown = String::from_utf8_lossy(&reply.body).into_owned();
    Ok(Step::Done(Box::new(Answer { markdown, ..Answer::default() })))
}

fn fake(base_url: &str) -> Fake {
    Fake {
        url: format!("{base_url}/v1/ask?version=2"),
        secret_query: false,
        resolve_prefix: None,
        reply: Box::new(body_is_answer),
    }
}

fn to(method: Method, url: &str) -> HttpRequest {
    HttpRequest { method, url: url.to_owned(), headers: Vec::new(), body: None, secret_query: None }
}

/// Another round.
fn post(url: &str) -> Result<Step, UpstreamError> {
    Ok(Step::Round(to(Method::Post, url)))
}

fn settings() -> config::Upstream {
    config::Upstream {
        name: "some".to_owned(),
        api_key: None,
        timeout_seconds: 30,
        ..test_support::settings(UpstreamKind::Compatible)
    }
}

fn now() -> Instant {
    Clock::System.instant()
}

fn call_within(milliseconds: u64) -> Call {
    let deadline = now() + Duration::from_millis(milliseconds);
    Call::until(deadline)
}

fn ask_with(fake: Fake, call: &Call) -> Result<Answer, UpstreamError> {
    let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
    let upstream = HttpUpstream::new(&settings(), Box::new(fake), Clock::System).unwrap();
    let upstream = upstream.polling_every(POLL_INTERVAL);
    let outcome = upstream.ask(&raw.check("chatgpt", &[]).unwrap(), call);
    if let Err(error) = &outcome {
        for private in [KEY, PROMPT, "127.0.0.1", "version"] {
            assert!(!error.sentence.contains(private), "{error}");
        }
    }
    outcome
}

fn ask(server: &Server) -> Result<Answer, UpstreamError> {
    ask_with(fake(&server.base_url), &call_within(20_000))
}

fn reason(handler: Handler) -> Reason {
    ask(&serve(vec![handler])).unwrap_err().reason
}

#[test]
fn settings_that_do_not_hold_are_named() {
    for url in ["no address", "ftp://127.0.0.1/"] {
        let broken = Fake { url: url.to_owned(), ..fake("") };
        let error = ask_with(broken, &call_within(5_000)).unwrap_err();
        assert_eq!(error.reason, Reason::BadRequest, "{url}");
        assert!(error.sentence.contains("`base_url`"), "{error}");
    }
    let proxy = config::Upstream { proxy: Some(Secret::new("::")), ..settings() };
    assert!(HttpUpstream::new(&proxy, Box::new(fake("")), Clock::System).is_err());
}

#[test]
fn extra_body_goes_with_every_request_last() {
    let server = serve(vec![
        answer("200 OK", "", "1"),
        answer("200 OK", "", "2"),
        answer("200 OK", "", "3"),
    ]);
    let url = server.base_url.clone();
    let reply = move |replies: &[HttpReply]| match replies.len() {
        1 => Ok(Step::Round(HttpRequest {
            body: Some(json!({"round": 2, "reasoning": {"effort": "low", "summary": "auto"}})),
            ..to(Method::Post, &url)
        })),
        2 => Ok(Step::Round(to(Method::Get, &url))),
        _ => body_is_answer(replies),
    };
    let extra = json!({"reasoning": {"effort": "high"}, "prompt_cache": true});
    let settings =
        config::Upstream { extra_body: extra.as_object().unwrap().clone(), ..settings() };
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    let upstream = HttpUpstream::new(&settings, Box::new(fake), Clock::System).unwrap();
    let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
    let request = raw.check("chatgpt", &[]).unwrap();
    assert_eq!(upstream.ask(&request, &call_within(20_000)).unwrap().markdown, "3");
    let bodies: Vec<String> = server
        .asked
        .iter()
        .map(|asked| asked.split_once("\r\n\r\n").unwrap().1.to_owned())
        .collect();
    let sent = |at: usize| -> serde_json::Value { serde_json::from_str(&bodies[at]).unwrap() };
    let first = json!({"prompt": PROMPT, "reasoning": {"effort": "high"}, "prompt_cache": true});
    assert_eq!(sent(0), first);
    let second = json!({"round": 2, "reasoning": {"effort": "high", "summary": "auto"},
        "prompt_cache": true});
    assert_eq!(sent(1), second);
    assert_eq!(bodies[2], "", "a GET has no body");
}
