//! The options of connecting to PostgreSQL: read and checked, before anything is connected.

use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::config::Secret;

/// The port of a host without one.
const PORT: u16 = 5432;
/// How long data may stay unacknowledged, seconds.
const UNACKNOWLEDGED_SECONDS_MAX: u64 = 10;
const KEEPALIVE_IDLE_SECONDS: u64 = 5;
const KEEPALIVE_INTERVAL_SECONDS: u64 = 3;
const KEEPALIVE_PROBES: u32 = 3;

/// The longest name of a schema, bytes (`NAMEDATALEN` of PostgreSQL, less one).
const SCHEMA_BYTES_MAX: usize = 63;

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
    /// The certificates of the authorities that sign those of the hosts, each in PEM; those of the
    /// machine where there are none.
    pub authorities: Vec<String>,
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
        "the connection to {0} would not be encrypted; leave `sslmode` out, or name a loopback \
         address or a Unix socket"
    )]
    Unencrypted(String),
    #[error("a certificate of an authority cannot be used: {0}")]
    Authority(String),
    #[error(
        "the machine has no certificates of authorities to verify that of the database by; install \
         them, or give the file of your own"
    )]
    NoAuthorities,
}

/// Reads the options into what connections to each host are made of.
pub(super) fn read_options(options: &PgOptions) -> Result<Vec<Config>, PgOptionsError> {
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
        // A host that is elsewhere is always reached by TLS, and its certificate verified.
        let is_elsewhere = matches!(host, Host::Tcp(name) if !is_of_this_machine(name));
        let is_encrypted = is_elsewhere || given.get_ssl_mode() == SslMode::Require;
        config.ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable });
        config.channel_binding(given.get_channel_binding());
        if let Some(session_options) = given.get_options() {
            config.options(session_options);
        }
        match host {
            Host::Unix(folder) => config.host_path(folder),
            Host::Tcp(name) if is_elsewhere && given.get_ssl_mode() == SslMode::Disable => {
                return Err(PgOptionsError::Unencrypted(name.clone()));
            }
            Host::Tcp(name) => config.host(name),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, schema: &str) -> Option<PgOptionsError> {
        let options = PgOptions {
            url: url.to_owned(),
            password: None,
            schema: schema.to_owned(),
            node: "a".to_owned(),
            authorities: Vec::new(),
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
            "postgres://answerd@localhost,db2/answerd",
            "postgres://answerd@db1,db2/answerd?sslmode=require",
            "postgres://answerd@localhost/answerd?sslmode=disable",
        ] {
            assert_eq!(refused(url, SCHEMA), None, "{url}");
        }
        for (url, error) in [
            ("postgres://answerd:secret@localhost/answerd", PgOptionsError::PasswordInUrl),
            ("postgres://answerd@/answerd", PgOptionsError::Missing("host")),
            ("postgres://localhost/answerd", PgOptionsError::Missing("user")),
            ("postgres://answerd@localhost", PgOptionsError::Missing("database")),
            (
                "postgres://answerd@localhost,db2/answerd?sslmode=disable",
                PgOptionsError::Unencrypted("db2".to_owned()),
            ),
        ] {
            assert_eq!(refused(url, SCHEMA), Some(error), "{url}");
        }
        let unknown = refused("postgres://answerd@localhost/answerd?sslmod=require", SCHEMA);
        assert!(matches!(unknown, Some(PgOptionsError::Url(_))), "{unknown:?}");
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
}
