//! One request and its reply: what is sent, what is read, and what each failure on the way is.

use super::*;

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
