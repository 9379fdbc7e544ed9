//! The pass loop of the scheduler and of the webhooks' dispatcher. It knows nothing of what a pass
//! does.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::breakpoints::{Breakpoints, Point};
use super::lock::lock;
use super::pool::guard;
use crate::clock::{Clock, UnixMs};

/// How long a pass loop waits after an error or a panic, milliseconds.
pub(super) const AFTER_ERROR_MS: u64 = 1_000;

/// A thread that makes a pass whenever it is woken, and whenever the pass before has asked for one.
pub(super) struct PassLoop {
    name: &'static str,
    wake: Mutex<Option<Sender<()>>>,
    wakes: Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// When the next pass is due; [`UnixMs::MAX`] while a pass runs, which may have looked already.
    next_ms: AtomicU64,
    passes: AtomicU64,
}

impl PassLoop {
    pub(crate) fn new(name: &'static str) -> Arc<PassLoop> {
        let (wake, wakes) = crossbeam_channel::bounded(1);
        Arc::new(PassLoop {
            name,
            wake: Mutex::new(Some(wake)),
            wakes,
            thread: Mutex::default(),
            next_ms: AtomicU64::new(UnixMs::MAX),
            passes: AtomicU64::new(0),
        })
    }

    /// Starts the thread, which makes its first pass at once. A pass gets the time, and returns when the
    /// next one is due at the latest.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub(crate) fn start<E: Display>(
        self: &Arc<PassLoop>,
        clock: Clock,
        breakpoints: Breakpoints,
        pass: impl FnMut(UnixMs) -> Result<UnixMs, E> + Send + 'static,
    ) -> std::io::Result<()> {
        let this = self.clone();
        let thread = Builder::new()
            .name(self.name.to_owned())
            .spawn(move || this.run(&clock, &breakpoints, pass))?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }

    fn run<E: Display>(
        &self,
        clock: &Clock,
        breakpoints: &Breakpoints,
        mut pass: impl FnMut(UnixMs) -> Result<UnixMs, E>,
    ) {
        loop {
            breakpoints.reach(Point::PassBegins);
            self.next_ms.store(UnixMs::MAX, Ordering::SeqCst);
            self.passes.fetch_add(1, Ordering::SeqCst);
            let now_ms = clock.now_ms();
            let after_error_ms = now_ms.saturating_add(AFTER_ERROR_MS);
            let next_ms = match guard(|| pass(now_ms)) {
                Some(Ok(next_ms)) => next_ms,
                Some(Err(error)) => {
                    tracing::error!(thread = self.name, %error, "a pass failed; it is made again");
                    after_error_ms
                }
                None => {
                    tracing::error!(thread = self.name, "a pass panicked; it is made again");
                    after_error_ms
                }
            };
            self.next_ms.store(next_ms, Ordering::SeqCst);
            breakpoints.reach(Point::PassEnded);
            match clock.recv_until(&self.wakes, Some(next_ms)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Asks for a pass. One wake that waits already stands for all: its pass sees what they are for.
    pub(crate) fn wake(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            let _ = wake.try_send(());
        }
    }

    /// Returns when the next pass is due.
    pub(crate) fn next_ms(&self) -> UnixMs {
        self.next_ms.load(Ordering::SeqCst)
    }

    /// Returns how many passes have begun.
    pub(crate) fn passes(&self) -> u64 {
        self.passes.load(Ordering::SeqCst)
    }

    /// Returns whether a pass has been asked for and not begun.
    #[cfg(test)]
    pub(crate) fn is_woken(&self) -> bool {
        !self.wakes.is_empty()
    }

    /// Ends the loop after the pass that runs.
    pub(crate) fn stop(&self) {
        drop(lock(&self.wake).take());
        if let Some(thread) = lock(&self.thread).take() {
            // A panic is in the log.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_loop_survives_errors_and_panics_and_is_woken() {
        let (clock, manual) = Clock::manual(0);
        let passes = PassLoop::new("passes");
        let (made, was_made) = crossbeam_channel::unbounded();
        let mut outcomes = [Err("no"), Ok(UnixMs::MAX)].into_iter();
        passes
            .start(clock, Breakpoints::default(), move |now_ms| {
                made.send(now_ms).unwrap();
                outcomes.next().expect("a planned panic")
            })
            .unwrap();
        assert_eq!(was_made.recv(), Ok(0));
        while passes.next_ms() != AFTER_ERROR_MS {
            std::thread::yield_now();
        }
        manual.advance_ms(AFTER_ERROR_MS);
        assert_eq!(was_made.recv(), Ok(AFTER_ERROR_MS));
        passes.wake();
        assert_eq!(was_made.recv(), Ok(AFTER_ERROR_MS));
        passes.wake();
        assert_eq!(was_made.recv(), Ok(AFTER_ERROR_MS));
        passes.stop();
        assert!(passes.passes() >= 4 && was_made.recv().is_err());
    }
}
