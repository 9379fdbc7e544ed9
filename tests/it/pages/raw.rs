//! The raw reply of a page: the HTML of the answer, where a job asks for it.

use serde_json::Value;

use super::builder;
use crate::app::App;
use crate::page_server::PageServer;

fn ask(app: &App, query: &str) -> Value {
    let job = app.post(&format!("/scrapers/page/jobs?prompt=hello{query}")).expect(202);
    app.ended(job["job_id"].as_str().unwrap())
}

#[test]
fn raw_reply_of_a_page_is_the_html_of_its_answer() {
    const PAGE: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
        <button id=send>Send</button><p>Not of the answer</p><div id=out></div><script>\
        send.onclick = () => { out.className = 'answer';\
        out.innerHTML = '<p>Kept for <b>24 hours</b>.<script>no()</sc' + 'ript></p>'; };</script>";
    let server = PageServer::start(&[("/page", PAGE)]);
    let app = builder(&server, "/page").start();
    let job = ask(&app, "&raw=true");
    assert_eq!(job["result"]["result"], "Kept for 24 hours.", "{job:#}");
    let raw = app.get(&format!("/jobs/{}/raw", job["job_id"].as_str().unwrap())).expect(200);
    let reply = &raw["replies"][0];
    assert_eq!((&raw["answered_by"], &reply["upstream"]), (&"page".into(), &"page".into()));
    assert_eq!((&reply["status"], raw["replies"].as_array().unwrap().len()), (&Value::Null, 1));
    assert_eq!(reply["content_type"], "text/html; charset=utf-8");
    let body = reply["body"].as_str().unwrap();
    assert!(body.contains("Kept for <b>24 hours</b>."), "{body}");
    assert!(!body.contains("Not of the answer") && !body.contains("script"), "{body}");

    let job = ask(&app, "");
    let path = format!("/jobs/{}/raw", job["job_id"].as_str().unwrap());
    assert_eq!(app.get(&path).code(), "raw_not_kept");
}
