//! The overview of a service that has no job yet: what leads to the first answer.

use serde_json::json;

use crate::app::Builder;
use crate::dashboard::Dashboard;
use crate::limits::{A, keys};

/// The rows of the card: each scraper and what it needs.
const ROWS: &str = "[...document.querySelectorAll('#first-run tbody tr')].map((row) => \
                    [...row.cells].map((cell) => cell.textContent).join(': '))";

#[test]
fn first_run_card_leads_from_nothing_to_an_answer_and_goes() {
    let app = Builder::new().config(&keys("")).start();
    // The job of another key is none of this one.
    app.post_with("/scrapers/practice/jobs?prompt=x", &A, "").expect(202);
    let dashboard = Dashboard::signed_in(&app, "secret-b", "/");
    let browser = &dashboard.browser;
    dashboard.shows("The key b has no jobs yet");
    let has = |row: &str| {
        browser.until(&format!("{ROWS}.some((row) => row.startsWith({}))", json!(row)));
    };
    has("practice: ready");
    browser.until(&format!("{ROWS}.some((row) => /^chatgpt: .*OPENAI_API_KEY/.test(row))"));
    dashboard.shows("answerd submit practice");
    dashboard.click("What a restart keeps");
    dashboard.shows("jobs, answers, attempts and batches until they expire");
    for scheme in ["light", "dark"] {
        dashboard.prefers(scheme);
        for (width, height) in [(360, 780), (768, 1024), (1024, 768), (1440, 900)] {
            dashboard.size(width, height);
            dashboard.keep(&format!("first-run-{scheme}-{width}"));
            // The charts follow the width of the window a frame later.
            browser.until(&format!("innerWidth === {width}"));
            browser.until("document.documentElement.scrollWidth <= innerWidth");
        }
    }
    dashboard.click("New prompt for practice");
    browser.until("document.querySelector('.choice input[value=practice]').checked");
    browser.write("#prompt", "What is a job?");
    dashboard.click("Submit");
    browser.until("document.querySelector('.answer')");
    dashboard.go("/");
    dashboard.shows("Throughput");
    browser.until("document.querySelector('.tile')");
    browser.until("!document.querySelector('#first-run')");
    dashboard.is_at_peace();
}

#[test]
fn first_run_card_names_a_scraper_with_a_provider_where_one_is_ready() {
    let app = Builder::new().env("OPENAI_API_KEY", "planted").start();
    let dashboard = Dashboard::open(&app, "/");
    dashboard.shows("The scraper chatgpt is ready");
    dashboard.shows("answerd submit chatgpt");
    // The first job of all, from wherever it comes, ends the card while it is looked at.
    app.submit("practice", "x");
    dashboard.browser.until("!document.querySelector('#first-run')");
    dashboard.is_at_peace();
}
