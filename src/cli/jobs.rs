//! The commands about one job of a running server: submit, get, watch.

use std::convert::Infallible;
use std::io::Read;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::client::{Client, ClientError, DEFAULT_URL};
use super::console::{Console, Style, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::follow::follow;
use super::page_opener;
use super::render::ShownJob;
use super::scrape_options::ScrapeOptions;
use super::several::each;
use crate::api::JobStatus;
use crate::clock::Clock;
use crate::config::Secret;
use crate::job::{PROMPT_CHARS_MAX, RawRequest, check_idempotency_key};

/// The longest prompt on stdin, bytes: no character takes more than four, and a line break ends it.
const PROMPT_BYTES_MAX: u64 = PROMPT_CHARS_MAX as u64 * 4 + 2;

/// The server, and the key for it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// The server's address [default: http://127.0.0.1:8080]
    #[arg(long, env = "ANSWERD_URL", value_name = "URL")]
    url: Option<String>,
    /// The API key, where the server needs one
    ///
    /// Better set in the environment: a command line is seen by everybody on the machine.
    #[arg(
        long,
        env = "ANSWERD_API_KEY",
        hide_env_values = true,
        value_name = "KEY",
        value_parser = |key: &str| Ok::<Secret, Infallible>(Secret::new(key))
    )]
    key: Option<Secret>,
}

impl ServerArgs {
    /// Returns whether a server was named, by the option or the variable.
    pub(crate) fn is_named(&self) -> bool {
        self.url.as_ref().is_some_and(|url| !url.is_empty())
    }

    /// Creates a client of that server.
    ///
    /// # Errors
    /// Returns an error if the address or the key is invalid.
    pub(crate) fn client(self) -> Result<Client, ClientError> {
        self.client_or(DEFAULT_URL)
    }

    /// Creates a client of that server, or of the one at `default_url` if none was named.
    ///
    /// # Errors
    /// Returns an error if the address or the key is invalid.
    pub(crate) fn client_or(self, default_url: &str) -> Result<Client, ClientError> {
        // Set but empty is how compose files say "not set".
        let url = self.url.filter(|url| !url.is_empty());
        let key = self.key.filter(|key| !key.reveal().is_empty());
        Client::new(url.as_deref().unwrap_or(default_url), key)
    }
}

const SUBMIT_EXAMPLES: &str = "\
Examples:
  answerd submit practice \"How long are jobs kept?\" --wait
  id=$(answerd submit chatgpt \"Best running shoes?\" --country DE)
  answerd submit chatgpt - --wait < prompt.txt
  answerd submit perplexity \"Who won?\" --wait --json | jq .result.sources";

/// Submit a prompt as a job
///
/// Prints the job's id as soon as the job is on the server's disk; with --wait the finished job.
/// Exits with 1 when the server refuses the job or, with --wait, when the job fails.
#[derive(Debug, Args)]
#[command(after_help = SUBMIT_EXAMPLES)]
pub(crate) struct SubmitArgs {
    /// The scraper to ask: chatgpt, perplexity, practice, ...
    scraper: String,
    /// The prompt; `-` reads it from stdin
    prompt: String,
    /// Wait until the job has ended and print it
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    options: ScrapeOptions,
    /// Submit once: the same key and request return the existing job
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

const GET_EXAMPLES: &str = "\
Examples:
  answerd get 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd get 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10 --markdown > answer.md
  answerd get 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10 --json | jq .result.links
  answerd get 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10 --raw | jq -r '.replies[0].body'
  answerd list --label nightly | cut -f1 | xargs answerd get --json > jobs.ndjson";

/// Print jobs in their current state
///
/// Needs no key: anyone who has a job's id may read it, but for its raw replies. Exits with 1 when
/// there is no such job or a job has failed; a job that still runs is no failure unless --markdown
/// asks for its answer.
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
pub(crate) struct GetArgs {
    /// The ids, as `submit` printed them
    // Empty is what "$(answerd submit ...)" leaves when the submit failed.
    #[arg(value_name = "ID", required = true, value_parser = NonEmptyStringValueParser::new())]
    ids: Vec<String>,
    /// Print the answer's Markdown alone
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print the raw replies of its upstreams, as JSON; takes the key that made the job
    #[arg(long, conflicts_with = "markdown")]
    raw: bool,
    /// Open it on the dashboard instead
    #[arg(short, long, conflicts_with_all = ["markdown", "raw"])]
    web: bool,
    #[command(flatten)]
    server: ServerArgs,
}

const WATCH_EXAMPLES: &str = "\
Examples:
  answerd watch 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd watch \"$(answerd submit practice 'What is a job?')\" --json";

/// Wait until jobs have ended and print them
///
/// One after the other. Shows each state of a job on stderr, and continues through a restart of the
/// server. Ctrl-C ends the watch, not the job. Exits with 1 when a job fails.
#[derive(Debug, Args)]
#[command(after_help = WATCH_EXAMPLES)]
pub(crate) struct WatchArgs {
    /// The ids, as `submit` printed them
    // Empty is what "$(answerd submit ...)" leaves when the submit failed.
    #[arg(value_name = "ID", required = true, value_parser = NonEmptyStringValueParser::new())]
    ids: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Submits a job; with `--wait`, waits for it.
///
/// # Errors
/// Returns an error if the prompt cannot be read, or the server refuses it or cannot be reached.
pub(crate) fn submit(args: SubmitArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let asked =
        RawRequest { prompt: Some(prompt(args.prompt, std::io::stdin())?), ..*args.options.given };
    let idempotency_key = args.idempotency_key.map(idempotency_key).transpose()?;
    let client = args.server.client()?;
    let job = client.submit(&args.scraper, &asked, idempotency_key.as_deref())?;
    if args.wait {
        let job = wait(&client, job, console)?;
        return show(&job, console);
    }
    if console.is_json() {
        console.document(&job.document)?;
    } else {
        console.result(&printable(&job.view.job_id.0))?;
        let hint =
            format!("{}; `answerd watch {}` waits for it", job.progress(), job.view.job_id.0);
        console.note(&console.err_styled().apply(Style::Aside, &printable(&hint)));
    }
    Ok(ExitCode::Done)
}

/// Prints jobs, their Markdown, or their raw replies.
///
/// # Errors
/// Returns an error if there is no such job, no answer yet for `--markdown`, or no server.
pub(crate) fn get(args: GetArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    each(&args.ids, console, |id, console| {
        if args.web {
            return page_opener::show(&client, Some(id), true, console);
        }
        if args.raw {
            console.result(&client.raw(id)?.to_string())?;
            return Ok(ExitCode::Done);
        }
        let job = client.job(id)?;
        if args.markdown { show_markdown(job, console) } else { show(&job, console) }
    })
}

fn show_markdown(job: ShownJob, console: &mut Console) -> Result<ExitCode, CommandError> {
    let Some(answer) = job.view.result else {
        return Err(match job.view.status {
            JobStatus::Pending | JobStatus::Done => {
                CommandError::NotDone { job_id: job.view.job_id.0 }
            }
            JobStatus::Failed => CommandError::JobFailed {
                sentence: job.view.error.unwrap_or_default().into_owned(),
                code: job.view.error_code.map(String::from),
            },
        });
    };
    // A file gets the answer to the letter; a terminal must not obey it.
    if console.out_is_terminal() {
        console.result(&printable(&answer.result_markdown))?;
    } else {
        console.result(&answer.result_markdown)?;
    }
    Ok(ExitCode::Done)
}

/// Waits for jobs and prints them.
///
/// # Errors
/// Returns an error if there is no such job, or the server stays out of reach.
pub(crate) fn watch(args: WatchArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    each(&args.ids, console, |id, console| {
        let job = wait(&client, client.job(id)?, console)?;
        show(&job, console)
    })
}

fn idempotency_key(given: String) -> Result<String, CommandError> {
    check_idempotency_key(given.as_bytes())
        .map_err(|invalid| CommandError::WrongUse(invalid.to_string()))
}

/// Ctrl-C ends the process as it is, so nothing else has to end the wait.
fn wait(client: &Client, job: ShownJob, console: &mut Console) -> Result<ShownJob, CommandError> {
    follow(client, job, &Clock::System, &crossbeam_channel::never(), console)
}

/// Prints a job; the exit code is the job's.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
pub(crate) fn show(job: &ShownJob, console: &mut Console) -> Result<ExitCode, CommandError> {
    if console.is_json() {
        console.document(&job.document)?;
    } else {
        console.result(&job.text(console.styled()))?;
    }
    Ok(match job.view.status {
        JobStatus::Pending | JobStatus::Done => ExitCode::Done,
        JobStatus::Failed => ExitCode::Failed,
    })
}

fn prompt(given: String, stdin: impl Read) -> Result<String, CommandError> {
    if given != "-" {
        return Ok(given);
    }
    let mut text = String::new();
    let read = stdin.take(PROMPT_BYTES_MAX + 1).read_to_string(&mut text);
    if read.map_err(CommandError::Input)? as u64 > PROMPT_BYTES_MAX {
        return Err(CommandError::WrongUse(format!(
            "the prompt on stdin is longer than {PROMPT_CHARS_MAX} characters"
        )));
    }
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_the_argument_or_stdin_without_its_last_line_break() {
        assert_eq!(prompt("what?".to_owned(), "other".as_bytes()).unwrap(), "what?");
        let stdin = |text: &str| prompt("-".to_owned(), text.as_bytes());
        assert_eq!(stdin("two\nlines\r\n").unwrap(), "two\nlines");
        assert_eq!(stdin("").unwrap(), "");
        assert_eq!(stdin(&"🦀".repeat(PROMPT_CHARS_MAX)).unwrap().chars().count(), 4_000);
        assert!(matches!(stdin(&"a".repeat(20_000)), Err(CommandError::WrongUse(_))));
        let broken = prompt("-".to_owned(), &[0xff_u8][..]);
        assert!(matches!(broken, Err(CommandError::Input(_))));
    }
}
