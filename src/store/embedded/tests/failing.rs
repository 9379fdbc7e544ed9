//! A storage that fails as it is told, and what the store does then and afterwards.

use std::io;
use std::sync::atomic::AtomicBool;

use redb::{Database, StorageBackend};

use super::crash::disk::Disk;
use super::storage::Storage;
use super::*;
use crate::job::{Failure, Reason, TransitionError};
use crate::store::embedded::Embedded;
use crate::store::facade::Backend;

/// What the storage refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Every write, for want of space.
    Writes,
    /// Every write, because the file system has become read-only.
    ReadOnly,
    /// Every read.
    Reads,
    /// To say that it has synced what it has, once that has a new header: with it a commit stands.
    Confirms,
}

/// The storage; its clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    disk: Disk,
    fault: Arc<Mutex<Fault>>,
    free_bytes: Arc<AtomicU64>,
    /// The database's header was written and not synced yet.
    header_waits: Arc<AtomicBool>,
}

impl Faulty {
    pub(crate) fn new() -> Faulty {
        Faulty {
            disk: Disk::default(),
            fault: Arc::new(Mutex::new(Fault::Nothing)),
            free_bytes: Arc::new(AtomicU64::new(u64::MAX)),
            header_waits: Arc::default(),
        }
    }

    pub(crate) fn refuse(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Puts what is no database in the place of what is there.
    pub(crate) fn ruin(&self) {
        self.disk.replace(vec![7; 1 << 20]);
    }

    fn check(&self, fault: Fault, kind: io::ErrorKind) -> io::Result<()> {
        if *self.fault.lock().unwrap() == fault { Err(kind.into()) } else { Ok(()) }
    }

    fn check_write(&self) -> io::Result<()> {
        self.check(Fault::Writes, io::ErrorKind::StorageFull)?;
        self.check(Fault::ReadOnly, io::ErrorKind::ReadOnlyFilesystem)
    }

    pub(crate) fn open(&self, options: &OpenOptions) -> Store {
        Store::keeping(Backend::Embedded(
            Embedded::open_on(Box::new(self.clone()), options).unwrap(),
        ))
    }

    fn store(&self, options: &OpenOptions) -> Fixture {
        Fixture { directory: tempfile::tempdir().unwrap(), store: self.open(options) }
    }

    fn fixture(&self) -> Fixture {
        self.store(&options(Path::new("")))
    }

    /// What a process that is killed now leaves behind.
    pub(crate) fn after_kill(&self) -> Faulty {
        Faulty { disk: Disk::new(self.disk.image()), ..Faulty::new() }
    }

    /// What the check finds once the store is closed.
    fn problems(&self, fixture: Fixture) -> Vec<String> {
        fixture.store.close();
        self.check_closed()
    }

    /// What the check finds where the store has been closed.
    pub(crate) fn check_closed(&self) -> Vec<String> {
        let database = Storage::open(self, 1 << 20, false).unwrap();
        let mut report = CheckReport::default();
        report.check_database(database);
        report.problems
    }
}

impl Storage for Faulty {
    fn open(&self, cache_bytes: usize, make: bool) -> Result<Database, StoreError> {
        if make {
            // Made on the sound disk, where it is not there; opened through the faults then.
            drop(self.disk.open(cache_bytes, make)?);
        }
        Ok(database::create(|| Ok(self.clone()), cache_bytes)?)
    }

    fn writable(&self) -> Result<(), StoreError> {
        let read_only = self.check(Fault::ReadOnly, io::ErrorKind::ReadOnlyFilesystem);
        read_only.map_err(|error| storage::directory_error(Path::new("disk"), error))
    }

    fn reader(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        Storage::bytes(&self.disk)
    }

    fn free_bytes(&self) -> Option<u64> {
        Some(self.free_bytes.load(Ordering::Relaxed))
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.check(Fault::Reads, io::ErrorKind::Other)?;
        self.disk.read(at, out)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.check_write()?;
        self.disk.set_len(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check_write()?;
        self.disk.sync_data()?;
        if self.header_waits.swap(false, Ordering::Relaxed) {
            self.check(Fault::Confirms, io::ErrorKind::Other)?;
        }
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_write()?;
        self.header_waits.fetch_or(at == 0, Ordering::Relaxed);
        self.disk.write(at, bytes)
    }
}

/// Counts what it is told.
#[derive(Default)]
struct Told(AtomicUsize);

impl Listener for Told {
    fn committed(&self, _: &[Effect]) {}

    fn failed(&self, _: &StoreError) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn reads_go_on_while_the_file_system_is_read_only() {
    let storage = Faulty::new();
    let fixture = storage.fixture();
    let done = fixture.done("done", None);
    let queued = fixture.submit(fixture.new_job("queued"));
    let image = storage.disk.image();
    let read = |row: Row| {
        let store = &fixture.store;
        store
            .read_row(row, START_MS, |job, result| (job.clone(), result.map(<[u8]>::to_vec)))
            .wait()
    };
    let sound = (read(done.row).unwrap(), read(queued.row).unwrap());
    let state = fixture.state();

    storage.refuse(Fault::ReadOnly);
    assert!(fixture.store.submit(fixture.new_job("refused"), None, NO_LIMITS).wait().is_err());
    for _ in 0..3 {
        assert!(fixture.store.recover(0).is_err());
        assert!(fixture.store.submit(fixture.new_job("refused"), None, NO_LIMITS).wait().is_err());
        assert_eq!((read(done.row).unwrap(), read(queued.row).unwrap()), sound);
        assert_eq!(fixture.state(), state);
    }
    assert!(storage.disk.image() == image, "something was written");

    storage.refuse(Fault::Nothing);
    fixture.store.recover(0).unwrap();
    assert_eq!(fixture.state(), state);
    fixture.apply(queued.row, 10, Event::Start);
    assert_eq!(storage.problems(fixture), Vec::<String>::new());
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room_and_loses_nothing() {
    let storage = Faulty::new();
    let fixture = storage.fixture();
    let told = Arc::new(Told::default());
    fixture.store.listen(told.clone());
    let queued = fixture.submit(fixture.new_job("queued"));
    let done = fixture.done("done", Some(7));
    let (batch, _) = flips::submit_batch(&fixture);
    let webhook_url = Some("https://a.example/hook".to_owned());
    let told_of = fixture.submit(Job { webhook_url, ..fixture.new_job("told of") }).row;
    let failure = Failure::new(Reason::Canceled, "no");
    fixture.apply(told_of, 10, Event::Stop { failure });
    let delivery = fixture.store.delivery(told_of).wait().unwrap();
    assert!(delivery.is_some());
    let (state, bytes) = (fixture.state(), fixture.bytes());

    storage.refuse(Fault::Writes);
    for _ in 0..3 {
        let refused = fixture.store.submit(fixture.new_job("refused"), None, NO_LIMITS).wait();
        assert!(refused.is_err_and(|error| error.stops_writes() && !error.is_damage()));
    }
    assert_eq!(told.0.load(Ordering::Relaxed), 1);
    for _ in 0..3 {
        assert!(fixture.store.recover(0).is_err());
        assert!(fixture.store.failure().is_some_and(|error| error.stops_writes()));
    }
    assert!(fixture.store.submit(fixture.new_job("refused"), None, NO_LIMITS).wait().is_err());

    storage.refuse(Fault::Nothing);
    fixture.store.recover(0).unwrap();
    assert!(fixture.store.failure().is_none());
    assert_eq!(fixture.state(), state);
    assert_eq!(fixture.bytes(), bytes);
    assert_eq!(fixture.store.batch(batch.key.id, START_MS).wait().unwrap(), Some(batch));
    assert_eq!(fixture.store.delivery(told_of).wait().unwrap(), delivery);
    assert_eq!(fixture.store.unfinished(0), 2);
    let cached = fixture.store.cached(7, 0, START_MS + 1).wait().unwrap().unwrap();
    assert_eq!((cached.stored_ms, &cached.json[..]), (START_MS + 1, &br#"{"text":"42"}"#[..]));
    let later = fixture.submit(fixture.new_job("later"));
    assert!(later.row > done.row && done.row > queued.row);
    fixture.apply(queued.row, 10, Event::Start);

    // And once more: whoever listens hears of each failure.
    storage.refuse(Fault::Writes);
    assert!(fixture.store.sweep(START_MS + RETENTION_MS, START_MS).is_err());
    assert_eq!(told.0.load(Ordering::Relaxed), 2);
    storage.refuse(Fault::Nothing);
    fixture.store.recover(0).unwrap();
    assert_eq!(storage.problems(fixture), Vec::<String>::new());
}

#[test]
fn a_commit_that_stands_and_was_reported_as_failed_is_counted_once() {
    let storage = Faulty::new();
    let fixture = storage.fixture();
    let running = fixture.submit(fixture.new_job("running")).row;
    fixture.apply(running, 10, Event::Start);
    storage.refuse(Fault::Confirms);
    let result = || Some(NewResult { json: b"{}".to_vec(), cache_hash: Some(7) });
    let succeed = |_: &Job| Event::Succeed { lease: 1, present: None };
    let told = fixture.store.transition(running, START_MS + 20, succeed, result());
    assert!(told.is_err_and(|error| error.stops_writes()));
    storage.refuse(Fault::Nothing);
    fixture.store.recover(0).unwrap();

    // Whether it stands is the disk's business; that it is there once is the store's.
    let state =
        |row| fixture.store.read_row(row, START_MS, |job, _| job.state.clone()).wait().unwrap();
    let stood = state(running) == Some(State::Done);
    assert_eq!(fixture.store.unfinished(0), usize::from(!stood));
    let again = fixture.store.transition(running, START_MS + 30, succeed, result()).unwrap();
    match again {
        Ok(job) => assert_eq!((job.state, stood), (State::Done, false)),
        Err(refused) => {
            assert_eq!((refused, stood), (TransitionError::Finished, true));
        }
    }
    assert_eq!((state(running), fixture.store.unfinished(0)), (Some(State::Done), 0));
    assert!(fixture.store.cached(7, 0, START_MS + 30).wait().unwrap().is_some());
    assert_eq!(storage.problems(fixture), Vec::<String>::new());
}

#[test]
fn a_disk_that_cannot_be_read_is_noticed_by_readers() {
    let storage = Faulty::new();
    let small = OpenOptions { cache_bytes: 0, ..options(Path::new("")) };
    let fixture = storage.store(&small);
    let row = fixture.submit(fixture.new_job("x")).row;
    storage.refuse(Fault::Reads);
    let read = || fixture.store.read_row(row, START_MS, |job, _| job.row).wait();
    assert!(read().is_err_and(|error| error.stops_writes()));
    assert!(fixture.store.failure().is_some());
    assert!(fixture.store.recover(0).is_err());
    assert!(read().is_err_and(|error| error.stops_writes()), "a reason, and not that it is closed");
    storage.refuse(Fault::Nothing);
    fixture.store.recover(0).unwrap();
    assert_eq!(read().unwrap(), Some(row));
    assert_eq!(storage.problems(fixture), Vec::<String>::new());
}

#[test]
fn damage_and_another_store_are_told_from_a_failure_that_passes() {
    for image in [vec![7; 1 << 20], other_store()] {
        let storage = Faulty::new();
        let fixture = storage.fixture();
        storage.refuse(Fault::Writes);
        assert!(fixture.store.submit(fixture.new_job("x"), None, NO_LIMITS).wait().is_err());
        storage.refuse(Fault::Nothing);
        storage.disk.replace(image);
        assert!(fixture.store.recover(0).is_err_and(|error| error.is_damage()));
        assert!(fixture.store.failure().is_some_and(|error| error.is_damage()));
        assert!(fixture.store.submit(fixture.new_job("x"), None, NO_LIMITS).wait().is_err());
        fixture.store.close();
    }
}

/// What a disk holds on which another store was made.
fn other_store() -> Vec<u8> {
    let storage = Faulty::new();
    storage.fixture().store.close();
    storage.disk.image()
}

#[test]
fn a_floor_of_free_space_is_kept() {
    let storage = Faulty::new();
    let floor = OpenOptions { free_mib_min: 100, ..options(Path::new("")) };
    let fixture = storage.store(&floor);
    for (free_mib, enough) in [(100, true), (99, false), (0, false), (5_000, true)] {
        storage.free_bytes.store(free_mib << 20, Ordering::Relaxed);
        let room = fixture.store.room();
        assert_eq!(room.is_ok(), enough, "{free_mib}: {room:?}");
    }
    storage.free_bytes.store(3 << 20, Ordering::Relaxed);
    let sentence = fixture.store.room().unwrap_err().to_string();
    assert!(sentence.contains("only 3 MiB") && sentence.contains("free_mib_min"), "{sentence}");
    fixture.store.close();
}

#[test]
fn the_floor_is_looked_at_once_for_each_transaction() {
    let storage = Faulty::new();
    let floor = OpenOptions { free_mib_min: 100, ..options(Path::new("")) };
    let fixture = storage.store(&floor);
    fixture.store.room_for_write().unwrap();
    storage.free_bytes.store(0, Ordering::Relaxed);
    fixture.store.room_for_write().unwrap();
    fixture.submit(fixture.new_job("into the next transaction"));
    for _ in 0..2 {
        let room = fixture.store.room_for_write();
        assert!(matches!(room, Err(StoreError::SpaceLow { free_mib: 0, .. })), "{room:?}");
    }
    storage.free_bytes.store(u64::MAX, Ordering::Relaxed);
    fixture.store.room_for_write().unwrap();
    fixture.store.close();
}
