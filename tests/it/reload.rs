//! SIGHUP in a real process: what is read again, and what stays.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::app::until;
use crate::child::{Served, answerd, command, store_directory};

/// Makes a key: itself, and the lines that let it in.
fn key(name: &str, store: &Path) -> (String, String) {
    let made: Value =
        serde_json::from_slice(&answerd(&["keygen", name, "--json"], store).stdout).unwrap();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("key"), text("config"))
}

/// A service that logs into a file.
fn serve(store: &Path, log: &Path) -> Served {
    let file = File::create(log).unwrap();
    Served::start_with(store, &[], |command| {
        command.env_remove("ANSWERD_LOG__LEVEL").stderr(Stdio::from(file));
    })
}

fn hang_up(served: &Served) {
    send("-HUP", served.id());
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Starts a service that waits for its settings at the returned pipe: it is in the middle of its
/// start.
fn starting(store: &Path) -> (Child, PathBuf, File) {
    let pipe = store.parent().unwrap().join("pipe.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut serve = command(store);
    serve.args(["serve", "--json", "--config", pipe.to_str().unwrap()]);
    let child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // A pipe opens when both of its ends do.
    let settings = File::options().write(true).open(&pipe).unwrap();
    (child, pipe, settings)
}

#[test]
fn hangup_during_the_start_is_a_reload_after_it() {
    let (_directory, store) = store_directory();
    let (mut child, pipe, settings) = starting(&store);
    send("-HUP", child.id());
    drop(settings);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "it did not start: {line:?} {:?}", child.wait());
    // The reload opens it once more.
    drop(File::options().write(true).open(&pipe).unwrap());
    send("-TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn stop_during_the_start_ends_it_at_once() {
    let (_directory, store) = store_directory();
    let (mut child, _, _settings) = starting(&store);
    send("-TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The status of a call with this key.
fn status(served: &Served, key: &str) -> u16 {
    served.get(&format!("/usage?api_key={key}")).unwrap().0
}

/// Reads the log until it says this, as often as is given.
fn logged(log: &PathBuf, what: &str, times: usize) -> String {
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        if text.matches(what).count() >= times {
            return text;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_hangup_lets_new_keys_in_and_old_ones_out_and_keeps_what_holds_when_the_file_is_wrong() {
    let (directory, store) = store_directory();
    let (file, log) = (directory.path().join("config.toml"), directory.path().join("log"));
    let ((first, first_lines), (second, second_lines)) = (key("a", &store), key("b", &store));
    std::fs::write(&file, &first_lines).unwrap();
    let served = serve(&store, &log);
    assert_eq!((status(&served, &first), status(&served, &second)), (200, 401));
    let job = served
        .post(&format!("/scrapers/practice/jobs?prompt=What+is+a+job%3F&api_key={first}"))
        .unwrap()
        .1;

    std::fs::write(&file, format!("[log]\nlevel = \"debug\"\n{first_lines}{second_lines}"))
        .unwrap();
    hang_up(&served);
    logged(&log, "were read again", 1);
    assert_eq!((status(&served, &first), status(&served, &second)), (200, 200));

    // Each of these would be refused at a start, the last by the log.
    for wrong in ["[http]\nbnid = \"x\"\n", "[http", "[log]\nlevel = \"answerd=loud\"\n"] {
        let before = std::fs::read_to_string(&log).unwrap().matches("nothing was reloaded").count();
        std::fs::write(&file, wrong).unwrap();
        hang_up(&served);
        logged(&log, "nothing was reloaded", before + 1);
        assert_eq!((status(&served, &first), status(&served, &second)), (200, 200), "{wrong}");
    }
    assert!(logged(&log, "did you mean `bind`?", 1).contains("http.bnid"));

    std::fs::write(&file, format!("[log]\nlevel = \"warn\"\n{second_lines}")).unwrap();
    hang_up(&served);
    until(|| (status(&served, &first) != 200).then_some(()));
    assert_eq!((status(&served, &first), status(&served, &second)), (401, 200));

    // What an editor or a copy leaves for a moment would remove the last key.
    let half =
        second_lines.split_once("[[keys]]").unwrap().0.to_owned() + "[[keys]]\nname = \"b\"\n";
    for (at, text) in ["", "[log]\nlevel = \"warn\"\n", "keys = []\n"].into_iter().enumerate() {
        std::fs::write(&file, text).unwrap();
        hang_up(&served);
        logged(&log, "list no key", at + 1);
        assert_eq!((status(&served, &second), served.get("/usage").unwrap().0), (200, 401));
    }
    for text in [Some(half), None] {
        let before = std::fs::read_to_string(&log).unwrap().matches("nothing was reloaded").count();
        match text {
            Some(half) => std::fs::write(&file, half).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        hang_up(&served);
        logged(&log, "nothing was reloaded", before + 1);
        assert_eq!((status(&served, &second), served.get("/usage").unwrap().0), (200, 401));
    }
    assert!(logged(&log, "were revoked", 1).contains("keys=\"a\""));

    let path = format!("/jobs/{}?wait=60", job["job_id"].as_str().unwrap());
    assert_eq!(served.get(&path).unwrap().1["status"], "done");
    let told = std::fs::read_to_string(&log).unwrap();
    assert!(!told.contains(&first) && !told.contains(&second), "{told}");
}

#[test]
fn a_hangup_changes_the_level_of_the_log() {
    let (directory, store) = store_directory();
    let (file, log) = (directory.path().join("config.toml"), directory.path().join("log"));
    std::fs::write(&file, "[log]\nlevel = \"error\"\n").unwrap();
    let served = serve(&store, &log);
    let ask = || {
        let asked = "/scrapers/practice?prompt=What+is+a+job%3F&bypass_cache=true";
        let job = served.get(asked).unwrap().1;
        job["job_id"].as_str().unwrap().to_owned()
    };
    let unheard = ask();
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").unwrap();
    hang_up(&served);
    logged(&log, "were read again", 1);
    let heard = ask();
    assert!(!logged(&log, &heard, 1).contains(&unheard));
}
