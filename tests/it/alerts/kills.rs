//! One notice for a crossing, whenever a real process is killed.

use serde_json::{Value, json};

use super::below;
use crate::app::{Gate, assert_sound, until};
use crate::child::{Served, answerd, store_directory};
use crate::receiver::{Does, Receiver, SECRET};
use crate::webhooks::ALLOW_LOOPBACK;

/// A run of five answers of the practice engine, none of which names the brand.
fn run(served: &Served) {
    let batch = json!({
        "scraper": "practice", "prompts": ["What is a job?"], "samples": 5, "track": "acme",
    });
    let (status, batch) = served.send("POST", "/batches", None, &batch.to_string()).unwrap();
    assert_eq!(status, 202, "{batch}");
    let id = batch["batch_id"].as_str().unwrap();
    let (_, batch) = served.get(&format!("/batches/{id}?wait=30")).unwrap();
    assert_eq!(batch["counts"]["done"], 5, "{batch}");
}

/// The alert, once it is as wanted.
fn alert(served: &Served, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(|| {
        let (status, alert) = served.get(path).unwrap();
        assert_eq!(status, 200);
        wanted(&alert).then_some(alert)
    })
}

#[test]
fn crossing_is_noticed_once_whenever_the_process_is_killed() {
    let gate = Gate::default();
    let receiver = Receiver::start([Does::Hang(gate.clone())]);
    let (_directory, store) = store_directory();
    let allow = ("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK);
    let (with, without) = ([allow, ("WEBHOOK_SECRET", SECRET)], [allow]);

    let served = Served::start(&store, &with);
    let brands = json!({ "brands": [{ "name": "Zyzzyva" }] });
    assert_eq!(served.put("/trackers/acme", &brands).unwrap().0, 200);
    let asked = below(&receiver, &json!({ "over": "10 runs" }));
    let (status, made) = served.send("POST", "/alerts", None, &asked.to_string()).unwrap();
    assert_eq!(status, 201, "{made}");
    let path = format!("/alerts/{}", made["alert_id"].as_str().unwrap());
    run(&served);
    alert(&served, &path, |alert| alert["state"] == "pending");
    served.kill();

    // Evaluated and not sent: nothing can sign here.
    let served = Served::start(&store, &without);
    run(&served);
    let fired = alert(&served, &path, |alert| alert["state"] == "firing");
    assert_eq!(fired["notices"][0]["state"], "pending");
    served.kill();
    assert!(!receiver.told_more());

    // Killed while the receiver has it and has not answered.
    let served = Served::start(&store, &with);
    let first = receiver.told();
    gate.arrived(1);
    served.kill();

    let served = Served::start(&store, &with);
    let second = receiver.told();
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    alert(&served, &path, |alert| alert["notices"][0]["state"] == "delivered");
    served.kill();

    // It goes on to hold: that is no news, neither for this process nor for the next.
    let served = Served::start(&store, &with);
    run(&served);
    let after = alert(&served, &path, |alert| alert["sample"] == 15);
    assert_eq!((&after["state"], &after["notice_count"]), (&json!("firing"), &json!(1)));
    served.kill();
    let mut served = Served::start(&store, &with);
    run(&served);
    let last = alert(&served, &path, |alert| alert["sample"] == 20);
    assert_eq!((&last["state"], &last["notice_count"]), (&json!("firing"), &json!(1)));
    assert_eq!(served.terminate(), Some(0));
    assert!(!receiver.told_more());
    gate.open();
    let checked = answerd(&["db", "check", "--json"], &store);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&report["alerts"], &report["notices"]), (&json!(1), &json!(1)));
    assert_sound(&store);
}
