//! What `POST /schedules` and `PATCH /schedules/{id}` ask for.

use serde_json::{Map, Value};

use crate::api::ErrorCode;
use crate::clock::{UnixMs, parse_moment};
use crate::http::error::ApiError;
use crate::http::request::batch_request;
use crate::job::{
    EVERY_SECONDS_MAX, EVERY_SECONDS_MIN, ItemError, JITTER_SECONDS_MAX, MAX_RUNS_MAX,
    MissedPolicy, Recurrence, SCHEDULE_BATCH_BYTES_MAX, SCHEDULE_NAME_CHARS_MAX,
    ScheduleDefinition, broken_rule, check_zone, duration_text, parse_duration, quoted,
};
use crate::service::{NewSchedule, ScheduledBatch, Service};

/// The largest body, bytes: the batch, and what stands beside it.
pub(crate) const BODY_BYTES_MAX: usize = SCHEDULE_BATCH_BYTES_MAX + (16 << 10);
/// The fields of a schedule.
pub(crate) const FIELDS: [&str; 10] = [
    "name",
    "cron",
    "every",
    "timezone",
    "jitter_seconds",
    "batch",
    "missed",
    "ends_at",
    "max_runs",
    "paused",
];

/// The changes of a schedule. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScheduleChange {
    name: Option<String>,
    recurrence: Option<Recurrence>,
    jitter_seconds: Option<u32>,
    missed: Option<MissedPolicy>,
    ends_ms: Option<Option<UnixMs>>,
    max_runs: Option<Option<u64>>,
    paused: Option<bool>,
    pub batch: Option<ScheduledBatch>,
}

impl ScheduleChange {
    /// Makes the changes.
    pub(crate) fn apply(&self, definition: &mut ScheduleDefinition, paused: &mut bool) {
        let ScheduleChange {
            name,
            recurrence,
            jitter_seconds,
            missed,
            ends_ms,
            max_runs,
            paused: pause,
            batch: _,
        } = self.clone();
        definition.name = name.unwrap_or(std::mem::take(&mut definition.name));
        if let Some(recurrence) = recurrence {
            definition.recurrence = recurrence;
        }
        definition.jitter_seconds = jitter_seconds.unwrap_or(definition.jitter_seconds);
        definition.missed = missed.unwrap_or(definition.missed);
        definition.ends_ms = ends_ms.unwrap_or(definition.ends_ms);
        definition.max_runs = max_runs.unwrap_or(definition.max_runs);
        *paused = pause.unwrap_or(*paused);
    }
}

/// Reads the body of `POST /schedules`.
///
/// # Errors
/// Returns an error if a field breaks its rule, one that is needed is missing, or an item of the
/// batch would be refused.
pub(crate) fn new(service: &Service, body: &[u8], now_ms: UnixMs) -> Result<NewSchedule, ApiError> {
    let asked = change_of(service, body, None, now_ms)?;
    let missing = |name: &str, what: &str| {
        ApiError::new(
            ErrorCode::ScheduleInvalid,
            format!("Parameter `{name}` is required: {what}."),
        )
    };
    let Some(recurrence) = asked.recurrence.clone() else {
        return Err(missing("cron", "a cron pattern such as `0 6 * * *`, or `every` such as `8h`"));
    };
    let Some(batch) = asked.batch.clone() else {
        return Err(missing("batch", "the body of `POST /batches` that each slot submits"));
    };
    let Some(name) = asked.name.clone() else {
        return Err(missing("name", "a name that no other schedule of the key has"));
    };
    let mut definition = ScheduleDefinition {
        name,
        recurrence,
        jitter_seconds: 0,
        missed: MissedPolicy::Skip,
        ends_ms: None,
        max_runs: None,
    };
    let mut paused = false;
    asked.apply(&mut definition, &mut paused);
    Ok(NewSchedule { definition, paused, batch })
}

/// Reads the body of `PATCH /schedules/{id}`, of which `before` is the present state.
///
/// # Errors
/// Returns an error if a field breaks its rule, or an item of the batch would be refused.
pub(crate) fn change(
    service: &Service,
    body: &[u8],
    before: &ScheduleDefinition,
    now_ms: UnixMs,
) -> Result<ScheduleChange, ApiError> {
    change_of(service, body, Some(&before.recurrence), now_ms)
}

fn change_of(
    service: &Service,
    body: &[u8],
    before: Option<&Recurrence>,
    now_ms: UnixMs,
) -> Result<ScheduleChange, ApiError> {
    let mut fields = object(body)?;
    let recurrence = recurrence(&mut fields, before, now_ms)?;
    let ends_ms = take(&mut fields, "ends_at").map(|value| ends_ms(value, now_ms)).transpose()?;
    let batch = take(&mut fields, "batch").filter(|batch| !batch.is_null());
    Ok(ScheduleChange {
        name: take(&mut fields, "name").map(name).transpose()?,
        recurrence,
        jitter_seconds: take(&mut fields, "jitter_seconds").map(jitter_seconds).transpose()?,
        missed: take(&mut fields, "missed").map(missed).transpose()?,
        ends_ms,
        max_runs: take(&mut fields, "max_runs").map(max_runs).transpose()?,
        paused: take(&mut fields, "paused").map(paused).transpose()?,
        batch: batch.map(|batch| scheduled_batch(service, &batch)).transpose()?,
    })
}

/// Reads the fields of the body. Others than [`FIELDS`] are refused: a name with a typing error
/// would be an end that never comes.
fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let invalid = |given: String| {
        let rule = "The request's body must be a JSON object with the fields of a schedule";
        ApiError::new(ErrorCode::BodyInvalid, format!("{rule}; given: {given}."))
    };
    let fields: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    match fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        Some(unknown) => {
            let known: Vec<String> = FIELDS.iter().map(|name| format!("`{name}`")).collect();
            Err(ApiError::new(
                ErrorCode::ScheduleInvalid,
                format!(
                    "A schedule has no field {}; it has {}.",
                    quoted(unknown),
                    known.join(", ")
                ),
            ))
        }
        None => Ok(fields),
    }
}

fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.remove(name)
}

fn invalid(name: &str, rule: &str, given: &Value) -> ApiError {
    let given = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    ApiError::new(ErrorCode::ScheduleInvalid, broken_rule(name, rule, &given))
}

fn name(value: Value) -> Result<String, ApiError> {
    let text = value.as_str().unwrap_or_default();
    let fits = (1..=SCHEDULE_NAME_CHARS_MAX).contains(&text.chars().count());
    if fits && !text.trim().is_empty() && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let rule = format!("1 to {SCHEDULE_NAME_CHARS_MAX} characters without control characters");
    Err(invalid("name", &rule, &value))
}

/// Reads `cron`, `every` and `timezone`; `None` if none of them is there.
fn recurrence(
    fields: &mut Map<String, Value>,
    before: Option<&Recurrence>,
    now_ms: UnixMs,
) -> Result<Option<Recurrence>, ApiError> {
    let given = |value: Option<Value>| value.filter(|value| !value.is_null());
    let cron = given(take(fields, "cron"));
    let every = given(take(fields, "every"));
    let zone = given(take(fields, "timezone")).map(zone).transpose()?;
    match (cron, every) {
        (Some(_), Some(_)) => Err(ApiError::new(
            ErrorCode::ScheduleInvalid,
            "A schedule must have either `cron` or `every`; it has both.",
        )),
        (None, Some(_)) if zone.is_some() => Err(ApiError::new(
            ErrorCode::ScheduleInvalid,
            "Parameter `timezone` goes with `cron`; an interval is the same everywhere.",
        )),
        (None, Some(every)) => every_seconds(&every)
            .map(|seconds| Some(Recurrence::Every { seconds, from_ms: now_ms - now_ms % 1_000 })),
        (cron, None) => {
            let (pattern, known_zone) = match before {
                Some(Recurrence::Cron { pattern, zone }) => {
                    (Some(pattern.as_str()), Some(zone.as_str()))
                }
                Some(Recurrence::Every { .. }) | None => (None, None),
            };
            if cron.is_none() && zone.is_none() {
                return Ok(None);
            }
            let Some(pattern) = cron.as_ref().map_or(pattern, |cron| cron.as_str().or(Some("")))
            else {
                return Err(ApiError::new(
                    ErrorCode::ScheduleInvalid,
                    "Parameter `timezone` goes with `cron`, which is missing.",
                ));
            };
            let zone = zone.as_deref().or(known_zone).unwrap_or("UTC");
            let made = Recurrence::cron(pattern, zone, now_ms);
            made.map(Some).map_err(|error| {
                let sentence =
                    format!("Parameter `cron` must be {}; given: {}.", error.must_be, error.given);
                ApiError::new(ErrorCode::CronInvalid, sentence)
            })
        }
    }
}

fn zone(value: Value) -> Result<String, ApiError> {
    Ok(check_zone(value.as_str().unwrap_or_default())?)
}

fn every_seconds(value: &Value) -> Result<u64, ApiError> {
    value.as_str().and_then(parse_duration).ok_or_else(|| {
        let rule = format!(
            "an interval of {} to {} such as `8h`, `90m` or `1d12h`",
            duration_text(EVERY_SECONDS_MIN),
            duration_text(EVERY_SECONDS_MAX)
        );
        let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        ApiError::invalid(ErrorCode::EveryInvalid, "every", &rule, &given)
    })
}

fn jitter_seconds(value: Value) -> Result<u32, ApiError> {
    if value.is_null() {
        return Ok(0);
    }
    let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    seconds.filter(|seconds| *seconds <= JITTER_SECONDS_MAX).ok_or_else(|| {
        invalid("jitter_seconds", &format!("0 to {JITTER_SECONDS_MAX} seconds"), &value)
    })
}

fn missed(value: Value) -> Result<MissedPolicy, ApiError> {
    let policy = MissedPolicy::ALL.into_iter().find(|policy| value == policy.word());
    policy.ok_or_else(|| invalid("missed", "`skip` or `run_once`", &value))
}

fn ends_ms(value: Value, now_ms: UnixMs) -> Result<Option<UnixMs>, ApiError> {
    if value.is_null() {
        return Ok(None);
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let ends = parse_moment(&text).map(|moment| moment.last_ms).filter(|ends| *ends > now_ms);
    ends.map(Some).ok_or_else(|| {
        let rule = "a time to come such as `2026-12-31T18:00:00Z`, a date, which is its whole day \
                    in UTC, or Unix seconds";
        invalid("ends_at", rule, &value)
    })
}

fn max_runs(value: Value) -> Result<Option<u64>, ApiError> {
    if value.is_null() {
        return Ok(None);
    }
    let runs = value.as_u64().filter(|runs| (1..=MAX_RUNS_MAX).contains(runs));
    runs.map(Some).ok_or_else(|| invalid("max_runs", &format!("1 to {MAX_RUNS_MAX}"), &value))
}

fn paused(value: Value) -> Result<bool, ApiError> {
    value.as_bool().ok_or_else(|| invalid("paused", "`true` or `false`", &value))
}

/// Checks a batch as a slot will, but for the trackers that it names.
fn scheduled_batch(service: &Service, batch: &Value) -> Result<ScheduledBatch, ApiError> {
    if !batch.is_object() {
        return Err(invalid("batch", "an object, the body of `POST /batches`", batch));
    }
    let json = batch.to_string();
    if json.len() > SCHEDULE_BATCH_BYTES_MAX {
        let rule = format!("at most {SCHEDULE_BATCH_BYTES_MAX} bytes of JSON");
        let given = Value::String(format!("{} bytes", json.len()));
        return Err(invalid("batch", &rule, &given));
    }
    let asked = batch_request::parse(service, json.as_bytes(), false)?;
    let tracks = asked.items.iter().flatten().filter_map(|(_, it)| it.track.clone()).collect();
    let faults =
        (0..).zip(&asked.items).find_map(|(index, item)| Some((index, item.as_ref().err()?)));
    match faults {
        Some((index, ItemError::Invalid { detail, .. })) => Err(ApiError::new(
            ErrorCode::ScheduleInvalid,
            format!("Item {index} of the batch would be refused: {detail}"),
        )),
        // What has not been submitted meets no limit.
        Some((_, ItemError::QueueFull | ItemError::CreditLimit)) | None => {
            Ok(ScheduledBatch { json, tracks })
        }
    }
}
