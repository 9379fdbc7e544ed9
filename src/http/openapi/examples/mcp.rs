//! Examples of messages of the Model Context Protocol.

use serde_json::{Value, json};

use super::PROMPT;

pub(crate) fn mcp_message() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "ask", "arguments": { "scraper": "practice", "prompt": PROMPT } },
    })
}

pub(crate) fn mcp_reply() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1,
        "result": {
            "content": [{ "type": "text", "text": "It is **Ruby 3.4** [1]." }],
            "structuredContent": super::done(), "isError": false,
        },
    })
}

pub(crate) fn mcp_refusal() -> Value {
    json!({
        "jsonrpc": "2.0", "id": null,
        "error": { "code": -32_600, "message": "`jsonrpc` must be \"2.0\"." },
    })
}
