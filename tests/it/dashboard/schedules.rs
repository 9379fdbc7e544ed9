//! The view of schedules: what it shows of each, its buttons, and what it says where there is none.

use serde_json::json;

use crate::app::Builder;
use crate::dashboard::Dashboard;

#[test]
fn schedules_are_shown_run_paused_and_resumed() {
    let app = Builder::new().start();
    let dashboard = Dashboard::open(&app, "/schedules");
    dashboard.shows("No schedule yet");
    dashboard.shows("answerd schedule add daily");
    let schedule = json!({
        "name": "yearly", "cron": "0 6 1 1 *", "timezone": "Europe/Berlin",
        "batch": { "scraper": "practice", "prompts": ["What is a job?"] },
    });
    let made = app.post_with("/schedules", &[], &schedule.to_string()).expect(201);
    dashboard.go("/");
    dashboard.shows("Overview");
    dashboard.go("/schedules");
    dashboard.shows("0 6 1 1 * (Europe/Berlin)");
    dashboard.shows("none yet");
    dashboard.click("Run now");
    dashboard.shows("submitted");
    dashboard.click("Show runs");
    dashboard.browser.until("document.querySelectorAll('tbody tr').length === 1");
    dashboard.click("Pause");
    dashboard.shows("none while it is paused");
    dashboard.click("Resume");
    dashboard.browser.until("document.querySelector('.badge').innerText === 'active'");
    dashboard.is_at_peace();
    // Nothing is wider than a small screen.
    dashboard.size(360, 800);
    dashboard.browser.until("document.documentElement.scrollWidth <= 360");
    let path = format!("/schedules/{}/runs", made["schedule_id"].as_str().unwrap());
    let runs = app.get(&path).expect(200);
    let batch = runs["runs"][0]["batch_id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/batches/{batch}?wait=30")).expect(200)["status"], "done");
}
