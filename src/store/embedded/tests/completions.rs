//! The order of completion: which jobs stand there, and that reading on finds each once.

use super::*;

fn filter() -> ResultFilter {
    let job = ListFilter { account: "team-a".to_owned(), ..ListFilter::default() };
    ResultFilter { job, ..ResultFilter::default() }
}

fn all(fixture: &Fixture, now_ms: UnixMs) -> Vec<(u64, Row)> {
    let Some(until) = fixture.store.last_completion().wait().unwrap() else { return Vec::new() };
    let (mut found, mut from) = (Vec::new(), Some(0));
    while let Some(number) = from {
        let page = fixture.store.completed(&filter(), number, until, now_ms).unwrap();
        found.extend(page.jobs.iter().map(|done| (done.number, done.job.row)));
        from = page.next;
    }
    found
}

#[test]
fn jobs_stand_in_the_order_of_their_commits() {
    let fixture = Fixture::new();
    let rows: Vec<Row> =
        (0..40).map(|number| fixture.submit(fixture.new_job(&format!("{number}"))).row).collect();
    // Backward, and by a clock that goes backward too.
    for (number, row) in (0..).zip(rows.iter().rev()) {
        fixture.apply(*row, 0, Event::Start);
        let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
        fixture.apply_with(
            *row,
            1_000 - number,
            Event::Succeed { lease: 1, present: None },
            Some(result),
        );
    }
    let expected: Vec<(u64, Row)> = (0..).zip(rows.into_iter().rev()).collect();
    assert_eq!(all(&fixture, START_MS), expected);
    let page = fixture.store.completed(&filter(), 38, 100, START_MS).unwrap();
    assert_eq!(page.jobs.len(), 2);
    let fixture = fixture.reopen();
    assert_eq!(all(&fixture, START_MS), expected);
    assert!(fixture.check().problems.is_empty());
}

#[test]
fn numbers_of_jobs_that_are_gone_are_removed_but_for_the_last() {
    let fixture = Fixture::new();
    for prompt in ["a", "b", "c"] {
        fixture.done(prompt, None);
    }
    let later_ms = START_MS + 2 * RETENTION_MS;
    assert!(all(&fixture, later_ms).is_empty());
    for _ in 0..3 {
        fixture.store.sweep(later_ms, 0).unwrap();
    }
    assert_eq!(fixture.store.last_completion().wait().unwrap(), Some(2));
    let job = fixture.done("d", None);
    assert_eq!(all(&fixture, START_MS), [(3, job.row)]);
    assert!(fixture.check().problems.is_empty());
}

#[test]
fn store_of_before_there_were_numbers_gets_them() {
    let fixture = Fixture::new();
    let rows: Vec<Row> = ["a", "b"].map(|prompt| fixture.done(prompt, None).row).to_vec();
    let long = fixture.done(&"long ".repeat(200), None).row;
    fixture.submit(fixture.new_job("waits"));
    fixture.store.close();
    let database = redb::Database::open(fixture.directory.path().join("answerd.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(tables::COMPLETIONS).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let store = Store::open(&options(fixture.directory.path())).unwrap();
    let fixture = Fixture { store, ..fixture };
    assert_eq!(all(&fixture, START_MS), [(0, rows[0]), (1, rows[1]), (2, long)]);
    let next = fixture.done("c", None);
    assert_eq!(all(&fixture, START_MS).last(), Some(&(3, next.row)));
    assert!(fixture.check().problems.is_empty());
}
