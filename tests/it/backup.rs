//! `answerd db backup` of a service under load, killed half way, and `answerd db restore`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender};

use answerd::store::Store;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::app::{App, Builder, Scripted};
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

/// How much of a reply a relay lets through before it cuts the connection, or holds it.
enum Lets {
    All,
    Cut(usize),
    Hold(usize),
}

/// Relays connections to a server, one after the other, each by its own rule.
struct Relay {
    url: String,
    /// The first line of each request.
    requests: Receiver<String>,
    /// Hears of each reply that is held.
    held: Receiver<SocketAddr>,
    /// What is held is held for as long as this is there.
    _open: Sender<()>,
}

impl Relay {
    fn start(server: &str, each: Vec<Lets>) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server: SocketAddr = server.strip_prefix("http://").unwrap().parse().unwrap();
        let (request, requests) = std::sync::mpsc::channel();
        let (hold, held) = std::sync::mpsc::channel();
        let (open, closed) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for lets in each {
                let (client, address) = listener.accept().unwrap();
                let server = connected(server);
                request.send(pass_request(&client, &server)).unwrap();
                match lets {
                    Lets::All => drop(std::io::copy(&mut &server, &mut &client)),
                    Lets::Cut(bytes) => pass(&server, &client, bytes),
                    Lets::Hold(bytes) => {
                        pass(&server, &client, bytes);
                        kept.push((server, client));
                        hold.send(address).unwrap();
                    }
                }
            }
            drop(request);
            let _ = closed.recv();
        });
        Relay { url, requests, held, _open: open }
    }
}

/// A connection that buffers little, so that the server cannot run ahead of its client.
fn connected(server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.connect(&server.into()).unwrap();
    socket.into()
}

fn pass_request(client: &TcpStream, mut server: &TcpStream) -> String {
    let mut lines = BufReader::new(client).lines().map(Result::unwrap);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let head_only = format!("{}\r\nconnection: close\r\n\r\n", head.join("\r\n"));
    server.write_all(head_only.as_bytes()).unwrap();
    head[0].clone()
}

fn pass(server: &TcpStream, mut client: &TcpStream, bytes: usize) {
    let passed = std::io::copy(&mut server.take(bytes as u64), &mut client).unwrap();
    assert_eq!(passed, bytes as u64, "the reply is shorter");
}

/// Waits until a process has read all that was sent to a socket of its.
fn has_read(address: SocketAddr) {
    let port = format!(":{:04X}", address.port());
    loop {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = sockets.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        // What is on its way is in the queue of one end or of the other.
        let waits = |row: Vec<&str>| {
            let (sent, received) = row[4].split_once(':').unwrap();
            row[2].ends_with(&port) && sent != "00000000"
                || row[1].ends_with(&port) && received != "00000000"
        };
        if !rows.skip(1).any(waits) {
            return;
        }
        std::thread::yield_now();
    }
}

/// A service with 9 MB of prompts.
fn large() -> App {
    let script = Scripted::new("script", []);
    let app = Builder::new().scripted("chatgpt", &script).set("HTTP__BATCH_KIB_MAX", 64 << 10);
    let (app, _clock) = app.manual();
    let app = app.start();
    let items: Vec<Value> = (0..600)
        .map(|n| json!({ "scraper": "chatgpt", "prompt": format!("{n:03}{}", "\u{1f916}".repeat(3_990)) }))
        .collect();
    let batch = app.post_with("/batches", &[], &json!({ "items": items }).to_string()).expect(202);
    // What was not asked by then never is, and nothing changes any more.
    let id = batch["batch_id"].as_str().unwrap();
    app.method("DELETE", &format!("/batches/{id}")).expect(200);
    let path = format!("/batches/{id}?wait=30&fields=status");
    while app.get(&path).expect(200)["status"] == "pending" {}
    app
}

fn backup_of(url: &str, path: &Path) -> Child {
    let mut backup = command(path);
    let line = ["db", "backup", path.to_str().unwrap(), "--url", url, "--json"];
    backup.args(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ends(backup: Child) -> String {
    let output = backup.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    err
}

/// Runs a backup until its reply is held and it has read all of it, and kills it.
fn killed(relay: &Relay, path: &Path) {
    let mut backup = backup_of(&relay.url, path);
    has_read(relay.held.recv().unwrap());
    backup.kill().unwrap();
    backup.wait().unwrap();
}

/// Every row of a backup, in the order of a backup.
fn rows(path: &Path) -> Vec<u8> {
    let restored = PathBuf::from(format!("{}.restored", path.display()));
    succeeds(&["db", "restore", path.to_str().unwrap()], &restored);
    let mut rows = Vec::new();
    Store::backup_of_stopped(&restored).unwrap().read_to_end(&mut rows).unwrap();
    rows
}

#[test]
fn a_backup_whose_connection_is_cut_goes_on_by_itself() {
    let app = large();
    let directory = tempfile::tempdir().unwrap();
    let relay = Relay::start(&app.base, vec![Lets::Cut(1 << 20), Lets::Cut(3 << 20), Lets::All]);
    let path = directory.path().join("cut.redb");
    let said = ends(backup_of(&relay.url, &path));
    assert_eq!(said.matches("the copy broke off").count(), 2, "{said}");
    let requests: Vec<String> = relay.requests.iter().collect();
    assert_eq!(requests[0], "GET /backup HTTP/1.1");
    let id = requests[1].split_once("?resume=").unwrap().1.split_once("%3A").unwrap().0;
    let block = |request: &String| {
        let point = request.strip_prefix(&format!("GET /backup?resume={id}%3A")).unwrap();
        point.strip_suffix(" HTTP/1.1").unwrap().parse::<u64>().unwrap()
    };
    let blocks: Vec<u64> = requests[1..].iter().map(block).collect();
    assert!(1 < blocks[0] && blocks[0] < blocks[1], "{blocks:?}");

    let whole = directory.path().join("whole.redb");
    ends(backup_of(&app.base, &whole));
    assert!(rows(&path) == rows(&whole));
}

#[test]
fn a_backup_that_is_killed_goes_on_in_the_next_run_with_the_state_that_it_began_with() {
    let app = large();
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole.redb");
    ends(backup_of(&app.base, &whole));
    let relay = Relay::start(&app.base, vec![Lets::Hold(5 << 20), Lets::All, Lets::Hold(5 << 20)]);
    let path = directory.path().join("killed.redb");
    killed(&relay, &path);
    assert!(!path.exists());
    // The relay still holds the connection, so that the service does not know of the kill.
    app.submit("chatgpt", "later");
    ends(backup_of(&relay.url, &path));
    let requests: Vec<String> = relay.requests.try_iter().collect();
    assert!(requests[1].starts_with("GET /backup?resume="), "{requests:?}");
    assert!(rows(&path) == rows(&whole), "what came later is not in it");

    // A service that has stopped since does not have it any more.
    let other = directory.path().join("other.redb");
    killed(&relay, &other);
    drop(relay);
    let app = app.restart();
    let said = ends(backup_of(&app.base, &other));
    assert!(said.contains("it begins again"), "{said}");
    let again = directory.path().join("again.redb");
    ends(backup_of(&app.base, &again));
    assert!(rows(&other) == rows(&again));
}
