//! Merging an operator's `extra_body` into the JSON of a request. The shared call over HTTP does it
//! for every body, last of all: adapters do nothing for it. What searches in it is left out of a
//! request that wants no search.

use serde_json::{Map, Value};

/// Lays `extra` over the body of a request: objects are merged by name, all else is replaced. A
/// body that is a list of tasks takes it in each of them.
pub(crate) fn merge_extra_body(body: &mut Value, extra: &Map<String, Value>) {
    match body {
        Value::Object(fields) => lay_over(fields, extra),
        Value::Array(tasks) => tasks.iter_mut().for_each(|task| merge_extra_body(task, extra)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns what is left of an `extra_body` for a request that wants no search: without fields whose
/// names speak of a search, unless they switch one off, and without the tools and plugins that
/// search. A `tool_choice` goes with the last tool.
pub(crate) fn without_search(extra: &Map<String, Value>) -> Map<String, Value> {
    let mut left = extra.clone();
    left.retain(|name, _| !speaks_of_search(name) || name.starts_with("disable"));
    let mut is_emptied = false;
    for list in ["tools", "plugins"] {
        let Some(Value::Array(items)) = left.get_mut(list) else { continue };
        let before = items.len();
        items.retain(|item| !searches(item));
        if items.len() < before && items.is_empty() {
            left.remove(list);
            is_emptied |= list == "tools";
        }
    }
    let chosen = left.get("tool_choice");
    if is_emptied || chosen.is_some_and(searches) {
        left.remove("tool_choice");
    }
    left
}

/// Returns whether a tool or plugin searches, by its type, name or id, or by the name of the field
/// that it is (`{"google_search": {}}`).
fn searches(item: &Value) -> bool {
    let words = ["type", "name", "id"].into_iter().filter_map(|key| item[key].as_str());
    let is_named = |word: &str| speaks_of_search(word) || word == "web";
    words.into_iter().any(is_named)
        || item.as_object().is_some_and(|fields| fields.keys().any(|name| speaks_of_search(name)))
}

fn speaks_of_search(word: &str) -> bool {
    word.to_ascii_lowercase().contains("search")
}

fn lay_over(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Object(base)), Value::Object(over)) => lay_over(base, over),
            (_, value) => drop(base.insert(name.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut body: Value, extra: &Value) -> Value {
        merge_extra_body(&mut body, extra.as_object().unwrap());
        body
    }

    #[test]
    fn extra_body_goes_over_objects_and_replaces_lists() {
        let body = json!({"model": "m", "tools": [{"type": "web_search"}],
            "reasoning": {"effort": "low", "summary": null}});
        let extra = json!({"tools": [{"type": "openrouter:web_search"}],
            "reasoning": {"effort": "high"}, "text": {"verbosity": "low"}});
        assert_eq!(
            merged(body.clone(), &extra),
            json!({"model": "m", "tools": [{"type": "openrouter:web_search"}],
                "reasoning": {"effort": "high", "summary": null}, "text": {"verbosity": "low"}})
        );
        assert_eq!(merged(body.clone(), &json!({})), body);
    }

    #[test]
    fn nothing_that_searches_is_left_without_a_search() {
        let left = |extra: Value| Value::Object(without_search(extra.as_object().unwrap()));
        let code = json!({"type": "code_interpreter", "container": {"type": "auto"}});
        for search in [
            json!({"type": "openrouter:web_search"}),
            json!({"type": "web_search_20250305", "name": "web_search"}),
            json!({"google_search": {}}),
            json!({"type": "x_search"}),
            json!({"type": "browser_search"}),
        ] {
            let both = json!({"tools": [search, code], "tool_choice": "auto", "seed": 1});
            let expected = json!({"tools": [code], "tool_choice": "auto", "seed": 1});
            assert_eq!(left(both), expected, "{search}");
            let alone = json!({"tools": [search], "tool_choice": "required", "seed": 1});
            assert_eq!(left(alone), json!({"seed": 1}), "{search}");
        }
        let fields = json!({"web_search_options": {}, "search_parameters": {"mode": "on"},
            "disable_search": true, "plugins": [{"id": "web"}, {"id": "file-parser"}],
            "tool_choice": {"type": "web_search"}});
        let expected = json!({"disable_search": true, "plugins": [{"id": "file-parser"}]});
        assert_eq!(left(fields), expected);
    }

    #[test]
    fn extra_body_goes_into_every_task_of_a_list() {
        let tasks = json!([{"keyword": "a"}, {"keyword": "b", "depth": 1}]);
        let with = json!([{"keyword": "a", "depth": 2}, {"keyword": "b", "depth": 2}]);
        assert_eq!(merged(tasks, &json!({"depth": 2})), with);
        assert_eq!(merged(json!("text"), &json!({"depth": 2})), json!("text"));
    }
}
