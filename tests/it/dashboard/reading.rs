//! A list that stays put under its reader, is found again as it was left, and finds what an id names.

use serde_json::json;

use crate::app::{App, Builder, Gate, Scripted, Step};
use crate::dashboard::Dashboard;
use crate::limits::{A, B, keys};

const PROMPTS: &str = "[...document.querySelectorAll('#jobs tbody a[data-step]')].map((link) => link.textContent).join('|')";

impl Dashboard {
    #[track_caller]
    fn lists(&self, prompts: &str) {
        self.browser.until(&format!("{PROMPTS} === '{prompts}'"));
    }

    /// Waits for the button that says how many jobs are new.
    #[track_caller]
    fn has_new(&self, count: &str) {
        let button = "document.querySelector('.new-jobs:not([hidden])')";
        self.browser.until(&format!("{button}.textContent === '{count}'"));
    }

    /// Waits until the first page has been looked at since the stream told of the job with this prompt.
    #[track_caller]
    fn row_is(&self, prompt: &str, status: &str) {
        self.browser.until(&format!(
            "[...document.querySelectorAll('#jobs tbody tr')].some((row) => \
             row.querySelector('a').textContent === '{prompt}' && \
             row.querySelector('.badge').textContent === '{status}')"
        ));
    }
}

fn submitted(app: &App, prompt: &str) {
    app.ended(&app.submit("chatgpt", prompt));
}

/// The list of `c`, `b` and `a`, of which `c` runs until the gate opens.
fn three_jobs(gate: &Gate) -> (App, Dashboard) {
    let held = Scripted::new("script", []);
    let app = Builder::new()
        .scripted("own", &Scripted::new("held", [Step::Hold(gate.clone())]))
        .scripted("chatgpt", &held)
        .start();
    submitted(&app, "a");
    submitted(&app, "b");
    app.submit("own", "c");
    gate.arrived(1);
    let dashboard = Dashboard::open(&app, "/jobs");
    dashboard.lists("c|b|a");
    dashboard.row_is("c", "running");
    (app, dashboard)
}

#[test]
fn rows_of_the_list_stay_the_rows_of_their_jobs() {
    let gate = Gate::default();
    let (app, dashboard) = three_jobs(&gate);
    // Somebody may hold on to a row in a way that the page cannot see, a screen reader for one.
    dashboard.browser.run("document.querySelectorAll('#jobs tbody tr')[2].held = 'a'");
    submitted(&app, "d");
    dashboard.lists("d|c|b|a");
    let row =
        "return [...document.querySelectorAll('#jobs tbody tr')].findIndex((row) => row.held)";
    assert_eq!(dashboard.browser.run(row), 3);
    gate.open();
    dashboard.row_is("c", "done");
}

#[test]
fn new_jobs_wait_while_the_list_has_the_focus() {
    let gate = Gate::default();
    let (app, dashboard) = three_jobs(&gate);
    let browser = &dashboard.browser;
    browser.run("document.querySelectorAll('#jobs tbody a[data-step]')[1].focus()");
    submitted(&app, "d");
    dashboard.has_new("1 new job");
    submitted(&app, "e");
    dashboard.has_new("2 new jobs");
    dashboard.keep("new-jobs");
    // What is shown is kept up to date meanwhile.
    gate.open();
    dashboard.row_is("c", "done");
    dashboard.lists("c|b|a");
    assert_eq!(browser.run("return document.activeElement.textContent"), "b");
    dashboard.click("2 new jobs");
    dashboard.lists("e|d|c|b|a");
    browser.until("document.querySelector('.new-jobs').hidden");
    dashboard.is_at_peace();
}

#[test]
fn new_jobs_wait_while_something_in_the_list_is_selected() {
    let gate = Gate::default();
    let (app, dashboard) = three_jobs(&gate);
    let browser = &dashboard.browser;
    browser.run(
        "getSelection().selectAllChildren(document.querySelectorAll('#jobs tbody .of-prompt')[1])",
    );
    submitted(&app, "d");
    dashboard.has_new("1 new job");
    assert_eq!(browser.run("return getSelection().toString().trim()"), "b");
    dashboard.lists("c|b|a");
    gate.open();
}

#[test]
fn new_jobs_wait_while_the_pointer_is_on_the_list() {
    let gate = Gate::default();
    let (app, dashboard) = three_jobs(&gate);
    let browser = &dashboard.browser;
    browser.hover("#jobs tbody tr:nth-child(2) a");
    submitted(&app, "d");
    dashboard.has_new("1 new job");
    let pointed = "return document.querySelector('#jobs tbody tr:hover a').textContent";
    assert_eq!(browser.run(pointed), "b");
    gate.open();
}

/// A job that ends no longer matches the filter; under its reader the row says so and stays.
#[test]
fn a_row_that_no_longer_matches_stays_while_somebody_reads() {
    let gates = [Gate::default(), Gate::default()];
    let steps = gates.iter().map(|gate| Step::Hold(gate.clone()));
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", 2)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    app.submit("chatgpt", "first");
    gates[0].arrived(1);
    app.submit("chatgpt", "second");
    gates[1].arrived(1);
    let dashboard = Dashboard::open(&app, "/jobs?status=pending");
    dashboard.lists("second|first");
    dashboard.browser.run("document.querySelectorAll('#jobs tbody a[data-step]')[1].focus()");
    gates[1].open();
    dashboard.row_is("second", "done");
    dashboard.lists("second|first");
    assert_eq!(dashboard.browser.run("return document.activeElement.textContent"), "first");
    gates[0].open();
}

fn batch(app: &App, prompts: impl Iterator<Item = String>) -> String {
    let prompts: Vec<String> = prompts.collect();
    let body = json!({ "prompts": prompts, "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &A, &body).expect(202);
    let id = batch["batch_id"].as_str().unwrap().to_owned();
    app.get(&format!("/batches/{id}?wait=30")).expect(200);
    id
}

const TOP: &str = "document.activeElement.getBoundingClientRect().top";

#[test]
fn back_from_a_job_finds_the_list_as_it_was_left() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    batch(&app, (0..80).map(|n| format!("number {n}")));
    let dashboard = Dashboard::open(&app, "/jobs?status=done");
    let browser = &dashboard.browser;
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 50");
    let leave = |row: usize| {
        browser.run(&format!(
            "const link = document.querySelectorAll('#jobs tbody a[data-step]')[{row}];
             link.scrollIntoView({{ block: 'center' }}); link.focus(); link.click();"
        ));
        browser.until("document.querySelector('.answer')");
    };
    let focused = |prompt: &str| {
        browser.until(&format!("document.activeElement.textContent === '{prompt}'"));
    };
    leave(40);
    assert_eq!(browser.run("return scrollY"), 0);
    // What comes meanwhile waits above.
    submitted(&app, "new");
    browser.run("history.back()");
    focused("number 39");
    assert_eq!(browser.run("return location.hash"), "#/jobs?status=done");
    assert_eq!(
        browser.run("return document.querySelector('[aria-pressed=true]').innerText"),
        "Done"
    );
    let middle = browser.run(&format!("return {TOP}")).as_f64().unwrap();
    assert!((350.0..550.0).contains(&middle), "{middle}");
    assert!(browser.run("return scrollY").as_f64().unwrap() > 500.0);
    dashboard.has_new("1 new job");
    // The link of the job's own page goes the same way.
    leave(45);
    dashboard.click("← Jobs");
    focused("number 34");
    assert_eq!(browser.run("return location.hash"), "#/jobs?status=done");
    // And from a page further back.
    dashboard.click("1 new job");
    // Until it is in the list, the next page begins behind the old one.
    browser.until("document.querySelector('#jobs tbody tr').textContent.includes('new')");
    dashboard.click("Older");
    dashboard.shows("Page 2");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 31");
    leave(20);
    browser.run("history.back()");
    dashboard.shows("Page 2");
    focused("number 10");
    dashboard.click("Newer");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 50");
    // A step forward to the list is a new look at it.
    dashboard.go("/");
    dashboard.shows("Throughput");
    dashboard.click("Jobs");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 50");
    assert_eq!(browser.run("return [scrollY, document.activeElement.id]"), json!([0, "main"]));
    dashboard.is_at_peace();
}

#[test]
fn a_pasted_id_finds_its_job_or_its_batch() {
    let app =
        Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("script", [])).start();
    let id = batch(&app, (0..3).map(|n| format!("of the batch {n}")));
    let job = |headers: &[(&str, &str)], prompt: &str| {
        let path = format!("/scrapers/chatgpt/jobs?prompt={prompt}");
        let job = app.post_with(&path, headers, "").expect(202);
        job["job_id"].as_str().unwrap().to_owned()
    };
    let own = job(&A, "own");
    let other = job(&B, "other");
    let label = "run-0b9a7a8e-3f43-4f0e-9d0c-5a1c2b3d4e5f";
    let path = format!("/scrapers/chatgpt/jobs?prompt=labeled&label={label}");
    app.post_with(&path, &A, "").expect(202);
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/jobs");
    let browser = &dashboard.browser;
    let paste = |text: &str| {
        browser.run(&format!(
            "const search = document.getElementById('search'); search.value = {};
             search.dispatchEvent(new Event('input', {{ bubbles: true }}))",
            json!(text)
        ));
    };
    dashboard.lists("labeled|own|of the batch 2|of the batch 1|of the batch 0");
    paste(&own);
    dashboard.lists("own");
    paste(&id);
    dashboard.lists("of the batch 2|of the batch 1|of the batch 0");
    browser.until(&format!("document.querySelector('a[href=\"#/batches/{id}\"]')"));
    // With what stands around an id in an address or a log.
    paste(&format!(" {}/md/{}.md ", app.base, own.to_uppercase()));
    dashboard.lists("own");
    // An id is all that a poll needs, whose ever the job is.
    paste(&other);
    dashboard.lists("other");
    // A label may hold an id that is none of ours.
    paste(label);
    dashboard.lists("labeled");
    paste("0b9a7a8e-3f43-4f0e-9d0c-000000000000");
    dashboard.shows("No job matches");
    dashboard.asks_nobody_else();
}
