//! SIGHUP in a real process: what is read again, and what stays.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::app::until;
use crate::child::{Served, answerd, store_directory};

/// Makes a key: itself, and the lines that let it in.
fn key(name: &str, store: &Path) -> (String, String) {
    let made: Value =
        serde_json::from_slice(&answerd(&["keygen", name, "--json"], store).stdout).unwrap();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("key"), text("config"))
}

/// A service that logs into a file.
fn serve(store: &Path, log: &Path) -> Served {
    let file = std::fs::File::create(log).unwrap();
    Served::start_with(store, &[], |command| {
        command.env_remove("ANSWERD_LOG__LEVEL").stderr(Stdio::from(file));
    })
}

fn hang_up(served: &Served) {
    let id = served.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
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

    // Without any key it stays shut.
    std::fs::write(&file, "").unwrap();
    hang_up(&served);
    logged(&log, "were read again", 2);
    assert_eq!((status(&served, &second), served.get("/usage").unwrap().0), (401, 401));

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
