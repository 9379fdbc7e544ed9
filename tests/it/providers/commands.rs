//! The commands that look after what providers have sent: `get --raw`, `reread` and `delete`; and what
//! `check` says of a model whose provider trains on prompts.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::cases::{self, Case, KEY};
use super::server::Provider;
use crate::app::{encoded, until};
use crate::child::{Served, command, store_directory};

/// A served case, and the commands beside it.
struct Beside {
    case: Case,
    provider: Provider,
    _directory: tempfile::TempDir,
    store: std::path::PathBuf,
}

impl Beside {
    fn new(name: &str) -> Beside {
        let case = cases::named(name).setting("keep_raw", "all");
        let provider = Provider::always(case.replies().remove(0));
        let (directory, store) = store_directory();
        Beside { case, provider, _directory: directory, store }
    }

    fn config(&self) -> std::path::PathBuf {
        let config = self.store.parent().unwrap().join("answerd.toml");
        let scraper = self.case.scraper("local");
        let text = format!("{}{scraper}", self.case.upstream("local", &self.provider));
        std::fs::write(&config, text).unwrap();
        config
    }

    fn serve(&self) -> Served {
        Served::start_with(&self.store, &[("LOG__LEVEL", "error")], |command| {
            command.env("PLANTED_KEY", KEY).arg("--config").arg(self.config());
        })
    }

    /// Runs a command to its end; gives what it printed, and its exit code.
    fn run(&self, line: &[&str], with_config: bool) -> (Output, i32) {
        let mut command = command(&self.store);
        command.env("PLANTED_KEY", KEY).args(line);
        if with_config {
            command.arg("--config").arg(self.config());
        }
        let output = command.output().unwrap();
        let code = output.status.code().unwrap();
        (output, code)
    }

    /// Submits the case's prompt under a label, and waits for its end.
    fn ended(&self, served: &Served, label: &str) -> String {
        let Case { scraper, prompt, country, .. } = &self.case;
        let query = format!("prompt={}&country={country}&label={label}", encoded(prompt));
        let (_, job) = served.post(&format!("/scrapers/{scraper}/jobs?{query}")).unwrap();
        let id = job["job_id"].as_str().unwrap().to_owned();
        until(|| {
            let (_, job) = served.get(&format!("/jobs/{id}")).unwrap();
            (job["status"] == "done").then_some(())
        });
        id
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn result_of(served: &Served, id: &str) -> Value {
    served.get(&format!("/jobs/{id}")).unwrap().1["result"].clone()
}

#[test]
fn get_raw_prints_what_the_provider_sent() {
    let beside = Beside::new("openai");
    let served = beside.serve();
    let id = beside.ended(&served, "l");
    let at = ["--url", served.base.as_str()];
    let (raw, code) = beside.run(&[&["get", &id, "--raw"][..], &at].concat(), false);
    assert_eq!(code, 0, "{}", err(&raw));
    let raw: Value = serde_json::from_str(&out(&raw)).unwrap();
    assert_eq!((&raw["job_id"], &raw["answered_by"]), (&json!(id), &json!("local")));
    let reply = raw["replies"][0]["body"].as_str().unwrap();
    let reply: Value = serde_json::from_str(reply).unwrap();
    assert!(reply["output"].is_array(), "{reply:#}");
    let none = "00000000-0000-4000-8000-000000000000";
    let (gone, code) = beside.run(&[&["get", none, "--raw", "--json"][..], &at].concat(), false);
    let gone: Value = serde_json::from_str(&out(&gone)).unwrap();
    assert_eq!((code, &gone["code"]), (1, &json!("job_not_found")));
}

#[test]
fn reread_names_what_changes_and_stays_away_from_a_running_service() {
    let beside = Beside::new("openai");
    let mut served = beside.serve();
    let id = beside.ended(&served, "l");
    let before = result_of(&served, &id);
    let (busy, code) = beside.run(&["reread"], true);
    assert_eq!(code, 1);
    assert!(err(&busy).contains("in use by another process"), "{}", err(&busy));
    assert_eq!(served.terminate(), Some(0));

    let (same, code) = beside.run(&["reread", "--json"], true);
    let report = json!({"dry_run": false, "same": 1, "changed": 0, "skipped": 0, "jobs": []});
    assert_eq!((serde_json::from_str::<Value>(&out(&same)).unwrap(), code), (report, 0));
    // Without the arrays that answerd adds, results have another form.
    let other = |line: &[&str]| {
        let mut command = command(&beside.store);
        command.env("PLANTED_KEY", KEY).env("ANSWERD_RESULTS__EXTRA_ARRAYS", "false").args(line);
        command.arg("--config").arg(beside.config()).output().unwrap()
    };
    let dry = other(&["reread", "--dry-run"]);
    assert!(out(&dry).starts_with(&format!("{id}  ")), "{}", out(&dry));
    assert!(out(&dry).contains("search, ") && out(&dry).contains("usage"), "{}", out(&dry));
    assert!(err(&dry).contains("1 would change, 0 the same, 0 left"), "{}", err(&dry));
    let early = other(&["reread", "--since", "2999-01-01", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out(&early)).unwrap()["changed"], 0);
    let wrong = other(&["reread", "--since", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(err(&wrong).contains("--since must be a time"), "{}", err(&wrong));
    let changed = other(&["reread"]);
    assert!(err(&changed).contains("1 changed"), "{}", err(&changed));

    let served = beside.serve();
    let after = result_of(&served, &id);
    assert!(after["reread_at"].is_string() && after["usage"].is_null(), "{after:#}");
    assert_eq!(after["result"], before["result"]);
    assert_eq!(beside.provider.asked().len(), 1, "nothing was asked again");
}

#[test]
fn delete_counts_first_and_then_deletes_the_jobs_of_a_label() {
    let beside = Beside::new("openai");
    let served = beside.serve();
    let [gone, kept] = ["nightly", "other"].map(|label| beside.ended(&served, label));
    let at = ["--url", served.base.as_str(), "--json"];
    let delete = |line: &[&str]| {
        let (output, code) = beside.run(&[&["delete"], line, &at].concat(), false);
        (serde_json::from_str::<Value>(&out(&output)).unwrap_or_default(), code)
    };
    let (counted, code) = delete(&["--label", "nightly", "--dry-run"]);
    assert_eq!((code, &counted["jobs"], &counted["raw"]), (0, &json!(1), &json!(1)));
    assert_eq!(served.get(&format!("/jobs/{gone}")).unwrap().0, 200);
    let (deleted, _) = delete(&["--label", "nightly"]);
    assert_eq!((&deleted["results"], &deleted["dry_run"]), (&json!(1), &json!(false)));
    assert_eq!(served.get(&format!("/jobs/{gone}")).unwrap().0, 404);
    assert_eq!(served.get(&format!("/jobs/{kept}")).unwrap().0, 200);
    assert_eq!(delete(&["--label", "nightly"]).0["jobs"], 0);
    let text = beside.run(&["delete", "--label", "other", "--url", &served.base], false).0;
    assert!(out(&text).contains("jobs") && err(&text).contains("deleted"), "{}", err(&text));
    assert_eq!(delete(&[]).1, 2, "without a label it is wrong use");
    assert_eq!(delete(&["--label", ""]).1, 2);
}

fn check(directory: &Path, model: &str, json: bool) -> Output {
    let config = directory.join("answerd.toml");
    let text = format!(
        "[upstreams.meta]\nkind = \"openai\"\nbase_url = \"https://api.meta.ai/v1\"\n\
         api_key_env = \"PLANTED_KEY\"\nmodel = \"{model}\"\nmodels_allowed = [\"a\", \"b\"]\n\
         [scrapers.meta]\nupstreams = [\"meta\"]\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = command(&directory.join("data"));
    command.env("PLANTED_KEY", KEY).args(["check", "--config"]).arg(&config);
    if json { command.arg("--json") } else { &mut command }.output().unwrap()
}

#[test]
fn check_warns_of_a_model_whose_provider_trains_on_the_prompts() {
    let (directory, _) = store_directory();
    let warned = check(directory.path(), "muse-spark-1.3-contributor", false);
    assert_eq!(warned.status.code(), Some(0), "{}", err(&warned));
    let sentence =
        "the provider of `muse-spark-1.3-contributor` of [upstreams.meta] trains on the prompts";
    assert!(err(&warned).contains(sentence), "{}", err(&warned));
    let document = check(directory.path(), "muse-spark-1.3-contributor", true);
    let document: Value = serde_json::from_str(&out(&document)).unwrap();
    assert_eq!(document["warnings"], json!([sentence]));
    let silent = check(directory.path(), "muse-spark-1.3", true);
    let silent: Value = serde_json::from_str(&out(&silent)).unwrap();
    assert_eq!((&silent["ok"], &silent["warnings"]), (&json!(true), &Value::Null));
}
