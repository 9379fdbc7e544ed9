//! Whole command lines against a server that gives set replies: what they send, print and exit
//! with.

mod client_commands;

use clap::CommandFactory;
use serde_json::Value;

use super::test_server::{TestServer, job, streams};
use super::*;

struct Ran {
    exit: ExitCode,
    out: String,
    err: String,
}

fn run_line(line: &[&str]) -> Ran {
    let Cli { command, json } = Cli::try_parse_from([&["answerd"], line].concat()).unwrap();
    let (mut console, written) = streams(json);
    let exit = run(command, &mut console);
    Ran { exit, out: written.out(), err: written.err() }
}

/// Runs a client command against a server with these replies.
fn against(replies: Vec<(u16, String)>, line: &[&str]) -> (Ran, Vec<String>) {
    let server = TestServer::answering(replies);
    let ran = run_line(&[line, &["--url", server.url()]].concat());
    (ran, server.asked())
}

fn ok(job: &Value) -> (u16, String) {
    (200, job.to_string())
}

/// The JSON body of a request.
fn body(asked: &str) -> Value {
    serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_long_help_and_examples_of_its_own() {
    visit(&Cli::command(), "answerd", &mut |words, command| {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.starts_with("Examples:\n") && help.contains(words), "{words}");
        let short = words.split(' ').count() > 2;
        assert!(short || command.get_long_about().is_some() || words == "answerd", "{words}");
        // What is shown can be typed: options that a command does not know are reported.
        for line in help.lines().filter_map(|line| line.trim_start().strip_prefix(words)) {
            for word in line.split_whitespace().filter(|word| word.starts_with("--")) {
                let known = |argument: &clap::Arg| {
                    argument
                        .get_long()
                        .is_some_and(|long| word.trim_end_matches(')') == format!("--{long}"))
                };
                let piped = line.split(['|', '>']).next().is_some_and(|own| !own.contains(word));
                let root = Cli::command();
                let global = root.get_arguments().any(known);
                let below = command.get_subcommands().any(|below| below.get_arguments().any(known));
                let own = command.get_arguments().any(known);
                assert!(piped || own || global || below || words == "answerd", "{words}: {word}");
            }
        }
    });
}

/// Every command and the commands below it, with the words that lead to them.
fn visit(command: &clap::Command, words: &str, seen: &mut impl FnMut(&str, &clap::Command)) {
    seen(words, command);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        visit(below, &format!("{words} {}", below.get_name()), seen);
    }
}

#[test]
fn completions_know_every_command_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run_line(&["completions", shell]);
        assert_eq!((ran.exit, ran.err.as_str()), (ExitCode::Done, ""));
        for command in Cli::command().get_subcommands() {
            assert!(ran.out.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
        assert!(ran.out.contains("bypass-cache"), "{shell}");
    }
    assert!(Cli::try_parse_from(["answerd", "completions", "csh"]).is_err());
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let ran = run_line(&["man"]);
    assert_eq!(ran.exit, ExitCode::Done);
    assert!(ran.out.contains(".TH answerd 1") && ran.out.contains("Exit codes"), "{}", ran.out);
    let directory = tempfile::tempdir().unwrap();
    let ran = run_line(&["man", "--out", directory.path().to_str().unwrap()]);
    assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::Done, ""));
    visit(&Cli::command(), "answerd", &mut |words, _| {
        let name = words.replace(' ', "-");
        let page = directory.path().join(format!("{name}.1"));
        assert!(std::fs::read_to_string(page).unwrap().contains(&format!(".TH {name} 1")));
    });
    let nowhere = run_line(&["man", "--out", "/nowhere/at/all"]);
    assert_eq!(nowhere.exit, ExitCode::Failed);
    assert!(nowhere.err.contains("/nowhere/at/all"), "{}", nowhere.err);
}

#[test]
fn ready_says_whether_jobs_are_taken() {
    let (ran, asked) = against(vec![(200, r#"{"status":"ready"}"#.to_owned())], &["ready"]);
    assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::Done, "ready\n"));
    assert!(asked[0].starts_with("GET /readyz HTTP/1.1\r\n"), "{}", asked[0]);
    let refusal = r#"{"detail": "The service stops.", "code": "shutting_down"}"#;
    let (ran, _) = against(vec![(503, refusal.to_owned())], &["ready"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert!(ran.err.contains("(shutting_down)"), "{}", ran.err);
}

#[test]
fn wrong_use_exits_with_the_code_that_clap_gives() {
    let error = Cli::try_parse_from(["answerd", "submit", "chatgpt"]).unwrap_err();
    assert_eq!(error.exit_code(), i32::from(ExitCode::WrongUse.code()));
    for wrong in [
        &["answerd", "get", "id", "--markdown", "--json"][..],
        &["answerd", "watch", ""],
        &["answerd", "check", "--prompt", "What?"],
        &["answerd", "sumbit", "practice", "What?"],
    ] {
        let error = Cli::try_parse_from(wrong).map(drop).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{wrong:?}");
    }
}

/// What a person, and with --json a program, gets for a line that cannot be read.
fn refused(line: &[&str], json: bool) -> Ran {
    let error = Cli::try_parse_from([&["answerd"], line].concat()).map(drop).unwrap_err();
    let (mut console, written) = streams(json);
    let exit = refuse_line(error, &mut console);
    Ran { exit, out: written.out(), err: written.err() }
}

#[test]
fn a_misspelt_command_suggests_the_nearest_alone() {
    for (line, nearest) in [("sumbit", "submit"), ("lst", "list"), ("wacth", "watch")] {
        let ran = refused(&[line], false);
        assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::WrongUse, ""));
        assert!(
            ran.err.contains(&format!("a similar subcommand exists: '{nearest}'")),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_wrong_line_is_a_document_for_programs() {
    for (line, said) in [
        (&["sumbit"][..], "unrecognized subcommand 'sumbit'"),
        (&["submit", "practice"], "the following required arguments were not provided: <PROMPT>"),
        (&["list", "--limit", "x"], "invalid value 'x' for '--limit <N>'"),
        (&["get", "id", "--nope"], "unexpected argument '--nope' found"),
        (&[], "a command is missing"),
    ] {
        let ran = refused(line, true);
        assert_eq!(ran.exit, ExitCode::WrongUse);
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(document["code"], "wrong_use");
        assert!(document["detail"].as_str().unwrap().starts_with(said), "{document}");
        assert!(ran.err.contains("--help"), "{}", ran.err);
    }
}

#[test]
fn help_is_a_command_and_knows_the_others() {
    for line in [&["help"][..], &["help", "submit"], &["help", "db", "check"]] {
        let help = Cli::try_parse_from([&["answerd"], line].concat()).map(drop).unwrap_err();
        assert!(!help.use_stderr() && help.exit_code() == 0, "{help}");
        let shown = help.to_string();
        let words = line[1..].join(" ");
        assert!(shown.contains("Examples:") && shown.contains(&words), "{shown}");
    }
    let ran = run_line(&["version"]);
    assert_eq!(ran.out, format!("answerd {}\n", env!("CARGO_PKG_VERSION")));
    let ran = run_line(&["version", "--json"]);
    assert_eq!(ran.out, format!("{{\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn no_help_shows_a_key_from_the_environment() {
    let help = Cli::command().find_subcommand_mut("submit").unwrap().render_long_help();
    assert!(help.to_string().contains("[env: ANSWERD_API_KEY]"));
}

#[test]
fn check_names_all_that_is_wrong_and_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let file = path.to_str().unwrap();
    std::fs::write(&path, "[http]\nworkers = 0\n[store]\npath = \"\"\n").unwrap();
    let ran = run_line(&["check", "--config", file]);
    assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::WrongUse, ""));
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    let ran = run_line(&["check", "--config", file, "--json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["problems"].as_array().unwrap().len(), 2);
    assert_eq!(run_line(&["serve", "--config", file]).exit, ExitCode::WrongUse);

    std::fs::write(&path, "").unwrap();
    let ran = run_line(&["check", "--config", file]);
    assert_eq!(ran.exit, ExitCode::Done);
    assert!(ran.out.contains("practice"), "{}", ran.out);
    let ran = run_line(&["check", "--config", file, "--json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["ok"], true);
}
