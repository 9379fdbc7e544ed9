//! Disks in trouble, under a real process: full, almost full, read-only, and damaged. Where the test
//! may mount, the disk is a small one of its own; elsewhere a limit on the size of files stands for it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::{Gate, assert_sound, encoded};
use crate::child::{Served, answerd, store_directory};
use crate::receiver::{Does, Receiver, SECRET};
use crate::webhooks::ALLOW_LOOPBACK;

/// The size of a small disk, MiB.
const DISK_MIB: usize = 24;
/// The most submits, and polls, until what is waited for must have happened.
const TRIES_MAX: usize = 200_000;

/// A disk that the test fills and frees.
pub(crate) struct SmallDisk {
    directory: tempfile::TempDir,
    mounted: bool,
}

impl SmallDisk {
    pub(crate) fn new() -> SmallDisk {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_MIB}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(directory.path())
            .output()
            .is_ok_and(|output| output.status.success());
        SmallDisk { directory, mounted }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn filler(&self) -> PathBuf {
        self.directory.path().join("filler")
    }

    /// Leaves no room for the process to write more than it has written.
    pub(crate) fn fill(&self, served: &Served) {
        if !self.mounted {
            let bytes = std::fs::metadata(self.store().join("answerd.redb")).unwrap().len();
            return limit_files(served, &bytes.to_string());
        }
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[7; 4096]).is_ok() {}
    }

    pub(crate) fn free(&self, served: &Served) {
        if !self.mounted {
            return limit_files(served, "unlimited");
        }
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn read_only(&self) {
        if self.mounted {
            run(Command::new("mount").args(["-o", "remount,ro"]).arg(self.directory.path()));
        } else {
            run(Command::new("chmod").args(["-R", "a-w"]).arg(self.store()));
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
        } else {
            let _ = Command::new("chmod").args(["-R", "u+w"]).arg(self.directory.path()).status();
        }
    }
}

/// The soft limit only, which may be raised again.
pub(crate) fn limit_files(served: &Served, bytes: &str) {
    let process = format!("--pid={}", served.id());
    run(Command::new("prlimit").arg(process).arg(format!("--fsize={bytes}:")));
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// Submits until one is refused; gives the ids of the others, and the refusal.
pub(crate) fn submit_until_refused(served: &Served) -> (Vec<String>, serde_json::Value) {
    let mut ids = Vec::new();
    let prompt = "long+".repeat(700);
    for n in 0..TRIES_MAX {
        let (status, reply) =
            served.post(&format!("/scrapers/practice/jobs?prompt={n}+{prompt}")).unwrap();
        match status {
            202 => ids.push(reply["job_id"].as_str().unwrap().to_owned()),
            503 => return (ids, reply),
            other => panic!("{other}: {reply}"),
        }
    }
    panic!("the disk never filled")
}

pub(crate) fn await_ready(served: &Served) {
    let ready = (0..TRIES_MAX).any(|_| served.get("/readyz").unwrap().0 == 200);
    assert!(ready, "the service does not recover: {:?}", served.get("/readyz"));
}

#[test]
fn a_full_disk_is_outlived_and_nothing_is_lost() {
    let disk = SmallDisk::new();
    let settings = [
        ("PRACTICE__LATENCY_MS", "50"),
        ("SCRAPERS__PRACTICE__WORKERS", "4"),
        ("STORE__FREE_MIB_MIN", "0"),
    ];
    let mut served = Served::start(&disk.store(), &settings);
    let mut acknowledged = Vec::new();
    for round in 0..2 {
        let (status, first) =
            served.post(&format!("/scrapers/practice/jobs?prompt=before+{round}")).unwrap();
        assert_eq!(status, 202);
        acknowledged.push(first["job_id"].as_str().unwrap().to_owned());
        disk.fill(&served);
        acknowledged.extend(fail(&served));
        assert_eq!(served.get("/healthz").unwrap().0, 200);
        for id in &acknowledged {
            let (status, job) = served.get(&format!("/jobs/{id}")).unwrap();
            assert!(matches!(status, 200 | 503), "{id}: {status} {job}");
        }
        disk.free(&served);
        await_ready(&served);
    }
    for id in &acknowledged {
        let (status, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
        assert_eq!((status, job["status"].as_str()), (200, Some("done")), "{id}: {job}");
    }
    assert_eq!(served.terminate(), Some(0), "it was never started again");
    assert_sound(&disk.store());
}

/// The receiver has a webhook in its hands when the disk fills; what it says is noted when there is
/// space again, and it is not told twice.
#[test]
fn a_delivery_that_cannot_be_noted_is_not_made_again() {
    let disk = SmallDisk::new();
    let gate = Gate::default();
    let receiver = Receiver::start([Does::Hang(gate.clone())]);
    let settings = [
        ("STORE__FREE_MIB_MIN", "0"),
        ("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK),
        ("PRACTICE__LATENCY_MS", "1"),
    ];
    let mut served = Served::start_with(&disk.store(), &settings, |command| {
        command.env("ANSWERD_WEBHOOK_SECRET", SECRET);
        for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(proxy);
        }
    });
    let submit = |prompt: &str| {
        let url = encoded(&receiver.url());
        let path = format!("/scrapers/practice/jobs?prompt={prompt}&webhook_url={url}");
        let (status, job) = served.post(&path).unwrap();
        assert_eq!(status, 202, "{job}");
        job["job_id"].as_str().unwrap().to_owned()
    };
    let first = submit("first");
    assert_eq!(receiver.told().id(), format!("msg_{first}"));
    gate.arrived(1);
    disk.fill(&served);
    fail(&served);
    gate.open();
    disk.free(&served);
    await_ready(&served);
    let second = submit("second");
    assert_eq!(receiver.told().id(), format!("msg_{second}"));
    for id in [first, second] {
        let delivered = (0..TRIES_MAX).find_map(|_| {
            let (_, status) = served.get(&format!("/jobs/{id}/webhook")).unwrap();
            (status["state"] == "delivered").then_some(status)
        });
        assert_eq!(delivered.unwrap()["attempts"], 1);
    }
    assert!(!receiver.told_more());
    assert_eq!(served.terminate(), Some(0));
    assert_sound(&disk.store());
}

/// Submits until the disk is so full that the service says it is not ready.
pub(crate) fn fail(served: &Served) -> Vec<String> {
    let mut acknowledged = Vec::new();
    // As soon as a write succeeds again the service is ready, and a small one may fit into what the
    // database has free inside of its file. So it is filled until that is used up too.
    loop {
        let (ids, refusal) = submit_until_refused(served);
        assert_eq!(refusal["code"], "storage_failed", "{refusal}");
        acknowledged.extend(ids);
        let (status, ready) = served.get("/readyz").unwrap();
        if status == 503 {
            assert_eq!(ready["code"], "storage_failed");
            return acknowledged;
        }
    }
}

#[test]
fn below_the_floor_running_jobs_end_and_new_ones_are_refused() {
    let disk = SmallDisk::new();
    if !disk.mounted {
        eprintln!("this may not mount; a floor that no disk keeps stands for an almost full one");
    }
    let floor = if disk.mounted { "12" } else { "1048576" };
    let settings = [("PRACTICE__LATENCY_MS", "300"), ("STORE__FREE_MIB_MIN", floor)];
    let mut served = Served::start(&disk.store(), &settings);
    let mut running = None;
    if disk.mounted {
        assert_eq!(served.get("/readyz").unwrap().0, 200);
        let (status, job) = served.post("/scrapers/practice/jobs?prompt=running").unwrap();
        assert_eq!(status, 202);
        running = job["job_id"].as_str().map(str::to_owned);
        std::fs::write(disk.filler(), vec![7; (DISK_MIB - 8) << 20]).unwrap();
    }
    let refusals = [
        served.post("/scrapers/practice/jobs?prompt=new"),
        served.get("/scrapers/practice?prompt=new"),
    ];
    for refused in refusals {
        let (status, refused) = refused.unwrap();
        assert_eq!((status, refused["code"].as_str()), (503, Some("storage_full")), "{refused}");
    }
    assert_eq!(served.get("/readyz").unwrap().1["code"], "storage_full");
    if let Some(id) = running {
        let (_, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
        assert_eq!(job["status"], "done", "{job}");
        disk.free(&served);
        assert_eq!(served.get("/readyz").unwrap().0, 200);
        assert_eq!(served.post("/scrapers/practice/jobs?prompt=new").unwrap().0, 202);
    }
    assert_eq!(served.terminate(), Some(0));
    assert_sound(&disk.store());
}

#[test]
fn a_read_only_disk_is_refused_with_its_path() {
    let disk = SmallDisk::new();
    assert_eq!(Served::start(&disk.store(), &[]).terminate(), Some(0));
    disk.read_only();
    refused_with_its_path(&disk.store(), "store.path");
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() {
    for content in [b"not a database".repeat(1_000), Vec::new(), vec![0; 1 << 20]] {
        let (_directory, store) = store_directory();
        std::fs::create_dir(&store).unwrap();
        let file = store.join("answerd.redb");
        std::fs::write(&file, &content).unwrap();
        for command in [&["serve"][..], &["db", "check"], &["db", "export"], &["db", "compact"]] {
            let refused = answerd(command, &store);
            // The check's report is its result.
            let told = [text_of(&refused.stdout), text_of(&refused.stderr)].concat();
            assert_eq!(refused.status.code(), Some(1), "{command:?}: {told}");
            assert!(told.contains(file.to_str().unwrap()), "{command:?}: {told}");
            assert!(told.contains("damaged"), "{command:?}: {told}");
        }
        assert!(std::fs::read(&file).unwrap() == content, "{} bytes", content.len());
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_path() {
    let (_directory, store) = store_directory();
    // A folder has no bytes to read, for root either.
    std::fs::create_dir_all(store.join("answerd.redb")).unwrap();
    refused_with_its_path(&store, "store.path");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (_directory, store) = store_directory();
    assert_eq!(Served::start(&store, &[]).terminate(), Some(0));
    let file = store.join("answerd.redb");
    let database = redb::Database::open(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let newer = 99_u32.to_be_bytes();
    transaction.open_table(meta).unwrap().insert("format", newer.as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for command in [&["serve"][..], &["db", "check"], &["db", "export"], &["db", "compact"]] {
        let refused = answerd(command, &store);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {told}");
        assert!(told.contains("99") && told.contains("another version"), "{command:?}: {told}");
    }
    let database = redb::Database::open(&file).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let format = transaction.open_table(meta).unwrap().get("format").unwrap();
    assert_eq!(format.unwrap().value(), newer);
}

fn refused_with_its_path(store: &Path, setting: &str) {
    for command in [&["serve"][..], &["db", "check"], &["db", "export"]] {
        let refused = answerd(command, store);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {told}");
        assert!(told.contains(store.to_str().unwrap()), "{command:?}: {told}");
        assert!(told.contains(setting), "{command:?}: {told}");
    }
}

#[test]
fn a_store_that_is_damaged_under_the_service_ends_it() {
    let (_directory, store) = store_directory();
    let mut served = Served::start(&store, &[("STORE__FREE_MIB_MIN", "0")]);
    let bytes = std::fs::metadata(store.join("answerd.redb")).unwrap().len();
    limit_files(&served, &bytes.to_string());
    let (_, refusal) = submit_until_refused(&served);
    assert_eq!(refusal["code"], "storage_failed", "{refusal}");
    ruin(&store);
    assert_eq!(served.wait(), Some(1));
    let checked = answerd(&["db", "check"], &store);
    assert_eq!(checked.status.code(), Some(1));
}

/// One bit of a stored answer flips while the service is stopped.
#[test]
fn db_check_and_export_name_what_a_flipped_bit_has_damaged() {
    let (_directory, store) = store_directory();
    let mut served = Served::start(&store, &[("PRACTICE__LATENCY_MS", "1")]);
    let (status, job) = served.post("/scrapers/practice/jobs?prompt=flipped").unwrap();
    assert_eq!(status, 202, "{job}");
    let id = job["job_id"].as_str().unwrap().to_owned();
    assert_eq!(served.get(&format!("/jobs/{id}?wait=60")).unwrap().1["status"], "done");
    assert_eq!(served.terminate(), Some(0));

    let file = store.join("answerd.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    let text = format!("\"job_id\":\"{id}\"").into_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - text.len()).filter(|at| bytes[*at..].starts_with(&text)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + 2] ^= 1;
    }
    std::fs::write(&file, &bytes).unwrap();

    let checked = answerd(&["db", "check"], &store);
    let (found, aside) = (text_of(&checked.stdout), text_of(&checked.stderr));
    assert_eq!(checked.status.code(), Some(1), "{found}{aside}");
    assert!(found.contains("result row 1 is not a result"), "{found}{aside}");
    assert!(!aside.contains("panicked") && !aside.contains("backtrace"), "{aside}");

    let exported = answerd(&["db", "export"], &store);
    let (lines, aside) = (text_of(&exported.stdout), text_of(&exported.stderr));
    assert_eq!(exported.status.code(), Some(1), "{aside}");
    let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!((&line["job_id"], &line["prompt"]), (&id.into(), &"flipped".into()));
    assert!(aside.contains("not read: the result of job "), "{aside}");
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ruin(store: &Path) {
    let file = store.join("answerd.redb");
    let bytes = std::fs::metadata(&file).unwrap().len() as usize;
    let mut file = std::fs::File::options().write(true).open(file).unwrap();
    file.write_all(&vec![7; bytes]).unwrap();
}
