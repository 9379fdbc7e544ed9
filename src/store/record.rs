//! Records as stored on disk: structs of their own, encoded with bincode after a version
//! byte. Only here and in the files of this folder is bincode named.

mod alert;
mod counts;
mod delivery;
mod extras;
mod halves;
mod result;
mod schedule;
mod spend;
mod tracker;
mod vendor_task;

use bincode::{Decode, Encode};
use uuid::Uuid;

pub(crate) use alert::{decode_alert, decode_notice, encode_alert, encode_notice};
pub use counts::{Counts, CountsKind};
pub(crate) use counts::{
    check_counts, decode_attempts, decode_counts, encode_attempts, encode_counts,
};
pub(crate) use delivery::{decode_delivery, encode_delivery};
pub(crate) use halves::{decode_halves, encode_asked, encode_standing, is_running};
pub use result::SealedResult;
pub(crate) use result::{
    decode_raw, decode_result, decode_sealed_result, encode_raw, encode_result,
};
pub(crate) use schedule::{
    decode_run, decode_schedule, decode_schedule_batch, encode_run, encode_schedule,
    encode_schedule_batch,
};
pub(crate) use spend::{decode_models, decode_spend, encode_models, encode_spend};
pub(crate) use tracker::{
    ObservationRecord, decode_observation, decode_page_sums, decode_sums, decode_tracker,
    decode_tracker_version, encode_observation, encode_page_sums, encode_sums, encode_tracker,
    encode_tracker_version,
};
pub(crate) use vendor_task::{decode_vendor_task, encode_vendor_task};

use self::extras::ExtrasV2;
use super::accounts::Credits;
use super::accounts::{DayRecord, Usage};
use super::{StoreError, envelope};
use crate::job::{
    Batch, BatchKey, BatchProgress, Failure, Idempotency, ItemError, Job, Location, Reason,
    RejectedItem, ScrapeRequest, State,
};

/// The version of records.
const VERSION: u8 = 1;
/// The version of a job that has extras behind its record.
const EXTRAS_VERSION: u8 = 2;
/// The version of a job that has extras behind its record, and behind those whether an answer was
/// there.
const PRESENT_VERSION: u8 = 3;
/// Prompts longer than this stand in a table of their own, so that the row that every attempt
/// rewrites stays small.
pub(crate) const PROMPT_INLINE_BYTES_MAX: usize = 512;
/// The most that a record may make its reader allocate, bytes: damage must not ask for more.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// A record's strings are `S`: borrowed where it is written, owned where it is read.
#[derive(Encode, Decode)]
struct JobV1<S> {
    nonce: u128,
    scraper: u16,
    prompt: Option<S>,
    country: S,
    bypass_cache: bool,
    timeout_ms: u32,
    web_search: bool,
    markdown_json: bool,
    mode: Option<S>,
    account: S,
    state: StateV1<S>,
    attempts: u32,
    lease: u32,
    created_ms: u64,
    due_ms: u64,
    expires_ms: u64,
    started_ms: Option<u64>,
    completed_ms: Option<u64>,
    price: u32,
    interactive: bool,
    deadline_ms: Option<u64>,
    cached: bool,
    label: Option<S>,
    start_by_ms: Option<u64>,
    /// The hashes of the idempotency key and of the request.
    idempotency: Option<(u128, u128)>,
    /// The batch's row and id.
    batch: Option<(u64, u128)>,
    webhook_url: Option<S>,
}

#[derive(Encode, Decode)]
struct BatchV1 {
    id: u128,
    account: String,
    label: Option<String>,
    items: u32,
    refused: Vec<(u32, ItemErrorV1)>,
    created_ms: u64,
    expires_ms: u64,
    idempotency: Option<(u128, u128)>,
    webhook_url: Option<String>,
}

#[derive(Encode, Decode)]
struct BatchProgressV1 {
    done: u32,
    failed: u32,
    completed_ms: Option<u64>,
}

#[derive(Encode, Decode)]
enum ItemErrorV1 {
    Invalid { code: String, detail: String },
    QueueFull,
    CreditLimit,
}

#[derive(Encode, Decode)]
enum StateV1<S> {
    Queued,
    Running,
    WaitingRetry(FailureV1<S>),
    Done,
    Failed(FailureV1<S>),
}

#[derive(Encode, Decode)]
struct FailureV1<S> {
    code: S,
    sentence: S,
}

#[derive(Encode, Decode)]
struct CreditsV1 {
    reserved: u64,
    used: u64,
}

/// By the scraper's number: jobs, done, failed, cached, credits.
#[derive(Encode, Decode)]
struct DayV1(Vec<(u16, [u64; 5])>);

/// Encodes a job's record, with its prompt only when that is short.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub fn encode_job(job: &Job, scraper: u16) -> Result<Vec<u8>, StoreError> {
    encode_job_with(job, scraper, PROMPT_INLINE_BYTES_MAX)
}

/// Encodes a job's record, with its prompt only when that has at most `inline_max` bytes.
fn encode_job_with(job: &Job, scraper: u16, inline_max: usize) -> Result<Vec<u8>, StoreError> {
    let inline = job.request.prompt.len() <= inline_max;
    let mut body = encode(&JobV1 {
        nonce: job.nonce,
        scraper,
        prompt: inline.then_some(job.request.prompt.as_str()),
        country: &job.request.country,
        bypass_cache: job.request.bypass_cache,
        timeout_ms: job.request.timeout_ms,
        web_search: job.request.web_search,
        markdown_json: job.request.markdown_json,
        mode: job.request.mode.as_deref(),
        account: &job.account,
        state: state_to_disk(&job.state),
        attempts: job.attempts,
        lease: job.lease,
        created_ms: job.created_ms,
        due_ms: job.due_ms,
        expires_ms: job.expires_ms,
        started_ms: job.started_ms,
        completed_ms: job.completed_ms,
        price: job.price,
        interactive: job.interactive,
        deadline_ms: job.deadline_ms,
        cached: job.cached,
        label: job.label.as_deref(),
        start_by_ms: job.start_by_ms,
        idempotency: job.idempotency.map(idempotency_to_disk),
        batch: job.batch.map(|batch| (batch.row, batch.id.as_u128())),
        webhook_url: job.webhook_url.as_deref(),
    })?;
    let version = match job.present {
        None if extras::are_plain(job) => VERSION,
        None => EXTRAS_VERSION,
        Some(_) => PRESENT_VERSION,
    };
    if version != VERSION {
        body.extend_from_slice(&encode(&ExtrasV2::of(job))?);
    }
    if let Some(present) = job.present {
        body.extend_from_slice(&encode(&present)?);
    }
    if !inline {
        // What stands outside of the record is under its checksum all the same.
        body.extend_from_slice(&envelope::checksum(job.row, job.request.prompt.as_bytes()));
    }
    Ok(envelope::seal(version, job.row, &body))
}

/// Decodes a job from its record. `scraper_name` gives the name of a scraper's number,
/// `long_prompt` the prompt that stands outside of the record. Returns the scraper's number too.
///
/// # Errors
/// Returns an error if the record is damaged or another row's, or what it refers to is not there.
pub fn decode_job(
    row: u64,
    bytes: &[u8],
    scraper_name: impl FnOnce(u16) -> Option<String>,
    long_prompt: impl FnOnce() -> Result<Option<String>, StoreError>,
) -> Result<(Job, u16), StoreError> {
    let (body, version) = open_job(row, bytes)?;
    let (disk, mut rest) = decode::<JobV1<String>>(body)?;
    let mut extras = None;
    if version >= EXTRAS_VERSION {
        let (decoded, behind) = decode::<ExtrasV2<String>>(rest)?;
        (extras, rest) = (Some(decoded), behind);
    }
    let mut present = None;
    if version >= PRESENT_VERSION {
        let (decoded, behind) = decode::<bool>(rest)?;
        (present, rest) = (Some(decoded), behind);
    }
    let prompt = match disk.prompt {
        Some(prompt) => {
            at_end(rest)?;
            prompt
        }
        None => {
            let prompt = long_prompt()?.ok_or(StoreError::Damaged("a job's prompt is missing"))?;
            if rest != envelope::checksum(row, prompt.as_bytes()) {
                // One of before there were checksums.
                at_end(rest)?;
            }
            prompt
        }
    };
    let scraper = scraper_name(disk.scraper)
        .ok_or(StoreError::Damaged("a job names a scraper that is not in the table"))?;
    let mut job = Job {
        row,
        nonce: disk.nonce,
        request: ScrapeRequest {
            scraper,
            prompt,
            country: disk.country,
            bypass_cache: disk.bypass_cache,
            timeout_ms: disk.timeout_ms,
            web_search: disk.web_search,
            markdown_json: disk.markdown_json,
            mode: disk.mode,
            location: Location::default(),
            model: None,
            kind: None,
            require_search: false,
            keep_unsearched: false,
        },
        account: disk.account,
        state: state_from_disk(disk.state)?,
        attempts: disk.attempts,
        lease: disk.lease,
        created_ms: disk.created_ms,
        due_ms: disk.due_ms,
        expires_ms: disk.expires_ms,
        started_ms: disk.started_ms,
        completed_ms: disk.completed_ms,
        price: disk.price,
        interactive: disk.interactive,
        deadline_ms: disk.deadline_ms,
        cached: disk.cached,
        label: disk.label,
        start_by_ms: disk.start_by_ms,
        idempotency: disk.idempotency.map(idempotency_from_disk),
        batch: disk.batch.map(|(row, id)| BatchKey { row, id: Uuid::from_u128(id) }),
        webhook_url: disk.webhook_url,
        keep_raw: false,
        present,
        track: None,
    };
    if let Some(extras) = extras {
        extras.give(&mut job)?;
    }
    Ok((job, disk.scraper))
}

/// Returns the body of a job's record, and its version.
fn open_job(row: u64, bytes: &[u8]) -> Result<(&[u8], u8), StoreError> {
    match envelope::open(VERSION, row, bytes) {
        Err(StoreError::Version(given)) => {
            let later = [EXTRAS_VERSION, PRESENT_VERSION];
            let version = later.into_iter().find(|version| u32::from(*version) == given);
            let version = version.ok_or(StoreError::Version(given))?;
            Ok((envelope::open(version, row, bytes)?, version))
        }
        opened => Ok((opened?, VERSION)),
    }
}

/// Encodes a batch's record, without what its jobs' ends change.
pub(crate) fn encode_batch(batch: &Batch) -> Result<Vec<u8>, StoreError> {
    let disk = BatchV1 {
        id: batch.key.id.as_u128(),
        account: batch.account.clone(),
        label: batch.label.clone(),
        items: batch.items,
        refused: batch
            .refused
            .iter()
            .map(|item| {
                let why = match item.why.clone() {
                    ItemError::Invalid { code, detail } => ItemErrorV1::Invalid { code, detail },
                    ItemError::QueueFull => ItemErrorV1::QueueFull,
                    ItemError::CreditLimit => ItemErrorV1::CreditLimit,
                };
                (item.index, why)
            })
            .collect(),
        created_ms: batch.created_ms,
        expires_ms: batch.expires_ms,
        idempotency: batch.idempotency.map(idempotency_to_disk),
        webhook_url: batch.webhook_url.clone(),
    };
    seal(batch.key.row, &disk)
}

/// Decodes a batch from its record, and from what its jobs' ends have changed.
pub(crate) fn decode_batch(
    row: u64,
    bytes: &[u8],
    progress: BatchProgress,
) -> Result<Batch, StoreError> {
    let disk: BatchV1 = unseal(row, bytes)?;
    let refused = disk.refused.into_iter().map(|(index, why)| {
        let why = match why {
            ItemErrorV1::Invalid { code, detail } => ItemError::Invalid { code, detail },
            ItemErrorV1::QueueFull => ItemError::QueueFull,
            ItemErrorV1::CreditLimit => ItemError::CreditLimit,
        };
        RejectedItem { index, why }
    });
    Ok(Batch {
        key: BatchKey { row, id: Uuid::from_u128(disk.id) },
        account: disk.account,
        label: disk.label,
        items: disk.items,
        refused: refused.collect(),
        created_ms: disk.created_ms,
        expires_ms: disk.expires_ms,
        idempotency: disk.idempotency.map(idempotency_from_disk),
        webhook_url: disk.webhook_url,
        progress,
    })
}

fn idempotency_to_disk(known: Idempotency) -> (u128, u128) {
    (known.key_hash, known.request_hash)
}

fn idempotency_from_disk((key_hash, request_hash): (u128, u128)) -> Idempotency {
    Idempotency { key_hash, request_hash }
}

/// Encodes the progress of a batch.
pub(crate) fn encode_progress(row: u64, progress: BatchProgress) -> Result<Vec<u8>, StoreError> {
    let BatchProgress { done, failed, completed_ms } = progress;
    seal(row, &BatchProgressV1 { done, failed, completed_ms })
}

pub(crate) fn decode_progress(row: u64, bytes: &[u8]) -> Result<BatchProgress, StoreError> {
    let BatchProgressV1 { done, failed, completed_ms } = unseal(row, bytes)?;
    Ok(BatchProgress { done, failed, completed_ms })
}

/// Encodes the credits of a month (`202605`).
pub(crate) fn encode_credits(month: u32, credits: Credits) -> Result<Vec<u8>, StoreError> {
    seal(u64::from(month), &CreditsV1 { reserved: credits.reserved, used: credits.used })
}

pub(crate) fn decode_credits(month: u32, bytes: &[u8]) -> Result<Credits, StoreError> {
    let CreditsV1 { reserved, used } = unseal(u64::from(month), bytes)?;
    Ok(Credits { reserved, used })
}

/// Encodes the usage of a day (`20260511`).
pub(crate) fn encode_day(date: u32, day: &DayRecord) -> Result<Vec<u8>, StoreError> {
    let of = |used: Usage| [used.jobs, used.done, used.failed, used.cached, used.credits];
    let disk = DayV1(day.0.iter().map(|(scraper, used)| (*scraper, of(*used))).collect());
    seal(u64::from(date), &disk)
}

pub(crate) fn decode_day(date: u32, bytes: &[u8]) -> Result<DayRecord, StoreError> {
    let DayV1(disk) = unseal(u64::from(date), bytes)?;
    let of = |[jobs, done, failed, cached, credits]: [u64; 5]| Usage {
        jobs,
        done,
        failed,
        cached,
        credits,
    };
    Ok(DayRecord(disk.into_iter().map(|(scraper, used)| (scraper, of(used))).collect()))
}

fn state_to_disk(state: &State) -> StateV1<&str> {
    match state {
        State::Queued => StateV1::Queued,
        State::Running => StateV1::Running,
        State::WaitingRetry { last } => StateV1::WaitingRetry(failure_to_disk(last)),
        State::Done => StateV1::Done,
        State::Failed(failure) => StateV1::Failed(failure_to_disk(failure)),
    }
}

fn state_from_disk(state: StateV1<String>) -> Result<State, StoreError> {
    Ok(match state {
        StateV1::Queued => State::Queued,
        StateV1::Running => State::Running,
        StateV1::WaitingRetry(last) => State::WaitingRetry { last: failure_from_disk(last)? },
        StateV1::Done => State::Done,
        StateV1::Failed(failure) => State::Failed(failure_from_disk(failure)?),
    })
}

fn failure_to_disk(failure: &Failure) -> FailureV1<&str> {
    FailureV1 { code: failure.reason.code(), sentence: &failure.sentence }
}

fn failure_from_disk(disk: FailureV1<String>) -> Result<Failure, StoreError> {
    let reason = Reason::from_code(&disk.code)
        .ok_or(StoreError::Damaged("a job's reason is not one that answerd knows"))?;
    Ok(Failure { reason, sentence: disk.sentence })
}

/// A record with its checksum, which covers the row or the date that it belongs to.
fn seal(row: u64, value: &impl Encode) -> Result<Vec<u8>, StoreError> {
    Ok(envelope::seal(VERSION, row, &encode(value)?))
}

fn unseal<T: Decode<()>>(row: u64, bytes: &[u8]) -> Result<T, StoreError> {
    let (value, rest) = decode(envelope::open(VERSION, row, bytes)?)?;
    at_end(rest)?;
    Ok(value)
}

fn encode(value: &impl Encode) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(256);
    bincode::encode_into_std_write(value, &mut bytes, bincode::config::standard())
        .map_err(|_| StoreError::Damaged("a record could not be encoded"))?;
    Ok(bytes)
}

/// The value, and what follows it.
fn decode<T: Decode<()>>(body: &[u8]) -> Result<(T, &[u8]), StoreError> {
    let config = bincode::config::standard().with_limit::<RECORD_BYTES_MAX>();
    let (value, read) = bincode::decode_from_slice(body, config)
        .map_err(|_| StoreError::Damaged("a record cannot be decoded"))?;
    Ok((value, body.get(read..).unwrap_or_default()))
}

fn at_end(rest: &[u8]) -> Result<(), StoreError> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(StoreError::Damaged("a record has bytes behind its end"))
    }
}

#[cfg(test)]
mod tests;
