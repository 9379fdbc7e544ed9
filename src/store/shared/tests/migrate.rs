//! The tables go from one version to the next, with lists of changes that the tests make up.

use super::super::migrate::{MigrateReport, migrate};
use super::super::schema::prepare_for;
use super::super::versions::{MIGRATIONS, Migration, SCHEMA, SCHEMA_MIN};
use super::listening::{listen, second, until, with_clock};
use super::*;
use crate::clock::Clock;
use crate::job::Event;
use crate::store::Blocking;

/// A change that builds of before work with, and one that they do not.
const CHANGES: [Migration; 2] = [
    Migration { sql: "ALTER TABLE nodes ADD COLUMN zone text NOT NULL DEFAULT ''", schema_min: 1 },
    Migration { sql: "CREATE TABLE zones(name text PRIMARY KEY)", schema_min: 2 },
];

async fn opened(place: &Place, session: &PgSession, build: u32) -> Result<[u8; 16], StoreError> {
    prepare_for(session, &place.options.schema, None, build).await
}

fn report(before: u32, after: u32) -> Option<MigrateReport> {
    Some(MigrateReport { before, after })
}

#[test]
fn new_store_has_the_version_of_the_build() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let schema = &place.options.schema;
        let migrated = migrate(&session, schema, MIGRATIONS).await.unwrap();
        assert_eq!(migrated, report(SCHEMA, SCHEMA));
        const { assert!(SCHEMA_MIN <= SCHEMA) };
        let missing = Place::empty();
        let session = missing.connect().await;
        let nothing = migrate(&session, &missing.options.schema, MIGRATIONS).await.unwrap();
        assert_eq!(nothing, None);
    });
}

#[test]
fn older_tables_are_refused_until_they_are_migrated_and_builds_of_before_go_on() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let schema = &place.options.schema;
        let key = opened(&place, &session, 1).await.unwrap();
        let older = opened(&place, &session, 2).await.unwrap_err().to_string();
        assert!(older.contains("are of version 1, and this answerd uses those of version 2"));
        assert!(older.contains("`answerd db migrate`") && older.contains("`store.migrate = true`"));
        assert_eq!(migrate(&session, schema, &CHANGES[..1]).await.unwrap(), report(1, 2));
        // Both builds run side by side.
        assert_eq!(opened(&place, &session, 2).await.unwrap(), key);
        assert_eq!(opened(&place, &session, 1).await.unwrap(), key);
        assert_eq!(number(&session, "SELECT count(zone) FROM nodes").await, 0);
        // Again, there is nothing to do; a build of before changes nothing back.
        assert_eq!(migrate(&session, schema, &CHANGES[..1]).await.unwrap(), report(2, 2));
        assert_eq!(migrate(&session, schema, &[]).await.unwrap(), report(2, 2));
        assert_eq!(migrate(&session, schema, &CHANGES).await.unwrap(), report(2, 3));
        let newer = opened(&place, &session, 1).await.unwrap_err().to_string();
        assert!(newer.contains("needs one of at least its version 2; this one has 1"), "{newer}");
        opened(&place, &session, 2).await.unwrap();
    });
}

#[test]
fn change_that_would_leave_nodes_behind_waits_until_they_are_replaced() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let node = with_clock(&place, "old", &clock);
    let migrate_all = || {
        block_on(async {
            let session = place.connect().await;
            migrate(&session, &place.options.schema, &CHANGES).await
        })
    };
    let refused = std::thread::scope(|scope| {
        let migrating = scope.spawn(migrate_all);
        // It beats all the while.
        while !migrating.is_finished() {
            second(&hand, &node, "old");
        }
        migrating.join().unwrap().unwrap_err().to_string()
    });
    assert!(refused.contains("these processes are older: old (0.1.0)"), "{refused}");
    // The first change, which it works with, was made.
    let version = "SELECT convert_from(value, 'UTF8')::int8 FROM meta WHERE name = 'schema'";
    assert_eq!(node.ask(version, vec![])[0].get::<_, i64>(0), 2);
    assert!(node.store.failure().is_none());
    // One that has died is not waited for. Its clock stands still.
    assert_eq!(migrate_all().unwrap(), report(2, 3));
    node.store.close();
}

#[test]
fn node_that_the_tables_are_too_new_for_gives_back_what_it_has_and_writes_nothing() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = with_clock(&place, "a", &clock);
    let heard = listen(&a);
    let done = a.done("done");
    let taken = a.submit(a.new_job("x"));
    assert_eq!(a.store.reserve_from(0, false, 0, START_MS, 10).unwrap().rows, [taken.row]);
    let held = "SELECT count(*) FROM queue WHERE node IS NOT NULL";
    assert_eq!(a.ask(held, vec![])[0].get::<_, i64>(0), 1);
    a.ask("UPDATE meta SET value = '9' WHERE name = 'schema_min'", vec![]);
    until("the end of the node", || {
        hand.advance_ms(100);
        // Each look takes as long as a read.
        a.ask("SELECT 1", vec![]);
        a.store.failure().is_some()
    });
    let why = a.store.failure().unwrap().to_string();
    assert!(
        why.contains("needs one of at least its version 9") && why.contains("install"),
        "{why}"
    );
    assert_eq!(*heard.failures.lock().unwrap(), 1);
    assert_eq!(a.ask(held, vec![])[0].get::<_, i64>(0), 0);
    assert_eq!(a.ask("SELECT count(*) FROM nodes", vec![])[0].get::<_, i64>(0), 0);
    let start = a.store.begin_transition(taken.row, START_MS + 1, |_| Event::Start, None);
    assert!(start.wait().is_err());
    // What has ended is read all the same.
    assert!(a.store.read_row(done.row, START_MS + 9, |_, _| ()).wait().unwrap().is_some());
    a.store.close();
}

#[test]
fn several_that_migrate_at_once_make_each_change_once() {
    block_on(async {
        let (place, _session) = Place::prepared().await;
        let schema = &place.options.schema;
        let sessions = futures_util::future::join_all((0..4).map(|_| place.connect())).await;
        let migrations = sessions.iter().map(|session| migrate(session, schema, &CHANGES));
        for migrated in futures_util::future::join_all(migrations).await {
            assert_eq!(migrated.unwrap().unwrap().after, 3);
        }
    });
}

#[test]
fn change_waits_for_who_uses_the_table_and_is_tried_again() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let schema = place.options.schema.clone();
        let reader = place.connect().await;
        run(&reader, "BEGIN; SELECT count(*) FROM nodes").await;
        let waits = migrate(&session, &schema, &CHANGES[..1]);
        let release = async {
            let waiting = "SELECT count(*) FROM pg_stat_activity \
                           WHERE query LIKE 'ALTER TABLE nodes%' AND wait_event_type = 'Lock'";
            let watcher = place.connect().await;
            while number(&watcher, waiting).await == 0 {
                tokio::task::yield_now().await;
            }
            // The first try gives up, so that those behind it do not wait for long.
            while number(&watcher, waiting).await > 0 {
                tokio::task::yield_now().await;
            }
            run(&reader, "COMMIT").await;
        };
        let (migrated, ()) = futures_util::future::join(waits, release).await;
        assert_eq!(migrated.unwrap(), report(1, 2));
    });
}

#[test]
fn change_that_fails_leaves_the_tables_as_they_were() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let schema = &place.options.schema;
        let wrong = Migration { sql: "CREATE TABLE zones(name text); SELECT 1 / 0", schema_min: 1 };
        assert!(migrate(&session, schema, &[wrong]).await.is_err());
        let made = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() \
                    AND tablename = 'zones'";
        assert_eq!(number(&session, made).await, 0);
        assert_eq!(migrate(&session, schema, &[]).await.unwrap(), report(1, 1));
    });
}
