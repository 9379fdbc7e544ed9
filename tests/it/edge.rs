//! The headers that stand on every response: the request's id, the caller's rate limit, and those
//! for pages of other origins.

use sha2::{Digest, Sha256};

use crate::app::{App, Builder, Reply, Scripted};

fn app(config: &str) -> App {
    Builder::new().config(config).scripted("chatgpt", &Scripted::new("script", [])).start()
}

fn options(app: &App, path: &str, headers: &[(&str, &str)]) -> Reply {
    app.method_with("OPTIONS", path, headers)
}

#[test]
fn every_response_has_a_request_id_and_a_sound_one_is_taken() {
    let app = app("");
    let long = format!("/{}", "x".repeat(60_001));
    for path in ["/healthz", "/jobs/none", "/nowhere", "/scrapers/chatgpt", "/docs", &long] {
        let made = app.get(path).headers["x-request-id"].clone();
        assert!(uuid::Uuid::try_parse(&made).is_ok(), "{path}: {made}");
        let given = app.get_with(path, &[("x-request-id", "run-7/step_3")]);
        assert_eq!(given.headers["x-request-id"], "run-7/step_3", "{path}");
    }
    for unsound in ["", "two words", &"x".repeat(129)] {
        let made = app.get_with("/healthz", &[("x-request-id", unsound)]);
        assert_ne!(made.headers["x-request-id"], unsound);
    }
    assert_eq!(app.method("PUT", "/healthz").headers["x-request-id"].len(), 36);
}

#[test]
fn nothing_is_kept_but_what_says_so_and_no_type_is_guessed() {
    let app = app("");
    let id = app.submit("chatgpt", "x");
    app.ended(&id);
    let replies = |path: &str| [app.get(path), app.method("HEAD", path)];
    for path in [
        "/scrapers/chatgpt?prompt=x".to_owned(),
        "/jobs".to_owned(),
        "/usage".to_owned(),
        "/stats".to_owned(),
        "/scrapers".to_owned(),
        "/metrics".to_owned(),
        format!("/jobs/{id}"),
        format!("/jobs/{id}?wait=1"),
        format!("/jobs/{id}?fields=status"),
        format!("/jobs/{id}/attempts"),
        format!("/jobs/{id}/events"),
        format!("/md/{id}.md"),
        format!("/md/{id}.json"),
        "/jobs/none".to_owned(),
        "/none".to_owned(),
    ] {
        for reply in replies(&path) {
            assert_eq!(reply.headers["cache-control"], "no-store", "{path}");
            assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        }
    }
    let submitted = app.post("/scrapers/chatgpt/jobs?prompt=y");
    assert_eq!(submitted.headers["cache-control"], "no-store");
    assert_eq!(submitted.headers["x-content-type-options"], "nosniff");
    for (path, kept) in [
        ("/", "no-cache"),
        ("/docs", "no-cache"),
        ("/practice?q=job", "no-cache"),
        ("/dashboard/app.js", "no-cache"),
        ("/practice.js", "public, max-age=300"),
        ("/docs/assets/alerts.yaml", "public, max-age=300"),
    ] {
        let reply = app.get(path);
        assert_eq!(reply.headers["cache-control"], kept, "{path}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[test]
fn a_caller_with_a_limit_sees_how_it_stands() {
    let hash: String = Sha256::digest(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&format!(
            "[[keys]]\nname = \"a\"\nhash = \"sha256:{hash}\"\nrequests_per_minute = 3"
        ))
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let submit =
        |key: &str| app.post_with("/scrapers/chatgpt/jobs?prompt=x", &[("x-api-key", key)], "");
    for (status, limit) in [
        (202, "\"default\";r=2;t=20"),
        (202, "\"default\";r=1;t=40"),
        (202, "\"default\";r=0;t=60"),
        (429, "\"default\";r=0;t=60"),
    ] {
        let reply = submit("secret");
        assert_eq!((reply.status, reply.headers["ratelimit"].as_str()), (status, limit));
        assert_eq!(reply.headers["ratelimit-policy"], "\"default\";q=3;w=60");
    }
    clock.advance_ms(20_000);
    assert_eq!(submit("secret").status, 202);
    assert!(!submit("wrong").headers.contains_key("ratelimit"));
    assert!(!app.get("/healthz").headers.contains_key("ratelimit"));
}

#[test]
fn pages_of_allowed_origins_may_call_and_read() {
    let app = app("[http]\ncors_origins = [\"https://app.example.com\"]");
    let asks = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-api-key"),
    ];
    let preflight = options(&app, "/scrapers/chatgpt/jobs", &asks);
    assert_eq!((preflight.status, preflight.text.as_str()), (204, ""));
    assert_eq!(preflight.headers["access-control-allow-origin"], "https://app.example.com");
    assert!(preflight.headers["access-control-allow-methods"].contains("POST"));
    assert!(preflight.headers["access-control-allow-headers"].contains("X-API-Key"));

    let page = [("origin", "https://app.example.com")];
    let error = app.get_with("/jobs/none", &page);
    assert_eq!(error.status, 404);
    assert_eq!(error.headers["access-control-allow-origin"], "https://app.example.com");
    assert!(error.headers["access-control-expose-headers"].contains("ETag"));
    assert_eq!(error.headers["vary"], "Origin");
    for other in ["https://app.example.com.evil.example", "http://app.example.com", "null"] {
        let reply = app.get_with("/healthz", &[("origin", other)]);
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{other}");
        let asks = [("origin", other), ("access-control-request-method", "POST")];
        assert_eq!(options(&app, "/scrapers/chatgpt/jobs", &asks).code(), "cross_site");
    }
}

#[test]
fn by_default_no_page_may_and_a_star_lets_all() {
    let page = [("origin", "https://app.example.com")];
    let closed = app("").get_with("/healthz", &page);
    assert!(!closed.headers.contains_key("access-control-allow-origin"));
    let open = app("[http]\ncors_origins = [\"*\"]").get_with("/healthz", &page);
    assert_eq!(open.headers["access-control-allow-origin"], "*");
    assert!(!open.headers.contains_key("vary"));
}
