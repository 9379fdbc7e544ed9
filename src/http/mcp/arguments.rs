//! The arguments of a call, read as the parameters that they are elsewhere in the API, with the
//! same rules and the same sentences.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::message::unknown_name;
use crate::api::{ErrorCode, FieldType};
use crate::http::error::ApiError;
use crate::http::request::params::{self, Pairs, wrong_type};
use crate::http::request::{batch_request, json};
use crate::job::{BATCH_ITEMS_MAX, IDEMPOTENCY_KEY_CHARS_MAX, check_idempotency_key, quoted};

/// The longest that a call may wait, seconds: clients give up after 60, by default.
pub(crate) const WAIT_SECONDS_MAX: f64 = 55.0;
/// How long `ask` and `wait_job` wait where nothing else is asked for, seconds.
pub(crate) const WAIT_SECONDS_DEFAULT: f64 = 45.0;

/// The arguments of a call.
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Reads the arguments of a tool that takes those that `names` lists.
    ///
    /// # Errors
    /// Returns an error if they are no object, one is there twice, or the tool does not take one.
    pub(crate) fn read(
        json: Option<&RawValue>,
        tool: &str,
        names: &[String],
    ) -> Result<Arguments, ApiError> {
        let Some(json) = json else { return Ok(Arguments(Map::new())) };
        let is_known = |name: &str| names.iter().any(|known| known == name);
        let unknown = unknown_name(json, is_known).map_err(|error| {
            let given = quoted(&error.to_string());
            let sentence = format!("`arguments` must be an object; given: {given}.");
            ApiError::new(ErrorCode::ParameterInvalid, sentence)
        })?;
        if let Some(name) = unknown {
            // A misspelt one must not be passed over: the answer would be to another question.
            let taken = match names {
                [] => "it takes none".to_owned(),
                names => format!("it takes {}", names.join(", ")),
            };
            let sentence = format!("The tool `{tool}` has no argument {}; {taken}.", quoted(&name));
            return Err(ApiError::new(ErrorCode::ParameterInvalid, sentence));
        }
        json::object(json.get().as_bytes(), SHAPE, false).map(Arguments)
    }

    /// Takes a string.
    ///
    /// # Errors
    /// Returns an error if it is something else.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => params::json_string(name, value).map(Some),
        }
    }

    /// Takes a string that must be there.
    ///
    /// # Errors
    /// Returns an error if it is missing, or something else.
    pub(crate) fn required_text(
        &mut self,
        name: &str,
        code: ErrorCode,
    ) -> Result<String, ApiError> {
        let given = self.text(name)?;
        given.ok_or_else(|| ApiError::new(code, format!("Parameter `{name}` is required.")))
    }

    /// Takes how long to wait, milliseconds.
    ///
    /// # Errors
    /// Returns an error if it is no number of seconds, or out of its bounds.
    pub(crate) fn wait_ms(&mut self, default_seconds: f64) -> Result<u64, ApiError> {
        let name = "wait_seconds";
        let Some(value) = self.take(name) else { return Ok(milliseconds(default_seconds)) };
        let given = value.to_string();
        let rule = format!("0 to {WAIT_SECONDS_MAX} seconds");
        let seconds = f64::from_json(value).ok();
        let seconds = seconds.filter(|seconds| (0.0..=WAIT_SECONDS_MAX).contains(seconds));
        let invalid = || ApiError::invalid(ErrorCode::WaitInvalid, name, &rule, &given);
        seconds.map(milliseconds).ok_or_else(invalid)
    }

    /// Takes the idempotency key.
    ///
    /// # Errors
    /// Returns an error if it breaks its rule.
    pub(crate) fn idempotency_key(&mut self) -> Result<Option<String>, ApiError> {
        let name = "idempotency_key";
        let Some(key) = self.text(name)? else { return Ok(None) };
        let checked = check_idempotency_key(key.as_bytes()).map_err(|_| {
            let rule = format!("1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters");
            ApiError::invalid(ErrorCode::IdempotencyKeyInvalid, name, &rule, &key)
        });
        checked.map(Some)
    }

    /// Returns what is left as the fields of a body.
    pub(crate) fn into_fields(self) -> Map<String, Value> {
        self.0
    }

    /// Returns what is left as the parameters of a query.
    ///
    /// # Errors
    /// Returns an error if one is a list or an object.
    pub(crate) fn into_pairs(self) -> Result<Pairs, ApiError> {
        let given = self.0.into_iter().filter(|(_, value)| !value.is_null());
        given
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name, text)),
                Value::Bool(_) | Value::Number(_) | Value::Null => Ok((name, value.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    Err(wrong_type(&name, "a single value", &value.to_string()))
                }
            })
            .collect()
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

/// Arguments of every tool; which of them a tool takes is known before. The fields of the items of
/// a batch are parameters as elsewhere, and other ones are passed over there.
const SHAPE: json::Shape = json::Shape {
    has_field: |name| params::is_body_field(name) || OTHERS.contains(&name),
    lists: batch_request::LISTS,
    list_items_max: BATCH_ITEMS_MAX,
};

/// Arguments that are no parameters of a scrape. A test holds the tools to them.
pub(crate) const OTHERS: &[&str] = &[
    "wait_seconds",
    "idempotency_key",
    "job_id",
    "batch_id",
    "days",
    "tracker",
    "version",
    "since",
    "until",
    "by",
    "branded",
    "status",
    "search",
    "prompt_of",
    "account",
    "error_code",
    "canceled",
    "batch",
    "ids",
    "limit",
    "cursor",
    "dry_run",
    "pages",
    "top",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Arguments, ApiError> {
        let names = ["prompt", "wait_seconds", "idempotency_key", "limit", "status"];
        let json = RawValue::from_string(json.to_owned()).unwrap();
        Arguments::read(Some(&json), "ask", &names.map(str::to_owned))
    }

    fn detail<T>(outcome: Result<T, ApiError>) -> String {
        outcome.map_or_else(|error| error.detail, |_| "taken".to_owned())
    }

    #[test]
    fn unknown_argument_is_named_with_those_that_there_are() {
        let sentence = detail(read(r#"{"prompt":"a","contry":"DE"}"#));
        assert_eq!(
            sentence,
            "The tool `ask` has no argument `contry`; it takes prompt, wait_seconds, \
             idempotency_key, limit, status."
        );
        assert!(detail(read("[]")).starts_with("`arguments` must be an object"));
        assert!(detail(read(r#"{"prompt":"a","prompt":"b"}"#)).contains("`prompt`"));
    }

    #[test]
    fn wait_is_held_to_its_bounds() {
        let wait = |json: &str| read(json).unwrap().wait_ms(WAIT_SECONDS_DEFAULT);
        assert_eq!(wait("{}").unwrap(), 45_000);
        assert_eq!(wait(r#"{"wait_seconds":null}"#).unwrap(), 45_000);
        assert_eq!(wait(r#"{"wait_seconds":0.5}"#).unwrap(), 500);
        assert_eq!(wait(r#"{"wait_seconds":55}"#).unwrap(), 55_000);
        for wrong in ["56", "-1", "\"9\"", "[]"] {
            let sentence = detail(wait(&format!(r#"{{"wait_seconds":{wrong}}}"#)));
            assert!(sentence.starts_with("Parameter `wait_seconds` must be 0 to 55"), "{sentence}");
        }
    }

    #[test]
    fn idempotency_key_is_named_as_the_argument() {
        let key = |json: &str| read(json).unwrap().idempotency_key();
        assert_eq!(key(r#"{"idempotency_key":"a-1"}"#).unwrap().as_deref(), Some("a-1"));
        let sentence = detail(key(r#"{"idempotency_key":"a b"}"#));
        assert!(sentence.starts_with("Parameter `idempotency_key` must be 1 to 255"), "{sentence}");
    }

    #[test]
    fn pairs_are_single_values() {
        let pairs = |json: &str| read(json).unwrap().into_pairs();
        let given = pairs(r#"{"limit":5,"status":"done","prompt":null}"#).unwrap();
        let expected = [("limit", "5"), ("status", "done")];
        assert_eq!(given, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(detail(pairs(r#"{"limit":[5]}"#)).contains("`limit`"));
    }
}
