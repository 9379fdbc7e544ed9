//! Each action by the keyboard alone: Tab to it, and Enter or Space.

use serde_json::json;

use crate::app::{Builder, Gate, Scripted, Step};
use crate::dashboard::Dashboard;
use crate::receiver::Receiver;
use crate::webhooks::ALLOW_LOOPBACK;

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
const SPACE: &str = " ";
/// The most presses from the start of a view to anything in it.
const TABS_MAX: usize = 80;

/// Goes to what has this name, from the start of the view, and makes sure that the focus is seen.
#[track_caller]
fn tab_to(dashboard: &Dashboard, name: &str) {
    let browser = &dashboard.browser;
    browser.run("document.getElementById('main').focus()");
    let named = "const it = document.activeElement; \
                 return (it.ariaLabel ?? it.labels?.[0]?.innerText ?? it.innerText ?? '').trim()";
    for _ in 0..TABS_MAX {
        browser.press(&[TAB]);
        if browser.run(named) == name {
            let seen =
                "const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 &&
                            document.activeElement.checkVisibility()";
            assert_eq!(browser.run(seen), true, "the focus on {name} is not seen");
            return;
        }
    }
    panic!("no way to {name} by Tab; the last was {}", browser.run(named));
}

#[track_caller]
fn press(dashboard: &Dashboard, name: &str, key: &str) {
    tab_to(dashboard, name);
    dashboard.browser.press(&[key]);
}

#[test]
fn each_action_on_jobs_and_batches_is_reached_by_tab() {
    let gates: Vec<Gate> = (0..4).map(|_| Gate::default()).collect();
    let steps = gates.iter().map(|gate| Step::Hold(gate.clone()));
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    let dashboard = Dashboard::open(&app, "/");
    let browser = &dashboard.browser;
    // From an empty service to a job that runs.
    dashboard.shows("No jobs yet");
    press(&dashboard, "New prompt for chatgpt", ENTER);
    browser.until("document.querySelector('.choice input[value=chatgpt]')?.checked");
    browser.run("document.getElementById('prompt').focus()");
    browser.press(&["h", "i"]);
    press(&dashboard, "Skip the cache", SPACE);
    browser.until("document.getElementById('fresh').checked");
    press(&dashboard, "Submit", ENTER);
    gates[0].arrived(1);
    browser.until("document.querySelector('h1')?.innerText === 'hi'");
    press(&dashboard, "Cancel", ENTER);
    dashboard.shows("Canceled");
    press(&dashboard, "Run again", ENTER);
    gates[0].open();
    gates[1].arrived(1);
    browser.until("document.querySelector('#progress')");
    gates[1].open();
    browser.until("document.querySelector('.answer')");
    press(&dashboard, "Edit and run", ENTER);
    browser.until("document.getElementById('prompt')?.value === 'hi'");
    browser.run("history.back()");
    browser.until("document.querySelector('.answer')");
    // A description that has a button in it is opened as well.
    browser.run("document.querySelector('.raw summary').focus()");
    browser.press(&[ENTER]);
    browser.until("document.querySelector('.raw details').open");
    press(&dashboard, "← Jobs", ENTER);
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 2");
    press(&dashboard, "Canceled", ENTER);
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 1");
    // A batch, canceled and tried again.
    let body = json!({ "prompts": ["one", "two"], "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    gates[2].arrived(1);
    dashboard.go(&format!("/batches/{}", batch["batch_id"].as_str().unwrap()));
    dashboard.shows("0 of 2 items ended");
    // The first answer is a no.
    press(&dashboard, "Cancel unfinished", ENTER);
    dashboard.shows("Cancel 2 jobs? This cannot be undone.");
    browser.press(&[ESCAPE]);
    browser.until("document.activeElement.innerText === 'Cancel unfinished'");
    browser.until("!document.querySelector('.bulk .buttons')");
    browser.press(&[ENTER]);
    browser.until("document.activeElement.innerText === 'Cancel 2 jobs'");
    browser.press(&[ENTER]);
    dashboard.shows("2 of 2 items ended");
    press(&dashboard, "Retry canceled", ENTER);
    browser.until("document.activeElement.innerText === 'Retry 2 jobs'");
    browser.press(&[ENTER]);
    dashboard.shows("0 of 2 items ended");
    press(&dashboard, "Side by side", ENTER);
    browser.until("location.hash.startsWith('#/compare/')");
    gates.iter().for_each(Gate::open);
    browser.until("document.querySelectorAll('.column .answer').length === 2");
    dashboard.is_at_peace();
}

/// Writes into the field with this name.
#[track_caller]
fn type_into(dashboard: &Dashboard, name: &str, text: &str) {
    tab_to(dashboard, name);
    let keys: Vec<String> = text.chars().map(String::from).collect();
    dashboard.browser.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Makes sure that what was pressed has the focus still, by the name that it has now.
#[track_caller]
fn has_the_focus(dashboard: &Dashboard, name: &str) {
    dashboard.browser.until(&format!("document.activeElement.ariaLabel === {}", json!(name)));
}

#[test]
fn each_action_on_schedules_is_reached_by_tab() {
    let app = Builder::new().start();
    let schedule = json!({
        "name": "yearly", "cron": "0 6 1 1 *",
        "batch": { "scraper": "practice", "prompts": ["What is a job?"] },
    });
    app.post_with("/schedules", &[], &schedule.to_string()).expect(201);
    let dashboard = Dashboard::open(&app, "/schedules");
    let browser = &dashboard.browser;
    dashboard.shows("none yet");
    press(&dashboard, "Show runs: yearly", ENTER);
    dashboard.shows("It has not run yet.");
    press(&dashboard, "Run now: yearly", ENTER);
    dashboard.shows("submitted");
    has_the_focus(&dashboard, "Run now: yearly");
    press(&dashboard, "Pause: yearly", SPACE);
    dashboard.shows("none while it is paused");
    has_the_focus(&dashboard, "Resume: yearly");
    browser.press(&[SPACE]);
    has_the_focus(&dashboard, "Pause: yearly");
    let runs = app.get("/schedules").expect(200);
    let batch = runs["schedules"][0]["last_run"]["batch_id"].as_str().unwrap().to_owned();
    app.get(&format!("/batches/{batch}?wait=30")).expect(200);
    press(&dashboard, "Prompts: yearly", ENTER);
    press(&dashboard, "What is a job?", ENTER);
    dashboard.shows("Answers over time");
    press(&dashboard, "← Job", ENTER);
    browser.until("document.querySelector('h1')?.innerText === 'What is a job?'");
    // What is open is so no longer when one comes back.
    dashboard.go("/schedules");
    press(&dashboard, "Show runs: yearly", SPACE);
    has_the_focus(&dashboard, "Hide runs: yearly");
    press(&dashboard, "Jobs", ENTER);
    browser.until(&format!("location.hash === '#/jobs?batch={batch}'"));
    dashboard.is_at_peace();
}

#[test]
fn each_action_on_trackers_is_reached_by_tab() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let dashboard = Dashboard::open(&app, "/trackers");
    let browser = &dashboard.browser;
    dashboard.shows("No trackers yet");
    type_into(&dashboard, "Name", "acme");
    type_into(&dashboard, "Brand", "Acme");
    press(&dashboard, "Add a brand", ENTER);
    // It goes to the new one, whose removal leads back.
    browser.until("document.activeElement.closest('fieldset')?.innerText.includes('Brand 2')");
    browser.press(&["G", "l", "o"]);
    press(&dashboard, "Remove brand 2", SPACE);
    browser.until("document.activeElement.innerText === 'Add a brand'");
    browser.press(&[ENTER]);
    browser.press(&["G", "l", "o", "b", "e", "x"]);
    press(&dashboard, "Create tracker", ENTER);
    dashboard.shows("Nothing measured in this time");
    for _ in 0..7 {
        let job = app.post("/scrapers/chatgpt/jobs?prompt=who&track=acme").expect(202);
        app.ended(job["job_id"].as_str().unwrap());
    }
    press(&dashboard, "7 days", ENTER);
    dashboard.shows("Only 7 answers");
    tab_to(&dashboard, "Engine");
    browser.press(&["c"]);
    browser.until("document.getElementById('tracker-scraper').value === 'chatgpt'");
    press(&dashboard, "Brands of version 1", ENTER);
    browser.until("document.querySelector('.brand')?.checkVisibility()");
    press(&dashboard, "Remove brand 2", ENTER);
    press(&dashboard, "Save as a new version", ENTER);
    dashboard.shows("Brands of version 2");
    press(&dashboard, "Sources", ENTER);
    dashboard.shows("Sources of acme");
    press(&dashboard, "90 days", SPACE);
    browser.until("document.querySelector('[data-days=\"90\"]').ariaPressed === 'true'");
    press(&dashboard, "← acme", ENTER);
    press(&dashboard, "Prompts", ENTER);
    press(&dashboard, "who", ENTER);
    dashboard.shows("Answers over time");
    browser.until("document.querySelectorAll('.answers-over-time > li').length === 5");
    press(&dashboard, "Show 2 more", ENTER);
    browser.until("document.querySelectorAll('.answers-over-time > li').length === 7");
    dashboard.is_at_peace();
}

#[test]
fn each_action_on_alerts_is_reached_by_tab() {
    let receiver = Receiver::start([]);
    let app = Builder::new().set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK).start();
    let dashboard = Dashboard::open(&app, "/alerts");
    let browser = &dashboard.browser;
    dashboard.shows("No alert yet");
    type_into(&dashboard, "Name", "spent");
    tab_to(&dashboard, "Condition");
    browser.press(&["B"]);
    dashboard.shows("US dollars in a day.");
    type_into(&dashboard, "Webhook", &receiver.url());
    tab_to(&dashboard, "Format");
    browser.press(&["s", "l"]);
    browser.until("document.getElementById('alert-format').value === 'slack'");
    press(&dashboard, "Create alert", ENTER);
    dashboard.shows("Budget reached: 5 USD a day");
    press(&dashboard, "Send a test: spent", ENTER);
    receiver.told();
    dashboard.shows("nothing has happened");
    has_the_focus(&dashboard, "Send a test: spent");
    press(&dashboard, "Hide notices: spent", SPACE);
    has_the_focus(&dashboard, "Show notices: spent");
    browser.press(&[ENTER]);
    has_the_focus(&dashboard, "Hide notices: spent");
    press(&dashboard, "Pause: spent", ENTER);
    has_the_focus(&dashboard, "Resume: spent");
    browser.press(&[ENTER]);
    has_the_focus(&dashboard, "Pause: spent");
    dashboard.is_at_peace();
}
