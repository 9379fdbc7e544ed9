//! Trackers: made and changed by the form, and what they have measured.

use answerd::answer::{Answer, Source};
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

/// The labels of cells that have too little room for them, or for what they hold.
const WIDE: &str = "return [...document.querySelectorAll('td[data-label]')]
    .filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.dataset.label);";

fn on_a_phone_no_label_runs_into_the_next(dashboard: &Dashboard) {
    dashboard.size(360, 780);
    dashboard.browser.until(
        "getComputedStyle(document.querySelector('td[data-label]'), '::before').content !== 'none'",
    );
    assert_eq!(dashboard.browser.run(WIDE), json!([]));
    dashboard.size(1440, 900);
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
    on_a_phone_no_label_runs_into_the_next(&dashboard);
    browser.until(
        "document.querySelector('.chart .dot-part') && document.querySelector('.chart .band')",
    );
    app.submit("chatgpt", "not measured");
    browser.run("document.querySelector('.controls a[href$=\"jobs?tracker=acme\"]').click()");
    dashboard.shows("tracker: acme");
    browser.until("document.getElementById('total').textContent === '3 jobs'");
    assert_eq!(browser.run("return location.hash"), "#/jobs?tracker=acme");
    dashboard.is_at_peace();
}

/// An answer that consulted these pages.
fn using(markdown: &str, pages: &[&str]) -> Step {
    let source = |url: &&str| Source { url: (*url).to_owned(), ..Source::default() };
    Step::Answer(Box::new(Answer {
        markdown: markdown.to_owned(),
        sources: Some(pages.iter().map(source).collect()),
        citations: Some(Vec::new()),
        ..answer("x")
    }))
}

#[test]
fn sources_are_shown_by_engine_with_what_is_new_and_gone() {
    let (both, old, new) =
        ("https://both.example/p", "https://old.example/a", "https://new.example/b");
    let steps = [using("Acme", &[both, old]), using("Acme", &[both]), using("Acme", &[both, new])];
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &Scripted::new("script", steps)).start();
    app.put("/trackers/acme", &[], r#"{"brands": [{"name": "Acme"}]}"#).expect(200);
    ask(&app, "first");
    clock.advance_ms(8 * 86_400_000);
    ask(&app, "second");
    ask(&app, "third");
    let dashboard = Dashboard::open(&app, "/");
    let browser = &dashboard.browser;
    // Now the page knows the time of the server.
    browser.until("document.querySelector('.state.live')");
    browser.until("document.querySelector('.tile')");
    dashboard.go("/trackers/acme");
    dashboard.click("Sources");
    dashboard.shows("Sources of acme");
    dashboard.shows("so nothing can be said to be new or gone");
    dashboard.click("7 days");
    let domains = rows("Domains");
    browser.until(&format!("{domains}.startsWith('both.example|2|100%|100%|')"));
    browser.until(&format!("{domains}.includes(';new.example|1|50%|new|')"));
    browser.until(&format!("{}.includes('new.example/b|1|50%|new|')", rows("Pages")));
    on_a_phone_no_label_runs_into_the_next(&dashboard);
    dashboard.shows("Pages gone since the time before");
    dashboard.shows("old.example/a");
    let links = "return [...document.querySelectorAll('main a[target]')].map(({ href }) => href)";
    assert_eq!(browser.run(links), json!([both, new, old]));
    dashboard.is_at_peace();
}

#[test]
fn answers_to_a_prompt_are_shown_over_time_with_what_has_changed() {
    let hostile = "Acme leads. `<img src=x onerror='window.taken = 1'>`\n\nGlobex follows closely.";
    let texts = ["Acme leads.\n\nGlobex follows.", hostile, hostile];
    let steps = texts.map(|text| using(text, &[]));
    let app = Builder::new()
        .set("CACHE__TTL_SECONDS", 0)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    app.put("/trackers/acme", &[], r#"{"brands": [{"name": "Acme"}]}"#).expect(200);
    for _ in texts {
        ask(&app, "best+%3Canvil%3E");
    }
    ask(&app, "another");
    let dashboard = Dashboard::open(&app, "/trackers/acme");
    let browser = &dashboard.browser;
    dashboard.click("Prompts");
    browser.until(&format!("{}.includes('best <anvil>|3|chatgpt|')", rows("Prompts")));
    dashboard.click("best <anvil>");
    browser.until("document.querySelectorAll('.answers-over-time > li').length === 3");
    dashboard.shows("word for word as before");
    dashboard.shows("oldest one found");
    // The second answer differs from the first by what stands between marks of its own.
    let changed = "[...document.querySelectorAll('.answers-over-time > li:nth-child(2) ins')]\
                   .map((each) => each.textContent).join('')";
    browser.until(&format!("{changed}.includes(\"<img src=x onerror='window.taken = 1'>\")"));
    browser.until(&format!("{changed}.endsWith(' closely')"));
    browser.until("document.querySelectorAll('.answers-over-time del').length === 0");
    assert_eq!(browser.run("return document.querySelectorAll('main img').length"), 0);
    assert!(browser.run("return window.taken ?? null").is_null());
    browser.run("document.querySelector('.answers-over-time h3 a').click()");
    dashboard.click("Earlier answers to this prompt");
    browser.until("document.querySelectorAll('.answers-over-time > li').length === 3");
    dashboard.go("/prompts/00000000-0000-4000-8000-000000000000");
    dashboard.shows("This prompt is not there");
    dashboard.asks_nobody_else();
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
