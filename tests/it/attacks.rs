//! Clients that mean harm: slow, silent, endless and very many ones. Each is refused in bounded time
//! and memory, and others are served meanwhile.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::app::until;
use crate::child::{Served, store_directory};
use crate::kill_loop::setting;

/// What one connection may cost the service, with what its allocator keeps, bytes.
const CONNECTION_BYTES_MAX: u64 = 64 << 10;
/// What a refused body may cost the service, bytes.
const BODY_BYTES_MAX: u64 = 32 << 20;
/// Connections that only stand there, where nothing is set.
const IDLE_CONNECTIONS: u64 = 300;
/// Clients that do not read what they ask for, and the size of that, bytes.
const READERS: usize = 60;
const RESULT_BYTES: u64 = 1 << 20;
/// How long a client waits to be cut off before its test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that may be open more than before: what serves the test's own client, say.
const FILES_LEFT_MAX: usize = 16;

fn serve(settings: &[(&str, &str)]) -> (Served, TempDir) {
    let (directory, store) = store_directory();
    (Served::start(&store, settings), directory)
}

fn connect(served: &Served) -> TcpStream {
    TcpStream::connect(served.base.strip_prefix("http://").unwrap()).unwrap()
}

fn resident_bytes(served: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn open_files(served: &Served) -> usize {
    std::fs::read_dir(PathBuf::from(format!("/proc/{}/fd", served.id()))).unwrap().count()
}

fn is_served(served: &Served) -> bool {
    served.get("/readyz").is_ok_and(|(status, _)| status == 200)
}

/// All that the server says until it closes; it may close before it has read everything.
fn rest(mut stream: TcpStream) -> String {
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let (served, _directory) = serve(&[("HTTP__HEAD_TIMEOUT_SECONDS", "1")]);
    let mut slow = connect(&served);
    slow.write_all(b"GET /jobs/").unwrap();
    assert!(is_served(&served));
    let reply = rest(slow);
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
}

#[test]
fn a_body_without_end_is_cut_off() {
    let (served, _directory) = serve(&[]);
    let before = resident_bytes(&served);
    let path = "/scrapers/practice/jobs";
    let mut announced = connect(&served);
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n");
    announced.write_all(head.as_bytes()).unwrap();
    let mut reply = String::new();
    BufReader::new(announced).read_line(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");

    let mut endless = connect(&served);
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    endless.write_all(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    let sent = (0..16_384).take_while(|_| endless.write_all(&chunk).is_ok()).count();
    assert!(sent < 1_024, "{sent} chunks of 64 KiB were taken");
    assert!(is_served(&served));
    let grown = resident_bytes(&served).saturating_sub(before);
    assert!(grown < BODY_BYTES_MAX, "{grown} bytes");
}

#[test]
fn requests_that_come_all_at_once_are_answered_in_order() {
    let (served, _directory) = serve(&[]);
    let mut stream = connect(&served);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let count = 2_000;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                let request = format!(
                    "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-request-id: number-{number}\r\n\r\n"
                );
                stream.write_all(request.as_bytes()).unwrap();
            }
        });
        for number in 0..count {
            let (mut length, mut id) = (0, String::new());
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                if let Some(value) = line.strip_prefix("x-request-id: ") {
                    id = value.to_owned();
                }
            }
            assert_eq!(id, format!("number-{number}"));
            reader.read_exact(&mut vec![0; length]).unwrap();
        }
    });
}

#[test]
fn connections_that_say_nothing_take_little_and_shut_nobody_out() {
    let (served, _directory) = serve(&[("HTTP__HEAD_TIMEOUT_SECONDS", "600")]);
    let (before, files) = (resident_bytes(&served), open_files(&served));
    let count = setting("ANSWERD_IDLE_CONNECTIONS", IDLE_CONNECTIONS) as usize;
    let mut idle: Vec<TcpStream> = (0..count).map(|_| connect(&served)).collect();
    for half in idle.iter_mut().step_by(2) {
        half.write_all(b"POST /scrapers/practice/jobs HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    }
    until(|| (open_files(&served) >= files + count).then_some(()));
    assert!(is_served(&served));
    let grown = resident_bytes(&served).saturating_sub(before);
    assert!(grown < count as u64 * CONNECTION_BYTES_MAX, "{grown} bytes");
    drop(idle);
    until(|| (open_files(&served) <= files + FILES_LEFT_MAX).then_some(()));
}

/// A job with a result of [`RESULT_BYTES`], as the path of its poll.
fn large_result(served: &Served) -> String {
    let (_, job) = served.post("/scrapers/practice/jobs?prompt=large").unwrap();
    let path = format!("/jobs/{}", job["job_id"].as_str().unwrap());
    let (_, job) = served.get(&format!("{path}?wait=60&fields=status")).unwrap();
    assert_eq!(job["status"], "done", "{job}");
    path
}

fn ask(served: &Served, path: &str) -> TcpStream {
    let mut stream = connect(served);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
    stream
}

#[test]
fn who_asks_without_reading_is_cut_off_and_who_waits_is_not() {
    let payload = RESULT_BYTES.to_string();
    let (served, _directory) =
        serve(&[("HTTP__WRITE_TIMEOUT_SECONDS", "1"), ("PRACTICE__PAYLOAD_BYTES", &payload)]);
    let path = large_result(&served);
    let files = open_files(&served);
    let mut greedy = ask(&served, &path);
    greedy.set_write_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let error = loop {
        // It takes more until the replies fill every buffer, and then it waits.
        if let Err(error) = greedy.write_all(request.as_bytes()) {
            break error.kind();
        }
    };
    assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    until(|| (open_files(&served) <= files + FILES_LEFT_MAX).then_some(()));

    // A poll that waits longer than that has nothing to write meanwhile, nor has a stream.
    let slow = [("HTTP__WRITE_TIMEOUT_SECONDS", "1"), ("PRACTICE__LATENCY_MS", "600000")];
    let (served, _directory) = serve(&slow);
    let (_, job) = served.post("/scrapers/practice/jobs?prompt=slow").unwrap();
    let path = format!("/jobs/{}", job["job_id"].as_str().unwrap());
    let events = ask(&served, &format!("{path}/events"));
    let (status, job) = served.get(&format!("{path}?wait=3")).unwrap();
    assert_eq!((status, &job["status"]), (200, &"pending".into()), "{job}");
    served.send("DELETE", &path, None, "").unwrap();
    let canceled = BufReader::new(events).lines().map(Result::unwrap);
    assert!(canceled.into_iter().any(|line| line == "event: canceled"));
}

#[test]
fn results_that_nobody_reads_take_bounded_memory_and_shut_nobody_out() {
    let payload = RESULT_BYTES.to_string();
    let (served, _directory) =
        serve(&[("HTTP__WRITE_TIMEOUT_SECONDS", "600"), ("PRACTICE__PAYLOAD_BYTES", &payload)]);
    let path = large_result(&served);
    let before = resident_bytes(&served);
    let readers: Vec<TcpStream> = (0..READERS).map(|_| ask(&served, &path)).collect();
    for reader in &readers {
        // Its reply has begun.
        assert_eq!(reader.peek(&mut [0]).unwrap(), 1);
    }
    assert!(is_served(&served));
    let grown = resident_bytes(&served).saturating_sub(before);
    // The result, and its copy on its way out.
    let each_max = 2 * RESULT_BYTES + CONNECTION_BYTES_MAX;
    assert!(grown < READERS as u64 * each_max, "{grown} bytes");
}

/// Returns whether the other end of a connection is open.
fn is_held_by_server(stream: &TcpStream) -> bool {
    const ESTABLISHED: &str = "01";
    let Ok(peer) = stream.peer_addr() else { return false };
    let port = |address: std::net::SocketAddr| format!(":{:04X}", address.port());
    let (server, client) = (port(peer), port(stream.local_addr().unwrap()));
    std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[1].ends_with(&server) && fields[2].ends_with(&client) && fields[3] == ESTABLISHED
    })
}

/// Results of an export that is larger than all buffers on its way, and the size of each, bytes.
const EXPORTED: usize = 120;
const EXPORTED_BYTES: u64 = 256 << 10;
/// Clients that ask for that export and do not read it.
const EXPORT_READERS: u64 = 8;
/// What each of them may cost: a page with the lines that are made of it, what its connection holds, and
/// what the allocator keeps; half of the export.
const EXPORT_BYTES_MAX: u64 = 14 << 20;

#[test]
fn an_export_that_is_not_read_is_cut_off_in_bounded_memory_and_others_go_on() {
    let payload = EXPORTED_BYTES.to_string();
    let (served, _directory) =
        serve(&[("HTTP__WRITE_TIMEOUT_SECONDS", "5"), ("PRACTICE__PAYLOAD_BYTES", &payload)]);
    // All but the first are served by the cache.
    large_result(&served);
    let prompts = vec!["large"; EXPORTED - 1];
    let batch = serde_json::json!({ "scraper": "practice", "prompts": prompts });
    let (_, batch) = served.send("POST", "/batches", None, &batch.to_string()).unwrap();
    let batch = format!("/batches/{}?wait=30", batch["batch_id"].as_str().unwrap());
    until(|| (served.get(&batch).unwrap().1["status"] == "done").then_some(()));
    let export = || {
        let mut stream = connect(&served);
        let head = "host: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(format!("GET /results HTTP/1.1\r\n{head}").as_bytes()).unwrap();
        rest(stream)
    };
    let whole = export();
    let ended = |export: &str| export.ends_with("\r\n0\r\n\r\n");
    assert!(ended(&whole), "{} bytes", whole.len());
    assert_eq!(whole.matches("\"cursor\":\"").count(), EXPORTED);
    assert!(whole.len() as u64 > EXPORTED as u64 * EXPORTED_BYTES, "{} bytes", whole.len());
    let before = resident_bytes(&served);
    let readers: Vec<TcpStream> = (0..EXPORT_READERS).map(|_| ask(&served, "/results")).collect();
    for reader in &readers {
        // Its reply has begun.
        assert_eq!(reader.peek(&mut [0]).unwrap(), 1);
    }
    assert_eq!(export().len(), whole.len(), "another client reads on");
    let grown = resident_bytes(&served).saturating_sub(before);
    assert!(grown < EXPORT_READERS * EXPORT_BYTES_MAX, "{grown} bytes");
    until(|| (!readers.iter().any(is_held_by_server)).then_some(()));
    for reader in readers {
        assert!(!ended(&rest(reader)), "a part must not look like the whole");
    }
    assert!(is_served(&served));
}

#[test]
fn more_connections_than_are_allowed_wait_for_the_silent_ones_to_be_closed() {
    let (served, _directory) = serve(&[
        ("HTTP__WORKERS", "1"),
        ("HTTP__CONNECTIONS_MAX", "10"),
        ("HTTP__HEAD_TIMEOUT_SECONDS", "1"),
    ]);
    let silent: Vec<TcpStream> = (0..40).map(|_| connect(&served)).collect();
    assert!(is_served(&served));
    drop(silent);
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let (served, _directory) = serve(&[]);
    assert!(is_served(&served));
    let files = open_files(&served);
    for number in 0..3_000 {
        let mut stream = connect(&served);
        if number % 3 == 0 {
            stream.write_all(b"GET /scrapers HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        }
    }
    until(|| (open_files(&served) <= files + FILES_LEFT_MAX).then_some(()));
    assert!(is_served(&served));
}
