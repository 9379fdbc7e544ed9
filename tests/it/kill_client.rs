//! A client of the kill loop: it submits, repeats, cancels and polls at random, and keeps a ledger
//! of what it was told, and of whose webhook it must hear.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::encoded;
use crate::child::Served;

const ITEMS_MAX: usize = 6;
const RETRIES: u64 = 3;
/// How many times a minute is waited for a job's end.
const WAITS_MAX: usize = 10;
/// How often a client repeats a request that was refused for now.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// Numbers that a seed determines (SplitMix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
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
    hooked: bool,
}

/// What the client knows of a job that was acknowledged.
#[derive(Default)]
pub(crate) struct Known {
    canceled: bool,
    /// Once it has seen it.
    result: Option<Value>,
}

pub(crate) struct Client {
    name: usize,
    /// Of the receiver of webhooks.
    hook: String,
    dice: Dice,
    /// How much it has asked for; makes every prompt and key another one.
    asked: usize,
    pub jobs: BTreeMap<String, Known>,
    /// The jobs of each batch.
    pub batches: BTreeMap<String, Vec<String>>,
    /// With the id that it was answered with.
    keyed: Vec<(Keyed, String)>,
    /// The jobs and batches that were acknowledged with a webhook.
    hooked: HashSet<String>,
    /// What each of their webhooks must tell, once they have ended.
    pub to_tell: BTreeMap<String, Value>,
    /// Asked for, and not answered by the time of the kill.
    unanswered: Option<Keyed>,
    /// The prompts of submits without a key that were not answered, and whether they had a webhook:
    /// each may be a job or not.
    pub uncertain: HashMap<String, bool>,
    pub repeated: usize,
    /// The store may be away for a while.
    bears_outages: bool,
    /// Answers of a service whose store was away.
    pub refused: usize,
}

/// Why something was not answered.
pub(crate) enum Cut {
    /// The server is gone.
    Killed,
    /// Its store takes no writes for a while, or cannot be read. What was asked for may be done all
    /// the same.
    Refused,
}

impl Client {
    pub(crate) fn new(name: usize, seed: u64, hook: String) -> Client {
        Client {
            name,
            hook,
            dice: Dice(seed.wrapping_mul(1_000).wrapping_add(name as u64)),
            asked: 0,
            jobs: BTreeMap::new(),
            batches: BTreeMap::new(),
            keyed: Vec::new(),
            hooked: HashSet::new(),
            to_tell: BTreeMap::new(),
            unanswered: None,
            uncertain: HashMap::new(),
            repeated: 0,
            bears_outages: false,
            refused: 0,
        }
    }

    /// Makes it one that asks again while the store is away.
    pub(crate) fn bearing_outages(self) -> Client {
        Client { bears_outages: true, ..self }
    }

    /// Asks until the server is gone or it is to stop. Returns whether the server is gone.
    pub(crate) fn live(&mut self, served: &Served, stop: &AtomicBool, answered: &dyn Fn()) -> bool {
        let pauses = crossbeam_channel::tick(REFUSED_PAUSE);
        while !stop.load(Ordering::Relaxed) {
            match self.settle(served).and_then(|()| self.step(served)) {
                Ok(()) => answered(),
                Err(Cut::Killed) => return true,
                Err(Cut::Refused) => {
                    assert!(self.bears_outages, "the store was away");
                    self.refused += 1;
                    let _ = pauses.recv();
                }
            }
        }
        false
    }

    /// Repeats what was cut off, which is done once, whether it had been done or not.
    fn settle(&mut self, served: &Served) -> Result<(), Cut> {
        if let Some(keyed) = self.unanswered.clone() {
            self.submit_keyed(served, keyed)?;
            let last = self.keyed.len() - 1;
            self.repeat(served, last)?;
        }
        Ok(())
    }

    fn step(&mut self, served: &Served) -> Result<(), Cut> {
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
        let mut path = format!("/scrapers/practice/jobs?prompt={key}");
        let hooked = self.dice.below(2) == 0;
        if hooked {
            path.push_str(&format!("&webhook_url={}", encoded(&self.hook)));
        }
        Keyed { key, path, body: String::new(), hooked }
    }

    fn new_batch(&mut self) -> Keyed {
        let key = self.new_name();
        let count = 1 + self.dice.below(ITEMS_MAX);
        let prompts: Vec<String> = (0..count).map(|item| format!("{key}-{item}")).collect();
        let mut body = json!({ "scraper": "practice", "prompts": prompts });
        let hooked = self.dice.below(2) == 0;
        if hooked {
            body["webhook_url"] = json!(self.hook);
        }
        Keyed { key, path: "/batches".to_owned(), body: body.to_string(), hooked }
    }

    fn submit(&mut self, served: &Served) -> Result<(), Cut> {
        let Keyed { key: prompt, path, hooked, .. } = self.new_job();
        self.uncertain.insert(prompt.clone(), hooked);
        let job = call(served, "POST", &path, None, "")?.expect(202)?;
        self.uncertain.remove(&prompt);
        let id = text(&job, "job_id");
        self.hooked.extend(hooked.then(|| id.clone()));
        assert!(self.jobs.insert(id, Known::default()).is_none(), "one id was given twice: {job}");
        Ok(())
    }

    fn submit_keyed(&mut self, served: &Served, keyed: Keyed) -> Result<(), Cut> {
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
        self.hooked.extend(keyed.hooked.then(|| id.clone()));
        self.keyed.push((keyed, id));
        Ok(())
    }

    fn repeat(&mut self, served: &Served, at: usize) -> Result<(), Cut> {
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

    fn cancel(&mut self, served: &Served) -> Result<(), Cut> {
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

    fn poll(&mut self, served: &Served) -> Result<(), Cut> {
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
    pub(crate) fn finish(&mut self, served: &Served) -> Result<usize, Cut> {
        self.settle(served)?;
        let mut done = 0;
        for id in self.jobs.keys().cloned().collect::<Vec<_>>() {
            let job = ended(served, &id)?;
            self.compare(&id, &job);
            done += usize::from(job["status"] == "done");
            if self.hooked.contains(&id) {
                self.to_tell.insert(id, job);
            }
        }
        for (id, jobs) in &self.batches {
            let path = format!("/batches/{id}?fields=status");
            let batch = call(served, "GET", &path, None, "")?.expect(200)?;
            let counts = &batch["counts"];
            let count = |name: &str| counts[name].as_u64().unwrap();
            assert_eq!((count("refused"), count("pending")), (0, 0), "{batch}");
            assert_eq!(count("items"), jobs.len() as u64, "{batch}");
            assert_eq!(count("done") + count("failed"), count("items"), "{batch}");
            if self.hooked.contains(id) {
                self.to_tell.insert(id.clone(), batch);
            }
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
    fn expect(self, status: u16) -> Result<Value, Cut> {
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
) -> Result<Answer, Cut> {
    let (status, body) = served.send(method, path, key, body).map_err(|_| Cut::Killed)?;
    if status == 503 && body["code"] == "storage_failed" {
        return Err(Cut::Refused);
    }
    Ok(Answer { status, body })
}

fn ask(served: &Served, keyed: &Keyed) -> Result<Value, Cut> {
    call(served, "POST", &keyed.path, Some(&keyed.key), &keyed.body)?.expect(202)
}

/// The job once it has ended. What many kills have left takes its time.
fn ended(served: &Served, id: &str) -> Result<Value, Cut> {
    let mut job = Value::Null;
    for _ in 0..WAITS_MAX {
        job = call(served, "GET", &format!("/jobs/{id}?wait=60"), None, "")?.expect(200)?;
        if job["status"] != "pending" {
            return Ok(job);
        }
    }
    panic!("an acknowledged job does not end: {job}");
}

pub(crate) fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("{name} is not in {answer}")).to_owned()
}

fn items(batch: &Value) -> Vec<String> {
    batch["items"].as_array().unwrap().iter().map(|item| text(item, "job_id")).collect()
}
