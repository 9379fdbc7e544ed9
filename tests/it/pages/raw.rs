//! The raw replies of a page, where a job asks for them: the HTML of the answer and what the recipe
//! read; and the result that they give again.

use answerd::service::{Reread, RereadReport};
use serde_json::{Value, json};

use super::builder;
use crate::app::App;
use crate::page_server::PageServer;
use crate::reread::{read_again, spoil};

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
    assert_eq!((&reply["status"], raw["replies"].as_array().unwrap().len()), (&Value::Null, 2));
    assert_eq!(reply["content_type"], "text/html; charset=utf-8");
    let body = reply["body"].as_str().unwrap();
    assert!(body.contains("Kept for <b>24 hours</b>."), "{body}");
    assert!(!body.contains("Not of the answer") && !body.contains("script"), "{body}");
    let read = &raw["replies"][1];
    assert_eq!(read["content_type"], "application/json");
    let read: Value = serde_json::from_str(read["body"].as_str().unwrap()).unwrap();
    assert_eq!(read["url"], format!("{}/page", server.base));

    let job = ask(&app, "");
    let path = format!("/jobs/{}/raw", job["job_id"].as_str().unwrap());
    assert_eq!(app.get(&path).code(), "raw_not_kept");
}

#[test]
fn result_of_a_page_is_rendered_again_with_its_marks_and_sources() {
    const PAGE: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
        <button id=send>Send</button><div id=out></div><div id=panel></div><script>\
        send.onclick = () => { out.className = 'answer';\
        out.innerHTML = '<p>Kept for <b>24 hours</b>' +\
        '<a class=cite href=https://b.example/>2</a>.</p>';\
        panel.innerHTML = '<ul><li data-n=2><a href=https://b.example/>B</a><p>two</p>' +\
        '<li data-n=1><a href=https://a.example/>A</a><p>one</p></ul>'; };</script>";
    let server = PageServer::start(&[("/page", PAGE)]);
    let app = builder(&server, "/page").start();
    let job = ask(&app, "&raw=true");
    let result = &job["result"];
    assert_eq!(result["result_markdown"], "Kept for **24 hours**[2].", "{job:#}");
    assert_eq!(result["sources"][1]["cited"], true, "{job:#}");

    let directory = app.directory.clone();
    let app = app.restart_with(|builder| {
        let recipes = directory.path().join("recipes").display().to_string();
        let recipes = [("ANSWERD_BROWSER__RECIPES", &*recipes)];
        let same = RereadReport { same: 1, ..RereadReport::default() };
        assert_eq!(read_again(directory.path(), &recipes, false).0, same);
        spoil(directory.path(), |result| {
            result["result_markdown"] = "".into();
            result["sources"] = json!([]);
        });
        let (_, told) = read_again(directory.path(), &recipes, true);
        let fields = ["result_markdown", "sources"].map(str::to_owned);
        assert_eq!(told, [Reread::Changed(fields.to_vec())]);
        read_again(directory.path(), &recipes, false);
        // Without its recipe it stays as it is.
        std::fs::remove_file(directory.path().join("recipes/page.toml")).unwrap();
        let (_, told) = read_again(directory.path(), &recipes, false);
        assert!(matches!(&told[0], Reread::Skipped(why) if why.contains("`page`")), "{told:?}");
        std::fs::create_dir_all(directory.path().join("recipes")).unwrap();
        std::fs::write(directory.path().join("recipes/page.toml"), super::recipe("/page")).unwrap();
        builder
    });
    let mut read = app.ended(job["job_id"].as_str().unwrap());
    let at = read["result"].as_object_mut().unwrap().shift_remove("reread_at");
    assert!(at.is_some_and(|at| at.is_string()), "{read:#}");
    assert_eq!(read, job);
}
