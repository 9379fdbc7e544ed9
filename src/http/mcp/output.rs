//! The output schemas of tools: outlines of the API's own schemas, short because clients may give
//! the list of tools to a model.

use serde_json::{Map, Value, json};

use crate::http::openapi::document;

/// The form of what a tool returns: a schema of the document, and how much of it is outlined.
pub(crate) struct ToolOutput {
    schema: &'static str,
    /// Levels of fields and items; below them a value has its type alone.
    levels: usize,
    /// The tool to call while the end is not there.
    next_tool: Option<&'static str>,
}

pub(crate) const JOB: ToolOutput =
    ToolOutput { schema: "Job", levels: 2, next_tool: Some("wait_job") };
pub(crate) const JOBS: ToolOutput = ToolOutput { schema: "Jobs", levels: 3, next_tool: None };
pub(crate) const BATCH: ToolOutput =
    ToolOutput { schema: "Batch", levels: 3, next_tool: Some("get_batch") };
pub(crate) const RETRIED: ToolOutput = ToolOutput { schema: "Bulk", levels: 1, next_tool: None };
pub(crate) const SCRAPERS: ToolOutput =
    ToolOutput { schema: "Scrapers", levels: 3, next_tool: None };
pub(crate) const USAGE: ToolOutput = ToolOutput { schema: "Usage", levels: 2, next_tool: None };
pub(crate) const TRACKERS: ToolOutput =
    ToolOutput { schema: "Trackers", levels: 3, next_tool: None };
pub(crate) const REPORT: ToolOutput = ToolOutput { schema: "Report", levels: 3, next_tool: None };

impl ToolOutput {
    /// Returns the JSON schema of the structured content: of what the tool returns, or of an error
    /// in its place, since clients check that too.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = outline(named(self.schema), self.levels);
        let error = outline(named("Error"), 1);
        let required = schema["required"].take();
        let mut fields = schema["properties"].take();
        if let (Value::Object(fields), Value::Object(of_error)) =
            (&mut fields, &error["properties"])
        {
            for (name, field) in of_error {
                fields.entry(name).or_insert(field.clone());
            }
            fields.insert("retry_after_seconds".to_owned(), json!({ "type": "integer" }));
            if let Some(tool) = self.next_tool {
                let next = json!({ "type": "string", "enum": [tool] });
                fields.insert("next_tool".to_owned(), next);
            }
        }
        json!({
            "type": "object",
            "properties": fields,
            "anyOf": [{ "required": required }, { "required": error["required"] }],
        })
    }
}

/// Returns a schema of the document.
fn named(name: &str) -> &'static Value {
    &document().value["components"]["schemas"][name]
}

/// Returns a schema without its descriptions and bounds, and with no more than these levels. It
/// has no references: not every client follows one.
fn outline(schema: &Value, levels: usize) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return outline(named(reference.rsplit('/').next().unwrap_or_default()), levels);
    }
    let mut outlined = Map::new();
    let mut keep = |keyword: &str, value: Value| outlined.insert(keyword.to_owned(), value);
    for keyword in ["type", "enum"] {
        if let Some(value) = schema.get(keyword) {
            keep(keyword, value.clone());
        }
    }
    if let Some(any) = schema["anyOf"].as_array() {
        keep("anyOf", any.iter().map(|schema| outline(schema, levels)).collect());
    }
    let Some(below) = levels.checked_sub(1) else { return Value::Object(outlined) };
    if let Some(fields) = schema["properties"].as_object() {
        let fields = fields.iter().map(|(name, field)| (name.clone(), outline(field, below)));
        keep("properties", Value::Object(fields.collect()));
    }
    if let Some(required) = schema.get("required") {
        keep("required", required.clone());
    }
    if let Some(items) = schema.get("items") {
        keep("items", outline(items, below));
    }
    Value::Object(outlined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outline_has_the_fields_of_the_document_and_those_of_an_error() {
        let schema = JOB.schema();
        let whole = &named("Job")["properties"];
        for name in whole.as_object().unwrap().keys() {
            assert!(schema["properties"][name].is_object(), "{name}");
        }
        for name in ["detail", "code", "retry_after_seconds", "next_tool"] {
            assert!(schema["properties"][name].is_object(), "{name}");
        }
        let result = &schema["properties"]["result"];
        assert_eq!(result["properties"]["result_markdown"], json!({ "type": "string" }));
        assert_eq!(result["properties"]["provenance"], json!({ "type": "object" }));
        assert_eq!(schema["anyOf"][0]["required"], named("Job")["required"]);
        assert_eq!(schema["anyOf"][1]["required"], json!(["detail", "code"]));
    }
}
