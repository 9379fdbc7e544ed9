//! A running answerd: store, engine and HTTP server, started in order and stopped in the reverse.
//!
//! A stop goes: no new jobs, but polls go on; the engine lets running attempts finish inside the
//! grace period and gives the rest back; the HTTP server finishes its requests; the store is
//! closed properly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::Engine;
use crate::http::{HttpServer, ListenError, listen, local_url, slot_reader};
use crate::net::Lookup;
use crate::service::{ReloadedKeys, ScheduleRunner, Service};
use crate::store::{OpenOptions, Store, StoreError, WriterStats};
use crate::upstream::{self, ConnectError, UpstreamOverrides};

/// The reason why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Upstream(#[from] ConnectError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
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

        let store = Arc::new(Store::open(&OpenOptions::of(&settings, &clock))?);
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
        let http =
            HttpServer::start(listener, &settings.http, service.clone(), local.practice, clock)?;
        service.evaluate_alerts();
        let schedules = ScheduleRunner::start(&service, slot_reader());
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let parts = Parts {
            settings,
            store: store.clone(),
            engine,
            service: service.clone(),
            _schedules: schedules,
        };
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

    /// Returns a handle that reads keys and recipes again, and reads the heartbeat, from another
    /// thread.
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
    /// Puts the keys of these settings in force and reads the recipes again; logs what is wrong
    /// with them. Returns which keys there are now. Jobs and calls under way go on.
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
    /// Runs schedules as long as it is kept.
    _schedules: Arc<ScheduleRunner>,
    store: Arc<Store>,
}

/// Waits for whatever ends the service, and takes it down in order.
fn supervise(parts: &Parts, stopped: &Receiver<()>, http: HttpServer) -> Result<(), ServeError> {
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
