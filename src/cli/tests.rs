//! Whole command lines against a server that gives set replies: what they send, print and exit with.

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
    for below in command.get_subcommands() {
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
fn submit_sends_what_was_given_and_prints_the_id_alone() {
    let (ran, asked) = against(
        vec![(202, job("pending", "queued").to_string())],
        &[
            "submit",
            "chatgpt",
            "What?",
            "--country",
            "DE",
            "--timeout",
            "60",
            "--bypass-cache",
            "--no-web-search",
            "--markdown-json",
            "--mode",
            "deep",
            "--label",
            "nightly",
            "--start-within",
            "30",
            "--webhook-url",
            "https://a.example/hook",
            "--idempotency-key",
            "k-1",
            "--key",
            "ak_secret",
        ],
    );
    assert_eq!(ran.exit, ExitCode::Done);
    assert_eq!(ran.out, "0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10\n");
    assert!(ran.err.contains("answerd watch 0b7c1e0e"), "{}", ran.err);
    assert!(asked[0].starts_with("POST /scrapers/chatgpt/jobs HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
    assert!(asked[0].to_ascii_lowercase().contains("\r\nidempotency-key: k-1\r\n"));
    insta::assert_snapshot!(body(&asked[0]), @r#"{"prompt":"What?","country":"DE","bypass_cache":true,"timeout":60.0,"web_search":false,"markdown_json":true,"mode":"deep","label":"nightly","start_within":30.0,"webhook_url":"https://a.example/hook"}"#);
}

#[test]
fn an_idempotency_key_that_is_none_is_wrong_use() {
    let ran = run_line(&["submit", "practice", "What?", "--idempotency-key", "two words"]);
    assert_eq!(ran.exit, ExitCode::WrongUse);
    assert!(ran.err.contains("visible ASCII"), "{}", ran.err);
}

#[test]
fn webhook_shows_the_delivery_and_sends_it_again() {
    let mut document = serde_json::json!({
        "job_id": "an-id", "webhook_id": "msg_an-id", "url": "https://a.example/hook",
        "state": "pending", "reason": null, "attempts": 2, "resends": 0,
        "next_attempt_at": "2026-05-11T12:05:00+00:00", "log": [
            {"at": "2026-05-11T12:00:00+00:00", "took_ms": 7, "status": 500, "error": null},
            {"at": "2026-05-11T12:00:05+00:00", "took_ms": 9, "status": null, "error": "timeout"},
        ],
    });
    let (ran, asked) = against(vec![ok(&document)], &["webhook", "an-id", "--key", "ak_secret"]);
    assert_eq!(ran.exit, ExitCode::Done);
    insta::assert_snapshot!(ran.out, @r"
    state      pending
    url        https://a.example/hook
    id         msg_an-id
    attempts   2
    next       2026-05-11T12:05:00+00:00
    tried      2026-05-11T12:00:00+00:00  500  7 ms
    tried      2026-05-11T12:00:05+00:00  timeout  9 ms
    ");
    assert!(asked[0].starts_with("GET /jobs/an-id/webhook HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
    let (ran, asked) =
        against(vec![(202, document.to_string())], &["webhook", "an-id", "--resend", "--json"]);
    assert_eq!(ran.exit, ExitCode::Done);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), document);
    assert!(asked[0].starts_with("POST /jobs/an-id/webhook HTTP/1.1\r\n"), "{}", asked[0]);
    (document["state"], document["reason"]) = ("failed".into(), "gone".into());
    let (ran, _) = against(vec![ok(&document)], &["webhook", "an-id"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert!(ran.out.contains("failed (gone)"), "{}", ran.out);
}

#[test]
fn cancel_prints_the_job_and_is_no_failure_by_itself() {
    let mut canceled = job("failed", "finished");
    canceled["error_code"] = "canceled".into();
    let (ran, asked) = against(vec![ok(&canceled)], &["cancel", "an-id", "--key", "ak_secret"]);
    assert_eq!(ran.exit, ExitCode::Done);
    assert!(ran.out.contains("(canceled)"), "{}", ran.out);
    assert!(asked[0].starts_with("DELETE /jobs/an-id HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
    let refusal = r#"{"detail": "The job has ended already.", "code": "job_finished"}"#;
    let (ran, _) = against(vec![(409, refusal.to_owned())], &["cancel", "id"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert!(ran.err.contains("(job_finished)"), "{}", ran.err);
}

/// A page of the list.
fn page(cursor: Option<&str>) -> (u16, String) {
    let mut listed = job("done", "finished");
    listed["created_at"] = "2026-05-11T12:00:00+00:00".into();
    listed["label"] = "nightly".into();
    let document = serde_json::json!({ "jobs": [listed], "next_cursor": cursor });
    (200, document.to_string())
}

#[test]
fn list_prints_a_line_for_a_job_and_says_when_there_are_more() {
    let line = ["list", "--status", "done", "--label", "a b", "--limit", "1", "--key", "ak_secret"];
    let (ran, asked) = against(vec![page(Some("c1"))], &line);
    assert_eq!(ran.exit, ExitCode::Done);
    insta::assert_snapshot!(ran.out, @"0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10  2026-05-11T12:00:00+00:00  done     practice        [nightly] What?");
    assert_eq!(ran.err, "1 job; there may be more, which --all lists\n");
    assert!(asked[0].starts_with("GET /jobs?status=done&label=a+b&limit=1 HTTP/1.1\r\n"));
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
}

#[test]
fn list_all_follows_the_cursors_to_the_end() {
    let (ran, asked) = against(vec![page(Some("c1")), page(None)], &["list", "--all", "--json"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["jobs"].as_array().unwrap().len(), 2);
    assert!(document["next_cursor"].is_null());
    assert!(asked[0].starts_with("GET /jobs?limit=200 "), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /jobs?limit=200&cursor=c1 "), "{}", asked[1]);
}

#[test]
fn usage_prints_what_is_left_or_that_there_is_no_limit() {
    let document = |allowance: Option<u64>, left: Option<u64>| {
        let usage = serde_json::json!({
            "account": "team-a", "monthly_credits": allowance, "used": 6, "reserved": 3,
            "left": left, "resets_at": "2026-06-01T00:00:00+00:00",
            "scrapers": { "chatgpt": { "jobs": 3, "done": 2, "failed": 0, "cached": 0, "credits": 6 } },
            "days": [{ "date": "2026-05-11", "scrapers": {
                "chatgpt": { "jobs": 3, "done": 2, "failed": 0, "cached": 0, "credits": 6 },
            } }],
        });
        vec![(200, usage.to_string())]
    };
    let (ran, asked) = against(document(Some(10), Some(1)), &["usage", "--key", "ak_secret"]);
    assert!(asked[0].starts_with("GET /usage HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
    insta::assert_snapshot!(ran.out, @r"
    account    team-a
    allowance  10
    used       6
    reserved   3
    left       1
    resets     2026-06-01T00:00:00+00:00

    day         scraper            jobs     done   failed   cached  credits
    2026-05-11  chatgpt               3        2        0        0        6
    in all      chatgpt               3        2        0        0        6
    ");
    let (ran, _) = against(document(None, None), &["usage"]);
    assert!(ran.out.contains("left       no limit\n"), "{}", ran.out);
}

#[test]
fn usage_prints_the_credits_of_every_key_where_they_are_told() {
    let usage = serde_json::json!({
        "account": "boss", "monthly_credits": null, "used": 0, "reserved": 0, "left": null,
        "resets_at": "2026-06-01T00:00:00+00:00", "scrapers": {}, "days": [],
        "accounts": [
            { "account": "boss", "monthly_credits": null, "used": 0, "reserved": 0, "left": null },
            { "account": "team-a", "monthly_credits": 10, "used": 6, "reserved": 3, "left": 1 },
        ],
    });
    let (ran, _) = against(vec![(200, usage.to_string())], &["usage"]);
    insta::assert_snapshot!(ran.out, @r"
    account    boss
    allowance  no limit
    used       0
    reserved   0
    left       no limit
    resets     2026-06-01T00:00:00+00:00

    account            allowance       used   reserved       left
    boss                no limit          0          0   no limit
    team-a                    10          6          3          1
    ");
}

#[test]
fn submit_leaves_the_defaults_to_the_server() {
    let queued = (202, job("pending", "queued").to_string());
    let (_, asked) = against(vec![queued], &["submit", "practice", "What?"]);
    assert_eq!(body(&asked[0]), serde_json::json!({ "prompt": "What?" }));
}

#[test]
fn submit_and_wait_prints_the_finished_job() {
    let replies = vec![(202, job("pending", "queued").to_string()), ok(&job("done", "finished"))];
    let (ran, asked) = against(replies, &["submit", "practice", "What?", "--wait"]);
    assert_eq!(ran.exit, ExitCode::Done);
    assert!(ran.out.contains("An answer.") && ran.out.contains("https://a.example/"));
    insta::assert_snapshot!(ran.err, @r"
    queued: on disk, waiting for a worker
    done
    ");
    assert!(asked[1].starts_with("GET /jobs/0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10 HTTP/1.1\r\n"));
}

#[test]
fn a_failed_job_exits_with_1_wherever_it_is_printed() {
    let failed = || vec![ok(&job("failed", "finished"))];
    for line in [&["get", "id"][..], &["watch", "id"], &["get", "id", "--json"]] {
        let (ran, _) = against(failed(), line);
        assert_eq!(ran.exit, ExitCode::Failed, "{line:?}");
        assert!(ran.out.contains("upstream_unreachable"), "{line:?}");
    }
    let (ran, _) = against(failed(), &["get", "id", "--markdown"]);
    assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::Failed, ""));
    assert!(ran.err.contains("the job failed: The upstream did not answer."));
}

#[test]
fn get_prints_the_job_its_markdown_or_its_json() {
    let done = || vec![ok(&job("done", "finished"))];
    let (ran, _) = against(done(), &["get", "id"]);
    assert!(ran.out.contains("An answer."));
    let (ran, _) = against(done(), &["get", "id", "--markdown"]);
    assert_eq!(ran.out, "*An* answer.\n");
    let (ran, _) = against(done(), &["--json", "get", "id"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), job("done", "finished"));
    assert_eq!(ran.err, "");
}

#[test]
fn a_job_that_runs_is_no_failure_until_its_answer_is_asked_for() {
    let running = || vec![ok(&job("pending", "running"))];
    let (ran, _) = against(running(), &["get", "id"]);
    assert_eq!(ran.exit, ExitCode::Done);
    let (ran, _) = against(running(), &["get", "id", "--markdown"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert!(ran.err.contains("answerd watch 0b7c1e0e"), "{}", ran.err);
}

#[test]
fn the_reason_and_the_code_of_a_refusal_are_told() {
    let refusal = r#"{"detail": "Invalid API key.", "code": "invalid_api_key"}"#;
    let (ran, _) = against(vec![(401, refusal.to_owned())], &["submit", "chatgpt", "What?"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert_eq!(ran.err, "answerd: Invalid API key. (invalid_api_key)\n");
    let line = ["submit", "chatgpt", "What?", "--json"];
    let (ran, _) = against(vec![(401, refusal.to_owned())], &line);
    insta::assert_snapshot!(ran.out, @r#"{"detail":"Invalid API key.","code":"invalid_api_key"}"#);
}

#[test]
fn a_server_that_is_not_answerd_is_told_from_one_that_is() {
    for reply in [(500, "<html>".to_owned()), (200, "[]".to_owned()), (302, String::new())] {
        let (ran, _) = against(vec![reply], &["get", "id"]);
        assert_eq!(ran.exit, ExitCode::Failed);
        assert!(ran.err.contains("is it the right address?"), "{}", ran.err);
    }
}

#[test]
fn a_proxy_whose_server_is_down_is_no_server() {
    let (ran, _) = against(vec![(502, "<html>".to_owned())], &["get", "id"]);
    assert_eq!(ran.exit, ExitCode::Unreachable);
    assert!(ran.err.contains("502"), "{}", ran.err);
}

#[test]
fn without_a_server_every_client_command_exits_with_3_and_says_what_to_do() {
    // Port 1 is nobody's: a free one could become that of another test meanwhile.
    let url = "http://127.0.0.1:1";
    for line in [
        &["submit", "practice", "What?"][..],
        &["get", "id"],
        &["watch", "id"],
        &["list"],
        &["cancel", "id"],
    ] {
        let ran = run_line(&[line, &["--url", url]].concat());
        assert_eq!(ran.exit, ExitCode::Unreachable, "{line:?}");
        assert!(ran.err.contains(url) && ran.err.contains("answerd serve"), "{}", ran.err);
    }
}

#[test]
fn an_address_that_is_none_is_wrong_use() {
    let ran = run_line(&["get", "id", "--url", "localhost:8080"]);
    assert_eq!(ran.exit, ExitCode::WrongUse);
    assert!(ran.err.contains("http://127.0.0.1:8080"), "{}", ran.err);
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
