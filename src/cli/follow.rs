//! Follows a job until it ends, over passing trouble of the server: polls that the server answers
//! when the job has ended, and often enough to show where it stands meanwhile.

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::client::Client;
use super::console::Console;
use super::error::CommandError;
use super::progress::Progress;
use super::view::Job;
use crate::clock::Clock;

/// How long the server may wait for the end of the job before it answers a poll, seconds.
const POLL_WAIT_SECONDS: u64 = 2;
/// The pause after a poll that did not show the end, milliseconds: for servers that are in trouble,
/// and for those that do not wait.
const PAUSE_MS: u64 = 500;
/// How long a server may be gone (it restarts, say) before the wait is given up, milliseconds.
const TROUBLE_MS_MAX: u64 = 60_000;

/// Polls until `job` has ended, showing where it stands. A message on `stop`, or its end, ends the
/// wait as well.
///
/// # Errors
/// The server refuses to tell, or stays out of reach for [`TROUBLE_MS_MAX`].
pub fn follow(
    client: &Client,
    mut job: Job,
    clock: &Clock,
    stop: &Receiver<()>,
    console: &mut Console,
) -> Result<Job, CommandError> {
    let mut progress = Progress::new(console);
    let mut trouble_since_ms = None;
    loop {
        if trouble_since_ms.is_none() {
            progress.show(&job.progress(), console);
        }
        if job.is_finished() {
            return Ok(job);
        }
        match client.job_within(&job.job_id, POLL_WAIT_SECONDS) {
            Ok(next) => {
                job = next;
                trouble_since_ms = None;
                if job.is_finished() {
                    continue;
                }
            }
            Err(error) => {
                let now_ms = clock.now_ms();
                let since_ms = *trouble_since_ms.get_or_insert(now_ms);
                if !error.is_passing() || now_ms.saturating_sub(since_ms) >= TROUBLE_MS_MAX {
                    return Err(error.into());
                }
                progress.show("the server cannot tell now, trying again", console);
            }
        }
        match clock.recv_until(stop, Some(clock.now_ms() + PAUSE_MS)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Err(CommandError::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_server::{TestServer, job, streams};

    #[test]
    fn each_phase_is_told_once_and_passing_trouble_is_sat_out() {
        let running = job("pending", "running");
        let server = TestServer::answering(vec![
            (200, running.to_string()),
            (503, r#"{"detail": "shutting down", "code": "shutting_down"}"#.to_owned()),
            (200, running.to_string()),
            (200, job("done", "finished").to_string()),
        ]);
        let client = Client::new(server.url(), None).unwrap();
        let (mut console, written) = streams(false);
        let first = Job::read(job("pending", "queued")).unwrap();
        let never = crossbeam_channel::never();
        let ended = follow(&client, first, &Clock::System, &never, &mut console).unwrap();
        assert!(ended.is_finished());
        insta::assert_snapshot!(written.err(), @r"
    queued: on disk, waiting for a worker
    running: attempt 1
    the server cannot tell now, trying again
    running: attempt 1
    done
    ");
        assert_eq!(server.asked().len(), 4);
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let client = Client::new("http://127.0.0.1:9", None).unwrap();
        let (stop, stopped) = crossbeam_channel::bounded::<()>(1);
        drop(stop);
        let first = Job::read(job("pending", "queued")).unwrap();
        let (mut console, _) = streams(false);
        let ended = follow(&client, first, &Clock::System, &stopped, &mut console);
        assert!(matches!(ended, Err(CommandError::Interrupted)));
    }

    #[test]
    fn a_server_that_stays_away_is_given_up() {
        // Each look at the clock is an hour later than the one before it.
        let client = Client::new("http://127.0.0.1:9", None).unwrap();
        let (clock, manual) = Clock::manual(0);
        let (end, ended) = crossbeam_channel::bounded::<()>(1);
        let hand = std::thread::spawn(move || {
            while ended.try_recv().is_err() {
                manual.advance_ms(3_600_000);
                std::thread::yield_now();
            }
        });
        let first = Job::read(job("pending", "queued")).unwrap();
        let (mut console, _) = streams(false);
        let outcome = follow(&client, first, &clock, &crossbeam_channel::never(), &mut console);
        end.send(()).unwrap();
        hand.join().unwrap();
        assert!(matches!(outcome, Err(CommandError::Client(error)) if error.is_passing()));
    }
}
