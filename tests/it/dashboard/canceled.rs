//! Jobs that were canceled, told apart from those that failed; and actions on jobs that one status
//! or one batch names.

use answerd::job::Reason;
use serde_json::json;

use crate::app::{App, Builder, Gate, Scripted, Step, fail, until};
use crate::dashboard::Dashboard;

const ROWS: &str = "document.querySelectorAll('#jobs tbody tr').length";

/// A service with a batch of three jobs, of which one has failed and two were canceled.
fn one_failed_and_two_canceled() -> (App, String) {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [fail(Reason::Refused), Step::Hold(gate.clone())]);
    let app =
        Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &upstream).start();
    let body = json!({ "scraper": "chatgpt", "prompts": ["a", "b", "c"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    let id = batch["batch_id"].as_str().unwrap().to_owned();
    gate.arrived(1);
    app.method("DELETE", &format!("/batches/{id}")).expect(200);
    gate.open();
    (app, id)
}

#[test]
fn batch_counts_canceled_jobs_apart_and_retries_them_only_where_asked() {
    let (app, id) = one_failed_and_two_canceled();
    let dashboard = Dashboard::open(&app, &format!("/batches/{id}"));
    let browser = &dashboard.browser;
    dashboard.shows("3 of 3 items ended: 0 done, 1 failed, 2 canceled");
    let codes = "document.querySelector('.failure').innerText";
    browser.until(&format!("{codes}.includes('1 ×') && !{codes}.includes('canceled')"));
    dashboard.keep("batch-canceled");
    dashboard.click("Retry failed");
    dashboard.shows("Submit 1 job again as a new batch?");
    dashboard.click("Retry canceled");
    dashboard.shows("Submit 2 jobs again as a new batch?");
    dashboard.click("Retry 2 jobs");
    browser.until(&format!(
        "location.hash.startsWith('#/batches/') && location.hash !== '#/batches/{id}'"
    ));
    dashboard.shows("2 of 2 items ended: 2 done");
    // The list has no count of its own for them, and does not say that they failed.
    dashboard.go("/batches");
    dashboard.shows("no answers");
    dashboard.shows("Failed or canceled");
    dashboard.is_at_peace();
}

#[test]
fn jobs_are_filtered_by_canceled_and_retried_by_that_alone() {
    let (app, _) = one_failed_and_two_canceled();
    let dashboard = Dashboard::open(&app, "/jobs");
    let browser = &dashboard.browser;
    browser.until(&format!("{ROWS} === 3"));
    dashboard.click("Failed");
    browser.until(&format!("{ROWS} === 1"));
    dashboard.click("Retry failed");
    dashboard.shows("Submit 1 job again as a new batch?");
    dashboard.click("Keep as it is");
    dashboard.click("Canceled");
    browser.until(&format!("{ROWS} === 2"));
    assert_eq!(browser.run("return location.hash"), "#/jobs?status=canceled");
    let offered = "[...document.querySelectorAll('.bulk button')].map((it) => it.innerText).join()";
    browser.until(&format!("{offered} === 'Retry canceled,Delete finished,Export CSV'"));
    dashboard.keep("jobs-canceled");
    dashboard.click("Retry canceled");
    dashboard.shows("Submit 2 jobs again as a new batch?");
    dashboard.click("Retry 2 jobs");
    browser.until("location.hash.startsWith('#/batches/')");
    dashboard.shows("2 of 2 items ended: 2 done");
    dashboard.is_at_peace();
}

#[test]
fn an_action_on_a_status_is_about_the_jobs_that_the_list_shows() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 1).manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    (0..3).for_each(|n| drop(app.submit("chatgpt", &format!("prompt {n}"))));
    gate.arrived(1);
    let dashboard = Dashboard::open(&app, "/jobs?status=pending");
    let browser = &dashboard.browser;
    browser.until(&format!("{ROWS} === 3"));
    // Someone reads the list, and a job comes.
    browser.run("document.querySelector('#jobs a[data-step]').focus()");
    clock.advance_ms(5_000);
    let later = app.submit("chatgpt", "came later");
    // The next event of the stream brings it, up to a second later.
    clock.advance_ms(1_000);
    browser.until("!document.querySelector('.new-jobs').hidden");
    dashboard.click("Cancel unfinished");
    dashboard.shows("Cancel 3 jobs? This cannot be undone.");
    dashboard.click("Cancel 3 jobs");
    until(|| {
        let canceled = app.get("/jobs?canceled=true").expect(200);
        (canceled["jobs"].as_array().unwrap().len() == 3).then_some(())
    });
    gate.open();
    assert_eq!(app.ended(&later)["status"], "done");
    dashboard.is_at_peace();
}

#[test]
fn the_id_of_a_batch_in_the_search_becomes_its_filter() {
    let (app, id) = one_failed_and_two_canceled();
    app.ended(&app.submit("chatgpt", "of no batch"));
    let dashboard = Dashboard::open(&app, "/jobs");
    let browser = &dashboard.browser;
    browser.until(&format!("{ROWS} === 4"));
    browser.write("#search", &id);
    browser.until(&format!("location.hash === '#/jobs?batch={id}'"));
    browser.until("document.getElementById('total').textContent === '3 jobs'");
    assert_eq!(browser.run("return document.getElementById('search').value"), "");
    dashboard.shows("Show the batch");
    dashboard.click("Delete finished");
    dashboard.shows("Delete 3 jobs with their answers?");
    dashboard.click("Keep as it is");
    browser.click(".chips button[aria-label='Remove the filter batch']");
    browser.until(&format!("{ROWS} === 4"));
    dashboard.is_at_peace();
}
