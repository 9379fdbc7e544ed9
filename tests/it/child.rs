//! A second real process to kill: the answerd binary, serving on a port and a store of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running `answerd serve`. Dropping it kills it.
pub(crate) struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub base: String,
    agent: ureq::Agent,
}

/// Runs an `answerd` command to its end.
pub(crate) fn answerd(arguments: &[&str], store: &Path) -> std::process::Output {
    command(store).args(arguments).output().unwrap()
}

/// The command, not run yet.
pub(crate) fn command(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_answerd"));
    command
        .env("ANSWERD_STORE__PATH", store)
        .env("ANSWERD_HTTP__BIND", "127.0.0.1:0")
        .env("ANSWERD_LOG__LEVEL", "warn")
        .current_dir(store.parent().unwrap());
    command
}

impl Served {
    pub(crate) fn start(store: &Path, settings: &[(&str, &str)]) -> Served {
        Served::start_with(store, settings, |_| {})
    }

    /// As [`Served::start`], with a change of the command before it runs.
    pub(crate) fn start_with(
        store: &Path,
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut Command),
    ) -> Served {
        let mut command = command(store);
        command
            .args(["serve", "--json"])
            .envs(settings.iter().map(|(name, value)| (format!("ANSWERD_{name}"), value)))
            .stdout(Stdio::piped())
            .stdin(Stdio::null());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the server did not start: {error}: {line:?}"));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(std::time::Duration::from_secs(60)))
            .proxy(None)
            .build()
            .new_agent();
        Served { child, stdout, base: started["url"].as_str().unwrap().to_owned(), agent }
    }

    pub(crate) fn get(&self, path: &str) -> Result<(u16, Value), ureq::Error> {
        let mut reply = self.agent.get(format!("{}{path}", self.base)).call()?;
        let text = reply.body_mut().read_to_string()?;
        Ok((reply.status().as_u16(), serde_json::from_str(&text).unwrap()))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<(u16, Value), ureq::Error> {
        let mut reply =
            self.agent.put(format!("{}{path}", self.base)).send(body.to_string().as_str())?;
        let text = reply.body_mut().read_to_string()?;
        Ok((reply.status().as_u16(), serde_json::from_str(&text).unwrap()))
    }

    pub(crate) fn post(&self, path: &str) -> Result<(u16, Value), ureq::Error> {
        let mut reply = self.agent.post(format!("{}{path}", self.base)).send_empty()?;
        let text = reply.body_mut().read_to_string()?;
        // A reply that a kill has cut off acknowledges nothing.
        Ok((reply.status().as_u16(), serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Any request, with an idempotency key or without one. A 503 says when to ask again.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> Result<(u16, Value), ureq::Error> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let mut reply = self.agent.run(request.body(body.to_owned()).unwrap())?;
        let waits = reply.headers().contains_key("retry-after");
        assert!(waits || reply.status() != 503, "{method} {path}: {reply:?}");
        let text = reply.body_mut().read_to_string()?;
        Ok((reply.status().as_u16(), serde_json::from_str(&text).unwrap()))
    }

    /// The lines of a stream, up to its end.
    pub(crate) fn lines(&self, path: &str) -> Vec<String> {
        let mut reply = self.agent.get(format!("{}{path}", self.base)).call().unwrap();
        let reader = BufReader::new(reply.body_mut().as_reader());
        reader.lines().map(Result::unwrap).collect()
    }

    /// Sends a signal, such as `KILL`, while others hold the client.
    pub(crate) fn signal(&self, name: &str) {
        let arguments = ["-s", name, &self.child.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
    }

    /// SIGKILL: nothing is closed, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end: the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for it to end by itself: the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// What it has printed since its start, once it has ended.
    pub(crate) fn printed(&mut self) -> String {
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed).unwrap();
        printed
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory for a store, and the store's path in it.
pub(crate) fn store_directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("data");
    (directory, store)
}
