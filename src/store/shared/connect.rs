//! Connections to PostgreSQL: what their sessions are set to, when one is given up, and how long to
//! wait before the next try.

use std::future::poll_fn;
use std::ops::Deref;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Row, ToStatement};

use super::connections::{OpenConnection, OpenConnections};
use super::error::PgError;
use super::pg_options::{PgOptions, read_options};
use super::tls::PgTls;
use crate::store::StoreError;
use crate::store::error::BackendError;

/// How long one host may take until a session is ready, seconds.
const CONNECT_SECONDS_MAX: u64 = 5;
/// How long a server may be silent before its connection is given up, seconds: longer than
/// `statement_timeout`, which ends what is slow and leaves the connection in order.
const SILENCE_SECONDS_MAX: u64 = 10;
/// The wait before the second try, and the longest wait, milliseconds.
const BACKOFF_MS_MIN: u64 = 50;
const BACKOFF_MS_MAX: u64 = 2_000;

/// What every session is set to. A plan is made once and kept, and an hour's tables are empty when
/// that happens: without the last three a plan may read all of a table that has grown since. What
/// reads all of a small table is costed as forbidden then, which is when PostgreSQL compiles a
/// statement: for 0.2 s of processor time each, so it must not.
const SESSION: &str = "
    SET client_min_messages = warning;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '10s';
    SET jit = off;
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
";
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '8s';";

/// Use of a connection. The server shows it, beside the node's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The checks of an opening, and changes of the schema.
    Setup,
    Writer(u16),
    Reader(u16),
    /// Lists and exports, whose statements may take long.
    List,
    Beat,
    /// What a node keeps up besides its beat.
    Upkeep,
    /// Hints to other nodes, and those of them.
    Notify,
    Listen,
    /// A `db` command, whose statements may take long.
    Command,
}

impl Purpose {
    /// Returns the word for its use.
    fn role(self) -> &'static str {
        match self {
            Purpose::Setup => "setup",
            Purpose::Writer(_) => "writer",
            Purpose::Reader(_) => "reader",
            Purpose::List => "list",
            Purpose::Beat => "beat",
            Purpose::Upkeep => "upkeep",
            Purpose::Notify => "notify",
            Purpose::Listen => "listen",
            Purpose::Command => "command",
        }
    }

    fn label(self) -> String {
        match self {
            Purpose::Writer(number) | Purpose::Reader(number) => {
                format!("{}-{}", self.role(), number + 1)
            }
            Purpose::Setup
            | Purpose::List
            | Purpose::Beat
            | Purpose::Upkeep
            | Purpose::Notify
            | Purpose::Listen
            | Purpose::Command => self.role().to_owned(),
        }
    }

    /// Returns whether the server ends what is slow. It must not end the commits of writers: one
    /// that waits for a standby would be acknowledged without it.
    fn has_timeout(self) -> bool {
        match self {
            Purpose::Writer(_) | Purpose::List | Purpose::Command => false,
            Purpose::Setup
            | Purpose::Reader(_)
            | Purpose::Beat
            | Purpose::Upkeep
            | Purpose::Notify
            | Purpose::Listen => true,
        }
    }

    /// Returns how long a call may take; `None` for as long as it takes.
    fn patience(self) -> Option<Duration> {
        match self {
            Purpose::List | Purpose::Command => None,
            Purpose::Setup
            | Purpose::Writer(_)
            | Purpose::Reader(_)
            | Purpose::Beat
            | Purpose::Upkeep
            | Purpose::Notify
            | Purpose::Listen => Some(Duration::from_secs(SILENCE_SECONDS_MAX)),
        }
    }
}

/// Makes connections to one store.
#[derive(Clone)]
pub(super) struct PgConnector {
    /// How each of the hosts is reached, in the order in which they are tried.
    hosts: Vec<Config>,
    schema: String,
    node: String,
    host_patience: Duration,
    tls: PgTls,
    open: OpenConnections,
}

impl PgConnector {
    /// Reads the options. Nothing is connected yet.
    ///
    /// # Errors
    /// Returns an error if the address or the schema's name cannot be used.
    pub(super) fn new(options: &PgOptions) -> Result<PgConnector, StoreError> {
        let unsuitable = |error| StoreError::Unsuitable(BackendError::new(error, true));
        let hosts = read_options(options).map_err(unsuitable)?;
        let tls = PgTls::new(&options.authorities).map_err(unsuitable)?;
        Ok(PgConnector {
            hosts,
            schema: options.schema.clone(),
            node: options.node.clone(),
            host_patience: Duration::from_secs(CONNECT_SECONDS_MAX),
            tls,
            open: OpenConnections::default(),
        })
    }

    /// Makes a host that is silent give way to the next one after another time.
    #[cfg(test)]
    pub(super) fn with_host_patience(self, host_patience: Duration) -> PgConnector {
        PgConnector { host_patience, ..self }
    }

    /// Returns the name of this node.
    pub(super) fn node_name(&self) -> &str {
        &self.node
    }

    /// Returns how many connections are open, by what they are for.
    pub(super) fn open_connections(&self) -> Vec<(&'static str, u64)> {
        self.open.report()
    }

    /// Returns the schema that has the store.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Connects to the first of the hosts that takes writes, and prepares the session.
    ///
    /// # Errors
    /// Returns an error if no host can be reached, or none takes this user or writes.
    pub(super) async fn connect(&self, purpose: Purpose) -> Result<PgSession, PgError> {
        self.connect_hearing(purpose, None).await
    }

    async fn connect_hearing(
        &self,
        purpose: Purpose,
        heard: Option<&mpsc::Sender<String>>,
    ) -> Result<PgSession, PgError> {
        let mut last = PgError::silent(0);
        for host in &self.hosts {
            // A primary that hangs still accepts connections: it must not hide the one after it.
            match within(Some(self.host_patience), self.connect_to(host, purpose, heard)).await {
                Ok(session) => return Ok(session),
                Err(error) if last.is_lost() => last = error,
                Err(_) => {}
            }
        }
        Err(last)
    }

    async fn connect_to(
        &self,
        host: &Config,
        purpose: Purpose,
        heard: Option<&mpsc::Sender<String>>,
    ) -> Result<PgSession, tokio_postgres::Error> {
        let mut config = host.clone();
        config.application_name(format!("answerd/{}/{}", self.node, purpose.label()));
        let (client, connection) = config.connect(self.tls.clone()).await?;
        // Polled all the time, whatever is asked: a connection that is not drained holds back
        // the server.
        let open = self.open.open(purpose.role());
        let driver = tokio::spawn(drive(connection, heard.cloned(), open));
        let session = PgSession { client, driver, patience: purpose.patience() };
        let path = format!("SET search_path = {};", self.schema);
        let timeout = if purpose.has_timeout() { STATEMENT_TIMEOUT } else { "" };
        session.client.batch_execute(&format!("{path}{SESSION}{timeout}")).await?;
        Ok(session)
    }

    /// Connects as [`PgConnector::connect`] does, again and again until it succeeds.
    pub(super) async fn connect_until_done(&self, purpose: Purpose) -> PgSession {
        self.connect_until_heard(purpose, None).await
    }

    /// Connects as [`PgConnector::connect_until_done`] does. What the session is notified of goes
    /// to `heard`; what does not fit there is lost.
    pub(super) async fn connect_until_heard(
        &self,
        purpose: Purpose,
        heard: Option<&mpsc::Sender<String>>,
    ) -> PgSession {
        let mut failures = 0;
        loop {
            match self.connect_hearing(purpose, heard).await {
                Ok(session) => return session,
                Err(error) => {
                    let wait_ms = backoff_ms(failures, getrandom::u64().unwrap_or_default());
                    tracing::warn!(%error, purpose = purpose.label(), wait_ms, "no connection");
                    failures += 1;
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
            }
        }
    }
}

/// Passes on what comes on a connection until it ends.
async fn drive<S, T>(
    mut connection: Connection<S, T>,
    heard: Option<mpsc::Sender<String>>,
    _open: Option<OpenConnection>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(told))) => {
                if let Some(heard) = &heard {
                    let _ = heard.try_send(told.payload().to_owned());
                }
            }
            // Notices of the server.
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection to the database ended");
                return;
            }
            None => return,
        }
    }
}

/// Returns the wait after a number of failures in a row. `random` spreads it over its upper half:
/// nodes that lost their connections together do not come back together.
pub(super) fn backoff_ms(failures: u32, random: u64) -> u64 {
    let full_ms = BACKOFF_MS_MIN.saturating_mul(1 << failures.min(16)).min(BACKOFF_MS_MAX);
    full_ms / 2 + random % (full_ms / 2 + 1)
}

/// Waits for an answer of the server, for at most as long as `patience`.
async fn within<T>(
    patience: Option<Duration>,
    call: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, PgError> {
    let Some(patience) = patience else { return Ok(call.await?) };
    match tokio::time::timeout(patience, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(PgError::silent(patience.as_secs())),
    }
}

/// A connection with its session. Dropping it ends the connection, with what its transaction has
/// not committed.
pub(super) struct PgSession {
    client: Client,
    driver: JoinHandle<()>,
    patience: Option<Duration>,
}

impl PgSession {
    /// Waits for the answer to a call of this session, or until the server has been silent for too
    /// long. Then, as after every error that [`PgError::is_lost`] holds of, the session is to be
    /// dropped.
    ///
    /// # Errors
    /// Returns an error if the call fails or no answer comes.
    pub(super) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, PgError> {
        within(self.patience, call).await
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// Returns an error as [`PgSession::within`] does.
    pub(super) async fn query(
        &self,
        statement: &(impl ?Sized + ToStatement),
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PgError> {
        self.within(self.client.query(statement, parameters)).await
    }

    /// Runs a query that has at most one row.
    ///
    /// # Errors
    /// Returns an error as [`PgSession::within`] does, or if there are more rows.
    pub(super) async fn query_opt(
        &self,
        statement: &(impl ?Sized + ToStatement),
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PgError> {
        self.within(self.client.query_opt(statement, parameters)).await
    }

    /// Runs a query that has one row.
    ///
    /// # Errors
    /// Returns an error as [`PgSession::within`] does, or if there are more rows or none.
    pub(super) async fn query_one(
        &self,
        statement: &(impl ?Sized + ToStatement),
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PgError> {
        self.within(self.client.query_one(statement, parameters)).await
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// Returns an error as [`PgSession::within`] does.
    pub(super) async fn execute(
        &self,
        statement: &(impl ?Sized + ToStatement),
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PgError> {
        self.within(self.client.execute(statement, parameters)).await
    }

    /// Runs several statements, which are one transaction unless they begin others.
    ///
    /// # Errors
    /// Returns an error as [`PgSession::within`] does.
    pub(super) async fn batch_execute(&self, statements: &str) -> Result<(), PgError> {
        self.within(self.client.batch_execute(statements)).await
    }

    /// Returns whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// For statements that are prepared once, and for pipelines.
impl Deref for PgSession {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        // A server that is silent would keep the task for as long as the socket takes to give up.
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn server_that_is_silent_for_too_long_has_lost_its_connection() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let silent = std::future::pending::<Result<(), tokio_postgres::Error>>();
        let answer = runtime.block_on(within(Some(Duration::from_millis(1)), silent));
        assert!(answer.unwrap_err().is_lost());
    }

    proptest! {
        #[test]
        fn backoff_rises_to_its_limit_and_is_spread(failures in 0_u32..100, random: u64) {
            let wait_ms = backoff_ms(failures, random);
            let full_ms = if failures < 6 { 50 << failures } else { 2_000 };
            prop_assert!((full_ms / 2..=full_ms).contains(&wait_ms), "{wait_ms}");
        }
    }
}
