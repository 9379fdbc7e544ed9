//! The route of the Model Context Protocol.

use super::{Operation, post};
use crate::api::ErrorCode::*;
use crate::http::mcp;
use crate::http::openapi::codes::Codes;
use crate::http::openapi::{examples, schemas};
use crate::http::request::call::keyed;
use crate::http::routes::description::{JSON, Reply};

/// Of a body, but of one that ends early: the protocol has an error for that.
const BODY: Codes = &[BodyTimeout, BodyTooLarge, BodiesFull];

pub(super) fn operations() -> Vec<Operation> {
    vec![post("/mcp", keyed(mcp::post), |it| {
        // Beside a refusal of the protocol, what any request can be refused with.
        let refused = |about| {
            let either = schemas::any_of(&["McpReply", "Error"]);
            Reply::of(about, JSON, either, Some(examples::mcp_refusal()))
        };
        let example = examples::mcp_reply();
        let replied = Reply::json("The reply to the request.", "McpReply", example);
        it.named("sendMcpMessage", "Model Context Protocol: a message of an AI assistant")
            .about(
                "Stateless: JSON in reply to a request, and no sessions. Speaks 2026-07-28, \
                 2025-11-25 and 2025-06-18; the guide's page `mcp` has the tools.",
            )
            .takes_body(true, "A request or a notification.", "McpMessage", examples::mcp_message())
            .answers("200", replied)
            .answers("202", Reply::empty("The message is a notification."))
            .answers("400", refused("It cannot be read, or its revision is not supported."))
            .answers("404", refused("The stateless revision has no such method."))
            .fails(&[BODY])
    })]
}
