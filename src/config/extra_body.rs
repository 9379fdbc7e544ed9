//! `extra_body` of an upstream: what an operator adds to the JSON of every request. What answerd
//! decides itself is refused.

use serde_json::{Map, Number, Value};
use toml::Table;

use super::redaction::quoted;
use super::upstream_kind::UpstreamKind;

/// The fields of requests that answerd writes: what is asked, of which model, and how the reply
/// comes. Those of all protocols, whatever the kind: a gateway may speak several.
pub(super) const OWNED: [&str; 12] = [
    "contents",
    "conversation",
    "input",
    "keyword",
    "messages",
    "model",
    "n",
    "previous_response_id",
    "prompt",
    "stream",
    "stream_options",
    "user_prompt",
];
/// The deepest nesting.
const DEPTH_MAX: usize = 16;

/// Checks the fields to add, and returns them as JSON.
pub(super) fn check(
    section: &str,
    kind: UpstreamKind,
    typed: &Table,
    problems: &mut Vec<String>,
) -> Map<String, Value> {
    if typed.is_empty() {
        return Map::new();
    }
    if !kind.has_body() {
        problems.push(format!(
            "`extra_body` in [{section}] must be empty: requests of the kind `{}` have no body",
            kind.word()
        ));
        return Map::new();
    }
    for name in typed.keys().filter(|name| OWNED.contains(&name.as_str())) {
        problems.push(format!(
            "`extra_body` in [{section}] must not hold `{name}`, which answerd writes itself{}",
            if name == "model" { ": set `model`" } else { "" }
        ));
    }
    let fields = typed.iter().map(|(name, value)| Ok((name.clone(), json(value, 1)?)));
    let fields: Result<Map<String, Value>, String> = fields.collect();
    fields.unwrap_or_else(|why| {
        problems.push(format!("`extra_body` in [{section}] must be JSON: {why}"));
        Map::new()
    })
}

fn json(value: &toml::Value, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("it is nested deeper than {DEPTH_MAX}"));
    }
    Ok(match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(whole) => Value::Number((*whole).into()),
        toml::Value::Float(number) => Number::from_f64(*number)
            .map(Value::Number)
            .ok_or_else(|| format!("{} is no number there", quoted(&number.to_string())))?,
        toml::Value::Boolean(is) => Value::Bool(*is),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(list) => {
            list.iter().map(|item| json(item, depth + 1)).collect::<Result<_, _>>()?
        }
        toml::Value::Table(table) => {
            let fields =
                table.iter().map(|(name, value)| Ok((name.clone(), json(value, depth + 1)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
    })
}
