//! The client against real sockets on the loopback: each test scripts what the other side does with
//! the connections it gets, one after another.

mod tasks;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use serde_json::json;

use super::*;
use crate::answer::{Answer, Kind, Source};
use crate::clock::Clock;
use crate::config::{self, Secret, UpstreamKind};
use crate::job::{RawRequest, Reason, ScrapeRequest};
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
    Ok(Step::Next(to(Method::Post, url)))
}

/// Another look.
fn get(url: &str) -> Result<Step, UpstreamError> {
    Ok(Step::Next(to(Method::Get, url)))
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
fn a_request_is_sent_as_the_provider_wrote_it() {
    let server = serve(vec![answer("200 OK", "", "hello")]);
    assert_eq!(ask(&server).unwrap().markdown, "hello");
    let asked = server.asked.recv().unwrap();
    let head = asked.to_ascii_lowercase();
    assert!(asked.starts_with("POST /v1/ask?version=2 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with(r#"{"prompt":"a private question"}"#), "{asked}");
    assert!(head.contains(concat!("user-agent: answerd/", env!("CARGO_PKG_VERSION"))), "{asked}");
    assert!(head.contains("content-type: application/json\r\n"), "{asked}");
    assert!(head.contains("x-key: key-that-is-secret\r\n"), "{asked}");
}

#[test]
fn a_secret_of_the_query_is_added_at_the_last_moment() {
    let server = serve(vec![answer("500 No", "", "")]);
    let fake = Fake { secret_query: true, ..fake(&server.base_url) };
    assert_eq!(ask_with(fake, &call_within(20_000)).unwrap_err().reason, Reason::UpstreamError);
    let asked = server.asked.recv().unwrap();
    assert!(asked.starts_with(&format!("POST /v1/ask?version=2&api_key={KEY} HTTP")), "{asked}");
}

#[test]
fn headers_of_the_reply_are_in_lower_case() {
    let server = serve(vec![answer("429 Slow", "Retry-After: 7\r\n", "")]);
    let reply = |replies: &[HttpReply]| {
        let wait = replies[0].header("retry-after").unwrap_or("none").to_owned();
        Err(UpstreamError::new(Reason::UpstreamRateLimited, wait))
    };
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    assert_eq!(ask_with(fake, &call_within(20_000)).unwrap_err().sentence, "7");
}

#[test]
fn gzip_is_read() {
    let server = serve(vec![answer("200 OK", "content-encoding: gzip\r\n", from_hex(ZIPPED))]);
    assert_eq!(ask(&server).unwrap().markdown, r#"{"text":"zipped"}"#);
    assert!(server.asked.recv().unwrap().to_ascii_lowercase().contains("accept-encoding: gzip"));
}

#[test]
fn a_head_that_never_comes_ends_with_the_deadline() {
    let server = serve(vec![Box::new(silence)]);
    let began = now();
    let error = ask_with(fake(&server.base_url), &call_within(100)).unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamTimeout);
    assert!(now() - began < Duration::from_secs(5));
}

#[test]
fn a_body_that_trickles_ends_with_the_deadline() {
    let server = serve(vec![Box::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        // Nobody sends: a pause between two bytes.
        let (_never, pause) = unbounded::<()>();
        while stream.write_all(b"a").is_ok() {
            let _ = pause.recv_timeout(Duration::from_millis(5));
        }
    })]);
    let began = now();
    let error = ask_with(fake(&server.base_url), &call_within(200)).unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamTimeout);
    assert!(now() - began < Duration::from_secs(5));
}

#[test]
fn after_the_deadline_nothing_is_sent() {
    let server = serve(vec![answer("200 OK", "", "hello")]);
    let error = ask_with(fake(&server.base_url), &call_within(0)).unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamTimeout);
    assert!(server.asked.is_empty());
}

#[test]
fn a_connection_that_breaks_off_is_told_from_an_answer() {
    let cut_zip = from_hex(ZIPPED)[..20].to_vec();
    for handler in [
        raw(""),
        raw("HTTP/1.1 200 OK\r\ncontent-le"),
        raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes."),
        raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        answer("200 OK", "content-encoding: gzip\r\n", cut_zip),
    ] {
        assert_eq!(reason(handler), Reason::Unreachable);
    }
}

#[test]
fn chunked_reply_cut_anywhere_is_a_failure() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const WHOLE: &str = "6\r\n{\"a\":1\r\n1\r\n}\r\n0\r\n\r\n";
    let whole = ask(&serve(vec![raw(format!("{HEAD}{WHOLE}"))])).unwrap();
    assert_eq!(whole.markdown, r#"{"a":1}"#);
    // All before the last chunk, which says that it is the last.
    for length in 0..WHOLE.len() - "0\r\n\r\n".len() + 1 {
        let cut = format!("{HEAD}{}", &WHOLE[..length]);
        let error = ask(&serve(vec![raw(cut)])).unwrap_err();
        assert_eq!(
            (error.reason, error.reason.retryable()),
            (Reason::Unreachable, true),
            "{length}"
        );
    }
}

#[test]
fn reply_without_a_date_gets_the_time_of_its_receipt() {
    let dates = |headers: &str| {
        let server = serve(vec![answer("429 Slow", headers, "")]);
        let reply = |replies: &[HttpReply]| {
            let dates = replies[0].headers.iter().filter(|(name, _)| name == "date");
            let dates: Vec<&str> = dates.map(|(_, date)| date.as_str()).collect();
            Err(UpstreamError::new(Reason::UpstreamRateLimited, dates.join("|")))
        };
        let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
        ask_with(fake, &call_within(20_000)).unwrap_err().sentence
    };
    let before_ms = Clock::System.now_ms() / 1_000 * 1_000;
    let own_ms = crate::clock::parse_http_date(&dates("")).unwrap();
    assert!((before_ms..=Clock::System.now_ms()).contains(&own_ms));
    let theirs = dates("date: Mon, 11 May 2026 12:00:00 GMT\r\n");
    assert!(theirs.starts_with("Mon, 11 May 2026 12:00:00 GMT|"), "{theirs}");
}

#[test]
fn nobody_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ask_with(fake(&base_url), &call_within(5_000)).unwrap_err();
    assert_eq!(error.reason, Reason::Unreachable);
    assert_eq!(error.sentence, "some could not be reached: connection refused.");
}

#[test]
fn a_host_without_tls_is_not_trusted() {
    let server = serve(vec![raw("HTTP/1.1 400 This is plain HTTP\r\n\r\n")]);
    let base_url = server.base_url.replace("http://", "https://");
    let error = ask_with(fake(&base_url), &call_within(5_000)).unwrap_err();
    assert_eq!(error.reason, Reason::Unreachable, "{error}");
    assert!(error.sentence.contains("no trusted TLS connection"), "{error}");
}

#[test]
fn no_http_is_an_invalid_response() {
    assert_eq!(reason(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")), Reason::InvalidResponse);
    assert_eq!(
        reason(answer("200 OK", "content-encoding: gzip\r\n", "this is not zipped at all")),
        Reason::InvalidResponse
    );
}

#[test]
fn a_body_over_the_limit_is_refused_and_one_at_it_is_not() {
    let most = usize::try_from(BODY_BYTES_MAX).unwrap();
    assert_eq!(reason(answer("200 OK", "", vec![b'a'; 10 << 20])), Reason::TooLarge);
    assert_eq!(reason(answer("200 OK", "", vec![b'a'; most + 1])), Reason::TooLarge);
    let server = serve(vec![answer("200 OK", "", vec![b'a'; most])]);
    assert_eq!(ask(&server).unwrap().markdown.len(), most);
    let bomb = from_hex(ZIPPED_64_KIB).repeat(160);
    assert_eq!(reason(answer("200 OK", "content-encoding: gzip\r\n", bomb)), Reason::TooLarge);
}

#[test]
fn a_head_without_end_is_refused() {
    let endless = format!("x-filler: {}\r\n", "a".repeat(1 << 20));
    assert_eq!(reason(answer("200 OK", &endless, "")), Reason::TooLarge);
}

#[test]
fn statuses_reach_the_provider() {
    for status in ["302", "400", "401", "402", "404", "408", "429", "500", "503", "529"] {
        // A redirect too: where it leads is not asked.
        let said = answer(&format!("{status} Said"), "location: /elsewhere\r\n", "{}");
        let server = serve(vec![said, answer("200 OK", "", "")]);
        assert_eq!(ask(&server).unwrap_err().sentence, format!("HTTP {status}"));
        assert_eq!(server.asked.len(), 1);
    }
}

#[test]
fn a_canceled_call_sends_nothing() {
    let server = serve(vec![answer("200 OK", "", "hello")]);
    let call = call_within(5_000);
    call.canceled.store(true, Ordering::Relaxed);
    assert_eq!(ask_with(fake(&server.base_url), &call).unwrap_err().reason, Reason::Canceled);
    assert!(server.asked.is_empty());
}

#[test]
fn a_cancel_is_noticed_between_rounds_and_within_a_body() {
    let server = serve(vec![answer("200 OK", "", "one"), answer("200 OK", "", "two")]);
    let call = call_within(20_000);
    let (canceled, next) = (call.canceled.clone(), format!("{}/next", server.base_url));
    let reply = move |_: &[HttpReply]| {
        canceled.store(true, Ordering::Relaxed);
        post(&next)
    };
    let fake_with = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    assert_eq!(ask_with(fake_with, &call).unwrap_err().reason, Reason::Canceled);
    assert_eq!(server.asked.len(), 1);

    let call = call_within(20_000);
    let canceled = call.canceled.clone();
    let server = serve(vec![Box::new(move |stream| {
        canceled.store(true, Ordering::Relaxed);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        let _ = stream.write_all(&[b'a'; 200_000]);
        silence(stream);
    })]);
    assert_eq!(ask_with(fake(&server.base_url), &call).unwrap_err().reason, Reason::Canceled);
}

#[test]
fn rounds_go_on_until_the_provider_is_done() {
    let server = serve(vec![answer("200 OK", "", "one"), answer("200 OK", "", "two")]);
    let next = format!("{}/next", server.base_url);
    let reply = move |replies: &[HttpReply]| match replies {
        [_] => post(&next),
        _ => body_is_answer(replies),
    };
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    assert_eq!(ask_with(fake, &call_within(20_000)).unwrap().markdown, "two");
    assert!(server.asked.iter().nth(1).unwrap().starts_with("POST /next HTTP/1.1\r\n"));
}

#[test]
fn rounds_have_an_end() {
    let server = serve((0..=ROUNDS_MAX).map(|_| answer("200 OK", "", "")).collect());
    let next = format!("{}/next", server.base_url);
    let reply = move |_: &[HttpReply]| post(&next);
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    assert_eq!(ask_with(fake, &call_within(20_000)).unwrap_err().reason, Reason::Incomplete);
    assert_eq!(server.asked.len(), ROUNDS_MAX);
}

/// Looks for an answer until it says something else than "wait".
fn looking(server: &Server) -> Fake {
    let next = format!("{}/next", server.base_url);
    let reply = move |replies: &[HttpReply]| match replies {
        [HttpReply { body, .. }] if body == b"wait" => get(&next),
        [_] => body_is_answer(replies),
        _ => panic!("a look takes the place of the one before"),
    };
    Fake { reply: Box::new(reply), ..fake(&server.base_url) }
}

#[test]
fn an_answer_in_the_making_is_looked_at_again_and_again() {
    let looks = 3 * ROUNDS_MAX;
    let mut handlers: Vec<Handler> = (0..looks).map(|_| answer("200 OK", "", "wait")).collect();
    handlers.push(answer("200 OK", "", "hello"));
    let server = serve(handlers);
    let began = now();
    assert_eq!(ask_with(looking(&server), &call_within(20_000)).unwrap().markdown, "hello");
    assert!(now() - began >= POLL_INTERVAL * looks as u32);
    let asked: Vec<String> = server.asked.iter().collect();
    assert!(asked[0].starts_with("POST /v1/ask"));
    assert_eq!(asked.len(), looks + 1);
    assert!(asked[1..].iter().all(|asked| asked.starts_with("GET /next HTTP/1.1\r\n")));
}

#[test]
fn no_look_is_waited_for_beyond_the_deadline() {
    let server = serve(vec![answer("200 OK", "", "wait"), answer("200 OK", "", "hello")]);
    let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
    let upstream =
        HttpUpstream::new(&settings(), Box::new(looking(&server)), Clock::System).unwrap();
    // The shipped interval is longer than this call may take.
    let began = now();
    let error = upstream.ask(&raw.check("chatgpt", &[]).unwrap(), &call_within(1_900)).unwrap_err();
    assert_eq!(error.reason, Reason::UpstreamTimeout);
    assert!(now() - began < Duration::from_millis(1_900));
    assert_eq!(server.asked.len(), 1);
}

#[test]
fn a_cancel_is_noticed_between_two_looks() {
    let call = call_within(20_000);
    let canceled = call.canceled.clone();
    let server = serve(vec![answer("200 OK", "", "wait"), answer("200 OK", "", "hello")]);
    let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
    let next = format!("{}/next", server.base_url);
    let reply = move |_: &[HttpReply]| {
        let canceled = canceled.clone();
        std::thread::spawn(move || canceled.store(true, Ordering::Relaxed));
        get(&next)
    };
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    let upstream = HttpUpstream::new(&settings(), Box::new(fake), Clock::System).unwrap();
    let upstream = upstream.polling_every(Duration::from_secs(15));
    let began = now();
    let error = upstream.ask(&raw.check("chatgpt", &[]).unwrap(), &call).unwrap_err();
    assert_eq!(error.reason, Reason::Canceled);
    assert!(now() - began < Duration::from_secs(10));
    assert_eq!(server.asked.len(), 1);
}

#[test]
fn a_round_elsewhere_is_refused() {
    let server = serve(vec![answer("200 OK", "", "one")]);
    let other = serve(vec![answer("200 OK", "", "two")]);
    let next = format!("{}/next", other.base_url);
    let reply = move |_: &[HttpReply]| post(&next);
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    assert_eq!(ask_with(fake, &call_within(20_000)).unwrap_err().reason, Reason::InvalidResponse);
    assert!(other.asked.is_empty());
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
        1 => Ok(Step::Next(HttpRequest {
            body: Some(json!({"round": 2, "reasoning": {"effort": "low", "summary": "auto"}})),
            ..to(Method::Post, &url)
        })),
        2 if replies[1].body == b"2" => get(&url),
        _ => body_is_answer(replies),
    };
    let extra = json!({"reasoning": {"effort": "high"}, "prompt_cache": true});
    let settings =
        config::Upstream { extra_body: extra.as_object().unwrap().clone(), ..settings() };
    let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
    let upstream = HttpUpstream::new(&settings, Box::new(fake), Clock::System).unwrap();
    let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
    let request = raw.check("chatgpt", &[]).unwrap();
    let upstream = upstream.polling_every(POLL_INTERVAL);
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
    assert_eq!(bodies[2], "", "a look has no body");
}

/// Asks once, then looks up `urls` of the sources at the same server.
fn looked_up(server: &Server, paths: &[String]) -> Vec<String> {
    let prefix: &'static str = Box::leak(format!("{}/redirect/", server.base_url).into_boxed_str());
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| Source { url: format!("{}{path}", server.base_url), ..Source::default() })
        .collect();
    let reply = move |_: &[HttpReply]| {
        let sources = Some(sources.clone());
        Ok(Step::Done(Box::new(Answer { sources, ..Answer::default() })))
    };
    let fake =
        Fake { reply: Box::new(reply), resolve_prefix: Some(prefix), ..fake(&server.base_url) };
    let answer = ask_with(fake, &call_within(20_000)).unwrap();
    let base_url = server.base_url.as_str();
    answer.sources.unwrap().into_iter().map(|source| source.url.replace(base_url, "")).collect()
}

#[test]
fn addresses_that_redirect_are_replaced_by_where_they_lead() {
    let server = serve(vec![
        answer("200 OK", "", ""),
        answer("302 Found", "location: https://a.example/page\r\n", ""),
        answer("405 No HEAD", "", ""),
        answer("301 Moved", "location: https://b.example/\r\n", ""),
        answer("200 OK", "", ""),
        answer("302 Found", "location: javascript:alert(1)\r\n", ""),
    ]);
    let paths =
        ["/redirect/1", "/kept", "/redirect/2", "/redirect/1", "/redirect/3", "/redirect/4"];
    assert_eq!(
        looked_up(&server, &paths.map(str::to_owned)),
        [
            "https://a.example/page",
            "/kept",
            "https://b.example/",
            "https://a.example/page",
            "/redirect/3",
            "/redirect/4"
        ]
    );
    let asked: Vec<String> = server.asked.iter().collect();
    let lines: Vec<&str> =
        asked.iter().skip(1).map(|asked| asked.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "HEAD /redirect/1 HTTP/1.1",
            "HEAD /redirect/2 HTTP/1.1",
            "GET /redirect/2 HTTP/1.1",
            "HEAD /redirect/3 HTTP/1.1",
            "HEAD /redirect/4 HTTP/1.1",
        ]
    );
    assert!(asked.iter().skip(1).all(|asked| !asked.contains(KEY)));
}

#[test]
fn a_host_that_fails_is_not_asked_for_every_address() {
    let mut handlers = vec![answer("200 OK", "", "")];
    handlers.extend((0..10).map(|_| answer("200 OK", "", "")));
    let server = serve(handlers);
    let paths: Vec<String> = (0..10).map(|at| format!("/redirect/{at}")).collect();
    assert_eq!(looked_up(&server, &paths), paths);
    assert_eq!(server.asked.len(), 4);
}

#[test]
fn look_ups_are_limited_in_number() {
    let mut handlers = vec![answer("200 OK", "", "")];
    handlers.extend((0..40).map(|_| answer("302 Found", "location: https://a.example/\r\n", "")));
    let server = serve(handlers);
    let paths: Vec<String> = (0..40).map(|at| format!("/redirect/{at}")).collect();
    let kept = looked_up(&server, &paths).into_iter().filter(|url| url.starts_with('/')).count();
    assert_eq!(kept, 8);
}
