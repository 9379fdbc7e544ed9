//! `answerd demo`: the whole service in one command, with nothing to configure: started with the
//! shipped defaults, asked one prompt over its own HTTP API, left running for more.

mod made_up;
mod seed;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args as ClapArgs;
use crossbeam_channel::Receiver;
use tempfile::TempDir;

use super::client::Client;
use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::follow::follow;
use super::{jobs, log, signals};
use crate::clock::{Clock, UnixMs};
use crate::config::Settings;
use crate::job::RawRequest;
use crate::server::{Server, ShutdownHandle};
use crate::upstream::UpstreamOverrides;

/// The scraper that needs no key and calls no other service.
const SCRAPER: &str = "practice";
/// A question that the user guide answers.
const PROMPT: &str = "What happens to my jobs when answerd is restarted?";

const EXAMPLES: &str = "\
Examples:
  answerd demo
  answerd demo \"How long are results kept?\"
  answerd demo --once --json | jq .result.result
  answerd demo --data ./demo-data             jobs outlive the demo
  answerd demo --tracked                      with charts of thirty days";

/// Start the service, ask it one prompt, and leave it running
///
/// Needs no key, no file and no network: the scraper `practice` answers from the user guide that is
/// built in. Listens on 127.0.0.1:8080, or on a free port where that is taken. Settings files and
/// the environment are not looked at, so no key of yours is used. Its jobs are in a temporary
/// directory, which is removed at the end, unless --data names one.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to ask
    #[arg(default_value = PROMPT)]
    prompt: String,
    /// End after the job, with its exit code
    #[arg(long)]
    once: bool,
    /// Keep the jobs in this directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Begin with a tracker and thirty days of made-up answers
    ///
    /// The tracker, its engines and their label are called made up, and so does each answer begin.
    /// A directory that has a store already is left as it is.
    #[arg(long)]
    tracked: bool,
}

/// Starts the service, asks it, and serves on unless it was to be once.
///
/// # Errors
/// Returns an error if the service does not start, or does not answer its own client.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    // Dropped last: the store must be closed before its directory goes.
    let (path, _temporary) = data_directory(args.data)?;
    let environment = if args.tracked { seed::environment() } else { BTreeMap::new() };
    let mut settings = Settings::load_from(None, &environment)?;
    settings.store.path = path;
    "warn".clone_into(&mut settings.log.level);
    let shipped = settings.http.bind;
    settings.http.bind = free_address(shipped);
    log::start(&settings.log, console)?;
    if settings.http.bind != shipped {
        console.note(&format!("{shipped} is taken, so the demo takes a free port"));
    }
    let (stop, stopped) = crossbeam_channel::bounded::<()>(1);
    let running = DemoServer::default();
    let begin = running.clone();
    signals::on_stop(move || {
        drop(stop);
        begin.stop();
    })?;
    let mut engines = UpstreamOverrides::new();
    if args.tracked {
        settings = seed::keeping(settings);
        let now_ms = Clock::System.now_ms();
        engines = seed::engines(&Clock::System, now_ms);
        make_up(&settings, now_ms, &running, console)?;
    }
    let server = Server::start_with(settings, Clock::System, engines)?;
    running.is(server.shutdown_handle());

    let url = server.base_url();
    let asked = ask(&url, &args.prompt, &stopped, console);
    match &asked {
        Ok((_, job_id)) if !args.once => {
            console.note(&repeat(&url, &args.prompt, job_id));
            if args.tracked {
                let tracker = seed::NAME;
                console.note(&format!("The made-up answers: {url}/#/trackers/{tracker}\n"));
            }
            let told = format!("Serving at {url}. Ctrl-C stops it.");
            console.note(&console.err_styled().apply(Style::Heading, &told));
        }
        // Interrupted, refused, or asked to end here.
        Ok(_) | Err(_) => server.stop(),
    }
    server.wait()?;
    asked.map(|(exit, _)| exit)
}

/// The server that runs now, and whether a stop was asked for.
#[derive(Clone, Default)]
struct DemoServer(Arc<Mutex<(bool, Option<ShutdownHandle>)>>);

impl DemoServer {
    /// Takes another server. One that starts after a stop was asked for is stopped at once.
    fn is(&self, server: ShutdownHandle) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            server.stop();
        }
        state.1 = Some(server);
    }

    fn stop(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(server) = &state.1 {
            server.stop();
        }
    }
}

/// Fills a new store with answers of thirty days.
fn make_up(
    settings: &Settings,
    now_ms: UnixMs,
    running: &DemoServer,
    console: &mut Console,
) -> Result<(), CommandError> {
    if has_store(&settings.store.path) {
        console.note("the directory has a store already, so no answers are made up");
        return Ok(());
    }
    console.note("making up the answers of thirty days ...");
    // On a port of its own, so that no client finds a service of the past. Its answers name the
    // address that the demo has then, as far as that is known.
    let mut of_the_past = settings.clone();
    let bind = settings.http.bind;
    of_the_past.http.public_url = (bind.port() != 0).then(|| format!("http://{bind}"));
    of_the_past.http.bind.set_port(0);
    seed::fill(of_the_past, now_ms, |server| running.is(server))
}

/// Returns whether a directory is there and holds something.
fn has_store(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}

/// Submits the prompt, follows the job and prints it: the job's exit code and its id.
fn ask(
    url: &str,
    prompt: &str,
    stopped: &Receiver<()>,
    console: &mut Console,
) -> Result<(ExitCode, String), CommandError> {
    let client = Client::new(url, None)?;
    console.note(&format!("POST {url}/scrapers/{SCRAPER}/jobs"));
    let asked = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
    let job = client.submit(SCRAPER, &asked, None)?;
    console.note(&format!("GET  {url}/jobs/{}", job.view.job_id));
    let job = follow(&client, job, &Clock::System, stopped, console)?;
    let exit = jobs::show(&job, console)?;
    Ok((exit, job.view.job_id.0))
}

/// How to do the same by hand.
fn repeat(url: &str, prompt: &str, job_id: &str) -> String {
    // Encoded, it holds nothing that a shell takes apart between single quotes.
    let prompt: String = url::form_urlencoded::byte_serialize(prompt.as_bytes()).collect();
    format!(
        "\nThe same with curl, as a job and its poll, or in one call that waits:\n  \
         curl -X POST '{url}/scrapers/{SCRAPER}/jobs?prompt={prompt}'\n  \
         curl '{url}/jobs/{job_id}'\n  \
         curl '{url}/scrapers/{SCRAPER}?prompt={prompt}'\n"
    )
}

fn data_directory(named: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), CommandError> {
    if let Some(path) = named {
        return Ok((path, None));
    }
    let directory = tempfile::Builder::new().prefix("answerd-demo-").tempdir();
    let directory =
        directory.map_err(|error| CommandError::Directory { path: std::env::temp_dir(), error })?;
    Ok((directory.path().to_owned(), Some(directory)))
}

/// The address itself, or a free port of it where it is taken. Somebody else may be quicker between
/// this look and the start; the start says so then.
fn free_address(wanted: SocketAddr) -> SocketAddr {
    match TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::new(wanted.ip(), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::test_server::{TestServer, job, streams};

    fn ask_with(last: serde_json::Value) -> (Result<ExitCode, CommandError>, String, Vec<String>) {
        let server = TestServer::answering(vec![
            (202, job("pending", "queued").to_string()),
            (200, job("pending", "running").to_string()),
            (200, last.to_string()),
        ]);
        let (mut console, written) = streams(false);
        let url = server.url().to_owned();
        let asked = ask(&url, "It's what?", &crossbeam_channel::never(), &mut console);
        let told = written.err() + written.out().as_str();
        (asked.map(|(exit, _)| exit), told.replace(&url, "http://HOST"), server.asked())
    }

    #[test]
    fn the_demo_asks_over_http_and_shows_each_state_and_the_answer() {
        let (exit, told, asked) = ask_with(job("done", "finished"));
        assert_eq!(exit.unwrap(), ExitCode::Done);
        insta::assert_snapshot!(told, @r"
    POST http://HOST/scrapers/practice/jobs
    GET  http://HOST/jobs/0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10
    queued: on disk, waiting for a worker
    running: attempt 1
    done
    job     0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10
    status  done in 12 ms, 3 credits
    asked   practice (US)
    prompt  What?
    link    http://host/md/0b7c.md

    An answer.

    sources
      1  A page
         https://a.example/
    ");
        assert!(asked[0].starts_with("POST /scrapers/practice/jobs HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].contains(r#""It's what?""#), "{}", asked[0]);
    }

    #[test]
    fn no_prompt_can_break_out_of_the_commands_that_are_shown() {
        insta::assert_snapshot!(repeat("http://HOST", "It's `what`?\n$(x)", "0b7c"), @r"

        The same with curl, as a job and its poll, or in one call that waits:
          curl -X POST 'http://HOST/scrapers/practice/jobs?prompt=It%27s+%60what%60%3F%0A%24%28x%29'
          curl 'http://HOST/jobs/0b7c'
          curl 'http://HOST/scrapers/practice?prompt=It%27s+%60what%60%3F%0A%24%28x%29'
        ");
    }

    #[test]
    fn a_demo_whose_job_fails_fails() {
        let (exit, told, _) = ask_with(job("failed", "finished"));
        assert_eq!(exit.unwrap(), ExitCode::Failed);
        assert!(told.contains("failed: The upstream did not answer. (upstream_unreachable)"));
    }

    #[test]
    fn a_taken_port_gives_way_to_a_free_one() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(free_address(address).port(), 0);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        assert_eq!(free_address(any), any);
    }

    #[test]
    fn the_temporary_directory_goes_with_the_demo_and_a_named_one_stays() {
        let (path, directory) = data_directory(None).unwrap();
        assert!(path.is_dir());
        drop(directory);
        assert!(!path.exists());
        assert!(data_directory(Some("kept".into())).unwrap().1.is_none());
    }
}
