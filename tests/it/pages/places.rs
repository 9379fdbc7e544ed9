//! The place of a request as a page in a real Chromium sees it.

use serde_json::{Value, json};

use super::builder;
use crate::app::App;
use crate::page_server::PageServer;

/// Says where and on what it takes itself to be.
const PAGE: &str = "<!doctype html><meta charset=utf-8>\
    <meta name=viewport content='width=device-width'><textarea></textarea>\
    <button id=send>Send</button><div id=out></div><script>send.onclick = async () => {\
    const at = await new Promise((done) => navigator.geolocation.getCurrentPosition(\
        (it) => done([it.coords.latitude, it.coords.longitude]), (error) => done(error.message)));\
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;\
    const phone = [navigator.userAgentData?.mobile, navigator.userAgent.includes('Android'),\
        innerWidth, navigator.maxTouchPoints > 0];\
    out.className = 'answer';\
    out.textContent = [navigator.languages, zone, at, phone].join(' '); };</script>";

fn ask(app: &App, query: &str) -> Value {
    let path = format!("/scrapers/page/jobs?prompt=where&country=US{query}");
    let job = app.post(&path).expect(202);
    app.ended(job["job_id"].as_str().unwrap())
}

/// What a page on a desktop has of phones.
const DESKTOP: &str = "false,false,1366,false";

#[test]
fn page_sees_the_place_of_the_request_and_the_result_says_what_was_applied() {
    let server = PageServer::start(&[("/where", PAGE)]);
    let app = builder(&server, "/where").start();
    for (query, seen, applied) in [
        ("", format!("en-US,en America/New_York 40.7,-74 {DESKTOP}"), json!({ "country": "US" })),
        (
            "&language=pt-BR&timezone=Asia%2FTokyo&device=desktop",
            format!("pt-BR,pt,en Asia/Tokyo 40.7,-74 {DESKTOP}"),
            json!({
                "country": "US", "language": "pt-BR", "timezone": "Asia/Tokyo", "device": "desktop",
            }),
        ),
        (
            "&city=los+angeles",
            format!("en-US,en America/Los_Angeles 34.1,-118.2 {DESKTOP}"),
            json!({ "country": "US", "city": "los angeles" }),
        ),
        (
            "&region=Texas&city=Austin&timezone=America%2FChicago",
            format!("en-US,en America/Chicago 41.9,-87.7 {DESKTOP}"),
            json!({ "country": "US", "timezone": "America/Chicago" }),
        ),
        (
            "&device=mobile",
            "en-US,en America/New_York 40.7,-74 true,true,412,true".to_owned(),
            json!({ "country": "US", "device": "mobile" }),
        ),
    ] {
        let job = ask(&app, query);
        assert_eq!(job["result"]["result"], seen, "{query}: {job:#}");
        let place = &job["result"]["place"];
        assert_eq!((&place["by"], &place["applied"]), (&json!("field"), &applied), "{query}");
    }
}

#[test]
fn strict_place_is_refused_where_a_browser_cannot_be_set_to_it() {
    let server = PageServer::start(&[("/where", PAGE)]);
    let app = builder(&server, "/where").start();
    for query in ["&region=Texas", "&region=Illinois&city=Chicago"] {
        let job = ask(&app, &format!("{query}&strict_place=true"));
        assert_eq!(job["error_code"], "place_unsupported", "{job:#}");
        let sentence = "Upstream `page` cannot apply the region that is asked for.";
        assert_eq!(job["error"], sentence, "{job:#}");
    }
    assert_eq!(server.asked("/where"), 0);
    let job = ask(&app, "&city=Chicago&language=es&device=mobile&strict_place=true");
    let seen = "es,en America/Chicago 41.9,-87.7 true,true,412,true";
    assert_eq!(job["result"]["result"], seen, "{job:#}");
}
