//! The messages of the Model Context Protocol: JSON-RPC 2.0, one in a request and one in its reply;
//! and the names that its revisions give to headers, fields and errors.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The revision in which every request stands alone.
pub const MCP_STATELESS: &str = "2026-07-28";
/// The revisions that begin with `initialize`, the newest first.
pub const MCP_WITH_HANDSHAKE: [&str; 2] = ["2025-11-25", "2025-06-18"];

/// The headers that repeat a message.
pub const MCP_VERSION_HEADER: &str = "mcp-protocol-version";
pub const MCP_METHOD_HEADER: &str = "mcp-method";
pub const MCP_NAME_HEADER: &str = "mcp-name";

/// The fields of `_meta` that a stateless request needs.
pub const MCP_VERSION_FIELD: &str = "io.modelcontextprotocol/protocolVersion";
pub const MCP_CAPABILITIES_FIELD: &str = "io.modelcontextprotocol/clientCapabilities";
/// The field of `_meta` in which a server names itself.
pub const MCP_SERVER_FIELD: &str = "io.modelcontextprotocol/serverInfo";

/// An error of JSON-RPC 2.0, section 5.1, or of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcCode {
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    HeaderMismatch,
    UnsupportedVersion,
}

impl RpcCode {
    pub const fn number(self) -> i32 {
        match self {
            RpcCode::ParseError => -32_700,
            RpcCode::InvalidRequest => -32_600,
            RpcCode::MethodNotFound => -32_601,
            RpcCode::InvalidParams => -32_602,
            RpcCode::InternalError => -32_603,
            RpcCode::HeaderMismatch => -32_020,
            RpcCode::UnsupportedVersion => -32_022,
        }
    }
}

/// A word of the client's own for a request, which its reply repeats.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MessageId {
    Number(Number),
    Text(String),
}

impl MessageId {
    /// Reads an id: text, or a whole number.
    pub fn read(json: &str) -> Option<MessageId> {
        let id = serde_json::from_str(json).ok()?;
        let is_broken = matches!(&id, MessageId::Number(number) if number.is_f64());
        (!is_broken).then_some(id)
    }
}

/// A reply to a message.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "McpReply", bound = "")]
pub struct RpcReply<R = Value> {
    #[schemars(schema_with = "version")]
    pub jsonrpc: Cow<'static, str>,
    /// The id of the request; null where it could not be read.
    #[schemars(schema_with = "id")]
    pub id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "result")]
    pub result: Option<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "error")]
    pub error: Option<RpcErrorView>,
}

/// The reason why a message was refused.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(inline)]
pub struct RpcErrorView {
    /// The number of JSON-RPC, or of the protocol.
    pub code: i32,
    /// What is wrong, as a sentence.
    pub message: String,
    /// The `code` of the error, or the versions that are supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "result")]
    pub data: Option<Value>,
}

impl<R> RpcReply<R> {
    /// Creates the reply to a request that succeeded.
    pub fn of(id: MessageId, result: R) -> RpcReply<R> {
        RpcReply { jsonrpc: JSON_RPC.into(), id: Some(id), result: Some(result), error: None }
    }

    /// Creates the reply to a message that was refused.
    pub fn refused(id: Option<MessageId>, error: RpcErrorView) -> RpcReply<R> {
        RpcReply { jsonrpc: JSON_RPC.into(), id, result: None, error: Some(error) }
    }
}

/// The version of JSON-RPC.
pub const JSON_RPC: &str = "2.0";

/// A message of a client, for the document: the service reads it piece by piece.
#[derive(JsonSchema)]
#[schemars(rename = "McpMessage")]
#[expect(dead_code, reason = "it is only a schema")]
pub struct RpcMessage {
    #[schemars(schema_with = "version")]
    jsonrpc: &'static str,
    #[schemars(schema_with = "request_id")]
    id: Option<MessageId>,
    /// `tools/call`, say.
    method: String,
    /// As the method has it.
    #[schemars(schema_with = "result")]
    params: Option<Value>,
}

fn version(_: &mut SchemaGenerator) -> Schema {
    let description = "The version of JSON-RPC.";
    json_schema!({ "type": "string", "enum": [JSON_RPC], "description": description })
}

fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "integer", "null"], "description": "That of the request." })
}

fn request_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "integer"], "description": "Of your own. A notification has none.",
    })
}

fn result(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

fn error(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<RpcErrorView>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_id_is_text_or_a_whole_number() {
        for (json, id) in [("\"a\"", true), ("0", true), ("-7", true), ("\"\"", true)] {
            assert_eq!(MessageId::read(json).is_some(), id, "{json}");
        }
        for json in ["null", "1.5", "[]", "{}", "true"] {
            assert_eq!(MessageId::read(json), None, "{json}");
        }
    }
}
