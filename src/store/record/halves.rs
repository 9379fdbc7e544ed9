//! A job in two halves, for a store that writes once what never changes: what was asked, and how it
//! stands.

use bincode::{Decode, Encode};

use super::{StateV1, decode_job, encode_job_with, seal, state_from_disk, state_to_disk, unseal};
use crate::job::{Job, State};
use crate::store::StoreError;

/// What the steps of a job change.
#[derive(Encode, Decode)]
struct StandingV1<S> {
    state: StateV1<S>,
    attempts: u32,
    lease: u32,
    due_ms: u64,
    started_ms: Option<u64>,
    completed_ms: Option<u64>,
    cached: bool,
    present: Option<bool>,
}

/// Encodes a job as it is submitted, with the whole of its prompt.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_asked(job: &Job, scraper: u16) -> Result<Vec<u8>, StoreError> {
    encode_job_with(job, scraper, usize::MAX)
}

/// Encodes what the steps of a job have changed.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_standing(job: &Job) -> Result<Vec<u8>, StoreError> {
    let disk = StandingV1 {
        state: state_to_disk(&job.state),
        attempts: job.attempts,
        lease: job.lease,
        due_ms: job.due_ms,
        started_ms: job.started_ms,
        completed_ms: job.completed_ms,
        cached: job.cached,
        present: job.present,
    };
    seal(job.row, &disk)
}

/// Decodes a job from its two halves. Returns the scraper's number too.
///
/// # Errors
/// Returns an error if a half is damaged or another row's.
pub(crate) fn decode_halves(
    row: u64,
    asked: &[u8],
    standing: &[u8],
    scraper_name: impl FnOnce(u16) -> Option<String>,
) -> Result<(Job, u16), StoreError> {
    let (asked, scraper) = decode_job(row, asked, scraper_name, || Ok(None))?;
    let disk: StandingV1<String> = unseal(row, standing)?;
    let job = Job {
        state: state_from_disk(disk.state)?,
        attempts: disk.attempts,
        lease: disk.lease,
        due_ms: disk.due_ms,
        started_ms: disk.started_ms,
        completed_ms: disk.completed_ms,
        cached: disk.cached,
        present: disk.present,
        ..asked
    };
    Ok((job, scraper))
}

/// Returns whether a job has an attempt that runs, by the half that its steps change.
///
/// # Errors
/// Returns an error if it is damaged or another row's.
pub(crate) fn is_running(row: u64, standing: &[u8]) -> Result<bool, StoreError> {
    let disk: StandingV1<String> = unseal(row, standing)?;
    Ok(state_from_disk(disk.state)? == State::Running)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Event, RawRequest};

    #[test]
    fn halves_make_the_job_whatever_its_steps_and_its_prompt() {
        for prompt in ["short".to_owned(), "long ".repeat(300)] {
            let raw = RawRequest { prompt: Some(prompt), ..RawRequest::default() };
            let mut job = Job::fixture(7, 9, raw.check("chatgpt", &[]).unwrap(), 1_000);
            let asked = encode_asked(&job, 3).unwrap();
            let events = [
                Event::Start,
                Event::Release { lease: 1 },
                Event::Start,
                Event::ServeCached { lease: 2, present: Some(true) },
            ];
            for event in events {
                job.apply(event, 2_000).unwrap();
                let standing = encode_standing(&job).unwrap();
                let name = |_| Some("chatgpt".to_owned());
                assert_eq!(decode_halves(7, &asked, &standing, name).unwrap(), (job.clone(), 3));
                assert_eq!(is_running(7, &standing).unwrap(), job.state == State::Running);
            }
        }
    }
}
