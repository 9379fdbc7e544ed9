//! A job as the model keeps it, and how it follows an event.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Queued,
    Running,
    Waiting,
    Done,
    Failed,
}

impl Phase {
    pub(super) fn of(state: &State) -> Phase {
        match state {
            State::Queued => Phase::Queued,
            State::Running => Phase::Running,
            State::WaitingRetry { .. } => Phase::Waiting,
            State::Done => Phase::Done,
            State::Failed(_) => Phase::Failed,
        }
    }

    pub(super) fn finished(self) -> bool {
        matches!(self, Phase::Done | Phase::Failed)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) id: Uuid,
    pub(super) phase: Phase,
    pub(super) scraper: usize,
    pub(super) account: usize,
    pub(super) price: u64,
    pub(super) interactive: bool,
    pub(super) attempts: u32,
    pub(super) lease: u32,
    pub(super) due_ms: UnixMs,
    pub(super) expires_ms: UnixMs,
    /// Until an attempt has started.
    pub(super) start_by_ms: Option<UnixMs>,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) webhook: bool,
    pub(super) delivery: Option<Told>,
    /// Until when the sweep leaves it alone, once it has expired while its delivery is pending.
    pub(super) held_until_ms: Option<UnixMs>,
}

impl Expected {
    /// When it ends because it has not started.
    pub(super) fn deadline_ms(&self) -> Option<UnixMs> {
        self.start_by_ms.filter(|_| !self.phase.finished())
    }

    /// Follows an event, or says why it is refused.
    pub(super) fn expect(&mut self, event: &Event) -> Result<Phase, TransitionError> {
        if self.phase.finished() {
            return Err(TransitionError::Finished);
        }
        let held = |lease: u32| match self.phase {
            Phase::Running if lease == self.lease => Ok(()),
            Phase::Running => Err(TransitionError::StaleLease),
            Phase::Queued | Phase::Waiting | Phase::Done | Phase::Failed => {
                Err(TransitionError::NotRunning)
            }
        };
        match event {
            Event::Start => {
                self.attempts += 1;
                self.lease += 1;
                self.phase = Phase::Running;
                self.start_by_ms = None;
            }
            Event::Succeed { lease, .. } => {
                held(*lease)?;
                self.phase = Phase::Done;
            }
            Event::ServeCached { lease, .. } => {
                held(*lease)?;
                self.attempts -= 1;
                self.price = 0;
                self.phase = Phase::Done;
            }
            Event::RetryLater { lease, due_ms, .. } => {
                held(*lease)?;
                (self.phase, self.due_ms) = (Phase::Waiting, *due_ms);
            }
            Event::Fail { lease, .. } => {
                held(*lease)?;
                self.phase = Phase::Failed;
            }
            Event::Release { lease } => {
                held(*lease)?;
                self.attempts -= 1;
                self.phase = Phase::Queued;
            }
            Event::Stop { .. } => self.phase = Phase::Failed,
        }
        Ok(self.phase)
    }
}
