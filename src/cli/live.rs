//! `answerd check --live`: one short prompt to every upstream that is ready, one after the other.
//! `report` shows what came back.

mod report;

use std::time::Duration;

pub(crate) use report::Report;
use report::{Outcome, Trial};

use super::console::Console;
use super::error::CommandError;
use super::progress::Progress;
use crate::clock::Clock;
use crate::config::{ConfigError, Settings, Upstream, UpstreamKind};
use crate::job::{RawRequest, Reason, ScrapeRequest};
use crate::upstream::{self, Call, Registry};

/// A question that is cheap to answer and whose answer needs a search.
pub(crate) const PROMPT: &str =
    "Which is the current stable version of Rust? Answer in one sentence.";

/// The attempt that a trial is: the first, and there is no other.
const ATTEMPT: u32 = 1;

/// Calls every upstream that is ready, within its own time limit. The connections of all are made
/// up first, so that a wrong setting is found before anything is spent.
///
/// # Errors
/// Returns an error if the prompt breaks its rule, or an upstream's proxy cannot be used; nothing
/// was called then.
pub(crate) fn call_all(
    settings: &Settings,
    prompt: &str,
    clock: &Clock,
    console: &mut Console,
) -> Result<Report, CommandError> {
    let request = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
    let request =
        request.check("check", &[]).map_err(|invalid| CommandError::WrongUse(invalid.sentence))?;
    let mut ready = Vec::new();
    let mut others = Vec::new();
    for configured in settings.upstreams.values() {
        match &configured.missing {
            Some(missing) => {
                others.push(Trial::new(configured, Outcome::NotReady { missing: missing.clone() }));
            }
            None if is_part_of_the_service(configured) => {
                others.push(Trial::new(configured, Outcome::Skipped));
            }
            None => {
                let registry = upstream::alone(settings, configured, clock)
                    .map_err(|error| ConfigError { problems: vec![error.to_string()] })?;
                ready.push((configured, registry));
            }
        }
    }
    let mut trials: Vec<Trial> = ready
        .iter()
        .map(|(configured, registry)| call(configured, registry, &request, clock, console))
        .collect();
    trials.append(&mut others);
    Ok(Report::new(trials))
}

/// Returns whether an upstream is part of `serve`, which does not run in this command.
fn is_part_of_the_service(configured: &Upstream) -> bool {
    let is_own_page = configured.recipe == "practice" && configured.base_url.is_empty();
    configured.kind == UpstreamKind::Practice
        || configured.kind == UpstreamKind::Browser && is_own_page
}

fn call(
    configured: &Upstream,
    registry: &Registry,
    request: &ScrapeRequest,
    clock: &Clock,
    console: &mut Console,
) -> Trial {
    let Upstream { name, timeout_seconds, .. } = configured;
    let mut progress = Progress::new(console);
    progress.show(&format!("asking {name}, for {timeout_seconds} s at most"), console);
    let begun = clock.instant();
    let deadline = begun + Duration::from_secs(*timeout_seconds);
    // Ctrl-C ends the process as it is, so nothing has to cancel the call.
    let call = Call::until(deadline);
    let asked = registry.ask(name, request, &call, ATTEMPT);
    let seconds = clock.instant().saturating_duration_since(begun).as_secs_f64();
    let was_reached = asked.as_ref().err().is_none_or(|error| {
        let unreached = [Reason::Unreachable, Reason::UpstreamTimeout, Reason::Auth];
        !unreached.contains(&error.reason)
    });
    let model_warnings =
        if was_reached { upstream::model_warnings(configured, clock) } else { Vec::new() };
    let mut trial = Trial::new(
        configured,
        match asked {
            Ok((answer, _)) => Outcome::Answered { seconds, answer: Box::new(answer) },
            Err(error) => Outcome::Failed { seconds, error },
        },
    );
    trial.model_warnings = model_warnings;
    trial
}

#[cfg(test)]
mod tests;
