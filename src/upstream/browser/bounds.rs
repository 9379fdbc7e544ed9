//! Keeps every step inside the attempt's deadline, and ends it when the answer is not wanted.

use std::time::{Duration, Instant};

use super::fault::Fault;
use crate::clock::Clock;
use crate::upstream::Call;

/// How often a step that takes long looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Until when an attempt may go on.
#[derive(Clone)]
pub struct Bounds {
    call: Call,
    deadline: Instant,
    clock: Clock,
}

impl Bounds {
    /// Creates bounds that last until `deadline` and no longer than the call allows.
    pub fn new(call: &Call, deadline: Instant, clock: Clock) -> Bounds {
        Bounds { call: call.clone(), deadline: deadline.min(call.deadline), clock }
    }

    /// Returns the bounds of the same call with `at_most` from now on.
    pub fn within(&self, at_most: Duration) -> Bounds {
        let deadline = self.deadline.min(self.clock.instant() + at_most);
        Bounds { deadline, ..self.clone() }
    }

    /// Returns bounds with time of their own, whatever is left of the attempt's: for what has to be
    /// done after it.
    pub fn fresh(&self, at_most: Duration) -> Bounds {
        let deadline = self.clock.instant() + at_most;
        Bounds { call: Call::until(deadline), deadline, clock: self.clock.clone() }
    }

    pub fn is_canceled(&self) -> bool {
        self.call.is_canceled()
    }

    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(self.clock.instant())
    }

    /// Waits for a step. One that is cut short may go on in the browser.
    ///
    /// # Errors
    /// Returns an error if the time is up, or the answer is not wanted any more.
    pub async fn hold<T>(&self, doing: &str, step: impl Future<Output = T>) -> Result<T, Fault> {
        let done = self.try_hold(step).await?;
        done.ok_or_else(|| Fault::Deadline { doing: doing.to_owned() })
    }

    /// Waits for a step; returns `None` when the time is up.
    ///
    /// # Errors
    /// Returns an error if the answer is not wanted any more.
    pub async fn try_hold<T>(&self, step: impl Future<Output = T>) -> Result<Option<T>, Fault> {
        let mut step = std::pin::pin!(step);
        loop {
            if self.call.is_canceled() {
                return Err(Fault::Canceled);
            }
            let left = self.left();
            if left.is_zero() {
                return Ok(None);
            }
            if let Ok(done) = tokio::time::timeout(left.min(LOOK_EVERY), &mut step).await {
                return Ok(Some(done));
            }
        }
    }
}
