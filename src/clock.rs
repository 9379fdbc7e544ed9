//! The only reader of time: the system's clock, and a manual one that tests move by hand.
//!
//! Wall-clock times are milliseconds since the Unix epoch (UTC) in a `u64`, everywhere.
#![allow(clippy::disallowed_methods)] // this file is where time is read

mod corrected;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use corrected::CorrectedClock;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = u64;

/// The longest single wait of a thread before it looks at the clock again, milliseconds.
const WAIT_MS_MAX: u64 = 60_000;

/// A source of time, cheap to clone. All clones of a manual clock move together.
#[derive(Clone)]
pub enum Clock {
    System,
    /// Another one's time, which [`Clock::correct_by`] tells it.
    Corrected(Arc<CorrectedClock>),
    Manual(Arc<ManualClock>),
}

/// A clock that stands still until [`ManualClock::advance_ms`] moves it; alarms that come due
/// fire before that call returns.
pub struct ManualClock {
    state: Mutex<ManualState>,
}

struct ManualState {
    /// The wall clock.
    now_ms: UnixMs,
    /// What the machine's monotonic clock would say.
    monotonic_ms: u64,
    /// By the monotonic clock: a step of the wall clock cuts no wait short and makes none longer.
    alarms: Vec<(u64, Alarm)>,
}

enum Alarm {
    Thread(Sender<()>),
    Task(tokio::sync::oneshot::Sender<()>),
}

/// Returns the time of the machine.
fn system_ms() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Clock::System => "System",
            Clock::Corrected(_) => "Corrected",
            Clock::Manual(_) => "Manual",
        })
    }
}

impl Clock {
    /// Creates a manual clock that shows `start_ms`, and the handle that moves it.
    pub fn manual(start_ms: UnixMs) -> (Clock, Arc<ManualClock>) {
        let state = ManualState { now_ms: start_ms, monotonic_ms: start_ms, alarms: Vec::new() };
        let manual = Arc::new(ManualClock { state: Mutex::new(state) });
        (Clock::Manual(manual.clone()), manual)
    }

    /// Creates a clock that is corrected later, by [`Clock::correct_by`].
    pub fn corrected() -> Clock {
        Clock::Corrected(Arc::new(CorrectedClock::new(Instant::now(), system_ms())))
    }

    /// Sets a clock of [`Clock::corrected`] ahead by some milliseconds, with all its clones; others
    /// stay as they are.
    pub fn correct_by(&self, ahead_ms: i64) {
        match self {
            Clock::Corrected(clock) => clock.correct_by(ahead_ms),
            Clock::System | Clock::Manual(_) => {}
        }
    }

    /// Returns by how much a clock of [`Clock::corrected`] is ahead of the machine's, milliseconds;
    /// `None` for others.
    pub fn correction_ms(&self) -> Option<i64> {
        match self {
            Clock::Corrected(clock) => Some(clock.ahead_of(system_ms())),
            Clock::System | Clock::Manual(_) => None,
        }
    }

    /// Returns the time, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> UnixMs {
        match self {
            Clock::System => system_ms(),
            Clock::Corrected(clock) => clock.now_ms(),
            Clock::Manual(manual) => manual.lock().now_ms,
        }
    }

    /// Milliseconds that no step of the wall clock changes, for rate limits and durations: since
    /// `origin`, and under a manual clock since a moment of its own.
    pub fn monotonic_ms(&self, origin: Instant) -> u64 {
        match self {
            Clock::System | Clock::Corrected(_) => {
                u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
            }
            Clock::Manual(manual) => manual.lock().monotonic_ms,
        }
    }

    /// Returns a monotonic instant for measuring durations and for deadlines of outgoing calls. It
    /// is the machine's own even under a manual clock: sockets do not wait for a test's clock.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Starts measuring a duration.
    pub fn stopwatch(&self) -> Stopwatch {
        let origin = self.instant();
        Stopwatch { clock: self.clone(), origin, began_ms: self.monotonic_ms(origin) }
    }

    /// Takes the next message, or waits for it until the clock has reached `at_ms` (`None`: for as
    /// long as it takes).
    ///
    /// # Errors
    /// Returns `Timeout` at that time, or after a minute, so that a step of the wall clock is
    /// noticed; `Disconnected` when all senders are gone.
    pub fn recv_until<T>(
        &self,
        receiver: &Receiver<T>,
        at_ms: Option<UnixMs>,
    ) -> Result<T, RecvTimeoutError> {
        let Some(at_ms) = at_ms else {
            return receiver.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        match self {
            Clock::System | Clock::Corrected(_) => {
                let wait_ms = at_ms.saturating_sub(self.now_ms()).min(WAIT_MS_MAX);
                receiver.recv_timeout(Duration::from_millis(wait_ms))
            }
            Clock::Manual(manual) => {
                let (sender, alarm) = crossbeam_channel::bounded(1);
                manual.register(at_ms, WAIT_MS_MAX, Alarm::Thread(sender));
                crossbeam_channel::select! {
                    recv(receiver) -> message => message.map_err(|_| RecvTimeoutError::Disconnected),
                    recv(alarm) -> _ => Err(RecvTimeoutError::Timeout),
                }
            }
        }
    }

    /// Completes when the clock has reached `at_ms`, as it goes now; at once when it already has.
    pub async fn sleep_until(&self, at_ms: UnixMs) {
        match self {
            Clock::System | Clock::Corrected(_) => {
                let wait_ms = at_ms.saturating_sub(self.now_ms());
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            Clock::Manual(manual) => {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                manual.register(at_ms, u64::MAX, Alarm::Task(sender));
                // An error would mean that the clock is gone, and no thread can wait for it then.
                let _ = receiver.await;
            }
        }
    }
}

/// Measures how long something takes; under a manual clock in the clock's own time.
#[derive(Clone)]
pub struct Stopwatch {
    clock: Clock,
    origin: Instant,
    began_ms: u64,
}

impl Stopwatch {
    /// Returns the time since it was started.
    pub fn elapsed(&self) -> Duration {
        match self.clock {
            Clock::System | Clock::Corrected(_) => self.origin.elapsed(),
            Clock::Manual(_) => {
                let now_ms = self.clock.monotonic_ms(self.origin);
                Duration::from_millis(now_ms.saturating_sub(self.began_ms))
            }
        }
    }

    /// Returns the time since it was started, in whole milliseconds.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl ManualClock {
    /// Lets time pass and fires the alarms that have come due.
    pub fn advance_ms(&self, by_ms: u64) {
        let mut state = self.lock();
        state.now_ms = state.now_ms.saturating_add(by_ms);
        state.monotonic_ms = state.monotonic_ms.saturating_add(by_ms);
        let now_ms = state.monotonic_ms;
        let (due, later) =
            std::mem::take(&mut state.alarms).into_iter().partition(|(at_ms, _)| *at_ms <= now_ms);
        state.alarms = later;
        for (_, alarm) in due {
            fire(alarm);
        }
    }

    /// Sets the wall clock, as NTP or an operator would. No time passes by that.
    pub fn set_ms(&self, now_ms: UnixMs) {
        self.lock().now_ms = now_ms;
    }

    /// Sets an alarm at a time of the wall clock, or after the longest wait. How long that is off
    /// is found under the lock: an advance in between would make the wait longer by as much.
    fn register(&self, at_ms: UnixMs, wait_ms_max: u64, alarm: Alarm) {
        let mut state = self.lock();
        state.alarms.retain(|(_, alarm)| !abandoned(alarm));
        let wait_ms = at_ms.saturating_sub(state.now_ms).min(wait_ms_max);
        if wait_ms == 0 {
            fire(alarm);
        } else {
            let at_ms = state.monotonic_ms.saturating_add(wait_ms);
            state.alarms.push((at_ms, alarm));
        }
    }

    fn lock(&self) -> MutexGuard<'_, ManualState> {
        // The state is valid after every statement, so a panic elsewhere cannot have torn it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receiver that has gone needs no wake-up.
fn fire(alarm: Alarm) {
    match alarm {
        Alarm::Thread(sender) => drop(sender.try_send(())),
        Alarm::Task(sender) => drop(sender.send(())),
    }
}

fn abandoned(alarm: &Alarm) -> bool {
    match alarm {
        // A thread's alarm cannot be asked; it lives for one wait and fires at most once.
        Alarm::Thread(_) => false,
        Alarm::Task(sender) => sender.is_closed(),
    }
}

/// Returns a time as contract 1.7 writes it: `2026-05-11T12:00:00+00:00`, UTC, in whole seconds.
pub fn rfc3339_seconds(at_ms: UnixMs) -> String {
    String::from_utf8_lossy(&rfc3339_ascii(at_ms)).into_owned()
}

/// Returns the same as ASCII, for callers that write many.
pub fn rfc3339_ascii(at_ms: UnixMs) -> [u8; 25] {
    let at = utc(at_ms);
    let mut text = *b"0000-00-00T00:00:00+00:00";
    let mut write = |from: usize, digits: usize, mut number: u32| {
        for digit in text[from..from + digits].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    write(0, 4, u32::try_from(at.year()).unwrap_or(0));
    write(5, 2, u8::from(at.month()).into());
    write(8, 2, at.day().into());
    write(11, 2, at.hour().into());
    write(14, 2, at.minute().into());
    write(17, 2, at.second().into());
    text
}

/// RFC 9110, 5.6.7; no upstream sends the obsolete forms.
const HTTP_DATE: &[time::format_description::BorrowedFormatItem<'_>] = time::macros::format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Returns `Mon, 11 May 2026 12:00:00 GMT`, a time as HTTP's headers write it.
pub fn http_date(at_ms: UnixMs) -> String {
    utc(at_ms).format(HTTP_DATE).unwrap_or_default()
}

/// Parses a time of an HTTP header; `None` if it is none.
pub fn parse_http_date(text: &str) -> Option<UnixMs> {
    let at = time::PrimitiveDateTime::parse(text.trim(), HTTP_DATE).ok()?;
    u64::try_from(at.assume_utc().unix_timestamp()).ok().map(|seconds| seconds * 1000)
}

/// The milliseconds that a moment in words covers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub first_ms: UnixMs,
    pub last_ms: UnixMs,
}

/// Parses a moment: RFC 3339, whole seconds since 1970, or a date alone, which is its whole day in
/// UTC. A time without a fraction is its whole second. `None` if it is none of these, or before
/// 1970.
pub fn parse_moment(text: &str) -> Option<Moment> {
    const DATE: &[time::format_description::BorrowedFormatItem<'_>] =
        time::macros::format_description!("[year]-[month]-[day]");
    const SECOND_MS: u64 = 1_000;
    const DAY_MS: u64 = 86_400_000;
    let (first_ms, length_ms) = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        (text.parse::<u64>().ok()?.saturating_mul(SECOND_MS), SECOND_MS)
    } else if let Ok(date) = time::Date::parse(text, DATE) {
        (u64::try_from(date.midnight().assume_utc().unix_timestamp()).ok()? * SECOND_MS, DAY_MS)
    } else {
        // Times as we write them end with `+00:00`, and an unencoded plus is a space in a query.
        let text = text.replace(' ', "+");
        let format = &time::format_description::well_known::Rfc3339;
        let at = time::OffsetDateTime::parse(&text, format).ok()?;
        let length_ms = if text.contains('.') { 1 } else { SECOND_MS };
        (u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?, length_ms)
    };
    Some(Moment { first_ms, last_ms: first_ms.saturating_add(length_ms - 1) })
}

/// Returns the calendar month (UTC) that `at_ms` lies in, as `year * 100 + month`: 202605.
pub fn calendar_month(at_ms: UnixMs) -> u32 {
    let at = utc(at_ms);
    u32::try_from(at.year()).unwrap_or(0) * 100 + u32::from(u8::from(at.month()))
}

/// Returns the calendar day (UTC) that `at_ms` lies in, as `year * 10,000 + month * 100 + day`:
/// 20260511.
pub fn calendar_day(at_ms: UnixMs) -> u32 {
    day_number(utc(at_ms).date())
}

/// Returns the calendar day a number of days before another, both as [`calendar_day`] gives
/// them; 0 where there is none.
pub fn days_before(day: u32, days: u64) -> u32 {
    let date = time::Month::try_from((day / 100 % 100) as u8)
        .and_then(|month| {
            time::Date::from_calendar_date((day / 10_000) as i32, month, (day % 100) as u8)
        })
        .ok();
    let days = time::Duration::days(i64::try_from(days).unwrap_or(i64::MAX));
    date.and_then(|date| date.checked_sub(days)).map_or(0, day_number)
}

/// Returns a day of [`calendar_day`] as `2026-05-11`.
pub fn day_text(day: u32) -> String {
    format!("{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100)
}

/// Returns the first millisecond of the calendar month (UTC) that `at_ms` lies in.
pub fn month_start_ms(at_ms: UnixMs) -> UnixMs {
    let date = utc(at_ms).date();
    let first = date.replace_day(1).unwrap_or(date).midnight().assume_utc();
    u64::try_from(first.unix_timestamp()).unwrap_or(0) * 1000
}

fn day_number(date: time::Date) -> u32 {
    let year = u32::try_from(date.year()).unwrap_or(0);
    (year * 100 + u32::from(u8::from(date.month()))) * 100 + u32::from(date.day())
}

fn utc(at_ms: UnixMs) -> time::OffsetDateTime {
    let seconds = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// Returns the first millisecond of the calendar day (UTC) after the one that `at_ms` lies in.
pub fn next_day_ms(at_ms: UnixMs) -> UnixMs {
    const DAY_MS: u64 = 86_400_000;
    (at_ms / DAY_MS + 1) * DAY_MS
}

/// Returns the first millisecond of the calendar month (UTC) after the one that `at_ms` lies in.
pub fn next_month_ms(at_ms: UnixMs) -> UnixMs {
    let month = calendar_month(at_ms);
    let (year, month) =
        if month % 100 == 12 { (month / 100 + 1, 1) } else { (month / 100, month % 100 + 1) };
    let first = time::Month::try_from(month as u8)
        .and_then(|month| time::Date::from_calendar_date(year as i32, month, 1));
    first.map_or(u64::MAX, |date| {
        u64::try_from(date.midnight().assume_utc().unix_timestamp()).unwrap_or(0) * 1000
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_whole_seconds_with_an_offset() {
        assert_eq!(rfc3339_seconds(1_778_500_800_999), "2026-05-11T12:00:00+00:00");
        assert_eq!(http_date(1_778_500_800_999), "Mon, 11 May 2026 12:00:00 GMT");
        assert_eq!(parse_http_date(" Mon, 11 May 2026 12:00:00 GMT"), Some(1_778_500_800_000));
        assert_eq!(parse_http_date("soon"), None);
    }

    #[test]
    fn a_moment_in_words_covers_what_it_says() {
        const DAY_MS: u64 = 1_778_457_600_000;
        for (text, covers) in [
            ("2026-05-11", Some((DAY_MS, DAY_MS + 86_399_999))),
            ("2026-05-11T12:00:00Z", Some((1_778_500_800_000, 1_778_500_800_999))),
            ("2026-05-11T14:00:00 02:00", Some((1_778_500_800_000, 1_778_500_800_999))),
            ("2026-05-11T12:00:00.25Z", Some((1_778_500_800_250, 1_778_500_800_250))),
            ("1778500800", Some((1_778_500_800_000, 1_778_500_800_999))),
            ("1970-01-01", Some((0, 86_399_999))),
            ("1969-12-31", None),
            ("2026-02-30", None),
            ("2026-5-1", None),
            ("-1", None),
            ("", None),
            ("today", None),
        ] {
            let moment = parse_moment(text).map(|it| (it.first_ms, it.last_ms));
            assert_eq!(moment, covers, "{text}");
        }
        assert_eq!(parse_moment("99999999999999999999"), None);
        assert_eq!(parse_moment(&u64::MAX.to_string()).unwrap().last_ms, u64::MAX);
    }

    #[test]
    fn months_follow_the_calendar_over_the_turn_of_a_year() {
        let december_31 = 1_798_761_599_999; // 2026-12-31T23:59:59.999Z
        assert_eq!(calendar_month(december_31), 202_612);
        assert_eq!(next_month_ms(december_31), december_31 + 1);
        assert_eq!(calendar_month(december_31 + 1), 202_701);
    }

    #[test]
    fn days_are_counted_over_leap_days_and_years() {
        assert_eq!(calendar_day(1_778_500_800_000), 20_260_511);
        assert_eq!(calendar_day(month_start_ms(1_778_500_800_000)), 20_260_501);
        assert_eq!(month_start_ms(1_778_500_800_000) % 86_400_000, 0);
        assert_eq!(days_before(20_240_301, 1), 20_240_229);
        assert_eq!(days_before(20_260_101, 366), 20_241_231);
        assert_eq!(days_before(20_261_301, 1), 0);
        assert_eq!(day_text(20_260_511), "2026-05-11");
    }

    #[test]
    fn clock_is_corrected_with_all_its_clones() {
        const DAY_MS: u64 = 86_400_000;
        let clock = Clock::corrected();
        let other = clock.clone();
        clock.correct_by(2 * DAY_MS as i64);
        clock.correct_by(-(DAY_MS as i64));
        let ahead_ms = other.now_ms() - Clock::System.now_ms();
        assert!(ahead_ms.abs_diff(DAY_MS) < 60_000, "{ahead_ms}");
        let known_ms = other.correction_ms().unwrap();
        assert!(known_ms.abs_diff(DAY_MS as i64) < 60_000, "{known_ms}");
    }

    #[test]
    fn a_manual_clock_fires_what_is_due_and_only_that() {
        let (clock, manual) = Clock::manual(1_000);
        let (sender, receiver) = crossbeam_channel::unbounded::<u8>();
        assert_eq!(clock.recv_until(&receiver, Some(1_000)), Err(RecvTimeoutError::Timeout));
        let waiting = {
            let (clock, receiver) = (clock.clone(), receiver.clone());
            std::thread::spawn(move || clock.recv_until(&receiver, Some(2_000)))
        };
        manual.advance_ms(999);
        manual.advance_ms(1);
        assert_eq!(waiting.join().unwrap(), Err(RecvTimeoutError::Timeout));
        sender.send(7).unwrap();
        assert_eq!(clock.recv_until(&receiver, None), Ok(7));
    }

    #[test]
    fn a_step_of_the_wall_clock_changes_no_wait() {
        let (clock, manual) = Clock::manual(1_000);
        let (_sender, receiver) = crossbeam_channel::unbounded::<u8>();
        let waiting = {
            let (clock, receiver) = (clock.clone(), receiver.clone());
            std::thread::spawn(move || clock.recv_until(&receiver, Some(2_000)))
        };
        while manual.lock().alarms.is_empty() {
            std::thread::yield_now();
        }
        let origin = clock.instant();
        let before_ms = clock.monotonic_ms(origin);
        manual.set_ms(500_000);
        manual.set_ms(0);
        assert_eq!((clock.now_ms(), clock.monotonic_ms(origin)), (0, before_ms));
        manual.advance_ms(999);
        assert_eq!(manual.lock().alarms.len(), 1);
        manual.advance_ms(1);
        assert_eq!(waiting.join().unwrap(), Err(RecvTimeoutError::Timeout));
    }
}
