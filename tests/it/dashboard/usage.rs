//! The usage of a key: credits, dollars and tokens, by day, upstream and label.

use serde_json::json;

use crate::app::{Builder, Scripted};
use crate::costs::{costing, usage};
use crate::dashboard::Dashboard;

#[test]
fn usage_shows_dollars_and_tokens_and_its_bars_lead_to_the_jobs_of_a_day() {
    let steps = [costing(usage(20, Some(2_500_000))), costing(usage(15, None))];
    let (builder, _clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &Scripted::new("one", steps)).start();
    let path = "/scrapers/chatgpt/jobs?prompt=x&label=weekly";
    app.ended(app.post(path).expect(202)["job_id"].as_str().unwrap());
    app.ended(&app.submit("chatgpt", "y"));
    let spent = app.get("/usage").expect(200)["spent"].take();
    assert_eq!((&spent["cost_usd"], &spent["calls_without_cost"]), (&json!(0.0025), &json!(1)));
    let dashboard = Dashboard::open(&app, "/usage");
    let browser = &dashboard.browser;
    let tile = |name: &str, value: &str| {
        browser.until(&format!(
            "[...document.querySelectorAll('.tile')].some((tile) =>
               tile.innerText.startsWith('{name}\\n{value}\\n'))"
        ));
    };
    tile("Cost", "$0.0025");
    dashboard.shows("in 30 days, without 1 call of unknown cost");
    tile("Calls", "2");
    tile("Tokens out", "35");
    let row = |table: &str, cells: &[&str]| {
        browser.until(&format!(
            "[...document.querySelectorAll('[aria-label=\"Table: {table}\"] tbody tr')]
               .some((row) => {}.every((text, at) => row.cells[at].innerText === text))",
            json!(cells)
        ));
    };
    let tokens = spent["input_tokens"].to_string();
    let searches = spent["searches"].to_string();
    row("By upstream", &["one", "2", &tokens, "35", &searches, "$0.0025"]);
    row("By label", &["weekly", "1"]);
    row("Day by day", &["11 May", "2", "2", "0", "0", "6", "$0.0025"]);
    for scheme in ["light", "dark"] {
        dashboard.prefers(scheme);
        for (width, height) in [(360, 780), (1024, 768), (1440, 900)] {
            dashboard.size(width, height);
            dashboard.keep(&format!("usage-{scheme}-{width}"));
        }
    }
    // The last bar is today's.
    browser.run("document.querySelector('.plot.opens').focus()");
    browser.press(&["\u{E012}"]); // left
    browser.until("document.querySelector('.chart [aria-live]').innerText === '11 May, credits 6'");
    browser.press(&["\u{E007}"]); // Enter
    browser.until("location.hash === '#/jobs?since=2026-05-11&until=2026-05-11'");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 2");
    dashboard.is_at_peace();
}

#[test]
fn a_bar_of_the_overview_leads_to_the_jobs_of_its_hour() {
    const HOUR_MS: u64 = 3_600_000;
    let (builder, clock) = Builder::new().manual();
    let app = builder.start();
    app.ended(&app.submit("practice", "an hour ago"));
    clock.advance_ms(HOUR_MS);
    app.ended(&app.submit("practice", "now"));
    let dashboard = Dashboard::open(&app, "/");
    let browser = &dashboard.browser;
    browser.until("document.querySelector('.plot.opens .bar-part')");
    let click = "const bars = document.querySelectorAll('.plot.opens .bar-part');
        const { left, top, width } = bars[bars.length - 1].getBoundingClientRect();
        const at = { clientX: left + width / 2, clientY: top + 1, bubbles: true };
        bars[bars.length - 1].dispatchEvent(new PointerEvent('click', at));";
    browser.run(click);
    browser.until("location.hash.startsWith('#/jobs?since=2026-05-11T13')");
    browser.until("document.querySelectorAll('#jobs tbody tr').length === 1");
    dashboard.shows("now");
    dashboard.is_at_peace();
}
