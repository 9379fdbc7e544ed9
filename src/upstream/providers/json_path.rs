//! Tolerant steps through JSON whose shape is not ours to decide: what is missing, null or of
//! another type reads as empty.

use serde_json::Value;

use super::json_text;
use crate::job::VendorTask;

/// Returns the string under `key` as it is; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Returns the string under `key`, trimmed; `None` when it is empty.
pub(crate) fn named(value: &Value, key: &str) -> Option<String> {
    Some(text(value, key).trim()).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Returns the machine word under `key`, such as `max_output_tokens`; empty when there is none, or
/// when it is no such word: words go into sentences unchecked.
pub(crate) fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    const BYTES_MAX: usize = 64;
    let word = text(value, key);
    let sound = word.len() <= BYTES_MAX
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if sound { word } else { "" }
}

/// Returns the first of `keys` that holds a string which is not blank; empty when none does.
pub(crate) fn first_text<'a>(value: &'a Value, keys: &[&str]) -> &'a str {
    keys.iter().map(|key| text(value, key)).find(|text| !text.trim().is_empty()).unwrap_or_default()
}

/// Returns the array under `key`; empty when there is none.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns the strings of the array under `key` that are not blank, trimmed.
pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key)
        .iter()
        .filter_map(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Returns a string or a number as text: providers write ratings and codes both ways.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// Returns the name of a vendor's task under the first of `keys` that has one; `None` if it is not
/// fit for a path.
pub(crate) fn task_name(value: &Value, keys: &[&str]) -> Option<String> {
    let name = keys.iter().map(|key| scalar(&value[*key])).find(|name| !name.is_empty())?;
    VendorTask::new("", &name).map(|task| task.id)
}

/// Returns the queries in the arguments of a search tool, which come as an object or as JSON in a
/// string: `queries`, else `query`.
pub(crate) fn queries(arguments: &Value) -> Vec<String> {
    let Some(json) = arguments.as_str() else { return query_list(arguments) };
    let parsed = json_text::parse(json.as_bytes()).unwrap_or_default();
    if parsed.is_string() { Vec::new() } else { query_list(&parsed) }
}

/// Returns the queries in a list of them, each a string or an object that holds one.
pub(crate) fn query_list(value: &Value) -> Vec<String> {
    let mut queries = Vec::new();
    collect_queries(value, 0, &mut queries);
    queries
}

fn collect_queries(value: &Value, depth: usize, queries: &mut Vec<String>) {
    const DEPTH_MAX: usize = 4;
    if depth == DEPTH_MAX {
        return;
    }
    match value {
        Value::String(query) => {
            let query = query.trim();
            if !query.is_empty() {
                queries.push(query.to_owned());
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| collect_queries(item, depth + 1, queries));
        }
        Value::Object(_) => {
            let before = queries.len();
            for key in ["queries", "query", "q", "search_query", "text"] {
                if queries.len() == before {
                    collect_queries(&value[key], depth + 1, queries);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_reads_as_empty() {
        let value = json!({"a": null, "b": 7, "c": [" x ", "", 1, "y"], "d": " "});
        assert_eq!((text(&value, "a"), text(&value, "b"), text(&Value::Null, "a")), ("", "", ""));
        assert_eq!(first_text(&value, &["a", "d", "e"]), "");
        assert_eq!(word(&json!({"a": "max_tokens"}), "a"), "max_tokens");
        assert_eq!(word(&json!({"a": "a sentence"}), "a"), "");
        assert_eq!(texts(&value, "c"), ["x", "y"]);
        assert!(list(&value, "b").is_empty());
    }

    #[test]
    fn queries_are_read_from_objects_and_from_strings_of_json() {
        assert_eq!(queries(&json!({"query": "a", "queries": ["b", "c"]})), ["b", "c"]);
        assert_eq!(queries(&json!(r#"{"query": "a", "num_results": 5}"#)), ["a"]);
        assert_eq!(queries(&json!("not json")), Vec::<String>::new());
        assert_eq!(queries(&json!({"query": ""})), Vec::<String>::new());
        assert_eq!(queries(&json!(r#""not an object""#)), Vec::<String>::new());
        assert_eq!(queries(&json!(r#"{"query": "a \ud800"}"#)), ["a \u{fffd}"]);
    }

    #[test]
    fn task_names_are_fit_for_a_path() {
        let body = json!({"a": null, "b": 7352996936896485377u64, "c": "../x", "d": "s_1"});
        assert_eq!(task_name(&body, &["a", "b"]).as_deref(), Some("7352996936896485377"));
        assert_eq!(task_name(&body, &["d"]).as_deref(), Some("s_1"));
        assert_eq!((task_name(&body, &["c", "d"]), task_name(&body, &["a"])), (None, None));
    }

    #[test]
    fn queries_may_be_objects() {
        assert_eq!(
            queries(&json!({"queries": [{"query": "a"}, "b", {"q": " c "}, {}]})),
            ["a", "b", "c"]
        );
        assert_eq!(queries(&json!({"query": {"query": "a"}})), ["a"]);
        assert_eq!(queries(&json!(r#"[{"query": "a"}, {"search_query": "b"}]"#)), ["a", "b"]);
        assert_eq!(query_list(&json!(["a", {"text": "b"}, 7, null])), ["a", "b"]);
    }
}
