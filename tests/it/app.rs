//! The app builder: a server with settings, clock and scripted upstreams of the test's choice, and
//! a client for it. Dropping it checks the store both ways.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use answerd::answer::{Answer, Kind, Source};
use answerd::clock::{Clock, ManualClock};
use answerd::config::Settings;
use answerd::job::{Reason, ScrapeRequest};
use answerd::net::Lookup;
use answerd::server::Server;
use answerd::store::Store;
use answerd::upstream::{Call, Upstream, UpstreamError, UpstreamOverrides};
use serde_json::Value;

use crate::postgres::PostgresServer;

/// Whether the servers under test share a database, as the long run has them do once more.
pub(crate) fn is_shared() -> bool {
    std::env::var_os("ANSWERD_TEST_SHARED_STORE").is_some()
}

/// 2026-05-11T12:00:00Z, where manual clocks start.
pub(crate) const START_MS: u64 = 1_778_500_800_000;

/// What a scripted upstream does with a question.
pub(crate) enum Step {
    Answer(Box<Answer>),
    Fail(UpstreamError),
    Panic,
    /// Answers when the gate opens, canceled or not.
    Hold(Gate),
}

/// Holds an attempt until it is opened. [`Gate::arrived`] waits for the attempt to be there.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// Waits until so many attempts have come to the gate.
    pub(crate) fn arrived(&self, count: usize) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        let waited =
            changed.wait_timeout_while(state, std::time::Duration::from_secs(20), |state| {
                state.arrived < count
            });
        assert!(!waited.unwrap().1.timed_out(), "no attempt came to the gate");
    }

    pub(crate) fn open(&self) {
        let (state, changed) = &*self.0;
        state.lock().unwrap().open = true;
        changed.notify_all();
    }

    /// Arrives, and waits until it is open.
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.arrived += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |state| !state.open).unwrap());
    }
}

/// An upstream that does what the test says, step by step, and then answers everything.
pub(crate) struct Scripted {
    name: String,
    steps: Mutex<VecDeque<Step>>,
    pub asked: Mutex<Vec<ScrapeRequest>>,
    /// The flag of the latest call that tells it to stop.
    stop: Mutex<Option<Arc<AtomicBool>>>,
}

impl Scripted {
    pub(crate) fn new(name: &str, steps: impl IntoIterator<Item = Step>) -> Arc<Scripted> {
        Arc::new(Scripted {
            name: name.to_owned(),
            steps: Mutex::new(steps.into_iter().collect()),
            asked: Mutex::default(),
            stop: Mutex::default(),
        })
    }

    /// Whether the latest call has been told that its answer is not wanted any more.
    pub(crate) fn told_to_stop(&self) -> bool {
        self.stop.lock().unwrap().as_ref().is_some_and(|stop| stop.load(Ordering::SeqCst))
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Upstream for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        *self.stop.lock().unwrap() = Some(call.canceled.clone());
        self.asked.lock().unwrap().push(request.clone());
        let step = self.steps.lock().unwrap().pop_front();
        match step {
            None => Ok(answer(&request.prompt)),
            Some(Step::Answer(answer)) => Ok(*answer),
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Panic) => panic!("scripted"),
            Some(Step::Hold(gate)) => {
                gate.pass();
                Ok(answer(&request.prompt))
            }
        }
    }
}

pub(crate) fn fail(reason: Reason) -> Step {
    Step::Fail(UpstreamError::new(reason, "The script says no."))
}

/// An answer with something in every list.
pub(crate) fn answer(prompt: &str) -> Answer {
    let source = |n: usize| Source {
        url: format!("https://example.com/{n}"),
        title: format!("Page {n}"),
        snippet: format!("Snippet {n}."),
        ..Source::default()
    };
    Answer {
        markdown: format!("The answer to **{}** is 42. [1]", prompt.len()),
        model: Some("scripted-1".to_owned()),
        queries: Some(vec!["what is it".to_owned()]),
        sources: Some(vec![source(1), source(2)]),
        citations: Some(vec![source(1)]),
        ..Answer::default()
    }
}

/// A server under test.
pub(crate) struct App {
    server: Option<Server>,
    pub base: String,
    agent: ureq::Agent,
    pub directory: Arc<tempfile::TempDir>,
    builder: Option<Builder>,
}

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    #[track_caller]
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        let json = self.json();
        assert!(json["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{self:?}");
        json["code"].as_str().unwrap().to_owned()
    }
}

/// What a server under test is started with.
#[derive(Clone)]
pub(crate) struct Builder {
    settings: BTreeMap<String, String>,
    config: String,
    clock: Clock,
    injected: UpstreamOverrides,
    lookup: Option<Lookup>,
    directory: Arc<tempfile::TempDir>,
}

impl Builder {
    /// A server with the shipped settings, the system's clock, and a temporary store.
    pub(crate) fn new() -> Builder {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let mut settings = BTreeMap::new();
        let store = directory.path().join("data").display().to_string();
        settings.insert("ANSWERD_STORE__PATH".to_owned(), store);
        settings.insert("ANSWERD_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned());
        if is_shared() {
            let server = PostgresServer::shared();
            for (name, value) in [
                ("STORE__URL", server.url()),
                ("STORE__SCHEMA", server.new_schema()),
                ("STORE__REQUIRE_STANDBY", "false".to_owned()),
                ("NODE__NAME", "test".to_owned()),
            ] {
                settings.insert(format!("ANSWERD_{name}"), value);
            }
        }
        Builder {
            settings,
            config: String::new(),
            clock: Clock::System,
            injected: UpstreamOverrides::new(),
            lookup: None,
            directory,
        }
    }

    /// Keeps the store in a file, whatever the other tests do.
    pub(crate) fn in_a_file(self) -> Builder {
        self.without("STORE__URL").without("STORE__SCHEMA").without("STORE__REQUIRE_STANDBY")
    }

    /// A setting, as the environment names it without its prefix: `("RETRY__RETRIES", "0")`.
    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Builder {
        self.settings.insert(format!("ANSWERD_{name}"), value.to_string());
        self
    }

    /// A variable of the environment that is no setting: where a key is, say.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Builder {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Lines of config.toml.
    pub(crate) fn config(mut self, lines: &str) -> Builder {
        self.config.push_str(lines);
        self.config.push('\n');
        self
    }

    /// Takes another config.toml than so far.
    pub(crate) fn other_config(self, change: impl FnOnce(&str) -> String) -> Builder {
        Builder { config: change(&self.config), ..self }
    }

    /// Takes settings back whose names begin so.
    pub(crate) fn without(mut self, prefix: &str) -> Builder {
        self.settings.retain(|name, _| !name.starts_with(&format!("ANSWERD_{prefix}")));
        self
    }

    /// Where the store is, and whatever else the test puts there.
    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// A clock that the test moves.
    pub(crate) fn manual(mut self) -> (Builder, Arc<ManualClock>) {
        let (clock, manual) = Clock::manual(START_MS);
        self.clock = clock;
        (self, manual)
    }

    /// A clock of the test's own.
    pub(crate) fn at(self, clock: Clock) -> Builder {
        Builder { clock, ..self }
    }

    /// Resolves the hosts of webhooks in the place of the system.
    pub(crate) fn lookup(self, lookup: Lookup) -> Builder {
        Builder { lookup: Some(lookup), ..self }
    }

    /// The scraper `chatgpt`, and any other named, answered by a scripted upstream.
    pub(crate) fn scripted(self, scraper: &str, upstream: &Arc<Scripted>) -> Builder {
        self.upstream(scraper, &upstream.name, upstream.clone())
    }

    /// A scraper that is answered by an upstream of the test's own.
    pub(crate) fn upstream(
        mut self,
        scraper: &str,
        name: &str,
        upstream: Arc<dyn Upstream>,
    ) -> Builder {
        self.injected.insert(name.to_owned(), upstream);
        self = self.config(&format!("[upstreams.{name}]\nkind = \"practice\""));
        self.set(
            &format!("SCRAPERS__{}__UPSTREAMS", scraper.to_uppercase()),
            format!("[\"{name}\"]"),
        )
    }

    pub(crate) fn start(self) -> App {
        let file = self.directory.path().join("config.toml");
        std::fs::write(&file, &self.config).unwrap();
        let settings = Settings::load_from(Some(&file), &self.settings).unwrap();
        let (clock, injected) = (self.clock.clone(), self.injected.clone());
        let server =
            Server::start_resolving(settings, clock, injected, self.lookup.clone()).unwrap();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(std::time::Duration::from_secs(60)))
            .proxy(None)
            .build();
        App {
            base: server.base_url(),
            server: Some(server),
            agent: config.new_agent(),
            directory: self.directory.clone(),
            builder: Some(self),
        }
    }
}

impl App {
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Checks the store that the server shared, if it did.
    fn assert_shared_sound(&self) {
        let Some(builder) = &self.builder else { return };
        let file = self.directory.path().join("config.toml");
        let settings = Settings::load_from(Some(&file), &builder.settings).unwrap();
        let Some(shared) = settings.store.shared else { return };
        let report = Store::check_shared(&shared, &builder.clock, &mut |_| {}).unwrap();
        assert!(report.problems.is_empty(), "{report:#?}");
    }

    /// Stops the server in order and starts it again on the same store.
    pub(crate) fn restart(mut self) -> App {
        let server = self.server.take().unwrap();
        server.stop();
        server.wait().unwrap();
        self.builder.take().unwrap().start()
    }

    /// As [`App::restart`], with a change of what it is started with.
    pub(crate) fn restart_with(mut self, change: impl FnOnce(Builder) -> Builder) -> App {
        let server = self.server.take().unwrap();
        server.stop();
        server.wait().unwrap();
        change(self.builder.take().unwrap()).start()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.call())
    }

    /// The lines of a response as they come.
    pub(crate) fn lines(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> impl Iterator<Item = String> + Send + use<> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = request.call().unwrap();
        assert_eq!(reply.status(), 200);
        let body = std::io::BufReader::new(reply.into_body().into_reader());
        std::io::BufRead::lines(body).map(|line| line.unwrap())
    }

    pub(crate) fn post(&self, path: &str) -> Reply {
        self.post_with(path, &[], "")
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send(body))
    }

    pub(crate) fn put(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = self.agent.put(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send(body))
    }

    pub(crate) fn method(&self, method: &str, path: &str) -> Reply {
        self.method_with(method, path, &[])
    }

    pub(crate) fn method_with(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        read(self.agent.run(request))
    }

    /// Any request, with a body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(self.agent.run(request.body(body.to_owned()).unwrap()))
    }

    /// Stops the server in order; gives the directory that it leaves.
    pub(crate) fn stop(mut self) -> Arc<tempfile::TempDir> {
        let server = self.server.take().unwrap();
        server.stop();
        server.wait().unwrap();
        self.directory.clone()
    }

    /// Queues a job; gives its id.
    #[track_caller]
    pub(crate) fn submit(&self, scraper: &str, prompt: &str) -> String {
        let reply = self.post(&format!("/scrapers/{scraper}/jobs?prompt={}", encoded(prompt)));
        reply.expect(202)["job_id"].as_str().unwrap().to_owned()
    }

    /// The job as soon as it is as wanted: for states that no poll can wait for.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100_000 {
            let job = self.get(&format!("/jobs/{id}")).expect(200);
            if wanted(&job) {
                return job;
            }
        }
        panic!("the job never came to that state");
    }

    /// The job once it has ended: a long poll, not a loop.
    #[track_caller]
    pub(crate) fn ended(&self, id: &str) -> Value {
        let job = self.get(&format!("/jobs/{id}?wait=30")).expect(200);
        assert_ne!(job["status"], "pending", "{job:#}");
        job
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        server.stop();
        let waited = server.wait();
        if !std::thread::panicking() {
            waited.unwrap();
            assert_sound(&self.store_path());
            self.assert_shared_sound();
        }
    }
}

/// Every index of a store agrees with every record, both ways.
#[track_caller]
pub(crate) fn assert_sound(store: &Path) {
    if is_shared() {
        return;
    }
    let report = Store::check(store).unwrap();
    assert!(report.problems.is_empty(), "{report:#?}");
}

pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn read(reply: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut reply = reply.unwrap();
    let headers = reply
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    Reply {
        status: reply.status().as_u16(),
        headers,
        text: reply.body_mut().read_to_string().unwrap(),
    }
}

/// Asks until there is an answer: for what no call can wait for.
#[track_caller]
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..200_000 {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("it never came to that");
}
