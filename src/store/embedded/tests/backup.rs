//! A backup is one state of the store, whole or not there, and can be put back.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

/// The bytes of a backup of the store as it is.
fn stream(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    BackupStream::from(store.backup().unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn write(bytes: &[u8], path: &Path) -> Result<BackupReport, BackupError> {
    write_backup(bytes, path, |_, _| {})
}

fn files(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_the_state_at_its_beginning_whatever_is_written_meanwhile() {
    let fixture = Fixture::new();
    for n in 0..120 {
        fixture.done(&format!("{n} {}", "long ".repeat(700)), Some(n));
    }
    let waiting = fixture.submit(fixture.new_job("waiting"));
    let (state, bytes) = (fixture.state(), fixture.bytes());
    let mut source = BackupStream::from(fixture.store.backup().unwrap());
    let mut sent = vec![0; 100];
    source.read_exact(&mut sent).unwrap();
    // What is changed, added and removed after the beginning is not in it.
    fixture.apply(waiting.row, 5, Event::Start);
    fixture.done("later", None);
    assert!(fixture.store.sweep(START_MS + RETENTION_MS + 1, START_MS).unwrap().rows > 0);
    source.read_to_end(&mut sent).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.redb");
    let mut shown = Vec::new();
    let report = write_backup(&sent[..], &path, |rows, total| shown.push((rows, total))).unwrap();
    assert_eq!(report.jobs, 121);
    assert_eq!(shown.last(), Some(&(report.rows, report.rows)));
    assert_eq!(files(directory.path()), ["a.redb"]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = directory.path().join("data");
    let put_back = restore(&path, &restored, false, |_, _| {}).unwrap();
    assert_eq!((put_back.jobs, put_back.unfinished, put_back.replaced), (121, 1, false));
    let store = Store::open(&options(&restored)).unwrap();
    let fixture = Fixture { directory, store };
    assert_eq!((fixture.state(), fixture.bytes()), (state, bytes));
    // Ids are those of the store that was copied, and no row is given again.
    let id = fixture.store.id_of(&waiting);
    assert_eq!(
        fixture.store.read_job(id, START_MS, |job, _| job.row).wait().unwrap(),
        Some(waiting.row)
    );
    assert!(fixture.store.new_identity("team-a").wait().unwrap().row > waiting.row);
    fixture.store.close();
}

#[test]
fn a_backup_that_breaks_off_leaves_no_file() {
    let fixture = Fixture::new();
    fixture.done("done", Some(7));
    let whole = stream(&fixture.store);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.redb");
    for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let broken = write(&whole[..length], &path).unwrap_err();
        assert!(matches!(broken, BackupError::Broken(_)), "{length}: {broken}");
        assert!(files(directory.path()).is_empty(), "{length}");
    }
    // What a kill has left is no hindrance, and is never taken for a backup.
    std::fs::write(directory.path().join("a.redb.part"), &whole[..whole.len() / 2]).unwrap();
    write(&whole, &path).unwrap();
    assert_eq!(files(directory.path()), ["a.redb"]);
    let kept = std::fs::read(&path).unwrap();
    assert!(matches!(write(&whole, &path), Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read(&path).unwrap(), kept);
}

/// More than the blocks between two marks.
const JOBS: u64 = 70;

/// A store whose backup has more blocks than lie between two marks, and the blocks.
fn many_blocks() -> (Fixture, Vec<Vec<u8>>) {
    let fixture = Fixture::new();
    for n in 0..JOBS {
        let job = fixture.submit(fixture.new_job("long"));
        fixture.apply(job.row, 0, Event::Start);
        // A row that is a block of its own.
        let json = format!(r#"{{"text":"{n} {}"}}"#, "long ".repeat(60_000)).into_bytes();
        let result = NewResult { json, cache_hash: None };
        let succeed = Event::Succeed { lease: 1, present: None };
        fixture.apply_with(job.row, 1, succeed, Some(result));
    }
    let mut source = fixture.store.backup().unwrap();
    let blocks = std::iter::from_fn(|| source.next_block().unwrap()).collect();
    (fixture, blocks)
}

#[test]
fn a_source_goes_back_to_any_block_that_it_has_read() {
    let (fixture, blocks) = many_blocks();
    let mut source = fixture.store.backup().unwrap();
    assert!(!source.go_to(0).unwrap(), "nothing was read");
    for _ in 0..JOBS {
        source.next_block().unwrap();
    }
    assert!(!source.go_to(blocks.len() as u64 + 1).unwrap());
    assert!(!source.go_to(u64::MAX).unwrap());
    // What is written meanwhile is not in it.
    fixture.done("later", None);
    for first in [69, 0, 1, 63, 64, 65] {
        assert!(source.go_to(first as u64).unwrap(), "{first}");
        for block in &blocks[first..] {
            assert!(source.next_block().unwrap().as_ref() == Some(block), "{first}");
        }
        assert_eq!(source.next_block().unwrap(), None);
    }
}

#[test]
fn a_backup_goes_on_where_it_broke_off_and_is_the_same() {
    let (fixture, blocks) = many_blocks();
    let whole = blocks.concat();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.redb");
    let id = Uuid::from_u128(7);
    let mut backup = PartialBackup::open(&path).unwrap();
    assert_eq!(backup.resume_point(), None);
    backup.begin(Some(id)).unwrap();
    // The connection breaks in the middle of a block again and again; then the reader is killed.
    let (mut point, mut at) = (0, 0);
    for (n, bytes) in [30, 100, 500_000, 3_000_000, 9_000_000].into_iter().enumerate() {
        let broken = backup.copy(&mut &whole[at..bytes], |_, _| {}).unwrap_err();
        assert!(matches!(broken, BackupError::Broken(_)), "{broken}");
        let come = blocks.iter().scan(0, |sum, block| {
            *sum += block.len();
            Some(*sum)
        });
        let come: Vec<usize> = come.take_while(|end| *end <= bytes).collect();
        at = come.last().copied().unwrap();
        point = come.len() as u64;
        let expected = (point > 1).then_some(ResumePoint { backup: id, block: point });
        assert_eq!(backup.resume_point(), expected, "{n}");
        let in_use = PartialBackup::open(&path).err().unwrap();
        assert!(matches!(in_use, BackupError::InUse(_)), "{in_use}");
        // It opens again, as after a kill.
        backup.leave();
        backup = PartialBackup::open(&path).unwrap();
        assert_eq!(backup.resume_point(), expected, "{n}");
        if expected.is_none() {
            backup.begin(Some(id)).unwrap();
            at = 0;
        }
    }
    let restored = directory.path().join("data");
    let part = directory.path().join("a.redb.part");
    let refused = restore(&part, &restored, false, |_, _| {});
    assert!(refused.unwrap_err().to_string().contains("goes on with it"));
    let mut source = fixture.store.backup().unwrap();
    while source.next_block().unwrap().is_some() {}
    assert!(source.go_to(point).unwrap());
    backup.copy(&mut BackupStream::from(source), |_, _| {}).unwrap();
    // Not even a kill before the check costs another copy.
    backup.leave();
    let backup = PartialBackup::open(&path).unwrap();
    assert!(backup.is_whole());
    assert_eq!(backup.finish().unwrap().jobs, JOBS);
    assert_eq!(files(directory.path()), ["a.redb", "data"]);
    restore(&path, &restored, false, |_, _| {}).unwrap();
    let mut copied = Vec::new();
    Store::backup_of_stopped(&restored).unwrap().read_to_end(&mut copied).unwrap();
    assert!(copied == whole, "{} bytes for {}", copied.len(), whole.len());
}

#[test]
fn a_copy_that_is_not_sound_is_not_kept() {
    let fixture = Fixture::new();
    fixture.done("done", Some(7));
    let mut source = fixture.store.backup().unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = source.next_block().unwrap() {
        blocks.push(block);
    }
    // A row of an index less, and an end that agrees with it.
    blocks.retain(|block| !block[1..].starts_with(b"expiry"));
    let rows = u64::from_be_bytes(blocks.last().unwrap()[1..9].try_into().unwrap()) - 1;
    let end = blocks.last_mut().unwrap();
    end[1..9].copy_from_slice(&rows.to_be_bytes());
    end[9..13].copy_from_slice(&crc32fast::hash(&rows.to_be_bytes()).to_be_bytes());
    let directory = tempfile::tempdir().unwrap();
    let unsound = write(&blocks.concat(), &directory.path().join("a.redb")).unwrap_err();
    assert!(matches!(unsound, BackupError::Unsound(_)), "{unsound}");
    assert!(files(directory.path()).is_empty());
}

#[test]
fn a_store_that_is_closed_ends_its_backup() {
    let fixture = Fixture::new();
    for n in 0..120 {
        fixture.done(&format!("{n} {}", "long ".repeat(700)), None);
    }
    let mut source = fixture.store.backup().unwrap();
    assert!(source.next_block().unwrap().is_some());
    fixture.store.close();
    let ended = std::iter::from_fn(|| source.next_block().transpose()).find_map(Result::err);
    assert!(ended.is_some());
    // It holds no lock, and the store opens again while it is there.
    Store::open(&options(fixture.directory.path())).unwrap().close();
    assert_eq!(Store::check(fixture.directory.path()).unwrap().problems_total, 0);
}

#[test]
fn a_restore_keeps_the_store_that_is_there_unless_it_is_to_be_replaced() {
    let fixture = Fixture::new();
    let job = fixture.done("kept", None);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.redb");
    write(&stream(&fixture.store), &path).unwrap();
    fixture.done("later", None);
    let store = fixture.directory.path().to_owned();
    let refused = |replace| restore(&path, &store, replace, |_, _| {}).unwrap_err();
    assert!(matches!(refused(false), BackupError::StoreExists(_)));
    let in_use = refused(true);
    assert!(matches!(in_use, BackupError::Store(StoreError::InUse(_))), "{in_use}");
    fixture.store.close();
    // What is no backup does not replace anything.
    for content in [&b""[..], b"no database", &std::fs::read(&path).unwrap()[..5_000]] {
        let wrong = directory.path().join("wrong.redb");
        std::fs::write(&wrong, content).unwrap();
        let refused = restore(&wrong, &store, true, |_, _| {}).unwrap_err();
        assert!(matches!(refused, BackupError::Unsound(_)), "{refused}");
        assert_eq!(Store::check(&store).unwrap().jobs, 2);
    }
    let put_back = restore(&path, &store, true, |_, _| {}).unwrap();
    assert_eq!((put_back.jobs, put_back.replaced), (1, true));
    assert_eq!(files(&store), ["answerd.redb"]);
    let opened = Store::open(&options(&store)).unwrap();
    let id = opened.id_of(&job);
    assert_eq!(opened.read_job(id, START_MS, |job, _| job.row).wait().unwrap(), Some(job.row));
    opened.close();
    // Root puts it back for the user of the service.
    if rustix::process::geteuid().is_root() {
        let file = store.join("answerd.redb");
        std::os::unix::fs::chown(&file, Some(4_321), None).unwrap();
        restore(&path, &store, true, |_, _| {}).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().uid(), 4_321);
    }
    // The copied directory of a stopped service is a backup too, and so is a stopped store.
    let copied = directory.path().join("copied");
    restore(&store, &copied, false, |_, _| {}).unwrap();
    let again = directory.path().join("b.redb");
    write_backup(Store::backup_of_stopped(&copied).unwrap(), &again, |_, _| {}).unwrap();
    assert_eq!(restore(&again, &copied, true, |_, _| {}).unwrap().jobs, 1);
}
