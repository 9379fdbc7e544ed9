//! Who may back the store up, how many at once, and how long one is kept for its reader.

use super::backup_slot::PARKED_MS_MAX;
use super::*;
use uuid::Uuid;

use crate::store::ResumePoint;

fn caller(reads_all_jobs: bool) -> Caller {
    let account = "team-a".to_owned();
    Caller { account, monthly_credits: None, operator: true, reads_all_jobs }
}

#[test]
fn a_backup_is_for_who_reads_all_jobs_where_there_are_keys_and_one_at_a_time() {
    let world = World::new(
        "[[keys]]\nname = \"team-a\"\nhash = \"sha256:HEX\"\n"
            .replace("HEX", &"0".repeat(64))
            .as_str(),
    );
    let service = &world.life.as_ref().unwrap().service;
    assert!(matches!(service.back_up(&caller(false)), Err(ServiceError::OperatorNeeded)));
    let mut first = service.back_up(&caller(true)).unwrap();
    assert!(matches!(service.back_up(&caller(true)), Err(ServiceError::BackupRunning)));
    assert!(first.next_block().unwrap().is_some());
    drop(first);
    drop(service.back_up(&caller(true)).unwrap());

    let open = World::new("");
    let service = &open.life.as_ref().unwrap().service;
    service.back_up(&caller(false)).unwrap();
}

fn ended(outcome: Result<Backup, ServiceError>) -> bool {
    matches!(outcome, Err(ServiceError::BackupNotFound))
}

#[test]
fn a_backup_is_kept_for_a_while_for_a_reader_that_goes_on_with_it() {
    let world = World::new("");
    let (service, clock) = (world.service(), &world.clock.1);
    let anybody = caller(false);
    let mut first = service.back_up(&anybody).unwrap();
    let at = |block| ResumePoint { backup: first.id(), block };
    let (begin, second_block, other) =
        (at(0), at(1), ResumePoint { backup: Uuid::nil(), block: 1 });
    assert!(ended(service.resume_backup(&anybody, other)));
    let header = first.next_block().unwrap();
    let next = first.next_block().unwrap();

    // A reader whose connection is gone without its knowledge gives way.
    let mut second = service.resume_backup(&anybody, second_block).unwrap();
    assert!(matches!(first.next_block(), Err(ServiceError::BackupNotFound)));
    drop(first);
    assert_eq!(second.next_block().unwrap(), next);
    assert!(matches!(service.back_up(&anybody), Err(ServiceError::BackupRunning)));

    // It is kept for as long as it may be, and not after it has come to its end.
    drop(second);
    clock.advance_ms(PARKED_MS_MAX - 1);
    let mut third = service.resume_backup(&anybody, begin).unwrap();
    assert_eq!(third.next_block().unwrap(), header);
    drop(third);
    clock.advance_ms(PARKED_MS_MAX - 1);
    let mut third = service.resume_backup(&anybody, begin).unwrap();
    while third.next_block().unwrap().is_some() {}
    drop(third);
    assert!(ended(service.resume_backup(&anybody, begin)));
}

#[test]
fn a_backup_that_is_kept_is_dropped_when_its_time_is_over_another_begins_or_the_service_stops() {
    let world = World::new("");
    let (service, clock) = (world.service(), &world.clock.1);
    let anybody = caller(false);
    let left = || {
        let backup = service.back_up(&anybody).unwrap();
        ResumePoint { backup: backup.id(), block: 0 }
    };
    let first = left();
    let second = left();
    assert!(ended(service.resume_backup(&anybody, first)));
    // The block has not been read, and asking for it keeps the backup.
    assert!(ended(service.resume_backup(&anybody, second)));
    assert!(service.backups.is_kept());

    clock.advance_ms(PARKED_MS_MAX);
    while service.backups.is_kept() {
        std::thread::yield_now();
    }
    left();
    assert!(service.backups.is_kept());
    let running = service.back_up(&anybody).unwrap();
    service.begin_stop();
    assert!(service.backups.is_kept(), "it is read");
    drop(running);
    assert!(!service.backups.is_kept());
}
