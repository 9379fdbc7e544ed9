//! Real replies in states that are seldom met are as the schemas of the document say.

use answerd::job::Reason;
use serde_json::{Value, json};

use super::{assert_conforms, document};
use crate::app::{Builder, Gate, Scripted, Step, encoded, fail};
use crate::limits::{A, keys};
use crate::receiver::{Does, Receiver, SECRET};

#[test]
fn replies_in_every_state_are_as_the_schemas_say() {
    let receiver = Receiver::start([Does::Status(500, ""), Does::HangUp]);
    let gate = Gate::default();
    let upstream = Scripted::new("script", [fail(Reason::Auth), Step::Hold(gate.clone())]);
    let lines = keys("operator = true\nmonthly_credits = 900\nrequests_per_minute = 600");
    let app = Builder::new()
        .config(&lines)
        .env("ANSWERD_WEBHOOK_SECRET", SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", r#"["127.0.0.1"]"#)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let document = document(&app);
    let get = |path: &str, real: &str| {
        let reply = app.get_with(real, &A).expect(200);
        assert_conforms(&document, "get", path, "200", &reply);
        reply
    };
    let submit = |query: &str| {
        let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &A, "").expect(202);
        assert_conforms(&document, "post", "/scrapers/{scraper}/jobs", "202", &reply);
        reply["job_id"].as_str().unwrap().to_owned()
    };
    let job = |id: &str, wait: u32| get("/jobs/{job_id}", &format!("/jobs/{id}?wait={wait}"));
    let delivery = |id: &str| get("/jobs/{job_id}/webhook", &format!("/jobs/{id}/webhook"));

    let url = encoded(&receiver.url());
    let failed = submit(&format!("prompt=fails&label=l&mode=m&start_within=60&webhook_url={url}"));
    assert_eq!(job(&failed, 60)["error_code"], "upstream_auth");
    get("/jobs/{job_id}/attempts", &format!("/jobs/{failed}/attempts"));
    receiver.told();
    let told = crate::app::until(|| Some(delivery(&failed)).filter(|it| it["attempts"] == 1));
    assert_eq!((&told["state"], &told["log"][0]["status"]), (&json!("pending"), &json!(500)));

    let running = submit(&format!("prompt=runs&webhook_url={url}"));
    gate.arrived(1);
    assert_eq!(job(&running, 0)["phase"], "running");
    assert_eq!(delivery(&running)["state"], "waiting");
    let queued = submit("prompt=waits");
    assert_eq!(job(&queued, 0)["phase"], "queued");
    let canceled = app.method_with("DELETE", &format!("/jobs/{queued}"), &A).expect(200);
    assert_conforms(&document, "delete", "/jobs/{job_id}", "200", &canceled);
    get("/scrapers", "/scrapers");
    gate.open();
    assert_eq!(job(&running, 60)["status"], "done");
    receiver.told();
    let hung_up = crate::app::until(|| Some(delivery(&running)).filter(|it| it["attempts"] == 1));
    assert_eq!(hung_up["log"][0]["status"], Value::Null);
    let again = app.post_with(&format!("/jobs/{failed}/webhook"), &A, "").expect(202);
    assert_conforms(&document, "post", "/jobs/{job_id}/webhook", "202", &again);
    receiver.told();
    let delivered = crate::app::until(|| Some(delivery(&failed)).filter(|it| it["attempts"] == 2));
    assert_eq!(delivered["state"], "delivered");

    let cached = job(&submit("prompt=runs"), 0);
    assert_eq!((&cached["status"], &cached["result"]["cached"]), (&json!("done"), &json!(true)));
    let body = json!({ "scraper": "chatgpt", "items": [{ "prompt": "a" }, { "prompt": " " }] });
    let batch = app.post_with("/batches", &A, &body.to_string()).expect(202);
    assert_conforms(&document, "post", "/batches", "202", &batch);
    let id = batch["batch_id"].as_str().unwrap();
    get("/batches/{batch_id}", &format!("/batches/{id}?wait=60"));
    get("/batches/{batch_id}", &format!("/batches/{id}?fields=status"));
    get("/jobs", "/jobs?limit=2");
    assert!(get("/usage", "/usage")["accounts"].is_array());
    get("/stats", "/stats");
    for (path, real, status) in [
        ("/jobs/{job_id}/webhook", format!("/jobs/{queued}/webhook"), 404),
        ("/scrapers/{scraper}", "/scrapers/chatgpt?prompt=x&country=XX".to_owned(), 400),
        ("/jobs", "/jobs?cursor=x".to_owned(), 400),
        ("/docs/{page}", "/docs/none".to_owned(), 404),
    ] {
        let reply = app.get_with(&real, &A).expect(status);
        assert_conforms(&document, "get", path, &status.to_string(), &reply);
    }
}
