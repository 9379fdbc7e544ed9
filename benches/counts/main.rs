//! The counted check: how many instructions a poll and a submit cost a real server process, which
//! does not depend on what else the machine does. callgrind counts them; what a run with many requests
//! counts more than a run with few is theirs. Ends with an error where one costs more than
//! `reference.toml` allows. `cargo bench --bench counts`, with `-- --accept` to write the reference.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods
)]

#[path = "../shared/mod.rs"]
mod shared;

mod reference;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use answerd::job::{Job, State};
use answerd::store::{QuickRepair, SubmitLimits};
use reference::{Counts, Reference, Verdict};
use sha2::{Digest, Sha256};
use shared::{Connection, RESULT_BYTES, open_store, queued_job, serve};

/// Jobs in turn, because how long the walk to a job's row is depends on its id.
const POLLED_JOBS: usize = 512;
/// Requests of each kind in every run: all is warm behind them.
const FEW: usize = 128;
/// How many more of one kind the run has that is compared with the one that has few: so many that what
/// two starts differ by is below a hundredth of theirs.
const MORE_POLLS: usize = 8_192;
const MORE_SUBMITS: usize = 1_024;
const KEY: &str = "the key of the bench";
const ACCOUNT: &str = "bench";

fn main() -> ExitCode {
    // The rest are cargo's own.
    let accept = std::env::args().any(|argument| argument == "--accept");
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("counts: valgrind is needed: sudo apt-get install valgrind");
        return ExitCode::FAILURE;
    }
    let counts = count();
    if accept {
        Reference::of(counts).write();
        println!("{}", Reference::read());
        return ExitCode::SUCCESS;
    }
    let reference = Reference::read();
    let mut exit = ExitCode::SUCCESS;
    for (verdict, sentence) in reference.compare(counts) {
        match verdict {
            Verdict::Kept | Verdict::Better => println!("{sentence}"),
            Verdict::Worse => {
                eprintln!("{sentence}");
                exit = ExitCode::FAILURE;
            }
        }
    }
    exit
}

/// The instructions of one poll and of one submit.
fn count() -> Counts {
    let directory = shared::directory();
    let kept = directory.path().join("kept");
    let ids = fill(&kept);
    let run = |name: &str, polls: usize, submits: usize| -> u64 {
        // Every run begins with the same rows.
        let store = directory.path().join(name);
        std::fs::create_dir(&store).unwrap();
        for entry in std::fs::read_dir(&kept).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), store.join(entry.file_name())).unwrap();
        }
        let counted = Counted::start(directory.path(), &store, name);
        let mut connection = Connection::open(counted.address);
        let head = format!("HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\n");
        for id in ids.iter().cycle().take(polls) {
            connection.exchange(&format!("GET /jobs/{id} {head}\r\n"));
        }
        // One at a time, so that each is alone in its transaction.
        for n in 0..submits {
            let query = format!("prompt=What+is+said+about+number+{n}%3F&country=DE");
            connection.exchange(&format!(
                "POST /scrapers/chatgpt/jobs?{query} {head}content-length: 0\r\n\r\n"
            ));
        }
        counted.stop()
    };
    let few = run("few", FEW, FEW);
    let polls = run("polls", FEW + MORE_POLLS, FEW) - few;
    let submits = run("submits", FEW, FEW + MORE_SUBMITS) - few;
    Counts { poll: polls / MORE_POLLS as u64, submit: submits / MORE_SUBMITS as u64 }
}

/// Writes a store of jobs that are done, and gives their ids.
fn fill(directory: &Path) -> Vec<String> {
    let store = open_store(directory, QuickRepair::Always, &["chatgpt"]);
    let result = format!("{{\"result\":\"{}\"}}", "x".repeat(RESULT_BYTES)).into_bytes();
    let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
    let now_ms = shared::now_ms();
    let ids = (0..POLLED_JOBS)
        .map(|number| {
            let identity = store.new_identity().unwrap();
            let prompt = format!("What was said about number {number}?");
            let queued = queued_job(identity, "chatgpt", prompt, now_ms, now_ms + 86_400_000);
            let job = Job {
                account: ACCOUNT.to_owned(),
                state: State::Done,
                attempts: 1,
                completed_ms: Some(now_ms),
                ..queued
            };
            store.submit(job, Some(result.clone()), limits).wait().unwrap().unwrap();
            identity.id.to_string()
        })
        .collect();
    store.close();
    ids
}

/// A server whose instructions are counted.
struct Counted {
    valgrind: Child,
    address: std::net::SocketAddr,
    profile: PathBuf,
}

impl Counted {
    fn start(directory: &Path, store: &Path, name: &str) -> Counted {
        let config = directory.join(format!("{name}.toml"));
        std::fs::write(&config, settings(store)).unwrap();
        // Kept, for callgrind_annotate to say where they went.
        let profiles = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counts");
        std::fs::create_dir_all(&profiles).unwrap();
        let profile = profiles.join(format!("{name}.callgrind"));
        let _ = std::fs::remove_file(&profile);
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--quiet"])
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(env!("CARGO_BIN_EXE_answerd"))
            .args(["serve", "--json", "--config"])
            .arg(&config)
            .current_dir(directory);
        let (valgrind, address) = serve(&mut command);
        Counted { valgrind, address, profile }
    }

    /// Stops it in order; gives the instructions of its whole life.
    fn stop(mut self) -> u64 {
        let pid = self.valgrind.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.valgrind.wait().unwrap().success(), "the server did not stop in order");
        let profile = std::fs::read_to_string(&self.profile).unwrap();
        let total = profile.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
        total.trim().parse().unwrap()
    }
}

/// As a service is run: with keys, an allowance, and a limit of requests that is not reached. What is
/// submitted only waits.
fn settings(store: &Path) -> String {
    let hash: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "[http]\nbind = \"127.0.0.1:0\"\ngrace_seconds = 0\n\
         [store]\npath = {store:?}\n\
         [log]\nlevel = \"warn\"\n\
         [practice]\nlatency_ms = 600000\n\
         [upstreams.slow]\nkind = \"practice\"\n\
         [scrapers.chatgpt]\nupstreams = [\"slow\"]\nworkers = 1\n\
         [[keys]]\nname = \"{ACCOUNT}\"\nhash = \"sha256:{hash}\"\nmonthly_credits = 1000000\n\
         requests_per_minute = 1000000\n"
    )
}
