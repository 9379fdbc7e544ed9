//! Messages of the Model Context Protocol, passed on as they come.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Client, ClientError};

/// How long a message may take: a tool waits for up to 55 seconds, and its reply may be large.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(90);

/// What tells a reply of the protocol from another one.
#[derive(Deserialize)]
struct RpcOutline {
    #[serde(rename = "jsonrpc")]
    _version: IgnoredAny,
}

impl Client {
    /// Sends a message to `/mcp` and returns its reply on one line, whether it is a result or an
    /// error; `None` where the server has none.
    ///
    /// # Errors
    /// Returns an error if the server could not be reached, or refused the call before it looked at
    /// the message.
    pub(crate) fn send_message(
        &self,
        message: &str,
        headers: &[(&str, String)],
    ) -> Result<Option<String>, ClientError> {
        let mut request = self.keyed(self.agent.post(self.path(&["mcp"]).as_str()));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .config()
            .timeout_global(Some(MESSAGE_TIMEOUT))
            .build();
        let (status, body) = self.body_of(request.send(message))?;
        if status == 202 {
            return Ok(None);
        }
        if serde_json::from_slice::<RpcOutline>(&body).is_err() {
            return Err(self.refusal(status, &body));
        }
        let reply = String::from_utf8(body)
            .map_err(|_| self.invalid_response("a reply that is not UTF-8".to_owned()))?;
        // Between the tokens of JSON a line break is only space; within them it is escaped.
        Ok(Some(reply.replace(['\r', '\n'], " ")))
    }
}
