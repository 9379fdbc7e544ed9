//! Trackers: made and changed by the form, and what they have measured.

use answerd::answer::Answer;
use serde_json::json;

use crate::app::{App, Builder, Scripted, Step, answer};
use crate::dashboard::Dashboard;

/// The rows of a table by its title, cells between `|`.
fn rows(title: &str) -> String {
    format!(
        "[...document.querySelectorAll('[aria-label=\"{title}\"] tbody tr')]\
         .map((row) => [...row.children].map((cell) => cell.textContent).join('|')).join(';')"
    )
}

fn ask(app: &App, prompt: &str) {
    let job = app.post(&format!("/scrapers/chatgpt/jobs?prompt={prompt}&track=acme")).expect(202);
    app.ended(job["job_id"].as_str().unwrap());
}

#[test]
fn a_tracker_is_made_by_the_form_and_shows_what_it_has_measured() {
    let text = |markdown: &str| {
        Step::Answer(Box::new(Answer { markdown: markdown.to_owned(), ..answer("x") }))
    };
    let steps = [text("Acme, then Globex."), text("Globex alone."), text("Neither.")];
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", steps)).start();
    let dashboard = Dashboard::open(&app, "/trackers");
    let browser = &dashboard.browser;
    dashboard.shows("No trackers yet");
    browser.write("#tracker-name", "acme");
    browser.write(".brand [name=name]", "Acme");
    browser.write(".brand [name=domains]", "acme.com, acme.org");
    dashboard.click("Add a brand");
    browser.write(".brand:nth-child(2) [name=name]", "Globex");
    dashboard.click("Create tracker");
    dashboard.shows("Nothing measured in this time");
    let tracker = app.get("/trackers/acme").expect(200);
    assert_eq!(tracker["brands"][0]["domains"], json!(["acme.com", "acme.org"]));
    assert_eq!(
        (&tracker["brands"][0]["own"], &tracker["brands"][1]["own"]),
        (&true.into(), &false.into())
    );

    for prompt in ["first", "second", "third"] {
        ask(&app, prompt);
    }
    dashboard.click("7 days");
    browser.until(&format!("{}.startsWith('Acme|3|33%|')", rows("Brands")));
    browser.until(&format!("{}.includes(';Globex|3|67%|')", rows("Brands")));
    browser.until(&format!("{}.startsWith('chatgpt|3|33%|')", rows("Engines")));
    dashboard.shows("Only 3 answers");
    browser.until(
        "document.querySelector('.chart .dot-part') && document.querySelector('.chart .band')",
    );
    dashboard.is_at_peace();
}

#[test]
fn a_name_that_is_taken_and_brands_that_break_a_rule_are_said() {
    let app = Builder::new().start();
    app.put("/trackers/acme", &[], r#"{"brands": [{"name": "Acme"}]}"#).expect(200);
    let dashboard = Dashboard::open(&app, "/trackers");
    let browser = &dashboard.browser;
    browser.until(&format!("{}.startsWith('acme|Acme|1|')", rows("Trackers")));
    browser.write("#tracker-name", "acme");
    browser.write(".brand [name=name]", "Other");
    dashboard.click("Create tracker");
    dashboard.shows("There is a tracker acme already.");
    assert_eq!(app.get("/trackers/acme").expect(200)["version"], 1);
    dashboard.go("/trackers/none");
    dashboard.shows("There is no tracker none.");
    dashboard.go("/trackers/acme");
    dashboard.click("Brands of version 1");
    browser.run("document.querySelector('.brand [name=name]').value = ''");
    browser.write(".brand [name=name]", "Acme Corp");
    dashboard.click("Save as a new version");
    dashboard.shows("Brands of version 2");
}
