//! The chromedriver that answerd starts and supervises itself: Debian's, found on the path, in a
//! process group of its own that ends with the service, however that ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::processes;

/// How long chromedriver may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// What stands above the driver: it waits until the pipe from answerd breaks, which a `kill -9` of
/// answerd does too, or until the driver ends, and then ends its whole process group, browsers
/// included.
const GUARD: &str = r#"{ "$@"; kill -9 0; } & cat > /dev/null; kill -9 0"#;
/// The longest path of a folder for temporary files, bytes: Chromium puts a socket below it, and
/// the address of a socket is of 107 at most.
const SCRATCH_BYTES_MAX: usize = 60;
/// All that the driver and its browsers get of our environment. The rest stays here: it holds the
/// keys of providers and the secrets of webhooks, and a page that takes over its browser could read
/// it.
const ENVIRONMENT: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
];
/// What chromedriver says when it listens; the port follows.
const STARTED: &str = "was started successfully on port ";

/// The reason why there is no chromedriver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    #[error(
        "`{0}` is not on the path: install the packages `chromium` and `chromium-driver`, or set \
         `webdriver_url` to a WebDriver server"
    )]
    NotInstalled(&'static str),
    #[error("`certutil` is not on the path: `browser.ca_file` needs the package `libnss3-tools`")]
    NoCertutil,
    #[error("`certutil` cannot add an authority of `browser.ca_file`")]
    AuthorityRefused,
    #[error("chromedriver did not start: {0}")]
    NotStarted(String),
}

/// A chromedriver of our own. It starts with the first session and is shared by all upstreams.
pub struct LocalDriver {
    /// Profiles, logs and leftovers are below it.
    folder: PathBuf,
    /// Certificates that browsers trust beside the known ones, each in PEM.
    authorities: Vec<String>,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// The guard ends when this is closed.
    pipe: Option<ChildStdin>,
    /// Ends after the guard, and after all that a guard which was killed itself has left behind.
    watch: Option<JoinHandle<()>>,
    url: String,
}

impl LocalDriver {
    /// Browsers of a run that was killed are ended here: their folder is ours alone.
    pub fn new(folder: PathBuf, authorities: Vec<String>) -> Arc<LocalDriver> {
        if folder.exists() {
            let ended = processes::end_all(&folder);
            if ended > 0 {
                tracing::warn!(processes = ended, "browsers left over from another run were ended");
            }
            // What cannot be removed now is written over.
            processes::end_and_remove(&folder);
        }
        Arc::new(LocalDriver { folder, authorities, running: Mutex::new(None) })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns its address; starts it when it does not run.
    ///
    /// # Errors
    /// Returns an error if it is not installed, or does not start.
    pub fn url(&self) -> Result<String, DriverError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref()
            && running.watch.as_ref().is_some_and(|watch| !watch.is_finished())
        {
            return Ok(running.url.clone());
        }
        drop(running.take());
        let started = start(&self.folder, &self.authorities)?;
        let url = started.url.clone();
        *running = Some(started);
        Ok(url)
    }

    /// Ends it and all its browsers, and removes their folder. A later session would start it again.
    pub fn stop(&self) {
        drop(self.running.lock().unwrap_or_else(PoisonError::into_inner).take());
        processes::end_and_remove(&self.folder);
    }

    /// Ends it when it is the one at `url`, which does not answer any more: the next session starts
    /// another. All its browsers end with it.
    pub fn give_up(&self, url: &str) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|running| running.url == url) {
            drop(running.take());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.pipe.take());
        if let Some(watch) = self.watch.take() {
            // It does nothing that could fail but end processes.
            let _ = watch.join();
        }
    }
}

impl Drop for LocalDriver {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(folder: &Path, authorities: &[String]) -> Result<Running, DriverError> {
    for program in ["chromedriver", "chromium"] {
        if !is_on_path(program) {
            return Err(DriverError::NotInstalled(program));
        }
    }
    let failed = |error: std::io::Error| DriverError::NotStarted(error.to_string());
    make_private(folder).map_err(failed)?;
    let home = home_with(authorities, folder)?;
    let mut guard = Command::new("sh")
        .args(["-c", GUARD, "answerd-browsers", "chromedriver", "--port=0"])
        .arg(format!("--log-path={}", folder.join("chromedriver.log").display()))
        .arg("--log-level=SEVERE")
        .env_clear()
        .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        // Chromium keeps crash reports there, which belong to us and not to the user.
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .envs(home.map(|home| ("HOME", home)))
        .envs(scratch(folder).map(|scratch| ("TMPDIR", scratch)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let pipe = guard.stdin.take();
    let (sender, port) = crossbeam_channel::bounded(1);
    if let Some(stdout) = guard.stdout.take() {
        // Reads to the end, so that the driver never waits for a reader.
        let read = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, port)) = line.split_once(STARTED) {
                    // Nobody waits any more when it took too long.
                    let _ = sender.try_send(port.trim().trim_end_matches('.').to_owned());
                }
            }
        };
        std::thread::Builder::new().name("chromedriver".to_owned()).spawn(read).map_err(failed)?;
    }
    let below = folder.to_owned();
    let watch = move || {
        let _ = guard.wait();
        processes::end_all(&below);
    };
    let watch =
        std::thread::Builder::new().name("browsers-end".to_owned()).spawn(watch).map_err(failed)?;
    let mut running = Running { pipe, watch: Some(watch), url: String::new() };
    let port = port.recv_timeout(START_TIMEOUT).map_err(|_| {
        let seconds = START_TIMEOUT.as_secs();
        DriverError::NotStarted(format!("it did not listen within {seconds} seconds"))
    })?;
    running.url = format!("http://127.0.0.1:{port}");
    tracing::info!(url = running.url, "chromedriver started");
    if is_root() {
        tracing::warn!("browsers run as root, and so without their sandbox: use another user");
    }
    Ok(running)
}

/// The folder for what browsers leave in the system's otherwise, however they end. `None` if its
/// path is too long for that, or it cannot be made.
fn scratch(folder: &Path) -> Option<PathBuf> {
    let scratch = folder.join("tmp");
    let fits = scratch.as_os_str().len() <= SCRATCH_BYTES_MAX;
    (fits && make_private(&scratch).is_ok()).then_some(scratch)
}

/// Makes a home whose database of certificates has authorities of the operator's; `None` where there
/// are none. Chromium takes no such file on its command line, but reads this database (NSS).
fn home_with(authorities: &[String], folder: &Path) -> Result<Option<PathBuf>, DriverError> {
    if authorities.is_empty() {
        return Ok(None);
    }
    if !is_on_path("certutil") {
        return Err(DriverError::NoCertutil);
    }
    let failed = |error: std::io::Error| DriverError::NotStarted(error.to_string());
    let home = folder.join("home");
    let database = home.join(".pki/nssdb");
    // That of a driver before this one, if there was one.
    let _ = std::fs::remove_dir_all(&home);
    make_private(&database).map_err(failed)?;
    let certutil = |arguments: &[&str]| {
        let database = format!("sql:{}", database.display());
        let mut command = Command::new("certutil");
        command.args(["-d", &database]).args(arguments).stdin(Stdio::null());
        let ran = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(failed)?;
        if ran.success() { Ok(()) } else { Err(DriverError::AuthorityRefused) }
    };
    certutil(&["-N", "--empty-password"])?;
    for (number, authority) in authorities.iter().enumerate() {
        let file = home.join("authority.pem");
        std::fs::write(&file, authority).map_err(failed)?;
        let name = format!("authority {number}");
        let file = file.display().to_string();
        certutil(&["-A", "-a", "-t", "C,,", "-n", &name, "-i", &file])?;
    }
    Ok(Some(home))
}

/// Creates a directory that only this user can read.
///
/// # Errors
/// Returns an error if it cannot be created.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Returns whether this process is root's: Chromium's sandbox refuses to work for root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
