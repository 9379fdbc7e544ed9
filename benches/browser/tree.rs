//! What a process and all that it has started cost, from `/proc`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks. What a process uses after the last look at it is not counted.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks between two sums of the memory, which cost more.
const LOOKS_FOR_MEMORY: usize = 10;
/// Of a tick of the processor's time, wherever Linux runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// What was used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub cpu_seconds: f64,
    pub elapsed_seconds: f64,
    /// Proportional, so that what processes share counts once.
    pub peak_mib: f64,
}

/// Looks at a tree of processes until it is asked for the cost.
pub(crate) struct Watch {
    stops: Arc<AtomicBool>,
    thread: JoinHandle<Cost>,
}

/// A process: its number may be used again, its number and its start not.
type Name = (u32, u64);

impl Watch {
    pub(crate) fn start(root: u32) -> Watch {
        let stops = Arc::new(AtomicBool::new(false));
        let stopped = stops.clone();
        let thread = std::thread::spawn(move || watch(root, &stopped));
        Watch { stops, thread }
    }

    pub(crate) fn cost(self) -> Cost {
        self.stops.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn watch(root: u32, stops: &AtomicBool) -> Cost {
    let began = Instant::now();
    let mut ticks: HashMap<Name, u64> = HashMap::new();
    let mut peak_kib = 0;
    for look in 0.. {
        let last = stops.load(Ordering::Relaxed);
        let alive = look_at(root, &mut ticks);
        if look % LOOKS_FOR_MEMORY == 0 || last {
            peak_kib = peak_kib.max(alive.iter().filter_map(|pid| memory_kib(*pid)).sum::<u64>());
        }
        if last {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Cost {
        cpu_seconds: ticks.values().sum::<u64>() as f64 / TICKS_PER_SECOND,
        elapsed_seconds: began.elapsed().as_secs_f64(),
        peak_mib: peak_kib as f64 / 1024.0,
    }
}

/// Adds what the tree has used; returns its processes. Those that have lost their parent stay.
fn look_at(root: u32, ticks: &mut HashMap<Name, u64>) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let all: Vec<(Name, u32, u64)> = pids.filter_map(stat).collect();
    let mut tree: HashSet<u32> = HashSet::from([root]);
    tree.extend(all.iter().filter(|it| ticks.contains_key(&it.0)).map(|it| it.0.0));
    loop {
        let before = tree.len();
        tree.extend(
            all.iter().filter(|it| tree.contains(&it.1)).map(|it| it.0.0).collect::<Vec<_>>(),
        );
        if tree.len() == before {
            break;
        }
    }
    for (name, _, used) in all.iter().filter(|it| tree.contains(&it.0.0)) {
        ticks.insert(*name, *used);
    }
    tree.into_iter().collect()
}

/// A process with its parent and the ticks that it has used.
fn stat(pid: u32) -> Option<(Name, u32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in parentheses and may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(((pid, number(19)?), fields.get(1)?.parse().ok()?, number(11)? + number(12)?))
}

fn memory_kib(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
