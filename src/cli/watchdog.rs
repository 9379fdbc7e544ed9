//! The watchdog of systemd: notified for as long as the service has a heartbeat.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use sd_notify::NotifyState;

use super::error::CommandError;
use crate::clock::Clock;
use crate::server::Reloader;

/// Looks in the time that systemd allows between two signs of life: one that comes late is made up
/// for by the next.
const LOOKS: u32 = 3;

/// Notifies systemd that the service is alive, where it asked for that (`WatchdogSec`), on a thread
/// of its own until `ended` is disconnected. It sends nothing while the writer does not answer or
/// the engine's scheduler is stuck; systemd then ends the service and starts it again.
///
/// # Errors
/// Returns an error if the operating system refuses the thread.
pub(crate) fn start(
    server: Reloader,
    clock: Clock,
    ended: Receiver<()>,
) -> Result<(), CommandError> {
    let Some(allowed) = sd_notify::watchdog_enabled() else { return Ok(()) };
    let every_ms = every_ms(allowed);
    let watch = move || {
        let mut before = None;
        loop {
            let heartbeat = server.heartbeat();
            match &heartbeat {
                Ok(now) if moved(before, *now) => notify(NotifyState::Watchdog),
                Ok(_) => tracing::error!("the engine's scheduler is stuck"),
                Err(error) => tracing::error!(%error, "the store's writer has ended"),
            }
            before = heartbeat.ok().or(before);
            let next_ms = clock.now_ms().saturating_add(every_ms);
            match clock.recv_until(&ended, Some(next_ms)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(CommandError::Signals)
}

/// Notifies systemd, if it started us with Type=notify.
pub(crate) fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}

fn every_ms(allowed: Duration) -> u64 {
    u64::try_from((allowed / LOOKS).as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Whether the scheduler has begun a pass since the look before.
fn moved(before: Option<u64>, now: u64) -> bool {
    before.is_none_or(|before| now > before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_scheduler_is_no_sign_of_life() {
        assert!(moved(None, 0) && moved(Some(4), 5));
        assert!(!moved(Some(5), 5));
    }

    #[test]
    fn there_are_looks_enough_to_miss_one() {
        assert_eq!(every_ms(Duration::from_secs(60)), 20_000);
        assert_eq!(every_ms(Duration::ZERO), 1);
    }
}
