//! An upstream that can no longer be reached.

use serde_json::json;

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
    browser.until("document.querySelector('.badge.good').textContent === 'closed'");
    assert!(browser.run("return document.querySelector('.note.bad')").is_null());
    upstream.kill();
    let says = |texts: &[&str]| {
        let note = "document.querySelector('.note.bad').innerText";
        browser.until(&format!("{}.every((text) => {note}.includes(text))", json!(texts)));
    };
    // The attempts of one job are enough to be told of, in red, with the reason.
    app.ended(&app.submit(&case.scraper, "one"));
    let refused = "local could not be reached: connection refused";
    says(&["house: 100% of the attempts of the last hour failed", refused, "upstream_unreachable"]);
    // And those of two are more in a row than a breaker allows.
    app.submit(&case.scraper, "two");
    says(&["house: the upstream local is resting", refused, "It is tried again in"]);
    browser.until("document.querySelector('.badge.bad').textContent === 'open'");
    browser.until(&format!(
        "[...document.querySelectorAll('td[data-label=\"Last error\"]')]
           .some((cell) => cell.innerText.includes('{refused}'))"
    ));
    let metrics = app.get("/metrics").text;
    assert!(metrics.contains("answerd_upstream_available{upstream=\"local\"} 0"), "{metrics}");
    dashboard.is_at_peace();
}
