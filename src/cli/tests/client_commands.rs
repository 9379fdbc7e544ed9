//! What the commands of a running server send, print and exit with.

use super::*;

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
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), document);
    assert!(asked[0].starts_with("POST /jobs/an-id/webhook HTTP/1.1\r\n"), "{}", asked[0]);
    (document["state"], document["reason"]) = ("failed".into(), "gone".into());
    let (ran, _) = against(vec![ok(&document)], &["webhook", "an-id"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert!(ran.out.contains("failed (gone)"), "{}", ran.out);
}

#[test]
fn several_ids_are_canceled_one_by_one_and_a_refusal_does_not_stop_the_rest() {
    let refusal = r#"{"detail":"The job has ended.","code":"job_finished"}"#;
    let replies = vec![
        (409, refusal.to_owned()),
        ok(&job("failed", "finished")),
        ok(&job("failed", "finished")),
    ];
    let (ran, asked) = against(replies, &["cancel", "a", "b", "c", "--key", "ak_secret"]);
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[2].starts_with("DELETE /jobs/c "), "{asked:?}");
    assert_ne!(ran.exit, ExitCode::Done);
    assert!(ran.err.contains("a: "), "{}", ran.err);
    assert!(ran.err.contains("The job has ended."), "{}", ran.err);
    let ran = run_line(&["cancel", "a", "--label", "l"]);
    assert!(ran.err.contains("cannot be combined"), "{}", ran.err);
}

#[test]
fn retry_follows_the_cursor_and_prints_each_batch() {
    let page = |id: &str, next: &str| {
        let next = if next.is_empty() { "null".to_owned() } else { format!("\"{next}\"") };
        let body = format!(
            r#"{{"dry_run":false,"matched":2,"changed":1,"batch_id":"{id}","next_cursor":{next}}}"#
        );
        (202, body)
    };
    let replies = vec![page("batch-1", "c1"), page("batch-2", "")];
    let (ran, asked) = against(replies, &["retry", "--label", "l", "--error-code", "timeout"]);
    assert_eq!(ran.out, "batch-1\nbatch-2\n");
    assert!(ran.err.contains("4 jobs match; 2 submitted again"), "{}", ran.err);
    assert!(asked[0].starts_with("POST /jobs/retry?"), "{asked:?}");
    for part in ["label=l", "error_code=timeout", "dry_run=false", "cursor=c1"] {
        assert!(asked[1].contains(part), "{part}: {asked:?}");
    }
    let ran = run_line(&["retry", "--dry-run"]);
    assert!(ran.err.contains("--batch"), "{}", ran.err);
}

#[test]
fn retry_takes_several_ids_and_says_which_have_not_failed() {
    let body = r#"{"dry_run":false,"matched":2,"changed":2,"batch_id":"b","next_cursor":null}"#;
    let replies = || vec![(202, body.to_owned())];
    let (ran, asked) = against(replies(), &["retry", "one", "two", "one"]);
    assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::Done, "b\n"));
    assert!(asked[0].starts_with("POST /jobs/retry?ids=one%2Ctwo&dry_run=false "), "{asked:?}");
    let (ran, _) = against(replies(), &["retry", "one", "two", "three"]);
    assert_eq!(ran.exit, ExitCode::Failed);
    assert!(ran.err.contains("1 of the 3 that are named have not failed"), "{}", ran.err);
    let ran = run_line(&["retry", "one", "--label", "l"]);
    assert!(ran.err.contains("cannot be combined"), "{}", ran.err);
}

#[test]
fn delete_takes_ids_or_a_label() {
    let body = r#"{"label":null,"dry_run":false,"jobs":2,"results":1,"raw":0,"evidence":0,
        "cache_entries":0,"webhooks_pending":0,"unfinished":1}"#;
    let replies = || vec![(200, body.to_owned())];
    let (ran, asked) = against(replies(), &["delete", "one", "two", "three"]);
    assert_eq!(ran.exit, ExitCode::Done);
    assert!(asked[0].starts_with("DELETE /jobs?ids=one%2Ctwo%2Cthree&dry_run=false "));
    assert!(ran.err.contains("1 job that has not ended stays"), "{}", ran.err);
    let (_, asked) = against(replies(), &["delete", "--label", "l", "--dry-run"]);
    assert!(asked[0].starts_with("DELETE /jobs?label=l&dry_run=true "), "{asked:?}");
    for line in [&["delete"][..], &["delete", "one", "--label", "l"], &["delete", ""]] {
        assert!(Cli::try_parse_from([&["answerd"], line].concat()).is_err(), "{line:?}");
    }
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
    let id = "0b7c1e0e-52f1-4b0a-9a51-6f1c5a3f2b10";
    let row = format!("{id}\t2026-05-11T12:00:00+00:00\tdone\tpractice\tnightly\tWhat?\n");
    assert_eq!(ran.out, row);
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
fn empty_list_says_which_names_the_server_does_not_know() {
    let none = || (200, r#"{"jobs":[],"next_cursor":null}"#.to_owned());
    let scrapers = (200, r#"{"scrapers":[{"name":"chatgpt"},{"name":"grok"}]}"#.to_owned());
    let trackers = (200, r#"{"trackers":[]}"#.to_owned());
    let line = ["list", "--scraper", "grog", "--tracker", "acme"];
    let (ran, asked) = against(vec![none(), scrapers.clone(), trackers], &line);
    assert_eq!((ran.exit, asked.len()), (ExitCode::Done, 3));
    assert!(ran.err.contains("no scraper `grog`; there are chatgpt, grok\n"), "{}", ran.err);
    assert!(ran.err.contains("no tracker `acme`; there are none\n"), "{}", ran.err);
    let (ran, _) = against(vec![none(), scrapers], &["list", "--scraper", "grok"]);
    assert_eq!(ran.err, "0 jobs\n");
    let wrong = Cli::try_parse_from(["answerd", "list", "--country", "XX"]).unwrap_err();
    assert!(wrong.to_string().contains("ISO 3166-1"), "{wrong}");
}

fn spent() -> Value {
    serde_json::json!({
        "calls": 0, "calls_without_cost": 0, "input_tokens": 0, "output_tokens": 0,
        "reasoning_tokens": 0, "searches": 0, "cost_usd": 0.0,
    })
}

#[test]
fn usage_prints_what_is_left_or_that_there_is_no_limit() {
    let document = |allowance: Option<u64>, left: Option<u64>| {
        let usage = serde_json::json!({
            "account": "team-a", "monthly_credits": allowance, "used": 6, "reserved": 3,
            "left": left, "resets_at": "2026-06-01T00:00:00+00:00", "usd_per_day": 5.0,
            "usd_spent_today": 0.25, "spent": spent(), "upstreams": {}, "labels": {},
            "scrapers": { "chatgpt": { "jobs": 3, "done": 2, "failed": 0, "cached": 0, "credits": 6 } },
            "days": [{ "date": "2026-05-11", "scrapers": {
                "chatgpt": { "jobs": 3, "done": 2, "failed": 0, "cached": 0, "credits": 6 },
            }, "spent": spent(), "upstreams": {}, "labels": {} }],
        });
        vec![(200, usage.to_string())]
    };
    let (ran, asked) = against(document(Some(10), Some(1)), &["usage", "--key", "ak_secret"]);
    assert!(asked[0].starts_with("GET /usage HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
    let (facts, table) = ran.out.split_once("\n\n").unwrap();
    insta::assert_snapshot!(facts, @r"
    account    team-a
    allowance  10
    used       6
    reserved   3
    left       1
    resets     2026-06-01T00:00:00+00:00
    cost       0.25 USD today, of 5
    ");
    assert_eq!(
        table,
        "day\tscraper\tjobs\tdone\tfailed\tcached\tcredits\n\
         2026-05-11\tchatgpt\t3\t2\t0\t0\t6\n\
         in all\tchatgpt\t3\t2\t0\t0\t6\n"
    );
    let (ran, _) = against(document(None, None), &["usage"]);
    assert!(ran.out.contains("left       no limit\n"), "{}", ran.out);
}

#[test]
fn usage_prints_the_credits_of_every_key_where_they_are_told() {
    let usage = serde_json::json!({
        "account": "boss", "monthly_credits": null, "used": 0, "reserved": 0, "left": null,
        "resets_at": "2026-06-01T00:00:00+00:00", "scrapers": {}, "days": [],
        "usd_per_day": null, "usd_spent_today": 0.0, "spent": spent(), "upstreams": {},
        "labels": {},
        "accounts": [
            { "account": "boss", "monthly_credits": null, "used": 0, "reserved": 0, "left": null,
              "usd_per_day": null, "usd_spent_today": 0.0 },
            { "account": "team-a", "monthly_credits": 10, "used": 6, "reserved": 3, "left": 1,
              "usd_per_day": null, "usd_spent_today": 0.0 },
        ],
    });
    let (ran, _) = against(vec![(200, usage.to_string())], &["usage"]);
    let (facts, table) = ran.out.split_once("\n\n").unwrap();
    insta::assert_snapshot!(facts, @r"
    account    boss
    allowance  no limit
    used       0
    reserved   0
    left       no limit
    resets     2026-06-01T00:00:00+00:00
    ");
    assert_eq!(
        table,
        "account\tallowance\tused\treserved\tleft\n\
         boss\tno limit\t0\t0\tno limit\n\
         team-a\t10\t6\t3\t1\n"
    );
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
    // Nothing listens on port 1; a free port could be taken by another test meanwhile.
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
fn scrapers_lists_what_a_server_can_be_asked() {
    let scraper = |name: &str, configured: bool| {
        let missing = (!configured).then_some("set the variable X");
        serde_json::json!({
            "name": name, "configured": configured, "missing": missing, "credits": 3,
            "refused_countries": ["JP"],
            "upstreams": [{ "name": "one", "llm_model": null }, { "name": "two", "llm_model": "m" }],
        })
    };
    let document =
        serde_json::json!({ "scrapers": [scraper("grok", false), scraper("chatgpt", true)] });
    let (ran, asked) = against(vec![ok(&document)], &["scrapers", "--key", "ak_secret"]);
    assert!(asked[0].starts_with("GET /scrapers HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("\r\nx-api-key: ak_secret\r\n"));
    assert_eq!(
        ran.out,
        "chatgpt\tready\t3\tone, two\tm\tJP\n\
         grok\tnot ready\t3\tone, two\tm\tJP\tset the variable X\n"
    );
    assert_eq!(ran.err, "1 of 2 are ready\n");
    let (ran, _) = against(vec![ok(&document)], &["scrapers", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), document);
}

#[test]
fn get_prints_each_of_several_jobs_and_a_missing_one_does_not_stop_the_rest() {
    let gone = r#"{"detail":"Job not found.","code":"job_not_found"}"#;
    let replies =
        vec![ok(&job("done", "finished")), (404, gone.to_owned()), ok(&job("failed", "finished"))];
    let (ran, asked) = against(replies, &["get", "a", "b", "c", "--json"]);
    assert!(asked[2].starts_with("GET /jobs/c "), "{asked:?}");
    assert_eq!(ran.exit, ExitCode::Failed);
    let statuses: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    // The last is what went wrong.
    assert_eq!(statuses, [Value::from("done"), "failed".into(), Value::Null]);
    assert!(ran.err.contains("Job not found."), "{}", ran.err);
}

#[test]
fn open_prints_the_address_of_a_page_without_a_login() {
    let ran = run_line(&["open", "jobs", "--print", "--url", "https://me:word@host/answers/"]);
    assert_eq!((ran.exit, ran.out.as_str()), (ExitCode::Done, "https://host/answers/#/jobs\n"));
    let ran = run_line(&["open", "--print", "--json"]);
    assert_eq!(ran.out, "{\"url\":\"http://127.0.0.1:8080/\"}\n");
}

#[test]
fn config_prints_the_defaults_and_what_it_prints_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    for line in [&["config"][..], &["config", "--commented"]] {
        let ran = run_line(line);
        assert_eq!((ran.exit, ran.err.as_str()), (ExitCode::Done, ""));
        let path = directory.path().join("config.toml");
        std::fs::write(&path, &ran.out).unwrap();
        let checked = run_line(&["check", "--config", path.to_str().unwrap()]);
        assert_eq!(checked.exit, ExitCode::Done, "{}", checked.err);
    }
}

#[test]
fn batches_lists_how_far_each_is() {
    let document = serde_json::json!({ "next_cursor": "c1", "batches": [{
        "batch_id": "5d7f6f4e-0d0f-4c59-9d43-0a4f8d0f3b1c", "status": "pending",
        "label": "nightly", "created_at": "2026-05-11T12:00:00+00:00", "completed_at": null,
        "expires_at": "2026-05-12T12:00:00+00:00",
        "counts": { "items": 9, "refused": 1, "pending": 2, "done": 5, "failed": 1 },
    }]});
    let (ran, asked) = against(vec![ok(&document)], &["batches", "-L", "1"]);
    assert!(asked[0].starts_with("GET /batches?limit=1 HTTP/1.1\r\n"), "{}", asked[0]);
    let id = "5d7f6f4e-0d0f-4c59-9d43-0a4f8d0f3b1c";
    let row = format!("{id}\t2026-05-11T12:00:00+00:00\t5\t1\t2\tnightly\n");
    assert_eq!((ran.out, ran.err.as_str()), (row, "1 batch; there may be more\n"));
}
