//! The HTTP client below WebDriver: ureq, as for all that answerd sends, on threads that may block.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};
use ureq::Agent;
use ureq::http::{Request, Response};

/// The largest reply of a driver that is read, bytes: a page's HTML, or a picture of it.
const REPLY_BYTES_MAX: u64 = 64 << 20;

/// A client that sends each command on a thread of the runtime that may block. A command whose
/// caller has left goes on there until its timeout.
#[derive(Clone)]
pub struct WebDriverClient {
    agent: Agent,
}

impl WebDriverClient {
    /// Creates a client with a timeout for each command. A driver is never asked through a proxy.
    pub fn new(timeout: Duration) -> WebDriverClient {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(timeout))
            .build();
        WebDriverClient { agent: config.new_agent() }
    }
}

#[async_trait]
impl HttpClient for WebDriverClient {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = match body {
            Body::Empty => Vec::new(),
            Body::Json(json) => serde_json::to_vec(json)?,
        };
        let agent = self.agent.clone();
        let exchange = move || -> Result<Response<Bytes>, ureq::Error> {
            let reply = agent.run(Request::from_parts(parts, body))?;
            let (parts, body) = reply.into_parts();
            let body = body.into_with_config().limit(REPLY_BYTES_MAX).read_to_vec()?;
            Ok(Response::from_parts(parts, body.into()))
        };
        let failed = |error: String| WebDriverError::HttpError(error);
        let reply = tokio::task::spawn_blocking(exchange).await;
        reply.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(self.clone())
    }
}
