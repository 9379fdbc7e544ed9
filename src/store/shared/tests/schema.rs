//! The first start, and what is refused at every start.

use super::*;

fn error_of(opened: Result<[u8; 16], StoreError>) -> String {
    let error = opened.unwrap_err();
    assert!(matches!(error, StoreError::Unsuitable(_)), "{error:?}");
    error.to_string()
}

#[test]
fn first_start_makes_the_schema_and_later_ones_find_it() {
    block_on(async {
        let place = Place::empty();
        let key = place.open_as("answerd", None).await.unwrap();
        assert_eq!(place.open_as("answerd", None).await.unwrap(), key);
        assert_eq!(place.open_as("answerd", Some(key)).await.unwrap(), key);
        let session = place.connect().await;
        assert_eq!(number(&session, "SELECT count(*) FROM row_blocks").await, 64);
        assert_eq!(number(&session, "SELECT count(*) FROM queue").await, 0);
        // Another schema is another store.
        assert_ne!(Place::empty().open_as("answerd", None).await.unwrap(), key);
    });
}

#[test]
fn nodes_that_start_together_make_one_schema() {
    block_on(async {
        let place = Place::empty();
        let opened = futures_util::future::join_all((0..8).map(|_| place.open_as("answerd", None)));
        let keys: Vec<_> = opened.await.into_iter().map(Result::unwrap).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    });
}

#[test]
fn schema_with_other_tables_is_refused_and_left_alone() {
    block_on(async {
        for table in ["orders(id int4)", "meta(id int4)", "meta(name text, value text)"] {
            let place = Place::empty();
            let schema = &place.options.schema;
            let session = place.connect().await;
            run(&session, &format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table}")).await;
            let error = error_of(place.open_as("answerd", None).await);
            assert!(error.contains(&format!("the schema {schema} of the database")), "{error}");
            assert!(error.contains("a schema of its own"), "{error}");
            let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
            assert_eq!(number(&session, tables).await, 1);
        }
    });
}

#[test]
fn schema_of_a_newer_build_is_refused_if_it_needs_one() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        run(&session, "UPDATE meta SET value = '7' WHERE name = 'schema'").await;
        place.open_as("answerd", None).await.unwrap();
        run(&session, "UPDATE meta SET value = '7' WHERE name = 'schema_min'").await;
        let error = error_of(place.open_as("answerd", None).await);
        assert!(error.contains("needs one of at least its version 7; this one has 1"), "{error}");
    });
}

#[test]
fn store_with_another_key_of_the_ids_is_refused() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let error = error_of(place.open_as("answerd", Some([7; 16])).await);
        assert!(error.contains("another key of the ids"), "{error}");
        run(&session, "DELETE FROM meta WHERE name = 'id_key'").await;
        let damaged = place.open_as("answerd", None).await;
        assert!(matches!(damaged, Err(StoreError::Damaged(_))), "{damaged:?}");
    });
}

#[test]
fn role_that_may_not_write_is_refused_with_what_to_run() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let schema = &place.options.schema;
        let role = format!("reader_of_{schema}");
        run(&session, &format!("CREATE ROLE {role} LOGIN")).await;
        let error = error_of(place.open_as(&role, None).await);
        assert!(error.contains(&format!("`GRANT answerd TO {role}`")), "{error}");
        // Writing is not enough: only an owner may drop the tables of an hour.
        let all = format!(
            "GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};
             GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}"
        );
        run(&session, &all).await;
        let error = error_of(place.open_as(&role, None).await);
        assert!(error.contains(&format!("the role {role} does not own the tables")), "{error}");
        run(&session, &format!("GRANT answerd TO {role}")).await;
        place.open_as(&role, None).await.unwrap();
    });
}

#[test]
fn role_makes_the_schema_where_it_may() {
    block_on(async {
        let place = Place::empty();
        let schema = &place.options.schema;
        let role = format!("owner_of_{schema}");
        let session = place.connect().await;
        run(&session, &format!("CREATE ROLE {role} LOGIN")).await;
        for made in ["", &format!("CREATE SCHEMA {schema}")] {
            run(&session, made).await;
            let error = error_of(place.open_as(&role, None).await);
            let advice = format!("`GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}`");
            assert!(error.contains(&advice), "{error}");
        }
        run(&session, &format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}")).await;
        place.open_as(&role, None).await.unwrap();
    });
}

#[test]
fn server_that_may_lose_what_it_acknowledged_is_refused() {
    block_on(async {
        let place = Place::empty();
        let role = format!("hasty_{}", place.options.schema);
        let session = place.connect().await;
        run(&session, &format!("CREATE ROLE {role} SUPERUSER LOGIN")).await;
        place.open_as(&role, None).await.unwrap();
        run(&session, &format!("ALTER ROLE {role} SET synchronous_commit = off")).await;
        let error = error_of(place.open_as(&role, None).await);
        assert!(error.contains("synchronous_commit = off"), "{error}");
    });
}
