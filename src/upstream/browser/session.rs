//! One browser with one window: how it is started for a country, what is done in it, and its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thirtyfour::action_chain::ActionChain;
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::{WebDriver, WebElement, WindowHandle};

use super::bounds::Bounds;
use super::client::WebDriverClient;
use super::fault::Fault;
use super::recipe::Selectors;
use super::setup::{COMMAND_TIMEOUT, LOAD_TIMEOUT, Setup, capabilities, remove};
use super::{driver, processes};
use crate::country::Country;

/// How long a browser may take to start, and to end in order.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// The most dialogs that are dismissed within one command, and the most navigations waited out.
const AGAIN_MAX: usize = 20;
/// How long a page that navigates is left alone, milliseconds.
const MOVED_WAIT: Duration = Duration::from_millis(50);

/// The page's script with the call at its end.
static SCRIPT: LazyLock<Arc<str>> = LazyLock::new(|| {
    Arc::from(concat!(
        include_str!("page/find.js"),
        include_str!("page/act.js"),
        include_str!("page/read.js"),
        include_str!("page/run.js"),
        "\nreturn run(arguments[0], arguments[1]);\n"
    ))
});

/// A running browser. [`Session::end`] it: dropped, it is only forgotten.
pub struct Session {
    driver: WebDriver,
    window: WindowHandle,
    pub language: &'static str,
    /// Whose end ends the browser for certain; `None` on another machine.
    profile: Option<PathBuf>,
    pub jobs: u32,
    /// The frame that everything is done in.
    frame: Option<Selectors>,
    /// Dialogs that were dismissed since they were last asked for.
    dialogs: Vec<String>,
}

impl Session {
    /// Starts a browser that speaks the language of a country.
    ///
    /// # Errors
    /// Returns an error if it does not start in time.
    pub async fn start(
        setup: &Setup,
        country: &Country,
        bounds: &Bounds,
    ) -> Result<Session, Fault> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile = setup.folder.as_ref().map(|folder| folder.join(format!("s-{number}")));
        if let Some(profile) = &profile {
            driver::make_private(profile)
                .map_err(|error| Fault::broken(format!("its profile cannot be made: {error}")))?;
        }
        let capabilities = capabilities(setup, profile.as_deref(), country)?;
        let connect = WebDriver::builder(&setup.webdriver_url, capabilities)
            .client(WebDriverClient::new(START_TIMEOUT + COMMAND_TIMEOUT))
            .connect();
        let started = bounds.within(START_TIMEOUT).hold("starting the browser", connect).await;
        let driver =
            match started.and_then(|started| started.map_err(|error| Fault::not_started(&error))) {
                Ok(driver) => driver,
                Err(fault) => {
                    remove(profile.as_deref());
                    return Err(fault);
                }
            };
        let window = bounds.hold("starting the browser", driver.window()).await;
        let window = window.and_then(|window| window.map_err(Fault::from));
        match window {
            Ok(window) => Ok(Session {
                driver,
                window,
                language: country.language,
                profile,
                jobs: 0,
                frame: None,
                dialogs: Vec::new(),
            }),
            Err(fault) => {
                end(driver, profile.as_deref()).await;
                Err(fault)
            }
        }
    }

    /// Sets what follows from the job's country.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn settle(&self, country: &Country, bounds: &Bounds) -> Result<(), Fault> {
        let Country { time_zone, at: (latitude, longitude), .. } = country;
        if !time_zone.is_empty() {
            let zone = json!({ "timezoneId": time_zone });
            self.devtools("Emulation.setTimezoneOverride", zone, bounds).await?;
        }
        let at = json!({ "latitude": latitude, "longitude": longitude, "accuracy": 1000 });
        self.devtools("Emulation.setGeolocationOverride", at, bounds).await?;
        Ok(())
    }

    async fn devtools(&self, method: &str, params: Value, bounds: &Bounds) -> Result<Value, Fault> {
        let command = self.driver.cdp();
        let sent = command.send_raw(method, params);
        bounds
            .within(COMMAND_TIMEOUT)
            .hold("talking to the browser", sent)
            .await?
            .map_err(Fault::from)
    }

    /// Opens an address and waits until its document is there, or for [`LOAD_TIMEOUT`].
    ///
    /// # Errors
    /// Returns an error if the page cannot be reached, or the browser is gone.
    pub async fn open(&mut self, url: &str, bounds: &Bounds) -> Result<(), Fault> {
        let opened =
            bounds.within(LOAD_TIMEOUT).hold("opening the page", self.driver.goto(url)).await?;
        // What there is of a page that goes on loading may be enough.
        if let Err(error) = &opened
            && matches!(error.as_inner(), WebDriverErrorInner::WebDriverTimeout(_))
        {
            return Ok(());
        }
        match opened.map_err(Fault::from) {
            Err(Fault::Dialog(text)) => self.dialogs.push(text),
            Err(fault) => return Err(fault),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Calls a function of the page's script. Dialogs that are in the way are dismissed, and a page
    /// that navigates is waited for.
    ///
    /// # Errors
    /// Returns an error if the function fails, or the browser is gone.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        function: &str,
        argument: &Value,
        bounds: &Bounds,
    ) -> Result<T, Fault> {
        let value = self.run(function, argument, bounds).await?;
        // serde's words quote the value, and that is the page's.
        serde_json::from_value(value).map_err(|_| {
            Fault::broken(format!("the page's script gave something else in `{function}`"))
        })
    }

    async fn run(
        &mut self,
        function: &str,
        argument: &Value,
        bounds: &Bounds,
    ) -> Result<Value, Fault> {
        let doing = format!("running `{function}` in the page");
        let mut again = 0;
        loop {
            let arguments = vec![Value::from(function), argument.clone()];
            let script = self.driver.execute(SCRIPT.clone(), arguments);
            // Two bounds: one for a page that hangs, one for the attempt.
            let narrow = bounds.within(COMMAND_TIMEOUT);
            let ran = match narrow.hold(&doing, script).await {
                Err(Fault::Deadline { .. }) if !bounds.left().is_zero() => {
                    Err(Fault::broken("the page hangs"))
                }
                ran => ran.and_then(|ran| ran.map_err(Fault::from)),
            };
            again += 1;
            match ran {
                // What a dialog cuts short gives nothing.
                Ok(value) if value.json().is_null() && function != "frame" && again < AGAIN_MAX => {
                    bounds.sleep(&doing, MOVED_WAIT).await?;
                }
                Ok(value) => return Ok(value.json().clone()),
                Err(Fault::Dialog(text)) if again < AGAIN_MAX => self.dialogs.push(text),
                Err(Fault::Navigated) if again < AGAIN_MAX => {
                    bounds.sleep(&doing, MOVED_WAIT).await?;
                }
                Err(fault) => return Err(fault),
            }
        }
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
        let found = self.run("frame", &json!({ "select": select }), bounds).await?;
        if found.is_null() {
            return Ok(false);
        }
        let element = WebElement::from_json(found, self.driver.handle().clone())?;
        bounds.hold("entering the frame", element.enter_frame()).await??;
        self.frame = Some(select.clone());
        Ok(true)
    }

    /// Where the frame that was entered begins in the window, pixels: the mouse knows no frames.
    async fn frame_begin(&mut self, bounds: &Bounds) -> Result<(i64, i64), Fault> {
        let Some(frame) = self.frame.clone() else { return Ok((0, 0)) };
        self.leave_frames(bounds).await?;
        let begin: Option<(i64, i64)> =
            self.call("frameBegin", &json!({ "select": frame }), bounds).await?;
        self.enter_frame(&frame, bounds).await?;
        Ok(begin.unwrap_or_default())
    }

    /// Leaves all frames.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn leave_frames(&mut self, bounds: &Bounds) -> Result<(), Fault> {
        self.frame = None;
        bounds.hold("leaving the frame", self.driver.enter_default_frame()).await??;
        Ok(())
    }

    /// Actions without the pauses that the client would make between them.
    fn actions(&self) -> ActionChain {
        self.driver.action_chain_with_delay(Some(Duration::ZERO), Some(Duration::ZERO))
    }

    /// Presses and releases the mouse at a point of the window.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn click(&mut self, x: i64, y: i64, bounds: &Bounds) -> Result<(), Fault> {
        let (left, top) = self.frame_begin(bounds).await?;
        let pointer = self.actions().move_to(left + x, top + y).click();
        let clicked = bounds.within(COMMAND_TIMEOUT).hold("clicking", pointer.perform()).await?;
        self.acted(clicked)
    }

    /// Moves the mouse to a point of the window and leaves it there.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn hover(&mut self, x: i64, y: i64, bounds: &Bounds) -> Result<(), Fault> {
        let (left, top) = self.frame_begin(bounds).await?;
        let pointer = self.actions().move_to(left + x, top + y);
        let moved = bounds.within(COMMAND_TIMEOUT).hold("hovering", pointer.perform()).await?;
        self.acted(moved)
    }

    /// Returns whether everything is done in a frame.
    pub fn is_in_frame(&self) -> bool {
        self.frame.is_some()
    }

    /// Presses keys in whatever has the focus.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn press(&mut self, control: bool, key: char, bounds: &Bounds) -> Result<(), Fault> {
        let keys = self.actions();
        let keys = if control {
            keys.key_down('\u{e009}').send_keys(key).key_up('\u{e009}')
        } else {
            keys.send_keys(key)
        };
        let pressed = bounds.within(COMMAND_TIMEOUT).hold("pressing a key", keys.perform()).await?;
        self.acted(pressed)
    }

    /// What an action opens or leaves is no failure of the action.
    fn acted(&mut self, done: Result<(), thirtyfour::error::WebDriverError>) -> Result<(), Fault> {
        match done.map_err(Fault::from) {
            Err(Fault::Dialog(text)) => self.dialogs.push(text),
            Err(Fault::Navigated) | Ok(()) => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// Puts text in where the focus is, as the browser's own input method does.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn insert_text(&self, text: &str, bounds: &Bounds) -> Result<(), Fault> {
        self.devtools("Input.insertText", json!({ "text": text }), bounds).await.map(drop)
    }

    /// Closes every window but the first; how many there were.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn close_other_windows(&mut self, bounds: &Bounds) -> Result<usize, Fault> {
        let bounds = bounds.within(COMMAND_TIMEOUT);
        let doing = "closing windows";
        let mut windows = bounds.hold(doing, self.driver.windows()).await??;
        windows.retain(|window| *window != self.window);
        for window in &windows {
            // It may have closed itself.
            if bounds.hold(doing, self.driver.switch_to_window(window.clone())).await?.is_ok() {
                let _ = bounds.hold(doing, self.driver.close_window()).await?;
            }
        }
        if !windows.is_empty() {
            bounds.hold(doing, self.driver.switch_to_window(self.window.clone())).await??;
        }
        Ok(windows.len())
    }

    /// Returns the texts of the dialogs that were dismissed since the last time.
    pub fn take_dialogs(&mut self) -> Vec<String> {
        std::mem::take(&mut self.dialogs)
    }

    /// Returns what the window shows, PNG.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn screenshot(&self, bounds: &Bounds) -> Result<Vec<u8>, Fault> {
        Ok(bounds.hold("taking a screenshot", self.driver.screenshot_as_png()).await??)
    }

    /// Removes what the job has left: cookies, storage of every origin it met, cache, and the page.
    ///
    /// # Errors
    /// Returns an error if the browser is gone.
    pub async fn clear(&mut self, bounds: &Bounds) -> Result<(), Fault> {
        self.leave_frames(bounds).await?;
        self.close_other_windows(bounds).await?;
        let origins: Vec<String> = self.call("origins", &Value::Null, bounds).await?;
        self.open("about:blank", bounds).await?;
        for origin in origins {
            let everything = json!({ "origin": origin, "storageTypes": "all" });
            self.devtools("Storage.clearDataForOrigin", everything, bounds).await?;
        }
        self.devtools("Network.clearBrowserCookies", json!({}), bounds).await?;
        self.devtools("Network.clearBrowserCache", json!({}), bounds).await?;
        self.dialogs.clear();
        Ok(())
    }

    /// Returns the memory that the browser takes, bytes; 0 when that is not known.
    pub fn memory_bytes(&self) -> u64 {
        self.profile.as_deref().map_or(0, processes::memory_bytes)
    }

    /// Ends the browser, in order if it can be, and removes its profile.
    pub async fn end(self) {
        end(self.driver, self.profile.as_deref()).await;
    }
}

async fn end(driver: WebDriver, profile: Option<&Path>) {
    let again = driver.clone();
    let ended = tokio::time::timeout(END_TIMEOUT, driver.quit()).await;
    if !matches!(ended, Ok(Ok(()))) {
        // Whatever became of it: its drop would try once more, and wait.
        let _ = again.leak();
    }
    remove(profile);
}
