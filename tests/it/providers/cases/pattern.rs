//! Values that are expected in part: what `expected.json` says of a request or a job.

use serde_json::Value;

/// Puts values in the place of their names in every string of a pattern.
pub(crate) fn fill(pattern: &mut Value, values: &[(&str, &str)]) {
    match pattern {
        Value::String(text) => {
            for (name, value) in values {
                *text = text.replace(name, value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The only field of an object that stands for exactly its value.
pub(crate) const WHOLE: &str = "=";

/// Returns where a value is not as expected, each place with both values. Of an object, the fields
/// that the pattern names must be as expected, and one that is expected as null may be missing; with
/// the one field `=`, it must have what that says and no more. A list must have as many items; all
/// else must be equal.
pub(crate) fn differences(pattern: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(pattern, value, String::new(), &mut found);
    found
}

fn compare(pattern: &Value, value: &Value, place: String, found: &mut Vec<String>) {
    match (pattern, value) {
        (Value::Object(fields), value) if fields.contains_key(WHOLE) => {
            if fields[WHOLE] != *value {
                found.push(format!("{place} is {value}, expected is exactly {}", fields[WHOLE]));
            }
        }
        (Value::Object(fields), Value::Object(_)) => {
            for (name, field) in fields {
                compare(field, &value[name], format!("{place}/{name}"), found);
            }
        }
        (Value::Array(expected), Value::Array(items)) if expected.len() == items.len() => {
            for (at, (expected, item)) in expected.iter().zip(items).enumerate() {
                compare(expected, item, format!("{place}/{at}"), found);
            }
        }
        (Value::Number(expected), Value::Number(number))
            if expected.as_f64() == number.as_f64() => {}
        (expected, value) if expected == value => {}
        (expected, value) => found.push(format!("{place} is {value}, expected is {expected}")),
    }
}

#[test]
fn pattern_names_each_place_that_differs() {
    let value = serde_json::json!({"a": [{"b": 1, "c": 2}], "d": 3.0, "e": "é", "f": [1, 2]});
    let differ = |pattern: &str| differences(&serde_json::from_str(pattern).unwrap(), &value);
    let none: [&str; 0] = [];
    assert_eq!(differ(r#"{"a": [{"b": 1}], "d": 3, "e": "é", "g": null}"#), none);
    assert_eq!(differ(r#"{"a": [{"b": 2}]}"#), ["/a/0/b is 1, expected is 2"]);
    assert_eq!(differ(r#"{"e": "e"}"#), ["/e is \"é\", expected is \"e\""]);
    assert_eq!(differ(r#"{"f": [1]}"#), ["/f is [1,2], expected is [1]"]);
    assert_eq!(differ(r#"{"g": {}, "f": null}"#).len(), 2);
    assert_eq!(differ(r#"{"a": [{"=": {"c": 2, "b": 1}}]}"#), none);
    let more = r#"/a/0 is {"b":1,"c":2}, expected is exactly {"b":1}"#;
    assert_eq!(differ(r#"{"a": [{"=": {"b": 1}}]}"#), [more]);
}
