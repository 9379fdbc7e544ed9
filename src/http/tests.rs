//! Mangled headers against everything here that reads one.

use std::net::SocketAddr;

use actix_web::HttpMessage;
use actix_web::http::header::{Header, HeaderMap, HeaderName, HeaderValue, IfNoneMatch, ORIGIN};
use actix_web::test::TestRequest;

use crate::http::request::address;
use crate::http::request::auth;
use crate::http::request::headers::{idempotency_key, wait_ms};
use crate::http::request::params::Pairs;
use crate::http::resource::list;
use crate::http::transport::cors::Cors;
use crate::http::transport::response_headers;
use crate::tests::fuzz;

/// The headers that are read, each in forms that clients send.
const EXAMPLES: &[&str] = &[
    "x-api-key: ak_0123456789abcdef\nx-request-id: 7f1c-mine",
    "authorization: Bearer ak_0123456789abcdef\nidempotency-key: order-1",
    "idempotency-key: \"8e03978e-40d5-43e8-bc93-6894a57f9324\"\naccept: text/csv;q=0.5, text/plain",
    "x-forwarded-for: 203.0.113.7, 2001:db8::1\nx-forwarded-for: 198.51.100.1,10.0.0.1",
    "prefer: respond-async, wait=30\nif-none-match: W/\"a\", \"b-1\"",
    "if-none-match: *\nprefer: wait=1e3\norigin: https://a.example",
    "accept: application/x-ndjson\norigin: null\nlast-event-id: 7",
];

/// What of a text can be headers: the parser below hands on no other.
fn headers(text: &str) -> Vec<(HeaderName, HeaderValue)> {
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?))
    };
    text.split('\n').filter_map(header).collect()
}

#[test]
fn fuzzed_headers_are_read_or_refused() {
    let peer: SocketAddr = "10.0.0.1:4711".parse().unwrap();
    let no_query = Pairs::new();
    let cors = Cors::new(&["https://a.example".to_owned()]);
    fuzz::text("headers", EXAMPLES, |text| {
        let mut request = TestRequest::default();
        for header in headers(text) {
            request = request.append_header(header);
        }
        let request = request.to_request();
        let headers = request.headers();
        match idempotency_key(headers) {
            Ok(key) => assert!(key.is_none_or(|key| (1..=255).contains(&key.len()))),
            Err(error) => assert!(
                error.code.status() < 500 && (1..2_000).contains(&error.detail.len()),
                "{error:?}"
            ),
        }
        let key = auth::key_of(headers, Ok(&no_query)).unwrap();
        assert!(key.is_none_or(|key| key == key.trim()));
        let _ = address::client(Some(peer), headers, &[peer.ip()]);
        assert_eq!(address::client(Some(peer), headers, &[]), Some(peer.ip()));
        let wait_ms = wait_ms(&[], headers).unwrap();
        assert!(wait_ms.is_none_or(|wait_ms| wait_ms <= 60_000));
        assert!(
            (1..=response_headers::REQUEST_ID_BYTES_MAX)
                .contains(&response_headers::request_id(headers).len())
        );
        let _ = (list::wanted_format(headers), IfNoneMatch::parse(&request));
        let mut laid_on = HeaderMap::new();
        cors.apply_headers(&mut laid_on, headers.get(ORIGIN));
        let allowed = laid_on.get("access-control-allow-origin");
        assert!(allowed.is_none_or(|origin| origin == "https://a.example"), "{allowed:?}");
    });
}
