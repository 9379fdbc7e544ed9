//! Who may back the store up, and how many at once.

use super::*;

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
