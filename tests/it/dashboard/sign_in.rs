//! Signing in: what tabs share, what ends it, and what a key may see.

use crate::app::Builder;
use crate::dashboard::Dashboard;
use crate::limits::{A, keys};

#[test]
fn a_new_tab_is_signed_in_and_signing_out_ends_it_in_every_tab() {
    let app = Builder::new().config(&keys("monthly_credits = 100")).start();
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/usage");
    let browser = &dashboard.browser;
    let first = browser.new_tab();
    browser.open(&format!("{}/#/usage", app.base));
    dashboard.shows("Key: a");
    // Nothing that outlives the tabs holds the key.
    let kept = "return JSON.stringify(localStorage) + document.cookie + location.href";
    assert!(!browser.run(kept).to_string().contains("secret-a"));
    // A third tab has left the dashboard for the guide before it ends.
    let second = browser.new_tab();
    browser.open(&format!("{}/#/usage", app.base));
    dashboard.shows("Key: a");
    browser.run("location.href = '/docs'");
    browser.until("document.querySelector('.pages')");
    let third = {
        let before = browser.new_tab();
        browser.switch_to(&second);
        before
    };
    browser.click("#sign-out");
    browser.until("document.getElementById('key') && sessionStorage.length === 0");
    browser.switch_to(&first);
    dashboard.shows("You have signed out in another tab.");
    browser.until("document.getElementById('key') && sessionStorage.length === 0");
    browser.switch_to(&third);
    browser.run("history.back()");
    browser.until("document.getElementById('key')");
    // Signing in again does so in all of them.
    dashboard.sign_in("secret-b");
    dashboard.shows("Key: b");
    for tab in [&first, &second] {
        browser.switch_to(tab);
        dashboard.shows("Key: b");
    }
    assert!(browser.requested().iter().all(|address| !address.contains("secret-")));
}

#[test]
fn a_wrong_key_is_handed_to_no_other_tab() {
    let app = Builder::new().config(&keys("")).start();
    let dashboard = Dashboard::open(&app, "/usage");
    let browser = &dashboard.browser;
    dashboard.sign_in("wrong");
    dashboard.shows("Invalid API key.");
    dashboard.keep("sign-in");
    browser.new_tab();
    browser.open(&format!("{}/#/usage", app.base));
    browser.until("document.getElementById('key')");
    let kept = "return JSON.stringify([localStorage, sessionStorage])";
    assert_eq!(browser.run(kept), "[{},{}]");
}

#[test]
fn a_key_without_jobs_is_told_whose_jobs_it_sees() {
    let config = format!("{}operator = true\n", keys(""));
    let app = Builder::new().config(&config).start();
    let job = app.post_with("/scrapers/practice/jobs?prompt=x", &A, "").expect(202);
    app.ended(job["job_id"].as_str().unwrap());
    let dashboard = Dashboard::signed_in(&app, "secret-b", "/jobs");
    dashboard.shows("The key b has no jobs");
    dashboard.shows("An operator's key may read those of all keys where operators_read_jobs");
    dashboard.shows("A job of any key is found by its id");
    dashboard.keep("no-jobs");
    let page = dashboard.browser.run("return document.body.innerText").to_string();
    assert!(!page.contains("No jobs yet"), "{page}");
    dashboard.go("/jobs?status=failed");
    dashboard.shows("Only jobs of the key b that have not expired are searched");
    dashboard.is_at_peace();
}
