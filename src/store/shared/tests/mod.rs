//! The parts of the shared store on a real server: each test has a schema of its own.

mod alerts;
mod budgets;
mod check;
mod completions;
mod connect;
mod counts;
mod cut;
mod deletion;
mod ended_jobs;
mod evidence;
mod feed;
mod fixture;
mod hours;
mod inspect;
mod lead;
mod life;
mod list;
mod listening;
mod loops;
mod membership;
mod migrate;
mod model;
mod moving;
mod neighbors;
mod nodes;
pub(crate) mod postgres;
mod proxy;
mod retention;
mod rows;
mod schedules;
mod schema;
mod spend;
mod standby;
mod tls;
mod trackers;
mod two_nodes;
mod wake;

use postgres::PostgresServer;

use super::connect::{PgConnector, PgSession, Purpose};
use super::nodes::NodeProfile;
use super::pg_options::PgOptions;
use super::schema::prepare;
use crate::clock::UnixMs;
use crate::store::StoreError;

/// 2026-05-11T12:00:00Z.
const START_MS: UnixMs = 1_778_500_800_000;
const HOUR_MS: u64 = 3_600_000;

/// Runs what a test awaits, with the sockets and timers that it needs.
pub(super) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// A schema of the server that the tests of this process share.
pub(super) struct Place {
    pub options: PgOptions,
}

impl Place {
    /// Returns a place where nothing is yet.
    pub(super) fn empty() -> Place {
        Place::of(PostgresServer::shared())
    }

    /// Returns a place on a server where nothing is yet.
    pub(super) fn of(server: &PostgresServer) -> Place {
        Place {
            options: PgOptions {
                url: server.url(),
                password: None,
                schema: server.new_schema(),
                node: "test".to_owned(),
                authorities: Vec::new(),
            },
        }
    }

    /// Returns a place with the tables of a store, and a session there.
    pub(super) async fn prepared() -> (Place, PgSession) {
        let place = Place::empty();
        let session = place.connect().await;
        prepare(&session, &place.options.schema, None).await.unwrap();
        (place, session)
    }

    pub(super) async fn connect(&self) -> PgSession {
        PgConnector::new(&self.options).unwrap().connect(Purpose::Setup).await.unwrap()
    }

    /// Opens the store as a node of this role does.
    async fn open_as(&self, role: &str, key: Option<[u8; 16]>) -> Result<[u8; 16], StoreError> {
        let url = PostgresServer::shared().url_as(role);
        let options = PgOptions { url, ..self.options.clone() };
        let session = PgConnector::new(&options)?.connect(Purpose::Setup).await?;
        prepare(&session, &options.schema, key).await
    }
}

fn profile(name: &str) -> NodeProfile {
    NodeProfile {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        record_max: 1,
        workers: vec![],
        settings: vec![],
        started_ms: START_MS as i64,
        writers: 2,
    }
}

/// Runs statements that a test needs.
async fn run(session: &PgSession, statements: &str) {
    session.batch_execute(statements).await.unwrap();
}

/// Reads one number.
async fn number(session: &PgSession, query: &str) -> i64 {
    session.query_one(query, &[]).await.unwrap().get(0)
}
