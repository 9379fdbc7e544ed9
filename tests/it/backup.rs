//! `answerd db backup` of a service under load, killed half way, and `answerd db restore`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::Sender;

use serde_json::Value;

use crate::app::Builder;
use crate::child::{Served, answerd, command, store_directory};
use crate::limits::{B, keys};

fn succeeds(line: &[&str], store: &Path) -> Value {
    let output = answerd(&[line, &["--json"]].concat(), store);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{line:?}: {err}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn fails(line: &[&str], store: &Path) -> String {
    let output = answerd(line, store);
    assert_ne!(output.status.code(), Some(0), "{line:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_backup_under_load_has_every_job_that_was_acknowledged_before_it() {
    let (directory, store) = store_directory();
    let served = Served::start(&store, &[]);
    // The load ends with the reader of what was acknowledged.
    let submit = |acknowledged: Sender<String>| {
        loop {
            let path = "/scrapers/practice/jobs?prompt=What+is+a+job%3F&bypass_cache=true";
            let (status, job) = served.post(path).unwrap();
            assert_eq!(status, 202, "{job}");
            if acknowledged.send(job["job_id"].as_str().unwrap().to_owned()).is_err() {
                return;
            }
        }
    };
    let path = directory.path().join("backup.redb");
    let line = ["db", "backup", path.to_str().unwrap(), "--url", &served.base];
    let before = std::thread::scope(|scope| {
        let (sender, acknowledged) = std::sync::mpsc::channel();
        for _ in 0..4 {
            let sender = sender.clone();
            scope.spawn(move || submit(sender));
        }
        let before: Vec<String> = acknowledged.iter().take(200).collect();
        let report = succeeds(&line, &store);
        assert!(report["jobs"].as_u64().unwrap() >= before.len() as u64, "{report}");
        // It went on meanwhile.
        assert_eq!(acknowledged.iter().take(50).count(), 50);
        before
    });
    assert!(fails(&line, &store).contains("is there already"));
    let in_use = fails(&["db", "restore", path.to_str().unwrap(), "--replace"], &store);
    assert!(in_use.contains("in use by another process"), "{in_use}");
    served.kill();

    let restored = directory.path().join("restored");
    let report = succeeds(&["db", "restore", path.to_str().unwrap()], &restored);
    assert_eq!(report["replaced"], false);
    let checked = succeeds(&["db", "check"], &restored);
    assert_eq!(checked["jobs"], report["jobs"]);
    let served = Served::start(&restored, &[]);
    for id in before {
        let (status, ended) = served.get(&format!("/jobs/{id}?wait=30")).unwrap();
        assert_eq!(status, 200, "{id}: {ended}");
        assert_eq!(ended["status"], "done", "{ended}");
    }
}

#[test]
fn a_backup_that_is_killed_is_none_and_the_next_one_begins_again() {
    let (directory, store) = store_directory();
    let path = directory.path().join("backup.redb");
    let part = directory.path().join("backup.redb.part");
    // A server that stops sending after the header.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let line = ["db", "backup", path.to_str().unwrap(), "--url"];
    let mut backup = command(&store);
    let backup = backup.args(line).arg(&url).stdout(Stdio::null()).stderr(Stdio::null());
    let mut backup = backup.spawn().unwrap();
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0);
    }
    assert!(head.starts_with("GET /backup HTTP/1.1\r\n"), "{head}");
    let sent =
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nanswerd backup 1\n\0\0\0\0\0\0\0\x09";
    reader.get_mut().write_all(sent).unwrap();
    while !part.exists() {
        assert!(backup.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    backup.kill().unwrap();
    backup.wait().unwrap();
    assert!(part.exists() && !path.exists());
    let refused = fails(&["db", "restore", part.to_str().unwrap()], &store);
    assert!(refused.contains("is not sound"), "{refused}");
    assert!(!store.join("answerd.redb").exists());

    let served = Served::start(&store, &[]);
    let (_, job) = served.post("/scrapers/practice/jobs?prompt=a").unwrap();
    assert_eq!(succeeds(&[&line[..], &[&served.base]].concat(), &store)["jobs"], 1, "{job}");
    assert!(path.exists() && !part.exists());
    // A server that closes half way leaves nothing.
    let closes = std::thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        let _ = connection.read(&mut [0; 1_000]).unwrap();
        connection.write_all(sent).unwrap();
    });
    let other = directory.path().join("other.redb");
    let broken = fails(&["db", "backup", other.to_str().unwrap(), "--url", &url], &store);
    closes.join().unwrap();
    assert!(broken.contains("the copy broke off"), "{broken}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_backup_of_a_stopped_service_needs_no_server_and_no_store_is_made() {
    let (directory, store) = store_directory();
    let path = directory.path().join("backup.redb");
    let line = ["db", "backup", path.to_str().unwrap()];
    assert!(fails(&line, &store).contains("there is no store at"));
    let mut served = Served::start(&store, &[]);
    let (_, job) = served.post("/scrapers/practice/jobs?prompt=a").unwrap();
    assert_eq!(served.terminate(), Some(0));
    assert_eq!(succeeds(&line, &store)["jobs"], 1);
    // What came after it is gone, and what was there before is there.
    let served = Served::start(&store, &[]);
    let (_, later) = served.post("/scrapers/practice/jobs?prompt=b").unwrap();
    served.kill();
    let restore = ["db", "restore", path.to_str().unwrap()];
    assert!(fails(&restore, &store).contains("--replace"));
    assert_eq!(succeeds(&[&restore[..], &["--replace"]].concat(), &store)["replaced"], true);
    let served = Served::start(&store, &[]);
    let status =
        |job: &Value| served.get(&format!("/jobs/{}", job["job_id"].as_str().unwrap())).unwrap().0;
    assert_eq!((status(&job), status(&later)), (200, 404));
}

#[test]
fn a_key_that_reads_no_jobs_of_others_gets_no_backup() {
    for (reads, operator) in [(true, false), (false, true)] {
        let key = format!("{}operator = {operator}\n", keys(""));
        let config = format!("{key}[http]\noperators_read_jobs = {reads}\n");
        let refused = Builder::new().config(&config).start().get_with("/backup", &B);
        assert_eq!((refused.status, refused.code().as_str()), (403, "operator_needed"));
    }
    let app = Builder::new().config(&keys("")).start();
    assert_eq!(app.get("/backup").code(), "key_missing");
    assert_eq!(app.method("HEAD", "/backup").status, 405);
}
