//! The practice page in an app, and on a port with the practice upstream asking it.

use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::{App, HttpRequest, HttpServer, rt};

use super::*;
use crate::answer::Answer;
use crate::job::{RawRequest, Reason};
use crate::practice::PracticeSource;
use crate::upstream::practice::PracticeUpstream;
use crate::upstream::{Call, Upstream, UpstreamError};

const AS_IS: Practice = Practice { latency_ms: 0, failure_percent: 0, payload_bytes: 0 };

async fn reply(state: &PracticeState, path: &str) -> HttpResponse {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let result = match path {
        "/practice" => show_page(state, query).await,
        "/practice/stream" => stream_answer(state, query).await,
        other => panic!("{other}"),
    };
    result.unwrap_or_else(|error| error.into_api_error(24).error_response())
}

async fn replies(settings: Practice, clock: Clock, paths: &[&str]) -> Vec<HttpResponse> {
    let state = PracticeState::new(Arc::new(Engine::new("http://h")), settings, clock);
    let mut replies = Vec::new();
    for path in paths {
        replies.push(reply(&state, path).await);
    }
    replies
}

async fn text(reply: HttpResponse) -> String {
    String::from_utf8(to_bytes(reply.into_body()).await.unwrap().to_vec()).unwrap()
}

#[test]
fn the_page_has_a_form_an_answer_and_its_bounds() {
    rt::System::new().block_on(async {
        let long = format!("/practice?q={}", "x".repeat(QUESTION_CHARS_MAX + 1));
        let paths =
            ["/practice", "/practice?q=+", "/practice?q=How+long+are%20results%20kept", &long];
        let mut replies = replies(AS_IS, Clock::System, &paths).await.into_iter();
        for _ in 0..2 {
            let form = replies.next().unwrap();
            assert_eq!(form.status(), 200);
            assert!(!text(form).await.split("<template").next().unwrap().contains("<article"));
        }
        let answer = replies.next().unwrap();
        assert!(answer.headers().contains_key("content-security-policy"));
        assert!(text(answer).await.contains("24 hours"));
        assert_eq!(replies.next().unwrap().status(), 400);
    });
}

#[test]
fn the_stream_gives_the_pieces_as_lines() {
    rt::System::new().block_on(async {
        let paths = ["/practice/stream?q=answerd", "/practice/stream"];
        let mut replies = replies(AS_IS, Clock::System, &paths).await.into_iter();
        let lines = text(replies.next().unwrap()).await;
        assert!(lines.lines().count() > 3);
        assert!(lines.lines().all(|line| line.starts_with("{\"into\":")));
        assert_eq!(replies.next().unwrap().status(), 400);
        assert!(SCRIPT.contains("/practice/stream"));
    });
}

#[test]
fn the_asked_share_of_questions_fails_evenly() {
    for percent in [0, 1, 25, 50, 99, 100] {
        let settings = Practice { failure_percent: percent, ..AS_IS };
        let engine = Arc::new(Engine::new(""));
        let state = PracticeState::new(engine, settings, Clock::System);
        let failed: Vec<bool> = (0..200).map(|_| state.fails()).collect();
        for hundred in failed.chunks(100) {
            let count = hundred.iter().filter(|failed| **failed).count();
            assert_eq!(count, usize::from(percent));
        }
        if percent == 25 {
            assert_eq!(failed[..8], [false, false, false, true, false, false, false, true]);
        }
    }
}

#[test]
fn a_told_failure_is_a_503_that_says_so() {
    rt::System::new().block_on(async {
        let settings = Practice { failure_percent: 100, ..AS_IS };
        let paths = ["/practice?q=a", "/practice/stream?q=a"];
        for reply in replies(settings, Clock::System, &paths).await {
            assert_eq!(reply.status(), 503);
            assert_eq!(reply.headers().get(RETRY_AFTER).unwrap(), RETRY_AFTER_SECONDS);
            assert!(text(reply).await.contains("told to fail"));
        }
    });
}

#[test]
fn latency_is_waited_for_by_the_clock() {
    rt::System::new().block_on(async {
        let (clock, manual) = Clock::manual(1_000);
        let settings = Practice { latency_ms: 500, ..AS_IS };
        let mut replies = Box::pin(replies(settings, clock, &["/practice?q=answerd"]));
        let early = tokio::time::timeout(Duration::from_millis(50), &mut replies);
        assert!(early.await.is_err(), "the answer came before its latency");
        manual.advance_ms(500);
        assert_eq!(replies.await[0].status(), 200);
    });
}

/// The page on a port of its own, and the practice upstream that asks it.
struct Served {
    base_url: String,
    server: actix_web::dev::ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Served {
    fn new(settings: Practice) -> Served {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let engine = Arc::new(Engine::new("http://h"));
                let state = PracticeState::new(engine, settings, Clock::System);
                let state = web::Data::new(state);
                let server = HttpServer::new(move || {
                    let practice = |request: HttpRequest, state: web::Data<PracticeState>| async move {
                        reply(&state, &request.uri().to_string()).await
                    };
                    let another = || async { "<!doctype html><title>Another page</title>" };
                    App::new()
                        .app_data(state.clone())
                        .route("/practice", web::get().to(practice))
                        .route("/docs/practice", web::get().to(another))
                });
                let server = server.workers(1).bind(("127.0.0.1", 0)).unwrap();
                let port = server.addrs()[0].port();
                let server = server.disable_signals().run();
                sender.send((port, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (port, server) = receiver.recv().unwrap();
        Served { base_url: format!("http://127.0.0.1:{port}"), server, thread: Some(thread) }
    }

    fn ask(&self, path: &str, prompt: &str, wait_ms: u64) -> Result<Answer, UpstreamError> {
        let base_url = format!("{}{path}", self.base_url);
        let upstream = PracticeUpstream::new("practice".into(), base_url, 10, Clock::System);
        let deadline = Clock::System.instant() + Duration::from_millis(wait_ms);
        let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
        let request = raw.check("practice", &[]).unwrap();
        upstream.ask(&request, &Call::until(deadline))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        rt::System::new().block_on(self.server.stop(false));
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn the_upstream_gets_what_the_engine_answers_over_http() {
    let served = Served::new(AS_IS);
    let engine = Engine::new("http://h");
    for question in ["How long are results kept?", "What is in a result & why? ÄÖ+%", "hello"] {
        let own = engine.answer(question, 0);
        let got = served.ask("", question, 10_000).unwrap();
        assert_eq!(got.markdown, own.markdown);
        assert_eq!(got.model.as_deref(), Some(crate::practice::MODEL));
        assert_eq!(got.queries, Some(own.queries));
        assert_eq!(got.related_questions, Some(own.related_questions));
        let sources = got.sources.unwrap().into_iter().map(|source| PracticeSource {
            title: source.title,
            url: source.url,
            snippet: source.snippet,
        });
        assert_eq!(sources.collect::<Vec<_>>(), own.sources);
        let cited = got.citations.unwrap();
        assert!(cited.len() <= own.sources.len() && cited.iter().all(|c| !c.snippet.is_empty()));
        assert!(got.url.unwrap().starts_with(&format!("{}/practice?q=", served.base_url)));
    }
}

#[test]
fn the_settings_shape_what_the_upstream_gets() {
    let failing = Served::new(Practice { failure_percent: 100, ..AS_IS });
    let error = failing.ask("", "answerd", 10_000).unwrap_err();
    assert_eq!((error.reason, error.retry_after_ms), (Reason::Overloaded, Some(1_000)));

    let slow = Served::new(Practice { latency_ms: 60_000, ..AS_IS });
    assert_eq!(slow.ask("", "answerd", 100).unwrap_err().reason, Reason::UpstreamTimeout);

    let large = Served::new(Practice { payload_bytes: 100_000, ..AS_IS });
    let bytes = large.ask("", "answerd", 30_000).unwrap().markdown.len();
    assert!((98_000..103_000).contains(&bytes), "{bytes}");
}

#[test]
fn another_page_or_none_is_told_apart() {
    let served = Served::new(AS_IS);
    assert_eq!(served.ask("/docs", "answerd", 10_000).unwrap_err().reason, Reason::Garbled);
    assert_eq!(served.ask("/none", "answerd", 10_000).unwrap_err().reason, Reason::Garbled);
    let base_url = served.base_url.clone();
    drop(served);
    let upstream = PracticeUpstream::new("practice".into(), base_url, 10, Clock::System);
    let raw = RawRequest { prompt: Some("answerd".to_owned()), ..RawRequest::default() };
    let deadline = Clock::System.instant() + Duration::from_secs(10);
    let call = Call::until(deadline);
    let error = upstream.ask(&raw.check("practice", &[]).unwrap(), &call).unwrap_err();
    assert_eq!(error.reason, Reason::Unreachable, "{error}");
}
