//! `GET /stats`: what every scraper has done over the last day; `GET /stats/events` tells as
//! Server-Sent Events how they stand, whenever that has changed. Both need a key where keys are
//! needed. What they tell is of all keys together: nothing of a job, a prompt or an account.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use crate::api::{BucketView, OverviewEvent, ScraperStatsView, StatsView};
use crate::clock::{UnixMs, rfc3339_seconds};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::resource::discovery;
use crate::http::resource::pieces::{Piece, event_stream};
use crate::http::resource::streams::{Place, STREAMS_MAX};
use crate::service::{BUCKET_SECONDS, Caller, DayBucket, LiveStatus, Service};

/// The least time between two events of a stream, milliseconds.
const EVENT_EVERY_MS: u64 = 1_000;
/// How often a silent stream shows that it is alive, milliseconds.
const KEEP_ALIVE_MS: u64 = 15_000;
const KEEP_ALIVE: &str = ": keep-alive\n\n";
/// Returns the last day of every scraper in buckets; those in which nothing happened are left out.
pub(crate) async fn get(call: ApiCall, _: Caller) -> ApiResult {
    let service = call.service();
    let now_ms = service.now_ms();
    let scrapers = service.days().into_iter().map(|(status, day)| ScraperStatsView {
        name: status.scraper.name.clone(),
        queue: discovery::queue(&status),
        buckets: day.iter().map(bucket).collect(),
    });
    Ok(HttpResponse::Ok().json(StatsView {
        now: now_ms.into(),
        since: service.since_ms().into(),
        bucket_seconds: BUCKET_SECONDS,
        scrapers: scrapers.collect(),
    }))
}

/// Streams how every scraper stands, at once and then whenever it has changed.
pub(crate) async fn stream(call: ApiCall, _: Caller) -> ApiResult {
    let service = call.service().clone();
    let place = call.state.streams.enter().ok_or_else(|| ApiError::streams_full(STREAMS_MAX))?;
    let stream = Stream { service, _place: place, told: String::new(), told_ms: None };
    Ok(event_stream(stream, next))
}

fn bucket(bucket: &DayBucket) -> BucketView {
    BucketView {
        at: bucket.at_ms.into(),
        submitted: bucket.submitted,
        done: bucket.done,
        failed: bucket.failed,
        canceled: bucket.canceled,
        attempts_succeeded: bucket.attempts_succeeded,
        attempts_failed: bucket.attempts_failed,
        absent: bucket.absent,
        p50_seconds: bucket.p50_ms.map(discovery::seconds),
        p95_seconds: bucket.p95_ms.map(discovery::seconds),
    }
}

fn snapshot(service: &Service) -> String {
    let live = service.live();
    let scraper = |LiveStatus { status, bucket: latest }: &LiveStatus<'_>| {
        discovery::live(status, latest.as_ref().map(bucket))
    };
    let scrapers = live.iter().map(scraper).collect();
    let event = OverviewEvent { since: service.since_ms().into(), scrapers };
    // Types of our own, with keys that are strings, always serialize.
    serde_json::to_string(&event).unwrap_or_default()
}

/// What a stream goes on with.
struct Stream {
    service: Arc<Service>,
    _place: Place,
    /// What was told last, and when something was sent last.
    told: String,
    told_ms: Option<UnixMs>,
}

/// The next piece, and the stream to go on with; `None` when the service stops.
async fn next(mut stream: Stream) -> Option<Piece<Stream>> {
    if let Some(told_ms) = stream.told_ms {
        let until_ms = told_ms.saturating_add(EVENT_EVERY_MS);
        stream.service.pause(until_ms).await.then_some(())?;
    }
    loop {
        let now_ms = stream.service.now_ms();
        let now = snapshot(&stream.service);
        if now != stream.told {
            // The time alone is no change.
            let time = rfc3339_seconds(now_ms);
            let text = format!("event: overview\ndata: {{\"now\":\"{time}\",{}\n\n", &now[1..]);
            stream.told = now;
            stream.told_ms = Some(now_ms);
            return Some((text.into(), Some(stream)));
        }
        if stream.told_ms.is_none_or(|told_ms| now_ms.saturating_sub(told_ms) >= KEEP_ALIVE_MS) {
            stream.told_ms = Some(now_ms);
            return Some((web::Bytes::from_static(KEEP_ALIVE.as_bytes()), Some(stream)));
        }
        stream.service.pause(now_ms.saturating_add(EVENT_EVERY_MS)).await.then_some(())?;
    }
}
