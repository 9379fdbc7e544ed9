//! The script of the guide that starts two processes on a PostgreSQL with a standby: what it prints
//! works, and its end leaves nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/assets/trial.sh");

struct Trial {
    script: Child,
    /// What it has printed.
    lines: Vec<String>,
}

impl Trial {
    fn start() -> Trial {
        let mut script = Command::new("sh")
            .args([SCRIPT, env!("CARGO_BIN_EXE_answerd")])
            .env("TRIAL_PORTS", "0 0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = BufReader::new(script.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut lines = Vec::new();
        for line in printed {
            let is_last = line.contains("Ctrl-C");
            lines.push(line);
            if is_last {
                break;
            }
        }
        Trial { script, lines }
    }

    /// What stands behind these words.
    fn told(&self, words: &str) -> &str {
        let told = self.lines.iter().find_map(|line| line.trim().strip_prefix(words));
        told.unwrap_or_else(|| panic!("no {words} in {:#?}", self.lines)).trim()
    }

    fn run(&self, words: &str) {
        let ran = Command::new("sh").args(["-c", self.told(words)]).output().unwrap();
        assert!(ran.status.success(), "{words} {ran:?}");
    }

    fn ask(&self, node: &str, method: &str, path: &str) -> Value {
        let url = format!("{}{path}", self.told(node));
        let request = ureq::http::Request::builder().method(method).uri(url).body(()).unwrap();
        let mut reply = ureq::run(request).unwrap();
        serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// Submits a job to one process and waits for it at the other.
    fn job(&self, node: &str, other: &str) -> String {
        let job = self.ask(node, "POST", "/scrapers/practice/jobs?prompt=What+is+a+job%3F");
        let path = format!("/jobs/{}", job["job_id"].as_str().unwrap());
        let done = self.ask(other, "GET", &format!("{path}?wait=60"));
        assert_eq!(done["status"], "done", "{done}");
        path
    }
}

#[test]
fn trial_goes_on_with_its_standby_and_leaves_nothing() {
    let mut trial = Trial::start();
    let before = trial.job("node-1:", "node-2:");
    trial.run("kill the primary:");
    trial.run("promote the standby:");
    let after = trial.job("node-2:", "node-1:");
    trial.run("kill a process:");
    for path in [before, after] {
        assert_eq!(trial.ask("node-2:", "GET", &path)["status"], "done");
    }
    let folder = trial.told("The logs are in").split('.').next().unwrap().to_owned();
    assert!(Path::new(&folder).exists());
    // Ctrl-C, and what a supervisor sends.
    let id = trial.script.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(trial.script.wait().unwrap().code(), Some(0));
    assert!(!Path::new(&folder).exists());
    let left = Command::new("pgrep").args(["-f", &folder]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}
