//! A look at a database before a start.

use super::super::inspect::inspect;
use super::fixture::{Node, options};
use super::{Place, PostgresServer, block_on, number, run};
use crate::store::DatabaseReport;
use crate::store::shared::options::SharedOptions;
use crate::store::shared::pg_options::PgOptions;

fn look(place: &Place, change: impl FnOnce(&mut SharedOptions)) -> DatabaseReport {
    let mut options = options(place, "checks");
    change(&mut options);
    inspect(&options).unwrap()
}

#[test]
fn look_makes_nothing_and_finds_what_there_is() {
    let place = Place::empty();
    let before = look(&place, |_| {});
    assert_eq!((before.schema_version, before.nodes.len()), (None, 0));
    assert_eq!(before.problems, [] as [&str; 0]);
    assert!(before.warnings[0].contains("synchronous_standby_names"), "{:?}", before.warnings);
    let schemas = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{}'", before.schema);
    let count = async { number(&place.connect().await, &schemas).await };
    assert_eq!(block_on(count), 0);

    let a = Node::of(options(&place, "a"));
    let found = look(&place, |_| {});
    assert_eq!(found.schema_version, Some(1));
    assert_eq!(found.nodes, [format!("a ({})", env!("CARGO_PKG_VERSION"))]);
    assert!(found.server_version.starts_with(|first: char| first.is_ascii_digit()));
    assert!(found.clock_ahead_ms.is_some());
    // It has not become a node, and has driven none out.
    let nodes = async { number(&place.connect().await, "SELECT count(*) FROM nodes").await };
    assert_eq!(block_on(nodes), 1);
    a.store.close();
}

#[test]
fn look_says_what_a_start_would_say() {
    let place = Place::empty();
    let of = |report: DatabaseReport, says: &str| {
        let problems = &report.problems;
        assert!(problems.len() == 1 && problems[0].contains(says), "{problems:?}");
    };
    of(look(&place, |options| options.require_standby = true), "synchronous_standby_names");
    let schema = place.options.schema.clone();
    block_on(async {
        let session = place.connect().await;
        run(&session, "DROP ROLE IF EXISTS looker").await;
        run(&session, "CREATE ROLE looker LOGIN").await;
    });
    let as_looker = |options: &mut SharedOptions| {
        let url = PostgresServer::shared().url_as("looker");
        options.pg = PgOptions { url, ..options.pg.clone() };
    };
    of(look(&place, as_looker), "may not make tables");
    block_on(async {
        let session = place.connect().await;
        run(&session, &format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.orders(id int4)"))
            .await;
    });
    of(look(&place, |_| {}), "has tables that are not answerd's");
    let newer = block_on(async {
        let (newer, session) = Place::prepared().await;
        run(&session, "UPDATE meta SET value = '7' WHERE name = 'schema_min'").await;
        newer
    });
    of(look(&newer, |_| {}), "at least its version 7");
    let gone = PgOptions {
        url: "postgres://answerd@/postgres?host=/nowhere".to_owned(),
        ..place.options.clone()
    };
    assert!(inspect(&SharedOptions { pg: gone, ..options(&place, "checks") }).is_err());
}
