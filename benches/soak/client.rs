//! A client of the soak, which does one thing after the other, and the receiver of its webhooks.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::minute::Times;

/// The longest that a request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The jobs that a client remembers: more than exist, so that it asks for expired ones too.
const REMEMBERED: usize = 4_000;
/// Prompts that are asked for again and again.
const REPEATED: usize = 20;
const BATCH_ITEMS: usize = 5;
/// What a client does, as words for the figures.
pub(crate) const NAMES: [&str; STEPS] = [
    "submits",
    "polls",
    "long polls",
    "event streams",
    "batches",
    "submits with a webhook",
    "cancels",
    "repeated submits",
    "submits with a start deadline",
    "looks at lists and figures",
];
pub(crate) const STEPS: usize = 10;
/// How many of a hundred steps each of these is.
const SHARES: [usize; STEPS] = [25, 35, 6, 4, 4, 8, 5, 7, 3, 3];
/// Has no divisor in common with a hundred, so that the kinds of steps mix.
const STRIDE: usize = 37;

pub(crate) struct Client {
    name: usize,
    base: String,
    hook: String,
    agent: ureq::Agent,
    number: usize,
    jobs: VecDeque<String>,
    times: Arc<Mutex<Times>>,
    /// How many steps of each kind it has made.
    pub made: [u64; STEPS],
}

impl Client {
    pub(crate) fn new(name: usize, base: &str, hook: String) -> Client {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .build()
            .new_agent();
        Client {
            name,
            base: base.to_owned(),
            hook,
            agent,
            number: 0,
            jobs: VecDeque::new(),
            times: Arc::default(),
            made: [0; STEPS],
        }
    }

    /// Where it notes how long its polls and submits have taken.
    pub(crate) fn times(&self) -> Arc<Mutex<Times>> {
        self.times.clone()
    }

    /// Does the next thing; panics when the answer is none that it may get.
    pub(crate) fn step(&mut self) {
        self.number += 1;
        let mut place = (self.name + self.number * STRIDE) % 100;
        let kind = SHARES.iter().position(|share| {
            let here = place < *share;
            place = place.wrapping_sub(*share);
            here
        });
        let kind = kind.unwrap();
        self.made[kind] += 1;
        let prompt = format!("soak-{}-{}", self.name, self.number);
        match kind {
            0 => drop(self.submit(&prompt, "")),
            1 => self.poll(),
            2 => {
                let id = self.submit(&prompt, "");
                let text = self.call("GET", &format!("/jobs/{id}?wait=30"), "", &[200]);
                assert!(!text.contains("\"pending\""), "{text}");
            }
            3 => {
                let id = self.submit(&prompt, "");
                let text = self.call("GET", &format!("/jobs/{id}/events"), "", &[200]);
                assert!(text.contains("event: done") || text.contains("event: failed"), "{text}");
            }
            4 => self.batch(&prompt),
            5 => drop(self.submit(&prompt, &format!("&webhook_url={}", self.hook))),
            6 => {
                let id = self.submit(&prompt, "");
                // It may have ended meanwhile.
                self.call("DELETE", &format!("/jobs/{id}"), "", &[200, 409]);
            }
            7 => drop(self.submit(&format!("again-{}", self.number % REPEATED), "")),
            8 => drop(self.submit(&prompt, "&start_within=1")),
            _ => {
                for path in ["/jobs?limit=50", "/scrapers", "/stats", "/usage", "/metrics"] {
                    self.call("GET", path, "", &[200]);
                }
            }
        }
    }

    fn submit(&mut self, prompt: &str, more: &str) -> String {
        let path = format!("/scrapers/practice/jobs?prompt={prompt}{more}");
        let began = Instant::now();
        let text = self.call("POST", &path, "", &[202]);
        self.times.lock().unwrap().submits.push(began.elapsed());
        let job: Value = serde_json::from_str(&text).unwrap();
        let id = job["job_id"].as_str().unwrap().to_owned();
        self.jobs.push_back(id.clone());
        if self.jobs.len() > REMEMBERED {
            self.jobs.pop_front();
        }
        id
    }

    fn poll(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let id = &self.jobs[self.number * STRIDE % self.jobs.len()];
        let path = format!("/jobs/{id}");
        let began = Instant::now();
        // It may have expired.
        self.call("GET", &path, "", &[200, 404]);
        self.times.lock().unwrap().polls.push(began.elapsed());
    }

    fn batch(&self, prompt: &str) {
        let prompts: Vec<String> =
            (0..BATCH_ITEMS).map(|item| format!("{prompt}-{item}")).collect();
        let body = json!({ "scraper": "practice", "prompts": prompts, "webhook_url": self.hook });
        let text = self.call("POST", "/batches", &body.to_string(), &[202]);
        let batch: Value = serde_json::from_str(&text).unwrap();
        let id = batch["batch_id"].as_str().unwrap();
        self.call("GET", &format!("/batches/{id}"), "", &[200]);
    }

    fn call(&self, method: &str, path: &str, body: &str, statuses: &[u16]) -> String {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .body(body.to_owned())
            .unwrap();
        let mut reply = self.agent.run(request).unwrap();
        let text = reply.body_mut().read_to_string().unwrap();
        let status = reply.status().as_u16();
        assert!(statuses.contains(&status), "{method} {path}: {status} {text}");
        text
    }
}

/// A receiver that takes every webhook and counts them.
pub(crate) struct Told {
    address: SocketAddr,
    count: Arc<AtomicU64>,
}

impl Told {
    pub(crate) fn start() -> Told {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let counted = count.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // The sender sees to what fails here.
                if take(stream.unwrap()).is_some() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Told { address, count }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

fn take(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim_end().parse().ok()?;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").ok()
}
