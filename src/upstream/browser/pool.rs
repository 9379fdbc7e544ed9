//! The browsers of one upstream: at most a fixed number, each with one job at a time, used again
//! while they are well, ended when they have served long enough, replaced when they are gone.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::bounds::Bounds;
use super::chromium::Chromium;
use super::driver::LocalDriver;
use super::fault::{BrowserState, Fault};
use super::runtime::Runtime;
use super::session::Session;
use super::setup::Setup;
use super::whereabouts::Whereabouts;
use crate::job::Reason;

/// How long a waiting attempt sleeps before it looks whether it is still wanted.
const WAIT_TURN: Duration = Duration::from_millis(100);
/// How long a browser may take to open a room before it is taken for gone, and a driver to be
/// connected to.
const CARE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many turns the end of the service waits for browsers that are ended elsewhere.
const END_TURNS_MAX: usize = 50;

/// The bounds of a browser's service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most browsers at once.
    pub sessions: usize,
    /// Jobs after which a browser is replaced.
    pub jobs_max: u32,
    /// Memory above which a browser is replaced, bytes.
    pub memory_bytes_max: u64,
}

pub struct Pool {
    pub limits: Limits,
    setup: Setup,
    /// `None`: the driver runs elsewhere, at the setup's address.
    local: Option<Arc<LocalDriver>>,
    places: Arc<Places>,
}

#[derive(Default)]
struct Places {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Chromium>,
    /// Browsers that there are or that are about to be.
    taken: usize,
}

/// What to do for a browser.
enum Turn {
    Reuse(Chromium),
    /// Its place is taken.
    Start,
}

impl Pool {
    pub fn new(limits: Limits, setup: Setup, local: Option<Arc<LocalDriver>>) -> Pool {
        Pool { limits, setup, local, places: Arc::default() }
    }

    /// Returns a session with a room of its own, in a browser that waits or in a new one. Its pages
    /// take themselves to be at `at`.
    ///
    /// # Errors
    /// Returns an error if none is free or can be started in time.
    pub fn take(
        &self,
        runtime: &Runtime,
        at: &Whereabouts,
        bounds: &Bounds,
    ) -> Result<Session, Fault> {
        loop {
            let (mut browser, is_new) = match self.places.turn(self.limits.sessions, bounds)? {
                Turn::Reuse(browser) => (browser, false),
                Turn::Start => match self.start(runtime, bounds) {
                    Ok(browser) => (browser, true),
                    Err(fault) => {
                        self.places.free();
                        return Err(fault);
                    }
                },
            };
            let fault = match runtime.block_on(browser.room(at, &bounds.within(CARE_TIMEOUT))) {
                Ok(room) => return Ok(Session::new(browser, room)),
                Err(fault) => fault,
            };
            runtime.block_on(browser.end());
            self.places.free();
            if is_new || matches!(fault, Fault::Canceled) || bounds.left().is_zero() {
                return Err(fault);
            }
            tracing::warn!("a browser was gone and is replaced");
        }
    }

    /// Starts a browser, and the driver once more if it turns out to be gone.
    fn start(&self, runtime: &Runtime, bounds: &Bounds) -> Result<Chromium, Fault> {
        let Some(local) = &self.local else {
            return runtime.block_on(Chromium::start(&self.setup, bounds));
        };
        let mut tried_again = false;
        loop {
            let mut setup = self.setup.clone();
            setup.webdriver_url = local.url().map_err(|error| {
                Fault::page(Reason::Unreachable, format!("has no browser: {error}"))
            })?;
            let started = runtime.block_on(Chromium::start(&setup, bounds));
            let is_gone = matches!(started, Err(Fault::Broken(_)))
                && !runtime.block_on(answers(&setup.webdriver_url));
            if is_gone {
                local.give_up(&setup.webdriver_url);
            }
            if !is_gone || tried_again {
                return started;
            }
            tried_again = true;
        }
    }

    /// Takes a session back, without having the caller wait: its room is removed, and a browser
    /// that is broken, old or large ended.
    pub fn give_back(&self, runtime: &Runtime, session: Session, state: BrowserState) {
        let (places, limits) = (self.places.clone(), self.limits);
        runtime.spawn(async move {
            let (mut browser, left) = session.leave();
            browser.jobs += 1;
            let broken = match state {
                BrowserState::Well => false,
                BrowserState::Doubtful => tokio::time::timeout(CARE_TIMEOUT, left).await.is_err(),
                BrowserState::Broken => true,
            };
            let old =
                browser.jobs >= limits.jobs_max || browser.memory_bytes() > limits.memory_bytes_max;
            if broken || old {
                browser.end().await;
                places.free();
            } else {
                browser.prepare();
                places.wait_again(browser);
            }
        });
    }

    /// Ends all browsers that wait, and waits for those that are about to.
    pub fn end(&self, runtime: &Runtime) {
        for _ in 0..END_TURNS_MAX {
            let mut state = self.places.lock();
            let idle = std::mem::take(&mut state.idle);
            state.taken = state.taken.saturating_sub(idle.len());
            if idle.is_empty() {
                if state.taken == 0 {
                    return;
                }
                let waited = self.places.freed.wait_timeout(state, WAIT_TURN);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            drop(state);
            for browser in idle {
                runtime.block_on(browser.end());
            }
        }
    }
}

impl Places {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, sessions: usize, bounds: &Bounds) -> Result<Turn, Fault> {
        let mut state = self.lock();
        loop {
            if let Some(browser) = state.idle.pop() {
                return Ok(Turn::Reuse(browser));
            }
            if state.taken < sessions {
                state.taken += 1;
                return Ok(Turn::Start);
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

    fn wait_again(&self, browser: Chromium) {
        self.lock().idle.push(browser);
        self.freed.notify_one();
    }

    fn free(&self) {
        let mut state = self.lock();
        state.taken = state.taken.saturating_sub(1);
        drop(state);
        self.freed.notify_one();
    }
}

/// Whether something listens at the driver's address.
async fn answers(url: &str) -> bool {
    let Some(address) = url.strip_prefix("http://") else { return true };
    let connect = tokio::net::TcpStream::connect(address.to_owned());
    matches!(tokio::time::timeout(CARE_TIMEOUT, connect).await, Ok(Ok(_)))
}
