//! The tables go from one version to the next, with lists of changes that the tests make up.

use super::super::migrate::{MigrateReport, migrate};
use super::super::schema::prepare_for;
use super::super::versions::{MIGRATIONS, Migration, SCHEMA, SCHEMA_MIN};
use super::*;

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
