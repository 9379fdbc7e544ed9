//! Which revision of the protocol a request speaks, and whether its headers say what its body does.

use actix_web::http::header::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::message::{Request, RpcRefusal};
use crate::api::{
    MCP_METHOD_HEADER, MCP_NAME_HEADER, MCP_STATELESS, MCP_VERSION_HEADER, MCP_WITH_HANDSHAKE,
    RpcCode,
};
use crate::job::quoted;

/// The kind of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// A client has called `initialize` before. Nothing is kept of that.
    WithHandshake,
    /// Every request says what is to be known of its client (2026-07-28).
    Stateless,
}

/// Returns the revision that a request speaks.
///
/// # Errors
/// Returns an error if the revision is not supported, or, in a stateless one, if a field or a
/// header is missing, or a header contradicts the body.
pub(crate) fn of(headers: &HeaderMap, request: &Request) -> Result<Revision, RpcRefusal> {
    let version = headers.get(MCP_VERSION_HEADER).map(text);
    let declared = request.params.declared.as_deref();
    match (version.as_deref(), declared) {
        // A bridge that is older than this revision sends no header. The client behind it learns
        // from an unknown method, and from nothing else, that it has to call `initialize`.
        (None, Some(_)) if request.method == DISCOVER => Ok(Revision::WithHandshake),
        (None, None) => Ok(Revision::WithHandshake),
        // It proposes its revision in its parameters.
        (Some(_), None) if request.method == INITIALIZE => Ok(Revision::WithHandshake),
        (Some(version), None) if MCP_WITH_HANDSHAKE.contains(&version) => {
            Ok(Revision::WithHandshake)
        }
        (Some(MCP_STATELESS), None) => Err(missing_field(request)),
        (Some(version), None) => Err(unsupported(version)),
        (version, Some(declared)) => {
            check_header(MCP_VERSION_HEADER, version, declared)?;
            if declared != MCP_STATELESS {
                return Err(unsupported(declared));
            }
            if !request.params.has_capabilities {
                return Err(missing_field(request));
            }
            let method = headers.get(MCP_METHOD_HEADER).map(text);
            check_header(MCP_METHOD_HEADER, method.as_deref(), &request.method)?;
            if let (CALL, Some(name)) = (request.method.as_str(), &request.params.name) {
                let header = headers.get(MCP_NAME_HEADER).map(decoded);
                check_header(MCP_NAME_HEADER, header.as_deref(), name)?;
            }
            Ok(Revision::Stateless)
        }
    }
}

/// The methods that are named here and where they are answered.
pub(crate) const INITIALIZE: &str = "initialize";
pub(crate) const DISCOVER: &str = "server/discover";
pub(crate) const CALL: &str = "tools/call";

/// Returns the revision to speak with a client that proposes one in `initialize`.
pub(crate) fn agreed(proposed: Option<&str>) -> &'static str {
    let [newest, ..] = MCP_WITH_HANDSHAKE;
    MCP_WITH_HANDSHAKE.into_iter().find(|known| Some(*known) == proposed).unwrap_or(newest)
}

/// Returns every revision that is supported, the newest first.
pub(crate) fn supported() -> impl Iterator<Item = &'static str> {
    std::iter::once(MCP_STATELESS).chain(MCP_WITH_HANDSHAKE)
}

fn unsupported(requested: &str) -> RpcRefusal {
    let supported: Vec<&str> = supported().collect();
    let what = format!(
        "The protocol version {} is not supported; these are: {}.",
        quoted(requested),
        supported.join(", ")
    );
    RpcRefusal::new(RpcCode::UnsupportedVersion, what)
        .with_status(400)
        .with_data(json!({ "supported": supported, "requested": requested }))
}

fn missing_field(request: &Request) -> RpcRefusal {
    let field = request.params.missing_field().unwrap_or_default();
    let what = format!("`params._meta` must have the field `{field}`.");
    RpcRefusal::new(RpcCode::InvalidParams, what).with_status(400)
}

fn check_header(name: &str, header: Option<&str>, body: &str) -> Result<(), RpcRefusal> {
    let what = match header {
        Some(header) if header == body => return Ok(()),
        Some(header) => {
            format!("is {}, and the body has {}", quoted(header), quoted(body))
        }
        None => format!("is missing; the body has {}", quoted(body)),
    };
    let what = format!("Header mismatch: `{name}` {what}.");
    Err(RpcRefusal::new(RpcCode::HeaderMismatch, what).with_status(400))
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).trim().to_owned()
}

/// Returns the value of a header that may be in base64, between `=?base64?` and `?=`.
fn decoded(value: &HeaderValue) -> String {
    let text = text(value);
    let encoded = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::super::message::ClientMessage;
    use super::*;

    fn request(method: &str, params: &str) -> Request {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        match ClientMessage::read(body.as_bytes()).unwrap() {
            ClientMessage::Request(request) => request,
            ClientMessage::Notification => panic!("it has an id"),
        }
    }

    fn revision(method: &str, params: &str, headers: &[(&str, &str)]) -> Result<Revision, i32> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        of(&map, &request(method, params)).map_err(|refusal| {
            assert_eq!(refusal.status, 400, "{}", refusal.message);
            refusal.code.number()
        })
    }

    const VERSION: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{}}"#;

    #[test]
    fn revision_with_a_handshake_needs_no_header() {
        let handshake = Ok(Revision::WithHandshake);
        assert_eq!(revision("tools/list", "{}", &[]), handshake);
        for version in MCP_WITH_HANDSHAKE {
            let header = [("mcp-protocol-version", version)];
            assert_eq!(revision("tools/list", "{}", &header), handshake);
        }
        let old = [("mcp-protocol-version", "2024-11-05")];
        assert_eq!(revision("tools/list", "{}", &old), Err(-32_022));
        assert_eq!(revision("initialize", "{}", &old), handshake);
        assert_eq!(revision("server/discover", &format!("{{{META}}}"), &[]), handshake);
    }

    #[test]
    fn stateless_request_repeats_itself_in_its_headers() {
        let params = format!("{{{META}}}");
        let method = ("mcp-method", "tools/list");
        let list = |headers: &[(&str, &str)]| revision("tools/list", &params, headers);
        assert_eq!(list(&[VERSION, method]), Ok(Revision::Stateless));
        assert_eq!(list(&[method]), Err(-32_020));
        assert_eq!(list(&[VERSION]), Err(-32_020));
        assert_eq!(list(&[("mcp-protocol-version", "2025-11-25"), method]), Err(-32_020));
        assert_eq!(list(&[VERSION, ("mcp-method", "tools/call")]), Err(-32_020));
        assert_eq!(revision("tools/list", "{}", &[VERSION, method]), Err(-32_602));
        let bare = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        assert_eq!(revision("tools/list", bare, &[VERSION, method]), Err(-32_602));
        let later = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2030-01-01"}}"#;
        let header = [("mcp-protocol-version", "2030-01-01")];
        assert_eq!(revision("tools/list", later, &header), Err(-32_022));
    }

    #[test]
    fn name_of_a_tool_may_be_in_base64() {
        let params = format!(r#"{{{META},"name":"ask"}}"#);
        let call = |name: Option<&str>| {
            let mut headers = vec![VERSION, ("mcp-method", "tools/call")];
            headers.extend(name.map(|name| ("mcp-name", name)));
            revision("tools/call", &params, &headers)
        };
        assert_eq!(call(Some("ask")), Ok(Revision::Stateless));
        assert_eq!(call(Some("=?base64?YXNr?=")), Ok(Revision::Stateless));
        for wrong in [Some("submit"), Some("=?base64?c3VibWl0?="), Some("=?base64?!?="), None] {
            assert_eq!(call(wrong), Err(-32_020), "{wrong:?}");
        }
    }

    #[test]
    fn agreed_revision_is_the_proposed_one_or_the_newest() {
        assert_eq!(agreed(Some("2025-06-18")), "2025-06-18");
        for other in [Some("2024-11-05"), Some("2026-07-28"), None] {
            assert_eq!(agreed(other), "2025-11-25");
        }
    }
}
