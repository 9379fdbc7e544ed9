//! Who may back the store up, and how many at once.

use super::*;

fn caller(operator: bool) -> Caller {
    Caller { account: "team-a".to_owned(), monthly_credits: None, operator, reads_all_jobs: false }
}

#[test]
fn a_backup_is_an_operators_where_there_are_keys_and_one_at_a_time() {
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
