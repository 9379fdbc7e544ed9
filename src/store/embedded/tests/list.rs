//! The list of jobs: bounded pages, and cursors that are nobody's to make.

use super::*;

#[test]
fn a_page_looks_at_a_bounded_number_of_rows_and_goes_on_behind_them() {
    let fixture = Fixture::new();
    let wanted = fixture.submit(Job { account: "rare".to_owned(), ..fixture.new_job("old") }).row;
    for _ in 0..LIST_ROWS_MAX + 3 {
        fixture.submit(fixture.new_job("other"));
    }
    let filter = ListFilter { account: "rare".to_owned(), ..ListFilter::default() };
    let list = |after, now_ms| fixture.store.list(&filter, after, 5, now_ms).unwrap();
    let first = list(None, START_MS);
    assert!(first.jobs.is_empty());
    let second = list(first.next, START_MS);
    assert_eq!(second.jobs.iter().map(|job| job.row).collect::<Vec<_>>(), [wanted]);
    assert_eq!(second.next, None);
    assert!(list(first.next, START_MS + RETENTION_MS).jobs.is_empty(), "expired, not yet swept");
}

#[test]
fn a_damaged_job_does_not_hide_the_others() {
    let fixture = Fixture::new();
    let rows: Vec<Row> = (0..3).map(|_| fixture.submit(fixture.new_job("x")).row).collect();
    let damaged = rows[1];
    let garble = fixture.write(move |tables| {
        tables.jobs.insert(damaged, [1, 255].as_slice())?;
        Ok(())
    });
    garble.wait().unwrap();
    let filter = ListFilter { account: "team-a".to_owned(), ..ListFilter::default() };
    let page = fixture.store.list(&filter, None, 5, START_MS).unwrap();
    assert_eq!(page.jobs.iter().map(|job| job.row).collect::<Vec<_>>(), [rows[2], rows[0]]);
}

#[test]
fn a_cursor_comes_back_and_a_jobs_id_is_none() {
    let fixture = Fixture::new();
    let job = fixture.submit(fixture.new_job("x"));
    fixture.submit(fixture.new_job("y"));
    let filter = ListFilter { account: "team-a".to_owned(), ..ListFilter::default() };
    let next = fixture.store.list(&filter, None, 1, START_MS).unwrap().next.unwrap();
    let id = fixture.store.cursor_id(next);
    assert_eq!(fixture.store.cursor(id), Some(next));
    assert_eq!(fixture.store.cursor(fixture.store.id_of(&job)), None);
    assert!(fixture.store.read_job(id, START_MS, |_, _| ()).wait().unwrap().is_none());
}
