//! What a browser is started with, and what is removed after its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{driver, processes};

/// How long one command may take; longer ones belong to a page that hangs.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may take to begin its page.
pub(crate) const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the document may then take before its prompt box is looked for in what there is.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(8);

/// Parts of the browser's own windows that nobody sees: each takes a process for every window, and
/// with them three windows took 570 MiB and 3.8 s of processor time to open in place of 400 MiB and
/// 1.2 s (Chromium 156).
const FEATURES_OFF: [&str; 3] =
    ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"];

/// The setup that a browser is started with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    pub webdriver_url: String,
    /// Its folder of profiles when the driver runs on this machine and is ours.
    pub folder: Option<PathBuf>,
    pub proxy: Option<String>,
    /// Width and height of the window, pixels.
    pub viewport: (u32, u32),
    /// SHA-256 of public keys whose certificates are trusted, in base64.
    pub trusted_keys: Vec<String>,
    /// With a window that can be watched.
    pub headed: bool,
}

/// Ends what is left of a browser and removes its profile.
pub(crate) fn remove(profile: Option<&Path>) {
    let Some(profile) = profile else { return };
    // Where Chromium keeps the socket by which it knows that the profile is in use.
    if let Ok(socket) = std::fs::read_link(profile.join("SingletonSocket"))
        && let Some(folder) = socket.parent()
        && folder.file_name().is_some_and(|name| name.to_string_lossy().contains(".Chromium."))
    {
        let _ = std::fs::remove_dir_all(folder);
    }
    processes::end_and_remove(profile);
}

/// Returns the capabilities that WebDriver is told to start.
pub(crate) fn capabilities(setup: &Setup, profile: Option<&Path>) -> Value {
    let (width, height) = setup.viewport;
    let mut arguments = vec![
        format!("--window-size={width},{height}"),
        "--no-first-run".to_owned(),
        "--no-default-browser-check".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-gpu".to_owned(),
        // Small containers have a /dev/shm that pages fill.
        "--disable-dev-shm-usage".to_owned(),
        format!("--disable-features={}", FEATURES_OFF.join(",")),
    ];
    if !setup.headed {
        arguments.push("--headless".to_owned());
    }
    // A driver on this machine is taken to run as the same user.
    let url = url::Url::parse(&setup.webdriver_url).ok();
    let is_here = url.is_some_and(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost")));
    if (profile.is_some() || is_here) && driver::is_root() {
        arguments.push("--no-sandbox".to_owned());
    }
    arguments.extend(setup.proxy.as_ref().map(|proxy| format!("--proxy-server={proxy}")));
    if !setup.trusted_keys.is_empty() {
        let keys = setup.trusted_keys.join(",");
        arguments.push(format!("--ignore-certificate-errors-spki-list={keys}"));
    }
    arguments.extend(profile.map(|profile| format!("--user-data-dir={}", profile.display())));
    let preferences = json!({
        // 3 blocks all.
        "download_restrictions": 3,
        "credentials_enable_service": false,
    });
    json!({
        "browserName": "chrome",
        "webSocketUrl": true,
        "unhandledPromptBehavior": "dismiss and notify",
        "goog:chromeOptions": { "args": arguments, "prefs": preferences },
    })
}
