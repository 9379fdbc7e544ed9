//! A real PostgreSQL server for the tests of a process: `postgres.sh` starts it and ends it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

const SCRIPT: &str = include_str!("postgres.sh");

/// A server that belongs to this process. Dropping it ends it; so does the end of the process.
pub(crate) struct PostgresServer {
    watcher: Child,
    /// Open for as long as the server is to run: its commands, and the answers to them.
    control: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
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
        let (input, mut line) = (watcher.stdin.take().unwrap(), String::new());
        let mut output = BufReader::new(watcher.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let Some(folder) = line.trim().strip_prefix("ready ") else {
            panic!("PostgreSQL did not start; the reason is above");
        };
        let (folder, control) = (folder.to_owned(), Mutex::new(Some((input, output))));
        PostgresServer { watcher, control, folder, schemas: AtomicU32::new(0) }
    }

    /// Returns the server that the tests of this process share. Each makes a schema of its own.
    pub(crate) fn shared() -> &'static PostgresServer {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(PostgresServer::start)
    }

    /// Ends the server in order; open connections are cut.
    pub(crate) fn stop(&self) {
        self.command("stop");
    }

    /// Ends all processes of the server at once, as a power cut does.
    pub(crate) fn kill(&self) {
        self.command("kill");
    }

    /// Starts the server again after it was ended.
    pub(crate) fn start_again(&self) {
        self.command("start");
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        self.command("promote");
    }

    fn command(&self, command: &str) {
        let mut control = self.control.lock().unwrap();
        let (input, output) = control.as_mut().unwrap();
        writeln!(input, "{command}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "PostgreSQL did not do this: {command}");
    }

    /// Makes commits wait for a standby, which is started, and waits until they do. The standby
    /// itself waits for none after it was promoted.
    pub(crate) fn start_synchronous_standby(&self) -> PostgresServer {
        let standby = self.start_standby();
        self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.ask("SELECT pg_reload_conf()");
        while self.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").is_empty() {}
        standby
    }

    /// Runs a statement and returns its rows, a line for each, with `|` between the columns.
    pub(crate) fn ask(&self, statement: &str) -> String {
        let psql = ["-h", &self.folder, "-U", "answerd", "-d", "postgres", "-XAtc", statement];
        let asked = Command::new("psql").args(psql).output().unwrap();
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8(asked.stdout).unwrap().trim_end().to_owned()
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
        drop(self.control.lock().unwrap().take());
        let _ = self.watcher.wait();
    }
}
