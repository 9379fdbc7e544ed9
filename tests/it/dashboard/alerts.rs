//! The view of alerts: its form, what it shows of each, its buttons, and what it says where there is
//! none.

use crate::app::{Builder, until};
use crate::dashboard::Dashboard;
use crate::receiver::Receiver;
use crate::webhooks::ALLOW_LOOPBACK;

#[test]
fn alert_is_made_tested_paused_and_resumed() {
    let receiver = Receiver::start([]);
    let app = Builder::new().set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK).start();
    app.put("/trackers/acme", &[], r#"{"brands": [{"name": "Acme"}]}"#).expect(200);
    let dashboard = Dashboard::open(&app, "/alerts");
    let browser = &dashboard.browser;
    dashboard.shows("No alert yet");
    browser.until("document.querySelector('#alert-tracker option')?.value === 'acme'");
    browser.write("#alert-name", "fewer");
    browser.write("#alert-webhook", &receiver.url());
    browser.run("document.querySelector('#alert-format').value = 'slack'");
    // What breaks a rule is said with the rule.
    browser.run("document.querySelector('#alert-threshold').value = '7'");
    dashboard.click("Create alert");
    dashboard.shows("must be a share above 0 and below 1, such as 0.3; given:");
    browser.run("document.querySelector('#alert-threshold').value = '0,25'");
    dashboard.click("Create alert");
    dashboard.shows("Mention rate below: 25 %, acme, over 3 runs");
    browser.until("document.querySelector('.badge').innerText === 'no data'");
    dashboard.click("Send a test");
    receiver.told();
    let list = app.get("/alerts").expect(200);
    let path = format!("/alerts/{}", list["alerts"][0]["alert_id"].as_str().unwrap());
    until(|| {
        let alert = app.get(&path).expect(200);
        (alert["notices"][0]["state"] == "delivered").then_some(())
    });
    dashboard.shows("nothing has happened");
    dashboard.click("Hide notices");
    dashboard.click("Show notices");
    browser.until("document.querySelector('tbody .badge')?.innerText === 'delivered'");
    dashboard.click("Pause");
    browser.until("document.querySelector('.badge').innerText === 'paused'");
    dashboard.click("Resume");
    browser.until("document.querySelector('.badge').innerText === 'no data'");
    // The fields are those of the condition.
    browser.run(
        "const when = document.querySelector('#alert-when'); when.value = 'budget_reached'; \
         when.dispatchEvent(new Event('change'))",
    );
    browser.until("!document.querySelector('#alert-tracker').offsetParent");
    dashboard.shows("US dollars in a day.");
    // Nothing is wider than a small screen.
    dashboard.size(360, 800);
    browser.until("document.documentElement.scrollWidth <= 360");
    dashboard.asks_nobody_else();
}
