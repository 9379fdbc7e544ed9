//! The model's side of the engine: what each step of a worker and of the scheduler does to the
//! jobs.

use std::collections::VecDeque;

use super::*;
use crate::engine::breakpoints::Point;
use crate::engine::tests::steps::Order;

/// What the service takes for a step of the clock.
const STEP_MS_MIN: u64 = 2_000;
/// Failures of the upstream in a row that do not yet give it a rest.
const ILL_MAX: u32 = 4;

/// A scraper's worker and its channel.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    channel: VecDeque<u64>,
    /// The row that it has taken.
    holds: Option<u64>,
}

impl Worker {
    /// A row is offered, unless it is taken already.
    pub(crate) fn offered(&mut self, row: u64) {
        if self.holds != Some(row) && !self.channel.contains(&row) {
            self.channel.push_back(row);
        }
    }
}

impl Model {
    /// Lets every thread go on until none has anything to do; attempts of a scraper whose gate is
    /// shut stay where they are.
    pub(super) fn settle(&mut self) {
        self.world.life().steps.engine.look_at_webhooks();
        loop {
            let ready = self.world.life().steps.ready();
            let held = |name: &str| scraper_of(name).is_some_and(|scraper| !self.open[scraper]);
            let next = ready.into_iter().find(|(name, at)| *at != Point::Asking || !held(name));
            let Some((name, at)) = next else { break };
            match scraper_of(&name) {
                Some(scraper) => self.step_worker(scraper, &name, at),
                None => self.step_other(&name, at),
            }
        }
        for (scraper, worker) in self.workers.iter().enumerate() {
            let idle = worker.holds.is_none();
            let now_ms = self.world.now_ms();
            let stuck = self.jobs.values().find(|job| {
                let ready = job.submit.scraper == scraper && !job.phase.finished();
                ready && job.due_ms <= now_ms && job.exists(now_ms)
            });
            let taken = self.world.life().steps.taken();
            assert!(!idle || stuck.is_none(), "at {now_ms} nobody works on {stuck:?}\n{taken}");
        }
    }

    fn step(&self, name: &str) -> Point {
        self.world.life().steps.step(name, Order::GoOn)
    }

    fn step_worker(&mut self, scraper: usize, name: &str, at: Point) {
        match at {
            Point::WorkerIdle => {
                let row = self.workers[scraper].channel.pop_front();
                assert!(row.is_some(), "{name} takes a row that nobody has offered");
                self.workers[scraper].holds = row;
                assert_eq!(self.step(name), Point::RowTaken);
            }
            Point::RowTaken => self.begin_attempt(scraper, name),
            Point::StartWritten => {
                let row = self.workers[scraper].holds.unwrap();
                let cached = self.serve_cached(row);
                let expected = if cached { Point::WorkerIdle } else { Point::Asking };
                self.rests(scraper, name, expected);
            }
            Point::Asking => {
                // No two results of one moment: which of them serves would be chance.
                self.world.clock.1.advance_ms(1);
                let act = self.next_act(scraper);
                self.world.script.next(act);
                assert_eq!(self.step(name), Point::OutcomeKnown);
                let behind = self.workers[scraper].channel.pop_front();
                if behind.is_some() {
                    // Its start is written behind the outcome.
                    assert_eq!(self.step(name), Point::RowTaken);
                }
                assert_eq!(self.step(name), Point::OutcomeWritten);
                self.end_attempt(scraper, act);
                match behind {
                    Some(_) => {
                        self.workers[scraper].holds = behind;
                        self.begin_attempt(scraper, name);
                    }
                    None => self.rests(scraper, name, Point::WorkerIdle),
                }
            }
            elsewhere => panic!("{name} at {elsewhere:?}"),
        }
    }

    /// Makes the step that writes the start of the row that a worker holds.
    fn begin_attempt(&mut self, scraper: usize, name: &str) {
        let row = self.workers[scraper].holds.unwrap();
        let begins = self.pick_up(row, self.world.now_ms());
        let expected = if begins { Point::StartWritten } else { Point::WorkerIdle };
        self.rests(scraper, name, expected);
    }

    /// Makes a step that leads to a point; who is idle has let go of its row.
    fn rests(&mut self, scraper: usize, name: &str, expected: Point) {
        assert_eq!(self.step(name), expected, "{name} has {:?}", self.workers[scraper]);
        if expected == Point::WorkerIdle {
            self.workers[scraper].holds = None;
        }
    }

    /// A worker takes a row: whether an attempt begins.
    fn pick_up(&mut self, row: u64, now_ms: UnixMs) -> bool {
        let Some(job) = self.jobs.get_mut(&row) else { return false };
        if job.phase.finished() || !job.exists(now_ms) {
            return false;
        }
        if job.start_by_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.fail(row, Reason::NotStartedInTime);
            return false;
        }
        if job.attempts > RETRIES {
            self.fail(row, Reason::Crashed);
            return false;
        }
        job.attempts += 1;
        (job.started, job.phase) = (true, Phase::Running);
        true
    }

    /// Whether the job of an attempt that has begun is answered by the cache.
    fn serve_cached(&mut self, row: u64) -> bool {
        let job = &self.jobs[&row];
        if !self.cached(job.submit.scraper, job.submit.prompt, job.submit.bypass) {
            return false;
        }
        let job = self.jobs.get_mut(&row).unwrap();
        job.attempts -= 1;
        (job.phase, job.cached) = (Phase::Done, true);
        self.ended(row);
        true
    }

    /// Whether the cache answers a request now.
    pub(super) fn cached(&self, scraper: usize, prompt: usize, bypass: bool) -> bool {
        let now_ms = self.world.now_ms();
        let entry = self.cache.iter().rev().find(|(what, _)| *what == (scraper, prompt));
        entry.filter(|_| !bypass).is_some_and(|(_, (stored_ms, row))| {
            let exists = self.jobs.get(row).is_some_and(|job| job.exists(now_ms));
            (now_ms - CACHE_MS..=now_ms).contains(stored_ms) && exists
        })
    }

    /// What the upstream does next: it fails only so often that it is not given a rest.
    fn next_act(&mut self, scraper: usize) -> Act {
        let row = self.workers[scraper].holds.unwrap();
        let wanted = self.jobs.get(&row).is_some_and(|job| !job.phase.finished());
        if !wanted {
            // It is not even asked.
            return self.act;
        }
        let act = match self.act {
            Act::Limit(_) if self.ill >= ILL_MAX => Act::Answer,
            act => act,
        };
        self.ill = if matches!(act, Act::Limit(_)) { self.ill + 1 } else { 0 };
        act
    }

    fn end_attempt(&mut self, scraper: usize, act: Act) {
        let now_ms = self.world.now_ms();
        let row = self.workers[scraper].holds.unwrap();
        let Some(job) = self.jobs.get_mut(&row) else { return };
        if job.phase != Phase::Running || !job.exists(now_ms) {
            return;
        }
        let retry = match act {
            Act::Answer => {
                job.phase = Phase::Done;
                let what = (job.submit.scraper, job.submit.prompt);
                self.stored.insert((now_ms, row), what);
                self.cache.push_back((what, (now_ms, row)));
                return self.ended(row);
            }
            Act::Fail(reason) => (reason.retryable(), reason, 0),
            Act::Limit(wait_ms) => (true, Reason::UpstreamRateLimited, wait_ms),
            Act::Panic | Act::Hang => unreachable!("the model does not do that"),
        };
        let (retryable, reason, wait_ms) = retry;
        let full_ms = BACKOFF_MS << (job.attempts - 1);
        let (soonest_ms, latest_ms) = (wait_ms.max(full_ms / 2), wait_ms.max(full_ms));
        if !retryable || job.attempts > RETRIES || now_ms + soonest_ms >= job.expires_ms {
            return self.fail(row, reason);
        }
        let id = job.id.clone();
        let read = |job: &Job, _: Uuid, _: Option<&[u8]>| (job.due_ms, Phase::of(&job.state));
        let (due_ms, phase) = self.world.service().job(&id, read).wait().unwrap();
        if phase == Phase::Failed(reason) && now_ms + latest_ms >= self.jobs[&row].expires_ms {
            // Where in its bounds the wait ends is the service's choice.
            return self.fail(row, reason);
        }
        assert!((now_ms + soonest_ms..=now_ms + latest_ms).contains(&due_ms));
        let job = self.jobs.get_mut(&row).unwrap();
        (job.phase, job.due_ms) = (Phase::Waiting, due_ms);
    }

    pub(super) fn fail(&mut self, row: u64, reason: Reason) {
        self.jobs.get_mut(&row).unwrap().phase = Phase::Failed(reason);
        self.ended(row);
    }

    /// A job has ended.
    pub(super) fn ended(&mut self, row: u64) {
        let job = &self.jobs[&row];
        let month = calendar_month(job.created_ms);
        *self.used.entry((job.submit.account, month)).or_default() += job.charge();
        if job.submit.webhook {
            self.webhooks.push(format!("msg_{}", job.id));
        }
        let done = job.phase == Phase::Done;
        if let Some(place) = job.batch {
            self.count(place, done);
        }
    }

    fn count(&mut self, place: usize, done: bool) {
        let batch = &mut self.batches[place];
        if batch.gone {
            return;
        }
        *(if done { &mut batch.done } else { &mut batch.failed }) += 1;
        if batch.done + batch.failed == batch.jobs {
            self.end_batch(place);
        }
    }

    pub(super) fn end_batch(&mut self, place: usize) {
        let batch = &self.batches[place];
        if batch.webhook {
            self.webhooks.push(format!("msg_{}", batch.id));
        }
    }

    fn step_other(&mut self, name: &str, at: Point) {
        let to = self.step(name);
        let now_ms = self.world.now_ms();
        if at == Point::OverdueFound {
            self.end_overdue(now_ms);
        }
        let refilled = matches!(at, Point::PassBegins | Point::OverdueEnded)
            && matches!(to, Point::ExpiredFound | Point::PassEnded);
        if refilled {
            self.refill(now_ms);
        }
        if at == Point::ExpiredFound {
            self.sweep(now_ms);
        }
    }

    fn end_overdue(&mut self, now_ms: UnixMs) {
        let late = |job: &&Expected| job.start_by_ms().is_some_and(|at_ms| at_ms <= now_ms);
        let rows: Vec<u64> = self.jobs.values().filter(late).map(|job| job.row).collect();
        for row in rows {
            if self.jobs[&row].exists(now_ms) {
                self.fail(row, Reason::NotStartedInTime);
            } else {
                self.remove(row);
            }
        }
    }

    fn refill(&mut self, now_ms: UnixMs) {
        // Before the others, by the commit that hastens them.
        if let Some(by_ms) = self.hasten.take() {
            let unfinished = self.jobs.values_mut().filter(|job| !job.phase.finished());
            let mut later: Vec<_> = unfinished.filter(|job| job.due_ms > now_ms).collect();
            later.sort_unstable_by_key(|job| (job.due_ms, job.row));
            for job in later {
                job.due_ms = (job.due_ms - by_ms).max(now_ms);
                // What runs, or was left running, is offered by the refill only.
                if job.due_ms == now_ms && job.phase != Phase::Running {
                    self.workers[job.submit.scraper].offered(job.row);
                }
            }
        }
        let ready = self.jobs.values().filter(|job| !job.phase.finished());
        let mut ready: Vec<_> = ready.filter(|job| job.due_ms <= now_ms).collect();
        ready.sort_unstable_by_key(|job| (job.due_ms, job.row));
        for job in ready {
            self.workers[job.submit.scraper].offered(job.row);
        }
    }

    fn sweep(&mut self, now_ms: UnixMs) {
        // A batch's row is before those of its jobs.
        for batch in self.batches.iter_mut().filter(|batch| batch.expires_ms <= now_ms) {
            batch.gone = true;
        }
        let expired = self.jobs.values().filter(|job| !job.exists(now_ms));
        for row in expired.map(|job| job.row).collect::<Vec<_>>() {
            self.remove(row);
        }
        let from_ms = now_ms - CACHE_MS;
        let to_ms = now_ms + 60_000;
        self.stored.retain(|(stored_ms, _), _| (from_ms..=to_ms).contains(stored_ms));
        self.cache.retain(|(_, (stored_ms, _))| *stored_ms <= to_ms);
        // By a clock that was set back they are not in the order of their times.
        while self.cache.front().is_some_and(|(_, (stored_ms, _))| *stored_ms < from_ms) {
            self.cache.pop_front();
        }
    }

    fn remove(&mut self, row: u64) {
        let job = self.jobs.remove(&row).unwrap();
        self.keys.retain(|_, of| *of != row);
        if let Some(place) = job.batch.filter(|_| !job.phase.finished()) {
            self.count(place, false);
        }
    }

    /// Another process has the jobs: one that was stopped in order has given back what ran.
    pub(super) fn reborn(&mut self, in_order: bool) {
        let now_ms = self.world.now_ms();
        // Not those whose outcome came after their expiry, before the clock was set back again.
        let held: Vec<u64> = self.workers.iter().filter_map(|worker| worker.holds).collect();
        for (row, job) in self.jobs.iter_mut().filter(|(_, job)| job.phase == Phase::Running) {
            if in_order && job.exists(now_ms) && held.contains(row) {
                job.attempts -= 1;
                job.phase = Phase::Queued;
            }
        }
        self.workers = Default::default();
        self.ill = 0;
        let known =
            self.stored.iter().filter(|((stored_ms, _), _)| *stored_ms >= now_ms - CACHE_MS);
        self.cache = known.map(|(entry, what)| (*what, *entry)).collect();
        let newest_ms = self.jobs.values().next_back().map_or(0, |job| job.created_ms);
        self.hasten = newest_ms.checked_sub(now_ms).filter(|by_ms| *by_ms >= STEP_MS_MIN);
    }
}

/// The scraper of a worker's name.
fn scraper_of(name: &str) -> Option<usize> {
    SCRAPERS.iter().position(|scraper| name.starts_with(scraper))
}
