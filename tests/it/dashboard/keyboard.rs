//! Each action by the keyboard alone: Tab to it, and Enter or Space.

use serde_json::json;

use crate::app::{Builder, Gate, Scripted, Step};
use crate::dashboard::Dashboard;

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";
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
    press(&dashboard, "Failed", ENTER);
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 1");
    // A batch, canceled and tried again.
    let body = json!({ "prompts": ["one", "two"], "scrapers": ["chatgpt"] }).to_string();
    let batch = app.post_with("/batches", &[], &body).expect(202);
    gates[2].arrived(1);
    dashboard.go(&format!("/batches/{}", batch["batch_id"].as_str().unwrap()));
    dashboard.shows("0 of 2 items ended");
    press(&dashboard, "Cancel 2 jobs", ENTER);
    dashboard.shows("2 of 2 items ended");
    press(&dashboard, "Retry 2 failed jobs", ENTER);
    dashboard.shows("0 of 2 items ended");
    press(&dashboard, "Side by side", ENTER);
    browser.until("location.hash.startsWith('#/compare/')");
    gates.iter().for_each(Gate::open);
    browser.until("document.querySelectorAll('.column .answer').length === 2");
    dashboard.is_at_peace();
}
