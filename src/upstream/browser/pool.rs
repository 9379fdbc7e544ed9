//! The sessions of one upstream: at most a fixed number, reused while they are well, ended when they
//! have served long enough, replaced when they are gone.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::bounds::Bounds;
use super::driver::LocalDriver;
use super::fault::Fault;
use super::runtime::Runtime;
use super::session::Session;
use super::setup::Setup;
use crate::country::Country;
use crate::job::Reason;

/// How long a waiting attempt sleeps before it looks whether it is still wanted.
const WAIT_TURN: Duration = Duration::from_millis(100);
/// How long the look takes whether a session still lives, and its cleaning.
const CARE_TIMEOUT: Duration = Duration::from_secs(5);

/// The bounds of a session's service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most sessions at once.
    pub sessions: usize,
    /// Jobs after which a session is replaced.
    pub jobs_max: u32,
    /// Memory above which a session is replaced, bytes.
    pub memory_bytes_max: u64,
}

pub struct Pool {
    pub limits: Limits,
    setup: Setup,
    /// `None`: the driver runs elsewhere, at the setup's address.
    local: Option<Arc<LocalDriver>>,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    /// Sessions that there are or that are about to be.
    taken: usize,
}

/// What to do for a session.
enum Turn {
    Reuse(Session),
    /// Its place is taken; the session in the way is to be ended first.
    Start(Option<Session>),
}

impl Pool {
    pub fn new(limits: Limits, setup: Setup, local: Option<Arc<LocalDriver>>) -> Pool {
        Pool { limits, setup, local, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Returns a session for a country: one that waits with the same language, or a new one.
    ///
    /// # Errors
    /// Returns an error if none is free or can be started in time.
    pub fn take(
        &self,
        runtime: &Runtime,
        country: &Country,
        bounds: &Bounds,
    ) -> Result<Session, Fault> {
        loop {
            match self.turn(country, bounds)? {
                Turn::Reuse(mut session) => {
                    if runtime.block_on(is_well(&mut session, bounds)) {
                        return Ok(session);
                    }
                    tracing::warn!("a browser was gone and is replaced");
                    runtime.block_on(session.end());
                    self.free();
                }
                Turn::Start(old) => {
                    if let Some(old) = old {
                        runtime.block_on(old.end());
                    }
                    let started = self.start(runtime, country, bounds);
                    if started.is_err() {
                        self.free();
                    }
                    return started;
                }
            }
        }
    }

    fn turn(&self, country: &Country, bounds: &Bounds) -> Result<Turn, Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let same = state.idle.iter().rposition(|session| session.language == country.language);
            if let Some(at) = same {
                return Ok(Turn::Reuse(state.idle.remove(at)));
            }
            if state.taken < self.limits.sessions {
                state.taken += 1;
                return Ok(Turn::Start(None));
            }
            if !state.idle.is_empty() {
                return Ok(Turn::Start(Some(state.idle.remove(0))));
            }
            if bounds.is_canceled() {
                return Err(Fault::Canceled);
            }
            if bounds.left().is_zero() {
                return Err(Fault::Deadline { doing: "waiting for a browser".to_owned() });
            }
            let waited = self.freed.wait_timeout(state, WAIT_TURN);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn start(
        &self,
        runtime: &Runtime,
        country: &Country,
        bounds: &Bounds,
    ) -> Result<Session, Fault> {
        let mut setup = self.setup.clone();
        if let Some(local) = &self.local {
            let url = local.url().map_err(|error| {
                Fault::page(Reason::Unreachable, format!("has no browser: {error}"))
            })?;
            setup.webdriver_url = url;
        }
        let started = runtime.block_on(Session::start(&setup, country, bounds));
        if let (Err(Fault::Broken(_)), Some(local)) = (&started, &self.local)
            && !runtime.block_on(answers(&setup.webdriver_url))
        {
            local.give_up(&setup.webdriver_url);
        }
        started
    }

    /// Takes a session back. One that is broken, old or large is ended, any other cleaned.
    pub fn give_back(
        &self,
        runtime: &Runtime,
        mut session: Session,
        broken: bool,
        bounds: &Bounds,
    ) {
        session.jobs += 1;
        let old = session.jobs >= self.limits.jobs_max
            || session.memory_bytes() > self.limits.memory_bytes_max;
        let care = bounds.fresh(CARE_TIMEOUT);
        if broken || old || runtime.block_on(session.clear(&care)).is_err() {
            runtime.block_on(session.end());
            self.free();
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.push(session);
        drop(state);
        self.freed.notify_one();
    }

    fn free(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.taken = state.taken.saturating_sub(1);
        drop(state);
        self.freed.notify_one();
    }

    /// Ends all sessions that wait.
    pub fn end(&self, runtime: &Runtime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut state.idle);
        state.taken = state.taken.saturating_sub(idle.len());
        drop(state);
        for session in idle {
            runtime.block_on(session.end());
        }
    }
}

/// Whether a session's browser still answers.
async fn is_well(session: &mut Session, bounds: &Bounds) -> bool {
    session.leave_frames(&bounds.within(CARE_TIMEOUT)).await.is_ok()
}

/// Whether something listens at the driver's address.
async fn answers(url: &str) -> bool {
    let Some(address) = url.strip_prefix("http://") else { return true };
    let connect = tokio::net::TcpStream::connect(address.to_owned());
    matches!(tokio::time::timeout(CARE_TIMEOUT, connect).await, Ok(Ok(_)))
}
