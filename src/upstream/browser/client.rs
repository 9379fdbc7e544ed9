//! What goes over HTTP to a WebDriver server: the start of a session and its end. By ureq, as all
//! that answerd sends, on threads that may block.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

/// A session that a WebDriver server has started.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    /// Its address over HTTP.
    url: String,
    /// Its address for WebDriver BiDi.
    pub socket_url: String,
}

/// Starts a session. The server is never asked through a proxy.
///
/// # Errors
/// Returns the reason if it does not start in time, or does not speak WebDriver BiDi.
pub(crate) async fn start(
    server: String,
    wanted: Value,
    timeout: Duration,
) -> Result<Started, String> {
    let url = format!("{}/session", server.trim_end_matches('/'));
    let agent = agent(timeout);
    let exchange = move || -> Result<Started, String> {
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let reply = agent.post(&url).send_json(body).map_err(|error| error.to_string())?;
        let read = reply.into_body().read_json::<Value>();
        let value = read.map_err(|error| error.to_string())?["value"].take();
        let Some(id) = value["sessionId"].as_str() else {
            return Err(value["message"].as_str().unwrap_or("it started no session").to_owned());
        };
        let url = format!("{url}/{id}");
        let Some(socket_url) = value["capabilities"]["webSocketUrl"].as_str() else {
            // A browser that cannot be spoken to is not left running; it ends by itself otherwise.
            let _ = agent.delete(&url).call();
            return Err("it does not speak WebDriver BiDi".to_owned());
        };
        Ok(Started { socket_url: reachable(socket_url, &server), url })
    };
    let started = tokio::task::spawn_blocking(exchange).await;
    started.map_err(|error| error.to_string())?
}

/// Ends a session and its browser; returns whether the server says that it has.
pub(crate) async fn end(session: &Started, timeout: Duration) -> bool {
    let (agent, url) = (agent(timeout), session.url.clone());
    let exchange = move || agent.delete(&url).call().is_ok_and(|reply| reply.status() == 200);
    tokio::task::spawn_blocking(exchange).await.unwrap_or(false)
}

fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .build();
    config.new_agent()
}

/// A server behind a name or a mapped port may call itself by what is only right on its own
/// machine.
fn reachable(socket_url: &str, server: &str) -> String {
    let is_local = |url: &url::Url| {
        matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "0.0.0.0" | "[::1]"))
    };
    let (Ok(mut socket), Ok(server)) = (url::Url::parse(socket_url), url::Url::parse(server))
    else {
        return socket_url.to_owned();
    };
    if is_local(&socket) && !is_local(&server) {
        // Both are addresses with a host, which may be set.
        let _ = socket.set_host(server.host_str());
        let _ = socket.set_port(server.port());
    }
    socket.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_looked_for_where_its_server_is() {
        let own = "ws://127.0.0.1:9515/session/1";
        assert_eq!(reachable(own, "http://127.0.0.1:9515"), own);
        assert_eq!(reachable(own, "http://driver:4444"), "ws://driver:4444/session/1");
        let grid = "ws://10.0.0.7:4444/session/1/se/bidi";
        assert_eq!(reachable(grid, "http://grid:4444"), grid);
    }
}
