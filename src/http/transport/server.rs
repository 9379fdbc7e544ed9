//! A running answerd: store, engine and HTTP server, started in order and stopped in the reverse.
//!
//! A stop goes: no new jobs, but polls go on; the engine lets running attempts finish inside the
//! grace period and gives the rest back; the HTTP server finishes its requests; the store is
//! closed properly.

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
use crossbeam_channel::{Receiver, Sender};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::engine::Engine;
use crate::http::practice::PracticeState;
use crate::http::request::body::Budget;
use crate::http::request::origin::OriginCheck;
use crate::http::transport::connection::Connection;
use crate::http::transport::cors::Cors;
use crate::http::transport::dispatch;
use crate::http::transport::traffic::Traffic;
use crate::http::{Limits, State};
use crate::net::Lookup;
use crate::service::{ReloadedKeys, Service};
use crate::store::{OpenOptions, Store, StoreError, WriterStats};
use crate::upstream::{self, ConnectError, UpstreamOverrides};

/// Connections that wait to be accepted.
const BACKLOG_MAX: i32 = 4_096;
/// How long open requests may take to finish once the engine has stopped, seconds.
const CLOSE_SECONDS: u64 = 5;

/// The reason why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {error}; {}", listen_advice(*.address, .error))]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Upstream(#[from] ConnectError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("the HTTP server did not start: {0}")]
    Http(String),
}

/// Returns what to do when an address cannot be listened on.
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

/// The reason why a service ended other than by being stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the store failed: {0}")]
    Store(StoreError),
    #[error("the HTTP server ended: {0}")]
    Http(String),
}

/// A running service.
pub struct Server {
    address: SocketAddr,
    store: Arc<Store>,
    service: Arc<Service>,
    stop: Sender<()>,
    supervisor: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    /// Opens the store, starts the engine, and listens.
    ///
    /// # Errors
    /// Returns what could not be started, with the setting to look at. Nothing is left running.
    pub fn start(settings: Settings, clock: Clock) -> Result<Server, StartError> {
        Server::start_with(settings, clock, UpstreamOverrides::new())
    }

    /// Starts a server as [`Server::start`] does, with upstreams of the caller's own.
    ///
    /// # Errors
    /// Returns the errors of [`Server::start`].
    pub fn start_with(
        settings: Settings,
        clock: Clock,
        injected: UpstreamOverrides,
    ) -> Result<Server, StartError> {
        Server::start_resolving(settings, clock, injected, None)
    }

    /// Starts a server as [`Server::start_with`] does, with a look-up of the caller's own for the
    /// hosts of webhooks.
    ///
    /// # Errors
    /// Returns the errors of [`Server::start`].
    pub fn start_resolving(
        settings: Settings,
        clock: Clock,
        injected: UpstreamOverrides,
        lookup: Option<Lookup>,
    ) -> Result<Server, StartError> {
        let listener = listen(settings.http.bind)?;
        let address = listener.local_addr().map_err(StartError::Thread)?;
        let local_url = local_url(address);
        let public_url = settings.http.public_url.clone().unwrap_or_else(|| local_url.clone());
        let settings = Arc::new(settings);

        let store = Arc::new(Store::open(&OpenOptions::of(&settings, clock.now_ms()))?);
        let local = upstream::Local::new(&local_url, &public_url, &settings);
        let upstreams = upstream::connect(&settings, &local, injected, &clock)?;
        let engine = Engine::start(
            store.clone(),
            upstreams,
            &settings,
            public_url.clone(),
            lookup,
            clock.clone(),
        )
        .map_err(StartError::Thread)?;
        let service =
            Arc::new(Service::new(store.clone(), engine.clone(), settings.clone(), clock.clone()));
        let cors = Arc::new(Cors::new(&settings.http.cors_origins));
        let origin =
            OriginCheck::new(address.ip(), settings.http.public_url.as_deref(), cors.clone());
        let state = State {
            service: service.clone(),
            limits: Arc::new(Limits {
                body_bytes_max: settings.http.body_bytes_max,
                batch_bytes_max: settings.http.batch_bytes_max,
                bodies: Budget::new(
                    settings.http.body_bytes_max.max(settings.http.batch_bytes_max),
                ),
            }),
            streams: Arc::default(),
            traffic: Arc::new(Traffic::new(clock.clone())),
            cors,
            origin: Arc::new(origin),
            practice: Arc::new(PracticeState { engine: local.practice, clock }),
        };
        let http = spawn_http(listener, &settings, state)?;
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let parts = Parts { settings, store: store.clone(), engine, service: service.clone() };
        let supervisor = std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || supervise(&parts, &stopped, http))
            .map_err(StartError::Thread)?;
        Ok(Server { address, store, service, stop, supervisor })
    }

    /// Returns the address that was really bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where the server is reached from this machine, without a slash at its end.
    pub fn base_url(&self) -> String {
        local_url(self.address)
    }

    /// Returns the service behind it.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Returns what the store's writer has done so far.
    pub fn writer_stats(&self) -> WriterStats {
        self.store.writer_stats()
    }

    /// Begins the stop and returns at once.
    pub fn stop(&self) {
        self.shutdown_handle().stop();
    }

    /// Returns a handle that begins the stop from another thread, while one waits for the end.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(self.stop.clone())
    }

    /// Returns a handle that reads keys and recipes again, and reads the heartbeat, from another thread.
    pub fn reloader(&self) -> Reloader {
        Reloader(self.service.clone())
    }

    /// Waits until the service has stopped and the store is closed.
    ///
    /// # Errors
    /// Returns an error if it did not stop because it was asked to.
    pub fn wait(self) -> Result<(), ServeError> {
        self.supervisor
            .join()
            .unwrap_or_else(|_| Err(ServeError::Http("its supervisor panicked".to_owned())))
    }
}

/// Begins the stop of a server from another thread.
#[derive(Clone)]
pub struct ShutdownHandle(Sender<()>);

impl ShutdownHandle {
    /// Begins the stop and returns at once.
    pub fn stop(&self) {
        // A full channel has the message already.
        let _ = self.0.try_send(());
    }
}

/// Changes what a running server can change, and reads its heartbeat, from another thread.
#[derive(Clone)]
pub struct Reloader(Arc<Service>);

impl Reloader {
    /// Puts the keys of these settings in force and reads the recipes again; logs what is wrong with
    /// them. Returns which keys there are now. Jobs and calls under way go on.
    pub fn reload(&self, settings: &Settings) -> ReloadedKeys {
        self.0.reload_recipes();
        self.0.reload_keys(settings)
    }

    /// Returns whether any key is in force.
    pub fn has_keys(&self) -> bool {
        self.0.has_keys()
    }

    /// Returns what [`Service::heartbeat`] does.
    ///
    /// # Errors
    /// Returns an error if the store's writer has ended.
    pub fn heartbeat(&self) -> Result<u64, StoreError> {
        self.0.heartbeat()
    }
}

/// What has to be stopped, in the order of the stop.
struct Parts {
    settings: Arc<Settings>,
    service: Arc<Service>,
    engine: Arc<Engine>,
    store: Arc<Store>,
}

/// Waits for whatever ends the service, and takes it down in order.
fn supervise(parts: &Parts, stopped: &Receiver<()>, http: HttpThread) -> Result<(), ServeError> {
    let failures = parts.engine.store_failures();
    let ended = crossbeam_channel::select! {
        recv(stopped) -> _ => Ok(()),
        recv(failures) -> _ => {
            let error = parts.store.failure().unwrap_or(StoreError::Closed);
            Err(ServeError::Store(error))
        }
        recv(http.ended) -> outcome => {
            Err(ServeError::Http(outcome.unwrap_or_else(|_| "its thread panicked".to_owned())))
        }
    };
    tracing::info!("stopping");
    parts.service.begin_stop();
    let grace_seconds = if ended.is_ok() { parts.settings.http.grace_seconds } else { 0 };
    parts.engine.stop(grace_seconds.saturating_mul(1000));
    http.stop();
    let stats = parts.store.writer_stats();
    parts.store.close();
    tracing::info!(commits = stats.commits, writes = stats.writes, "stopped");
    ended
}

/// The thread that runs the HTTP server; `ended` says why it ended.
struct HttpThread {
    thread: JoinHandle<()>,
    ended: Receiver<String>,
    handle: ServerHandle,
    /// Tells idle connections that the server stops.
    closing: Arc<Notify>,
}

impl HttpThread {
    /// Lets open requests finish for [`CLOSE_SECONDS`] and returns when the server has ended.
    fn stop(self) {
        // The future only sends the command; the thread carries it out.
        drop(self.handle.stop(true));
        self.closing.notify_waiters();
        // A panic of the thread is in the log.
        let _ = self.thread.join();
    }
}

fn spawn_http(
    listener: TcpListener,
    settings: &Settings,
    state: State,
) -> Result<HttpThread, StartError> {
    let (started, starting) = crossbeam_channel::bounded(1);
    let (end, ended) = crossbeam_channel::bounded(1);
    let http = settings.http.clone();
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
        .map_err(StartError::Thread)?;
    match starting.recv() {
        Ok(handle) => Ok(HttpThread { thread, ended, handle, closing }),
        Err(_) => Err(StartError::Http(ended.recv().unwrap_or_default())),
    }
}

/// The server as `actix_web::HttpServer` makes it, but over connections whose bare refusals are
/// JSON.
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

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    use socket2::{Domain, Protocol, Socket, Type};
    let bound = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG_MAX)?;
        Ok(socket.into())
    };
    bound().map_err(|error| StartError::Listen { address, error })
}

/// Where this machine reaches an address that was bound; one that means "all" is reached on
/// loopback.
fn local_url(address: SocketAddr) -> String {
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
        let text = |kind: ErrorKind| StartError::Listen { address, error: kind.into() }.to_string();
        let denied = text(ErrorKind::PermissionDenied);
        assert!(denied.contains("may not listen on port 80"), "{denied}");
        assert!(!denied.contains("another program"), "{denied}");
        assert!(text(ErrorKind::AddrInUse).contains("another program listens there"));
        assert!(text(ErrorKind::Other).contains("`bind` in [http]"));
    }
}
