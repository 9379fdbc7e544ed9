//! The browsers that go through one proxy, for all upstreams that do: started when they are needed,
//! used by several jobs at once, ended when they have served long enough, replaced when they are
//! gone.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::bounds::Bounds;
use super::chromium::Chromium;
use super::driver::LocalDriver;
use super::fault::Fault;
use super::runtime::Runtime;
use super::session::Session;
use super::setup::Setup;
use super::whereabouts::Whereabouts;
use crate::job::Reason;

/// How long a waiting attempt sleeps before it looks whether it is still wanted.
pub(super) const WAIT_TURN: Duration = Duration::from_millis(100);
/// How long a browser may take to open a room before it is taken for gone, and a driver to be
/// connected to.
const CARE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of the service waits for rooms that are being removed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most jobs in one browser of a driver of ours at once: they all lose it when it is gone. The
/// sessions of a Grid may run on several machines, so that each has a browser there.
const ROOMS_MAX: usize = 8;

/// The bounds of a browser's service.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs after which a browser is replaced.
    pub jobs_max: u32,
    /// The most memory for each job in a browser, bytes.
    pub memory_bytes_max: u64,
}

/// Browsers of one setup.
pub struct Browsers {
    pub limits: Limits,
    setup: Setup,
    /// `None`: the driver runs elsewhere, at the setup's address.
    local: Option<Arc<LocalDriver>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Those that take jobs.
    running: Vec<Arc<Chromium>>,
    starting: usize,
    /// Sessions whose jobs have ended.
    leaving: JoinSet<()>,
}

impl Browsers {
    /// Starts nothing: the first session does.
    pub fn new(limits: Limits, setup: Setup, local: Option<Arc<LocalDriver>>) -> Arc<Browsers> {
        let (state, changed) = Default::default();
        Arc::new(Browsers { limits, setup, local, state, changed })
    }

    /// Returns a session with a room of its own, in a browser that runs or in a new one. Its pages
    /// take themselves to be at `at`.
    ///
    /// # Errors
    /// Returns an error if none can be started or opens a room in time.
    pub fn session(
        &self,
        runtime: &Runtime,
        at: &Whereabouts,
        bounds: &Bounds,
    ) -> Result<Session, Fault> {
        loop {
            let running = self.running(runtime, bounds)?;
            let is_new = running.is_none();
            let browser = match running {
                Some(browser) => browser,
                None => self.add(self.start(runtime, bounds))?,
            };
            let fault = match runtime.block_on(browser.room(at, &bounds.within(CARE_TIMEOUT))) {
                Ok(room) => return Ok(Session::new(browser, room)),
                Err(fault) => fault,
            };
            let is_over = matches!(fault, Fault::Canceled) || bounds.left().is_zero();
            if !is_over {
                self.retire(&browser);
            }
            runtime.block_on(release(browser));
            if is_new || is_over {
                return Err(fault);
            }
        }
    }

    /// Takes a session back, without having the caller wait: its room is removed, and a browser
    /// that does not do that, is old or is large takes no more jobs.
    pub fn give_back(self: &Arc<Self>, runtime: &Runtime, session: Session) {
        let browsers = self.clone();
        let mut state = self.lock();
        while state.leaving.try_join_next().is_some() {}
        runtime.spawn_in(&mut state.leaving, async move {
            let (browser, was_removed) = session.leave().await;
            let limits = browsers.limits;
            let most = limits.memory_bytes_max.saturating_mul(browsers.jobs_in(&browser));
            if !was_removed || browser.jobs() >= limits.jobs_max || browser.memory_bytes() > most {
                browsers.retire(&browser);
            }
            release(browser).await;
            browsers.changed.notify_all();
        });
    }

    /// Ends all browsers, those that still have jobs with their last one.
    pub fn end(&self, runtime: &Runtime) {
        let (running, mut leaving) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.running), std::mem::take(&mut state.leaving))
        };
        runtime.block_on(async {
            for browser in running {
                release(browser).await;
            }
            let all = async { while leaving.join_next().await.is_some() {} };
            // What is left ends with its driver.
            let _ = tokio::time::timeout(LEAVE_TIMEOUT, all).await;
            leaving.detach_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a browser with room for one more job, or none if one has to be started.
    fn running(&self, runtime: &Runtime, bounds: &Bounds) -> Result<Option<Arc<Chromium>>, Fault> {
        let rooms_max = if self.local.is_some() { ROOMS_MAX } else { 1 };
        let mut state = self.lock();
        loop {
            let is_gone = |browser: &mut Arc<Chromium>| !browser.bidi.is_open();
            let gone: Vec<_> = state.running.extract_if(.., is_gone).collect();
            for browser in gone {
                tracing::warn!("a browser was gone and is replaced");
                runtime.spawn_in(&mut state.leaving, release(browser));
            }
            let free = state.running.iter().find(|browser| Arc::strong_count(browser) <= rooms_max);
            if let Some(browser) = free {
                return Ok(Some(browser.clone()));
            }
            // Those who come while one starts want the same one.
            if state.starting == 0 || rooms_max == 1 {
                state.starting += 1;
                return Ok(None);
            }
            if bounds.is_canceled() {
                return Err(Fault::Canceled);
            }
            if bounds.left().is_zero() {
                return Err(Fault::Deadline { doing: "waiting for a browser".to_owned() });
            }
            let waited = self.changed.wait_timeout(state, WAIT_TURN);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Adds a browser that was started to those that take jobs.
    fn add(&self, started: Result<Chromium, Fault>) -> Result<Arc<Chromium>, Fault> {
        let mut state = self.lock();
        state.starting -= 1;
        self.changed.notify_all();
        let browser = Arc::new(started?);
        state.running.push(browser.clone());
        Ok(browser)
    }

    fn retire(&self, browser: &Arc<Chromium>) {
        self.lock().running.retain(|other| !Arc::ptr_eq(other, browser));
    }

    /// The jobs that a browser has, the one that asks included.
    fn jobs_in(&self, browser: &Arc<Chromium>) -> u64 {
        let state = self.lock();
        let listed = state.running.iter().any(|other| Arc::ptr_eq(other, browser));
        Arc::strong_count(browser).saturating_sub(usize::from(listed)) as u64
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
}

/// Ends a browser if nobody else has it.
async fn release(browser: Arc<Chromium>) {
    if let Some(browser) = Arc::into_inner(browser) {
        browser.end().await;
    }
}

/// Whether something listens at the driver's address.
async fn answers(url: &str) -> bool {
    let Some(address) = url.strip_prefix("http://") else { return true };
    let connect = tokio::net::TcpStream::connect(address.to_owned());
    matches!(tokio::time::timeout(CARE_TIMEOUT, connect).await, Ok(Ok(_)))
}
