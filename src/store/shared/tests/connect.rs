//! Connections: their sessions, and how one that is lost is known.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::super::error::ErrorClass;
use super::*;

#[test]
fn session_has_its_settings_and_a_name() {
    block_on(async {
        let place = Place::empty();
        let connector = PgConnector::new(&place.options).unwrap();
        let session = connector.connect(Purpose::Writer(0)).await.unwrap();
        let row = session
            .query_one(
                "SELECT current_setting('search_path'), current_setting('lock_timeout'),
                        current_setting('statement_timeout'), current_setting('application_name'),
                        current_setting('jit')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), connector.schema());
        // A commit that waits for a standby is not to be ended, and acknowledged, by the server.
        assert_eq!((row.get(1), row.get(2)), ("5s", "0"));
        assert_eq!(row.get::<_, &str>(3), "answerd/test/writer-1");
        // A beat of a node would cost 0.2 s of processor time.
        assert_eq!(row.get::<_, &str>(4), "off");
        for (purpose, timeout) in [(Purpose::List, "0"), (Purpose::Reader(0), "8s")] {
            let session = connector.connect(purpose).await.unwrap();
            let row = session.query_one("SHOW statement_timeout", &[]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), timeout);
        }
    });
}

#[test]
fn session_that_the_server_ends_is_lost_and_a_refused_statement_is_not() {
    block_on(async {
        let place = Place::empty();
        let (session, other) = (place.connect().await, place.connect().await);
        let refused = session.execute("SELECT 1 / 0", &[]).await.unwrap_err();
        assert_eq!((refused.class(), session.is_closed()), (ErrorClass::Refused, false));
        // A value of another type than the column's is refused before it is sent.
        let refused = session.query("SELECT 1 + $1::int4", &[&"a"]).await;
        assert_eq!(refused.unwrap_err().class(), ErrorClass::Refused);
        let process: i32 = session.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        // One that is asked for something at that moment.
        let (slept, ended) = futures_util::future::join(
            session.execute("SELECT pg_sleep(60)", &[]),
            other.execute("SELECT pg_terminate_backend($1)", &[&process]),
        )
        .await;
        ended.unwrap();
        assert!(slept.unwrap_err().is_lost());
        let later = session.execute("SELECT 1", &[]).await.unwrap_err();
        assert!(later.is_lost(), "{later}");
        assert!(session.is_closed());
        assert!(matches!(later.into(), StoreError::Unavailable(_)));
    });
}

#[test]
fn session_of_a_server_that_became_read_only_is_lost() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        run(&session, "SET default_transaction_read_only = on").await;
        assert!(
            session.execute("UPDATE row_blocks SET next = next", &[]).await.unwrap_err().is_lost()
        );
    });
}

#[test]
fn address_of_no_server_is_unavailable_and_an_unknown_database_is_unsuitable() {
    block_on(async {
        let place = Place::empty();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("postgres://answerd@/postgres?host={}", folder.path().display());
        let options = PgOptions { url, ..place.options.clone() };
        let connector = PgConnector::new(&options).unwrap();
        let error = StoreError::from(connector.connect(Purpose::Setup).await.err().unwrap());
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let url = place.options.url.replace("/postgres?", "/elsewhere?");
        let options = PgOptions { url, ..place.options };
        let connector = PgConnector::new(&options).unwrap();
        let error = StoreError::from(connector.connect(Purpose::Setup).await.err().unwrap());
        assert!(matches!(error, StoreError::Unsuitable(_)), "{error:?}");
        assert!(error.to_string().contains("elsewhere"), "{error}");
    });
}

#[test]
fn connection_is_tried_until_there_is_a_server() {
    block_on(async {
        let place = Place::empty();
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("server");
        let url = format!("postgres://answerd@/postgres?host={}", link.display());
        let options = PgOptions { url, ..place.options.clone() };
        let connector = PgConnector::new(&options).unwrap();
        assert!(connector.connect(Purpose::Beat).await.err().unwrap().is_lost());
        let connecting = connector.connect_until_done(Purpose::Beat);
        let appearing = async {
            let at = place.options.url.split_once("host=").unwrap().1;
            std::os::unix::fs::symlink(at, &link).unwrap();
        };
        let (session, ()) = futures_util::future::join(connecting, appearing).await;
        assert_eq!(number(&session, "SELECT 1::int8").await, 1);
    });
}

#[test]
fn connection_is_made_to_the_host_that_takes_writes() {
    block_on(async {
        let place = Place::empty();
        // A server that follows another one looks like this to its clients.
        let standby = PostgresServer::start();
        let options = PgOptions { url: standby.url(), ..place.options.clone() };
        let session = PgConnector::new(&options).unwrap().connect(Purpose::Setup).await.unwrap();
        run(&session, "ALTER SYSTEM SET default_transaction_read_only = on").await;
        run(&session, "SELECT pg_reload_conf()").await;
        let read_only = async || {
            let answer = session.query_one("SHOW default_transaction_read_only", &[]).await;
            answer.unwrap().get::<_, String>(0) == "on"
        };
        while !read_only().await {}
        // One that hangs takes connections as ever; another one is not there.
        let hanging = tempfile::tempdir().unwrap();
        let _socket = UnixListener::bind(hanging.path().join(".s.PGSQL.5432")).unwrap();
        let absent = tempfile::tempdir().unwrap();
        let folder = |url: &str| url.split_once("host=").unwrap().1.to_owned();
        let (standby_folder, primary) = (folder(&standby.url()), folder(&place.options.url));
        let connect = async |hosts: &[&str]| {
            let url = format!("host={} user=answerd dbname=postgres", hosts.join(","));
            let options = PgOptions { url, ..place.options.clone() };
            let connector = PgConnector::new(&options).unwrap();
            let connector = connector.with_host_patience(Duration::from_secs(1));
            connector.connect(Purpose::Setup).await
        };
        let none: [&str; 3] =
            [hanging.path().to_str().unwrap(), absent.path().to_str().unwrap(), &standby_folder];
        let error = connect(&none).await.err().unwrap();
        assert!(error.is_lost() && error.to_string().contains("does not allow writes"), "{error}");
        let session = connect(&[none.as_slice(), &[primary.as_str()]].concat()).await.unwrap();
        let sockets = session.query_one("SHOW unix_socket_directories", &[]).await.unwrap();
        assert_eq!(sockets.get::<_, String>(0), primary);
    });
}
