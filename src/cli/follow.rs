//! Follows a job until it ends: by its events, and by polls where there are none or a proxy holds
//! them back. Sits out restarts of the server.

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::client::Client;
use super::console::Console;
use super::error::CommandError;
use super::progress::Progress;
use super::render::ShownJob;
use crate::clock::Clock;

/// After how much silence of a stream of events the job is polled, milliseconds.
const POLL_AFTER_MS: u64 = 2_000;
/// The pause between two polls while there is no stream, milliseconds.
const PAUSE_MS: u64 = 500;
/// How long a server may be gone (it restarts, say) before the wait is given up, milliseconds.
const TROUBLE_MS_MAX: u64 = 60_000;

/// Waits until `job` has ended, showing its state. A message on `stop`, or its end, ends the wait
/// as well.
///
/// # Errors
/// Returns an error if the server refuses, or stays out of reach for [`TROUBLE_MS_MAX`].
pub(crate) fn follow(
    client: &Client,
    mut job: ShownJob,
    clock: &Clock,
    stop: &Receiver<()>,
    console: &mut Console,
) -> Result<ShownJob, CommandError> {
    if job.is_finished() {
        return Ok(job);
    }
    let mut progress = Progress::new(console);
    progress.show(&job.progress(), console);
    let mut events = client.events(&job.view.job_id.0);
    let mut has_events = false;
    let mut trouble_since_ms = None;
    loop {
        let mut stream_ended = false;
        match clock.recv_until(&events, Some(clock.now_ms() + POLL_AFTER_MS)) {
            Ok(next) => {
                has_events = true;
                progress.show(&next.progress(), console);
                if !next.is_finished() {
                    continue;
                }
                // The poll brings the result.
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                stream_ended = true;
                match clock.recv_until(stop, Some(clock.now_ms() + PAUSE_MS)) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return Err(interrupted()),
                }
            }
        }
        match stop.try_recv() {
            Err(TryRecvError::Empty) => {}
            Ok(()) | Err(TryRecvError::Disconnected) => return Err(interrupted()),
        }
        match client.job(&job.view.job_id.0) {
            Ok(next) => {
                job = next;
                progress.show(&job.progress(), console);
                if job.is_finished() {
                    return Ok(job);
                }
                let is_back = trouble_since_ms.take().is_some();
                if stream_ended && (has_events || is_back) {
                    has_events = false;
                    events = client.events(&job.view.job_id.0);
                }
            }
            Err(error) => {
                let now_ms = clock.now_ms();
                let since_ms = *trouble_since_ms.get_or_insert(now_ms);
                if !error.is_transient() || now_ms.saturating_sub(since_ms) >= TROUBLE_MS_MAX {
                    return Err(error.into());
                }
                progress.show("the server cannot be reached now, trying again", console);
            }
        }
    }
}

fn interrupted() -> CommandError {
    CommandError::Interrupted("stopped before the job had ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_server::{TestServer, job, streams};

    /// The body of a stream with these jobs.
    fn stream(jobs: &[serde_json::Value]) -> String {
        jobs.iter().map(|job| format!("id: 1\nevent: running\ndata: {job}\n\n")).collect()
    }

    #[test]
    fn follow_shows_each_event_without_a_poll_in_between() {
        let mut ended = job("done", "finished");
        ended["result"] = serde_json::Value::Null;
        let events = [job("pending", "running"), job("pending", "waiting_retry"), ended];
        let whole = job("done", "finished").to_string();
        let server = TestServer::with_events(vec![stream(&events)], vec![(200, whole)]);
        let client = Client::new(server.url(), None).unwrap();
        let (mut console, written) = streams(false);
        // Its time does not pass, so nothing but an event can wake the wait.
        let (clock, _manual) = Clock::manual(0);
        let first = ShownJob::read(job("pending", "queued")).unwrap();
        let never = crossbeam_channel::never();
        let ended = follow(&client, first, &clock, &never, &mut console).unwrap();
        assert!(ended.view.result.is_some());
        insta::assert_snapshot!(written.err(), @r"
    queued: on disk, waiting for a worker
    running: attempt 1
    waiting to try again: attempt 1 failed
    done
    ");
        assert_eq!(server.asked().len(), 1);
    }

    #[test]
    fn follow_polls_where_there_are_no_events_and_sits_out_trouble() {
        let running = job("pending", "running");
        let server = TestServer::answering(vec![
            (200, running.to_string()),
            (503, r#"{"detail": "shutting down", "code": "shutting_down"}"#.to_owned()),
            (200, running.to_string()),
            (200, job("done", "finished").to_string()),
        ]);
        let client = Client::new(server.url(), None).unwrap();
        let (mut console, written) = streams(false);
        let first = ShownJob::read(job("pending", "queued")).unwrap();
        let never = crossbeam_channel::never();
        let ended = follow(&client, first, &Clock::System, &never, &mut console).unwrap();
        assert!(ended.is_finished());
        insta::assert_snapshot!(written.err(), @r"
    queued: on disk, waiting for a worker
    running: attempt 1
    the server cannot be reached now, trying again
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
        let first = ShownJob::read(job("pending", "queued")).unwrap();
        let (mut console, _) = streams(false);
        let ended = follow(&client, first, &Clock::System, &stopped, &mut console);
        assert!(matches!(ended, Err(CommandError::Interrupted(_))));
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
        let first = ShownJob::read(job("pending", "queued")).unwrap();
        let (mut console, _) = streams(false);
        let outcome = follow(&client, first, &clock, &crossbeam_channel::never(), &mut console);
        end.send(()).unwrap();
        hand.join().unwrap();
        assert!(matches!(outcome, Err(CommandError::Client(error)) if error.is_transient()));
    }
}
