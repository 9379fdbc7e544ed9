//! The commands of the binary as somebody types them: what they print, and with what they exit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::child::{Served, answerd, command, store_directory};

/// An address at which nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";
const QUESTION: &str = "How long are results kept?";

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one document that a command with --json prints.
fn document(output: &Output) -> Value {
    let text = out(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_demo_gives_a_finished_job_with_sources() {
    let (directory, store) = store_directory();
    let demo = answerd(&["demo", "--once", "--json"], &store);
    assert_eq!(code(&demo), 0, "{}", err(&demo));
    let job = document(&demo);
    assert_eq!(job["status"], "done");
    assert!(!job["result"]["result"].as_str().unwrap().is_empty());
    assert!(!job["result"]["sources"].as_array().unwrap().is_empty());
    assert!(!err(&demo).contains("curl"), "nobody serves any more: {}", err(&demo));
    // It keeps away from where a service would have its data.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_tracked_demo_has_thirty_days_of_answers_that_say_they_are_made_up() {
    let (directory, store) = store_directory();
    let data = directory.path().join("demo");
    let line = ["demo", "--tracked", "--once", "--json", "--data", data.to_str().unwrap()];
    let demo = answerd(&line, &store);
    assert_eq!(code(&demo), 0, "{}", err(&demo));
    assert_eq!(document(&demo)["status"], "done");
    // Once more: what is there stays as it is.
    let again = answerd(&line, &store);
    assert_eq!(code(&again), 0, "{}", err(&again));
    assert!(err(&again).contains("has a store already"), "{}", err(&again));

    let served = Served::start(&data, &[("STORE__RETENTION_HOURS", "744")]);
    let (_, report) = served.get("/reports?tracker=made-up&by=day").unwrap();
    let days = report["rows"].as_array().unwrap();
    assert_eq!(days.len(), 30, "{report}");
    for day in days {
        assert_eq!(day["answers"], 24, "{day}");
        assert_eq!(day["kinds"], serde_json::json!(["practice"]));
        assert!(day["mention_rate"].is_f64() && day["citation_rate"].is_f64(), "{day}");
    }
    let (_, page) = served.get("/jobs?limit=200&label=made+up").unwrap();
    let jobs = page["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 200);
    for job in jobs {
        assert!(job["scraper"].as_str().unwrap().starts_with("made_up_"), "{job}");
    }
    let id = jobs[0]["job_id"].as_str().unwrap();
    let (_, job) = served.get(&format!("/jobs/{id}")).unwrap();
    let result = &job["result"];
    assert!(result["result"].as_str().unwrap().starts_with("Made up for the demo"), "{result}");
    assert_eq!(result["provenance"]["upstream"], "made_up");
    let (_, schedules) = served.get("/schedules").unwrap();
    assert_eq!(schedules["schedules"][0]["status"], "paused");
}

#[test]
fn a_job_goes_from_submit_over_get_and_watch_into_the_export() {
    let (_directory, store) = store_directory();
    let mut served = Served::start(&store, &[]);
    let base = served.base.clone();
    let at = |line: &[&str]| answerd(&[line, &["--url", base.as_str()]].concat(), &store);

    let waited = at(&["submit", "practice", QUESTION, "--wait"]);
    assert_eq!(code(&waited), 0, "{}", err(&waited));
    assert!(out(&waited).contains("\nsources\n"), "{}", out(&waited));
    assert!(err(&waited).starts_with("queued"), "{}", err(&waited));

    let submitted = at(&["submit", "practice", "What is a job?"]);
    assert_eq!(code(&submitted), 0);
    let id = out(&submitted).trim().to_owned();
    let watched = at(&["watch", &id, "--json"]);
    assert_eq!((code(&watched), &document(&watched)["status"]), (0, &json!("done")));
    let got = at(&["get", &id, "--json"]);
    assert_eq!(document(&got), document(&watched));
    let markdown = at(&["get", &id, "--markdown"]);
    assert_eq!(out(&markdown).trim_end(), document(&got)["result"]["result_markdown"]);

    let gone = at(&["get", "00000000-0000-4000-8000-000000000000", "--json"]);
    assert_eq!((code(&gone), &document(&gone)["code"]), (1, &json!("job_not_found")));
    let unknown = at(&["submit", "nobody", "What?"]);
    assert_eq!(code(&unknown), 1);
    assert!(err(&unknown).contains("practice"), "it names those there are: {}", err(&unknown));

    let in_use = answerd(&["db", "check"], &store);
    assert_eq!(code(&in_use), 1);
    assert!(err(&in_use).contains("in use by another process"), "{}", err(&in_use));
    assert_eq!(served.terminate(), Some(0));
    the_store_can_be_looked_after(&store, 2);
}

/// What a script of its own makes of exported results.
fn from_results(asked: &Value) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/trackers/from_results.py");
    let mut python = Command::new("python3");
    python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    python.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_brand_is_tracked_day_by_day_with_three_commands() {
    let (_directory, store) = store_directory();
    // Two engines, whose sources are pages of a site that can be somebody's own.
    let settings = [
        ("HTTP__PUBLIC_URL", "https://guide.example.com"),
        ("SCRAPERS__SECOND__UPSTREAMS", "[\"practice\"]"),
    ];
    let served = Served::start(&store, &settings);
    let base = served.base.clone();
    let at = |line: &[&str]| {
        let output = answerd(&[line, &["--url", base.as_str()]].concat(), &store);
        assert_eq!(code(&output), 0, "{line:?}: {}", err(&output));
        output
    };
    // The three commands: brands, prompts by engines and country with five samples, and the report.
    at(&["tracker", "put", "acme", "--own", "webhook=example.com", "--rival", "Chromium"]);
    let prompts =
        ["How long are jobs kept?", "What is a recipe?", "How do I learn of a job's end?"];
    let prompts = prompts.map(|prompt| ["--prompt", prompt]).concat();
    let daily = ["schedule", "add", "daily", "--cron", "0 6 * * *"];
    let engines = ["--scraper", "practice", "--scraper", "second"];
    let tracked = ["--samples", "5", "--country", "DE", "--track", "acme"];
    at(&[&daily[..], &prompts, &engines, &tracked].concat());
    let run = document(&at(&["schedule", "run", "daily", "--json"]));
    let batch = run["batch_id"].as_str().unwrap();
    let (_, ended) = served.get(&format!("/batches/{batch}?wait=30")).unwrap();
    assert_eq!((&ended["status"], &ended["counts"]["done"]), (&"done".into(), &30.into()));
    let report = document(&at(&["report", "acme", "--by", "scraper,country,brand", "--json"]));
    let rows = report["rows"].as_array().unwrap();

    // The numbers are those that a script makes of the exported results.
    let exported = |rows: &str| -> Vec<Value> {
        let output = at(&["export", "--rows", rows]);
        out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let expected = from_results(&json!({
        "answers": exported("answers"), "citations": exported("citations"),
        "by": ["scraper", "country"],
        "brands": [
            { "name": "webhook", "domains": ["example.com"] },
            { "name": "Chromium", "domains": [] },
        ],
    }));
    assert_eq!((rows.len(), expected.len()), (4, 4), "{report}");
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!((&row["country"], &row["answers"]), (&json!("DE"), &json!(15)));
        for (name, expected) in expected.as_object().unwrap() {
            let same = match (row[name].as_f64(), expected.as_f64()) {
                (Some(one), Some(other)) => (one - other).abs() < 1e-9,
                _ => row[name] == *expected,
            };
            assert!(same, "{name}: {} and not {expected}", row[name]);
        }
    }
    // Something was found, and not everywhere.
    let own = &rows[0];
    assert!((1..15).contains(&own["mentioned"].as_u64().unwrap()), "{own}");
    assert_eq!(own["citation_rate"], 1.0, "{own}");
}

/// What somebody sees who types a command.
fn on_a_terminal(line: &str, store: &Path) -> String {
    let line = format!("'{}' {line}", env!("CARGO_BIN_EXE_answerd"));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("TERM", "xterm");
    let output = terminal
        .envs(command(store).get_envs().filter_map(|(k, v)| Some((k, v?))))
        .current_dir(store.parent().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{line}: {}", out(&output));
    out(&output)
}

fn the_store_can_be_looked_after(store: &Path, jobs: usize) {
    let checked = answerd(&["db", "check", "--json"], store);
    assert_eq!(code(&checked), 0, "{}", err(&checked));
    assert_eq!(
        (&document(&checked)["ok"], &document(&checked)["jobs"]),
        (&json!(true), &json!(jobs))
    );
    // Before anything else changes the file.
    let file = std::fs::metadata(store.join("answerd.redb")).unwrap().len();
    let found = document(&checked);
    let bytes = |name: &str| found[name].as_u64().unwrap();
    assert_eq!(bytes("file_bytes"), file);
    // A small file may have nothing free.
    assert!(bytes("free_bytes") < file, "{found}");
    let exported = answerd(&["db", "export"], store);
    assert_eq!((code(&exported), out(&exported).lines().count()), (0, jobs));
    for line in out(&exported).lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["status"], "done");
    }
    for (task, shown) in [
        ("check", "reading every page"),
        ("compact", "moving pages"),
        ("export >lines", "writing jobs"),
    ] {
        let typed = on_a_terminal(&format!("db {task}"), store);
        assert!(typed.contains(shown), "{task}: {typed:?}");
    }
    // Among the lines it would only be in the way.
    assert!(!on_a_terminal("db export", store).contains("writing jobs"));
    let compacted = answerd(&["db", "compact", "--json"], store);
    assert_eq!(code(&compacted), 0, "{}", err(&compacted));
    assert!(document(&compacted)["bytes_after"].as_u64().unwrap() > 0);
    assert_eq!(code(&answerd(&["db", "check"], store)), 0);
}

#[test]
fn without_a_store_the_db_commands_say_where_they_looked_and_make_none() {
    let (directory, store) = store_directory();
    for task in ["check", "compact", "export"] {
        let output = answerd(&["db", task, "--json"], &store);
        assert_eq!((code(&output), &document(&output)["code"]), (1, &json!("store_failed")));
        let told = err(&output);
        assert!(told.contains(store.to_str().unwrap()) && told.contains("`store.path`"), "{told}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn without_a_server_the_client_commands_exit_with_3() {
    let (_directory, store) = store_directory();
    for line in [&["submit", "practice", "What?"][..], &["get", "id"], &["watch", "id"]] {
        let output = answerd(&[line, &["--url", NOBODY, "--json"]].concat(), &store);
        assert_eq!((code(&output), &document(&output)["code"]), (3, &json!("server_unreachable")));
        assert!(err(&output).contains("answerd serve"), "{}", err(&output));
    }
}

#[test]
fn an_unknown_setting_exits_with_2_and_names_the_nearest() {
    let (directory, store) = store_directory();
    let file = directory.path().join("config.toml");
    std::fs::write(&file, "[http]\nbnid = \"127.0.0.1:0\"\n").unwrap();
    // From the working directory, and by name.
    for line in [&["serve"][..], &["check"], &["check", "--live"], &["db", "check"]] {
        let named = [line, &["--config", file.to_str().unwrap()]].concat();
        for line in [line, &named] {
            let output = answerd(line, &store);
            assert_eq!(code(&output), 2, "{line:?}");
            let told = err(&output);
            assert!(told.contains("`http.bnid`; did you mean `bind`?"), "{told}");
        }
    }
}

#[test]
fn a_command_line_that_is_none_exits_with_2_and_says_how_it_goes() {
    let (_directory, store) = store_directory();
    for line in [&["submit", "practice"][..], &["sumbit"], &["get", ""], &["keygen"], &["db"], &[]]
    {
        let output = answerd(line, &store);
        assert_eq!((code(&output), out(&output).as_str()), (2, ""), "{line:?}");
        assert!(err(&output).contains("--help"), "{line:?}: {}", err(&output));
        let json = answerd(&[line, &["--json"]].concat(), &store);
        assert_eq!((code(&json), &document(&json)["code"]), (2, &json!("wrong_use")), "{line:?}");
    }
    for line in [&["help"][..], &["help", "submit"], &["version"], &["--version"]] {
        assert_eq!(code(&answerd(line, &store)), 0, "{line:?}");
    }
}

#[test]
fn check_finds_every_kind_of_error_and_repeats_no_key() {
    let (directory, store) = store_directory();
    let file = "[http]\nbnid = \"x\"\nworkers = \"two\"\ngrace_seconds = 9999\n\
                [upstreams.openai]\napi_key_env = \"sk-live-0123456789\"\n\
                [upstreams.page]\nkind = \"browser\"\nrecipe = \"gone\"\n";
    std::fs::write(directory.path().join("config.toml"), file).unwrap();
    for line in [&["check", "--json"][..], &["serve"]] {
        let output = answerd(line, &store);
        assert_eq!(code(&output), 2, "{line:?}");
        let told = format!("{}{}", out(&output), err(&output));
        assert!(!told.contains("sk-live"), "{told}");
        for found in ["http.bnid", "http.workers", "http.grace_seconds", "api_key_env", "`gone`"] {
            assert!(told.contains(found), "{line:?} {found}: {told}");
        }
    }
    assert_eq!(
        document(&answerd(&["check", "--json"], &store))["problems"].as_array().unwrap().len(),
        5
    );
}

#[test]
fn start_that_fails_says_which_of_the_two_it_is_address_or_store() {
    let (directory, store) = store_directory();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut serve = command(&store);
    let refused = serve.arg("serve").env("ANSWERD_HTTP__BIND", &address).output().unwrap();
    assert_eq!(code(&refused), 1);
    assert!(err(&refused).contains("another program listens there"), "{}", err(&refused));
    let mut serve = command(&store);
    serve.arg("serve").env("ANSWERD_HTTP__AUTH", "open");
    let refused = serve.env("ANSWERD_HTTP__BIND", "192.0.2.1:80").output().unwrap();
    assert!(err(&refused).contains("no interface has this address"), "{}", err(&refused));
    assert!(!err(&refused).contains("another program"), "{}", err(&refused));

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut serve = command(&store);
    let refused =
        serve.arg("serve").env("ANSWERD_STORE__PATH", file.join("data")).output().unwrap();
    assert_eq!(code(&refused), 1);
    assert!(err(&refused).contains("something else has that name"), "{}", err(&refused));
    assert!(err(&refused).contains(file.to_str().unwrap()), "{}", err(&refused));
}

#[test]
fn keygen_keeps_the_key_apart_from_the_lines_for_the_file() {
    let (directory, store) = store_directory();
    let made = answerd(&["keygen", "team-a"], &store);
    assert_eq!(code(&made), 0);
    let key = err(&made).lines().next().unwrap().to_owned();
    assert!(key.starts_with("ak_") && !out(&made).contains(&key));
    std::fs::write(directory.path().join("config.toml"), out(&made)).unwrap();
    let checked = answerd(&["check", "--json"], &store);
    assert_eq!((code(&checked), &document(&checked)["keys"]), (0, &json!(["team-a"])));
}

#[test]
fn the_packages_changelog_begins_with_this_version() {
    let changelog = include_str!("../../src/cli/assets/debian/changelog");
    // The revision that cargo-deb gives where none is named.
    let expected = format!("answerd ({}-1) unstable;", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&expected), "{changelog}");
}

#[test]
fn systemd_takes_the_unit() {
    let (directory, store) = store_directory();
    let unit = answerd(&["unit"], &store);
    assert_eq!(code(&unit), 0);
    assert!(out(&unit).contains("\nType=notify\n"));
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    // It wants to find the program.
    let text = out(&unit).replace("/usr/local/bin/answerd", env!("CARGO_BIN_EXE_answerd"));
    let file = directory.path().join("answerd.service");
    std::fs::write(&file, text).unwrap();
    let analyze = |line: &[&str]| {
        let analyzed = Command::new("systemd-analyze").args(line).arg(&file).output().unwrap();
        assert!(analyzed.status.success(), "{}", err(&analyzed));
        assert_eq!(err(&analyzed), "", "a directive that is passed over protects nobody");
        out(&analyzed)
    };
    // In tenths: what the guide states.
    let exposure = |tenths: &str| {
        let threshold = format!("--threshold={tenths}");
        analyze(&["security", "--offline=true", "--no-pager", &threshold]);
    };
    analyze(&["verify", "--man=no"]);
    exposure("12");
    let browser = answerd(&["unit", "--browser"], &store);
    let folder = directory.path().join("answerd.service.d");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("browser.conf"), out(&browser)).unwrap();
    analyze(&["verify", "--man=no"]);
    exposure("21");
}

/// Runs `check --live` with one upstream of the kind `compatible` at an address. Of the environment
/// it sees nothing, so that no key of the machine is used.
fn check_live(base_url: &str) -> Output {
    let (directory, _) = store_directory();
    let file = format!(
        "[upstreams.local]\nkind = \"compatible\"\nbase_url = \"{base_url}\"\nmodel = \"m\"\n"
    );
    std::fs::write(directory.path().join("config.toml"), file).unwrap();
    Command::new(env!("CARGO_BIN_EXE_answerd"))
        .args(["check", "--live", "--json", "--prompt", "What is new?"])
        .env_clear()
        .current_dir(directory.path())
        .output()
        .unwrap()
}

/// A server that gives one answer: its address, and then what it was asked.
fn chat_completions() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut asked = vec![0; length];
        reader.read_exact(&mut asked).unwrap();
        let body =
            json!({"model": "m-1", "choices": [{"message": {"content": "Much."}}]}).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        reader.get_mut().write_all((head + body.as_str()).as_bytes()).unwrap();
        String::from_utf8(asked).unwrap()
    });
    (url, thread)
}

#[test]
fn a_live_check_exits_with_0_when_all_answer_and_with_1_when_one_does_not() {
    let (url, server) = chat_completions();
    let well = check_live(&url);
    assert!(server.join().unwrap().contains("What is new?"));
    assert_eq!((code(&well), &document(&well)["ok"]), (0, &json!(true)), "{}", err(&well));
    let local = document(&well)["upstreams"][0].clone();
    assert_eq!((&local["upstream"], &local["state"]), (&json!("local"), &json!("answered")));
    assert_eq!((&local["model"], &local["answer"]), (&json!("m-1"), &json!("Much.")));
    assert!(err(&well).starts_with("asking local"), "{}", err(&well));

    let gone = check_live(NOBODY);
    assert_eq!((code(&gone), &document(&gone)["ok"]), (1, &json!(false)));
    assert_eq!(document(&gone)["upstreams"][0]["code"], "upstream_unreachable");
    assert_eq!(code(&check_live("no address")), 2);
}

#[test]
fn a_first_start_says_in_ten_lines_what_there_is_and_what_to_type_next() {
    let (directory, store) = store_directory();
    let mut serve = command(&store);
    let mut serve =
        serve.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = BufReader::new(serve.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut lines: Vec<String> = Vec::new();
    // Nothing comes after the line that says what to type.
    while !lines.last().is_some_and(|line| line.starts_with("try ")) {
        lines.push(printed.next().unwrap());
    }
    assert!(lines.len() <= 10, "{lines:#?}");
    let fact = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(&format!("{name:<9}  ")));
        line.unwrap_or_else(|| panic!("no {name}: {lines:#?}")).to_owned()
    };
    assert_eq!(fact("data"), store.display().to_string());
    assert_eq!(fact("ready"), "practice");
    assert!(fact("not ready").ends_with("`answerd check` says what each of them lacks"));
    let get = |address: &str| {
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        agent.get(address).call().unwrap().status().as_u16()
    };
    assert_eq!((get(&fact("dashboard")), get(&fact("guide"))), (200, 200));
    // The command is typed as it stands there.
    let bin = Path::new(env!("CARGO_BIN_EXE_answerd")).parent().unwrap().to_owned();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let typed = Command::new("sh").args(["-c", &fact("try")]).env("PATH", path).output().unwrap();
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(code(&typed), 0, "{}", err(&typed));
    assert!(out(&typed).contains("A job is one prompt"), "{}", out(&typed));
    drop(directory);
}
