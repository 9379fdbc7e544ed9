//! The replies of the practice page.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::rt;

use super::*;
use crate::clock::Clock;
use crate::config::file::Practice;
use crate::practice::{Engine, QUESTION_CHARS_MAX};

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
    let state = PracticeState { engine: Arc::new(Engine::new("http://h", settings)), clock };
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
fn a_told_failure_is_a_503_that_says_so() {
    rt::System::new().block_on(async {
        let settings = Practice { failure_percent: 100, ..AS_IS };
        let paths = ["/practice?q=a", "/practice/stream?q=a"];
        for reply in replies(settings, Clock::System, &paths).await {
            assert_eq!(reply.status(), 503);
            assert_eq!(reply.headers().get(RETRY_AFTER).unwrap(), RETRY_AFTER_SECONDS);
            assert!(text(reply).await.contains("is set to fail"));
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
