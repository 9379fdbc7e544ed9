//! Thirty days of made-up answers for a tracker, so that its charts show something at once. They
//! are jobs like any others, submitted over the API by a schedule whose days pass in a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::made_up::{BRANDS, DAY_MS, DAYS, MadeUp, SCRAPERS, UPSTREAM};
use crate::api::{BatchStatus, BatchView, ScheduleView};
use crate::cli::client::{Client, ClientError, Verb};
use crate::cli::error::CommandError;
use crate::clock::{Clock, UnixMs};
use crate::config::Settings;
use crate::server::{Server, ShutdownHandle};
use crate::upstream::UpstreamOverrides;

/// The name of the tracker, and of the schedule.
pub(super) const NAME: &str = "made-up";
/// How long results are kept, so that the first day's are there on the last.
const RETENTION_MS: u64 = (DAYS + 1) * DAY_MS;
/// How often each prompt is asked of each engine a day.
const SAMPLES: u32 = 2;
const PROMPTS: [&str; 4] = [
    "Which anvil should a small forge buy?",
    "What is the best anvil for a beginner?",
    "Where can I get an anvil that lasts?",
    "Which maker of anvils has the best service?",
];
/// The most seconds that one call waits for a day's answers.
const WAIT_SECONDS: u64 = 20;

/// Returns the settings, as the environment names them, that the engines need.
pub(super) fn environment() -> BTreeMap<String, String> {
    let upstream = ("ANSWERD_UPSTREAMS__MADE_UP__KIND".to_owned(), "practice".to_owned());
    let scrapers = SCRAPERS.map(|scraper| {
        let name = format!("ANSWERD_SCRAPERS__{}__UPSTREAMS", scraper.to_uppercase());
        (name, format!("[\"{UPSTREAM}\"]"))
    });
    scrapers.into_iter().chain([upstream]).collect()
}

/// Returns the settings with what they need to keep the answers.
pub(super) fn keeping(mut settings: Settings) -> Settings {
    settings.store.retention_ms = settings.store.retention_ms.max(RETENTION_MS);
    settings
}

/// Returns what answers the scrapers, by a clock.
pub(super) fn engines(clock: &Clock, now_ms: UnixMs) -> UpstreamOverrides {
    let engine = MadeUp::new(clock.clone(), first_day_ms(now_ms));
    UpstreamOverrides::from([(UPSTREAM.to_owned(), Arc::new(engine) as Arc<_>)])
}

/// Returns when the first answers were given, for the last to be given just now.
fn first_day_ms(now_ms: UnixMs) -> UnixMs {
    now_ms.saturating_sub((DAYS - 1) * DAY_MS)
}

/// Makes the answers in the store of these settings. `running` gets the handle to stop it early.
///
/// # Errors
/// Returns an error if the service does not start, or does not answer its own client.
pub(super) fn fill(
    settings: Settings,
    now_ms: UnixMs,
    running: impl FnOnce(ShutdownHandle),
) -> Result<(), CommandError> {
    let (clock, days) = Clock::manual(first_day_ms(now_ms));
    let server = Server::start_with(settings, clock.clone(), engines(&clock, now_ms))?;
    running(server.shutdown_handle());
    let filled = submit_days(&server.base_url(), || days.advance_ms(DAY_MS));
    server.stop();
    server.wait()?;
    Ok(filled?)
}

/// Makes the tracker and its schedule, and runs that once for each day.
fn submit_days(url: &str, next_day: impl Fn()) -> Result<(), ClientError> {
    let client = Client::new(url, None)?;
    let brands: Vec<_> = BRANDS
        .iter()
        .enumerate()
        .map(|(at, (name, domain))| json!({ "name": name, "domains": [domain], "own": at == 0 }))
        .collect();
    client.send(Verb::Put, &["trackers", NAME], Some(&json!({ "brands": brands })))?;
    // Paused: the demo submits nothing by itself.
    let schedule = json!({
        "name": NAME, "cron": "0 6 * * *", "paused": true,
        "batch": {
            "prompts": PROMPTS, "scrapers": SCRAPERS, "countries": ["US"], "samples": SAMPLES,
            "label": "made up", "track": NAME,
        },
    });
    let schedule = client.send(Verb::Post, &["schedules"], Some(&schedule))?;
    let schedule: ScheduleView = client.read(&schedule)?;
    let id = &schedule.schedule_id.0;
    for day in 0..DAYS {
        if day > 0 {
            next_day();
        }
        let batch = client.send(Verb::Post, &["schedules", id, "run"], None)?;
        let mut batch: BatchView = client.read(&batch)?;
        while batch.status == BatchStatus::Pending {
            batch = client.batch_within(&batch.batch_id.0, WAIT_SECONDS)?;
        }
    }
    Ok(())
}
