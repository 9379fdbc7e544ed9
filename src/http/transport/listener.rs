//! The HTTP server: it listens, and its workers answer each connection's requests.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_http::{HttpService, Request};
use actix_rt::net::TcpStream;
use actix_server::ServerHandle;
use actix_service::{ServiceFactoryExt, fn_service};
use crossbeam_channel::Receiver;
use tokio::sync::Notify;

use super::connection::Connection;
use super::cors::Cors;
use super::dispatch;
use super::traffic::Traffic;
use crate::clock::Clock;
use crate::config;
use crate::http::openapi;
use crate::http::practice::state::PracticeState;
use crate::http::request::body::Budget;
use crate::http::request::origin::OriginCheck;
use crate::http::routes::ROUTES;
use crate::http::state::{Limits, State};
use crate::practice;
use crate::service::Service;

/// Connections that wait to be accepted.
const BACKLOG_MAX: i32 = 4_096;
/// How long open requests may take to finish once the engine has stopped, seconds.
const CLOSE_SECONDS: u64 = 5;

/// The reason why the HTTP server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on {address}: {error}; {}", listen_advice(*.address, .error))]
    Address { address: SocketAddr, error: std::io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("the HTTP server did not start: {0}")]
    Http(String),
}

/// Returns what to do when an address cannot be listened on.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list of kinds is open")]
fn listen_advice(address: SocketAddr, error: &std::io::Error) -> String {
    let other = "choose another address with `bind` in [http] or ANSWERD_HTTP__BIND";
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!("another program listens there, perhaps another answerd: stop it, or {other}")
        }
        ErrorKind::PermissionDenied => format!(
            "the user {} may not listen on port {} (ports below 1024 need CAP_NET_BIND_SERVICE): \
             {other}",
            rustix::process::geteuid().as_raw(),
            address.port()
        ),
        ErrorKind::AddrNotAvailable => format!("no interface has this address: {other}"),
        // The list of kinds is open.
        _ => other.to_owned(),
    }
}

/// A running HTTP server.
pub struct HttpServer {
    thread: JoinHandle<()>,
    /// Receives why the server ended.
    pub ended: Receiver<String>,
    handle: ServerHandle,
    /// Tells idle connections that the server stops.
    closing: Arc<Notify>,
}

impl HttpServer {
    /// Starts to answer the connections of a listener.
    ///
    /// # Errors
    /// Returns an error if a thread does not start, or the server cannot use the listener.
    pub fn start(
        listener: TcpListener,
        http: &config::Http,
        service: Arc<Service>,
        practice: Arc<practice::Engine>,
        clock: Clock,
    ) -> Result<HttpServer, ListenError> {
        let address = listener.local_addr().map_err(ListenError::Thread)?;
        let cors = Arc::new(Cors::new(&http.cors_origins));
        let origin = OriginCheck::new(address.ip(), http.public_url.as_deref(), cors.clone());
        let paths = ROUTES.iter().map(|route| route.path.text);
        let state = State {
            service,
            limits: Arc::new(Limits {
                body_bytes_max: http.body_bytes_max,
                batch_bytes_max: http.batch_bytes_max,
                bodies: Budget::new(http.body_bytes_max.max(http.batch_bytes_max)),
            }),
            streams: Arc::default(),
            traffic: Arc::new(Traffic::new(clock.clone(), paths)),
            document: openapi::document(),
            cors,
            origin: Arc::new(origin),
            practice: Arc::new(PracticeState { engine: practice, clock }),
        };
        spawn(listener, http, state)
    }

    /// Lets open requests finish for `CLOSE_SECONDS` and returns when the server has ended.
    pub fn stop(self) {
        // The future only sends the command; the thread carries it out.
        drop(self.handle.stop(true));
        self.closing.notify_waiters();
        // A panic of the thread is in the log.
        let _ = self.thread.join();
    }
}

fn spawn(
    listener: TcpListener,
    http: &config::Http,
    state: State,
) -> Result<HttpServer, ListenError> {
    let (started, starting) = crossbeam_channel::bounded(1);
    let (end, ended) = crossbeam_channel::bounded(1);
    let http = http.clone();
    let closing = Arc::new(Notify::new());
    let signal = closing.clone();
    let thread = std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            let outcome = actix_web::rt::System::new().block_on(async move {
                let server = serve(listener, &http, state, signal)?;
                // The starter waits for it.
                let _ = started.send(server.handle());
                server.await
            });
            let _ = end.send(match outcome {
                Ok(()) => "it was stopped".to_owned(),
                Err(error) => error.to_string(),
            });
        })
        .map_err(ListenError::Thread)?;
    match starting.recv() {
        Ok(handle) => Ok(HttpServer { thread, ended, handle, closing }),
        Err(_) => Err(ListenError::Http(ended.recv().unwrap_or_default())),
    }
}

/// Serves as `actix_web::HttpServer` does, but over connections that bound how long a write waits.
fn serve(
    listener: TcpListener,
    http: &config::Http,
    state: State,
    closing: Arc<Notify>,
) -> std::io::Result<actix_server::Server> {
    let head_timeout = Duration::from_secs(http.head_timeout_seconds);
    let keep_alive = Duration::from_secs(http.keep_alive_seconds);
    let write_timeout = Duration::from_secs(http.write_timeout_seconds);
    let builder = actix_server::Server::build()
        .workers(http.workers)
        .max_concurrent_connections(http.connections_max)
        .shutdown_timeout(CLOSE_SECONDS)
        .disable_signals()
        .listen("answerd", listener, move || {
            let state = Rc::new(state.clone());
            let closing = closing.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let closing = closing.clone();
                    async move { closing.notified().await }
                })
                .client_request_timeout(head_timeout)
                .keep_alive(keep_alive)
                .tcp_nodelay(true)
                .h1(fn_service(move |request: Request| {
                    // In a box: the connection has room for this future for all its life.
                    let answer = Box::pin(dispatch::answer(state.clone(), request));
                    async move { Ok::<_, Infallible>(answer.await) }
                }));
            fn_service(move |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                async move { Ok((Connection::new(stream, write_timeout), peer)) }
            })
            .and_then(http)
        })?;
    Ok(builder.run())
}

/// Binds an address and listens on it.
///
/// # Errors
/// Returns an error if the address cannot be bound, with what to do about it.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    use socket2::{Domain, Protocol, Socket, Type};
    let bound = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG_MAX)?;
        Ok(socket.into())
    };
    bound().map_err(|error| ListenError::Address { address, error })
}

/// Returns where this machine reaches an address that was bound; one that means "all" is reached on
/// loopback.
pub fn local_url(address: SocketAddr) -> String {
    let mut reached = address;
    if address.ip().is_unspecified() {
        reached.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{reached}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_may_not_be_bound_is_a_permission_problem() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let text =
            |kind: ErrorKind| ListenError::Address { address, error: kind.into() }.to_string();
        let denied = text(ErrorKind::PermissionDenied);
        assert!(denied.contains("may not listen on port 80"), "{denied}");
        assert!(!denied.contains("another program"), "{denied}");
        assert!(text(ErrorKind::AddrInUse).contains("another program listens there"));
        assert!(text(ErrorKind::Other).contains("`bind` in [http]"));
    }
}
