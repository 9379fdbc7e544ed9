//! Which jobs of other keys an operator reads, by the setting `operators_read_jobs`.

use std::fs::File;
use std::process::Stdio;

use serde_json::Value;

use crate::app::{App, Builder, Scripted};
use crate::child::{Served, answerd, store_directory};
use crate::limits::{A, B, keys};

/// A service whose key `a` is an operator's, and a job of `b`.
fn with_a_job_of_b(reads_jobs: bool) -> (App, String) {
    let app = Builder::new()
        .config(&keys("operator = true"))
        .set("HTTP__OPERATORS_READ_JOBS", reads_jobs)
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let job = app.post_with("/scrapers/chatgpt/jobs?prompt=theirs&raw=true", &B, "").expect(202);
    let id = job["job_id"].as_str().unwrap().to_owned();
    app.ended(&id);
    app.post_with("/scrapers/chatgpt/jobs?prompt=own", &A, "").expect(202);
    (app, id)
}

fn listed(page: &Value) -> Vec<(&str, Option<&str>)> {
    let jobs = page["jobs"].as_array().unwrap().iter();
    jobs.map(|job| (job["prompt"].as_str().unwrap(), job["account"].as_str())).collect()
}

#[test]
fn operator_lists_and_reads_the_jobs_of_all_keys_where_the_setting_allows_it() {
    let (app, id) = with_a_job_of_b(true);
    let list = |query: &str| app.get_with(&format!("/jobs?{query}"), &A).expect(200);
    assert_eq!(listed(&list("")), [("own", None)]);
    assert_eq!(listed(&list("account=b")), [("theirs", Some("b"))]);
    assert_eq!(listed(&list("account=*")), [("own", Some("a")), ("theirs", Some("b"))]);
    assert_eq!(listed(&list("account=*&search=their")), [("theirs", Some("b"))]);
    let csv = app.get_with("/jobs?account=*", &[A[0], ("accept", "text/csv")]).text;
    let accounts: Vec<&str> = csv.lines().filter_map(|line| line.rsplit(',').next()).collect();
    assert_eq!(accounts, ["account", "a", "b"]);
    assert_eq!(listed(&list("account=nobody")), []);
    let attempts = app.get_with(&format!("/jobs/{id}/attempts"), &A).expect(200);
    assert_eq!(
        (&attempts["account"], &attempts["parameters"]["prompt"]),
        (&"b".into(), &"theirs".into())
    );
    app.get_with(&format!("/jobs/{id}/evidence"), &A).expect(200);
    assert_eq!(app.get_with(&format!("/jobs/{id}/webhook"), &A).code(), "webhook_not_found");
    assert_eq!(app.get_with("/usage", &A).expect(200)["reads_all_jobs"], true);
    // It reads, and changes nothing.
    let gone = |reply: crate::app::Reply| assert_eq!(reply.code(), "job_not_found");
    gone(app.method_with("DELETE", &format!("/jobs/{id}"), &A));
}

#[test]
fn operator_reads_only_its_own_jobs_by_default() {
    let (app, id) = with_a_job_of_b(false);
    for account in ["b", "*", "nobody"] {
        let refused = app.get_with(&format!("/jobs?account={account}"), &A);
        assert_eq!((refused.status, refused.code().as_str()), (403, "operator_needed"));
    }
    let own = app.get_with("/jobs?account=a", &A).expect(200);
    assert_eq!(listed(&own), [("own", Some("a"))]);
    for path in ["attempts", "evidence", "raw", "webhook"] {
        assert_eq!(
            app.get_with(&format!("/jobs/{id}/{path}"), &A).code(),
            "job_not_found",
            "{path}"
        );
    }
    assert_eq!(app.get_with("/usage", &A).expect(200)["reads_all_jobs"], false);
}

#[test]
fn other_keys_see_nothing_more_with_the_setting() {
    let (app, _) = with_a_job_of_b(true);
    let own = app.get_with("/jobs", &A).expect(200)["jobs"][0]["job_id"].clone();
    let own = own.as_str().unwrap();
    for account in ["a", "*"] {
        assert_eq!(app.get_with(&format!("/jobs?account={account}"), &B).code(), "operator_needed");
    }
    for path in ["attempts", "evidence", "raw", "webhook"] {
        assert_eq!(
            app.get_with(&format!("/jobs/{own}/{path}"), &B).code(),
            "job_not_found",
            "{path}"
        );
    }
    assert_eq!(app.get_with("/usage", &B).expect(200)["reads_all_jobs"], Value::Null);
    assert_eq!(app.get("/jobs?account=*").code(), "key_missing");
}

#[test]
fn each_look_of_an_operator_is_in_the_log_without_the_prompt() {
    let (directory, store) = store_directory();
    let (file, log) = (directory.path().join("config.toml"), directory.path().join("log"));
    let key = |arguments: &[&str]| {
        let made: Value = serde_json::from_slice(&answerd(arguments, &store).stdout).unwrap();
        (made["key"].as_str().unwrap().to_owned(), made["config"].as_str().unwrap().to_owned())
    };
    let (boss, boss_lines) = key(&["keygen", "boss", "--operator", "--json"]);
    let (team, team_lines) = key(&["keygen", "team", "--json"]);
    let settings = format!("[http]\noperators_read_jobs = true\n{boss_lines}{team_lines}");
    std::fs::write(&file, settings).unwrap();
    let lines = File::create(&log).unwrap();
    let served = Served::start_with(&store, &[], |command| {
        command.env_remove("ANSWERD_LOG__LEVEL").stderr(Stdio::from(lines));
    });
    let path = format!("/scrapers/practice/jobs?prompt=planted+words&api_key={team}");
    let job = served.post(&path).unwrap().1;
    let id = job["job_id"].as_str().unwrap();
    for path in ["/jobs?account=*".to_owned(), format!("/jobs/{id}/attempts?x=1")] {
        let separator = if path.contains('?') { "&" } else { "?" };
        assert_eq!(served.get(&format!("{path}{separator}api_key={boss}")).unwrap().0, 200);
    }
    let said = crate::app::until(|| {
        let text = std::fs::read_to_string(&log).unwrap();
        text.contains("an operator reads a job of another key").then_some(text)
    });
    let line = |what: &str| said.lines().find(|line| line.contains(what)).unwrap().to_owned();
    let listed = line("an operator lists jobs of other keys");
    assert!(listed.contains("boss") && listed.contains('*'), "{listed}");
    let read = line("an operator reads a job of another key");
    assert!(["boss", "team", id].iter().all(|word| read.contains(word)), "{read}");
    assert!(!said.contains("planted"), "{said}");
    assert!(!said.contains(&boss), "the key is in the log");
}
