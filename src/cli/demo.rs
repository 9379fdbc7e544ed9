//! `answerd demo`: the whole service in one command, with nothing to configure: started with the
//! shipped defaults, asked one prompt over its own HTTP API, left running for more.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use crossbeam_channel::Receiver;
use tempfile::TempDir;

use super::client::Client;
use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::follow::follow;
use super::{jobs, log, signals};
use crate::clock::Clock;
use crate::config::Settings;
use crate::job::RawRequest;
use crate::server::Server;

/// The scraper that needs no key and calls no other service.
const SCRAPER: &str = "practice";
/// A question that the user guide answers.
const PROMPT: &str = "What happens to my jobs when answerd is restarted?";

const EXAMPLES: &str = "\
Examples:
  answerd demo
  answerd demo \"How long are results kept?\"
  answerd demo --once --json | jq .result.result
  answerd demo --data ./demo-data             jobs outlive the demo";

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
}

/// Starts the service, asks it, and serves on unless it was to be once.
///
/// # Errors
/// Returns an error if the service does not start, or does not answer its own client.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    // Dropped last: the store must be closed before its directory goes.
    let (path, _temporary) = data_directory(args.data)?;
    let mut settings = Settings::load_from(None, &BTreeMap::new())?;
    settings.store.path = path;
    "warn".clone_into(&mut settings.log.level);
    let shipped = settings.http.bind;
    settings.http.bind = free_address(shipped);
    log::start(&settings.log, console)?;
    if settings.http.bind != shipped {
        console.note(&format!("{shipped} is taken, so the demo takes a free port"));
    }
    let server = Server::start(settings, Clock::System)?;
    let shutdown = server.shutdown_handle();
    let (stop, stopped) = crossbeam_channel::bounded::<()>(1);
    signals::on_stop(move || {
        drop(stop);
        shutdown.stop();
    })?;

    let url = server.base_url();
    let asked = ask(&url, &args.prompt, &stopped, console);
    match &asked {
        Ok((_, job_id)) if !args.once => {
            console.note(&repeat(&url, &args.prompt, job_id));
            let told = format!("Serving at {url}. Ctrl-C stops it.");
            console.note(&console.err_styled().apply(Style::Heading, &told));
        }
        // Interrupted, refused, or asked to end here.
        Ok(_) | Err(_) => server.stop(),
    }
    server.wait()?;
    asked.map(|(exit, _)| exit)
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
