//! The tables of hours come and go.

use super::super::error::ErrorClass;
use super::super::hours::{self, HourTable, WRITE_EXPIRY};
use super::super::row_number::Hour;
use super::*;

async fn tables_of(session: &PgSession, hour: Hour) -> i64 {
    let query = format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE '%_{:06}'",
        hour.number()
    );
    number(session, &query).await
}

#[test]
fn hours_are_made_ahead_once() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let first = Hour::of_ms(START_MS);
        let made = hours::make_ahead(&session, START_MS).await.unwrap();
        assert_eq!(made, [first, first.plus(1), first.plus(2), first.plus(3)]);
        for hour in &made {
            assert_eq!(tables_of(&session, *hour).await, 6);
        }
        assert_eq!(hours::make_ahead(&session, START_MS).await.unwrap(), []);
        let later = hours::make_ahead(&session, START_MS + HOUR_MS).await.unwrap();
        assert_eq!(later, [first.plus(4)]);
    });
}

#[test]
fn hour_that_several_nodes_make_is_made_once_and_none_fails() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let hour = Hour::of_ms(START_MS);
        let sessions = futures_util::future::join_all((0..4).map(|_| place.connect())).await;
        let made = sessions.iter().map(|session| hours::make(session, hour));
        for made in futures_util::future::join_all(made).await {
            made.unwrap();
        }
        assert_eq!(tables_of(&session, hour).await, 6);
        let jobs = HourTable::Jobs.in_hour(hour);
        for session in &sessions {
            assert_eq!(number(session, &format!("SELECT count(*) FROM {jobs}")).await, 0);
        }
    });
}

#[test]
fn hour_is_dropped_after_its_last_job_and_not_before() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let hour = Hour::of_ms(START_MS);
        let expires_ms = START_MS + 24 * HOUR_MS;
        hours::make_ahead(&session, START_MS).await.unwrap();
        assert_eq!(
            session.execute(WRITE_EXPIRY, &[&hour.number(), &(expires_ms as i64)]).await.unwrap(),
            1
        );
        // The latest counts.
        assert_eq!(
            session.execute(WRITE_EXPIRY, &[&hour.number(), &(START_MS as i64)]).await.unwrap(),
            0
        );
        assert_eq!(hours::due(&session, START_MS + HOUR_MS + 299_999).await.unwrap(), []);
        // Those that had no job go before it, though not before they are over.
        let due = hours::due(&session, START_MS + 2 * HOUR_MS + 300_000).await.unwrap();
        assert_eq!(due, [hour.plus(1)]);
        let due = hours::due(&session, expires_ms + 299_999).await.unwrap();
        assert_eq!(due, [hour.plus(1), hour.plus(2), hour.plus(3)]);
        let due = hours::due(&session, expires_ms + 300_000).await.unwrap();
        assert_eq!(due[0], hour);
        hours::drop_tables(&session, hour).await.unwrap();
        assert_eq!(tables_of(&session, hour).await, 0);
        assert!(!hours::due(&session, expires_ms + 300_000).await.unwrap().contains(&hour));
        // That another leader has dropped it is no error.
        hours::drop_tables(&session, hour).await.unwrap();
        assert_eq!(tables_of(&session, hour.plus(1)).await, 6);
    });
}

#[test]
fn hour_that_is_being_read_is_dropped_later() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let hour = Hour::of_ms(START_MS);
        hours::make(&session, hour).await.unwrap();
        let reader = place.connect().await;
        let ends = HourTable::Ends.in_hour(hour);
        run(&reader, &format!("BEGIN; SELECT * FROM {ends}")).await;
        let refused = hours::drop_tables(&session, hour).await.unwrap_err();
        assert_eq!(refused.class(), ErrorClass::Contended);
        assert_eq!(tables_of(&session, hour).await, 6);
        run(&reader, "COMMIT").await;
        hours::drop_tables(&session, hour).await.unwrap();
        assert_eq!(tables_of(&session, hour).await, 0);
    });
}

#[test]
fn plan_that_was_made_for_an_empty_hour_reads_by_key_when_it_is_full() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let hour = Hour::of_ms(START_MS);
        hours::make(&session, hour).await.unwrap();
        let (jobs, ends) = (HourTable::Jobs.in_hour(hour), HourTable::Ends.in_hour(hour));
        let prepare = format!(
            "PREPARE look(int8[]) AS
             SELECT j.asked, e.standing FROM unnest($1) u(row) JOIN {jobs} j ON j.row = u.row
             LEFT JOIN {ends} e ON e.row = u.row LEFT JOIN queue q ON q.row = u.row;
             EXECUTE look('{{1,2}}');
             INSERT INTO {jobs} SELECT row, 1, 0, '' FROM generate_series(1, 20000) row;
             INSERT INTO {ends} SELECT row, '', '' FROM generate_series(1, 20000) row;"
        );
        run(&session, &prepare).await;
        let plan = "EXPLAIN (ANALYZE, COSTS off, TIMING off) EXECUTE look('{1,2}')";
        let plan: String = session
            .simple_query(plan)
            .await
            .unwrap()
            .iter()
            .filter_map(|line| match line {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            })
            .map(|line| format!("{line}\n"))
            .collect();
        for index in [&jobs, &ends] {
            let by_key = format!("Index Scan using {index}_pkey");
            assert!(plan.contains(&by_key), "{plan}");
        }
        assert!(!plan.contains("Seq Scan") && !plan.contains("rows=20000"), "{plan}");
    });
}
