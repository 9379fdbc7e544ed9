//! The list of jobs: filters, pages, and ten thousand of them.

use answerd::job::Reason;
use serde_json::json;

use crate::app::{Builder, Gate, Scripted, Step, fail};
use crate::dashboard::Dashboard;

const PROMPTS: &str = "[...document.querySelectorAll('#jobs tbody a[data-step]')].map((link) => link.textContent).join('|')";

#[test]
fn the_list_is_filtered_and_kept_up_to_date() {
    let gate = Gate::default();
    let steps = [fail(Reason::Refused), Step::Hold(gate.clone())];
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    app.ended(&app.submit("chatgpt", "refused"));
    app.submit("chatgpt", "held");
    gate.arrived(1);
    let labeled = app.post("/scrapers/practice/jobs?prompt=What+is+a+job%3F&label=Nightly+7");
    app.ended(labeled.expect(202)["job_id"].as_str().unwrap());
    let dashboard = Dashboard::open(&app, "/jobs");
    let lists = |wanted: &str| drop(dashboard.browser.until(&format!("{PROMPTS} === '{wanted}'")));
    lists("What is a job?|held|refused");
    dashboard.shows("running");
    dashboard.shows("Nightly 7");
    assert_eq!(dashboard.browser.run("return document.querySelector('.paging').hidden"), true);
    dashboard.click("Failed");
    lists("refused");
    assert_eq!(dashboard.browser.run("return location.hash"), "#/jobs?status=failed");
    dashboard.click("Pending");
    lists("held");
    dashboard.click("All");
    dashboard.browser.write("#search", "nightly");
    lists("What is a job?");
    dashboard.browser.write("#search", " none");
    dashboard.shows("No job matches");
    dashboard.click("Show all jobs");
    lists("What is a job?|held|refused");
    dashboard.browser.until("document.querySelector('#scraper option[value=practice]')");
    dashboard.browser.click("#scraper option[value=practice]");
    lists("What is a job?");
    // The filters are in the address, so the view can be kept as a bookmark.
    dashboard.browser.post("/refresh", json!({}));
    lists("What is a job?");
    dashboard.browser.until("document.getElementById('scraper').value === 'practice'");
    dashboard.go("/jobs?status=pending");
    lists("held");
    gate.open();
    dashboard.shows("No job matches");
    dashboard.is_at_peace();
}

#[test]
fn ten_thousand_jobs_are_paged_and_searched() {
    let app = Builder::new().start();
    let path = "/scrapers/practice/jobs?prompt=What+is+a+job%3F&label=the+oldest";
    let oldest = app.post(path).expect(202);
    app.ended(oldest["job_id"].as_str().unwrap());
    // The cache answers them, so that they are there at once.
    for batch in 0..10 {
        let items: Vec<_> = (0..1_000)
            .map(|n| json!({ "prompt": "What is a job?", "label": format!("run {batch}-{n}") }))
            .collect();
        let body = json!({ "scraper": "practice", "items": items }).to_string();
        app.post_with("/batches", &[], &body).expect(202);
    }
    let dashboard = Dashboard::open(&app, "/jobs");
    let browser = &dashboard.browser;
    let label = "document.querySelector('#jobs tbody .label').textContent";
    browser.until(&format!("{label} === 'run 9-999'"));
    assert_eq!(browser.run("return document.querySelectorAll('#jobs tbody tr').length"), 50);
    for page in 1..=4 {
        dashboard.click("Older");
        browser.until(&format!("{label} === 'run 9-{}'", 999 - page * 50));
    }
    dashboard.shows("Page 5");
    dashboard.click("Newer");
    browser.until(&format!("{label} === 'run 9-849'"));
    assert!(browser.run("return document.querySelectorAll('*').length").as_u64().unwrap() < 1_500);
    // Behind all the others, further than one page of the server looks.
    browser.write("#search", "the oldest");
    browser.until(&format!("{label} === 'the oldest'"));
    assert_eq!(browser.run("return document.querySelectorAll('#jobs tbody tr').length"), 1);
    dashboard.is_at_peace();
}

#[test]
fn the_list_is_limited_to_a_time_and_says_how_many_jobs_match() {
    const DAY_MS: u64 = 86_400_000;
    let (builder, clock) = Builder::new().set("STORE__RETENTION_HOURS", 240).manual();
    let app = builder.scripted("chatgpt", &Scripted::new("script", [])).start();
    let batch = |label: &str, jobs: usize| {
        let items: Vec<_> =
            (0..jobs).map(|n| json!({ "prompt": format!("{label} {n}") })).collect();
        let body = json!({ "scraper": "chatgpt", "label": label, "items": items }).to_string();
        let batch = app.post_with("/batches", &[], &body).expect(202);
        let path = format!("/batches/{}?wait=30", batch["batch_id"].as_str().unwrap());
        assert_eq!(app.get(&path).expect(200)["status"], "done");
    };
    batch("old", 3);
    clock.advance_ms(3 * DAY_MS);
    batch("new", 260);
    let dashboard = Dashboard::open(&app, "/jobs");
    let browser = &dashboard.browser;
    let total = |text: &str| {
        browser.until(&format!("document.getElementById('total').textContent === '{text}'"));
    };
    let choose = |value: &str| {
        browser.click(&format!("#times option[value='{value}']"));
    };
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 50");
    total("");
    choose("24");
    total("260 jobs");
    assert!(browser.run("return location.hash").as_str().unwrap().starts_with("#/jobs?since=2026"));
    dashboard.click("Older");
    dashboard.shows("Page 2");
    total("260 jobs");
    choose("168");
    total("263 jobs");
    // 2026-05-11 is where the clock starts.
    choose("days");
    browser.run("const day = document.getElementById('until'); day.value = '2026-05-12'; day.dispatchEvent(new Event('change'));");
    total("3 jobs");
    assert_eq!(browser.run("return location.hash"), "#/jobs?until=2026-05-12");
    browser.post("/refresh", json!({}));
    total("3 jobs");
    assert_eq!(browser.run("return document.getElementById('times').value"), "days");
    browser.click(".chips .remove");
    total("");
    choose("");
    browser.until("document.querySelector('.days').hidden");
    dashboard.is_at_peace();
}
