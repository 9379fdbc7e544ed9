//! Several requests for one answer: rounds, looks, a cancel between them, and what they used.

use super::*;

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
fn call_that_breaks_off_in_a_round_tells_what_those_before_it_used() {
    let more = || answer("200 OK", "", "more");
    let outcome = |last: Handler, milliseconds: u64| {
        let server = serve(vec![more(), more(), last]);
        let next = format!("{}/next", server.base_url);
        let reply = move |replies: &[HttpReply]| match replies.last() {
            Some(reply) if reply.body == b"more" => post(&next),
            _ => body_is_answer(replies),
        };
        let fake = Fake { reply: Box::new(reply), ..fake(&server.base_url) };
        ask_with(fake, &call_within(milliseconds))
    };
    assert_eq!(outcome(answer("200 OK", "", "done"), 20_000).unwrap().usage.searches, Some(3));
    for (last, milliseconds, reason, searches) in [
        (Box::new(silence) as Handler, 400, Reason::UpstreamTimeout, 2),
        (raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), 20_000, Reason::Unreachable, 2),
        (answer("500 Failed", "", "no"), 20_000, Reason::UpstreamError, 3),
    ] {
        let error = outcome(last, milliseconds).unwrap_err();
        assert_eq!((error.reason, error.usage.unwrap().searches), (reason, Some(searches)));
    }
    let error = ask(&serve(vec![raw("")])).unwrap_err();
    assert_eq!((error.reason, error.usage), (Reason::Unreachable, None));
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
    let reply = move |replies: &[HttpReply]| match replies {
        [HttpReply { body, .. }] if body == b"wait" => Ok(Step::Again),
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
    assert_eq!(asked.len(), looks + 1);
    assert!(asked.iter().all(|asked| asked.starts_with("POST /v1/ask")));
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
    let reply = move |_: &[HttpReply]| {
        let canceled = canceled.clone();
        std::thread::spawn(move || canceled.store(true, Ordering::Relaxed));
        Ok(Step::Again)
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
