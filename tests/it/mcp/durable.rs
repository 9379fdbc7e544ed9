//! What was asked is kept and is paid for once, whatever becomes of the call or of the server.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;

use super::client::{HANDSHAKE, OverHttp, OverStdio, STATELESS, Speaks, request};
use crate::app::{Builder, Gate, Scripted, Step, until};
use crate::child::{Served, store_directory};

#[test]
fn answer_of_a_job_survives_a_kill_of_the_server() {
    let (_directory, store) = store_directory();
    // The practice engine takes longer than the first server lives.
    let slow = [("PRACTICE__LATENCY_MS", "600000")];
    let served = Served::start(&store, &slow);
    let asked =
        json!({ "scraper": "practice", "prompt": "How long are jobs kept?", "wait_seconds": 0 });
    let pending = OverHttp::new(&served.base, None, STATELESS).called("ask", asked);
    let other = json!({ "scraper": "practice", "prompt": "What is a job?" });
    let other = OverStdio::start(&served.base, None, HANDSHAKE).called("submit", other);
    assert_eq!((&pending["status"], &other["status"]), (&json!("pending"), &json!("pending")));
    served.kill();
    let served = Served::start(&store, &[]);
    let wait = |id: &serde_json::Value| json!({ "job_id": id, "wait_seconds": 50 });
    let ended =
        OverHttp::new(&served.base, None, STATELESS).called("wait_job", wait(&pending["job_id"]));
    assert_eq!(ended["status"], "done", "{ended:#}");
    let ended =
        OverStdio::start(&served.base, None, HANDSHAKE).called("wait_job", wait(&other["job_id"]));
    assert_eq!(ended["status"], "done", "{ended:#}");
}

#[test]
fn one_idempotency_key_makes_one_job() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let arguments = json!({ "scraper": "chatgpt", "prompt": "Once?", "idempotency_key": "k-1" });
    let ask = || {
        let (base, arguments) = (app.base.clone(), arguments.clone());
        std::thread::spawn(move || OverHttp::new(&base, None, STATELESS).called("ask", arguments))
    };
    let calls = [ask(), ask()];
    gate.arrived(1);
    // The other has found the job when both are counted as waiting; the answer comes to both.
    gate.open();
    let [one, other] = calls.map(|call| call.join().unwrap());
    assert_eq!(one["job_id"], other["job_id"]);
    assert_eq!((&one["status"], upstream.asked()), (&json!("done"), 1));
    let mut client = OverHttp::new(&app.base, None, HANDSHAKE);
    assert_eq!(client.called("list_jobs", json!({}))["jobs"].as_array().unwrap().len(), 1);
    let batch = json!({ "prompts": ["a"], "scraper": "chatgpt", "idempotency_key": "k-2" });
    let same = json!({ "idempotency_key": "k-2", "scraper": "chatgpt", "prompts": ["a"] });
    let batch = client.called("run_batch", batch)["batch_id"].clone();
    assert_eq!(client.called("run_batch", same)["batch_id"], batch);
    let reused = client
        .call("ask", json!({ "scraper": "chatgpt", "prompt": "Other?", "idempotency_key": "k-1" }));
    assert_eq!(reused["structuredContent"]["code"], "idempotency_key_reused");
}

/// The client's own time is over and it hangs up; the answer is there all the same, for one price.
#[test]
fn answer_outlives_a_client_that_hangs_up() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let arguments = json!({ "scraper": "chatgpt", "prompt": "Late?", "idempotency_key": "k" });
    let body = request("tools/call", &json!({ "name": "ask", "arguments": arguments }));
    let address = app.base.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        connection,
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    gate.arrived(1);
    drop(connection);
    gate.open();
    let mut client = OverHttp::new(&app.base, None, STATELESS);
    let listed = until(|| {
        let listed = client.called("list_jobs", json!({ "status": "done" }))["jobs"].clone();
        listed.as_array().is_some_and(|jobs| jobs.len() == 1).then_some(listed)
    });
    let job = client.called("get_job", json!({ "job_id": listed[0]["job_id"] }));
    assert_eq!(job["result"]["credits_used"], 3);
    let again = client.called("ask", arguments);
    assert_eq!((&again["job_id"], upstream.asked()), (&job["job_id"], 1));
}
