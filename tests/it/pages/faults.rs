//! Pages that fail: each attempt ends with its reason, and nothing stays behind.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{ask, builder};
use crate::app::App;
use crate::page_server::PageServer;

/// A page with a prompt box whose button runs this script.
macro_rules! page {
    ($script:literal) => {
        concat!(
            "<!doctype html><meta charset=utf-8><textarea></textarea><button id=send>Send</button>",
            "<div id=out></div><script>",
            "const say = (text) => { out.className = 'answer'; out.textContent = text; };",
            "send.addEventListener('click', () => {",
            $script,
            "});</script>"
        )
    };
}

const PAGES: &[(&str, &str)] = &[
    ("/well", page!("say('All is well.')")),
    ("/unfinished", page!("setInterval(() => say(Math.random()), 50)")),
    ("/silent", page!("")),
    ("/growing", page!("let t = 'x'.repeat(1e5); setInterval(() => say(t += t), 100)")),
    ("/blocked", "<h1>Sorry</h1><p>We have seen Unusual\n Traffic from your network.</p>"),
    ("/login-first", "<script>location = '/login?next=chat'</script>"),
    ("/login", "<h1>Welcome back</h1><input type=password>"),
    ("/changed", "<label>Ask <textarea id=ask-me hidden></textarea></label><select></select>"),
    ("/wrong", page!("out.innerHTML = '<p>Something went wrong.</p>'")),
    ("/short", "<!doctype html><textarea maxlength=5></textarea><button id=send>x</button>"),
    ("/hangs", page!("for (;;) {}")),
    (
        "/dialogs",
        concat!(
            "<!doctype html><script>alert('hello'); confirm('sure?');</script><textarea></textarea>",
            "<button id=send onclick=\"prompt('really?'); window.open('/well'); ",
            "Object.assign(document.createElement('a'), {href: '/file.zip', download: 'x'}).click(); ",
            "out.className = 'answer'; out.textContent = 'Answered.'; ",
            "setTimeout(() => { alert('bye'); out.textContent = 'Answered at last.'; }, 100)\">",
            "Send</button><div id=out></div>"
        ),
    ),
    ("/file.zip", "PK"),
    ("/echo", page!("say('You said: ' + document.querySelector('textarea').value)")),
];

fn error_of(path: &str) -> (String, String) {
    let server = PageServer::start(PAGES);
    let app = builder(&server, path).start();
    let job = ask(&app, "Why does it see unusual traffic?");
    assert_eq!(job["status"], "failed", "{job:#}");
    let text = |field: &str| job[field].as_str().unwrap().to_owned();
    (text("error_code"), text("error"))
}

#[test]
fn a_page_that_wants_a_human_or_a_login_is_blocked() {
    let (code, error) = error_of("/blocked");
    assert_eq!(
        (code.as_str(), error.contains("refuses to serve us")),
        ("blocked", true),
        "{error}"
    );
    let (code, error) = error_of("/login-first");
    assert_eq!((code.as_str(), error.contains("asks for a login")), ("blocked", true), "{error}");
    assert_eq!(error_of("/denied").0, "blocked");
}

#[test]
fn a_prompt_with_the_words_of_a_sign_is_no_sign() {
    let server = PageServer::start(PAGES);
    let app = builder(&server, "/echo").start();
    let job = ask(&app, "Why does it see unusual traffic?");
    assert_eq!(job["result"]["result"], "You said: Why does it see unusual traffic?", "{job:#}");
}

#[test]
fn a_page_without_an_end_runs_into_its_bounds() {
    assert_eq!(error_of("/unfinished").0, "upstream_timeout");
    assert_eq!(error_of("/silent").0, "upstream_timeout");
    assert_eq!(error_of("/growing").0, "answer_too_large");
}

#[test]
fn a_page_that_is_not_as_its_recipe_says_is_told() {
    let (code, error) = error_of("/changed");
    assert_eq!((code.as_str(), error.contains("prompt.box")), ("recipe_outdated", true), "{error}");
    assert_eq!(error_of("/wrong").0, "upstream_error");
    let (code, error) = error_of("/short");
    assert_eq!(
        (code.as_str(), error.contains("took 5 ")),
        ("upstream_bad_request", true),
        "{error}"
    );
}

#[test]
fn a_page_that_cannot_be_opened_is_unreachable() {
    let server = PageServer::start(&[]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let base = format!("http://{nobody}");
    let app = builder(&server, "/chat").set("UPSTREAMS__PAGE__BASE_URL", base).start();
    let job = ask(&app, "hello");
    assert_eq!(job["error_code"], "upstream_unreachable", "{job:#}");
    assert!(job["error"].as_str().unwrap().contains("ERR_CONNECTION_REFUSED"), "{job:#}");
    assert_eq!(error_of("/nowhere").0, "upstream_error");
}

#[test]
fn a_page_that_never_loads_ends_with_the_time() {
    let server = PageServer::start(&[]);
    let app = builder(&server, "/hang").set("UPSTREAMS__PAGE__TIMEOUT_SECONDS", "3").start();
    assert_eq!(ask(&app, "hello")["error_code"], "upstream_timeout");
}

#[test]
fn a_canceled_job_lets_go_of_its_page() {
    let server = PageServer::start(&[("/unfinished", include_str!("unfinished.html"))]);
    let app = builder(&server, "/unfinished").set("UPSTREAMS__PAGE__SESSIONS", "1").start();
    for round in 0..2 {
        let id = app.submit("page", &format!("hello {round}"));
        while server.asked("/begun") == round {
            std::thread::yield_now();
        }
        app.method("DELETE", &format!("/jobs/{id}")).expect(200);
    }
}

#[test]
fn dialogs_windows_and_downloads_do_not_stop_an_answer() {
    let server = PageServer::start(PAGES);
    let app = builder(&server, "/dialogs").start();
    for _ in 0..2 {
        let path = "/scrapers/page?prompt=hello&bypass_cache=true";
        assert_eq!(app.get(path).expect(200)["result"], "Answered at last.");
    }
}

/// The browsers of an app's store: main processes and renderers.
pub(crate) fn browsers(store: &Path) -> Vec<(u32, bool)> {
    let mark = format!("--user-data-dir={}", store.display());
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        // Chromium rewrites the command lines of its children, with spaces.
        let kind = line.split("--type=").nth(1).and_then(|rest| rest.split(['\0', ' ']).next());
        let ours = line.contains(&mark);
        (ours && matches!(kind, None | Some("renderer"))).then_some((pid, kind.is_none()))
    })
    .collect()
}

pub(crate) fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// Submits a job on a page that never finishes, and kills what it runs in once it is asked.
fn killed(main: bool) -> Value {
    let server = PageServer::start(&[("/unfinished", include_str!("unfinished.html")), PAGES[0]]);
    let app: App = builder(&server, "/unfinished").set("UPSTREAMS__PAGE__SESSIONS", "1").start();
    let id = app.submit("page", "hello");
    while server.asked("/begun") == 0 {
        std::thread::yield_now();
    }
    let (own, _): (Vec<_>, Vec<_>) =
        browsers(&app.store_path()).into_iter().partition(|(_, is_main)| *is_main == main);
    own.iter().for_each(|(pid, _)| kill(*pid));
    let job = app.ended(&id);
    // The next job gets another browser.
    let next = app.submit("page", "again");
    while server.asked("/begun") < 2 {
        std::thread::yield_now();
    }
    app.method("DELETE", &format!("/jobs/{next}")).expect(200);
    job
}

#[test]
fn a_browser_that_is_killed_fails_the_attempt_and_is_replaced() {
    assert_eq!(killed(true)["error_code"], "upstream_unreachable");
}

#[test]
fn a_tab_that_crashes_fails_the_attempt_and_is_replaced() {
    let job = killed(false);
    assert_eq!(job["error_code"], "upstream_unreachable", "{job:#}");
}

#[test]
fn no_job_pays_for_a_driver_that_died_between_two() {
    let server = PageServer::start(PAGES);
    let app = builder(&server, "/well").start();
    for round in 0..3 {
        let job = ask(&app, &format!("hello {round}"));
        assert_eq!(job["status"], "done", "{job:#}");
        kill(super::process::driver(&app.store_path()));
    }
}

#[test]
fn a_failure_leaves_evidence_for_its_owner_until_the_job_expires() {
    let server = PageServer::start(PAGES);
    let key =
        |name: &str, hash: &str| format!("[[keys]]\nname = \"{name}\"\nhash = \"sha256:{hash}\"");
    let hash = |key: &str| -> String {
        answerd::config::key_hash(key).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (builder, clock) = builder(&server, "/changed").manual();
    let app = builder.config(&key("a", &hash("key-a"))).config(&key("b", &hash("key-b"))).start();
    let own = [("x-api-key", "key-a")];
    let submitted = app.post_with("/scrapers/page/jobs?prompt=hello", &own, "").expect(202);
    let id = submitted["job_id"].as_str().unwrap();
    // The steps wait for real time; the clock of the service stands.
    assert_eq!(app.ended(id)["error_code"], "recipe_outdated");

    let path = format!("/jobs/{id}/evidence");
    assert_eq!(app.get(&path).status, 401);
    assert_eq!(app.get_with(&path, &[("x-api-key", "key-b")]).status, 404);
    let evidence = app.get_with(&path, &own).expect(200);
    let attempt = &evidence["attempts"][0];
    assert_eq!(
        (attempt["attempt"].as_u64(), attempt["upstream"].as_str()),
        (Some(1), Some("page"))
    );
    let steps = attempt["steps"].as_array().unwrap();
    let miss = steps.iter().find(|step| step["name"] == "prompt.box").unwrap();
    assert!(miss["nearest"][0].as_str().unwrap().contains("ask-me"), "{miss}");
    let files = attempt["files"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert!(file["bytes"].as_u64().unwrap() > 100, "{file}");
        if file["type"] == "image/png" {
            continue;
        }
        let reply = app.get_with(file["path"].as_str().unwrap(), &own);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
        assert!(reply.headers["content-security-policy"].contains("sandbox"));
        assert!(reply.text.contains("ask-me"));
    }
    assert_eq!(app.get_with(&format!("{path}/..%2f..%2fanswerd.redb"), &own).status, 404);

    let folder = app.store_path().join("evidence");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    clock.advance_ms(25 * 3_600_000);
    assert_eq!(app.get_with(&path, &own).status, 404);
    while std::fs::read_dir(&folder).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}
