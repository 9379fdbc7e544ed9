//! Raw replies: what a provider sent is kept as it came, without the key, for those who made the job; and
//! results are rendered from it again.

use answerd::service::Reread;
use serde_json::{Value, json};

use super::cases::{self, Case, KEY, KEY_BASIC};
use super::server::{Provider, Says};
use crate::app::{App, encoded};
use crate::reread::{read_again, spoil};

fn submit(case: &Case, app: &App, more: &str) -> String {
    let Case { scraper, prompt, country, .. } = case;
    let prompt = encoded(prompt);
    let path = format!("/scrapers/{scraper}/jobs?prompt={prompt}&country={country}{more}");
    app.post(&path).expect(202)["job_id"].as_str().unwrap().to_owned()
}

fn raw(app: &App, id: &str) -> Value {
    app.get(&format!("/jobs/{id}/raw")).expect(200)
}

fn bodies(raw: &Value) -> Vec<&str> {
    let replies = raw["replies"].as_array().unwrap();
    replies.iter().map(|reply| reply["body"].as_str().unwrap()).collect()
}

#[test]
fn replies_of_every_kind_are_kept_byte_for_byte_and_read_the_same_again() {
    for case in cases::every_kind() {
        let case = case.setting("keep_raw", "all");
        let name = &case.name;
        // A field that no adapter knows, with a number that a parser would shorten.
        let known = case.replies();
        let sent = known.iter().map(|says| match says {
            Says::Whole { body, .. } => {
                let body = String::from_utf8(body.clone()).unwrap();
                let (before, rest) = body.split_once('{').unwrap();
                format!("{before}{{ \"new_field\": 1.10,{rest}\r\n")
            }
            Says::Half(_) | Says::Nothing | Says::Held(..) => panic!("{name} says no whole reply"),
        });
        let sent: Vec<String> = sent.collect();
        let replies = sent.iter().map(|body| Says::text(200, "application/json", body.clone()));
        let provider = Provider::start(replies, Says::json(500, &Value::Null));
        let app = case.builder(&provider).start();
        let id = case.submit(&app);
        let job = app.ended(&id);
        assert_eq!(job["status"], "done", "{name}: {job:#}");

        let raw = raw(&app, &id);
        assert_eq!((&raw["attempt"], &raw["answered_by"]), (&json!(1), &json!("local")), "{name}");
        assert_eq!(raw["parser"], env!("CARGO_PKG_VERSION"));
        let kept = bodies(&raw);
        // Of an answer that is asked for until it is there, what an earlier look saw is left out.
        let polled = provider.asked().iter().skip(1).any(|asked| asked.method == "GET");
        let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
        let mut rest = sent.iter();
        assert!(kept.iter().all(|kept| rest.any(|sent| sent == kept)), "{name}: {kept:?}");
        assert!(kept.last() == sent.last() && (polled || kept.len() == sent.len()), "{name}");
        for reply in raw["replies"].as_array().unwrap() {
            assert_eq!((&reply["status"], &reply["upstream"]), (&json!(200), &json!("local")));
            assert_eq!(reply["content_type"], "application/json");
        }

        let directory = app.directory.clone();
        let app = app.restart_with(|builder| {
            let keys = [("PLANTED_KEY", KEY)];
            let (report, _) = read_again(directory.path(), &keys, false);
            assert_eq!((report.same, report.changed, report.skipped), (1, 0, 0), "{name}");
            spoil(directory.path(), |result| {
                result["result"] = "".into();
                result.as_object_mut().unwrap().shift_remove("links");
            });
            let (report, told) = read_again(directory.path(), &keys, true);
            assert_eq!(report.changed, 1, "{name}");
            let Reread::Changed(fields) = &told[0] else { panic!("{name}: {told:?}") };
            assert!(fields.contains(&"result".to_owned()), "{name}: {fields:?}");
            let (again, _) = read_again(directory.path(), &keys, false);
            assert_eq!(again, report, "a dry run changes nothing: {name}");
            builder
        });
        let mut read = app.ended(&id);
        let at = read["result"].as_object_mut().unwrap().shift_remove("reread_at");
        assert!(at.is_some_and(|at| at.is_string()), "{name}: {read:#}");
        assert_eq!(read, job, "{name}");
    }
}

#[test]
fn result_that_is_read_again_has_another_tag_only_if_it_changed() {
    let case = cases::named("compatible").setting("keep_raw", "all");
    let provider = case.provider();
    let app = case.builder(&provider).start();
    let id = case.submit(&app);
    app.ended(&id);
    let poll = |app: &App, tag: &str, form: &str| {
        let path = format!("/jobs/{id}{form}");
        app.get_with(&path, &[("if-none-match", tag)])
    };
    let [tag, status] = ["", "?fields=status"].map(|form| {
        let reply = app.get(&format!("/jobs/{id}{form}"));
        reply.headers["etag"].clone()
    });
    let directory = app.directory.clone();
    let environment = [("PLANTED_KEY", KEY)];
    let app = app.restart_with(|builder| {
        let (report, _) = read_again(directory.path(), &environment, false);
        assert_eq!(report.same, 1);
        builder
    });
    assert_eq!(poll(&app, &tag, "").status, 304);
    let app = app.restart_with(|builder| {
        spoil(directory.path(), |result| result["result"] = "old".into());
        builder
    });
    let old = poll(&app, &tag, "");
    assert_eq!(old.status, 200);
    let app = app.restart_with(|builder| {
        assert_eq!(read_again(directory.path(), &environment, false).0.changed, 1);
        builder
    });
    let read = poll(&app, &old.headers["etag"], "");
    assert_eq!(read.status, 200);
    assert_eq!(poll(&app, &read.headers["etag"], "").status, 304);
    assert_eq!(poll(&app, &status, "?fields=status").status, 304, "it has no result in it");
}

#[test]
fn cost_of_a_result_that_is_read_again_stays_what_it_was() {
    let case = cases::named("openai-usage").setting("keep_raw", "all");
    let case = case.setting("usd_per_million_output_tokens", 2);
    let provider = case.provider();
    let app = case.builder(&provider).start();
    let id = case.submit(&app);
    let job = app.ended(&id);
    assert_eq!(job["result"]["usage"]["cost_from"], "table", "{job:#}");
    let directory = app.directory.clone();
    let environment =
        [("PLANTED_KEY", KEY), ("ANSWERD_UPSTREAMS__LOCAL__USD_PER_MILLION_OUTPUT_TOKENS", "9")];
    drop(app.restart_with(|builder| {
        let (report, told) = read_again(directory.path(), &environment, false);
        assert_eq!(report.same, 1, "{told:?}");
        builder
    }));
}

#[test]
fn a_key_is_in_no_raw_reply() {
    let half = KEY.split(':').next_back().unwrap();
    let percent: String = KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped: String = KEY.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
    for case in ["openai", "serpapi", "dataforseo"].map(cases::named) {
        let body = format!(
            "{{\"error\": {{\"message\": \"Not with {KEY}, {}, {half}, {percent}, {KEY_BASIC} or \
             {escaped}. So it is.\"}}}}",
            KEY.to_uppercase()
        );
        let provider = Provider::always(Says::text(401, KEY, body));
        let app = case.builder(&provider).start();
        let id = submit(&case, &app, "&raw=true");
        assert_eq!(app.ended(&id)["status"], "failed", "{}", case.name);
        let raw = raw(&app, &id);
        let stars =
            "{\"error\": {\"message\": \"Not with ***, ***, ***, ***, *** or ***. So it is.\"}}";
        assert_eq!(bodies(&raw), [stars], "{}", case.name);
        let shown = raw.to_string().to_lowercase();
        for part in KEY.split(':').chain([KEY, &KEY_BASIC.to_lowercase(), &percent]) {
            assert!(!shown.contains(part), "{}: {shown}", case.name);
        }
        assert_eq!(
            (&raw["answered_by"], &raw["replies"][0]["status"]),
            (&Value::Null, &json!(401))
        );
    }
}

#[test]
fn keep_raw_says_which_attempts_leave_replies() {
    let case = cases::named("compatible");
    for (keep, more, of_failed, of_done) in [
        ("none", "", false, false),
        ("failed", "", true, false),
        ("all", "", true, true),
        ("none", "&raw=true", true, true),
    ] {
        let fails = Says::json(400, &json!({"error": {"message": "no"}}));
        let replies = [fails].into_iter().chain(case.replies());
        let provider = Provider::start(replies, Says::json(500, &Value::Null));
        let app = case
            .builder(&provider)
            .set("UPSTREAMS__LOCAL__KEEP_RAW", keep)
            .set("RETRY__RETRIES", 0)
            .start();
        for (status, kept) in [("failed", of_failed), ("done", of_done)] {
            let id = submit(&case, &app, more);
            let job = app.ended(&id);
            assert_eq!(job["status"], status, "{keep}{more}: {job:#}");
            let reply = app.get(&format!("/jobs/{id}/raw"));
            match kept {
                true => assert_eq!(reply.status, 200, "{keep}{more} {status}: {reply:?}"),
                false => assert_eq!(reply.code(), "raw_not_kept", "{keep}{more} {status}"),
            }
        }
    }
}

#[test]
fn a_reply_that_is_too_large_is_told_and_not_cut() {
    let case = cases::named("compatible");
    let padding = "x".repeat(4 << 20);
    let body = json!({ "padding": padding, "choices": [{ "message": { "content": "Four." } }] });
    let bytes = body.to_string().len();
    let provider = Provider::always(Says::json(200, &body));
    let app = case.builder(&provider).start();
    let id = submit(&case, &app, "&raw=true");
    assert_eq!(app.ended(&id)["status"], "done");
    let raw = raw(&app, &id);
    let told = raw["replies"][0]["not_kept"].as_str().unwrap();
    assert!(told.starts_with(&format!("not kept: {bytes} bytes, limit 4194304 bytes")), "{told}");
    assert_eq!(raw["replies"][0]["body"], Value::Null);
    let directory = app.directory.clone();
    drop(app.restart_with(|builder| {
        let (report, told) = read_again(directory.path(), &[("PLANTED_KEY", KEY)], false);
        assert_eq!(report.skipped, 1);
        assert!(matches!(&told[0], Reread::Skipped(why) if why.contains("not all")), "{told:?}");
        builder
    }));
}

#[test]
fn raw_replies_are_for_the_key_that_made_the_job_and_never_from_the_cache() {
    use crate::limits::{A, B, keys};
    let case = cases::named("compatible");
    let provider = Provider::always(case.replies().remove(0));
    let app = case.builder(&provider).config(&keys("")).start();
    let path = format!("/scrapers/{}/jobs?prompt=x", case.scraper);
    let submit = |more: &str| {
        let reply = app.post_with(&format!("{path}{more}"), &A, "").expect(202);
        let id = reply["job_id"].as_str().unwrap().to_owned();
        assert_eq!(app.ended(&id)["status"], "done");
        id
    };
    submit("");
    let cached = submit("");
    let asked_raw = submit("&raw=true");
    assert_eq!(provider.asked().len(), 2, "one of three came from the cache");
    let raw = |id: &str, key| app.get_with(&format!("/jobs/{id}/raw"), key);
    assert_eq!(raw(&cached, &A).code(), "raw_not_kept");
    assert_eq!(raw(&asked_raw, &A).status, 200);
    assert_eq!(raw(&asked_raw, &B).code(), "job_not_found");
    assert_eq!(raw(&asked_raw, &[]).code(), "key_missing");
}
