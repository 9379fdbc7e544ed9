//! What `POST /alerts` and `PATCH /alerts/{id}` ask for.

use serde_json::{Map, Value};

use crate::alert::{
    ALERT_NAME_CHARS_MAX, AlertDefinition, AlertKind, AlertWindow, DAYS_WATCHED_MAX,
    DOMAIN_SHARE_DEFAULT, NoticeFormat, RUNS_WATCHED_MAX, SUCCESS_SHARE_DEFAULT,
};
use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::job::{broken_rule, is_tracker_name, quoted};
use crate::service::{NewAlert, Service};

/// The largest body, bytes.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;
/// The most US dollars of a budget.
const USD_MAX: f64 = 1_000_000.0;
/// The fields of an alert.
const FIELDS: [&str; 9] =
    ["name", "when", "tracker", "brand", "scraper", "threshold", "over", "to", "paused"];
/// The fields that a change can name.
const CHANGEABLE: [&str; 5] = ["name", "threshold", "over", "to", "paused"];

/// The changes of an alert. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertChange {
    name: Option<String>,
    threshold: Option<Option<f64>>,
    over: Option<AlertWindow>,
    to: Option<(String, NoticeFormat)>,
    paused: Option<bool>,
}

impl AlertChange {
    /// Makes the changes.
    pub(crate) fn apply(&self, definition: &mut AlertDefinition, paused: &mut bool) {
        let AlertChange { name, threshold, over, to, paused: pause } = self.clone();
        definition.name = name.unwrap_or(std::mem::take(&mut definition.name));
        definition.threshold = threshold.unwrap_or(definition.threshold);
        definition.over = over.or(definition.over);
        if let Some((url, format)) = to {
            definition.url = url;
            definition.format = format;
        }
        *paused = pause.unwrap_or(*paused);
    }
}

/// Reads the body of `POST /alerts`.
///
/// # Errors
/// Returns an error if a field breaks its rule, or one that is needed is missing.
pub(crate) fn new(service: &Service, body: &[u8]) -> Result<NewAlert, ApiError> {
    let mut fields = object(body, &FIELDS)?;
    let kind = kind(&required(&mut fields, "when", &kind_rule())?)?;
    let name = name(&required(&mut fields, "name", &name_rule())?)?;
    let to = required(&mut fields, "to", TO_RULE)?;
    let (url, format) = target(service, &to)?;
    let [tracker, brand, scraper] = subject(&mut fields, kind)?;
    let threshold = match take(&mut fields, "threshold") {
        Some(given) => threshold(kind, &given)?,
        None => threshold(kind, &Value::Null)?,
    };
    let over = take(&mut fields, "over").map(|given| over(kind, &given)).transpose()?;
    let over = over.or(kind.is_tracked().then_some(AlertWindow::Runs(3)));
    let paused = take(&mut fields, "paused").map(|given| paused(&given)).transpose()?;
    let definition =
        AlertDefinition { name, kind, tracker, brand, scraper, threshold, over, url, format };
    Ok(NewAlert { definition, paused: paused.unwrap_or(false) })
}

/// Reads the body of `PATCH /alerts/{id}`, of an alert of this kind.
///
/// # Errors
/// Returns an error if a field breaks its rule, or cannot be changed.
pub(crate) fn change(
    service: &Service,
    body: &[u8],
    kind: AlertKind,
) -> Result<AlertChange, ApiError> {
    let mut fields = object(body, &CHANGEABLE)?;
    let mut taken = |name: &str| fields.remove(name);
    Ok(AlertChange {
        name: taken("name").map(|given| name(&given)).transpose()?,
        threshold: taken("threshold").map(|given| threshold(kind, &given)).transpose()?,
        over: taken("over").map(|given| over(kind, &given)).transpose()?,
        to: taken("to").map(|given| target(service, &given)).transpose()?,
        paused: taken("paused").map(|given| paused(&given)).transpose()?,
    })
}

/// Reads the fields of the body. Others are refused: a name with a typing error would be a limit
/// that is never reached.
fn object(body: &[u8], known: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        let rule = "The request's body must be a JSON object with the fields of an alert";
        ApiError::new(ErrorCode::BodyInvalid, format!("{rule}; given: {error}."))
    })?;
    let Some(other) = fields.keys().find(|name| !known.contains(&name.as_str())) else {
        return Ok(fields);
    };
    let named: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let named = named.join(", ");
    let sentence = if FIELDS.contains(&other.as_str()) {
        format!("Parameter `{other}` cannot be changed; {named} can. Make another alert.")
    } else {
        format!("An alert has no field {}; it has {named}.", quoted(other))
    };
    Err(ApiError::new(ErrorCode::AlertInvalid, sentence))
}

/// Takes a field that is neither left out nor null.
fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.remove(name).filter(|value| !value.is_null())
}

fn required(fields: &mut Map<String, Value>, name: &str, rule: &str) -> Result<Value, ApiError> {
    take(fields, name).ok_or_else(|| {
        ApiError::new(ErrorCode::AlertInvalid, format!("Parameter `{name}` is required: {rule}."))
    })
}

fn invalid(name: &str, rule: &str, given: &Value) -> ApiError {
    let given = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    ApiError::new(ErrorCode::AlertInvalid, broken_rule(name, rule, &given))
}

fn name_rule() -> String {
    format!("1 to {ALERT_NAME_CHARS_MAX} characters without control characters")
}

fn name(given: &Value) -> Result<String, ApiError> {
    let text = given.as_str().unwrap_or_default();
    let fits = (1..=ALERT_NAME_CHARS_MAX).contains(&text.chars().count());
    if fits && !text.trim().is_empty() && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(invalid("name", &name_rule(), given))
}

fn kind_rule() -> String {
    let words: Vec<String> =
        AlertKind::ALL.into_iter().map(|kind| format!("`{}`", kind.word())).collect();
    format!("one of {}", words.join(", "))
}

fn kind(given: &Value) -> Result<AlertKind, ApiError> {
    let found = given.as_str().and_then(AlertKind::parse);
    found.ok_or_else(|| invalid("when", &kind_rule(), given))
}

/// Reads `tracker`, `brand` and `scraper`, as far as they go with the condition.
fn subject(
    fields: &mut Map<String, Value>,
    kind: AlertKind,
) -> Result<[Option<String>; 3], ApiError> {
    let word = kind.word();
    let absent = format!("left out with `{word}`");
    let mut text = |name: &str, goes: bool| match take(fields, name) {
        Some(given) if !goes => Err(invalid(name, &absent, &given)),
        Some(given) => match given.as_str() {
            Some(text) if !text.is_empty() => Ok(Some(text.to_owned())),
            Some(_) | None => Err(invalid(name, "a text that is not empty", &given)),
        },
        None => Ok(None),
    };
    let tracker = text("tracker", kind.is_tracked())?;
    let brand = text("brand", kind.is_tracked())?;
    let scraper = text("scraper", kind != AlertKind::BudgetReached)?;
    let missing = |name: &str, rule: &str| {
        ApiError::new(
            ErrorCode::AlertInvalid,
            format!("Parameter `{name}` is required with `{word}`: {rule}."),
        )
    };
    if kind.is_tracked() && tracker.is_none() {
        return Err(missing("tracker", "the name of a tracker"));
    }
    if let Some(tracker) = tracker.as_ref().filter(|tracker| !is_tracker_name(tracker)) {
        let given = Value::String(tracker.clone());
        return Err(invalid("tracker", "the name of a tracker", &given));
    }
    if kind == AlertKind::ScraperUnhealthy && scraper.is_none() {
        return Err(missing("scraper", "a name from GET /scrapers"));
    }
    Ok([tracker, brand, scraper])
}

/// Reads the threshold of a condition; null is its default, where it has one.
fn threshold(kind: AlertKind, given: &Value) -> Result<Option<f64>, ApiError> {
    const SHARE_RULE: &str = "a share above 0 and below 1, such as 0.3";
    const USD_RULE: &str = "US dollars in a day, above 0 and at most 1000000, such as 5";
    let is_budget = kind == AlertKind::BudgetReached;
    if given.is_null() {
        return match kind {
            AlertKind::MentionRateBelow | AlertKind::MentionRateAbove => Err(ApiError::new(
                ErrorCode::AlertInvalid,
                format!("Parameter `threshold` is required with `{}`: {SHARE_RULE}.", kind.word()),
            )),
            AlertKind::DomainAppeared | AlertKind::DomainVanished => Ok(Some(DOMAIN_SHARE_DEFAULT)),
            AlertKind::ScraperUnhealthy => Ok(Some(SUCCESS_SHARE_DEFAULT)),
            AlertKind::BudgetReached => Ok(None),
        };
    }
    let (rule, most) = if is_budget { (USD_RULE, USD_MAX) } else { (SHARE_RULE, 1.0) };
    let number = given.as_f64().filter(|number| *number > 0.0 && *number <= most);
    // Nothing is below 0 or above 1, and a share of 1 can be a domain's or a scraper's.
    let is_rate = matches!(kind, AlertKind::MentionRateBelow | AlertKind::MentionRateAbove);
    let number = number.filter(|number| is_budget || !is_rate || *number < 1.0);
    number.map(Some).ok_or_else(|| invalid("threshold", rule, given))
}

fn over(kind: AlertKind, given: &Value) -> Result<AlertWindow, ApiError> {
    if !kind.is_tracked() {
        return Err(invalid("over", &format!("left out with `{}`", kind.word()), given));
    }
    let rule =
        format!("`1 runs` to `{RUNS_WATCHED_MAX} runs` or `1 days` to `{DAYS_WATCHED_MAX} days`");
    given.as_str().and_then(AlertWindow::parse).ok_or_else(|| invalid("over", &rule, given))
}

const TO_RULE: &str = "an object with `webhook`, an address, and `format`";

fn target(service: &Service, given: &Value) -> Result<(String, NoticeFormat), ApiError> {
    let Some(fields) = given.as_object() else { return Err(invalid("to", TO_RULE, given)) };
    if let Some(other) = fields.keys().find(|name| !matches!(name.as_str(), "webhook" | "format")) {
        let other = Value::String(other.clone());
        return Err(invalid("to", "an object with `webhook` and `format` alone", &other));
    }
    let format = match fields.get("format").filter(|format| !format.is_null()) {
        None => NoticeFormat::Standard,
        Some(given) => given
            .as_str()
            .and_then(NoticeFormat::parse)
            .ok_or_else(|| invalid("to.format", "`standard`, `slack` or `discord`", given))?,
    };
    let url = fields.get("webhook").cloned().unwrap_or(Value::Null);
    let Some(text) = url.as_str() else {
        return Err(invalid("to.webhook", "an http(s) address that notices are posted to", &url));
    };
    let url = service.check_alert_url(text);
    let url = url.map_err(|error| ApiError::new(ErrorCode::AlertInvalid, error.sentence))?;
    Ok((url, format))
}

fn paused(given: &Value) -> Result<bool, ApiError> {
    given.as_bool().ok_or_else(|| invalid("paused", "`true` or `false`", given))
}
