//! What is kept of the tasks that vendors work on.

use super::*;
use crate::job::VendorTask;

fn task(id: &str) -> Option<VendorTask> {
    Some(VendorTask::new("vendor", id).unwrap())
}

#[test]
fn vendor_task_is_kept_over_a_restart_and_replaced_by_the_next() {
    let fixture = Fixture::new();
    let row = fixture.submit(fixture.new_job("x")).row;
    fixture.apply(row, 10, Event::Start);
    assert_eq!(fixture.store.vendor_task(row).unwrap(), None);
    assert!(fixture.store.set_vendor_task(row, 1, task("one")).unwrap());
    let fixture = fixture.reopen();
    assert_eq!(fixture.store.vendor_task(row).unwrap(), task("one"));
    assert!(fixture.store.set_vendor_task(row, 1, task("two")).unwrap());
    assert_eq!(fixture.store.vendor_task(row).unwrap(), task("two"));
    let counted = task("two").map(|task| VendorTask { is_counted: true, ..task });
    assert!(fixture.store.set_vendor_task(row, 1, counted.clone()).unwrap());
    let fixture = fixture.reopen();
    assert_eq!(fixture.store.vendor_task(row).unwrap(), counted);
    assert!(fixture.store.set_vendor_task(row, 1, None).unwrap());
    assert_eq!(fixture.store.vendor_task(row).unwrap(), None);
    assert!(fixture.store.set_vendor_task(row, 1, task("three")).unwrap());
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn late_attempt_keeps_no_vendor_task() {
    let fixture = Fixture::new();
    let row = fixture.submit(fixture.new_job("x")).row;
    fixture.apply(row, 10, Event::Start);
    assert!(fixture.store.set_vendor_task(row, 1, task("one")).unwrap());
    fixture.apply(row, 20, Event::Start); // after a crash
    assert!(!fixture.store.set_vendor_task(row, 1, task("late")).unwrap());
    assert!(!fixture.store.set_vendor_task(row, 1, None).unwrap());
    assert_eq!(fixture.store.vendor_task(row).unwrap(), task("one"));
    let failure = crate::job::Failure::new(crate::job::Reason::Canceled, "no");
    fixture.apply(row, 30, Event::Stop { failure });
    assert!(!fixture.store.set_vendor_task(row, 2, task("late")).unwrap());
    assert!(!fixture.store.set_vendor_task(row + 1, 1, task("none")).unwrap());
    assert_eq!(fixture.store.vendor_task(row + 1).unwrap(), None);
}

#[test]
fn vendor_task_goes_with_its_job() {
    let fixture = Fixture::new();
    let short = Job { expires_ms: START_MS + 100, ..fixture.new_job("x") };
    let row = fixture.submit(short).row;
    fixture.apply(row, 10, Event::Start);
    assert!(fixture.store.set_vendor_task(row, 1, task("one")).unwrap());
    assert_eq!(fixture.store.sweep(START_MS + 100, START_MS).unwrap().rows, 1);
    assert_eq!(fixture.store.vendor_task(row).unwrap(), None);
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}
