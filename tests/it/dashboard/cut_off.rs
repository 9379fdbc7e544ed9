//! An upstream that can no longer be reached.

use answerd::job::Reason;
use serde_json::json;

use crate::app::{Builder, Scripted, fail};
use crate::dashboard::Dashboard;
use crate::providers::cases;
use crate::providers::server::Provider;

#[test]
fn an_upstream_that_is_cut_off_shows_with_its_reason() {
    let case = cases::named("compatible");
    let mut upstream = Provider::always(case.replies().remove(0));
    let app = case.builder(&upstream).set("RETRY__RETRIES", 3).set("RETRY__BACKOFF_MS", 1).start();
    let dashboard = Dashboard::open(&app, "/");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.badge.good').textContent === 'healthy'");
    assert!(browser.run("return document.querySelector('.note.bad')").is_null());
    upstream.kill();
    let says = |texts: &[&str]| {
        let note = "document.querySelector('.note.bad').innerText";
        browser.until(&format!("{}.every((text) => {note}.includes(text))", json!(texts)));
    };
    // One bad job is no alarm: its attempts show in the table of the upstreams alone.
    app.ended(&app.submit(&case.scraper, "one"));
    let refused = "local could not be reached: connection refused";
    browser.until(&format!(
        "[...document.querySelectorAll('td[data-label=\"Last error\"]')]
           .some((cell) => cell.innerText.includes('{refused}'))"
    ));
    assert!(browser.run("return document.querySelector('.note.bad')").is_null());
    // And those of two are more in a row than a breaker allows.
    app.submit(&case.scraper, "two");
    says(&["house: local is paused after repeated failures", refused, "Next attempt in"]);
    browser.until("document.querySelector('.badge.bad').textContent === 'paused'");
    browser.until(&format!(
        "[...document.querySelectorAll('td[data-label=\"Last error\"]')]
           .some((cell) => cell.innerText.includes('{refused}'))"
    ));
    let metrics = app.get("/metrics").text;
    assert!(metrics.contains("answerd_upstream_available{upstream=\"local\"} 0"), "{metrics}");
    dashboard.is_at_peace();
}

#[test]
fn alarm_leads_to_the_jobs_that_a_fallback_answered() {
    let steps = (0..5).map(|_| fail(Reason::Auth));
    let app = Builder::new()
        .scripted("chatgpt", &Scripted::new("one", steps))
        .scripted("chatgpt", &Scripted::new("other", []))
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"one\", \"other\"]")
        .start();
    for n in 0..5 {
        let job = app.ended(&app.submit("chatgpt", &format!("prompt {n}")));
        assert_eq!(job["status"], "done", "{job}");
    }
    let dashboard = Dashboard::open(&app, "/");
    dashboard.shows("No job of the last day has failed.");
    dashboard.click("chatgpt: one is paused after repeated failures");
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 5");
    dashboard.is_at_peace();
}
