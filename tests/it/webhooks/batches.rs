//! A batch has one webhook, at its end.

use serde_json::{Value, json};

use super::manual;
use crate::app::{App, Gate, Scripted, Step, until};
use crate::limits::{A, B, keys};
use crate::receiver::{Does, Receiver};

fn submit(app: &App, batch: Value) -> String {
    let url = batch["webhook_url"].as_str().unwrap().to_owned();
    let batch = app.post_with("/batches", &A, &batch.to_string()).expect(202);
    assert!(!batch.to_string().contains(&url), "polls need no key: {batch}");
    assert_eq!(batch["has_webhook"], true);
    batch["batch_id"].as_str().unwrap().to_owned()
}

fn after_attempts(app: &App, id: &str, attempts: u64) -> Value {
    let path = format!("/batches/{id}/webhook");
    until(|| {
        Some(app.get_with(&path, &A).expect(200)).filter(|status| status["attempts"] == attempts)
    })
}

#[test]
fn the_end_of_the_last_job_is_told_once_and_survives_a_restart() {
    let receiver = Receiver::start([Does::Status(500, "")]);
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = manual(&upstream);
    let app = builder.config(&keys("")).start();
    let id = submit(
        &app,
        json!({
            "scraper": "chatgpt", "prompts": ["a", "b", " "], "webhook_url": receiver.url(),
        }),
    );
    gate.arrived(1);
    let path = format!("/batches/{id}/webhook");
    let waiting = app.get_with(&path, &A).expect(200);
    assert_eq!((&waiting["state"], &waiting["batch_id"]), (&"waiting".into(), &id.as_str().into()));
    assert_eq!(app.post_with(&path, &A, "").code(), "webhook_pending");
    assert_eq!(app.get_with(&path, &B).code(), "batch_not_found");
    gate.open();
    let first = receiver.told();
    assert_eq!(first.id(), format!("msg_{id}"));
    let told: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(told, app.get(&format!("/batches/{id}?fields=status")).expect(200));
    assert_eq!((&told["counts"]["done"], &told["counts"]["refused"]), (&2.into(), &1.into()));
    after_attempts(&app, &id, 1);

    // Its jobs and it expire, and what waits to be told is told all the same.
    let app = app.restart();
    clock.advance_ms(86_400_000);
    assert_eq!(app.get(&format!("/batches/{id}")).code(), "batch_not_found");
    let again = receiver.told();
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
}

#[test]
fn a_batch_that_is_over_at_once_is_told_and_can_be_told_again() {
    let receiver = Receiver::start([]);
    let (builder, _clock) = manual(&Scripted::new("script", []));
    let app = builder.config(&keys("")).start();
    // Every item is refused; and an item's own webhook is the item's.
    let id = submit(&app, json!({ "prompts": ["a"], "webhook_url": receiver.url() }));
    assert_eq!(receiver.told().id(), format!("msg_{id}"));
    assert_eq!(after_attempts(&app, &id, 1)["state"], "delivered");
    app.post_with(&format!("/batches/{id}/webhook"), &A, "").expect(202);
    assert_eq!(receiver.told().id(), format!("msg_{id}"));
    after_attempts(&app, &id, 2);

    let item = json!({ "scraper": "chatgpt", "prompt": "a", "webhook_url": receiver.url() });
    let batch = app.post_with("/batches", &A, &json!({ "items": [item] }).to_string()).expect(202);
    let job = batch["items"][0]["job_id"].as_str().unwrap();
    assert_eq!(receiver.told().id(), format!("msg_{job}"));
    let path = format!("/batches/{}/webhook", batch["batch_id"].as_str().unwrap());
    assert_eq!(app.get_with(&path, &A).code(), "webhook_not_found");
    // Samples are one batch with one webhook.
    let path = format!("/scrapers/chatgpt/jobs?prompt=s&samples=2&webhook_url={}", receiver.url());
    let samples = app.post_with(&path, &A, "").expect(202);
    let told: Value = serde_json::from_slice(&receiver.told().body).unwrap();
    assert_eq!((&told["batch_id"], &told["counts"]["done"]), (&samples["batch_id"], &2.into()));
    super::after_attempts(&app, job, 1);
    after_attempts(&app, samples["batch_id"].as_str().unwrap(), 1);
}
