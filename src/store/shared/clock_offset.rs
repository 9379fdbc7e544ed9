//! The clock of the database, by which all nodes go: no two machines agree on the time, and jobs
//! are due and expire on all of them.

use std::time::Duration;

use super::connect::PgSession;
use super::nodes::NOW_MS;
use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::error::BackendError;

/// The round trips of one measurement, of which the fastest counts.
const ROUNDS: usize = 5;
/// How far a clock that cannot be corrected may be off, and from where on one that can is set at
/// once, milliseconds.
const OFFSET_MS_MAX: u64 = 2_000;
/// By how much a clock is corrected at most in a measurement that is not the first, milliseconds.
const SLEW_MS_MAX: u64 = 10;

/// The machine's clock differs from that of the database.
#[derive(Debug, thiserror::Error)]
#[error(
    "the clock of this machine is {ahead_ms} ms ahead of the database's (negative: behind it); let \
     NTP set both"
)]
struct ClockDiffers {
    ahead_ms: i64,
}

/// Measures by how much the database's clock is ahead of `clock`, milliseconds.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn measure(session: &PgSession, clock: &Clock) -> Result<i64, StoreError> {
    let statement = session.within(session.prepare(&format!("SELECT {NOW_MS}"))).await?;
    let mut best: Option<(Duration, i64)> = None;
    for _ in 0..ROUNDS {
        let (began_ms, watch) = (clock.now_ms(), clock.instant());
        let row = session.query_one(&statement, &[]).await?;
        let took = watch.elapsed();
        let middle_ms = began_ms as i64 + took.as_millis() as i64 / 2;
        let ahead_ms = row.get::<_, i64>(0) - middle_ms;
        if best.is_none_or(|(fastest, _)| took < fastest) {
            best = Some((took, ahead_ms));
        }
    }
    Ok(best.map_or(0, |(_, ahead_ms)| ahead_ms))
}

/// Brings a clock to the time of the database, at once if `is_first` or it is far off. One that
/// cannot be corrected has to be right.
///
/// # Errors
/// Returns an error if the database fails, or the clock is too far off.
pub(super) async fn follow(
    session: &PgSession,
    clock: &Clock,
    is_first: bool,
) -> Result<(), StoreError> {
    match clock {
        // A test moves it.
        Clock::Manual(_) => Ok(()),
        Clock::System => {
            let ahead_ms = measure(session, clock).await?;
            if ahead_ms.unsigned_abs() <= OFFSET_MS_MAX {
                return Ok(());
            }
            let error = ClockDiffers { ahead_ms: -ahead_ms };
            Err(StoreError::Unavailable(BackendError::new(error, false)))
        }
        Clock::Corrected(_) => {
            let ahead_ms = measure(session, clock).await?;
            let (ahead_ms, slew_ms) = if is_first || ahead_ms.unsigned_abs() >= OFFSET_MS_MAX {
                tracing::info!(by_ms = ahead_ms, "the clock goes by that of the database");
                (ahead_ms, i64::MAX)
            } else {
                (ahead_ms, SLEW_MS_MAX as i64)
            };
            clock.correct_by(ahead_ms.clamp(-slew_ms, slew_ms));
            Ok(())
        }
    }
}
