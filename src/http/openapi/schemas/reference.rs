//! References to the schemas of the document.

use serde_json::{Value, json};

/// Returns a reference to the schema with this name.
pub(crate) fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns one of several.
pub(crate) fn any_of(names: &[&str]) -> Value {
    json!({ "anyOf": names.iter().map(|name| of(name)).collect::<Vec<Value>>() })
}
