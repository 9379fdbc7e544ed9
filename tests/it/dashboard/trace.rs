//! The attempts of a job as a waterfall, its place in the queue, and the ways from one job to others.

use std::sync::Arc;

use answerd::clock::ManualClock;
use answerd::job::Reason;
use serde_json::json;

use crate::app::{App, Builder, Gate, Scripted, Step, fail};
use crate::dashboard::Dashboard;

/// The widths and colors that every view is looked at in.
const WIDTHS: [(u32, u32); 4] = [(360, 780), (768, 1024), (1024, 768), (1440, 900)];

/// Keeps the view in every width and color.
fn keep_all(dashboard: &Dashboard, name: &str) {
    for scheme in ["light", "dark"] {
        dashboard.prefers(scheme);
        for (width, height) in WIDTHS {
            dashboard.size(width, height);
            dashboard.keep(&format!("{name}-{scheme}-{width}"));
        }
    }
}

/// A job whose first attempt failed, and whose second skips one upstream and waits for another.
fn waterfall(gate: &Gate) -> (App, Arc<ManualClock>, String) {
    let one = Scripted::new("one", [fail(Reason::Overloaded)]);
    let other = Scripted::new("other", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new()
        .scripted("chatgpt", &one)
        .scripted("chatgpt", &other)
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"one\", \"other\"]")
        .set("UPSTREAMS__ONE__REQUESTS_PER_MINUTE", 1)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .manual();
    let app = builder.start();
    let id = app.submit("chatgpt", "Which running shoes are the best?");
    app.until(&id, |job| job["phase"] == "waiting_retry");
    (app, clock, id)
}

#[test]
fn attempts_of_a_job_are_a_waterfall_while_it_runs_and_afterwards() {
    let gate = Gate::default();
    let (app, clock, id) = waterfall(&gate);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    dashboard.shows("The next attempt starts");
    dashboard.shows("upstream_overloaded");
    clock.advance_ms(1_000);
    gate.arrived(1);
    clock.advance_ms(2_500);
    dashboard.shows("Attempt 2 has been running for 2 s. It is waiting for other.");
    let rows = "[...document.querySelectorAll('#trace tbody tr')].map((row) => \
                [...row.cells].slice(0, 2).map((cell) => cell.innerText.replace(/\\s+/g, ' ').trim()).join(': '))";
    let has = |row: &str| {
        browser.until(&format!("{rows}.some((row) => row.startsWith({}))", json!(row)));
    };
    has("Attempt 1 failed upstream_overloaded");
    has("one: failed upstream_overloaded");
    has("Wait: waited");
    has("one: skipped its requests_per_minute was used up");
    has("other: running");
    keep_all(&dashboard, "trace-running");
    clock.advance_ms(1_000);
    dashboard.shows("has been running for 3 s");
    gate.open();
    has("other: answered");
    browser.until("!document.querySelector('#progress')");
    let bars = "return [...document.querySelectorAll('#trace rect')].map((bar) => bar.className.baseVal).join(' ')";
    // The backoff ends within the second that the clock has moved by; the queue has the rest.
    let bars = browser.run(bars).as_str().unwrap().to_owned();
    assert!(["bad idle good", "bad idle idle good"].contains(&bars.as_str()), "{bars}");
    has("Backoff: waited");
    assert_eq!(
        browser.run("return document.querySelector('h1').innerText"),
        "Which running shoes are the best?"
    );
    keep_all(&dashboard, "trace-done");
    dashboard.is_at_peace();
}

#[test]
fn waiting_job_shows_its_place_in_the_queue() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app =
        Builder::new().scripted("chatgpt", &held).set("SCRAPERS__CHATGPT__WORKERS", 1).start();
    app.submit("chatgpt", "held");
    gate.arrived(1);
    let ids: Vec<String> = (0..3).map(|n| app.submit("chatgpt", &format!("job {n}"))).collect();
    let dashboard = Dashboard::open(&app, &format!("/jobs/{}", ids[1]));
    dashboard.shows("Position 2 of about 3");
    keep_all(&dashboard, "waiting");
    app.method("DELETE", &format!("/jobs/{}", ids[0])).expect(200);
    dashboard.shows("Position 1 of about 2");
    gate.open();
    dashboard.browser.until("document.querySelector('.answer')");
    dashboard.is_at_peace();
}

#[test]
fn job_of_a_batch_leads_to_the_jobs_beside_it_and_to_its_place() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let body = json!({ "prompts": ["one", "two", "three"], "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    let id = batch["batch_id"].as_str().unwrap();
    app.get(&format!("/batches/{id}?wait=30")).expect(200);
    let job = batch["items"][1]["job_id"].as_str().unwrap();
    let dashboard = Dashboard::open(&app, &format!("/jobs/{job}"));
    let browser = &dashboard.browser;
    let heading = |text: &str| {
        browser.until(&format!("document.querySelector('h1').innerText === {}", json!(text)));
    };
    heading("two");
    browser.until(&format!(
        "[...document.querySelectorAll('.details a')].some((link) => \
         link.innerText === '2 of 3' && link.hash === '#/batches/{id}')"
    ));
    dashboard.click("Next job");
    heading("three");
    dashboard.click("Previous job");
    heading("two");
    // In the list, newest first, the order is another.
    dashboard.click("← Jobs");
    dashboard.click("two");
    heading("two");
    dashboard.click("Next job");
    heading("one");
    browser.devtools(
        "Browser.grantPermissions",
        json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
    );
    // A page may copy only while it has the focus, which no other window may take here.
    browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
    dashboard.click("Copy id");
    dashboard.shows("Copied");
    let copied = browser.wait_for("navigator.clipboard.readText().then(done, (e) => done(`${e}`))");
    assert_eq!(copied, batch["items"][0]["job_id"]);
    dashboard.is_at_peace();
}

#[test]
fn edit_and_run_fills_the_form_without_the_webhook() {
    let script = Scripted::new("script", []);
    let app = Builder::new()
        .env("ANSWERD_WEBHOOK_SECRET", crate::receiver::SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", "[\"127.0.0.1:9\"]")
        .scripted("grok", &Scripted::new("unused", []))
        .scripted("chatgpt", &script)
        .start();
    let query = "prompt=first&country=DE&label=l&mode=deep&web_search=false&\
                 webhook_url=http%3A%2F%2F127.0.0.1%3A9%2Fhook";
    let job = app.post(&format!("/scrapers/chatgpt/jobs?{query}")).expect(202);
    let id = job["job_id"].as_str().unwrap().to_owned();
    app.ended(&id);
    let dashboard = Dashboard::open(&app, &format!("/jobs/{id}"));
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.button.primary')?.innerText === 'Edit and run'");
    dashboard.click("Edit and run");
    browser.until("document.querySelector('.choice input[value=chatgpt]').checked");
    dashboard.shows("Also as before: mode deep.");
    keep_all(&dashboard, "edit");
    let filled =
        "return ['prompt', 'label', 'country'].map((id) => document.getElementById(id).value)";
    assert_eq!(browser.run(filled), json!(["first", "l", "DE"]));
    browser.run("document.getElementById('prompt').value = ''");
    browser.write("#prompt", "second");
    dashboard.click("Submit");
    browser.until("document.querySelector('h1')?.innerText === 'second'");
    let again = browser.run("return location.hash.slice(7)").as_str().unwrap().to_owned();
    let asked = app.get(&format!("/jobs/{again}/attempts")).expect(200);
    let parameters = json!({
        "prompt": "second", "country": "DE", "bypass_cache": true, "timeout": 300.0,
        "web_search": false, "markdown_json": false, "mode": "deep", "label": "l",
    });
    assert_eq!(asked["parameters"], parameters);
    dashboard.is_at_peace();
}

#[test]
fn jobs_of_a_page_are_sorted_by_how_long_they_took() {
    let gate = Gate::default();
    let held = Scripted::new("held", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &held).start();
    let slow = app.submit("chatgpt", "slow");
    gate.arrived(1);
    app.ended(&app.submit("practice", "quick"));
    gate.open();
    app.ended(&slow);
    let dashboard = Dashboard::open(&app, "/jobs");
    let browser = &dashboard.browser;
    let lists = |prompts: &str| {
        browser.until(&format!(
            "[...document.querySelectorAll('#jobs tbody a[data-step]')]\
             .map((link) => link.innerText).join('|') === '{prompts}'"
        ));
    };
    lists("quick|slow");
    browser.until("/\\d m?s/.test(document.querySelector('.of-took').innerText)");
    browser.run("document.getElementById('order').focus()");
    browser.press(&["\u{E015}"]); // Down
    lists("slow|quick");
    browser.until("document.querySelector('[aria-sort=descending]')");
    browser.press(&["\u{E015}"]);
    lists("quick|slow");
    browser.until("document.querySelector('[aria-sort=ascending]')");
    browser.press(&["\u{E013}", "\u{E013}"]); // Up
    browser.until("!document.querySelector('[aria-sort]')");
    dashboard.is_at_peace();
}
