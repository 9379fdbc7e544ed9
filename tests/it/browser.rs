//! The practice page in a real Chromium, through W3C WebDriver: with its script it streams, and
//! without it the form does the same. `tests/run` installs Chromium and its driver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::app::Builder;

/// The key under which WebDriver names an element (W3C WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A Chromium with one window. Dropping it ends the browser and its driver.
struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start(javascript: bool) -> Browser {
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
        let permission = if javascript { 1 } else { 2 };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                    format!("--user-data-dir={}", profile.path().display()),
                ],
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

    fn post(&self, command: &str, body: Value) -> Value {
        let mut reply = self
            .agent
            .post(format!("{}{command}", self.session))
            .send_json(body)
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        reply.body_mut().read_json::<Value>().unwrap()["value"].take()
    }

    fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Runs a script that calls `done` with its result.
    fn wait_for(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.post("/execute/async", json!({ "script": script, "args": [] }))
    }

    fn text(&self, selector: &str) -> String {
        let path = format!("{}/element/{}/text", self.session, self.element(selector));
        let mut reply = self.agent.get(path).call().unwrap();
        reply.body_mut().read_json::<Value>().unwrap()["value"].as_str().unwrap().to_owned()
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

#[test]
fn the_practice_page_streams_its_answer_and_then_its_sources() {
    let app = Builder::new().start();
    let browser = Browser::start(true);
    browser.open(&format!("{}/practice", app.base));
    let field = browser.element("#q");
    browser
        .post(&format!("/element/{field}/value"), json!({ "text": "How long are results kept?" }));
    let button = browser.element("form button[type=submit]");
    browser.post(&format!("/element/{button}/click"), json!({}));
    // How much of the answer stood there each time that something was added, until it was whole.
    let grown = browser.wait_for(
        "const sizes = []; const page = document.getElementById('conversation');
         const look = () => {
           const answer = document.getElementById('answer');
           sizes.push(answer ? answer.textContent.length : 0);
           if (answer && !page.hasAttribute('aria-busy')) { watch.disconnect(); done(sizes); }
         };
         const watch = new MutationObserver(look);
         watch.observe(page, { childList: true, subtree: true, attributes: true });
         look();",
    );
    let sizes: Vec<u64> =
        grown.as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).collect();
    let steps = sizes.windows(2).filter(|two| two[0] < two[1]).count();
    assert!(steps >= 2, "the answer did not come in pieces: {sizes:?}");
    assert!(browser.text("#answer").contains("24 hours"));
    assert!(browser.text("#sources li a").contains("How long are results kept?"));
}

#[test]
fn the_practice_page_works_without_its_script() {
    let app = Builder::new().start();
    let browser = Browser::start(false);
    browser.open(&format!("{}/practice", app.base));
    let field = browser.element("#q");
    browser
        .post(&format!("/element/{field}/value"), json!({ "text": "How long are results kept?" }));
    let button = browser.element("form button[type=submit]");
    browser.post(&format!("/element/{button}/click"), json!({}));
    assert!(browser.text("#answer").contains("24 hours"));
    assert!(browser.text("#sources li a").contains("How long are results kept?"));
    // With the script no page would have been loaded for the answer.
    let loaded = browser.wait_for("done(performance.getEntriesByType('navigation')[0].name);");
    assert!(loaded.as_str().unwrap().contains("/practice?q="), "{loaded}");
}
