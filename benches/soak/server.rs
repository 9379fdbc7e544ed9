//! The server of the soak: this program once more, as a process of its own, whose jobs exist for
//! minutes. The settings count retention in hours.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use answerd::clock::Clock;
use answerd::config::Settings;
use answerd::server::Server;

const RETENTION_MS: u64 = 120_000;
/// Holds the store's directory in the server's environment.
const STORE: &str = "SOAK_STORE";

pub(crate) fn is_asked_for() -> bool {
    std::env::var_os(STORE).is_some()
}

/// Serves until standard input ends.
pub(crate) fn run() {
    let environment = [
        ("ANSWERD_STORE__PATH", std::env::var(STORE).unwrap()),
        ("ANSWERD_HTTP__BIND", "127.0.0.1:0".to_owned()),
        ("ANSWERD_CACHE__TTL_SECONDS", "60".to_owned()),
        ("ANSWERD_RETRY__RETRIES", "2".to_owned()),
        ("ANSWERD_RETRY__BACKOFF_MS", "100".to_owned()),
        ("ANSWERD_PRACTICE__LATENCY_MS", "20".to_owned()),
        ("ANSWERD_PRACTICE__FAILURE_PERCENT", "20".to_owned()),
        ("ANSWERD_WEBHOOKS__ALLOW_HOSTS", "[\"127.0.0.1\"]".to_owned()),
        ("ANSWERD_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
    ];
    let environment: BTreeMap<String, String> =
        environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut settings = Settings::load_from(None, &environment).unwrap();
    settings.store.retention_ms = RETENTION_MS;
    let server = Server::start(settings, Clock::System).unwrap();
    println!("{}", server.base_url());
    let ended = std::io::stdin().read_to_end(&mut Vec::new());
    ended.unwrap();
    server.stop();
    server.wait().unwrap();
}

/// The running server. It ends with its parent.
pub(crate) struct Process {
    child: Child,
    pub base: String,
}

impl Process {
    pub(crate) fn start(store: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(STORE, store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Process { child, base: line.trim_end().to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has stopped as it should.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success(), "the server did not stop properly");
    }
}
