//! `answerd complete`: what the scripts of shells ask while somebody types: the scrapers, ids and
//! names of the running server that fit, and codes. It never fails aloud, and gives up soon.

use std::collections::BTreeSet;

use clap::{Arg, ArgMatches, Args as ClapArgs, Command, FromArgMatches};
use serde_json::Value;

use super::client::Client;
use super::console::{Console, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use crate::clock::Clock;
use crate::country;
use crate::job::Reason;

/// How long somebody who types waits for it, milliseconds.
const PATIENCE_MS: u64 = 300;
/// How many of the newest jobs and batches are offered.
const NEWEST_MAX: &str = "100";
/// How much of a prompt stands beside its id, characters.
const ABOUT_CHARS_MAX: usize = 60;

const EXAMPLES: &str = "\
Examples:
  answerd complete -- submit chat";

/// Print what a word of a command line can be, for the scripts of `answerd completions`
///
/// The words are those behind `answerd`, the last of them the one that is being typed. Each line is
/// a value, and behind a tab what it is. Prints nothing where the server is not there.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES, hide = true)]
pub(crate) struct Args {
    /// The words that are typed so far
    #[arg(last = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// The things that a word can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completable {
    /// A country, by its code.
    Country,
    /// Why a job has failed, by its code.
    Reason,
    OfServer(Nameable),
}

impl Completable {
    /// Returns what an argument of a command names, by its name.
    fn of(command: &Command, argument: &Arg) -> Option<Completable> {
        match argument.get_id().as_str() {
            "country" => Some(Completable::Country),
            "error_code" => Some(Completable::Reason),
            _ => Nameable::of(command, argument).map(Completable::OfServer),
        }
    }

    /// Returns the values, each with a few words about it; those of the server that is named.
    fn values(self, words: &[&str]) -> BTreeSet<(String, String)> {
        let pair = |value: &str, about: &str| (value.to_owned(), about.to_owned());
        match self {
            Completable::Country => {
                country::all().iter().map(|it| pair(it.alpha_2, it.name)).collect()
            }
            Completable::Reason => Reason::ALL.iter().map(|it| pair(it.code(), "")).collect(),
            Completable::OfServer(named) => {
                client(words).map(|client| found_in_time(client, named)).unwrap_or_default()
            }
        }
    }
}

/// The things of a server that a word can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nameable {
    Scraper,
    Job,
    Batch,
    Label,
    Tracker,
    Schedule,
    Alert,
}

impl Nameable {
    /// The list that has them, and the field that is one.
    const fn place(self) -> (&'static str, &'static str) {
        match self {
            Nameable::Scraper => ("scrapers", "name"),
            Nameable::Job => ("jobs", "job_id"),
            Nameable::Batch => ("batches", "batch_id"),
            Nameable::Label => ("jobs", "label"),
            Nameable::Tracker => ("trackers", "name"),
            Nameable::Schedule => ("schedules", "name"),
            Nameable::Alert => ("alerts", "name"),
        }
    }

    /// Returns what an argument of a command names, by its name; the name of a new thing is none.
    fn of(command: &Command, argument: &Arg) -> Option<Nameable> {
        let value = argument.get_value_names().and_then(<[_]>::first).map_or("", |it| it.as_str());
        match (argument.get_id().as_str(), command.get_name()) {
            ("scraper", _) => Some(Nameable::Scraper),
            ("label", _) => Some(Nameable::Label),
            ("tracker" | "track", _) | ("name", "show" | "apply") => Some(Nameable::Tracker),
            ("batch", _) if value == "ID" => Some(Nameable::Batch),
            ("schedule", _) => Some(Nameable::Schedule),
            ("alert", _) => Some(Nameable::Alert),
            ("id" | "ids", _) | ("what", "open") => Some(Nameable::Job),
            _ => None,
        }
    }
}

/// Prints the values that fit.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
pub(crate) fn run(
    args: Args,
    mut root: Command,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    root.build();
    let words: Vec<&str> = args.words.iter().map(String::as_str).filter(|it| *it != "=").collect();
    let Some((named, typed)) = wanted(&root, &words) else { return Ok(ExitCode::Done) };
    for (value, about) in named.values(&words) {
        if value.starts_with(typed) {
            let line = if about.is_empty() { value } else { format!("{value}\t{about}") };
            console.result(&line)?;
        }
    }
    Ok(ExitCode::Done)
}

/// Returns what the last word names, and how it begins.
fn wanted<'a>(root: &Command, words: &[&'a str]) -> Option<(Completable, &'a str)> {
    let (typed, before) = words.split_last()?;
    let (mut command, mut positionals, mut option) = (root, 0, None);
    for word in before {
        if option.take().is_some() {
            // It was the value of the option before it.
        } else if word.len() > 1 && word.starts_with('-') {
            option = option_of(command, word);
        } else if let Some(below) = command.find_subcommand(word).filter(|_| positionals == 0) {
            command = below;
        } else {
            positionals += 1;
        }
    }
    let (argument, typed) = match (option, typed.split_once('=')) {
        (Some(option), _) => (option, *typed),
        (None, Some((name, typed))) if name.starts_with("--") => (option_of(command, name)?, typed),
        (None, _) if typed.starts_with('-') => return None,
        (None, _) => (positional(command, positionals)?, *typed),
    };
    Completable::of(command, argument).map(|named| (named, typed))
}

/// Returns the option of a word that takes the next one as its value.
fn option_of<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let named = |argument: &&Arg| match word.strip_prefix("--") {
        Some(long) => argument.get_long() == Some(long),
        None => argument.get_short().is_some_and(|short| word[1..] == short.to_string()),
    };
    command.get_arguments().find(named).filter(|argument| argument.get_action().takes_values())
}

/// Returns the argument at a place; the last one may be there several times.
fn positional(command: &Command, at: usize) -> Option<&Arg> {
    let repeated = |argument: &&Arg| argument.get_num_args().is_some_and(|it| it.max_values() > 1);
    let all: Vec<&Arg> = command.get_positionals().collect();
    all.get(at).copied().or_else(|| all.last().copied().filter(repeated))
}

/// Returns a client of the server that the words, or else the environment, name.
fn client(words: &[&str]) -> Option<Client> {
    let option = |name: &'static str| {
        let at = words.iter().position(|word| *word == name)?;
        Some([name, words.get(at + 1)?])
    };
    let given = [option("--url"), option("--key")].into_iter().flatten().flatten();
    let command = ServerArgs::augment_args(Command::new("answerd"));
    let matches: ArgMatches =
        command.try_get_matches_from(std::iter::once("answerd").chain(given)).ok()?;
    ServerArgs::from_arg_matches(&matches).ok()?.client().ok()
}

/// Returns the values that a server has; none where that takes too long.
fn found_in_time(client: Client, named: Nameable) -> BTreeSet<(String, String)> {
    let (sender, found) = crossbeam_channel::bounded(1);
    let ask = move || {
        let (list, _) = named.place();
        let query: &[(&str, &str)] = match named {
            Nameable::Job | Nameable::Batch | Nameable::Label => &[("limit", NEWEST_MAX)],
            Nameable::Scraper | Nameable::Tracker | Nameable::Schedule | Nameable::Alert => &[],
        };
        // Without a server there is nothing to offer.
        let document = client.listed(list, query).unwrap_or_default();
        let _ = sender.send(values(&document, named));
    };
    // Without a thread there is nothing either.
    let _ = std::thread::Builder::new().name("complete".to_owned()).spawn(ask);
    let clock = Clock::System;
    clock.recv_until(&found, Some(clock.now_ms() + PATIENCE_MS)).unwrap_or_default()
}

/// Returns the values of a list, each with a few words about it.
fn values(document: &Value, named: Nameable) -> BTreeSet<(String, String)> {
    let (list, field) = named.place();
    let rows = document[list].as_array().into_iter().flatten();
    let value = |row: &Value| {
        let value = printable(row[field].as_str()?);
        let about = match named {
            Nameable::Job => row["prompt"].as_str(),
            Nameable::Batch => row["label"].as_str(),
            Nameable::Scraper
            | Nameable::Label
            | Nameable::Tracker
            | Nameable::Schedule
            | Nameable::Alert => None,
        };
        let about = printable(about.unwrap_or_default()).replace(['\n', '\t'], " ");
        let about = about.chars().take(ABOUT_CHARS_MAX).collect();
        // A script reads a line for each.
        (!value.contains(['\n', '\t'])).then_some((value, about))
    };
    rows.filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn named(line: &str) -> Option<(Completable, String)> {
        let mut root = super::super::Cli::command();
        root.build();
        let words: Vec<&str> = line.split(' ').collect();
        wanted(&root, &words).map(|(named, typed)| (named, typed.to_owned()))
    }

    #[test]
    fn a_word_names_what_its_place_takes() {
        for (line, expected) in [
            ("submit cha", Some((Nameable::Scraper, "cha"))),
            ("submit --country DE cha", Some((Nameable::Scraper, "cha"))),
            ("submit chatgpt wha", None),
            ("get ", Some((Nameable::Job, ""))),
            ("watch a 6f", Some((Nameable::Job, "6f"))),
            ("cancel --json a 6f", Some((Nameable::Job, "6f"))),
            ("open 6f", Some((Nameable::Job, "6f"))),
            ("list --label ni", Some((Nameable::Label, "ni"))),
            ("list -l ni", Some((Nameable::Label, "ni"))),
            ("list --label=ni", Some((Nameable::Label, "ni"))),
            ("retry --batch 5d", Some((Nameable::Batch, "5d"))),
            ("schedule add x --batch fi", None),
            ("schedule add x --scraper p", Some((Nameable::Scraper, "p"))),
            ("schedule pause da", Some((Nameable::Schedule, "da"))),
            ("alert show fe", Some((Nameable::Alert, "fe"))),
            ("tracker apply ac", Some((Nameable::Tracker, "ac"))),
            ("report ac", Some((Nameable::Tracker, "ac"))),
            ("tracker put ac", None),
            ("list --lab", None),
            ("lis", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(named, typed)| (Completable::OfServer(named), typed.to_owned()));
            assert_eq!(named(line), expected, "{line}");
        }
        assert_eq!(named("list --error-code ti"), Some((Completable::Reason, "ti".to_owned())));
        assert_eq!(named("submit --country D"), Some((Completable::Country, "D".to_owned())));
        let pair = |value: &str, about: &str| (value.to_owned(), about.to_owned());
        assert!(Completable::Country.values(&[]).contains(&pair("DE", "Germany")));
        assert!(Completable::Reason.values(&[]).contains(&pair("timeout", "")));
    }

    #[test]
    fn values_are_lines_without_what_a_terminal_obeys() {
        let document = serde_json::json!({ "jobs": [
            { "job_id": "b", "prompt": "What\nis\u{1b}it?", "label": "two words" },
            { "job_id": "a", "prompt": "", "label": "a\nline" },
            { "job_id": "c", "label": null },
        ]});
        let found: Vec<_> = values(&document, Nameable::Job).into_iter().collect();
        assert_eq!(found[1], ("b".to_owned(), "What isit?".to_owned()));
        let labels: Vec<_> = values(&document, Nameable::Label).into_iter().collect();
        assert_eq!(labels, [("two words".to_owned(), String::new())]);
        assert!(values(&Value::Null, Nameable::Scraper).is_empty());
    }
}
