//! A server that goes away and comes back, and a key that is taken back.

use std::net::TcpListener;

use crate::app::{Builder, Scripted};
use crate::dashboard::Dashboard;
use crate::dashboard::relay::Relay;
use crate::limits::{A, keys};

/// An address that is free now and stays so: nobody else asks for this one.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_server_that_goes_away_is_told_of_and_found_again() {
    let address = free_address();
    let app = Builder::new()
        .set("HTTP__BIND", &address)
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let dashboard = Dashboard::open(&app, "/jobs");
    dashboard.shows("No jobs yet");
    dashboard.shows("Live");
    let app = app.restart_with(|builder| {
        dashboard.shows("The server cannot be reached.");
        dashboard.shows("Away");
        dashboard.browser.until("document.querySelector('#banner button')");
        dashboard
            .browser
            .until("getComputedStyle(document.querySelector('main')).filter === 'grayscale(1)'");
        builder
    });
    dashboard.click("Try now");
    dashboard.browser.until("document.getElementById('banner').hidden");
    dashboard.shows("Live");
    dashboard.browser.until("document.getElementById('announcer').textContent.length > 0");
    // What happens from then on is seen, without the page being loaded again.
    app.ended(&app.submit("chatgpt", "after the restart"));
    dashboard.shows("after the restart");
    dashboard.asks_nobody_else();
}

#[test]
fn a_page_that_is_opened_while_the_server_starts_waits_for_it() {
    let address = free_address();
    let app = Builder::new().set("HTTP__BIND", &address).start();
    let dashboard = Dashboard::open(&app, "/usage");
    dashboard.shows("Nothing used yet");
    // The page is there, and the server is not: as after a reload out of a cache.
    let app = app.restart_with(|builder| {
        dashboard.shows("Away");
        dashboard.go("/jobs");
        dashboard.shows("The server cannot be reached.");
        builder
    });
    dashboard.shows("No jobs yet");
    drop(app);
}

#[test]
fn a_key_that_is_taken_back_leads_to_the_form() {
    let address = free_address();
    let app = Builder::new()
        .set("HTTP__BIND", &address)
        .config(&keys(""))
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    app.post_with("/scrapers/chatgpt/jobs?prompt=mine", &A, "").expect(202);
    let dashboard = Dashboard::signed_in(&app, "secret-a", "/jobs");
    dashboard.shows("mine");
    // Only the key of the other one is left.
    let app = app.restart_with(|builder| {
        builder.other_config(|config| {
            let (before, _) = config.split_once("[[keys]]\nname = \"b\"").unwrap();
            let (_, own) = before.split_once("[[keys]]").unwrap();
            config.replace(&format!("[[keys]]{own}"), "")
        })
    });
    dashboard.shows("This key is no longer valid.");
    dashboard.browser.until("sessionStorage.length === 0");
    assert!(!dashboard.browser.run("return document.body.innerText").to_string().contains("mine"));
    drop(app);
}

#[test]
fn a_tab_that_nobody_sees_holds_no_connection_and_catches_up() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let dashboard = Dashboard::open(&app, "/jobs");
    dashboard.shows("Live");
    dashboard.shows("No jobs yet");
    let see = |hidden: bool| {
        dashboard.browser.run(&format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
             document.dispatchEvent(new Event('visibilitychange'));"
        ))
    };
    let streams = || {
        let asked = dashboard.browser.requested();
        asked.iter().filter(|address| address.ends_with("/stats/events")).count()
    };
    assert_eq!(streams(), 1);
    see(true);
    app.ended(&app.submit("chatgpt", "while nobody looked"));
    assert_eq!(streams(), 0);
    see(false);
    dashboard.shows("while nobody looked");
    assert_eq!(streams(), 1);
}

/// As where a network breaks: what was open says nothing more, and what is new does not come through.
#[test]
fn a_server_behind_a_broken_network_is_away_though_the_stream_is_still_open() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let relay = Relay::start(&app.base);
    let dashboard = Dashboard::open_at(&relay.base, "/");
    dashboard.shows("Live");
    dashboard.shows("Throughput");
    relay.cut();
    // A call notices it, long before the stream has said nothing for too long.
    dashboard.go("/jobs");
    dashboard.shows("Away");
    dashboard.shows("The server cannot be reached.");
    let before = relay.refused();
    dashboard
        .browser
        .until("/Trying again in [2-9] s/.test(document.getElementById('banner').innerText)");
    assert!(relay.refused() - before < 10, "it tries again without a rest");
    relay.mend();
    app.ended(&app.submit("chatgpt", "after the mending"));
    dashboard.shows("after the mending");
    dashboard.shows("Live");
}

#[test]
fn an_error_vanishes_when_the_server_is_back() {
    let app = Builder::new().config(&keys("")).start();
    let relay = Relay::start(&app.base);
    let dashboard = Dashboard::open_at(&relay.base, "/new");
    let browser = &dashboard.browser;
    let says = |id: &str, text: &str| {
        browser.until(&format!("document.getElementById('{id}').textContent === '{text}'"));
    };
    let away = "The server cannot be reached.";
    browser.until("document.getElementById('key')");
    relay.cut();
    dashboard.sign_in("secret-a");
    says("key-error", away);
    relay.mend();
    says("key-error", "");
    browser.run("document.getElementById('key').value = ''");
    dashboard.sign_in("secret-a");
    browser.until("document.querySelector('.choice')");
    browser.write("#prompt", "What is a job?");
    relay.cut();
    dashboard.click("Submit");
    says("form-error", away);
    dashboard.keep("away");
    relay.mend();
    says("form-error", "");
    // What the server itself refuses stays, for it is as wrong as before.
    browser.run("document.getElementById('prompt').value = 'x'.repeat(4001)");
    dashboard.click("Submit");
    dashboard.shows("Parameter `prompt` must be 1 to 4000 characters");
}
