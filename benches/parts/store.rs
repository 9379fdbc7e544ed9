//! The store, on a disk: a step of a job alone in its transaction and together with others, and a
//! poll of a job that is done. `BENCH_DIR` says on which disk.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use answerd::job::{Event, Job, TransitionError};
use answerd::store::{
    Blocking, Effect, Listener, NewResult, Pending, QuickRepair, Store, StoreError, SubmitLimits,
};
use criterion::{Criterion, Throughput};

use crate::shared::{RESULT_BYTES, directory, open_store, queued_job};

/// The numbers of writes in one transaction.
const BATCHES: [usize; 4] = [1, 8, 64, 512];
const NOW_MS: u64 = 1_790_000_000_000;
const EXPIRES_MS: u64 = NOW_MS + 86_400_000;
/// So that a bench does not fill the disk.
const MEASURED: Duration = Duration::from_secs(1);
const SAMPLES: usize = 10;
/// Jobs of which one is polled.
const POLLED: usize = 10_000;

/// A step of a job's life that is one write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Submit,
    Start,
    Finish,
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let directory = directory();
    let mut group = criterion.benchmark_group("store");
    group.sample_size(SAMPLES).warm_up_time(MEASURED / 2).measurement_time(MEASURED);
    for (name, step) in [("submit", Step::Submit), ("start", Step::Start), ("finish", Step::Finish)]
    {
        for batch in BATCHES {
            let bench = StoreBench::open(&directory.path().join(format!("{name} {batch}")));
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(format!("{name}/{batch}"), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| bench.lives(batch, step)).sum());
            });
            bench.store.close();
        }
    }
    group.finish();
    polls(criterion, &directory.path().join("polls"));
}

fn polls(criterion: &mut Criterion, directory: &Path) {
    let bench = StoreBench::open(directory);
    let jobs = bench.done(POLLED);
    let ids: Vec<_> = jobs.iter().map(|job| bench.store.id_of(job)).collect();
    let mut next = ids.iter().cycle();
    criterion.bench_function("store/poll", |bencher| {
        bencher.iter(|| {
            let read = |_: &Job, result: Option<&[u8]>| result.map(<[u8]>::to_vec).unwrap();
            bench.store.read_job(*next.next().unwrap(), NOW_MS, read).wait().unwrap().unwrap()
        });
    });
    bench.store.close();
}

/// When transactions were committed: the store's own word for it.
#[derive(Default)]
struct Commits(Mutex<Vec<Instant>>);

impl Listener for Commits {
    fn committed(&self, _: &[Effect]) {
        self.0.lock().unwrap().push(Instant::now());
    }

    fn failed(&self, error: &StoreError) {
        panic!("the store failed: {error}");
    }
}

struct StoreBench {
    store: Store,
    commits: Arc<Commits>,
    /// The row of the job whose write holds the writer; see [`StoreBench::together`].
    holding: u64,
}

type Written<R> = Vec<Pending<Result<Job, R>>>;

impl StoreBench {
    fn open(directory: &Path) -> StoreBench {
        let store = open_store(directory, QuickRepair::Never, &["practice"]);
        let commits = Arc::new(Commits::default());
        store.listen(commits.clone());
        let bench = StoreBench { store, commits, holding: 0 };
        let holding = bench.submit(1).pop().unwrap().wait().unwrap().unwrap().row;
        StoreBench { holding, ..bench }
    }

    /// So many jobs taken through their lives up to a step: how long the transaction of that step
    /// took.
    fn lives(&self, count: usize, last: Step) -> Duration {
        let (jobs, took) = self.together(count, || self.submit(count));
        if last == Step::Submit {
            return took;
        }
        let (jobs, took) = self.together(count, || self.start(&jobs));
        if last == Step::Start {
            return took;
        }
        self.together(count, || self.finish(&jobs)).1
    }

    /// So many jobs that are done.
    fn done(&self, count: usize) -> Vec<Job> {
        let mut done = Vec::with_capacity(count);
        while done.len() < count {
            let batch = BATCHES[3].min(count - done.len());
            let (jobs, _) = self.together(batch, || self.submit(batch));
            let (jobs, _) = self.together(batch, || self.start(&jobs));
            done.extend(self.together(batch, || self.finish(&jobs)).0);
        }
        done
    }

    /// Has all that `queue` queues written in one transaction, by holding the writer in the one
    /// before; gives the jobs, and the time from that commit to the next.
    fn together<R: std::fmt::Debug>(
        &self,
        count: usize,
        queue: impl FnOnce() -> Written<R>,
    ) -> (Vec<Job>, Duration) {
        let before = self.store.writer_stats();
        let (held, holds) = std::sync::mpsc::channel();
        let (let_go, wait) = std::sync::mpsc::channel::<()>();
        let hold = move |_: &Job| {
            held.send(()).unwrap();
            wait.recv().unwrap();
            // Refused: nobody has this lease.
            Event::Release { lease: u32::MAX }
        };
        let holding = self.store.begin_transition(self.holding, NOW_MS, hold, None);
        holds.recv().unwrap();
        let pending = queue();
        let_go.send(()).unwrap();
        assert!(matches!(holding.wait(), Ok(Err(_))));
        let jobs = pending.into_iter().map(|job| job.wait().unwrap().unwrap()).collect();
        let after = self.store.writer_stats();
        assert_eq!(after.commits - before.commits, 2, "they were not in one transaction");
        assert_eq!(after.writes - before.writes, count as u64 + 1);
        let commits = std::mem::take(&mut *self.commits.0.lock().unwrap());
        let [.., held, written] = commits[..] else { panic!("a commit was not told") };
        (jobs, written - held)
    }

    fn submit(&self, count: usize) -> Written<answerd::store::SubmitError> {
        let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
        let job = |number| {
            let identity = self.store.new_identity("team-a").wait().unwrap();
            let prompt = format!("What is said about number {number}?");
            queued_job(identity, "practice", prompt, NOW_MS, EXPIRES_MS)
        };
        (0..count).map(|number| self.store.submit(job(number), None, limits)).collect()
    }

    fn start(&self, jobs: &[Job]) -> Written<TransitionError> {
        let start =
            |job: &Job| self.store.begin_transition(job.row, NOW_MS, |_: &Job| Event::Start, None);
        jobs.iter().map(start).collect()
    }

    fn finish(&self, jobs: &[Job]) -> Written<TransitionError> {
        let json = format!("{{\"result\":\"{}\"}}", "x".repeat(RESULT_BYTES)).into_bytes();
        let finish = |job: &Job| {
            let lease = job.lease;
            let result = NewResult { json: json.clone(), cache_hash: None };
            let succeed = move |_: &Job| Event::Succeed { lease, present: None };
            self.store.begin_transition(job.row, NOW_MS, succeed, Some(result))
        };
        jobs.iter().map(finish).collect()
    }
}
