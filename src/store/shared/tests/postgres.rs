//! A real PostgreSQL server for the tests of a process: `postgres.sh` starts it and ends it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const SCRIPT: &str = include_str!("postgres.sh");

/// A server that belongs to this process. Dropping it ends it; so does the end of the process.
pub(crate) struct PostgresServer {
    watcher: Child,
    /// Open for as long as the server is to run.
    input: Option<ChildStdin>,
    folder: String,
    schemas: AtomicU32,
}

impl PostgresServer {
    /// Starts a server.
    pub(crate) fn start() -> PostgresServer {
        PostgresServer::start_with("")
    }

    /// Starts a standby of this server.
    pub(crate) fn start_standby(&self) -> PostgresServer {
        PostgresServer::start_with(&self.folder)
    }

    /// Starts a server; with the folder of another one's socket, as a standby of that.
    fn start_with(primary: &str) -> PostgresServer {
        let mut watcher = Command::new("sh")
            .env("PRIMARY", primary)
            .args(["-c", SCRIPT])
            .env("SCRIPT", SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Signals to the group of the tests do not reach it: it is to outlive them for a moment.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(folder) = line.trim().strip_prefix("ready ") else {
            panic!("PostgreSQL did not start; the reason is above");
        };
        let (folder, input) = (folder.to_owned(), watcher.stdin.take());
        PostgresServer { watcher, input, folder, schemas: AtomicU32::new(0) }
    }

    /// Returns the server that the tests of this process share. Each makes a schema of its own.
    pub(crate) fn shared() -> &'static PostgresServer {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(PostgresServer::start)
    }

    /// Returns the folder of the server's socket.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// Returns the address of the server's one database, for a user who may do everything.
    pub(crate) fn url(&self) -> String {
        self.url_as("answerd")
    }

    pub(crate) fn url_as(&self, role: &str) -> String {
        format!("postgres://{role}@/postgres?host={}", self.folder)
    }

    /// Returns the name of a schema that no other test has.
    pub(crate) fn new_schema(&self) -> String {
        format!("store_{}", self.schemas.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.watcher.wait();
    }
}
