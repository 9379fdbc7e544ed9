//! One browser: how it is started, the rooms that it has for jobs, and its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::bidi::{Bidi, BidiError};
use super::bounds::Bounds;
use super::client::{self, Started};
use super::event::{CHANNEL, WANTED};
use super::fault::Fault;
use super::room::Room;
use super::setup::{COMMAND_TIMEOUT, Setup, capabilities, remove};
use super::whereabouts::Whereabouts;
use super::{driver, processes};

/// How long a browser may take to start, and to end in order.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// The world of our script in each page: pages see nothing of it, nor it of their scripts.
pub(crate) const SANDBOX: &str = "answerd";

/// The script of this module's pages as the function that puts it there. It is put into a document
/// when that is first asked: as a preload script it would run in every frame of every page, and
/// Chromium 156 delivers nothing of what such a script in a world of its own tells.
pub(crate) static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let parts = concat!(
        include_str!("page/find.js"),
        include_str!("page/act.js"),
        include_str!("page/read.js"),
        include_str!("page/watch.js"),
        include_str!("page/run.js"),
    );
    format!("(tell) => {{\n{parts}\nglobalThis.run = run;\nhear(tell);\n}}")
});

/// A running browser. [`Chromium::end`] it: dropped, it is only forgotten.
pub struct Chromium {
    pub bidi: Bidi,
    started: Started,
    pub user_agent: String,
    /// Whose end ends the browser for certain; `None` on another machine.
    profile: Option<PathBuf>,
    jobs: AtomicU32,
    /// The room of the next job.
    next: Mutex<Option<Opening>>,
    /// The bound that the last page was ended for, MiB; 0 if none was.
    ended_page_mib: AtomicU64,
}

/// A room that is being made.
type Opening = JoinHandle<Result<Room, BidiError>>;

impl Chromium {
    /// Starts a browser.
    ///
    /// # Errors
    /// Returns an error if it does not start in time.
    pub async fn start(setup: &Setup, bounds: &Bounds) -> Result<Chromium, Fault> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile = setup.folder.as_ref().map(|folder| folder.join(format!("s-{number}")));
        if let Some(profile) = &profile {
            driver::make_private(profile)
                .map_err(|error| Fault::broken(format!("its profile cannot be made: {error}")))?;
        }
        let wanted = capabilities(setup, profile.as_deref());
        let timeout = START_TIMEOUT + COMMAND_TIMEOUT;
        let mut starting =
            tokio::spawn(client::start(setup.webdriver_url.clone(), wanted, timeout));
        let doing = "starting the browser";
        let started = match bounds.within(START_TIMEOUT).hold(doing, &mut starting).await {
            Ok(Ok(Ok(started))) => started,
            Ok(Ok(Err(why))) => {
                remove(profile.as_deref());
                return Err(Fault::not_started(why));
            }
            Ok(Err(error)) => {
                remove(profile.as_deref());
                return Err(Fault::not_started(error.to_string()));
            }
            Err(fault) => {
                // It is ended when it has started.
                tokio::spawn(async move {
                    match starting.await {
                        Ok(Ok(started)) => end(&started, profile.as_deref()).await,
                        _ => remove(profile.as_deref()),
                    }
                });
                return Err(fault);
            }
        };
        let greeting = greet(&started.socket_url);
        let greeted = bounds.within(START_TIMEOUT).hold("starting the browser", greeting).await;
        match greeted.and_then(|greeted| greeted) {
            Ok((bidi, user_agent)) => {
                let (jobs, next, ended_page_mib) = Default::default();
                Ok(Chromium { bidi, started, user_agent, profile, jobs, next, ended_page_mib })
            }
            Err(fault) => {
                end(&started, profile.as_deref()).await;
                Err(fault)
            }
        }
    }

    /// Returns a room for a job whose user is at a place: the one that was made ahead, or a new one.
    ///
    /// # Errors
    /// Returns an error if the browser is gone, or has none in time.
    pub async fn room(&self, at: &Whereabouts, bounds: &Bounds) -> Result<Room, Fault> {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        let ahead = self.next().take();
        let mut opening = ahead.unwrap_or_else(|| self.open());
        let room = loop {
            let mut room = match bounds.hold("opening a window", &mut opening).await {
                Ok(Ok(opened)) => opened?,
                Ok(Err(error)) => return Err(Fault::broken(error.to_string())),
                Err(fault) => {
                    // Another job may wait for it.
                    *self.next() = Some(opening);
                    return Err(fault);
                }
            };
            if !room.is_lost() {
                break room;
            }
            room.leave(&self.bidi).await;
            opening = self.open();
        };
        // That it was opened says nothing of whether the browser is still there; this does.
        let settling = room.settle(&self.bidi, at, &self.user_agent);
        bounds.hold("opening a window", settling).await??;
        Ok(room)
    }

    /// Begins to make the room of the next job, beside whatever is done meanwhile.
    pub fn prepare(&self) {
        self.next().get_or_insert_with(|| self.open());
    }

    fn open(&self) -> Opening {
        tokio::spawn(Room::open(self.bidi.clone()))
    }

    fn next(&self) -> MutexGuard<'_, Option<Opening>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many jobs it was used for.
    pub fn jobs(&self) -> u32 {
        self.jobs.load(Ordering::Relaxed)
    }

    /// Ends the largest process of its pages if that takes more than `most_bytes`: its job loses
    /// it. Does nothing on another machine.
    pub fn end_large_page(&self, most_bytes: u64) {
        if self.profile.as_deref().is_some_and(|it| processes::end_large_page(it, most_bytes)) {
            self.ended_page_mib.store(most_bytes >> 20, Ordering::Relaxed);
        }
    }

    /// Returns the bound that the last page was ended for, MiB; 0 if none was.
    pub fn ended_page_mib(&self) -> u64 {
        self.ended_page_mib.load(Ordering::Relaxed)
    }

    /// Returns the memory that the browser takes, bytes; 0 when that is not known.
    pub fn memory_bytes(&self) -> u64 {
        self.profile.as_deref().map_or(0, processes::memory_bytes)
    }

    /// Ends the browser, in order if it can be, and removes its profile.
    pub async fn end(self) {
        end(&self.started, self.profile.as_deref()).await;
    }
}

/// Connects and asks for events.
async fn greet(socket_url: &str) -> Result<(Bidi, String), Fault> {
    let bidi = Bidi::connect(socket_url).await.map_err(Fault::not_started)?;
    let subscribed = bidi.send("session.subscribe", json!({ "events": WANTED }));
    let version = bidi.devtools("Browser.getVersion", json!({}), None).await?;
    subscribed.await?;
    let user_agent = version["result"]["userAgent"].as_str().unwrap_or_default().to_owned();
    Ok((bidi, user_agent))
}

/// Returns the channel as the script is given it.
pub(crate) fn channel() -> Value {
    json!({ "type": "channel", "value": { "channel": CHANNEL } })
}

async fn end(started: &Started, profile: Option<&Path>) {
    // Whatever became of it, it is killed next where it is ours.
    let _ = client::end(started, END_TIMEOUT).await;
    let profile = profile.map(Path::to_owned);
    // It waits for processes to end; a panic in it leaves what the service's own end removes.
    let _ = tokio::task::spawn_blocking(move || remove(profile.as_deref())).await;
}
