//! A browser and the room of one job in it: all that is done with its page.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::{Either, select};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bidi::BidiError;
use super::bounds::Bounds;
use super::chromium::{Chromium, SANDBOX, SCRIPT, channel};
use super::event::BrowserEvent;
use super::fault::Fault;
use super::recipe::Selectors;
use super::room::Room;
use super::setup::{COMMAND_TIMEOUT, LOAD_TIMEOUT, READY_TIMEOUT};
use crate::job::Reason;

/// The most dialogs that are dismissed within one step, and the most navigations waited out.
const AGAIN_MAX: usize = 20;
/// How long the next document of a page that navigates is waited for before it is asked again.
const MOVED_WAIT: Duration = Duration::from_millis(250);

/// Calls a function of the page's script, and waits for what it promises. What it gives is JSON as
/// one text: a browser takes far longer to send a value piece by piece.
const CALL: &str = "(name, asked) => { const told = (it) => JSON.stringify(it ?? null); \
                    const it = run(name, JSON.parse(asked)); \
                    return it instanceof Promise ? it.then(told) : told(it); }";
/// Gives the window of the iframe that a recipe names.
const FRAME: &str = "(name, asked) => { const frame = run(name, JSON.parse(asked)); \
                     return frame && frame.contentWindow; }";

/// A browser while it serves a job.
pub struct Session {
    pub browser: Arc<Chromium>,
    pub(super) room: Room,
    /// The frame that everything is done in, and its id.
    frame: Option<(Selectors, String)>,
    /// Dialogs that were dismissed since they were last asked for.
    dialogs: Vec<String>,
    /// Windows that the page has opened.
    others: Vec<String>,
    /// What the page has told last, if it was not read yet.
    told: Option<String>,
    /// How many documents there were in the window and in the frame.
    documents: u32,
    /// How often any window or frame of the room has moved to another document.
    moves: u32,
    /// The document that is watched, and the number of the watch.
    watched: Option<(u32, u64)>,
    /// Whether the document in the window is there.
    is_ready: bool,
    /// Whether the window is gone, or its process.
    is_gone: bool,
}

/// The report of the page's script on its own.
#[derive(Deserialize)]
struct PageReport<T> {
    watch: u64,
    look: T,
}

/// What came of one call.
enum Called {
    Value(Value),
    /// The script is not there: the document is older than the browser's knowledge of it.
    NoScript,
}

impl Session {
    pub fn new(browser: Arc<Chromium>, room: Room) -> Session {
        Session {
            browser,
            room,
            frame: None,
            dialogs: Vec::new(),
            others: Vec::new(),
            told: None,
            documents: 0,
            moves: 0,
            watched: None,
            is_ready: false,
            is_gone: false,
        }
    }

    /// Removes the room; returns the browser, and whether it has removed it.
    pub async fn leave(self) -> (Arc<Chromium>, bool) {
        let was_removed = self.room.leave(&self.browser.bidi).await;
        (self.browser, was_removed)
    }

    /// Opens an address and waits until its document is there, or for [`READY_TIMEOUT`]: what there
    /// is of a page that goes on loading may be enough.
    ///
    /// # Errors
    /// Returns an error if the page cannot be reached, or the browser is gone.
    pub async fn open(&mut self, url: &str, bounds: &Bounds) -> Result<(), Fault> {
        self.take_events()?;
        self.is_ready = false;
        let asked = json!({ "context": self.room.window, "url": url, "wait": "none" });
        let opening = self.browser.bidi.send("browsingContext.navigate", asked);
        let opened = self.wait("opening the page", &bounds.within(LOAD_TIMEOUT), opening).await?;
        if let Err(error) = opened {
            return Err(match net_error(&error.message) {
                Some(code) => {
                    Fault::page(Reason::Unreachable, format!("cannot open the page ({code})"))
                }
                None => Fault::from(error),
            });
        }
        let bounds = bounds.within(READY_TIMEOUT);
        while !self.is_ready && self.event(&bounds).await? {}
        Ok(())
    }

    /// Waits for a command's result. Events are taken meanwhile.
    pub(super) async fn wait<T>(
        &mut self,
        doing: &str,
        bounds: &Bounds,
        step: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        let mut step = std::pin::pin!(step);
        let before = self.dialogs.len();
        loop {
            // What a page's end or its dialogs keep from being answered is not waited for.
            self.check()?;
            if self.dialogs.len() > before + AGAIN_MAX {
                return Err(Fault::Dialogs);
            }
            let event = {
                let event = std::pin::pin!(self.room.events.recv());
                match bounds.try_hold(select(&mut step, event)).await? {
                    Some(Either::Left((done, _))) => return Ok(done),
                    Some(Either::Right((event, _))) => event,
                    None => return Err(Fault::Deadline { doing: doing.to_owned() }),
                }
            };
            self.note(event.ok_or_else(|| Fault::broken("it is gone"))?);
        }
    }

    /// Waits for an event; returns whether one came in time.
    async fn event(&mut self, bounds: &Bounds) -> Result<bool, Fault> {
        match bounds.try_hold(self.room.events.recv()).await? {
            None => Ok(false),
            Some(None) => Err(Fault::broken("it is gone")),
            Some(Some(event)) => {
                self.note(event);
                self.check()?;
                Ok(true)
            }
        }
    }

    /// Takes the events that there are.
    fn take_events(&mut self) -> Result<(), Fault> {
        while let Ok(event) = self.room.events.try_recv() {
            self.note(event);
        }
        self.check()
    }

    /// Whether browser and window are still there.
    fn check(&self) -> Result<(), Fault> {
        if !self.browser.bidi.is_open() {
            return Err(Fault::broken("it is gone"));
        }
        if !self.is_gone {
            return Ok(());
        }
        Err(Fault::broken(match self.browser.ended_page_mib() {
            0 => "its tab has crashed or was closed".to_owned(),
            mib => format!("a page takes more than {mib} MiB of memory"),
        }))
    }

    fn note(&mut self, event: BrowserEvent) {
        let is_own = |window: &str| window == self.room.window;
        self.moves += u32::from(matches!(event, BrowserEvent::Moved { .. }));
        match event {
            BrowserEvent::Told { window, text } if window == self.place() => self.told = Some(text),
            BrowserEvent::Opened { window, room } if room == self.room.id && !is_own(&window) => {
                self.others.push(window);
            }
            BrowserEvent::Gone { window } if is_own(&window) => self.is_gone = true,
            BrowserEvent::Gone { window } => self.others.retain(|other| *other != window),
            BrowserEvent::Moved { window } if window == self.place() => {
                self.documents += 1;
                self.is_ready &= !is_own(&window);
            }
            BrowserEvent::Ready { window } if is_own(&window) => self.is_ready = true,
            BrowserEvent::Crashed { session } if session == self.room.devtools => {
                self.is_gone = true;
            }
            BrowserEvent::Dialog { text, .. } => self.dialogs.push(text),
            // Of the rooms of other jobs, and of frames that nobody looks at.
            BrowserEvent::Told { .. }
            | BrowserEvent::Opened { .. }
            | BrowserEvent::Moved { .. } => {}
            BrowserEvent::Ready { .. } | BrowserEvent::Crashed { .. } => {}
        }
    }

    /// The id of what everything is done in: the frame that was entered, or the window.
    fn place(&self) -> &str {
        self.frame.as_ref().map_or(&self.room.window, |(_, id)| id)
    }

    /// Calls a function of the page's script. A page that navigates is waited for.
    ///
    /// # Errors
    /// Returns an error if the function fails, or the browser is gone.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        function: &str,
        argument: &Value,
        bounds: &Bounds,
    ) -> Result<T, Fault> {
        let place = |session: &Session| session.place().to_owned();
        let value = self.run(CALL, function, argument, place, bounds).await?;
        // serde's words quote the value, and that is the page's.
        serde_json::from_str(value["value"].as_str().unwrap_or_default()).map_err(|_| {
            Fault::broken(format!("the page's script gave something else in `{function}`"))
        })
    }

    /// Has a declaration called where `place` says until it is.
    async fn run(
        &mut self,
        declaration: &str,
        function: &str,
        argument: &Value,
        place: impl Fn(&Session) -> String,
        bounds: &Bounds,
    ) -> Result<Value, Fault> {
        let doing = format!("running `{function}` in the page");
        let argument = argument.to_string();
        let arguments = [function, &argument].map(|it| json!({ "type": "string", "value": it }));
        for _ in 0..AGAIN_MAX {
            let (there, moves) = (place(self), self.moves);
            match self.once(&there, declaration, json!(arguments), &doing, bounds).await {
                Ok(Called::Value(value)) => return Ok(value),
                Ok(Called::NoScript) => {
                    let put = json!([channel()]);
                    let put = self.once(&there, SCRIPT.as_str(), put, &doing, bounds).await;
                    if !matches!(put, Ok(_) | Err(Fault::Navigated)) {
                        put?;
                    }
                }
                Err(Fault::Navigated) => {
                    self.next_document(moves, bounds).await?;
                    self.find_frame_again(bounds).await?;
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Navigated)
    }

    /// Waits until a window or a frame has moved since `before` was counted, at most for
    /// [`MOVED_WAIT`]: what has taken the place of a frame has another id.
    async fn next_document(&mut self, before: u32, bounds: &Bounds) -> Result<(), Fault> {
        let bounds = bounds.within(MOVED_WAIT);
        self.take_events()?;
        while self.moves == before && self.event(&bounds).await? {}
        Ok(())
    }

    async fn once(
        &mut self,
        place: &str,
        declaration: &str,
        arguments: Value,
        doing: &str,
        bounds: &Bounds,
    ) -> Result<Called, Fault> {
        let asked = json!({
            "functionDeclaration": declaration,
            "arguments": arguments,
            "awaitPromise": true,
            "target": { "context": place, "sandbox": SANDBOX },
        });
        let command = self.browser.bidi.send("script.callFunction", asked);
        // Two bounds: one for a page that hangs, one for the attempt.
        let mut result = match self.wait(doing, &bounds.within(COMMAND_TIMEOUT), command).await {
            Err(Fault::Deadline { .. }) if !bounds.left().is_zero() => {
                return Err(Fault::broken("the page hangs"));
            }
            waited => waited??,
        };
        if result["type"] == "success" {
            return Ok(Called::Value(result["result"].take()));
        }
        let text = result["exceptionDetails"]["text"].as_str().unwrap_or_default();
        if text.contains("run is not defined") {
            return Ok(Called::NoScript);
        }
        Err(Fault::script(text))
    }

    /// Makes the iframe that selectors name the one that everything else is done in; returns
    /// whether there is one.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn enter_frame(
        &mut self,
        select: &Selectors,
        bounds: &Bounds,
    ) -> Result<bool, Fault> {
        let window = |session: &Session| session.room.window.clone();
        let asked = json!({ "select": select });
        let found = self.run(FRAME, "frame", &asked, window, bounds).await?;
        let Some(id) = found["value"]["context"].as_str() else { return Ok(false) };
        self.frame = Some((select.clone(), id.to_owned()));
        self.documents += 1;
        Ok(true)
    }

    /// Finds a frame that was entered once more: a page may have put another in its place.
    async fn find_frame_again(&mut self, bounds: &Bounds) -> Result<(), Fault> {
        let Some((select, before)) = self.frame.clone() else { return Ok(()) };
        let asked = json!({ "select": select }).to_string();
        let arguments = ["frame", &asked].map(|it| json!({ "type": "string", "value": it }));
        let window = self.room.window.clone();
        let doing = "entering the frame";
        match self.once(&window, FRAME, json!(arguments), doing, bounds).await {
            Ok(Called::Value(found)) => {
                if let Some(id) = found["value"]["context"].as_str()
                    && id != before
                {
                    self.frame = Some((select, id.to_owned()));
                    self.documents += 1;
                }
                Ok(())
            }
            Ok(Called::NoScript) | Err(Fault::Navigated) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Returns where the frame that was entered begins in the window, pixels: the mouse knows none.
    pub(super) async fn frame_begin(&mut self, bounds: &Bounds) -> Result<(i64, i64), Fault> {
        let Some((select, _)) = self.frame.clone() else { return Ok((0, 0)) };
        let window = |session: &Session| session.room.window.clone();
        let asked = json!({ "select": select });
        let value = self.run(CALL, "frameBegin", &asked, window, bounds).await?;
        let begin = serde_json::from_str(value["value"].as_str().unwrap_or_default());
        Ok(begin.unwrap_or_default())
    }

    /// Leaves all frames.
    pub fn leave_frames(&mut self) {
        self.frame = None;
    }

    /// Returns how the page stands, and has it tell from now on whenever that changes.
    ///
    /// # Errors
    /// Returns an error if the page's script fails, or the browser is gone.
    pub async fn watch<T: DeserializeOwned>(
        &mut self,
        asked: &Value,
        bounds: &Bounds,
    ) -> Result<T, Fault> {
        self.take_events()?;
        let number = self.watched.map_or(1, |(_, number)| number + 1);
        self.watched = Some((self.documents, number));
        self.told = None;
        self.call("watch", &json!({ "asked": asked, "watch": number }), bounds).await
    }

    /// Waits until a page that is watched tells of a change. `None` after `at_most`, and when it
    /// has to be watched anew.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn change<T: DeserializeOwned>(
        &mut self,
        at_most: Duration,
        bounds: &Bounds,
    ) -> Result<Option<T>, Fault> {
        let bounds = bounds.within(at_most);
        self.take_events()?;
        loop {
            let Some((documents, number)) = self.watched else { return Ok(None) };
            if documents != self.documents {
                return Ok(None);
            }
            // What it told before it was asked anew is no answer.
            if let Some(text) = self.told.take()
                && let Ok(told) = serde_json::from_str::<PageReport<T>>(&text)
                && told.watch == number
            {
                return Ok(Some(told.look));
            }
            if !self.event(&bounds).await? {
                return Ok(None);
            }
        }
    }

    /// Returns how many documents there were in the window or the frame.
    pub fn documents(&self) -> u32 {
        self.documents
    }

    /// Returns whether everything is done in a frame.
    pub fn is_in_frame(&self) -> bool {
        self.frame.is_some()
    }

    /// Closes the windows that the page has opened; returns how many there were.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn close_other_windows(&mut self, bounds: &Bounds) -> Result<usize, Fault> {
        let others = std::mem::take(&mut self.others);
        for window in &others {
            let closing =
                self.browser.bidi.send("browsingContext.close", json!({ "context": window }));
            // It may have closed itself.
            let _: Result<Value, BidiError> =
                self.wait("closing windows", &bounds.within(COMMAND_TIMEOUT), closing).await?;
        }
        Ok(others.len())
    }

    /// Returns the texts of the dialogs that were dismissed since the last time.
    pub fn take_dialogs(&mut self) -> Vec<String> {
        std::mem::take(&mut self.dialogs)
    }

    /// Returns what the window shows, PNG.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn screenshot(&mut self, bounds: &Bounds) -> Result<Vec<u8>, Fault> {
        let asked = json!({ "context": self.room.window });
        let shot = self.browser.bidi.send("browsingContext.captureScreenshot", asked);
        let shot = self.wait("taking a screenshot", bounds, shot).await??;
        let data = shot["data"].as_str().unwrap_or_default();
        BASE64.decode(data).map_err(|_| Fault::broken("it gave no screenshot"))
    }
}

/// Chromium's code in what it says of an address that it could not open.
fn net_error(message: &str) -> Option<String> {
    let (_, code) = message.split_once("net::ERR_")?;
    let is_code = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_';
    Some("ERR_".chars().chain(code.chars().take_while(is_code)).collect())
}
