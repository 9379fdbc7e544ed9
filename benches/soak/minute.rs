//! What one minute of the soak has shown, and the rule that says whether minutes are alike.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::shared::Load;

/// The times of one client's polls and submits.
#[derive(Default)]
pub(crate) struct Times {
    pub polls: Vec<Duration>,
    pub submits: Vec<Duration>,
}

pub(crate) struct Minute {
    number: usize,
    /// Of the process: resident memory, threads, and open file descriptors.
    resident_mib: f64,
    threads: f64,
    files: f64,
    database_mib: f64,
    polls: Load,
    submits: Load,
}

/// A figure, and by how much its median over the last third may exceed that over the first: a part
/// of it, and so much in any case.
type Figure = (&'static str, fn(&Minute) -> f64, f64, f64);

/// "Flat" is what keeps to all of these.
const RULE: [Figure; 6] = [
    ("memory MiB", |minute| minute.resident_mib, 0.10, 8.0),
    // Pools start their threads as they need them.
    ("threads", |minute| minute.threads, 0.0, 4.0),
    ("files", |minute| minute.files, 0.10, 8.0),
    ("database MiB", |minute| minute.database_mib, 0.10, 8.0),
    ("poll p99 ms", |minute| minute.polls.quantile_ms(0.99), 1.0, 10.0),
    ("submit p99 ms", |minute| minute.submits.quantile_ms(0.99), 1.0, 50.0),
];

impl Minute {
    pub(crate) const HEAD: &str = "minute | memory MiB | threads | files | database MiB | polls/s  p50 ms  \
                            p99 ms | submits/s  p50 ms  p99 ms";

    /// Takes the figures of a process and its store, at the end of a minute with these times.
    pub(crate) fn measure(number: usize, process: u32, store: &Path, times: Vec<Times>) -> Minute {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let field = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
        let database = std::fs::read_dir(store).unwrap();
        let bytes: u64 = database.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        let (polls, submits): (Vec<_>, Vec<_>) =
            times.into_iter().map(|times| (times.polls, times.submits)).unzip();
        Minute {
            number,
            resident_mib: field("VmRSS:") / 1024.0,
            threads: field("Threads:"),
            files: files as f64,
            database_mib: bytes as f64 / f64::from(1 << 20),
            polls: of_a_minute(polls),
            submits: of_a_minute(submits),
        }
    }
}

fn of_a_minute(times: Vec<Vec<Duration>>) -> Load {
    let mut times = times.concat();
    times.sort_unstable();
    Load { per_second: times.len() as f64 / 60.0, times }
}

impl fmt::Display for Minute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Minute { number, resident_mib, threads, files, database_mib, polls, submits } = self;
        write!(
            out,
            "{number:6} | {resident_mib:10.1} | {threads:7} | {files:5} | {database_mib:12.1} | \
             {:7.0} {:7.2} {:7.2} | {:9.0} {:7.2} {:7.2}",
            polls.per_second,
            polls.quantile_ms(0.5),
            polls.quantile_ms(0.99),
            submits.per_second,
            submits.quantile_ms(0.5),
            submits.quantile_ms(0.99),
        )
    }
}

/// The figures that have grown from the first third of the minutes to the last by more than [`RULE`]
/// allows.
pub(crate) fn grown(minutes: &[Minute]) -> Vec<String> {
    let third = minutes.len().div_ceil(3);
    let grown = RULE.iter().filter_map(|(name, figure, part, least)| {
        let first = median(&minutes[..third], *figure);
        let last = median(&minutes[minutes.len() - third..], *figure);
        let allowed = first + (first * part).max(*least);
        (last > allowed).then(|| format!("{name} from {first:.2} to {last:.2}"))
    });
    grown.collect()
}

fn median(minutes: &[Minute], figure: fn(&Minute) -> f64) -> f64 {
    let mut figures: Vec<f64> = minutes.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
