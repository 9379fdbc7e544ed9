//! The slots of a schedule: by a cron pattern in a time zone, or by an interval.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::super::{Invalid, check_timezone, quoted};
use crate::clock::UnixMs;

/// The longest cron pattern, characters.
pub const CRON_CHARS_MAX: usize = 200;
/// The shortest and the longest interval, seconds. A cron pattern has no seconds either.
pub const EVERY_SECONDS_MIN: u64 = 60;
pub const EVERY_SECONDS_MAX: u64 = 366 * 86_400;

/// The units of an interval, and their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The rule of a schedule's slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recurrence {
    /// The moments that fit a pattern on the clocks of a time zone.
    Cron { pattern: String, zone: String },
    /// So long after `from_ms`, and again so long after that.
    Every { seconds: u64, from_ms: UnixMs },
}

/// The rule that a recurrence breaks, as `must be ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRecurrence {
    pub must_be: String,
    pub given: String,
}

impl Recurrence {
    /// Creates the recurrence of a cron pattern of five fields, or of a nickname such as `@daily`.
    ///
    /// # Errors
    /// Returns an error if it is no pattern, or no moment ever fits it.
    pub fn cron(
        pattern: &str,
        zone: &str,
        now_ms: UnixMs,
    ) -> Result<Recurrence, InvalidRecurrence> {
        let pattern = pattern.split_whitespace().collect::<Vec<_>>().join(" ");
        let invalid = |why: &str| InvalidRecurrence {
            must_be: format!(
                "a cron pattern of five fields (minute, hour, day of the month, month, day of the \
                 week) such as `0 6 * * *`{why}"
            ),
            given: quoted(&pattern),
        };
        if pattern.chars().count() > CRON_CHARS_MAX {
            return Err(invalid(&format!(", of at most {CRON_CHARS_MAX} characters")));
        }
        if let Err(error) = parse(&pattern) {
            return Err(invalid(&format!(" ({})", error.to_string().trim_end_matches('.'))));
        }
        let recurrence = Recurrence::Cron { pattern: pattern.clone(), zone: zone.to_owned() };
        match recurrence.next_after(now_ms) {
            Some(_) => Ok(recurrence),
            None => Err(invalid(" that some day fits")),
        }
    }

    /// Returns the first slot after `after_ms`.
    pub fn next_after(&self, after_ms: UnixMs) -> Option<UnixMs> {
        match self {
            Recurrence::Cron { pattern, zone } => {
                let from = zoned(after_ms, zone)?;
                let found = parse(pattern).ok()?.find_next_occurrence(&from, false).ok()?;
                unix_ms(&found).filter(|found_ms| *found_ms > after_ms)
            }
            Recurrence::Every { seconds, from_ms } => {
                let every_ms = seconds.checked_mul(1_000).filter(|every_ms| *every_ms > 0)?;
                let passed = after_ms.checked_sub(*from_ms).map_or(0, |ms| ms / every_ms);
                from_ms.checked_add((passed + 1).checked_mul(every_ms)?)
            }
        }
    }

    /// Returns the last slot until `until_ms`, that included.
    pub fn last_until(&self, until_ms: UnixMs) -> Option<UnixMs> {
        match self {
            Recurrence::Cron { pattern, zone } => {
                // Whole seconds: the search takes the given one in only if nothing is left of it.
                let until = zoned(until_ms - until_ms % 1_000, zone)?;
                let found = parse(pattern).ok()?.find_previous_occurrence(&until, true).ok()?;
                unix_ms(&found).filter(|found_ms| *found_ms <= until_ms)
            }
            Recurrence::Every { seconds, from_ms } => {
                let every_ms = seconds.checked_mul(1_000).filter(|every_ms| *every_ms > 0)?;
                let passed = until_ms.checked_sub(*from_ms)? / every_ms;
                (passed > 0).then_some(from_ms + passed * every_ms)
            }
        }
    }
}

fn parse(pattern: &str) -> Result<Cron, croner::errors::CronError> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(pattern)
}

fn zoned(at_ms: UnixMs, zone: &str) -> Option<Zoned> {
    let at = Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
    Some(at.to_zoned(TimeZone::get(zone).ok()?))
}

fn unix_ms(at: &Zoned) -> Option<UnixMs> {
    u64::try_from(at.timestamp().as_millisecond()).ok()
}

/// Checks the time zone of a cron pattern. Returns it as the tz database spells it.
///
/// # Errors
/// Returns an error if the tz database has no such zone; it names the nearest that it has.
pub fn check_zone(name: &str) -> Result<String, Invalid> {
    // `UTC` and its like are no zones of a place, which the other check is for.
    if let Some(zone) = TimeZone::get(name).ok().filter(|_| !name.is_empty()) {
        return Ok(zone.iana_name().unwrap_or(name).to_owned());
    }
    let name = if name.is_empty() { "?" } else { name };
    check_timezone(Some(name.to_owned())).map(|zone| zone.unwrap_or_else(|| "UTC".to_owned()))
}

/// Parses an interval such as `8h`, `90m` or `1d12h`; `None` if it is none, or not from
/// [`EVERY_SECONDS_MIN`] to [`EVERY_SECONDS_MAX`].
pub fn parse_duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    // Each unit once, the largest first.
    for (unit, length) in UNITS {
        let Some((number, later)) = rest.split_once(unit) else { continue };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = number.parse::<u64>().ok()?.checked_mul(length)?;
        seconds = seconds.checked_add(part)?;
        rest = later;
    }
    let bounds = EVERY_SECONDS_MIN..=EVERY_SECONDS_MAX;
    (rest.is_empty() && bounds.contains(&seconds)).then_some(seconds)
}

/// Returns an interval in words that [`parse_duration`] reads.
pub fn duration_text(seconds: u64) -> String {
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, length) in UNITS {
        if rest >= length {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}
