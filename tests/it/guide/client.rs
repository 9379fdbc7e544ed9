//! The guide's Rust client (src/docs/clients.md): a test holds the page to this file and runs it.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::{env, error::Error, thread, time::Duration};

use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

const TRIES: u32 = 5;

/// The reply as JSON. Sends again when the service says so.
fn call(send: impl Fn() -> Result<Response<Body>, ureq::Error>) -> Result<Value, Box<dyn Error>> {
    let mut tried = 1;
    loop {
        let mut reply = send()?;
        let body: Value = reply.body_mut().read_json()?;
        if reply.status().is_success() {
            return Ok(body);
        }
        let busy = matches!(reply.status().as_u16(), 429 | 503);
        if !busy || tried == TRIES {
            return Err(body["detail"].as_str().unwrap_or("no reason was given").into());
        }
        tried += 1;
        let seconds = reply.headers().get("retry-after");
        let seconds = seconds.and_then(|it| it.to_str().ok()?.parse().ok()).unwrap_or(1);
        thread::sleep(Duration::from_secs(seconds));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let base = env::var("ANSWERD_URL").unwrap_or("http://127.0.0.1:8080".into());
    let key = env::var("ANSWERD_API_KEY").unwrap_or_default();
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    // However often this is sent, there is one job.
    let once = uuid::Uuid::new_v4().to_string();
    let mut job = call(|| {
        agent
            .post(format!("{base}/scrapers/practice/jobs"))
            .header("X-API-Key", &key)
            .header("Idempotency-Key", &once)
            .send_json(json!({ "prompt": "How do I back up the store?" }))
    })?;
    while job["status"] == "pending" {
        let id = job["job_id"].as_str().unwrap_or_default();
        job = call(|| agent.get(format!("{base}/jobs/{id}?wait=30")).call())?;
    }
    if let Some(error) = job["error"].as_str() {
        return Err(error.into());
    }
    println!("{}", job["result"]["result"].as_str().unwrap_or_default());
    Ok(())
}
