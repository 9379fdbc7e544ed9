//! Many jobs, four at once in one browser, one in ten of which kills it: all end, and nothing
//! stays behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::builder;
use super::faults::{browsers, kill};
use crate::kill_loop::setting;
use crate::page_server::PageServer;

const PAGE: &str = "<!doctype html><meta charset=utf-8><textarea></textarea>\
    <button id=send>Send</button><div id=out></div><script>\
    send.addEventListener('click', async () => {\
      const prompt = document.querySelector('textarea').value;\
      if (prompt.includes('die')) { await fetch('/die'); return; }\
      out.className = 'answer'; out.textContent = 'Echo: ' + prompt;\
    });</script>";
/// In the ordinary run; `tests/long/run` asks for more.
const JOBS: u64 = 60;
const SESSIONS: usize = 4;

/// The main process of the browser at the other end of a connection.
fn browser_at(from: SocketAddr, store: &Path) -> Option<u32> {
    let port = format!(":{:04X}", from.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // Other connections of the machine may have the same port at their end.
    let of_port = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[1].ends_with(&port).then(|| format!("socket:[{}]", columns[9]))
    };
    let sockets: Vec<String> = table.lines().filter_map(of_port).collect();
    let holds = |pid: &u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok();
        files.into_iter().flatten().any(|file| {
            file.and_then(|file| std::fs::read_link(file.path()))
                .is_ok_and(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
        })
    };
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let mains: Vec<u32> =
        browsers(store).into_iter().filter(|(_, main)| *main).map(|(pid, _)| pid).collect();
    let entries = std::fs::read_dir("/proc").unwrap();
    let main_above = |pid: u32| {
        let above = std::iter::successors(Some(pid), |pid| parent(*pid).filter(|pid| *pid > 1));
        above.into_iter().find(|pid| mains.contains(pid))
    };
    let mut pids =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.find_map(|pid| holds(&pid).then(|| main_above(pid)).flatten())
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn many_jobs_of_which_one_in_ten_kills_its_browser_all_end() {
    let jobs = setting("ANSWERD_PAGE_JOBS", JOBS) as usize;
    let store: Arc<OnceLock<PathBuf>> = Arc::default();
    let known = store.clone();
    let server = PageServer::start_with(&[("/page", PAGE), ("/die", "")], move |path, from| {
        if path == "/die" {
            kill(browser_at(from, known.get().unwrap()).expect("the browser that asked"));
        }
    });
    let app = builder(&server, "/page")
        .set("UPSTREAMS__PAGE__SESSIONS", SESSIONS.to_string())
        .set("SCRAPERS__PAGE__WORKERS", SESSIONS.to_string())
        .set("BROWSER__EVIDENCE", "never")
        .start();
    store.set(app.store_path()).unwrap();
    let dies = |number: usize| number % 10 == 7;
    let ids: Vec<String> = (0..jobs)
        .map(|number| {
            let word = if dies(number) { "die" } else { "hello" };
            app.submit("page", &format!("{word} {number}"))
        })
        .collect();
    let (mut processes_max, mut early_kib, mut answered) = (0, 0, 0);
    for (number, id) in ids.iter().enumerate() {
        let job = app.ended(id);
        if !dies(number) && job["status"] == "done" {
            assert_eq!(job["result"]["result"], format!("Echo: hello {number}"), "{job:#}");
            answered += 1;
        } else {
            // Its own browser, or the one that it had with a job that killed it.
            assert_eq!(job["error_code"], "upstream_unreachable", "{job:#}");
        }
        let mains = browsers(&app.store_path()).into_iter().filter(|(_, main)| *main).count();
        processes_max = processes_max.max(mains);
        if number == jobs / 4 {
            early_kib = resident_kib();
        }
    }
    // One that was killed may be there for a moment beside the one that takes its place.
    assert!(processes_max <= 3, "{processes_max} browsers at once");
    // Each that kills takes at most those with it that run beside it.
    assert!(answered >= jobs - jobs / 10 * SESSIONS, "{answered} of {jobs} were answered");
    let grown_kib = resident_kib().saturating_sub(early_kib);
    assert!(grown_kib < 64 << 10, "the service has grown by {grown_kib} KiB");
    let killed = server.asked("/die");
    assert!(killed > 0 && killed <= jobs / 10, "{killed}");
    println!("{answered} of {jobs} answered, {killed} killed, grown by {grown_kib} KiB");
    let path = app.store_path();
    drop(app);
    assert_eq!(browsers(&path), []);
    assert!(!path.join("browser").exists(), "profiles are left");
}
