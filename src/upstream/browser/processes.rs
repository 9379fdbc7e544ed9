//! The processes of browsers, told by their profile's folder on their command lines: how much
//! memory they take, and their end. From `/proc`; where there is none, nothing is found.

use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// What marks a browser and its driver as ours: these arguments name a folder of ours.
const MARKS: [&str; 2] = ["--user-data-dir=", "--log-path="];

/// The longest wait for one killed process to end.
const END_WAIT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// How often processes are killed that come to stand there meanwhile.
const END_ROUNDS_MAX: usize = 10;

/// Kills every process whose command line names this folder or one below it, and all that they have
/// started; returns how many there were. A browser's own children end with it, but take a moment.
pub(crate) fn end_all(folder: &Path) -> usize {
    let found = family(folder);
    found.iter().for_each(|pid| kill(*pid));
    found.len()
}

fn kill(pid: Pid) {
    // One that has ended by itself is gone already.
    let _ = kill_process(pid, Signal::KILL);
}

/// Ends what [`end_all`] does, waits until it has ended, and removes the folder. What cannot be removed
/// then is left.
pub(crate) fn end_and_remove(folder: &Path) {
    for _ in 0..END_ROUNDS_MAX {
        let found = family(folder);
        if found.is_empty() {
            break;
        }
        for pid in found {
            // Opened first: afterwards another process may have the number.
            let process = pidfd_open(pid, PidfdFlags::empty());
            kill(pid);
            // One that is about to end may still write.
            if let Ok(process) = process {
                let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&END_WAIT));
            }
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}

/// Returns the memory that the browser with this profile takes, all its processes together, bytes.
/// What they map of files they have in common: of that the largest part counts, once.
pub(crate) fn memory_bytes(profile: &Path) -> u64 {
    let resident: Vec<Resident> = family(profile).into_iter().filter_map(resident).collect();
    let own: u64 = resident.iter().map(|process| process.own_bytes).sum();
    own + resident.iter().map(|process| process.file_bytes).max().unwrap_or_default()
}

/// Kills the largest process of pages of the browser with this profile if it takes more memory than
/// `most_bytes`; returns whether one did.
pub(crate) fn end_large_page(profile: &Path, most_bytes: u64) -> bool {
    let own = |pid: Pid| Some((resident(pid)?.own_bytes, pid));
    let pages = family(profile).into_iter().filter(|pid| has_argument(*pid, "--type=renderer"));
    let largest = pages.filter_map(own).max_by_key(|(bytes, _)| *bytes);
    let Some((_, pid)) = largest.filter(|(bytes, _)| *bytes > most_bytes) else { return false };
    kill(pid);
    true
}

fn has_argument(pid: Pid, argument: &str) -> bool {
    // A process of Chromium may have its command line as one text.
    std::fs::read(proc(pid).join("cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).contains(argument))
}

/// The memory of one process that is in use, bytes.
struct Resident {
    own_bytes: u64,
    file_bytes: u64,
}

/// Returns the processes whose command lines name a folder, and all below them.
fn family(folder: &Path) -> Vec<Pid> {
    let parents: Vec<(Pid, Option<Pid>)> = pids().map(|pid| (pid, parent(pid))).collect();
    let mut family = marked(folder);
    let mut at = 0;
    while let Some(above) = family.get(at).copied() {
        at += 1;
        for (pid, parent) in &parents {
            if *parent == Some(above) && !family.contains(pid) {
                family.push(*pid);
            }
        }
    }
    family
}

fn marked(folder: &Path) -> Vec<Pid> {
    let folder = folder.display().to_string();
    let names_it = |argument: &[u8]| {
        let argument = String::from_utf8_lossy(argument);
        MARKS.iter().any(|mark| {
            argument
                .strip_prefix(mark)
                .and_then(|path| path.strip_prefix(folder.as_str()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let is_marked = |pid: &Pid| {
        std::fs::read(proc(*pid).join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(names_it))
    };
    pids().filter(is_marked).collect()
}

fn pids() -> impl Iterator<Item = Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

fn proc(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()))
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(proc(pid).join("stat")).ok()?;
    // The name before it is in parentheses and may hold anything.
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
    Pid::from_raw(parent.parse().ok()?)
}

/// Read from counters that the kernel keeps; `smaps_rollup` is exact and has it walk every page.
fn resident(pid: Pid) -> Option<Resident> {
    let status = std::fs::read_to_string(proc(pid).join("status")).ok()?;
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kib << 10)
    };
    let own_bytes = bytes("RssAnon:")? + bytes("RssShmem:")?;
    Some(Resident { own_bytes, file_bytes: bytes("RssFile:")? })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_processes_of_the_folder_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let start = |path: &str| {
            // A shell's further arguments are there for whoever looks.
            let mark = format!("--user-data-dir={}{path}", folder.path().display());
            let mut child = Command::new("sh")
                .args(["-c", "echo; read -r _", "sh", &mark])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Its command line is there once it runs.
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            child
        };
        let (mut own, mut other) = (start("/s-1"), start("-other/s-1"));
        assert_eq!(marked(folder.path()).len(), 1);
        assert!(memory_bytes(folder.path()) > 0);
        assert_eq!(end_all(folder.path()), 1);
        assert!(!own.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
