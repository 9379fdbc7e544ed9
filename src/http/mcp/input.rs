//! The input schemas of tools. Each property is the one of the API's own document, so that nothing
//! is declared twice.

use serde_json::{Map, Value, json};

use super::arguments::{WAIT_SECONDS_DEFAULT, WAIT_SECONDS_MAX};
use crate::http::openapi::{document, parameters};

/// The properties of a tool's arguments, and which of them it needs.
pub(crate) struct ToolInput {
    pub properties: Map<String, Value>,
    required: &'static [&'static str],
}

impl ToolInput {
    /// Takes no arguments.
    pub(crate) fn none() -> ToolInput {
        ToolInput { properties: Map::new(), required: &[] }
    }

    /// Takes the parameters of a waiting call that `names` lists.
    pub(crate) fn of_scrape(names: &[&str]) -> ToolInput {
        let all = parameters::waited_for();
        let named = |name: &&str| Some(((*name).to_owned(), all.get(*name)?.clone()));
        let properties = names.iter().filter_map(named).collect();
        ToolInput { properties, required: &[] }
    }

    /// Takes the fields of a body that the document describes under this name.
    pub(crate) fn of_body(schema: &str) -> ToolInput {
        let properties = &document().value["components"]["schemas"][schema]["properties"];
        ToolInput { properties: properties.as_object().cloned().unwrap_or_default(), required: &[] }
    }

    /// Takes the parameters of a query.
    pub(crate) fn of_query(parameters: Vec<Value>) -> ToolInput {
        let property = |mut parameter: Value| {
            let name = parameter["name"].as_str()?.to_owned();
            let mut schema = parameter["schema"].take();
            schema["description"] = parameter["description"].take();
            Some((name, schema))
        };
        ToolInput {
            properties: parameters.into_iter().filter_map(property).collect(),
            required: &[],
        }
    }

    /// Leaves parameters out.
    pub(crate) fn without(mut self, names: &[&str]) -> ToolInput {
        self.properties.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// Needs these.
    pub(crate) fn requires(self, required: &'static [&'static str]) -> ToolInput {
        ToolInput { required, ..self }
    }

    /// Takes the scraper to ask, before anything else.
    pub(crate) fn with_scraper(mut self) -> ToolInput {
        let scraper = json!({ "type": "string", "description": "The scraper to ask." });
        self.properties.shift_insert(0, "scraper".to_owned(), scraper);
        self
    }

    /// Takes a key that makes a repeated call the same one.
    pub(crate) fn with_idempotency_key(self) -> ToolInput {
        let mut key = parameters::idempotency_key()["schema"].take();
        key["description"] =
            "A key of your own for this call. The same key with the same arguments \
                              returns the same job, and costs nothing again."
                .into();
        self.with("idempotency_key", key)
    }

    /// Takes the id of a job or a batch.
    pub(crate) fn with_id(self, name: &str) -> ToolInput {
        let id = parameters::in_path(name);
        let mut schema = id["schema"].clone();
        schema["description"] = id["description"].clone();
        self.with(name, schema)
    }

    /// Takes how long to wait.
    pub(crate) fn with_wait(self, default_seconds: f64) -> ToolInput {
        let description = "The most seconds to wait for the end. The call returns what there is \
                           then, and the job goes on.";
        let wait = json!({
            "type": "number", "minimum": 0, "maximum": WAIT_SECONDS_MAX,
            "default": default_seconds, "description": description,
        });
        self.with("wait_seconds", wait)
    }

    /// Takes how long to wait, where waiting is what the tool is for.
    pub(crate) fn with_long_wait(self) -> ToolInput {
        self.with_wait(WAIT_SECONDS_DEFAULT)
    }

    fn with(mut self, name: &str, schema: Value) -> ToolInput {
        self.properties.insert(name.to_owned(), schema);
        self
    }

    /// Returns the JSON schema of the arguments, wherever they name a scraper with those that there
    /// are.
    pub(crate) fn schema(mut self, scrapers: &[&str]) -> Value {
        for name in ["scraper", "scrapers", "items"] {
            if let Some(property) = self.properties.get_mut(name) {
                name_scrapers(name, property, scrapers);
            }
        }
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

fn name_scrapers(name: &str, property: &mut Value, scrapers: &[&str]) {
    match name {
        "scrapers" => property["items"]["enum"] = json!(scrapers),
        "items" => {
            // Here, and not by a reference: not every client follows one.
            let mut item = document().value["components"]["schemas"]["NewItem"].clone();
            item["properties"]["scraper"]["enum"] = json!(scrapers);
            property["items"] = item;
        }
        _ => property["enum"] = json!(scrapers),
    }
}
