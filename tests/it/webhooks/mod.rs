//! Webhooks against a real receiver: what it is told, when it is told again, and whom the service
//! does not speak to. Contract part 2, Standard Webhooks 1.0.

mod addresses;
mod batches;
mod delivery;
mod guide;
mod resend;
mod restart;

use std::sync::Arc;

use answerd::clock::ManualClock;
use serde_json::Value;

use crate::app::{App, Builder, Scripted, encoded, until};
use crate::limits::A;
use crate::receiver::SECRET;

pub(crate) const ALLOW_LOOPBACK: &str = r#"["127.0.0.1"]"#;

pub(crate) fn builder(upstream: &Arc<Scripted>) -> Builder {
    Builder::new()
        .env("ANSWERD_WEBHOOK_SECRET", SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK)
        .scripted("chatgpt", upstream)
}

pub(crate) fn manual(upstream: &Arc<Scripted>) -> (Builder, Arc<ManualClock>) {
    builder(upstream).manual()
}

#[track_caller]
pub(crate) fn submit(app: &App, prompt: &str, url: &str) -> String {
    let query = format!("prompt={}&webhook_url={}", encoded(prompt), encoded(url));
    let job = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &A, "").expect(202);
    assert!(!job.to_string().contains("hook"), "polls need no key: {job}");
    job["job_id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn status(app: &App, id: &str) -> Value {
    app.get_with(&format!("/jobs/{id}/webhook"), &A).expect(200)
}

/// How the delivery stands once so many attempts have been noted.
#[track_caller]
pub(crate) fn after_attempts(app: &App, id: &str, attempts: u64) -> Value {
    until(|| Some(status(app, id)).filter(|status| status["attempts"] == attempts))
}
