//! Connections to PostgreSQL: what their sessions are set to, when one is given up, and how long to
//! wait before the next try.

use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, ToStatement};

use super::error::PgError;
use crate::config::Secret;
use crate::store::StoreError;
use crate::store::error::BackendError;

/// The port of a host without one.
const PORT: u16 = 5432;
/// How long one host may take until a session is ready, seconds.
const CONNECT_SECONDS_MAX: u64 = 5;
/// How long a server may be silent before its connection is given up, seconds: longer than
/// `statement_timeout`, which ends what is slow and leaves the connection in order.
const SILENCE_SECONDS_MAX: u64 = 10;
/// How long data may stay unacknowledged, seconds.
const UNACKNOWLEDGED_SECONDS_MAX: u64 = 10;
const KEEPALIVE_IDLE_SECONDS: u64 = 5;
const KEEPALIVE_INTERVAL_SECONDS: u64 = 3;
const KEEPALIVE_PROBES: u32 = 3;

/// The wait before the second try, and the longest wait, milliseconds.
const BACKOFF_MS_MIN: u64 = 50;
const BACKOFF_MS_MAX: u64 = 2_000;

/// The longest name of a schema, bytes (`NAMEDATALEN` of PostgreSQL, less one).
const SCHEMA_BYTES_MAX: usize = 63;

/// What every session is set to. A plan is made once and kept, and an hour's tables are empty when
/// that happens: without the last three a plan may read all of a table that has grown since.
const SESSION: &str = "
    SET client_min_messages = warning;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '10s';
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
";
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '8s';";

/// The options of connecting to a shared store.
#[derive(Clone, Debug)]
pub(crate) struct PgOptions {
    /// As libpq takes it, without a password: `postgres://answerd@db1,db2/answerd`.
    pub url: String,
    pub password: Option<Secret>,
    /// The schema of the database that has the store.
    pub schema: String,
    /// The node's name, which the server shows for each connection.
    pub node: String,
}

/// A reason why the options cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PgOptionsError {
    #[error("the address of the database cannot be read: {0}")]
    Url(String),
    #[error(
        "the address of the database has a password; give it in a file or in the environment, \
         where other users and logs do not see it"
    )]
    PasswordInUrl,
    #[error("the address of the database names no {0}")]
    Missing(&'static str),
    #[error(
        "the schema {0:?} cannot be used: a name has up to 63 lower-case letters, digits and `_`, \
         begins with no digit and not with `pg_`"
    )]
    SchemaName(String),
    #[error(
        "the connection to {0} would not be encrypted; name a loopback address or a Unix socket, \
         or a tunnel that ends at one"
    )]
    Unencrypted(String),
}

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
}

impl Purpose {
    fn label(self) -> String {
        match self {
            Purpose::Setup => "setup".to_owned(),
            Purpose::Writer(number) => format!("writer-{}", number + 1),
            Purpose::Reader(number) => format!("reader-{}", number + 1),
            Purpose::List => "list".to_owned(),
            Purpose::Beat => "beat".to_owned(),
        }
    }

    /// Returns how long a call may take; `None` for as long as it takes.
    fn patience(self) -> Option<Duration> {
        match self {
            Purpose::List => None,
            Purpose::Setup | Purpose::Writer(_) | Purpose::Reader(_) | Purpose::Beat => {
                Some(Duration::from_secs(SILENCE_SECONDS_MAX))
            }
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
}

impl PgConnector {
    /// Reads the options. Nothing is connected yet.
    ///
    /// # Errors
    /// Returns an error if the address or the schema's name cannot be used.
    pub(super) fn new(options: &PgOptions) -> Result<PgConnector, StoreError> {
        let hosts = read_options(options)
            .map_err(|error| StoreError::Unsuitable(BackendError::new(error, true)))?;
        Ok(PgConnector {
            hosts,
            schema: options.schema.clone(),
            node: options.node.clone(),
            host_patience: Duration::from_secs(CONNECT_SECONDS_MAX),
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

    /// Returns the schema that has the store.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Connects to the first of the hosts that takes writes, and prepares the session.
    ///
    /// # Errors
    /// Returns an error if no host can be reached, or none takes this user or writes.
    pub(super) async fn connect(&self, purpose: Purpose) -> Result<PgSession, PgError> {
        let mut last = PgError::silent(0);
        for host in &self.hosts {
            // A primary that hangs still accepts connections: it must not hide the one after it.
            match within(Some(self.host_patience), self.connect_to(host, purpose)).await {
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
    ) -> Result<PgSession, tokio_postgres::Error> {
        let mut config = host.clone();
        config.application_name(format!("answerd/{}/{}", self.node, purpose.label()));
        let (client, connection) = config.connect(NoTls).await?;
        // Polled all the time, whatever is asked: a connection that is not drained holds back
        // the server.
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        let session = PgSession { client, driver, patience: purpose.patience() };
        let path = format!("SET search_path = {};", self.schema);
        let timeout = if purpose.patience().is_some() { STATEMENT_TIMEOUT } else { "" };
        session.client.batch_execute(&format!("{path}{SESSION}{timeout}")).await?;
        Ok(session)
    }

    /// Connects as [`PgConnector::connect`] does, again and again until it succeeds.
    pub(super) async fn connect_until_done(&self, purpose: Purpose) -> PgSession {
        let mut failures = 0;
        loop {
            match self.connect(purpose).await {
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

/// Reads the options into what connections to each host are made of.
fn read_options(options: &PgOptions) -> Result<Vec<Config>, PgOptionsError> {
    if !is_schema_name(&options.schema) {
        return Err(PgOptionsError::SchemaName(options.schema.clone()));
    }
    let given: Config = options.url.parse().map_err(|error: tokio_postgres::Error| {
        let source = std::error::Error::source(&error);
        PgOptionsError::Url(source.map_or_else(|| error.to_string(), ToString::to_string))
    })?;
    if given.get_password().is_some() {
        return Err(PgOptionsError::PasswordInUrl);
    }
    let user = given.get_user().ok_or(PgOptionsError::Missing("user"))?;
    let database = given.get_dbname().ok_or(PgOptionsError::Missing("database"))?;
    if given.get_hosts().is_empty() {
        return Err(PgOptionsError::Missing("host"));
    }
    let hosts = given.get_hosts().iter().enumerate().map(|(number, host)| {
        let mut config = Config::new();
        config.user(user).dbname(database);
        // Where a session has to be encrypted none is made.
        config.ssl_mode(given.get_ssl_mode()).channel_binding(given.get_channel_binding());
        if let Some(session_options) = given.get_options() {
            config.options(session_options);
        }
        match host {
            Host::Unix(folder) => config.host_path(folder),
            Host::Tcp(name) if is_of_this_machine(name) => config.host(name),
            Host::Tcp(name) => return Err(PgOptionsError::Unencrypted(name.clone())),
        };
        let ports = given.get_ports();
        config.port(ports.get(number).or(ports.first()).copied().unwrap_or(PORT));
        if let Some(password) = &options.password {
            config.password(password.reveal());
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .tcp_user_timeout(Duration::from_secs(UNACKNOWLEDGED_SECONDS_MAX))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(KEEPALIVE_IDLE_SECONDS))
            .keepalives_interval(Duration::from_secs(KEEPALIVE_INTERVAL_SECONDS))
            .keepalives_retries(KEEPALIVE_PROBES);
        Ok(config)
    });
    hosts.collect()
}

/// Returns whether a host is reached without a network. Other names of it are not looked up: what
/// they name may change.
fn is_of_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns whether a schema may have this name, which then stands in SQL without quotes.
fn is_schema_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= SCHEMA_BYTES_MAX
        && name.bytes().all(rest)
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && !name.starts_with("pg_")
}

/// Returns the wait after a number of failures in a row. `random` spreads it over its upper half:
/// nodes that lost their connections together do not come back together.
fn backoff_ms(failures: u32, random: u64) -> u64 {
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

    fn refused(url: &str, schema: &str) -> Option<PgOptionsError> {
        let options = PgOptions {
            url: url.to_owned(),
            password: None,
            schema: schema.to_owned(),
            node: "a".to_owned(),
        };
        read_options(&options).err()
    }

    #[test]
    fn addresses_without_what_is_needed_are_refused() {
        const SCHEMA: &str = "answerd";
        for url in [
            "postgres://answerd@localhost/answerd",
            "postgres://answerd@127.0.0.1:5433,[::1]/answerd",
            "postgres://answerd@/answerd?host=/var/run/postgresql",
            "host=/run/a,/run/b user=answerd dbname=answerd",
        ] {
            assert_eq!(refused(url, SCHEMA), None, "{url}");
        }
        for (url, error) in [
            ("postgres://answerd:secret@localhost/answerd", PgOptionsError::PasswordInUrl),
            ("postgres://answerd@/answerd", PgOptionsError::Missing("host")),
            ("postgres://localhost/answerd", PgOptionsError::Missing("user")),
            ("postgres://answerd@localhost", PgOptionsError::Missing("database")),
            (
                "postgres://answerd@localhost,db2/answerd",
                PgOptionsError::Unencrypted("db2".to_owned()),
            ),
        ] {
            assert_eq!(refused(url, SCHEMA), Some(error), "{url}");
        }
        let unknown = refused("postgres://answerd@localhost/answerd?sslmod=require", SCHEMA);
        assert!(matches!(unknown, Some(PgOptionsError::Url(_))), "{unknown:?}");
    }

    #[test]
    fn server_that_is_silent_for_too_long_has_lost_its_connection() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let silent = std::future::pending::<Result<(), tokio_postgres::Error>>();
        let answer = runtime.block_on(within(Some(Duration::from_millis(1)), silent));
        assert!(answer.unwrap_err().is_lost());
    }

    #[test]
    fn schema_names_need_no_quotes() {
        let url = "postgres://answerd@localhost/answerd";
        for name in ["answerd", "_a1", "a".repeat(63).as_str()] {
            assert_eq!(refused(url, name), None, "{name}");
        }
        for name in ["", "1a", "Answerd", "a-b", "a;b", "pg_a", "ä", "a".repeat(64).as_str()] {
            let error = PgOptionsError::SchemaName(name.to_owned());
            assert_eq!(refused(url, name), Some(error), "{name}");
        }
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
