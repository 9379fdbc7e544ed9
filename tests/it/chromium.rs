//! A real Chromium, driven through W3C WebDriver. `tests/run` installs it and its driver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The key under which WebDriver names an element (W3C WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a page may take to come or to become as wanted, milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// A Chromium with one window. Dropping it ends the browser and its driver.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn start(javascript: bool) -> Browser {
        Browser::start_with(javascript, &[])
    }

    /// As [`Browser::start`], with more arguments on Chromium's command line.
    pub(crate) fn start_with(javascript: bool, arguments: &[&str]) -> Browser {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is not on the path; `bash tests/run` installs it where it may");
        let base = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .find_map(|line| {
                let line = line.unwrap();
                let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
                Some(format!("http://127.0.0.1:{}", port.trim_end_matches('.')))
            })
            .unwrap();
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let profile = tempfile::tempdir().unwrap();
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let permission = if javascript { 1 } else { 2 };
        let mut args = vec![
            "--headless",
            "--no-sandbox",
            // 200 steps from view to view in 10 s are no loop here; the next would be left out.
            "--disable-ipc-flooding-protection",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            // Each window has a process for these otherwise, and nobody sees them.
            "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
            &profile_argument,
        ];
        args.extend(arguments);
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            // A page that a click leads to may come after the click's answer.
            "timeouts": { "implicit": PATIENCE_MS },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": {
                "args": args,
                "prefs": { "profile.managed_default_content_settings.javascript": permission },
            },
        }}});
        let mut browser =
            Browser { driver, session: format!("{base}/session"), agent, _profile: profile };
        let session = browser.post("", capabilities);
        let id = session["sessionId"].as_str().unwrap();
        browser.session = format!("{base}/session/{id}");
        browser
    }

    pub(crate) fn post(&self, command: &str, body: Value) -> Value {
        let mut reply = self
            .agent
            .post(format!("{}{command}", self.session))
            .send_json(body)
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        reply.body_mut().read_json::<Value>().unwrap()["value"].take()
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    pub(crate) fn element(&self, selector: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Runs a script that calls `done` with its result.
    pub(crate) fn wait_for(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.post("/execute/async", json!({ "script": script, "args": [] }))
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let path = format!("{}/element/{}/text", self.session, self.element(selector));
        let mut reply = self.agent.get(path).call().unwrap();
        reply.body_mut().read_json::<Value>().unwrap()["value"].as_str().unwrap().to_owned()
    }

    /// Runs a script; gives what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page; gives its value.
    #[track_caller]
    pub(crate) fn until(&self, expression: &str) -> Value {
        let script = format!(
            "const end = performance.now() + {PATIENCE_MS};
             const look = () => {{
               let found = null;
               try {{ found = {expression}; }} catch {{ }}
               if (found) done(found);
               else if (performance.now() > end) done(null);
               else requestAnimationFrame(look);
             }};
             look();"
        );
        let found = self.wait_for(&script);
        if found.is_null() {
            let page = self.run("return location.href + ' says: ' + document.body.innerText");
            panic!("never true: {expression}; {}", page.as_str().unwrap_or_default());
        }
        found
    }

    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.element(selector)), json!({}));
    }

    pub(crate) fn write(&self, selector: &str, text: &str) {
        let path = format!("/element/{}/value", self.element(selector));
        self.post(&path, json!({ "text": text }));
    }

    /// Presses keys one after the other, whatever has the focus.
    pub(crate) fn press(&self, keys: &[&str]) {
        let strokes = keys.iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let strokes: Vec<Value> = strokes.collect();
        self.post(
            "/actions",
            json!({ "actions": [{ "type": "key", "id": "k", "actions": strokes }] }),
        );
    }

    /// Moves the pointer to the middle of an element, and leaves it there.
    pub(crate) fn hover(&self, selector: &str) {
        let origin = json!({ ELEMENT: self.element(selector) });
        let step = json!({ "type": "pointerMove", "origin": origin, "x": 0, "y": 0 });
        let pointer = json!({ "type": "pointer", "id": "p", "actions": [step] });
        self.post("/actions", json!({ "actions": [pointer] }));
    }

    /// Opens a new tab and goes on in it; returns the one before.
    pub(crate) fn new_tab(&self) -> String {
        let before = self.agent.get(format!("{}/window", self.session)).call().unwrap();
        let before = before.into_body().read_json::<Value>().unwrap()["value"].take();
        let tab = self.post("/window/new", json!({ "type": "tab" }));
        self.switch_to(tab["handle"].as_str().unwrap());
        before.as_str().unwrap().to_owned()
    }

    pub(crate) fn switch_to(&self, tab: &str) {
        self.post("/window", json!({ "handle": tab }));
    }

    /// A command of the Chrome DevTools Protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// What the page has written to its console since the last call, faults of loading included.
    pub(crate) fn console(&self) -> Vec<String> {
        self.log("browser", |entry| entry["message"].as_str().map(str::to_owned))
    }

    /// Every address that a page of the web has asked for since the last call.
    pub(crate) fn requested(&self) -> Vec<String> {
        self.log("performance", |entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            // The browser's own first page is none of ours.
            let asked = message["method"] == "Network.requestWillBeSent"
                && message["params"]["documentURL"].as_str()?.starts_with("http");
            asked.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        })
    }

    fn log(&self, kind: &str, read: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        let entries = self.post("/se/log", json!({ "type": kind }));
        entries.as_array().unwrap().iter().filter_map(read).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session; both may have ended already.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
