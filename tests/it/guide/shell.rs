//! The commands of the guide, run as they stand there: a path, a parameter or an option that does not
//! exist is told.

use std::os::unix::fs::PermissionsExt;

use super::examples::{examples, run};
use crate::app::{App, Builder};

/// Statuses that say that a command was understood. A job of the test has ended, so that nothing is
/// left to cancel.
const UNDERSTOOD: &[&str] = &["200", "201", "202", "204", "304", "409"];

/// What the guide's commands are about, and what stands for it here.
struct Stage {
    app: App,
    job_id: String,
    batch_id: String,
    schedule_id: String,
    alert_id: String,
    directory: tempfile::TempDir,
}

impl Stage {
    fn set() -> Stage {
        let app =
            Builder::new().env("ANSWERD_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let app = app.set("UPSTREAMS__PRACTICE__KEEP_RAW", "all").start();
        let brands = r#"{"brands":[{"name":"Acme","own":true},{"name":"Globex"}]}"#;
        app.put("/trackers/acme", &[], brands).expect(200);
        let job_id = app.submit("practice", "What is a job?");
        app.ended(&job_id);
        let batch = app.post("/scrapers/practice/jobs?prompt=a&samples=2").expect(202);
        let batch_id = batch["batch_id"].as_str().unwrap().to_owned();
        let schedule = "{\"name\":\"yearly\",\"cron\":\"0 0 1 1 *\",\"batch\":{\"scraper\":\"practice\",\"prompts\":[\"a\"]}}";
        let schedule = app.post_with("/schedules", &[], schedule).expect(201);
        let schedule_id = schedule["schedule_id"].as_str().unwrap().to_owned();
        let alert = "{\"name\":\"spent\",\"when\":\"budget_reached\",\"threshold\":5,\"to\":{\"webhook\":\"https://a.invalid/\"}}";
        let alert = app.post_with("/alerts", &[], alert).expect(201);
        let alert_id = alert["alert_id"].as_str().unwrap().to_owned();
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage { app, job_id, batch_id, schedule_id, alert_id, directory };
        // The real one, which tells the status of each reply as well.
        stage.put("curl", "#!/bin/sh\nexec /usr/bin/env -i PATH=\"$REAL_PATH\" curl -sS -w '%{stderr}status %{http_code}\\n' \"$@\"\n");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_answerd"), stage.at("answerd")).unwrap();
        stage
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
        std::fs::set_permissions(self.at(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command about this server and what is on it.
    fn staged(&self, command: &str) -> String {
        let mut staged = command.replace("http://127.0.0.1:8080", &self.app.base);
        for scraper in ["chatgpt", "perplexity", "grok", "copilot"] {
            staged = staged.replace(&format!("scrapers/{scraper}"), "scrapers/practice");
            staged = staged.replace(&format!("\"{scraper}\""), "\"practice\"");
        }
        let ids = [
            ("/batches/", self.batch_id.as_str()),
            ("batch=", &self.batch_id),
            ("/schedules/", &self.schedule_id),
            ("/alerts/", &self.alert_id),
        ];
        replace_ids(&staged, &self.job_id, &ids)
    }

    /// What a command printed, and the statuses of its calls.
    #[track_caller]
    fn run(&self, command: &str) -> (String, Vec<String>) {
        let real = std::env::var("PATH").unwrap();
        let path = format!("{}:{real}", self.directory.path().display());
        let environment = [("PATH", path.as_str()), ("REAL_PATH", &real), ("KEY", "none")];
        let ended = run("sh", &["-ec", command], &environment, self.directory.path());
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{command}\n{told}");
        let statuses = told.lines().filter_map(|line| line.strip_prefix("status "));
        let statuses = statuses.map(str::to_owned).collect();
        (String::from_utf8_lossy(&ended.stdout).into_owned(), statuses)
    }
}

/// Every UUID of an example becomes one that is there.
fn replace_ids(command: &str, job_id: &str, ids: &[(&str, &str)]) -> String {
    let mut replaced = String::new();
    let mut rest = command;
    let is_id = |text: &str| text.get(..36).is_some_and(|id| uuid::Uuid::try_parse(id).is_ok());
    while let Some(at) = (0..rest.len()).find(|at| rest.get(*at..).is_some_and(is_id)) {
        let (before, _) = rest.split_at(at);
        replaced.push_str(before);
        let known = ids.iter().find(|(path, _)| before.ends_with(path));
        replaced.push_str(known.map_or(job_id, |(_, id)| id));
        rest = &rest[at + 36..];
    }
    replaced + rest
}

/// The commands with curl of a page, each a whole block.
fn calls(page: &str) -> Vec<String> {
    let blocks = examples(page).into_iter().filter(|it| it.language == "sh");
    blocks.map(|it| it.code).filter(|code| code.starts_with("curl ")).collect()
}

#[track_caller]
fn assert_understood(stage: &Stage, name: &str, page: &str) -> usize {
    let calls = calls(page);
    for call in &calls {
        let (_, statuses) = stage.run(&stage.staged(call));
        assert!(!statuses.is_empty(), "{name}: {call}");
        for status in statuses {
            assert!(UNDERSTOOD.contains(&status.as_str()), "{name}: {status} for {call}");
        }
    }
    calls.len()
}

#[test]
fn the_calls_of_the_guide_are_understood() {
    let stage = Stage::set();
    let mut count = 0;
    for path in super::files() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        count += assert_understood(&stage, &name, &super::page(&name));
    }
    assert!(count > 15, "{count}");
}

/// The reference is HTML here; its code stands there as it does in Markdown.
fn blocks_of_html(page: &str) -> String {
    let mut blocks = String::new();
    for block in page.split("<code class=\"language-sh\">").skip(1) {
        let code = block.split("</code>").next().unwrap();
        let code = code.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
        blocks.push_str(&format!("```sh\n{}```\n", code.replace("&amp;", "&")));
    }
    blocks
}

/// What the reference calls and this server has not got: evidence, webhooks, and open streams.
const NOT_HERE: &[&str] = &["/evidence/", "/webhook'", "/stats/events'"];

#[test]
fn the_calls_of_the_reference_are_understood() {
    let stage = Stage::set();
    let contents = stage.app.get("/docs").text;
    let pages = contents.split("href=\"/docs/reference-").skip(1);
    let blocks: String = pages
        .map(|link| format!("/docs/reference-{}", link.split('"').next().unwrap()))
        .map(|path| blocks_of_html(&stage.app.get(&path).text))
        .collect();
    let calls = calls(&blocks);
    assert!(calls.len() > 30, "{}", calls.len());
    for call in calls {
        if NOT_HERE.iter().any(|path| call.contains(path)) {
            continue;
        }
        let (_, statuses) = stage.run(&stage.staged(&call));
        assert!(UNDERSTOOD.contains(&statuses[0].as_str()), "{statuses:?} for {call}");
    }
}

#[test]
fn the_quick_start_leads_to_an_answer() {
    let stage = Stage::set();
    let page = super::page("quick-start");
    let commands: Vec<String> = examples(&page)
        .into_iter()
        .filter(|it| it.language == "sh")
        .map(|it| it.code)
        // The service runs already, and is not built by its own test.
        .filter(|code| !code.contains("cargo ") && !code.contains("answerd serve"))
        .collect();
    let mut printed = String::new();
    for command in &commands {
        let staged = stage.staged(command);
        let at = format!("export ANSWERD_URL={}\n{staged}", stage.app.base);
        let (out, statuses) = stage.run(&at);
        assert!(statuses.iter().all(|status| UNDERSTOOD.contains(&status.as_str())), "{command}");
        printed.push_str(&out);
    }
    assert!(commands.len() >= 6, "{commands:#?}");
    assert!(printed.contains("24 hours"), "{printed}");
}
