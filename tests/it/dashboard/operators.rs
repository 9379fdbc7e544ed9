//! The jobs of other keys, for an operator who may read them.

use crate::app::{Builder, Gate, Scripted, Step};
use crate::dashboard::Dashboard;
use crate::limits::{A, B, keys};

#[test]
fn operator_chooses_whose_jobs_are_listed_and_only_reads_them() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys("operator = true"))
        .set("HTTP__OPERATORS_READ_JOBS", true)
        .scripted("chatgpt", &held)
        .start();
    app.post_with("/scrapers/chatgpt/jobs?prompt=theirs", &B, "").expect(202);
    gate.arrived(1);
    app.post_with("/scrapers/practice/jobs?prompt=own", &A, "").expect(202);
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/jobs");
    let browser = &dashboard.browser;
    let lists = |prompts: &str| {
        browser.until(&format!(
            "[...document.querySelectorAll('#jobs tbody a[data-step]')]\
             .map((link) => link.innerText).join('|') === '{prompts}'"
        ));
    };
    lists("own");
    browser.click("#whose option[value='*']");
    lists("own|theirs");
    dashboard.keep("operator-jobs");
    browser.click("#whose option[value=b]");
    lists("theirs");
    assert_eq!(browser.run("return location.hash"), "#/jobs?account=b");
    assert_eq!(browser.run("return document.querySelector('.account-name').innerText"), "Key b");
    assert_eq!(browser.run("return document.querySelector('.bulk').hidden"), true);
    dashboard.click("theirs");
    dashboard.shows("It is waiting for script.");
    let named = |name: &str| {
        format!("[...document.querySelectorAll('button')].some((it) => it.innerText === '{name}')")
    };
    assert_eq!(browser.run(&format!("return {}", named("Run again"))), true);
    assert_eq!(browser.run(&format!("return {}", named("Cancel"))), false);
    let key = "[...document.querySelectorAll('.details dt')].find((it) => it.innerText === 'Key')";
    browser.until(&format!("{key}?.nextElementSibling.innerText === 'b'"));
    dashboard.keep("operator-job");
    gate.open();
    browser.until("document.querySelector('.answer')");
    dashboard.is_at_peace();

    let other = Dashboard::signed_in(&app, "secret-b", "/jobs");
    other.browser.until("document.querySelectorAll('#jobs tbody tr').length === 1");
    assert!(other.browser.run("return document.querySelector('.filters').tagName").is_string());
    assert_eq!(other.browser.run("return document.querySelectorAll('#whose').length"), 0);
}

#[test]
fn operator_without_jobs_is_led_to_those_of_all_keys_where_these_may_be_read() {
    for may_read in [true, false] {
        let app = Builder::new()
            .config(&keys("operator = true"))
            .set("HTTP__OPERATORS_READ_JOBS", may_read)
            .start();
        app.post_with("/scrapers/practice/jobs?prompt=theirs", &B, "").expect(202);
        let dashboard = Dashboard::signed_in(&app, "secret-a", "/jobs");
        let browser = &dashboard.browser;
        dashboard.shows("The key a has no jobs");
        let page = browser.run("return document.getElementById('main').innerText");
        assert!(!page.as_str().unwrap().contains("sign in"), "{page}");
        if !may_read {
            dashboard.shows("operators_read_jobs");
            continue;
        }
        dashboard.click("Show the jobs of all keys");
        browser.until("document.querySelectorAll('#jobs tbody tr').length === 1");
        // The card of the overview leads there too.
        dashboard.go("/");
        browser.until("document.querySelector('#first-run')");
        dashboard.click("Show the jobs of all keys");
        browser.until("location.hash === '#/jobs?account=*'");
        dashboard.is_at_peace();
    }
}
