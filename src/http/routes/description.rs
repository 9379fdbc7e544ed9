//! What the OpenAPI document says of an operation: what it takes, what it answers, and its errors.

use serde_json::{Map, Value, json};

use crate::api::ErrorCode;
use crate::http::openapi::codes::{Codes, KEYED};
use crate::http::openapi::{errors, parameters, schemas};
use crate::http::request::call::Handler;
use crate::http::routes::{Operation, Route};

pub const JSON: &str = "application/json";
pub const HTML: &str = "text/html";
const EVENTS: &str = "text/event-stream";

/// An operation object in the making.
pub struct Description {
    operation: Value,
    takes_key: bool,
    codes: Vec<ErrorCode>,
    /// Whether its errors are pages too.
    error_pages: bool,
}

impl Description {
    fn new(route: &Route, operation: &Operation) -> Description {
        let takes_key = matches!(operation.handler, Handler::Keyed(_));
        let security = if takes_key {
            // One of the three; or none, where the operator has configured no keys.
            json!([{ "header": [] }, { "query": [] }, { "bearer": [] }, {}])
        } else {
            json!([])
        };
        let in_path = route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let mut taken: Vec<Value> = in_path.map(parameters::in_path).collect();
        taken.push(json!({ "$ref": "#/components/parameters/RequestId" }));
        let operation = json!({
            "operationId": "", "summary": "", "tags": [route.tag], "security": security,
            "parameters": taken, "responses": {},
        });
        Description { operation, takes_key, codes: Vec::new(), error_pages: false }
    }

    /// Sets its name for generated clients, and its summary.
    pub fn named(mut self, id: &str, summary: &str) -> Description {
        self.operation["operationId"] = id.into();
        self.operation["summary"] = summary.into();
        self
    }

    /// Sets its description.
    pub fn about(mut self, description: &str) -> Description {
        self.operation["description"] = description.into();
        self
    }

    /// Adds parameters, in front of those that every operation has.
    pub fn takes(mut self, parameters: impl IntoIterator<Item = Value>) -> Description {
        if let Some(own) = self.operation["parameters"].as_array_mut() {
            let every = own.pop();
            own.extend(parameters);
            own.extend(every);
        }
        self
    }

    /// Sets a JSON body with an example of it.
    pub fn takes_body(
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
    pub fn answers(mut self, status: &str, reply: Reply) -> Description {
        let mut headers = reply.headers;
        headers.push("X-Request-Id");
        if self.takes_key {
            headers.extend(["RateLimit-Policy", "RateLimit"]);
        }
        let mut response =
            json!({ "description": reply.description, "headers": header_references(&headers) });
        if !reply.content.is_empty() {
            response["content"] = reply.content.into();
        }
        self.operation["responses"][status] = response;
        self
    }

    /// Sets the codes that it can be refused with, beside those of any request and of keys.
    pub fn fails(mut self, codes: &[&[ErrorCode]]) -> Description {
        self.codes = errors::all_of(codes);
        self
    }

    /// Says that a browser gets its errors as pages.
    pub fn with_error_pages(mut self) -> Description {
        self.error_pages = true;
        self
    }

    fn finish(mut self) -> Value {
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

/// Returns the operation object of an operation that the document mentions.
pub fn of(route: &Route, operation: &Operation) -> Option<Value> {
    let describe = operation.description?;
    Some(describe(Description::new(route, operation)).finish())
}

/// A success of an operation.
pub struct Reply {
    description: &'static str,
    content: Map<String, Value>,
    headers: Vec<&'static str>,
}

impl Reply {
    /// Describes a reply without a body.
    pub fn empty(description: &'static str) -> Reply {
        Reply { description, content: Map::new(), headers: Vec::new() }
    }

    /// Describes a reply that is a JSON object of the schema with this name.
    pub fn json(description: &'static str, schema: &str, example: Value) -> Reply {
        Reply::of(description, JSON, schemas::of(schema), Some(example))
    }

    /// Describes a reply that is text of a media type.
    pub fn text(description: &'static str, media_type: &str, example: Option<&str>) -> Reply {
        let schema = json!({ "type": "string" });
        Reply::of(description, media_type, schema, example.map(Value::from))
    }

    /// Events as they happen. Without a schema: some readers would take it to be of the whole body, and
    /// others of each event.
    pub fn events(description: &'static str, example: Option<&str>) -> Reply {
        let content = example.map_or_else(|| json!({}), |example| json!({ "example": example }));
        let mut reply = Reply::empty(description);
        reply.content.insert(EVENTS.to_owned(), content);
        reply
    }

    pub fn of(
        description: &'static str,
        media_type: &str,
        schema: Value,
        example: Option<Value>,
    ) -> Reply {
        Reply::empty(description).or(media_type, schema, example)
    }

    /// Adds the same in another media type.
    pub fn or(mut self, media_type: &str, schema: Value, example: Option<Value>) -> Reply {
        let mut content = json!({ "schema": schema });
        if let Some(example) = example {
            content["example"] = example;
        }
        self.content.insert(media_type.to_owned(), content);
        self
    }

    /// Headers of it that [`headers`] describes.
    pub fn with(mut self, headers: &[&'static str]) -> Reply {
        self.headers.extend(headers);
        self
    }
}

/// References to some of [`headers`].
pub fn header_references(names: &[&str]) -> Value {
    let reference = |name: &&str| {
        let reference = json!({ "$ref": format!("#/components/headers/{name}") });
        ((*name).to_owned(), reference)
    };
    names.iter().map(reference).collect::<Map<String, Value>>().into()
}

/// Returns the headers of replies.
pub fn headers() -> Value {
    let header = |description: &str, schema: Value, example: &str| json!({ "description": description, "schema": schema, "example": example });
    let text = || json!({ "type": "string" });
    let seconds = json!({ "type": "integer", "minimum": 0 });
    let mut headers = json!({
        "Location": header("Where to poll.", text(), "/jobs/0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10"),
        "Retry-After": header("In how many seconds to come again; not there where nothing is awaited.", seconds, ""),
        "ETag": header("A strong tag that changes with every transition of the job.", text(), "\"0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10-3-0.1.0\""),
        "Idempotency-Replayed": header("Only there when the key came with the same request before: this is what it made then.", json!({ "type": "string", "enum": ["true"] }), "true"),
        "Allow": header("With 405: the methods that the path takes.", text(), "GET, DELETE"),
        "X-Request-Id": header("That of the request, if it is usable; otherwise a new UUID.", text(), "5b7f0a52-2f0e-4a3c-9c11-4f1d3c0a7e66"),
        "RateLimit-Policy": header("The key's limit `q` in a window of `w` seconds; not there without one (draft-ietf-httpapi-ratelimit-headers).", text(), "\"default\";q=600;w=60"),
        "RateLimit": header("How many submits are left, and in `t` seconds all are there again.", text(), "\"default\";r=598;t=1"),
    });
    headers["Retry-After"]["example"] = json!(2);
    headers
}
