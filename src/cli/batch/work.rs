//! The work of `answerd batch`: every line is submitted, waited for and written. What is submitted
//! has idempotency keys made of its content, so that the same work again finds the batches that
//! there are.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::input::InputLine;
use super::output::{Outcome, Output};
use crate::api::{BatchStatus, BatchView, ErrorCode};
use crate::cli::client::{Client, ClientError};
use crate::cli::console::Console;
use crate::cli::error::CommandError;
use crate::clock::Clock;

/// The counts of how a file's lines ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub done: usize,
    pub failed: usize,
    pub refused: usize,
}

impl Tally {
    pub(crate) fn ended(self) -> usize {
        self.done + self.failed + self.refused
    }

    pub(crate) fn text(self, lines: usize) -> String {
        let Tally { done, failed, refused } = self;
        let ended = self.ended();
        format!("{ended} of {lines} ended: {done} done, {failed} failed, {refused} refused")
    }
}

/// How many lines go out in one batch: small, so that a repeated run finds most of what it did even
/// when lines have been added, and large enough to cost one write of the server for many.
const BATCH_LINES: usize = 100;
/// How long the server may wait for the end of a batch before it answers a poll, seconds.
const POLL_WAIT_SECONDS: u64 = 2;
/// The pause before the next try in passing trouble, and while the queue is full, milliseconds.
const PAUSE_MS: u64 = 500;
/// How long a server may be gone (it restarts, say) before the work is given up, milliseconds.
const TROUBLE_MS_MAX: u64 = 60_000;

/// The defaults of lines that name none.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Defaults {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scraper: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bypass_cache: Option<bool>,
}

/// A file's lines on their way through a server.
pub(crate) struct Work<'a> {
    pub client: &'a Client,
    pub clock: &'a Clock,
    pub lines: &'a [InputLine],
    pub defaults: &'a Defaults,
    /// Part of every key: a new one submits everything again.
    pub salt: &'a str,
    /// Ends when somebody wants the work to stop.
    pub stopped: &'a Receiver<()>,
}

/// Some lines that were submitted together, by their numbers, and the batch that they became.
struct Submitted {
    lines: Vec<usize>,
    batch: BatchView,
}

/// Generates a salt that no earlier run has had.
///
/// # Errors
/// Returns an error if the operating system's generator failed.
pub(crate) fn fresh_salt() -> Result<String, CommandError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(CommandError::Random)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

impl Work<'_> {
    /// Submits every line, waits for it and writes it. Returns how the lines ended.
    ///
    /// # Errors
    /// Returns an error if the server refuses, or stays out of reach for [`TROUBLE_MS_MAX`]; if the
    /// output fails; or if the work is stopped.
    pub(crate) fn run(
        &self,
        console: &mut Console,
        output: &mut Output,
    ) -> Result<Tally, CommandError> {
        let mut progress = Progress::new(self.lines.len(), console);
        self.work(&mut progress, console, output).map_err(|error| {
            if let CommandError::Interrupted(_) = error {
                return CommandError::Interrupted(self.summary(&progress));
            }
            error
        })
    }

    fn work(
        &self,
        progress: &mut Progress,
        console: &mut Console,
        output: &mut Output,
    ) -> Result<Tally, CommandError> {
        let mut submitted = VecDeque::new();
        let numbers: Vec<usize> = (0..self.lines.len()).collect();
        // All of it first: the server works while the answers are waited for.
        for lines in numbers.chunks(BATCH_LINES) {
            submitted.push_back(self.submit(lines, 0, console)?);
            progress.submitted += lines.len();
        }
        let mut tally = Tally::default();
        while let Some(part) = submitted.pop_front() {
            let first = part.lines.first().copied().unwrap_or_default();
            let outcomes = self.outcomes(part, tally, progress, console)?;
            for (at, outcome) in outcomes.iter().enumerate() {
                count(&mut tally, outcome);
                output.line(first + at, &self.lines[first + at], outcome, console)?;
            }
            progress.show(tally, console);
        }
        Ok(tally)
    }

    /// Returns what was done before a stop, and how to continue.
    fn summary(&self, progress: &Progress) -> String {
        let Tally { done, failed, refused } = progress.tally;
        let next = if self.salt.is_empty() {
            "the same command continues where it stopped"
        } else {
            "with --again, the same command submits every line once more"
        };
        format!(
            "stopped: {} of {} lines were submitted; {done} are done, {failed} failed, {refused} \
             were refused. Submitted jobs go on at the server; {next}",
            progress.submitted,
            self.lines.len()
        )
    }

    /// What became of every line of a part, in their order. Lines for which the queue has no room
    /// go out again until it has.
    fn outcomes(
        &self,
        part: Submitted,
        before: Tally,
        progress: &mut Progress,
        console: &mut Console,
    ) -> Result<Vec<Outcome>, CommandError> {
        let first = part.lines.first().copied().unwrap_or_default();
        let mut outcomes: Vec<Option<Outcome>> = vec![None; part.lines.len()];
        let mut waiting = Some(part);
        let mut round = 0;
        while let Some(Submitted { lines, batch }) = waiting.take() {
            self.ended(&batch, before, progress, console)?;
            let mut unplaced = Vec::new();
            for (line, item) in lines.into_iter().zip(batch.items.unwrap_or_default()) {
                outcomes[line - first] = Some(match (item.job_id, item.error) {
                    (Some(id), _) => {
                        let job = self.patiently(console, || self.client.job(&id.0))?;
                        Outcome::Ended(job.document)
                    }
                    (None, Some(error)) if error.code == ErrorCode::QueueFull.code() => {
                        unplaced.push(line);
                        continue;
                    }
                    (None, error) => Outcome::Rejected(error.unwrap_or_default()),
                });
            }
            if !unplaced.is_empty() {
                self.pause()?;
                round += 1;
                waiting = Some(self.submit(&unplaced, round, console)?);
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Submits lines. `round` counts how often they were submitted before, because a repeated key
    /// would bring the batch in which there was no room for them.
    fn submit(
        &self,
        lines: &[usize],
        round: usize,
        console: &mut Console,
    ) -> Result<Submitted, CommandError> {
        let mut batch = json!(self.defaults);
        let items = lines.iter().map(|line| Value::Object(self.lines[*line].parameters()));
        batch["items"] = items.collect();
        let key = self.key(lines, round, &batch);
        let batch = self.patiently(console, || self.client.submit_batch(&batch, &key))?;
        Ok(Submitted { lines: lines.to_vec(), batch })
    }

    /// The same for the same content in the same place of the file, and for nothing else.
    fn key(&self, lines: &[usize], round: usize, batch: &Value) -> String {
        let first = lines.first().copied().unwrap_or_default();
        let mut hasher = Sha256::new();
        hasher.update(format!("{}\n{first}\n{round}\n{batch}", self.salt));
        let digest: [u8; 32] = hasher.finalize().into();
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("answerd-batch-{digits}")
    }

    /// Waits until every job of a batch has ended.
    fn ended(
        &self,
        batch: &BatchView,
        before: Tally,
        progress: &mut Progress,
        console: &mut Console,
    ) -> Result<(), CommandError> {
        let mut status = batch.status;
        while status == BatchStatus::Pending {
            let now = self.patiently(console, || {
                self.client.batch_within(&batch.batch_id.0, POLL_WAIT_SECONDS)
            })?;
            status = now.status;
            let done = before.done + now.counts.done as usize;
            progress.look(Tally {
                done,
                failed: before.failed + now.counts.failed as usize,
                ..before
            });
        }
        Ok(())
    }

    /// Calls until it succeeds, over passing trouble of the server.
    fn patiently<T>(
        &self,
        console: &mut Console,
        call: impl Fn() -> Result<T, ClientError>,
    ) -> Result<T, CommandError> {
        let mut trouble_since_ms = None;
        loop {
            if matches!(self.stopped.try_recv(), Err(TryRecvError::Disconnected)) {
                return Err(interrupted());
            }
            let error = match call() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let now_ms = self.clock.now_ms();
            let first = trouble_since_ms.is_none();
            let since_ms = *trouble_since_ms.get_or_insert(now_ms);
            if !error.is_transient() || now_ms.saturating_sub(since_ms) >= TROUBLE_MS_MAX {
                return Err(error.into());
            }
            if first {
                console.note("the server cannot take it now, trying again");
            }
            self.pause()?;
        }
    }

    fn pause(&self) -> Result<(), CommandError> {
        match self.clock.recv_until(self.stopped, Some(self.clock.now_ms() + PAUSE_MS)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(interrupted()),
        }
    }
}

fn interrupted() -> CommandError {
    CommandError::Interrupted("stopped before all lines had ended".to_owned())
}

fn count(tally: &mut Tally, outcome: &Outcome) {
    let count = match outcome {
        Outcome::Ended(job) if job["status"] == "done" => &mut tally.done,
        Outcome::Ended(_) => &mut tally.failed,
        Outcome::Rejected(_) => &mut tally.refused,
    };
    *count += 1;
}

/// How far the work is: a bar where a person looks on, otherwise a line for each part.
struct Progress {
    lines: usize,
    submitted: usize,
    /// What was shown last.
    tally: Tally,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new(lines: usize, console: &Console) -> Progress {
        let bar = console.err_is_terminal().then(|| {
            let bar = ProgressBar::new(lines as u64);
            let template = "{wide_bar} {pos}/{len} {msg} {elapsed} (left: {left})";
            // A template that cannot be read leaves the bar as indicatif draws it.
            if let Ok(style) = ProgressStyle::with_template(template) {
                let left = |state: &ProgressState, text: &mut dyn fmt::Write| {
                    // Where even that fails there is nothing to show.
                    let _ = text.write_str(&left(state.pos(), state.eta()));
                };
                bar.set_style(style.with_key("left", left));
            }
            bar
        });
        Progress { lines, submitted: 0, tally: Tally::default(), bar }
    }

    /// Shows it where it can be shown in place.
    fn look(&mut self, tally: Tally) {
        self.tally = tally;
        if let Some(bar) = &self.bar {
            bar.set_position(tally.ended() as u64);
            bar.set_message(format!("{} failed, {} refused", tally.failed, tally.refused));
        }
    }

    /// Shows it, as a line where there is no bar.
    fn show(&mut self, tally: Tally, console: &mut Console) {
        self.look(tally);
        if self.bar.is_none() || tally.ended() == self.lines {
            console.note(&tally.text(self.lines));
        }
    }
}

/// Returns how long the rest will take; nothing is known of that before the first line has ended.
fn left(ended: u64, eta: Duration) -> String {
    if ended == 0 { "unknown".to_owned() } else { format!("{:#}", HumanDuration(eta)) }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_unknown_until_a_line_has_ended() {
        assert_eq!(left(0, Duration::ZERO), "unknown");
        assert_eq!(left(1, Duration::from_secs(5)), "5s");
    }
}
