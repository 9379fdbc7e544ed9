//! What the tests of all providers share: a request, settings, replies, and the trial that no
//! reply, however mangled, makes a provider panic, tell a secret or pass an empty answer.

use std::panic::Location;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::account::{Account, Shipped, SignIn};
use crate::answer::Answer;
use crate::config::{self, Secret, UpstreamKind};
use crate::job::ScrapeRequest;
use crate::net::{HeaderValue, HttpReply, HttpRequest};
use crate::tests::fuzz;
use crate::upstream::UpstreamError;
use crate::upstream::provider::{Provider, Step};

const KEY: &str = "key-of-tests";
/// How many mangled replies one trial tries.
const CASES: u32 = 400;

pub(crate) fn request() -> ScrapeRequest {
    ScrapeRequest {
        scraper: "chatgpt".to_owned(),
        prompt: "Which Ruby should I install on the harbour crane's computer?".to_owned(),
        country: "DE".to_owned(),
        bypass_cache: false,
        timeout_ms: 300_000,
        web_search: true,
        markdown_json: false,
        mode: None,
        location: crate::job::Location::default(),
        model: None,
        kind: None,
        require_search: false,
        keep_unsearched: false,
    }
}

pub(crate) fn settings(kind: UpstreamKind) -> config::Upstream {
    config::Upstream {
        name: "test".to_owned(),
        kind,
        base_url: String::new(),
        api_key: Some(Secret::new(KEY)),
        auth_header: String::new(),
        model: String::new(),
        force_search: None,
        include_sources: true,
        timeout_seconds: 120,
        in_flight_max: None,
        requests_per_minute: None,
        proxy: None,
        recipe: String::new(),
        webdriver_url: None,
        sessions: 1,
        keep_raw: config::KeepRaw::None,
        models_allowed: Vec::new(),
        extra_body: serde_json::Map::new(),
        searches_max: None,
        output_tokens_max: None,
        day_nanos_max: None,
        prices: config::Prices::default(),
        missing: None,
    }
}

pub(crate) fn account() -> Account {
    let shipped =
        Shipped { base_url: "https://api.example", model: "model", sign_in: SignIn::Bearer };
    Account::new(&settings(UpstreamKind::Openai), &shipped)
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &Value) -> HttpReply {
    HttpReply {
        status,
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        body: serde_json::to_vec(body).unwrap(),
    }
}

pub(crate) fn ok(body: &Value) -> HttpReply {
    reply(200, &[], body)
}

/// Returns the answer that a single reply holds.
pub(crate) fn answer(provider: &dyn Provider, body: &Value) -> Answer {
    let replies = [ok(body)];
    match provider.reply(&request(), &replies) {
        Ok(Step::Done(answer)) => Answer { usage: provider.usage(&replies), ..*answer },
        other => panic!("no answer: {other:?}"),
    }
}

/// Returns the error that a single reply is.
pub(crate) fn failure(provider: &dyn Provider, status: u16, body: &Value) -> UpstreamError {
    let replies = [reply(status, &[], body)];
    let error = provider.reply(&request(), &replies).unwrap_err();
    error.with_usage(provider.usage(&replies))
}

/// Returns the secret headers of a request.
pub(crate) fn secrets(request: &HttpRequest) -> Vec<(&str, &str)> {
    let headers = request.headers.iter();
    headers
        .filter_map(|(name, value)| match value {
            HeaderValue::Secret(secret) => Some((name.as_str(), secret.reveal())),
            HeaderValue::Plain(_) => None,
        })
        .collect()
}

/// Checks that a provider bears mutations of the replies it knows, and any bytes at all.
#[track_caller]
pub(crate) fn assert_tolerates_mutations(provider: &dyn Provider, bodies: &[Value]) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let known = select(bodies.to_vec());
    let mangled =
        (known, prop::collection::vec((any::<usize>(), edit()), 0..4)).prop_map(|(body, edits)| {
            edits.into_iter().fold(body, |body, (at, edit)| apply(body, at, edit))
        });
    let body = prop_oneof![
        4 => mangled.prop_map(|body| serde_json::to_vec(&body).unwrap()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ];
    let status = prop_oneof![
        3 => Just(200u16),
        1 => select(vec![204, 302, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 503, 504,
            529]),
    ];
    let wait = prop::option::of("[0-9]{1,4}|\\PC{0,12}");
    let earlier = select(bodies.to_vec());
    let strategy = (status, body, wait, prop::option::of(earlier), any::<bool>());
    fuzz::repeated(Location::caller().file(), u64::from(CASES), || {
        TestRunner::new(config.clone())
            .run(&strategy, |(status, body, wait, earlier, web_search)| {
                let headers =
                    wait.map(|wait| ("retry-after".to_owned(), wait)).into_iter().collect();
                let mut replies: Vec<HttpReply> = earlier.iter().map(ok).collect();
                replies.push(HttpReply { status, headers, body });
                let request = ScrapeRequest { web_search, ..request() };
                check(provider.reply(&request, &replies), &request)
            })
            .unwrap();
    });
}

/// What holds for every outcome.
fn check(
    outcome: Result<Step, UpstreamError>,
    request: &ScrapeRequest,
) -> Result<(), TestCaseError> {
    match outcome {
        Ok(Step::Done(answer)) => {
            let sells = answer.products.iter().flatten().any(|product| !product.title.is_empty());
            let is_absent = answer.present == Some(false);
            prop_assert!(is_absent || sells || !answer.markdown.trim().is_empty());
            if let Some(search) = answer.search {
                prop_assert_eq!(search.asked, request.web_search);
                prop_assert!(search.calls.is_none_or(|calls| search.failed <= calls));
            }
            let answer = answer.normalized();
            let lists = [answer.sources, answer.citations, answer.x_results];
            for page in lists.into_iter().flatten().flatten() {
                prop_assert!(!page.url.is_empty());
            }
            prop_assert!(answer.queries.into_iter().flatten().all(|query| !query.is_empty()));
        }
        Ok(Step::Round(next)) => prop_assert!(!next.url.contains(KEY)),
        Ok(Step::Begun(_) | Step::Again) => {}
        Err(error) => {
            prop_assert!(!error.for_owner().contains(KEY), "{}", error.for_owner());
            prop_assert!(!error.sentence.contains(&request.prompt), "{}", error.sentence);
            prop_assert!(error.retry_after_ms.is_none() || error.reason.retryable());
        }
    }
    Ok(())
}

/// What is done to one place of a reply.
#[derive(Clone, Debug)]
enum Edit {
    Set(Value),
    Remove,
    Double,
    Wrap,
}

fn edit() -> impl Strategy<Value = Edit> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("completed")),
        Just(json!("\u{0}é🦀\u{202e}[1][web:2]```[3](")),
        Just(json!(format!("{KEY}: {}", request().prompt))),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[[{"type": {"text": []}}]]]])),
    ];
    prop_oneof![
        6 => value.prop_map(Edit::Set),
        2 => Just(Edit::Remove),
        1 => Just(Edit::Double),
        1 => Just(Edit::Wrap),
    ]
}

/// Applies an edit at the `at`-th place of a value, counted from its root downwards.
fn apply(mut value: Value, at: usize, edit: Edit) -> Value {
    let pointers = pointers(&value, String::new());
    let pointer = pointers[at % pointers.len()].clone();
    if let (Edit::Remove, Some((parent, key))) = (&edit, pointer.rsplit_once('/')) {
        match value.pointer_mut(parent) {
            Some(Value::Object(object)) => drop(object.remove(key)),
            Some(Value::Array(array)) => drop(array.remove(key.parse().unwrap())),
            _ => {}
        }
        return value;
    }
    let place = value.pointer_mut(&pointer).unwrap();
    let before = place.take();
    *place = match edit {
        Edit::Set(value) => value,
        Edit::Remove => Value::Null,
        Edit::Double => json!([before, before]),
        Edit::Wrap => json!({"type": "text", "text": before}),
    };
    value
}

fn pointers(value: &Value, here: String) -> Vec<String> {
    let mut all = vec![here.clone()];
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                all.extend(pointers(item, format!("{here}/{at}")));
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields.iter().filter(|(key, _)| !key.contains(['/', '~'])) {
                all.extend(pointers(item, format!("{here}/{key}")));
            }
        }
        _ => {}
    }
    all
}
