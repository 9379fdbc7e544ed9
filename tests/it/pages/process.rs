//! The binary and its browsers: they end with it, however it ends, and `answerd recipe` drives pages by
//! itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::RECIPE;
use super::faults::{browsers, kill};
use crate::app::until;
use crate::child::{Served, answerd, store_directory};
use crate::page_server::PageServer;

const UNFINISHED: &str = include_str!("unfinished.html");
const CHAT: &str = include_str!("chat.html");

/// A key of a provider in the service's environment.
const KEY: &str = "sk-of-the-service";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The processes whose command lines name a folder of the store.
pub(crate) fn started_for(store: &Path) -> Vec<u32> {
    let folder = store.display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.contains(&folder))
    })
    .collect()
}

/// Looks into the environment of a process and of all below it.
fn assert_no_secret(process: u32) {
    let read = |what: &str| std::fs::read_to_string(format!("/proc/{process}/{what}"));
    // One that has just ended holds nothing.
    let Ok(environment) = std::fs::read(format!("/proc/{process}/environ")) else { return };
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let names: Vec<&str> =
        environment.split('\0').filter_map(|it| Some(it.split_once('=')?.0)).collect();
    assert!(!environment.contains(KEY), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("ANSWERD_")), "{names:?}");
    let below = read(&format!("task/{process}/children")).unwrap_or_default();
    below.split_whitespace().for_each(|child| assert_no_secret(child.parse().unwrap()));
}

fn serve(store: &Path, server: &PageServer, path: &str) -> Served {
    serve_with(store, server, path, |_| {})
}

fn serve_with(
    store: &Path,
    server: &PageServer,
    path: &str,
    change: impl FnOnce(&mut Command),
) -> Served {
    let recipes = store.parent().unwrap().join("recipes");
    std::fs::create_dir_all(&recipes).unwrap();
    std::fs::write(recipes.join("page.toml"), RECIPE.replace("PATH", path)).unwrap();
    Served::start_with(
        store,
        &[
            ("BROWSER__RECIPES", recipes.to_str().unwrap()),
            ("UPSTREAMS__PAGE__KIND", "browser"),
            ("UPSTREAMS__PAGE__RECIPE", "page"),
            ("UPSTREAMS__PAGE__BASE_URL", &server.base),
            ("SCRAPERS__PAGE__UPSTREAMS", "[\"page\"]"),
            ("HTTP__GRACE_SECONDS", "0"),
        ],
        |command| {
            command.env("OPENAI_API_KEY", KEY).env("ANSWERD_WEBHOOK_SECRET", WEBHOOK_SECRET);
            change(command);
        },
    )
}

/// Waits until no browser of a store is left: a process takes a moment to end.
fn assert_no_browser(store: &Path) {
    let gone = (0..500).any(|_| {
        let gone = browsers(store).is_empty();
        if !gone {
            // The end of somebody else's child cannot be waited for in another way.
            std::thread::park_timeout(Duration::from_millis(10));
        }
        gone
    });
    assert!(gone, "browsers are left: {:?}", browsers(store));
}

#[test]
fn no_browser_outlives_the_service_however_it_ends() {
    let (_directory, store) = store_directory();
    let server = PageServer::start(&[("/unfinished", UNFINISHED), ("/begun", "")]);
    for (round, ends_well) in [false, true].into_iter().enumerate() {
        let mut served = serve(&store, &server, "/unfinished");
        served.post("/scrapers/page/jobs?prompt=hello").unwrap();
        while server.asked("/begun") == round {
            std::thread::yield_now();
        }
        assert!(!browsers(&store).is_empty());
        let all = started_for(&store);
        assert!(all.len() >= 3, "a guard, a driver and a browser: {all:?}");
        for process in all {
            assert_no_secret(process);
        }
        if ends_well {
            assert_eq!(served.terminate(), Some(0));
        } else {
            served.kill();
        }
        assert_no_browser(&store);
    }
}

/// The process whose command line holds both: the guard stands above the driver, whose command line
/// names the store.
fn process_with(store: &Path, word: &str, without: &str) -> u32 {
    let mark = format!("--log-path={}", store.display());
    let named = |pid: &u32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains(&mark) && line.contains(word) && !line.contains(without)
    };
    let found: Vec<u32> = started_for(store).into_iter().filter(named).collect();
    // The guard has a process below it that waits for the driver.
    assert!(!found.is_empty(), "no {word}");
    found[0]
}

pub(crate) fn guard(store: &Path) -> u32 {
    process_with(store, "answerd-browsers", "nothing is without")
}

pub(crate) fn driver(store: &Path) -> u32 {
    process_with(store, "chromedriver", "answerd-browsers")
}

fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    assert!(Command::new("kill").arg(name).args(&pids).status().unwrap().success());
}

#[test]
fn browsers_that_lost_guard_and_service_at_once_are_ended_by_the_next_start() {
    let (directory, store) = store_directory();
    let server = PageServer::start(&[("/unfinished", UNFINISHED), ("/begun", "")]);
    let scratch = directory.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let serve = || {
        serve_with(&store, &server, "/unfinished", |command| {
            command.env("TMPDIR", &scratch);
        })
    };
    let served = serve();
    served.post("/scrapers/page/jobs?prompt=hello").unwrap();
    while server.asked("/begun") == 0 {
        std::thread::yield_now();
    }
    // Stopped, it cannot see its guard die.
    signal("-STOP", &[served.id()]);
    signal("-KILL", &[guard(&store), served.id()]);
    drop(served);
    let left = browsers(&store);
    assert!(!left.is_empty(), "nothing was left to be ended");
    let mut next = serve();
    // They are killed before the service listens, and take a moment to end; its own may have begun.
    until(|| {
        let now = browsers(&store);
        (!left.iter().any(|one| now.contains(one))).then_some(())
    });
    assert_eq!(next.terminate(), Some(0));
    assert_no_browser(&store);
    assert!(!store.join("browser").exists(), "a folder is left");
    let strewn: Vec<_> = std::fs::read_dir(&scratch).unwrap().collect();
    assert!(strewn.is_empty(), "{strewn:?}");
}

#[test]
fn a_guard_that_is_killed_takes_its_browsers_with_it_and_is_replaced() {
    let (_directory, store) = store_directory();
    let server = PageServer::start(&[("/unfinished", UNFINISHED), ("/begun", "")]);
    let mut served = serve(&store, &server, "/unfinished");
    served.post("/scrapers/page/jobs?prompt=hello").unwrap();
    while server.asked("/begun") == 0 {
        std::thread::yield_now();
    }
    let first = browsers(&store);
    kill(guard(&store));
    until(|| {
        let now = browsers(&store);
        (!first.iter().any(|one| now.contains(one))).then_some(())
    });
    // The attempt that follows runs under another.
    while server.asked("/begun") == 1 {
        std::thread::yield_now();
    }
    assert_eq!(served.terminate(), Some(0));
    assert_no_browser(&store);
}

#[test]
fn a_recipe_is_listed_checked_and_run_from_the_command_line() {
    let (directory, store) = store_directory();
    let run = |arguments: &[&str]| {
        let output = answerd(arguments, &store);
        let text = String::from_utf8(output.stdout).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        (output.status.code().unwrap(), json, String::from_utf8(output.stderr).unwrap())
    };
    let (code, listed, _) = run(&["recipe", "list", "--json"]);
    assert_eq!(code, 0);
    let recipes = listed["recipes"].as_array().unwrap();
    assert!(recipes.iter().any(|recipe| recipe["name"] == "practice"), "{listed}");

    let evidence = directory.path().join("seen");
    let (code, ran, told) = run(&[
        "recipe",
        "run",
        "practice",
        "--json",
        "--prompt",
        "How long are results kept?",
        "--evidence",
        evidence.to_str().unwrap(),
    ]);
    assert_eq!(code, 0, "{ran:#} {told}");
    assert!(ran["answer"]["text"].as_str().unwrap().contains("24 hours"));
    assert!(!ran["answer"]["sources"].as_array().unwrap().is_empty());
    assert!(std::fs::read(evidence.join("screenshot.png")).unwrap().starts_with(b"\x89PNG"));
    assert_no_browser(directory.path());

    let server = PageServer::start(&[("/chat", CHAT)]);
    let file = directory.path().join("page.toml");
    let path = file.to_str().unwrap().to_owned();
    let outdated =
        RECIPE.replace("PATH", "/chat").replace("\"chat-box >>> [contenteditable]\",", "");
    std::fs::write(&file, outdated).unwrap();
    assert_eq!(run(&["recipe", "check", &path]).0, 0);
    let (code, _, told) =
        run(&["recipe", "run", &path, "--prompt", "hello", "--base-url", &server.base]);
    assert_eq!(code, 1);
    assert!(
        told.contains("recipe_outdated") && told.contains("perhaps <div contenteditable"),
        "{told}"
    );

    std::fs::write(&file, RECIPE.replace("[prompt]", "[promt]")).unwrap();
    let (code, _, told) = run(&["recipe", "check", &path]);
    assert_eq!(code, 1);
    assert!(told.contains("did you mean `prompt`?"), "{told}");
    assert_eq!(run(&["recipe", "run", "practise", "--prompt", "x"]).0, 2);
}

#[test]
fn a_hangup_reads_the_recipes_again() {
    let (_directory, store) = store_directory();
    let server = PageServer::start(&[]);
    let served = serve(&store, &server, "/chat");
    let file = store.parent().unwrap().join("recipes/page.toml");
    std::fs::write(&file, RECIPE.replace("PATH", "/chat").replace("version = 1", "version = 9"))
        .unwrap();
    let id = served.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let version = || {
        let (_, scrapers) = served.get("/scrapers").unwrap();
        let scrapers = scrapers["scrapers"].as_array().unwrap().clone();
        let page = scrapers.into_iter().find(|it| it["name"] == "page").unwrap();
        page["upstreams"][0]["recipe"]["version"].as_u64().unwrap()
    };
    assert_eq!(until(|| Some(version()).filter(|version| *version != 1)), 9);
}

/// A page that shadows what our script reads, and says the prompt wherever it is heard.
const SAYS: &str = "<!doctype html><textarea></textarea><button id=send onclick=\"\
    const asked = 'planted-words ' + document.querySelector('textarea').value; \
    Object.defineProperty(document, 'readyState', { get() { throw new Error(asked); } }); \
    console.error(asked); alert(asked); location = 'http://127.0.0.1:9/' + asked\">Send</button>";

#[test]
fn log_holds_no_word_of_prompt_or_page() {
    let (directory, store) = store_directory();
    let server = PageServer::start(&[("/says", SAYS)]);
    let log = directory.path().join("log");
    let mut served = serve_with(&store, &server, "/says", |command| {
        command.env("ANSWERD_LOG__LEVEL", "trace");
        command.env("ANSWERD_RETRY__RETRIES", "0");
        command.stderr(std::fs::File::create(&log).unwrap());
    });
    let (_, job) = served.post("/scrapers/page/jobs?prompt=planted-question").unwrap();
    let id = job["job_id"].as_str().unwrap();
    let (_, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
    assert_eq!(job["error_code"], "upstream_timeout", "{job:#}");
    let evidence = served.get(&format!("/jobs/{id}/evidence")).unwrap().1.to_string();
    assert!(evidence.contains("planted-words planted-question"), "{evidence}");
    let scrapers = served.get("/scrapers").unwrap().1.to_string();
    assert!(scrapers.contains("showed no answer in time"), "{scrapers}");
    assert_eq!(served.terminate(), Some(0));
    let printed = served.printed() + std::fs::read_to_string(&log).unwrap().as_str();
    assert!(printed.contains("job failed"), "{printed}");
    for text in [scrapers, printed] {
        assert_eq!(text.lines().find(|line| line.contains("planted")), None);
    }
}
