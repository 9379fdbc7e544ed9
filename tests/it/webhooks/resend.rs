//! Sending again, and what is refused.

use super::{after_attempts, builder, manual, status, submit};
use crate::app::{Builder, Gate, START_MS, Scripted, Step, encoded};
use crate::limits::{A, B, keys};
use crate::receiver::{Does, Receiver};

#[test]
fn a_webhook_can_be_sent_again() {
    let receiver = Receiver::start([Does::Status(410, "")]);
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = manual(&upstream);
    let app = builder.config(&keys("")).start();
    let id = submit(&app, "hello", &receiver.url());
    gate.arrived(1);
    let path = format!("/jobs/{id}/webhook");
    let waiting = status(&app, &id);
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&"waiting".into(), &0.into()));
    let early = app.post_with(&path, &A, "");
    assert_eq!((early.status, early.code().as_str()), (409, "webhook_pending"));
    gate.open();
    let first = receiver.told();
    assert_eq!(after_attempts(&app, &id, 1)["state"], "failed");
    clock.advance_ms(60_000);
    for resends in 1..=2 {
        let again = app.post_with(&path, &A, "").expect(202);
        assert_eq!((&again["state"], &again["resends"]), (&"pending".into(), &resends.into()));
        let told = receiver.told();
        assert_eq!((told.id(), &told.body), (first.id(), &first.body));
        assert_eq!(told.at_ms(), START_MS + 60_000);
        assert_eq!(after_attempts(&app, &id, resends + 1)["state"], "delivered");
    }
    // It is its owner's alone.
    for reply in [app.get_with(&path, &B), app.post_with(&path, &B, "")] {
        assert_eq!((reply.status, reply.code().as_str()), (404, "job_not_found"));
    }
    for reply in [app.get(&path), app.post(&path)] {
        assert_eq!((reply.status, reply.code().as_str()), (401, "key_missing"));
    }
    let plain = app.post_with("/scrapers/chatgpt/jobs?prompt=plain", &A, "").expect(202);
    let path = format!("/jobs/{}/webhook", plain["job_id"].as_str().unwrap());
    for reply in [app.get_with(&path, &A), app.post_with(&path, &A, "")] {
        assert_eq!((reply.status, reply.code().as_str()), (404, "webhook_not_found"));
    }
    let put = app.method_with("PUT", &path, &A);
    assert_eq!((put.status, put.headers["allow"].as_str()), (405, "GET, HEAD, POST"));
}

#[test]
fn without_a_secret_or_with_a_wrong_address_no_job_is_taken() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let refused = app.post("/scrapers/chatgpt/jobs?prompt=x&webhook_url=https://a.example/");
    assert_eq!((refused.status, refused.code().as_str()), (503, "webhooks_not_configured"));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("ANSWERD_WEBHOOK_SECRET"), "{detail}");
    assert!(refused.headers.contains_key("retry-after"));
    drop(app);

    let app = builder(&Scripted::new("script", [])).config(&keys("")).start();
    for wrong in ["ftp://a.example/", "https://u:p@a.example/", "https://a.example/#x", ""] {
        let body = serde_json::json!({ "prompt": "x", "webhook_url": wrong }).to_string();
        for reply in [
            app.post_with("/scrapers/chatgpt/jobs", &A, &body),
            app.get_with(&format!("/scrapers/chatgpt?prompt=x&webhook_url={}", encoded(wrong)), &A),
        ] {
            assert_eq!((reply.status, reply.code().as_str()), (400, "webhook_url_invalid"));
            assert!(reply.json()["detail"].as_str().unwrap().contains("`webhook_url`"));
        }
    }
    let keyed = |url: &str| {
        let path = format!("/scrapers/chatgpt/jobs?prompt=x&webhook_url={}", encoded(url));
        app.post_with(&path, &[A[0], ("idempotency-key", "k")], "")
    };
    keyed("http://127.0.0.1:1/a").expect(202);
    assert_eq!(keyed("http://127.0.0.1:1/a").headers["idempotency-replayed"], "true");
    assert_eq!(keyed("http://127.0.0.1:1/b").code(), "idempotency_key_reused");
}
