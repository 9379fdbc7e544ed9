//! The dashboard in a real Chromium: each view, each action, and what it does when things go wrong.

mod actions;
mod alerts;
mod away;
mod batches;
mod canceled;
mod cut_off;
mod first_run;
mod guide_pages;
mod hostile;
mod jobs;
mod keyboard;
mod layout;
mod nodes;
mod operators;
mod prompt;
mod reading;
mod relay;
mod schedules;
mod sign_in;
mod smooth;
mod trace;
mod trackers;
mod usage;
mod views;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::app::App;
use crate::chromium::Browser;

/// A browser that looks at the dashboard of a server.
struct Dashboard {
    browser: Browser,
    base: String,
}

impl Dashboard {
    /// Opens a view by its path behind the `#`.
    fn open(app: &App, path: &str) -> Dashboard {
        Dashboard::open_at(&app.base, path)
    }

    /// As [`Dashboard::open`], at another address than the server's own.
    fn open_at(base: &str, path: &str) -> Dashboard {
        let dashboard = Dashboard { browser: Browser::start(true), base: base.to_owned() };
        dashboard.browser.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
        dashboard.size(1440, 900);
        dashboard.browser.open(&format!("{base}/#{path}"));
        dashboard
    }

    /// As [`Dashboard::open`], signed in with a key.
    fn signed_in(app: &App, key: &str, path: &str) -> Dashboard {
        let dashboard = Dashboard::open(app, path);
        dashboard.sign_in(key);
        dashboard.browser.until("!document.getElementById('key') && document.querySelector('h1')");
        // Without the key the first call is a 401, of which the browser itself tells.
        dashboard.browser.console();
        dashboard
    }

    fn sign_in(&self, key: &str) {
        self.browser.until("document.getElementById('key')");
        self.browser.write("#key", key);
        self.browser.click("form button");
    }

    /// Goes to another view, as a link would.
    fn go(&self, path: &str) {
        self.browser.run(&format!("location.hash = '{path}'"));
    }

    fn size(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.browser.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Has the page shown as to somebody who prefers a `scheme` of colors, `light` or `dark`.
    fn prefers(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.browser.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Keeps what is seen now as `NAME.webp` in the directory that `ANSWERD_SCREENSHOTS` names, if it does.
    fn keep(&self, name: &str) {
        let Some(directory) = std::env::var_os("ANSWERD_SCREENSHOTS") else { return };
        let form = json!({ "format": "webp", "quality": 85 });
        let picture = self.browser.devtools("Page.captureScreenshot", form);
        let picture = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&directory).unwrap();
        let file = std::path::Path::new(&directory).join(format!("{name}.webp"));
        std::fs::write(file, picture).unwrap();
    }

    /// The rules of accessibility that the page breaks seriously, by the script axe-core.
    fn violations(&self, axe: &str) -> Vec<Value> {
        self.browser.run(&format!("if (!window.axe) {{ {axe}; }}"));
        let found = self.browser.wait_for(
            "axe.run({ resultTypes: ['violations'] }).then(
               ({ violations }) => done(violations.map(({ impact, id, nodes }) =>
                 ({ impact, id, where: nodes.map(({ html }) => html) }))),
               (error) => done([{ impact: 'serious', id: `${error}` }]))",
        );
        let serious =
            |rule: &Value| ["serious", "critical"].contains(&rule["impact"].as_str().unwrap());
        found.as_array().unwrap().iter().filter(|rule| serious(rule)).cloned().collect()
    }

    /// Waits until what is shown has a text.
    #[track_caller]
    fn shows(&self, text: &str) {
        self.browser.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Clicks the button or link with this name.
    #[track_caller]
    fn click(&self, name: &str) {
        let found = format!(
            "[...document.querySelectorAll('button, a, summary')].find((each) => \
             each.innerText.trim() === {} && !each.disabled && each.offsetParent)",
            json!(name)
        );
        self.browser.until(&found);
        self.browser.run(&format!("{found}.click()"));
    }

    /// Every address that was asked for is the server's own, and nothing was refused or went wrong.
    #[track_caller]
    fn is_at_peace(&self) {
        let console = self.browser.console();
        assert!(console.is_empty(), "{console:#?}");
        self.asks_nobody_else();
    }

    #[track_caller]
    fn asks_nobody_else(&self) {
        let requested = self.browser.requested();
        assert!(requested.iter().any(|address| address.starts_with(&self.base)), "{requested:#?}");
        for address in requested {
            let own = address.starts_with(&format!("{}/", self.base));
            assert!(own || address.starts_with("data:"), "asked for {address}");
        }
    }
}
