//! Reads the messages of clients, in memory that follows from what is asked, and makes the replies.
//! Knows no tool.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::api::{
    JSON_RPC, MCP_CAPABILITIES_FIELD, MCP_VERSION_FIELD, MessageId, RpcCode, RpcErrorView, RpcReply,
};

/// A message that was read.
pub(crate) enum ClientMessage {
    Request(Request),
    /// Wants no reply; none of the protocol's changes anything here.
    Notification,
}

/// A request.
pub(crate) struct Request {
    pub id: MessageId,
    pub method: String,
    pub params: Params,
}

/// The parameters that a method may have, and what each request says of its client.
#[derive(Default)]
pub(crate) struct Params {
    /// The tool that `tools/call` names.
    pub name: Option<String>,
    pub arguments: Option<Box<RawValue>>,
    /// The revision that `initialize` proposes.
    pub proposed: Option<String>,
    /// The revision that a stateless request declares.
    pub declared: Option<String>,
    /// Whether a stateless request says what its client can do.
    pub has_capabilities: bool,
}

/// The reason why a message is refused, with the HTTP status of the reply.
#[derive(Debug)]
pub(crate) struct RpcRefusal {
    pub code: RpcCode,
    pub message: String,
    pub data: Option<Box<Value>>,
    pub status: u16,
}

impl RpcRefusal {
    /// Refuses what a request asks for; the HTTP exchange itself has succeeded.
    pub(crate) fn new(code: RpcCode, message: impl Into<String>) -> RpcRefusal {
        RpcRefusal { code, message: message.into(), data: None, status: 200 }
    }

    pub(crate) fn with_status(self, status: u16) -> RpcRefusal {
        RpcRefusal { status, ..self }
    }

    pub(crate) fn with_data(self, data: Value) -> RpcRefusal {
        RpcRefusal { data: Some(Box::new(data)), ..self }
    }

    /// Returns the reply to the request with this id.
    pub(crate) fn reply(self, id: Option<MessageId>) -> RpcReply {
        let RpcRefusal { code, message, data, .. } = self;
        let data = data.map(|data| *data);
        RpcReply::refused(id, RpcErrorView { code: code.number(), message, data })
    }
}

/// A refusal, and the id of its request where that could be read.
pub(crate) type RefusedMessage = (RpcRefusal, Option<MessageId>);

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    jsonrpc: Option<&'a str>,
    // Whether it is there tells a request from a notification, and null is no id.
    #[serde(borrow, default, deserialize_with = "given")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<String>,
    #[serde(borrow, default, deserialize_with = "given")]
    params: Option<&'a RawValue>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Default, Deserialize)]
struct RawParams<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Box<RawValue>>,
    #[serde(default, rename = "protocolVersion")]
    proposed: Option<String>,
    #[serde(borrow, default, rename = "_meta")]
    meta: RawMeta<'a>,
}

#[derive(Default, Deserialize)]
struct RawMeta<'a> {
    #[serde(default, rename = "io.modelcontextprotocol/protocolVersion")]
    declared: Option<String>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// Returns an error if it is not one JSON object that JSON-RPC 2.0 allows, or if its parameters
    /// have the wrong type.
    pub(crate) fn read(body: &[u8]) -> Result<ClientMessage, RefusedMessage> {
        // A list would be read as the fields of the object, one after the other.
        if body.trim_ascii_start().first() == Some(&b'[') {
            let what = "The body must be one JSON-RPC message; it is a list.";
            return Err((RpcRefusal::new(RpcCode::InvalidRequest, what).with_status(400), None));
        }
        let envelope: Envelope<'_> =
            serde_json::from_slice(body).map_err(|error| (unreadable(&error), None))?;
        let id = envelope.id.map(|id| MessageId::read(id.get()));
        let invalid = |what: &str| {
            let refusal = RpcRefusal::new(RpcCode::InvalidRequest, what).with_status(400);
            (refusal, id.clone().flatten())
        };
        if envelope.jsonrpc != Some(JSON_RPC) {
            return Err(invalid("`jsonrpc` must be \"2.0\"."));
        }
        let Some(method) = envelope.method else {
            return Err(invalid("`method` is required: a server takes requests and no replies."));
        };
        match id {
            None => Ok(ClientMessage::Notification),
            Some(None) => Err(invalid("`id` must be a string or a whole number.")),
            Some(Some(id)) => match Params::read(envelope.params) {
                Ok(params) => Ok(ClientMessage::Request(Request { id, method, params })),
                Err(refusal) => Err((refusal, Some(id))),
            },
        }
    }
}

fn unreadable(error: &serde_json::Error) -> RpcRefusal {
    let refusal = if error.is_data() {
        let what = format!("The body must be one JSON-RPC message, a JSON object: {error}.");
        RpcRefusal::new(RpcCode::InvalidRequest, what)
    } else {
        RpcRefusal::new(RpcCode::ParseError, format!("The body must be JSON: {error}."))
    };
    refusal.with_status(400)
}

impl Params {
    fn read(params: Option<&RawValue>) -> Result<Params, RpcRefusal> {
        let Some(params) = params else { return Ok(Params::default()) };
        let invalid = |why: &str| {
            let what = format!("`params` must be an object as the method has it: {why}.");
            RpcRefusal::new(RpcCode::InvalidParams, what).with_status(400)
        };
        if !params.get().starts_with('{') {
            return Err(invalid("it is none"));
        }
        let raw: RawParams<'_> =
            serde_json::from_str(params.get()).map_err(|error| invalid(&error.to_string()))?;
        let capabilities = raw.meta.capabilities.map(RawValue::get);
        Ok(Params {
            name: raw.name,
            arguments: raw.arguments,
            proposed: raw.proposed,
            declared: raw.meta.declared,
            has_capabilities: capabilities.is_some_and(|json| json.starts_with('{')),
        })
    }

    /// Returns the field of `_meta` that a stateless request lacks.
    pub(crate) fn missing_field(&self) -> Option<&'static str> {
        match (&self.declared, self.has_capabilities) {
            (None, _) => Some(MCP_VERSION_FIELD),
            (Some(_), false) => Some(MCP_CAPABILITIES_FIELD),
            (Some(_), true) => None,
        }
    }
}

/// Returns the first name of a JSON object that `is_known` does not know; `None` if there is none.
///
/// # Errors
/// Returns an error if it is not an object.
pub(crate) fn unknown_name(
    object: &RawValue,
    is_known: impl Fn(&str) -> bool,
) -> Result<Option<String>, serde_json::Error> {
    struct UnknownName<F>(F);

    impl<'de, F: Fn(&str) -> bool> Visitor<'de> for UnknownName<F> {
        type Value = Option<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
            let mut unknown = None;
            while let Some(name) = map.next_key::<String>()? {
                map.next_value::<IgnoredAny>()?;
                if unknown.is_none() && !(self.0)(&name) {
                    unknown = Some(name);
                }
            }
            Ok(unknown)
        }
    }
    serde_json::Deserializer::from_str(object.get()).deserialize_map(UnknownName(is_known))
}

/// The result of `tools/call`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolResult {
    content: [TextContent; 1],
    structured_content: Box<RawValue>,
    is_error: bool,
}

#[derive(Debug, Serialize)]
struct TextContent {
    r#type: &'static str,
    text: String,
}

impl ToolResult {
    pub(crate) fn new(
        text: String,
        structured_content: Box<RawValue>,
        is_error: bool,
    ) -> ToolResult {
        ToolResult { content: [TextContent { r#type: "text", text }], structured_content, is_error }
    }
}

/// The result of a method.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum MethodResult {
    Tool(ToolResult),
    Other(Map<String, Value>),
}

/// A result with what a stateless revision adds to each.
#[derive(Debug, Serialize)]
pub(crate) struct FramedResult {
    #[serde(rename = "resultType", skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(flatten)]
    result: MethodResult,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
}

impl FramedResult {
    /// Frames a result for a client of a revision with a handshake.
    pub(crate) fn plain(result: MethodResult) -> FramedResult {
        FramedResult { result_type: None, result, meta: None }
    }

    /// Frames a result for a client of the stateless revision.
    pub(crate) fn stateless(result: MethodResult, server: Value) -> FramedResult {
        let meta = json!({ crate::api::MCP_SERVER_FIELD: server });
        FramedResult { result_type: Some("complete"), result, meta: Some(meta) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Result<&'static str, (i32, bool)> {
        match ClientMessage::read(body.as_bytes()) {
            Ok(ClientMessage::Request(_)) => Ok("request"),
            Ok(ClientMessage::Notification) => Ok("notification"),
            Err((refusal, id)) => Err((refusal.code.number(), id.is_some())),
        }
    }

    #[test]
    fn message_is_a_request_or_a_notification() {
        for (body, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request"),
            (r#"{"method":"ping","id":"a","jsonrpc":"2.0","params":{}}"#, "request"),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "notification"),
        ] {
            assert_eq!(code(body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_refused_with_their_number() {
        for (body, expected) in [
            ("", (-32_700, false)),
            ("{", (-32_700, false)),
            ("[]", (-32_600, false)),
            ("\"a\"", (-32_600, false)),
            ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", (-32_600, false)),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, (-32_600, true)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, (-32_600, false)),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, (-32_600, false)),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, (-32_600, true)),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, (-32_600, false)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, (-32_602, true)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":1}}"#, (-32_602, true)),
        ] {
            assert_eq!(code(body), Err(expected), "{body}");
        }
    }

    #[test]
    fn unknown_name_is_the_first() {
        let unknown = |json: &str| {
            let json = RawValue::from_string(json.to_owned()).unwrap();
            unknown_name(&json, |name| name == "a")
        };
        assert_eq!(unknown(r#"{"a":[1,{"x":2}]}"#).unwrap(), None);
        assert_eq!(unknown(r#"{"a":1,"c":{"d":1},"b":2}"#).unwrap().as_deref(), Some("c"));
        assert!(unknown("[1]").is_err());
    }
}
