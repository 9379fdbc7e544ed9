//! Reads parameters from a query string or a JSON body: strictly decoded, typed, not yet checked.
//! Their rules are in `job`.

use serde_json::{Map, Value};

use crate::api::{ErrorCode, FieldType, PARAMETERS, Parameter, WrongType};
use crate::http::error::ApiError;
use crate::http::request::json;
use crate::job::{RawRequest, quoted};

/// The names and values of a query string, in order.
pub type Pairs = Vec<(String, String)>;

/// Decodes a query string: `+` and `%20` are a space.
///
/// # Errors
/// Returns an error if a percent escape is malformed, or what it encodes is not UTF-8.
pub fn pairs(query: &str) -> Result<Pairs, ApiError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(encoded: &str) -> Result<String, ApiError> {
    let bytes = encoded.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => decoded.push(b' '),
            b'%' => {
                let escape = bytes.get(at + 1..at + 3).and_then(hex_byte).ok_or_else(|| {
                    let rest: String = encoded[at..].chars().take(3).collect();
                    ApiError::new(
                        ErrorCode::QueryInvalid,
                        format!(
                            "The query must be percent-encoded, `%` followed by two hexadecimal \
                             digits; given: {}.",
                            quoted(&rest)
                        ),
                    )
                })?;
                decoded.push(escape);
                at += 2;
            }
            byte => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).map_err(|error| {
        let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
        ApiError::new(
            ErrorCode::QueryInvalid,
            format!("The query must be UTF-8 when decoded; given: {}.", quoted(&lossy)),
        )
    })
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match digits {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    }
}

/// Reads the parameters of a scrape from a query string. Unknown ones are ignored.
///
/// # Errors
/// Returns an error if the query is malformed, or a parameter is there twice or has the wrong type.
pub fn from_query(query: &str) -> Result<RawRequest, ApiError> {
    from_pairs(pairs(query)?)
}

/// Reads the parameters of a scrape from a decoded query.
///
/// # Errors
/// Returns an error if a parameter is there twice, or has the wrong type.
pub fn from_pairs(pairs: Pairs) -> Result<RawRequest, ApiError> {
    let mut raw = RawRequest::default();
    for (name, value) in pairs {
        let Some(parameter) = Parameter::named(&name) else { continue };
        if parameter.set_text(&mut raw, value).map_err(|wrong| of_type(&name, &wrong))? {
            return Err(ApiError::repeated(&name, None));
        }
    }
    Ok(raw)
}

fn of_type(name: &str, WrongType { must_be, given }: &WrongType) -> ApiError {
    wrong_type(name, must_be, given)
}

/// Creates the error of a value that is not of the type that the rule names.
pub fn wrong_type(name: &str, rule: &str, given: &str) -> ApiError {
    ApiError::invalid(ErrorCode::ParameterInvalid, name, rule, given)
}

/// Returns whether a JSON body may have the field: a parameter, or the scraper of a batch or its
/// item.
pub fn is_body_field(name: &str) -> bool {
    name == "scraper" || Parameter::named(name).is_some()
}

const SHAPE: json::Shape = json::Shape { has_field: is_body_field, lists: &[], list_items_max: 0 };

/// Reads the parameters of a scrape from a JSON body; an empty body has none. Unknown ones are
/// ignored, and `null` is the same as absent.
///
/// # Errors
/// Returns an error if the body is not a JSON object, or if a parameter is there twice or has the
/// wrong type.
pub fn from_body(body: &[u8], sent_as_form: bool) -> Result<RawRequest, ApiError> {
    from_fields(json::object(body, SHAPE, sent_as_form)?)
}

/// Reads the parameters of a scrape among the fields of a JSON object.
///
/// # Errors
/// Returns an error if a parameter has the wrong type.
pub fn from_fields(fields: Map<String, Value>) -> Result<RawRequest, ApiError> {
    let mut raw = RawRequest::default();
    for (name, value) in fields {
        if let Some(parameter) = Parameter::named(&name).filter(|_| !value.is_null()) {
            parameter.set_json(&mut raw, value).map_err(|wrong| of_type(&name, &wrong))?;
        }
    }
    Ok(raw)
}

/// Reads a boolean in a query.
///
/// # Errors
/// Returns an error that names the parameter if the value is something else.
pub fn boolean(name: &str, value: String) -> Result<bool, ApiError> {
    bool::from_text(value).map_err(|wrong| of_type(name, &wrong))
}

/// Returns a string.
///
/// # Errors
/// Returns an error that names the parameter if the value is something else.
pub fn json_string(name: &str, value: Value) -> Result<String, ApiError> {
    String::from_json(value).map_err(|wrong| of_type(name, &wrong))
}

/// Merges the parameters of the query with those of the body. The same value in both is no
/// conflict: generated clients may send a parameter wherever the document has it.
///
/// # Errors
/// Returns an error if a parameter stands in both with different values.
pub fn together(mut query: RawRequest, mut body: RawRequest) -> Result<RawRequest, ApiError> {
    for parameter in PARAMETERS {
        if parameter.conflicts(&query, &body) {
            let name = parameter.name;
            return Err(ApiError::new(
                ErrorCode::ParameterConflict,
                format!(
                    "Parameter `{name}` must have one value; the query and the body have \
                     different ones."
                ),
            ));
        }
        parameter.take(&mut query, &mut body);
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::fuzz;

    fn code(outcome: Result<RawRequest, ApiError>) -> &'static str {
        outcome.map_or_else(|error| error.code.code(), |_| "ok")
    }

    #[test]
    fn both_forms_of_a_space_and_every_boolean_are_read() {
        let raw = from_query("prompt=a+b%20c%2B&bypass_cache=True&web_search=0&timeout=60.0&x=y");
        let expected = RawRequest {
            prompt: Some("a b c+".to_owned()),
            bypass_cache: Some(true),
            web_search: Some(false),
            timeout: Some(60.0),
            ..RawRequest::default()
        };
        assert_eq!(raw.unwrap(), expected);
    }

    #[test]
    fn malformed_queries_are_refused() {
        for (query, expected) in [
            ("prompt=%", "query_invalid"),
            ("prompt=%4", "query_invalid"),
            ("prompt=%zz", "query_invalid"),
            ("prompt=%ff", "query_invalid"),
            ("other=%e4", "query_invalid"),
            ("prompt=a&prompt=b", "parameter_repeated"),
            ("bypass_cache=yes", "parameter_invalid"),
            ("bypass_cache=TRUE", "parameter_invalid"),
            ("timeout=soon", "parameter_invalid"),
            ("timeout=", "parameter_invalid"),
            ("", "ok"),
            ("&&=&a", "ok"),
        ] {
            assert_eq!(code(from_query(query)), expected, "{query}");
        }
    }

    #[test]
    fn bodies_are_objects_with_typed_fields() {
        for (body, expected) in [
            (r#"{"prompt":"x","timeout":60,"bypass_cache":true,"mode":null}"#, "ok"),
            ("", "ok"),
            (" \n", "ok"),
            ("[]", "body_invalid"),
            ("{", "body_invalid"),
            ("prompt=x", "body_invalid"),
            (r#"{"prompt":1}"#, "parameter_invalid"),
            (r#"{"timeout":"60"}"#, "parameter_invalid"),
            (r#"{"web_search":"true"}"#, "parameter_invalid"),
            (r#"{"prompt":"a","prompt":"b"}"#, "parameter_repeated"),
            (r#"{"prompt":"a","country":null,"\u0063ountry":"DE"}"#, "parameter_repeated"),
        ] {
            assert_eq!(code(from_body(body.as_bytes(), false)), expected, "{body}");
        }
        assert_eq!(code(from_body(b"{\"prompt\":\"\xff\"}", false)), "body_invalid");
    }

    /// What is refused is refused in a sentence of bounded length, and what is read keeps the
    /// rules.
    fn read_or_refused(outcome: Result<RawRequest, ApiError>) {
        match outcome.map(|raw| raw.check("practice", &[])) {
            Err(error) => assert!(
                error.code.status() < 500 && (1..2_000).contains(&error.detail.len()),
                "{error:?}"
            ),
            Ok(Err(invalid)) => {
                assert!((1..2_000).contains(&invalid.sentence.len()), "{invalid:?}");
            }
            Ok(Ok(request)) => {
                assert!((1..=4_000).contains(&request.prompt.chars().count()));
                assert!((10_000..=600_000).contains(&request.timeout_ms));
                assert!(!request.prompt.contains('\0') && !request.prompt.trim().is_empty());
            }
        }
    }

    #[test]
    fn fuzzed_queries_are_read_or_refused() {
        let examples = [
            "prompt=a+b%20c%2B&bypass_cache=True&web_search=0&timeout=60.0&country=de",
            "prompt=%F0%9F%A6%80&label=x&start_within=60&samples=3&mode=fast&markdown_json=1",
            "prompt=x&webhook_url=https%3A%2F%2Fa.example%2Fhook&api_key=k",
        ];
        fuzz::text("query", &examples, |query| read_or_refused(from_query(query)));
    }

    #[test]
    fn fuzzed_bodies_are_read_or_refused() {
        let examples = [
            r#"{"prompt":"a b","bypass_cache":true,"web_search":false,"timeout":60.5,"country":"DE"}"#,
            r#"{"prompt":"\ud83e\udd80","label":"x","start_within":60,"samples":3,"mode":null}"#,
            r#"{"prompt":"x","webhook_url":"https://a.example/hook","other":[{"a":[1e3]}]}"#,
        ];
        fuzz::bytes("body", &examples, |body| read_or_refused(from_body(body, false)));
    }

    #[test]
    fn only_different_values_in_query_and_body_are_a_conflict() {
        let one = || from_query("country=DE&timeout=60").unwrap();
        assert_eq!(together(one(), one()).unwrap(), one());
        let same = from_body(br#"{"country":"DE","timeout":60.0}"#, false).unwrap();
        assert_eq!(together(one(), same).unwrap(), one());
        let lower = from_body(br#"{"country":"de"}"#, false).unwrap();
        assert_eq!(together(one(), lower).unwrap(), one());
        for other in [r#"{"country":"US"}"#, r#"{"timeout":61}"#] {
            let other = from_body(other.as_bytes(), false).unwrap();
            assert_eq!(code(together(one(), other)), "parameter_conflict");
        }
        let body = from_body(br#"{"prompt":"x"}"#, false).unwrap();
        assert_eq!(together(one(), body).unwrap().prompt.as_deref(), Some("x"));
    }

    proptest! {
        #[test]
        fn any_query_and_any_body_is_read_or_refused(query: String, body: Vec<u8>) {
            let _ = from_query(&query);
            let _ = from_body(&body, false);
        }
    }
}
