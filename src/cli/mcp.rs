//! `answerd mcp`: the Model Context Protocol on stdin and stdout, for assistants that start their
//! servers as processes. Every message goes to a running service, which has the tools.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args as ClapArgs;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::{Value, json};

use super::client::{Client, ClientError};
use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use crate::api::{
    MCP_METHOD_HEADER, MCP_NAME_HEADER, MCP_VERSION_FIELD, MCP_VERSION_HEADER, MessageId, RpcCode,
    RpcErrorView, RpcReply,
};

const EXAMPLES: &str = "\
Examples:
  answerd mcp
  answerd mcp --url https://answers.example.com

In the settings of an assistant:
  {\"mcpServers\": {\"answerd\": {\"command\": \"answerd\", \"args\": [\"mcp\"],
    \"env\": {\"ANSWERD_URL\": \"http://127.0.0.1:8080\", \"ANSWERD_API_KEY\": \"ak_...\"}}}}";

/// The longest message, bytes: a batch of a thousand long prompts.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Requests at once. A further one waits until another has its reply.
const IN_FLIGHT_MAX: usize = 64;

/// Serve AI assistants over stdin and stdout
///
/// Speaks the Model Context Protocol: an assistant starts this command and calls its tools, such as
/// `ask`. The tools are those of a running service, which --url names. Ends with stdin.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Passes messages on until stdin ends.
///
/// # Errors
/// Returns an error if the address or the key is invalid, or stdout cannot be written to.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    if io::stdin().is_terminal() {
        console.note(
            "answerd mcp is for an AI assistant to start: it reads messages of the Model Context \
             Protocol here. Ctrl-D ends it.",
        );
    }
    let (sender, replies) = unbounded();
    let reader = MessageReader { client, replies: sender, agreed: None };
    let reading = thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || reader.read(&mut BufReader::new(io::stdin())))
        .map_err(CommandError::Input)?;
    // They end when stdin has, and with it the last request.
    for reply in replies {
        console.result(&reply)?;
    }
    match reading.join() {
        Ok(outcome) => outcome.map(|()| ExitCode::Done).map_err(CommandError::Input),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The reader of messages. Each request waits for its reply on a thread of its own.
struct MessageReader {
    client: Client,
    replies: Sender<String>,
    /// The revision that the client and the service have agreed on in `initialize`.
    agreed: Option<String>,
}

impl MessageReader {
    fn read(mut self, input: &mut impl BufRead) -> io::Result<()> {
        let (begin, ended) = bounded(IN_FLIGHT_MAX);
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            if read as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
                let what = format!("a message is longer than {LINE_BYTES_MAX} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let message = Outline::of(String::from_utf8_lossy(&line).trim());
            match message {
                None => {}
                Some(message) if message.method == "initialize" => self.initialize(&message),
                Some(message) => self.pass_on(message, &begin, &ended),
            }
        }
    }

    /// Passes the first request on. Nothing else comes before its reply.
    fn initialize(&mut self, message: &Outline) {
        let reply = message.reply(&self.client, None);
        let document: Value = serde_json::from_str(&reply).unwrap_or_default();
        self.agreed = document["result"]["protocolVersion"].as_str().map(str::to_owned);
        // Without a reader the process ends.
        let _ = self.replies.send(reply);
    }

    fn pass_on(&self, message: Outline, begin: &Sender<()>, ended: &Receiver<()>) {
        // Waits while there are too many.
        let _ = begin.send(());
        let (client, replies, ended) = (self.client.clone(), self.replies.clone(), ended.clone());
        let agreed = self.agreed.clone();
        let refused = message.refused("cannot start a thread for the request");
        let work = move || {
            let _ = replies.send(message.reply(&client, agreed.as_deref()));
            let _ = ended.recv();
        };
        if thread::Builder::new().name("message".to_owned()).spawn(work).is_err() {
            let _ = self.replies.send(refused);
        }
    }
}

/// A message, and what of it is repeated in headers.
struct Outline {
    text: String,
    id: Option<MessageId>,
    method: String,
    /// The tool that is called.
    name: Option<String>,
    /// The revision, where the message says it.
    declared: Option<String>,
}

impl Outline {
    /// Reads a line; `None` where it wants no reply. What is no message is passed on as well, for
    /// the service to refuse.
    fn of(line: &str) -> Option<Outline> {
        let document: Value = serde_json::from_str(line).unwrap_or_default();
        let is_notification = document["method"].is_string() && document.get("id").is_none();
        if line.is_empty() || is_notification {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Outline {
            id: document.get("id").and_then(|id| MessageId::read(&id.to_string())),
            method: text(&document["method"]).unwrap_or_default(),
            name: text(&document["params"]["name"]),
            declared: text(&document["params"]["_meta"][MCP_VERSION_FIELD]),
            text: line.to_owned(),
        })
    }

    /// Sends it and returns the reply; an error in the words of the protocol where there is none.
    fn reply(&self, client: &Client, agreed: Option<&str>) -> String {
        match client.send_message(&self.text, &self.headers(agreed)) {
            Ok(Some(reply)) => reply,
            Ok(None) => self.refused("the server took the request for a notification"),
            Err(error) => self.error(&error),
        }
    }

    fn headers(&self, agreed: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        let Some(declared) = &self.declared else {
            headers.extend(agreed.map(|version| (MCP_VERSION_HEADER, header_value(version))));
            return headers;
        };
        headers.push((MCP_VERSION_HEADER, header_value(declared)));
        headers.push((MCP_METHOD_HEADER, header_value(&self.method)));
        headers.extend(self.name.as_deref().map(|name| (MCP_NAME_HEADER, header_value(name))));
        headers
    }

    fn error(&self, error: &ClientError) -> String {
        let code = match error {
            ClientError::Unreachable { .. } => "unreachable",
            ClientError::Refused { code, .. } => code.as_deref().unwrap_or("refused"),
            ClientError::Address { .. }
            | ClientError::Key
            | ClientError::InvalidResponse { .. } => "invalid_response",
        };
        self.refusal(error.to_string(), Some(json!({ "code": code })))
    }

    fn refused(&self, why: &str) -> String {
        self.refusal(why.to_owned(), None)
    }

    fn refusal(&self, message: String, data: Option<Value>) -> String {
        let error = RpcErrorView { code: RpcCode::InternalError.number(), message, data };
        let reply: RpcReply = RpcReply::refused(self.id.clone(), error);
        // Texts and numbers always serialize.
        serde_json::to_string(&reply).unwrap_or_default()
    }
}

/// Returns a value as it may stand in a header: in base64 where it could not stand there as it is.
fn header_value(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && text.trim() == text
        && !text.starts_with("=?base64?");
    if is_plain { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::TestServer;
    use super::*;

    const MODERN: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"äsk",
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

    #[test]
    fn outline_has_what_headers_repeat() {
        let message = Outline::of(MODERN).unwrap();
        let expected = [
            (MCP_VERSION_HEADER, "2026-07-28"),
            (MCP_METHOD_HEADER, "tools/call"),
            (MCP_NAME_HEADER, "=?base64?w6Rzaw==?="),
        ];
        let headers = message.headers(Some("2025-11-25"));
        assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
        let old = Outline::of(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#).unwrap();
        assert_eq!(old.headers(None), []);
        assert_eq!(old.headers(Some("2025-11-25"))[0].1, "2025-11-25");
    }

    #[test]
    fn notification_is_not_passed_on_and_garbage_is() {
        assert!(Outline::of(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).is_none());
        assert!(Outline::of("").is_none());
        for passed in ["{", "[]", r#"{"id":1}"#, r#"{"id":null,"method":"ping"}"#] {
            assert!(Outline::of(passed).is_some(), "{passed}");
        }
    }

    #[test]
    fn unreachable_service_is_an_error_of_the_protocol() {
        let client = Client::new("http://127.0.0.1:9", None).unwrap();
        let reply = Outline::of(MODERN).unwrap().reply(&client, None);
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert_eq!((&reply["id"], &reply["error"]["code"]), (&json!(7), &json!(-32_603)));
        assert_eq!(reply["error"]["data"]["code"], "unreachable");
    }

    #[test]
    fn refusal_before_the_message_keeps_its_code() {
        let body = r#"{"detail":"Missing API key.","code":"key_missing"}"#;
        let server = TestServer::answering(vec![(401, body.to_owned())]);
        let client = Client::new(server.url(), None).unwrap();
        let reply = Outline::of(MODERN).unwrap().reply(&client, None);
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert_eq!(reply["error"]["message"], "Missing API key.");
        assert_eq!(reply["error"]["data"]["code"], "key_missing");
    }
}
