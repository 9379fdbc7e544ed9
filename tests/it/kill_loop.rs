//! Kills a loaded server at random moments, again and again, with an independent ledger in the
//! clients: what was acknowledged is there once and ends.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use crate::child::{Served, answerd, store_directory};

const ROUNDS: usize = 5;
const SEED: u64 = 1;
const CLIENTS: usize = 4;
/// A kill comes after so many answers of a round at most, and while the next are on their way.
const ANSWERS_MAX: usize = 200;
const ITEMS_MAX: usize = 6;
const RETRIES: u64 = 3;
/// How many times a minute is waited for a job's end.
const WAITS_MAX: usize = 10;
/// Slow and unsteady enough that jobs run, wait and fail at every kill.
const SETTINGS: [(&str, &str); 7] = [
    ("LOG__LEVEL", "error"),
    ("PRACTICE__LATENCY_MS", "10"),
    ("PRACTICE__FAILURE_PERCENT", "10"),
    ("SCRAPERS__PRACTICE__WORKERS", "8"),
    ("RETRY__RETRIES", "3"),
    ("RETRY__BACKOFF_MS", "100"),
    ("CACHE__TTL_SECONDS", "0"),
];

/// Numbers that a seed determines (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// What was asked for with an idempotency key.
#[derive(Clone)]
struct Keyed {
    key: String,
    path: String,
    body: String,
}

/// What the client knows of a job that was acknowledged.
#[derive(Default)]
struct Known {
    canceled: bool,
    /// Once it has seen it.
    result: Option<Value>,
}

struct Client {
    name: usize,
    dice: Dice,
    /// How much it has asked for; makes every prompt and key another one.
    asked: usize,
    jobs: BTreeMap<String, Known>,
    /// The jobs of each batch.
    batches: BTreeMap<String, Vec<String>>,
    /// With the id that it was answered with.
    keyed: Vec<(Keyed, String)>,
    /// Asked for, and not answered by the time of the kill.
    unanswered: Option<Keyed>,
    /// The prompts of submits without a key that were not answered: each may be a job or not.
    uncertain: HashSet<String>,
    repeated: usize,
}

/// The server is gone.
struct Killed;

impl Client {
    fn new(name: usize, seed: u64) -> Client {
        Client {
            name,
            dice: Dice(seed.wrapping_mul(1_000).wrapping_add(name as u64)),
            asked: 0,
            jobs: BTreeMap::new(),
            batches: BTreeMap::new(),
            keyed: Vec::new(),
            unanswered: None,
            uncertain: HashSet::new(),
            repeated: 0,
        }
    }

    /// Asks until the server is gone.
    fn live(&mut self, served: &Served, answered: &dyn Fn()) {
        if self.settle(served).is_err() {
            return;
        }
        while self.step(served).is_ok() {
            answered();
        }
    }

    /// Repeats what was cut off, which is done once, whether it had been done or not.
    fn settle(&mut self, served: &Served) -> Result<(), Killed> {
        if let Some(keyed) = self.unanswered.clone() {
            self.submit_keyed(served, keyed)?;
            let last = self.keyed.len() - 1;
            self.repeat(served, last)?;
        }
        Ok(())
    }

    fn step(&mut self, served: &Served) -> Result<(), Killed> {
        match self.dice.below(100) {
            0..35 => self.submit(served),
            35..55 => {
                let keyed = self.new_job();
                self.submit_keyed(served, keyed)
            }
            55..65 => {
                let keyed = self.new_batch();
                self.submit_keyed(served, keyed)
            }
            65..75 if !self.keyed.is_empty() => {
                let at = self.dice.below(self.keyed.len());
                self.repeat(served, at)
            }
            65..85 => self.cancel(served),
            _ => self.poll(served),
        }
    }

    fn new_name(&mut self) -> String {
        self.asked += 1;
        format!("{}-{}", self.name, self.asked)
    }

    fn new_job(&mut self) -> Keyed {
        let key = self.new_name();
        let path = format!("/scrapers/practice/jobs?prompt={key}");
        Keyed { key, path, body: String::new() }
    }

    fn new_batch(&mut self) -> Keyed {
        let key = self.new_name();
        let count = 1 + self.dice.below(ITEMS_MAX);
        let prompts: Vec<String> = (0..count).map(|item| format!("{key}-{item}")).collect();
        let body = json!({ "scraper": "practice", "prompts": prompts }).to_string();
        Keyed { key, path: "/batches".to_owned(), body }
    }

    fn submit(&mut self, served: &Served) -> Result<(), Killed> {
        let Keyed { key: prompt, path, .. } = self.new_job();
        self.uncertain.insert(prompt.clone());
        let job = call(served, "POST", &path, None, "")?.expect(202)?;
        self.uncertain.remove(&prompt);
        let id = text(&job, "job_id");
        assert!(self.jobs.insert(id, Known::default()).is_none(), "one id was given twice: {job}");
        Ok(())
    }

    fn submit_keyed(&mut self, served: &Served, keyed: Keyed) -> Result<(), Killed> {
        self.unanswered = Some(keyed.clone());
        let answer = ask(served, &keyed)?;
        self.unanswered = None;
        let id = if keyed.body.is_empty() {
            let id = text(&answer, "job_id");
            assert!(self.jobs.insert(id.clone(), Known::default()).is_none(), "{answer}");
            id
        } else {
            let id = text(&answer, "batch_id");
            let jobs = items(&answer);
            for job in &jobs {
                assert!(self.jobs.insert(job.clone(), Known::default()).is_none(), "{answer}");
            }
            assert!(self.batches.insert(id.clone(), jobs).is_none(), "{answer}");
            id
        };
        self.keyed.push((keyed, id));
        Ok(())
    }

    fn repeat(&mut self, served: &Served, at: usize) -> Result<(), Killed> {
        let (keyed, id) = &self.keyed[at];
        let answer = ask(served, keyed)?;
        let name = if keyed.body.is_empty() { "job_id" } else { "batch_id" };
        assert_eq!(text(&answer, name), *id, "the key {} was forgotten", keyed.key);
        if let Some(jobs) = self.batches.get(id) {
            assert_eq!(items(&answer), *jobs);
        }
        self.repeated += 1;
        Ok(())
    }

    fn some_job(&mut self) -> Option<String> {
        let at = self.dice.below(self.jobs.len().max(1));
        self.jobs.keys().nth(at).cloned()
    }

    fn cancel(&mut self, served: &Served) -> Result<(), Killed> {
        let Some(id) = self.some_job() else { return Ok(()) };
        let answer = call(served, "DELETE", &format!("/jobs/{id}"), None, "")?;
        if answer.status == 409 {
            return Ok(());
        }
        let job = answer.expect(200)?;
        assert_eq!(job["error_code"], "canceled", "{job}");
        self.jobs.entry(id).or_default().canceled = true;
        Ok(())
    }

    fn poll(&mut self, served: &Served) -> Result<(), Killed> {
        let Some(id) = self.some_job() else { return Ok(()) };
        let job = call(served, "GET", &format!("/jobs/{id}"), None, "")?.expect(200)?;
        self.compare(&id, &job);
        Ok(())
    }

    fn compare(&mut self, id: &str, job: &Value) {
        let Some(known) = self.jobs.get_mut(id) else { return };
        assert!(job["attempts"].as_u64().unwrap() <= 1 + RETRIES, "{job}");
        if known.canceled {
            assert_eq!(job["error_code"], "canceled", "{job}");
        }
        match &known.result {
            Some(result) => assert_eq!(job["result"], *result, "a result has changed: {job}"),
            None if job["status"] == "done" => known.result = Some(job["result"].clone()),
            None => {}
        }
    }

    /// Waits for the end of everything and compares it with the ledger: how many are done.
    fn finish(&mut self, served: &Served) -> Result<usize, Killed> {
        self.settle(served)?;
        let mut done = 0;
        for id in self.jobs.keys().cloned().collect::<Vec<_>>() {
            let job = ended(served, &id)?;
            self.compare(&id, &job);
            done += usize::from(job["status"] == "done");
        }
        for (id, jobs) in &self.batches {
            let batch = call(served, "GET", &format!("/batches/{id}"), None, "")?.expect(200)?;
            let counts = &batch["counts"];
            let count = |name: &str| counts[name].as_u64().unwrap();
            assert_eq!((count("refused"), count("pending")), (0, 0), "{batch}");
            assert_eq!(count("items"), jobs.len() as u64, "{batch}");
            assert_eq!(count("done") + count("failed"), count("items"), "{batch}");
        }
        for at in 0..self.keyed.len() {
            self.repeat(served, at)?;
        }
        Ok(done)
    }
}

struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn expect(self, status: u16) -> Result<Value, Killed> {
        assert_eq!(self.status, status, "{}", self.body);
        Ok(self.body)
    }
}

/// An answer that a kill has cut off acknowledges nothing.
fn call(
    served: &Served,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &str,
) -> Result<Answer, Killed> {
    let (status, body) = served.send(method, path, key, body).map_err(|_| Killed)?;
    Ok(Answer { status, body })
}

fn ask(served: &Served, keyed: &Keyed) -> Result<Value, Killed> {
    call(served, "POST", &keyed.path, Some(&keyed.key), &keyed.body)?.expect(202)
}

/// The job once it has ended. What many kills have left takes its time.
fn ended(served: &Served, id: &str) -> Result<Value, Killed> {
    let mut job = Value::Null;
    for _ in 0..WAITS_MAX {
        job = call(served, "GET", &format!("/jobs/{id}?wait=60"), None, "")?.expect(200)?;
        if job["status"] != "pending" {
            return Ok(job);
        }
    }
    panic!("an acknowledged job does not end: {job}");
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is not in {answer}")).to_owned()
}

fn items(batch: &Value) -> Vec<String> {
    batch["items"].as_array().unwrap().iter().map(|item| text(item, "job_id")).collect()
}

/// All clients against one server, until it is killed.
fn round(served: &Served, clients: &mut [Client], answers: usize) {
    let count = AtomicUsize::new(0);
    let (enough, reached) = channel();
    std::thread::scope(|scope| {
        for client in clients {
            let (count, enough): (_, Sender<()>) = (&count, enough.clone());
            scope.spawn(move || {
                client.live(served, &|| {
                    if count.fetch_add(1, Ordering::Relaxed) == answers {
                        enough.send(()).unwrap();
                    }
                });
            });
        }
        drop(enough);
        // An error: every client has failed, and says so when the scope ends.
        let _ = reached.recv();
        served.signal_kill();
    });
}

/// A number from the environment, for the long run.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let rounds = setting("ANSWERD_KILL_ROUNDS", ROUNDS as u64) as usize;
    let seed = setting("ANSWERD_KILL_SEED", SEED);
    let mut dice = Dice(seed);
    let (_directory, store) = store_directory();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|name| Client::new(name, seed)).collect();
    for _ in 0..rounds {
        let served = Served::start(&store, &SETTINGS);
        round(&served, &mut clients, dice.below(ANSWERS_MAX));
        served.kill();
    }
    let mut served = Served::start(&store, &SETTINGS);
    let mut done = 0;
    for client in &mut clients {
        done += client.finish(&served).ok().unwrap();
    }
    assert_eq!(served.terminate(), Some(0));
    let checked = answerd(&["db", "check"], &store);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let (known, uncertain) = compare_export(&store, &clients);
    let batches: usize = clients.iter().map(|client| client.batches.len()).sum();
    let repeated: usize = clients.iter().map(|client| client.repeated).sum();
    eprintln!(
        "seed {seed}: {rounds} kills, {known} jobs acknowledged ({batches} batches), {done} done, \
         {repeated} repeated submits, 0 lost, 0 doubled ({uncertain} others were not answered and \
         are there)"
    );
}

/// Every job that is stored is known or was asked for without an answer, and every prompt is there
/// once: how many are known, and how many are not.
fn compare_export(store: &Path, clients: &[Client]) -> (usize, usize) {
    let exported = answerd(&["db", "export"], store);
    let known: HashSet<&String> = clients.iter().flat_map(|client| client.jobs.keys()).collect();
    let uncertain: HashSet<&String> = clients.iter().flat_map(|client| &client.uncertain).collect();
    let (mut found, mut others) = (0, 0);
    let mut prompts = HashSet::new();
    for line in String::from_utf8(exported.stdout).unwrap().lines() {
        let job: Value = serde_json::from_str(line).unwrap();
        let prompt = text(&job, "prompt");
        if known.contains(&text(&job, "job_id")) {
            found += 1;
        } else {
            assert!(uncertain.contains(&prompt), "nobody asked for {job}");
            others += 1;
        }
        assert!(prompts.insert(prompt), "a prompt is there twice: {job}");
    }
    let acknowledged: usize = clients.iter().map(|client| client.jobs.len()).sum();
    assert_eq!((found, known.len()), (acknowledged, acknowledged), "jobs are lost or shared");
    (found, others)
}
