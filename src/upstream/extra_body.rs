//! Merging an operator's `extra_body` into the JSON of a request. The shared call over HTTP does it
//! for every body, last of all: adapters do nothing for it.

use serde_json::{Map, Value};

/// Lays `extra` over the body of a request: objects are merged by name, all else is replaced. A
/// body that is a list of tasks takes it in each of them.
pub fn merge_extra_body(body: &mut Value, extra: &Map<String, Value>) {
    match body {
        Value::Object(fields) => lay_over(fields, extra),
        Value::Array(tasks) => tasks.iter_mut().for_each(|task| merge_extra_body(task, extra)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
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
    fn extra_body_goes_into_every_task_of_a_list() {
        let tasks = json!([{"keyword": "a"}, {"keyword": "b", "depth": 1}]);
        let with = json!([{"keyword": "a", "depth": 2}, {"keyword": "b", "depth": 2}]);
        assert_eq!(merged(tasks, &json!({"depth": 2})), with);
        assert_eq!(merged(json!("text"), &json!({"depth": 2})), json!("text"));
    }
}
