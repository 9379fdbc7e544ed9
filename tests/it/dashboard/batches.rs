//! The views of batches, the filters of the list of jobs, and what acts on many jobs at once.

use answerd::job::Reason;
use serde_json::{Value, json};

use crate::app::{App, Builder, Scripted, fail};
use crate::dashboard::Dashboard;
use crate::receiver::{Does, Receiver};

fn submitted(app: &App, batch: &Value) -> String {
    let batch = app.post_with("/batches", &[], &batch.to_string()).expect(202);
    let id = batch["batch_id"].as_str().unwrap().to_owned();
    assert_eq!(app.get(&format!("/batches/{id}?wait=30")).expect(200)["status"], "done");
    id
}

/// A service whose first answer of `chatgpt` is a refusal, and a batch with it.
fn one_has_failed() -> (App, String) {
    let upstream = Scripted::new("script", [fail(Reason::Refused)]);
    let app =
        Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &upstream).start();
    let batch = json!({
        "label": "weekly", "prompts": ["first prompt", "second prompt"],
        "scrapers": ["chatgpt", "practice"],
    });
    let id = submitted(&app, &batch);
    (app, id)
}

#[test]
fn a_batch_is_a_table_of_its_prompts_and_what_failed_is_retried_from_it() {
    let (app, id) = one_has_failed();
    let dashboard = Dashboard::open(&app, "/batches");
    let browser = &dashboard.browser;
    dashboard.shows("weekly");
    dashboard.shows("finished");
    browser.click("#batches tbody a");
    browser.until(&format!("location.hash === '#/batches/{id}'"));
    browser.until("document.querySelectorAll('.matrix .job-mark').length === 4");
    let table = "return [...document.querySelectorAll('.matrix tr')].map((row) =>
        [...row.cells].map((cell) => cell.innerText.replaceAll('\\n', ' ')).join('|'))";
    let rows = browser.run(table);
    assert_eq!(rows[0], "Prompt|chatgpt US|practice US");
    let answers: Vec<&str> =
        rows.as_array().unwrap()[1..].iter().map(|row| row.as_str().unwrap()).collect();
    assert!(answers.contains(&"second prompt|✓|✓"), "{answers:?}");
    assert!(answers.contains(&"first prompt|✕|✓"), "{answers:?}");
    dashboard.shows("4 of 4 items ended: 3 done, 1 failed");
    dashboard.shows("Why jobs failed");
    dashboard.keep("batch");
    dashboard.click("Retry failed");
    dashboard.shows("Submit 1 job again as a new batch?");
    dashboard.click("Retry 1 job");
    browser.until(&format!(
        "location.hash.startsWith('#/batches/') && location.hash !== '#/batches/{id}'"
    ));
    browser.until("document.querySelectorAll('.matrix [data-state=done]').length === 1");
    dashboard.shows("1 of 1 item ended: 1 done");
    dashboard.go(&format!("/batches/{id}"));
    browser.until("document.querySelectorAll('.matrix [data-state=failed]').length === 1");
    dashboard.go("/batches/00000000-0000-4000-8000-000000000000");
    dashboard.shows("Batch not found");
    let noise = browser.console();
    assert!(noise.iter().all(|line| line.contains("404")), "{noise:?}");
}

#[test]
fn a_running_batch_says_how_far_it_is_and_is_canceled() {
    let gate = crate::app::Gate::default();
    let upstream = Scripted::new("script", [crate::app::Step::Hold(gate.clone())]);
    let app =
        Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &upstream).start();
    let body = json!({ "scraper": "chatgpt", "prompts": ["a", "b", "c"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    gate.arrived(1);
    let id = batch["batch_id"].as_str().unwrap();
    let dashboard = Dashboard::open(&app, &format!("/batches/{id}"));
    dashboard.shows("0 of 3 items ended");
    dashboard.click("Cancel unfinished");
    dashboard.shows("Cancel 3 jobs? This cannot be undone.");
    dashboard.keep("batch-question");
    dashboard.click("Cancel 3 jobs");
    dashboard.browser.until("document.querySelectorAll('[data-state=canceled]').length >= 3");
    dashboard.shows("3 of 3 items ended: 0 done, 3 canceled");
    gate.open();
    dashboard.is_at_peace();
}

#[test]
fn more_prompts_of_a_batch_are_appended_and_those_that_are_drawn_stay() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let prompts: Vec<String> = (0..250).map(|n| format!("prompt {n}")).collect();
    let id = submitted(&app, &json!({ "scraper": "chatgpt", "prompts": prompts }));
    let dashboard = Dashboard::open(&app, &format!("/batches/{id}"));
    let browser = &dashboard.browser;
    let rows = "document.querySelectorAll('.matrix tbody tr').length";
    browser.until(&format!("{rows} === 100"));
    browser.run(
        "window.changes = [];
         new MutationObserver((seen) => seen.forEach(({ addedNodes, removedNodes }) =>
             changes.push([addedNodes.length, removedNodes.length])))
           .observe(document.querySelector('.matrix'), { childList: true, subtree: true });",
    );
    dashboard.click("Show 100 more of 150 prompts");
    browser.until(&format!("{rows} === 200"));
    let focused = "return document.activeElement.innerText";
    assert_eq!(browser.run(focused), "Show 50 more of 50 prompts");
    let total = "return changes.reduce(([added, removed], [more, less]) =>
        [added + more, removed + less], [0, 0])";
    assert_eq!(browser.run(total), json!([100, 0]));
    dashboard.click("Show 50 more of 50 prompts");
    browser.until(&format!("{rows} === 250"));
    assert_eq!(browser.run(total), json!([150, 0]));
    browser.until("!document.querySelector('.paging button')");
    dashboard.is_at_peace();
}

#[test]
fn a_batch_shows_its_credits_and_its_webhook_and_sends_that_again() {
    let receiver = Receiver::start([Does::Status(410, "")]);
    let app = crate::webhooks::builder(&Scripted::new("script", [])).start();
    let body = json!({
        "scraper": "chatgpt", "prompts": ["a", "b"], "webhook_url": receiver.url(),
    });
    let id = submitted(&app, &body);
    receiver.told();
    let dashboard = Dashboard::open(&app, &format!("/batches/{id}"));
    dashboard.shows("6 credits used.");
    dashboard.shows("Status 410");
    dashboard.keep("batch-webhook");
    dashboard.click("Send again");
    receiver.told();
    dashboard.shows("Status 204");
    dashboard.shows("delivered");
    dashboard.is_at_peace();
}

#[test]
fn a_click_on_a_value_filters_the_list_and_an_action_asks_before_it_acts() {
    let (app, _) = one_has_failed();
    let dashboard = Dashboard::open(&app, "/jobs");
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 4");
    browser.until("document.querySelector('.bulk').hidden");
    browser.click("#jobs a.value[href*=error_code]");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 1");
    dashboard.shows("error code: answer_refused");
    dashboard.click("Retry failed");
    dashboard.shows("Submit 1 job again as a new batch?");
    dashboard.keep("bulk");
    dashboard.click("Keep as it is");
    dashboard.click("Retry failed");
    dashboard.click("Retry 1 job");
    browser.until("location.hash.startsWith('#/batches/')");
    browser.until("document.querySelectorAll('.matrix [data-state=done]').length === 1");
    dashboard.go("/jobs?label=weekly&country=US");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 5");
    dashboard.click("Cancel unfinished");
    dashboard.shows("No unfinished job matches.");
    browser.click(".chips button[aria-label='Remove the filter label']");
    browser.until("location.hash === '#/jobs?country=US'");
    dashboard.is_at_peace();
}

#[test]
fn finished_jobs_that_match_are_deleted_after_a_question() {
    let (app, _) = one_has_failed();
    app.ended(&app.submit("chatgpt", "stays"));
    let dashboard = Dashboard::open(&app, "/jobs?label=weekly&status=pending");
    let browser = &dashboard.browser;
    browser.until("!document.querySelector('.bulk').hidden");
    let offered = "[...document.querySelectorAll('.bulk button')].map((it) => it.innerText).join()";
    browser.until(&format!("{offered} === 'Cancel unfinished,Export CSV'"));
    dashboard.click("All");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 4");
    dashboard.click("Delete finished");
    dashboard.shows("Delete 4 jobs with their answers? This cannot be undone.");
    dashboard.click("Keep as it is");
    dashboard.click("Failed");
    dashboard.click("Delete finished");
    dashboard.click("Delete 1 job");
    dashboard.shows("No job matches");
    dashboard.click("All");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 3");
    dashboard.click("Delete finished");
    dashboard.click("Delete 3 jobs");
    dashboard.shows("No job matches");
    let left = app.get("/jobs").expect(200)["jobs"].take();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["prompt"]), (1, &json!("stays")));
    dashboard.is_at_peace();
}

#[test]
fn several_prompts_go_to_several_countries_several_times() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/new");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.choice input[value=practice]').checked");
    browser.write("#prompt", "What is a job?\nHow long are results kept?");
    browser.click("#per-line");
    dashboard.shows("2 prompts, the longest 26 / 4,000");
    dashboard.click("Add a country");
    browser.click("select[aria-label='Another country'] option[value=DE]");
    browser.run(
        "const samples = document.getElementById('samples'); samples.value = '6';
         samples.dispatchEvent(new Event('input', { bubbles: true }))",
    );
    dashboard.shows("24 jobs, at most 72 credits");
    dashboard.keep("new-batch");
    dashboard.click("Submit");
    browser.until("location.hash.startsWith('#/batches/')");
    browser.until("document.querySelectorAll('.matrix [data-state=done]').length === 24");
    let page = app.get("/batches").expect(200);
    assert_eq!(page["batches"][0]["counts"]["items"], 24);
    dashboard.is_at_peace();
}
