//! systemd's notify protocol, with the test in the place of systemd: a real process that tells a
//! datagram socket when it is ready, that it is alive, and that it stops.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde_json::json;

use crate::app::{Gate, assert_sound};
use crate::child::{Served, store_directory};
use crate::disk::{SmallDisk, await_ready, fail, limit_files, submit_until_refused};
use crate::providers::server::{Provider, Says};

/// The longest wait for a message on a busy machine.
const MESSAGE_WITHIN: Duration = Duration::from_secs(60);
/// What the service is told as `WatchdogSec`.
const WATCHDOG: Duration = Duration::from_millis(1_500);
/// The service sends a sign of life three times in [`WATCHDOG`]: so many take longer than that.
const SIGNS: usize = 5;

/// The socket that `NOTIFY_SOCKET` names.
struct Systemd {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Systemd {
    fn new() -> Systemd {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        Systemd { socket, directory }
    }

    fn environment(&self) -> [(&'static str, String); 2] {
        let path = self.directory.path().join("notify");
        [
            ("NOTIFY_SOCKET", path.display().to_string()),
            ("WATCHDOG_USEC", WATCHDOG.as_micros().to_string()),
        ]
    }

    /// The next message; `None` if there is none within `patience`.
    fn message(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut message = [0; 4_096];
        match self.socket.recv(&mut message) {
            Ok(length) => Some(String::from_utf8_lossy(&message[..length]).trim().to_owned()),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                None
            }
        }
    }

    #[track_caller]
    fn expect(&self, expected: &str) {
        assert_eq!(self.message(MESSAGE_WITHIN).as_deref(), Some(expected));
    }

    /// Takes the messages that were sent so far.
    fn drain(&self) {
        while self.message(Duration::from_millis(1)).is_some() {}
    }
}

#[test]
fn systemd_is_told_that_the_service_is_ready_lives_and_stops() {
    let (_directory, store) = store_directory();
    let systemd = Systemd::new();
    let mut served = Served::start_with(&store, &[], |command| {
        command.envs(systemd.environment());
    });
    systemd.expect("READY=1");
    for _ in 0..3 {
        systemd.expect("WATCHDOG=1");
    }
    assert_eq!(served.terminate(), Some(0));
    let mut rest = std::iter::repeat_with(|| systemd.message(MESSAGE_WITHIN).unwrap());
    assert_eq!(rest.find(|message| message != "WATCHDOG=1").as_deref(), Some("STOPPING=1"));
}

/// An answer that is paid for waits in memory meanwhile: a service that systemd aborted would lose it.
#[test]
fn full_disk_does_not_stop_the_watchdog_messages() {
    let disk = SmallDisk::new();
    let systemd = Systemd::new();
    let gate = Gate::default();
    let answer = json!({"choices": [{"message": {"content": "Paid."}, "finish_reason": "stop"}]});
    let held = Says::Held(gate.clone(), Box::new(Says::json(200, &answer)));
    let provider = Provider::start([held], Says::json(400, &json!({})));
    let base_url = provider.url("/v1");
    let settings = [
        ("PRACTICE__LATENCY_MS", "50"),
        ("STORE__FREE_MIB_MIN", "0"),
        ("UPSTREAMS__LOCAL__KIND", "compatible"),
        ("UPSTREAMS__LOCAL__BASE_URL", &base_url),
        ("UPSTREAMS__LOCAL__MODEL", "m"),
        ("SCRAPERS__CHATGPT__UPSTREAMS", "[\"local\"]"),
    ];
    let mut served = Served::start_with(&disk.store(), &settings, |command| {
        command.envs(systemd.environment());
    });
    systemd.expect("READY=1");
    let (status, paid) = served.post("/scrapers/chatgpt/jobs?prompt=paid").unwrap();
    assert_eq!(status, 202, "{paid}");
    let mut acknowledged = vec![paid["job_id"].as_str().unwrap().to_owned()];
    provider.came(1);
    disk.fill(&served);
    acknowledged.extend(fail(&served));
    gate.open();

    systemd.drain();
    let mut signs = 0;
    while signs < SIGNS {
        systemd.expect("WATCHDOG=1");
        // A small write may have fitted into what the database has free inside of its file.
        match served.get("/readyz").unwrap().0 {
            503 => signs += 1,
            _ => acknowledged.extend(fail(&served)),
        }
    }
    disk.free(&served);
    await_ready(&served);
    for id in &acknowledged {
        let (status, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
        assert_eq!((status, job["status"].as_str()), (200, Some("done")), "{id}: {job}");
    }
    assert_eq!(provider.asked().len(), 1, "it was paid for once");
    assert_eq!(served.terminate(), Some(0));
    assert_sound(&disk.store());
}

/// The log's reader has stopped reading, so the writer hangs where it logs that the disk is full.
#[test]
fn hung_writer_stops_the_watchdog_messages() {
    let (_directory, store) = store_directory();
    let systemd = Systemd::new();
    let (unread, mut log) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&log).unwrap();
    fcntl_setfl(&log, flags | OFlags::NONBLOCK).unwrap();
    while log.write(&[b'\n'; 4_096]).is_ok() {}
    while log.write(b"\n").is_ok() {}
    fcntl_setfl(&log, flags).unwrap();
    let mut served = Served::start_with(&store, &[("STORE__FREE_MIB_MIN", "0")], |command| {
        command.env("ANSWERD_LOG__LEVEL", "error").envs(systemd.environment());
        command.stderr(Stdio::from(log));
    });
    systemd.expect("READY=1");
    systemd.expect("WATCHDOG=1");
    let bytes = std::fs::metadata(store.join("answerd.redb")).unwrap().len();
    limit_files(&served, &bytes.to_string());
    std::thread::scope(|scope| {
        let submits = scope.spawn(|| submit_until_refused(&served));
        while let Some(message) = systemd.message(WATCHDOG) {
            assert_eq!(message, "WATCHDOG=1");
            assert!(!submits.is_finished(), "the writer does not hang");
        }
        assert!(!submits.is_finished(), "the writer does not hang");
        drop(unread);
        systemd.expect("WATCHDOG=1");
        submits.join().unwrap();
    });
    limit_files(&served, "unlimited");
    await_ready(&served);
    assert_eq!(served.terminate(), Some(0));
}
