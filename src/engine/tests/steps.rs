//! Steps the engine's threads one at a time: each stops at every breakpoint until the test lets it
//! go on, so that what happens and in which order is the test's choice alone.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::super::breakpoints::Point;
use super::*;

/// What a thread that stands at a point is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    GoOn,
    Panic,
}

/// Where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    Runs,
    Stands(Point),
    Told(Order),
}

/// What holds for all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Stepped,
    /// A stop that has no time left: the scheduler comes to its end, and everyone else stands where he
    /// is until the process ends.
    Stopping,
    /// Nobody stops any more.
    Free,
    /// The process is dead: a thread does nothing behind the point that it has come to.
    Killed,
}

#[derive(Default)]
struct State {
    mode: Mode,
    /// By the thread's name.
    threads: BTreeMap<String, Thread>,
}

/// An engine that is stepped.
pub(crate) struct Steps {
    pub engine: Arc<Engine>,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Steps {
    /// An engine all of whose threads stand at their first points.
    pub(crate) fn start(
        store: Arc<Store>,
        upstreams: Registry,
        settings: &Settings,
        clock: Clock,
    ) -> Steps {
        let engine = Engine::new(store, upstreams, settings, String::new(), None, clock);
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let stopped = state.clone();
        engine.context.breakpoints.set(Arc::new(move |point| stop_at(&stopped, point)));
        engine.run(settings).unwrap();
        let steps = Steps { engine, state };
        let mut threads = vec!["scheduler".to_owned()];
        for queue in &steps.engine.queues {
            let pool = &queue.pool;
            threads.extend((1..=pool.size).map(|number| format!("{}-{number}", pool.name)));
        }
        if !settings.webhooks.keys.is_empty() {
            let senders = 1..=settings.webhooks.workers;
            threads.extend(senders.map(|number| format!("webhook-{number}")));
        }
        for name in threads {
            steps.wait_for(&name);
        }
        steps
    }

    /// The threads that have something to do, by name, each at its point.
    pub(crate) fn ready(&self) -> Vec<(String, Point)> {
        let stand = self.stand();
        stand.into_iter().filter(|(name, point)| self.can_go_on(name, *point)).collect()
    }

    /// Lets a thread do its next step, or panic where it stands; gives the point at which it stands
    /// then.
    #[track_caller]
    pub(crate) fn step(&self, name: &str, order: Order) -> Point {
        {
            let mut state = lock(&self.state.0);
            let thread = state.threads.get_mut(name).expect("there is no such thread");
            assert!(matches!(thread, Thread::Stands(_)), "{name}: {thread:?}");
            *thread = Thread::Told(order);
            self.state.1.notify_all();
        }
        self.wait_for(name)
    }

    /// When something comes due for one of the threads, if none has anything to do before.
    pub(crate) fn next_due_ms(&self) -> UnixMs {
        let context = &self.engine.context;
        let scheduler_ms = self.engine.scheduler.next_ms();
        let sender_ms = context.store.next_delivery_ms(context.clock.now_ms());
        scheduler_ms.min(sender_ms.ok().flatten().unwrap_or(UnixMs::MAX))
    }

    /// The rows that the queues hold, each with the lease of its attempt.
    pub(crate) fn taken(&self) -> String {
        let mut text = String::new();
        for queue in &self.engine.queues {
            for (row, lease) in queue.claims() {
                let held = lease.map_or("waits".to_owned(), |lease| format!("runs, lease {lease}"));
                text.push_str(&format!("taken by {} {row}: {held}\n", queue.name()));
            }
        }
        text
    }

    /// Ends all threads where they stand, as a SIGKILL would. What the store's medium holds has to
    /// be saved before.
    pub(crate) fn kill(&self) {
        self.end(Mode::Killed);
    }

    /// Stops the engine in order; attempts that run go back.
    pub(crate) fn stop(&self) {
        // As a stop begins: whoever is let go on takes no row any more.
        self.engine.context.stop.send();
        self.end(Mode::Free);
    }

    /// Stops the engine in order while every thread stands where it is, and ends the process there.
    pub(crate) fn stop_where_they_stand(&self) {
        self.end(Mode::Stopping);
        self.end(Mode::Killed);
    }

    fn end(&self, mode: Mode) {
        lock(&self.state.0).mode = mode;
        self.state.1.notify_all();
        self.engine.stop(0);
    }

    fn stand(&self) -> Vec<(String, Point)> {
        let state = lock(&self.state.0);
        let stands = |(name, thread): (&String, &Thread)| match thread {
            Thread::Stands(point) => Some((name.clone(), *point)),
            Thread::Runs | Thread::Told(_) => None,
        };
        state.threads.iter().filter_map(stands).collect()
    }

    /// Whether a thread that goes on from a point comes to another one without more ado.
    fn can_go_on(&self, name: &str, point: Point) -> bool {
        let engine = &self.engine;
        let context = &engine.context;
        let now_ms = context.clock.now_ms();
        match point {
            Point::WorkerIdle => {
                let queue = engine.queues.iter().find(|queue| {
                    name.strip_prefix(queue.name()).is_some_and(|rest| rest.starts_with('-'))
                });
                let pool = &queue.expect("a worker has a queue").pool;
                pool.len(true) + pool.len(false) > 0
            }
            Point::SenderIdle => {
                context.store.outage().is_none() && engine.deliverer.has_due(now_ms)
            }
            Point::PassEnded => engine.scheduler.is_woken() || engine.scheduler.next_ms() <= now_ms,
            Point::StoreOut => context.store.outage().is_none(),
            Point::RowTaken
            | Point::StartWritten
            | Point::Asking
            | Point::OutcomeKnown
            | Point::OutcomeWritten
            | Point::WebhookUnsent
            | Point::WebhookSent
            | Point::WebhookNoted
            | Point::PassBegins
            | Point::OverdueFound
            | Point::OverdueEnded
            | Point::ExpiredFound
            | Point::ExpiredRemoved => true,
        }
    }

    /// Waits until a thread stands.
    #[track_caller]
    fn wait_for(&self, name: &str) -> Point {
        let runs = |state: &mut State| !matches!(state.threads.get(name), Some(Thread::Stands(_)));
        let waited = self.state.1.wait_timeout_while(lock(&self.state.0), PATIENCE, runs);
        let elsewhere = waited.unwrap_or_else(PoisonError::into_inner).0.threads.get(name).copied();
        match elsewhere {
            Some(Thread::Stands(point)) => point,
            Some(Thread::Runs | Thread::Told(_)) | None => {
                panic!("{name} has come to no point: {elsewhere:?}")
            }
        }
    }
}

/// The hook: the calling thread stops until the test orders it to go on.
fn stop_at((state, changed): &(Mutex<State>, Condvar), point: Point) {
    let current = std::thread::current();
    let name = current.name().expect("the engine's threads have names").to_owned();
    if name == "webhooks" {
        // The dispatcher is not stepped: it only hands on what is due.
        return;
    }
    let mut held = lock(state);
    let may_stand = |mode: Mode| match mode {
        Mode::Stepped => true,
        Mode::Stopping => name != "scheduler",
        Mode::Free | Mode::Killed => false,
    };
    if may_stand(held.mode) {
        held.threads.insert(name.clone(), Thread::Stands(point));
        changed.notify_all();
    }
    let stands =
        |state: &mut State| may_stand(state.mode) && state.threads[&name] == Thread::Stands(point);
    held = changed.wait_while(held, stands).unwrap_or_else(PoisonError::into_inner);
    let told = held.threads.insert(name.clone(), Thread::Runs);
    let mode = held.mode;
    drop(held);
    match (mode, told) {
        // Without the message that a panic prints.
        (Mode::Killed, _) => resume_unwind(Box::new("killed by the test")),
        (Mode::Stepped, Some(Thread::Told(Order::Panic))) => {
            resume_unwind(Box::new("a planned panic"));
        }
        (Mode::Free | Mode::Stepped | Mode::Stopping, _) => {}
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that fails holds it, and its threads have to end all the same.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
