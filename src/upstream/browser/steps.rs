//! The steps of an attempt as they happened, for its evidence and for `answerd recipe run`.

use std::time::Instant;

use super::recipe::Selectors;
use crate::api::EvidenceStep;
use crate::clock::Clock;

/// The most steps that are kept; later ones are counted only.
const STEPS_MAX: usize = 200;
/// The longest note, bytes.
const NOTE_BYTES_MAX: usize = 1_000;

/// Is shown each step as it is done.
pub type Watch = Box<dyn Fn(&EvidenceStep) + Send + Sync>;

/// Records steps.
pub(crate) struct Trace {
    clock: Clock,
    began: Instant,
    last_ms: u64,
    steps: Vec<EvidenceStep>,
    left_out: usize,
    watch: Option<Watch>,
    /// Which alternative matched, by the name of the selector: the recipe's drift.
    matched: Vec<(String, Option<usize>)>,
}

impl Trace {
    pub(crate) fn new(clock: Clock, watch: Option<Watch>) -> Trace {
        let began = clock.instant();
        Trace {
            clock,
            began,
            last_ms: 0,
            steps: Vec::new(),
            left_out: 0,
            watch,
            matched: Vec::new(),
        }
    }

    fn elapsed_ms(&self) -> u64 {
        let elapsed = self.clock.instant().saturating_duration_since(self.began);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that a step is done; it began when the one before it ended.
    pub(crate) fn done(&mut self, name: impl Into<String>) -> &mut Trace {
        let now_ms = self.elapsed_ms();
        let step = EvidenceStep {
            name: name.into(),
            at_ms: self.last_ms,
            took_ms: now_ms.saturating_sub(self.last_ms),
            matched: None,
            alternative: None,
            note: None,
            nearest: Vec::new(),
        };
        self.last_ms = now_ms;
        self.add(step);
        self
    }

    /// Notes what [`Trace::done`] does, of a step that looked for `selectors`; `alt` is the one
    /// that matched, below 0 none.
    pub(crate) fn matched(
        &mut self,
        name: impl Into<String>,
        selectors: &Selectors,
        alt: i64,
    ) -> &mut Trace {
        let name = name.into();
        let at = usize::try_from(alt).ok();
        let now_ms = self.elapsed_ms();
        let step = EvidenceStep {
            name: name.clone(),
            at_ms: self.last_ms,
            took_ms: now_ms.saturating_sub(self.last_ms),
            matched: at.and_then(|at| selectors.0.get(at).cloned()),
            alternative: at.map(|at| format!("{} of {}", at + 1, selectors.0.len())),
            note: None,
            nearest: Vec::new(),
        };
        self.last_ms = now_ms;
        self.matched.push((name, at));
        self.add(step);
        self
    }

    /// Counts which alternative matched without a step of its own.
    pub(crate) fn count(&mut self, name: String, alt: i64) {
        self.matched.push((name, usize::try_from(alt).ok()));
    }

    /// Adds to what is said of the last step.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let mut note: String = note.into();
        note.truncate(note.floor_char_boundary(NOTE_BYTES_MAX));
        if let Some(step) = self.steps.last_mut() {
            step.note = Some(note);
        }
    }

    /// Says what could have been meant by the last step.
    pub(crate) fn nearest(&mut self, nearest: Vec<String>) {
        if let Some(step) = self.steps.last_mut() {
            step.nearest = nearest;
        }
    }

    fn add(&mut self, step: EvidenceStep) {
        self.show();
        if self.steps.len() < STEPS_MAX {
            self.steps.push(step);
        } else {
            self.left_out += 1;
        }
    }

    /// The last step is complete: what is noted of it was noted.
    fn show(&mut self) {
        if let (Some(watch), Some(step)) = (&self.watch, self.steps.last())
            && self.left_out == 0
        {
            watch(step);
        }
    }

    /// Returns all steps, and which alternatives matched.
    pub(crate) fn finish(mut self) -> (Vec<EvidenceStep>, Vec<(String, Option<usize>)>) {
        self.show();
        if self.left_out > 0
            && let Some(last) = self.steps.last_mut()
        {
            last.note = Some(format!("{} further steps are left out", self.left_out));
        }
        (self.steps, self.matched)
    }
}
