//! `answerd webhook`: how the delivery of a job's webhook stands, and sending it again.

use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;

use super::client::ClientError;
use super::console::{Console, Styled, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::startup_summary::fact;

const EXAMPLES: &str = "\
Examples:
  answerd webhook 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd webhook 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10 --resend
  answerd webhook 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10 --json | jq '.log[-1]'";

/// Show the delivery of a job's webhook, or send it again
///
/// Takes the key that made the job. Exits with 1 when there is no such job, it has no webhook, or
/// the delivery has failed for the last time.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The job's id, as `submit` printed it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Send it again, whatever its state
    #[arg(long)]
    resend: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// What `GET /jobs/{id}/webhook` tells.
#[derive(Deserialize)]
struct Webhook {
    webhook_id: String,
    url: String,
    state: String,
    reason: Option<String>,
    attempts: u32,
    next_attempt_at: Option<String>,
    log: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    at: String,
    took_ms: u64,
    status: Option<u16>,
    error: Option<String>,
}

/// Asks the server and prints what it says.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let document = client.webhook(&args.id, args.resend)?;
    let webhook = Webhook::deserialize(&document).map_err(|error| {
        ClientError::InvalidResponse { url: "the server".to_owned(), reason: error.to_string() }
    })?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result(&text(&webhook, console.styled()))?;
    }
    Ok(if webhook.state == "failed" { ExitCode::Failed } else { ExitCode::Done })
}

fn text(webhook: &Webhook, styled: Styled) -> String {
    let mut text = String::new();
    let state = match &webhook.reason {
        Some(reason) => format!("{} ({reason})", webhook.state),
        None => webhook.state.clone(),
    };
    fact(&mut text, styled, "state", &printable(&state));
    fact(&mut text, styled, "url", &printable(&webhook.url));
    fact(&mut text, styled, "id", &printable(&webhook.webhook_id));
    fact(&mut text, styled, "attempts", &webhook.attempts.to_string());
    if let Some(next_at) = &webhook.next_attempt_at {
        fact(&mut text, styled, "next", &printable(next_at));
    }
    for attempt in &webhook.log {
        let outcome = match (attempt.status, &attempt.error) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => error.clone(),
            (None, None) => "unknown".to_owned(),
        };
        let line = format!("{}  {outcome}  {} ms", attempt.at, attempt.took_ms);
        fact(&mut text, styled, "tried", &printable(&line));
    }
    text
}
