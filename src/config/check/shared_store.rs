//! The settings of a store that several processes share.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::rules::range;
use crate::config::authorities;
use crate::config::file;
use crate::config::names::is_name;
use crate::config::redaction::quoted;
use crate::config::secret::Secret;
use crate::config::secret_source::SecretSource;
use crate::config::settings::SharedStoreSettings;

/// The most connections of a process that write.
const WRITERS_MAX: u64 = 16;
/// The most connections of a process that read.
const READERS_MAX: u64 = 64;
/// The longest wait for a database that is away, seconds.
const PATIENCE_SECONDS_MAX: u64 = 600;
/// The schemes of an address of PostgreSQL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Checks the settings of a shared store; `None` where the store is a file.
pub(super) fn check(
    typed: &file::File,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
    node: &str,
) -> Option<SharedStoreSettings> {
    let file::Store { url, schema, wake, writers, readers, .. } = &typed.store;
    let file::Store { patience_seconds, migrate, require_standby, .. } = &typed.store;
    range(problems, "store.writers", u64::from(*writers), 1, WRITERS_MAX);
    range(problems, "store.readers", u64::from(*readers), 1, READERS_MAX);
    range(problems, "store.patience_seconds", *patience_seconds, 1, PATIENCE_SECONDS_MAX);
    if url.is_empty() {
        return None;
    }
    // Not repeated: it may hold a password where none belongs.
    let Some(rest) = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        problems.push(
            "`store.url` must be an address such as `postgres://answerd@db1,db2/answerd`; what it \
             says is not repeated here, because it may hold a password"
                .to_owned(),
        );
        return None;
    };
    let role = rest.split('/').next().and_then(|place| place.rsplit_once('@'));
    if role.is_some_and(|(role, _)| role.contains(':')) || rest.contains("password=") {
        problems.push(
            "`store.url` has a password; put that into the variable that `store.password_env` \
             names, or into the file of `store.password_file`"
                .to_owned(),
        );
    }
    let file::Store { password_env: variable, password_file: path, .. } = &typed.store;
    let password = SecretSource { file: path, variable }.read(environment);
    let password = password.unwrap_or_else(|error| {
        problems.push(format!("`store.password_file` {error}"));
        String::new()
    });
    Some(SharedStoreSettings {
        url: url.clone(),
        password: (!password.is_empty()).then(|| Secret::new(password)),
        schema: schema.clone(),
        authorities: authorities::load("store.ca_file", &typed.store.ca_file, problems),
        wake: *wake,
        patience_seconds: *patience_seconds,
        writers: *writers,
        readers: *readers,
        migrate: *migrate,
        require_standby: *require_standby,
        node: node.to_owned(),
    })
}

/// Checks and returns the name of this process: that of the settings, or that of the host with the
/// port.
pub(super) fn node_name(typed: &file::File, problems: &mut Vec<String>) -> String {
    let name = &typed.node.name;
    if name.is_empty() {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let bind = typed.http.bind.parse::<SocketAddr>();
        return format!("{host}:{}", bind.map_or(0, |bind| bind.port()));
    }
    if !is_name(name) {
        problems.push(format!(
            "`node.name` must have 1 to 64 letters, digits, `-`, `_` or `.`; it is {}",
            quoted(name)
        ));
    }
    name.clone()
}
