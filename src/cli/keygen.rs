//! `answerd keygen`: a new API key, shown once, and the lines of config.toml that let it in; or a
//! secret for webhooks.

use std::str::FromStr;

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use crate::config::{self, ANONYMOUS, NAME_CHARS_MAX};

/// What every key begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "ak_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters after the prefix: 43 of 62 kinds hold 256 bits.
const RANDOM_CHARS: usize = 43;
/// The largest multiple of the alphabet's size that a byte can hold: bytes from here on would
/// make the alphabet's first characters more likely than its last.
const FAIR_BYTES: u8 = 248;

const EXAMPLES: &str = "\
Examples:
  answerd keygen team-a
  answerd keygen team-a --credits 10000 --rpm 600 >> config.toml
  answerd keygen team-a --json | jq -r .key
  answerd keygen boss --operator              sees what every key has spent
  answerd keygen --webhook                    a secret that signs webhooks";

/// Make an API key
///
/// Prints the key once, on stderr, and the lines for config.toml on stdout, so that `>>` adds them
/// to the file, and the key is shown on the terminal alone. Only the key's hash is kept;
/// a lost key is replaced by a new one. With --webhook it prints a secret that signs webhooks, on
/// stdout: the service takes it from the variable that `secret_env` in [webhooks] names.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The account that the key's jobs and credits are counted under
    #[arg(required_unless_present = "webhook")]
    name: Option<String>,
    /// Make a secret that signs webhooks instead
    #[arg(long, conflicts_with_all = ["name", "credits", "rpm", "operator"])]
    webhook: bool,
    /// Credits it may use in a calendar month [default: no limit]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u64>)]
    credits: Option<u64>,
    /// Scrapes it may submit in a minute [default: no limit]
    #[arg(long, value_name = "N", value_parser = at_least_one::<u32>)]
    rpm: Option<u32>,
    /// Let it see the credits of all keys, and back the store up, which holds the jobs of all
    #[arg(long)]
    operator: bool,
}

/// Reads a limit. In the settings 0 is no limit, which is not what a 0 here would mean.
fn at_least_one<T: FromStr + Into<u64> + Copy>(given: &str) -> Result<T, String> {
    let limit = given.parse().ok().filter(|limit: &T| (*limit).into() > 0);
    limit.ok_or_else(|| "it must be a number from 1 on; without it there is no limit".to_owned())
}

/// Prints a new key and the lines that let it in.
///
/// # Errors
/// Returns an error if the name is invalid, or the generator of random numbers failed.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    if args.webhook {
        return webhook_secret(console);
    }
    let name = args.name.as_deref().unwrap_or_default();
    if !config::is_name(name) || name == ANONYMOUS {
        return Err(CommandError::WrongUse(format!(
            "the name of a key is 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`, and not \
             `{ANONYMOUS}`, and does not look like a key; it is {}",
            config::quoted(name)
        )));
    }
    let key = new_key().map_err(CommandError::Random)?;
    let hash = hash_text(&key);
    let lines = config_lines(name, &args, &hash);
    if console.is_json() {
        let Args { credits, rpm, operator, .. } = args;
        console.document(&json!({
            "name": name, "key": key, "hash": hash, "monthly_credits": credits,
            "requests_per_minute": rpm, "operator": operator, "config": lines,
        }))?;
    } else {
        let styled = console.err_styled();
        console.note(&format!("{}\n", styled.apply(Style::Heading, &key)));
        console.note("This is the key; it is not shown again. The settings need these lines:");
        console.result(&lines)?;
    }
    Ok(ExitCode::Done)
}

/// Bytes of a secret for webhooks: as many as its signatures have.
const WEBHOOK_SECRET_BYTES: usize = 32;

fn webhook_secret(console: &mut Console) -> Result<ExitCode, CommandError> {
    let mut bytes = [0; WEBHOOK_SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(CommandError::Random)?;
    let secret = config::SigningKey::text_of(&bytes);
    if console.is_json() {
        console.document(&json!({ "secret": secret }))?;
    } else {
        console.result(&secret)?;
        console.note("The service and the receivers of its webhooks need it, and no one else.");
    }
    Ok(ExitCode::Done)
}

/// 256 bits from the operating system's generator, in letters and digits: nothing that a shell, a
/// URL or a double click would take apart.
fn new_key() -> Result<String, getrandom::Error> {
    let mut key = PREFIX.to_owned();
    let mut bytes = [0; RANDOM_CHARS];
    while key.len() < PREFIX.len() + RANDOM_CHARS {
        getrandom::fill(&mut bytes)?;
        let room = PREFIX.len() + RANDOM_CHARS - key.len();
        let fair = bytes.iter().filter(|byte| **byte < FAIR_BYTES).take(room);
        key.extend(fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])));
    }
    Ok(key)
}

fn hash_text(key: &str) -> String {
    let digits = config::key_hash(key).map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", digits.concat())
}

fn config_lines(name: &str, args: &Args, hash: &str) -> String {
    // The line break keeps the heading apart from a file that ends without one.
    let mut lines = format!("\n[[keys]]\nname = \"{name}\"\nhash = \"{hash}\"\n");
    if let Some(credits) = args.credits {
        lines.push_str(&format!("monthly_credits = {credits}\n"));
    }
    if let Some(rpm) = args.rpm {
        lines.push_str(&format!("requests_per_minute = {rpm}\n"));
    }
    if args.operator {
        lines.push_str("operator = true\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::test_server::streams;
    use crate::config::Settings;

    fn named(name: &str) -> Args {
        Args {
            name: Some(name.to_owned()),
            webhook: false,
            credits: None,
            rpm: None,
            operator: false,
        }
    }

    #[test]
    fn a_webhook_secret_is_one_that_the_settings_take() {
        let (mut console, written) = streams(false);
        let args = Args { name: None, webhook: true, ..named("") };
        run(args, &mut console).unwrap();
        let name = "ANSWERD_WEBHOOK_SECRET".to_owned();
        let environment = BTreeMap::from([(name, written.out())]);
        let webhooks = Settings::load_from(None, &environment).unwrap().webhooks;
        assert_eq!(webhooks.keys[0].bytes().len(), WEBHOOK_SECRET_BYTES);
        assert!(!written.err().contains("whsec_"));
    }

    #[test]
    fn keys_are_long_plain_and_never_the_same() {
        let keys: Vec<String> = (0..50).map(|_| new_key().unwrap()).collect();
        for (at, key) in keys.iter().enumerate() {
            let random = key.strip_prefix("ak_").unwrap();
            assert_eq!(random.len(), RANDOM_CHARS);
            assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(!keys[..at].contains(key));
        }
    }

    #[test]
    fn the_printed_lines_let_the_printed_key_in() {
        let (mut console, written) = streams(false);
        let args =
            Args { credits: Some(10_000), rpm: Some(600), operator: true, ..named("team-a") };
        assert_eq!(run(args, &mut console).unwrap(), ExitCode::Done);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, written.out()).unwrap();
        let settings = Settings::load_from(Some(&path), &BTreeMap::new()).unwrap();
        let key = written.err().lines().next().unwrap().to_owned();
        assert_eq!(settings.keys[0].name, "team-a");
        assert_eq!(settings.keys[0].hash, config::key_hash(&key));
        assert_eq!(settings.keys[0].monthly_credits, Some(10_000));
        assert_eq!(settings.keys[0].requests_per_minute, Some(600));
        assert!(settings.keys[0].operator);
        assert!(!written.out().contains(&key), "the key must not reach the file");
    }

    #[test]
    fn programs_get_it_all_in_one_document() {
        let (mut console, written) = streams(true);
        run(named("a"), &mut console).unwrap();
        let document: serde_json::Value = serde_json::from_str(&written.out()).unwrap();
        assert_eq!(document["hash"], hash_text(document["key"].as_str().unwrap()));
        assert_eq!(written.err(), "");
    }

    #[test]
    fn limit_of_zero_is_refused_for_it_would_be_none() {
        assert_eq!(at_least_one::<u32>("600"), Ok(600));
        for wrong in ["0", "-1", "many", "4294967296"] {
            assert!(at_least_one::<u32>(wrong).unwrap_err().contains("from 1 on"), "{wrong}");
        }
    }

    #[test]
    fn what_config_would_refuse_is_no_name() {
        let key = new_key().unwrap();
        for name in ["", "a b", "anonymous", "\"", &"a".repeat(65), &key] {
            let refused = run(named(name), &mut streams(false).0);
            let Err(CommandError::WrongUse(told)) = refused else { panic!("{name}") };
            assert!(!told.contains(&key), "{told}");
        }
    }
}
