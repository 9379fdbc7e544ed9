//! The counted check: how many instructions a poll, a submit and a whole job cost a real server
//! process, which does not depend on what else the machine does. callgrind counts them; what a run with many requests
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

use std::future::ready;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use actix_web::{App, HttpResponse, HttpServer, web};
use answerd::job::{Job, State};
use answerd::store::{Blocking, QuickRepair, SubmitLimits};
use reference::{Counts, Reference, Verdict};
use sha2::{Digest, Sha256};
use shared::{ANSWER_BYTES, Connection, RESULT_BYTES, open_store, queued_job, serve};

/// Jobs in turn, because how long the walk to a job's row is depends on its id.
const POLLED_JOBS: usize = 512;
/// Requests of each kind in every run: all is warm behind them.
const FEW: usize = 128;
/// How many more of one kind the run has that is compared with the one that has few: so many that what
/// two starts differ by is below a hundredth of theirs.
const MORE_POLLS: usize = 8_192;
const MORE_SUBMITS: usize = 1_024;
const MORE_JOBS: usize = 512;
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

/// Requests of one run of a server, one at a time, so that each is alone in its transaction.
#[derive(Clone, Copy)]
struct Requests {
    polls: usize,
    /// Of jobs that only wait.
    submits: usize,
    /// Jobs that run at once, each with a long poll for its end.
    jobs: usize,
}

/// The instructions of one poll, of one submit and of one whole job.
fn count() -> Counts {
    let upstream = serve_completions();
    let directory = shared::directory();
    let kept = directory.path().join("kept");
    let ids = fill(&kept);
    let run = |name: &str, requests: Requests| -> u64 {
        // Every run begins with the same rows.
        let store = directory.path().join(name);
        std::fs::create_dir(&store).unwrap();
        for entry in std::fs::read_dir(&kept).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), store.join(entry.file_name())).unwrap();
        }
        let counted = Counted::start(directory.path(), &store, name, upstream);
        let mut connection = Connection::open(counted.address);
        for id in ids.iter().cycle().take(requests.polls) {
            connection.exchange(&get(id));
        }
        for n in 0..requests.submits {
            connection.exchange(&post("chatgpt", n));
        }
        for n in 0..requests.jobs {
            let reply = connection.exchange(&post("perplexity", n));
            let (_, job) = reply.split_once("\r\n\r\n").unwrap();
            let job: serde_json::Value = serde_json::from_str(job).unwrap();
            let id = job["job_id"].as_str().unwrap();
            let ended = connection.exchange(&get(&format!("{id}?wait=30")));
            assert!(ended.contains("\"status\":\"done\""), "{ended}");
        }
        counted.stop()
    };
    let few = Requests { polls: FEW, submits: FEW, jobs: FEW };
    let base = run("few", few);
    let more = |name, requests| run(name, requests) - base;
    let polls = more("polls", Requests { polls: FEW + MORE_POLLS, ..few });
    let submits = more("submits", Requests { submits: FEW + MORE_SUBMITS, ..few });
    let jobs = more("jobs", Requests { jobs: FEW + MORE_JOBS, ..few });
    Counts {
        poll: polls / MORE_POLLS as u64,
        submit: submits / MORE_SUBMITS as u64,
        job: jobs / MORE_JOBS as u64,
    }
}

fn head() -> String {
    format!("HTTP/1.1\r\nhost: localhost\r\nx-api-key: {KEY}\r\n")
}

fn get(id: &str) -> String {
    format!("GET /jobs/{id} {}\r\n", head())
}

fn post(scraper: &str, n: usize) -> String {
    let query = format!("prompt=What+is+said+about+number+{n}%3F&country=DE");
    format!("POST /scrapers/{scraper}/jobs?{query} {}content-length: 0\r\n\r\n", head())
}

/// Serves a completion of a model, always the same, and gives its address.
fn serve_completions() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let message = serde_json::json!({ "role": "assistant", "content": "x".repeat(ANSWER_BYTES) });
    let reply = serde_json::json!({
        "id": "1", "object": "chat.completion", "created": 1, "model": "fixed",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": message }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 180, "total_tokens": 190 },
    });
    let app = move || {
        let reply = reply.clone();
        App::new().default_service(web::to(move || ready(HttpResponse::Ok().json(&reply))))
    };
    let server = move || HttpServer::new(app).workers(1).listen(listener).unwrap().run();
    std::thread::spawn(move || actix_web::rt::System::new().block_on(server()).unwrap());
    address
}

/// Writes a store of jobs that are done, and gives their ids.
fn fill(directory: &Path) -> Vec<String> {
    let store = open_store(directory, QuickRepair::Always, &["chatgpt"]);
    let result = format!("{{\"result\":\"{}\"}}", "x".repeat(RESULT_BYTES)).into_bytes();
    let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
    let now_ms = shared::now_ms();
    let ids = (0..POLLED_JOBS)
        .map(|number| {
            let identity = store.new_identity("team-a").wait().unwrap();
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
    address: SocketAddr,
    profile: PathBuf,
}

impl Counted {
    fn start(directory: &Path, store: &Path, name: &str, upstream: SocketAddr) -> Counted {
        let config = directory.join(format!("{name}.toml"));
        std::fs::write(&config, settings(store, upstream)).unwrap();
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
            .env("COUNTS_KEY", "any")
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
/// submitted to one scraper only waits, what is submitted to the other is answered at once.
fn settings(store: &Path, upstream: SocketAddr) -> String {
    let hash: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "[http]\nbind = \"127.0.0.1:0\"\ngrace_seconds = 0\n\
         [store]\npath = {store:?}\n\
         [log]\nlevel = \"warn\"\n\
         [practice]\nlatency_ms = 600000\n\
         [upstreams.slow]\nkind = \"practice\"\n\
         [upstreams.fixed]\nkind = \"compatible\"\nmodel = \"fixed\"\n\
         base_url = \"http://{upstream}\"\napi_key_env = \"COUNTS_KEY\"\n\
         [scrapers.chatgpt]\nupstreams = [\"slow\"]\nworkers = 1\n\
         [scrapers.perplexity]\nupstreams = [\"fixed\"]\nworkers = 1\n\
         [[keys]]\nname = \"{ACCOUNT}\"\nhash = \"sha256:{hash}\"\nmonthly_credits = 1000000\n\
         requests_per_minute = 1000000\n"
    )
}
