//! What the OpenAPI document says of an operation: what it takes, what it answers, and its errors.

use serde_json::{Map, Value, json};

use crate::api::ErrorCode;
use crate::http::openapi::codes::{Codes, KEYED};
use crate::http::openapi::headers::references;
use crate::http::openapi::{errors, parameters, schemas};
use crate::http::request::path::PathPattern;

pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html";
const EVENTS: &str = "text/event-stream";

/// An operation object in the making.
pub(crate) struct Description {
    operation: Value,
    takes_key: bool,
    codes: Vec<ErrorCode>,
    /// Whether its errors are pages too.
    error_pages: bool,
}

impl Description {
    pub(crate) fn new(path: &PathPattern, tag: &str, takes_key: bool) -> Description {
        let security = if takes_key {
            // One of the three; or none, where the operator has configured no keys.
            json!([{ "header": [] }, { "query": [] }, { "bearer": [] }, {}])
        } else {
            json!([])
        };
        let mut taken: Vec<Value> = path.parameters().map(parameters::in_path).collect();
        taken.push(json!({ "$ref": "#/components/parameters/RequestId" }));
        let operation = json!({
            "operationId": "", "summary": "", "tags": [tag], "security": security,
            "parameters": taken, "responses": {},
        });
        Description { operation, takes_key, codes: Vec::new(), error_pages: false }
    }

    /// Sets its name for generated clients, and its summary.
    pub(crate) fn named(mut self, id: &str, summary: &str) -> Description {
        self.operation["operationId"] = id.into();
        self.operation["summary"] = summary.into();
        self
    }

    /// Sets its description.
    pub(crate) fn about(mut self, description: &str) -> Description {
        self.operation["description"] = description.into();
        self
    }

    /// Adds parameters, in front of those that every operation has.
    pub(crate) fn takes(mut self, parameters: impl IntoIterator<Item = Value>) -> Description {
        if let Some(own) = self.operation["parameters"].as_array_mut() {
            let every = own.pop();
            own.extend(parameters);
            own.extend(every);
        }
        self
    }

    /// Sets a JSON body with an example of it.
    pub(crate) fn takes_body(
        mut self,
        required: bool,
        description: &str,
        schema: &str,
        example: Value,
    ) -> Description {
        self.operation["requestBody"] = json!({
            "required": required, "description": description,
            "content": { JSON: { "schema": schemas::of(schema), "example": example } },
        });
        self
    }

    /// Adds a success.
    pub(crate) fn answers(mut self, status: &str, reply: Reply) -> Description {
        let mut headers = reply.headers;
        headers.push("X-Request-Id");
        if self.takes_key && status.starts_with('2') {
            headers.extend(["RateLimit-Policy", "RateLimit"]);
        }
        let mut response =
            json!({ "description": reply.description, "headers": references(&headers) });
        if !reply.content.is_empty() {
            response["content"] = reply.content.into();
        }
        self.operation["responses"][status] = response;
        self
    }

    /// Sets the codes that it can be refused with, beside those of any request and of keys.
    pub(crate) fn fails(mut self, codes: &[&[ErrorCode]]) -> Description {
        self.codes = errors::all_of(codes);
        self
    }

    /// Says that a browser gets its errors as pages.
    pub(crate) fn with_error_pages(mut self) -> Description {
        self.error_pages = true;
        self
    }

    /// Returns the operation object.
    pub(crate) fn finish(mut self) -> Value {
        let keyed: Codes = if self.takes_key { KEYED } else { &[] };
        let codes = errors::all_of(&[keyed, &self.codes]);
        for (status, mut response) in errors::responses(&codes) {
            if self.error_pages {
                response["content"][HTML] = json!({ "schema": { "type": "string" } });
            }
            self.operation["responses"][status] = response;
        }
        self.operation["responses"]["default"] = json!({ "$ref": "#/components/responses/Any" });
        self.operation
    }
}

/// A success of an operation.
pub(crate) struct Reply {
    description: &'static str,
    content: Map<String, Value>,
    headers: Vec<&'static str>,
}

impl Reply {
    /// Describes a reply without a body.
    pub(crate) fn empty(description: &'static str) -> Reply {
        Reply { description, content: Map::new(), headers: Vec::new() }
    }

    /// Describes a reply that is a JSON object of the schema with this name.
    pub(crate) fn json(description: &'static str, schema: &str, example: Value) -> Reply {
        Reply::of(description, JSON, schemas::of(schema), Some(example))
    }

    /// Describes a reply that is text of a media type.
    pub(crate) fn text(
        description: &'static str,
        media_type: &str,
        example: Option<&str>,
    ) -> Reply {
        let schema = json!({ "type": "string" });
        Reply::of(description, media_type, schema, example.map(Value::from))
    }

    /// Events as they happen. Without a schema: some readers would take it to be of the whole body,
    /// and others of each event.
    pub(crate) fn events(description: &'static str, example: Option<&str>) -> Reply {
        let content = example.map_or_else(|| json!({}), |example| json!({ "example": example }));
        let mut reply = Reply::empty(description);
        reply.content.insert(EVENTS.to_owned(), content);
        reply
    }

    pub(crate) fn of(
        description: &'static str,
        media_type: &str,
        schema: Value,
        example: Option<Value>,
    ) -> Reply {
        Reply::empty(description).or(media_type, schema, example)
    }

    /// Adds the same in another media type.
    pub(crate) fn or(mut self, media_type: &str, schema: Value, example: Option<Value>) -> Reply {
        let mut content = json!({ "schema": schema });
        if let Some(example) = example {
            content["example"] = example;
        }
        self.content.insert(media_type.to_owned(), content);
        self
    }

    /// Headers of it that `openapi/headers.rs` describes.
    pub(crate) fn with(mut self, headers: &[&'static str]) -> Reply {
        self.headers.extend(headers);
        self
    }
}
