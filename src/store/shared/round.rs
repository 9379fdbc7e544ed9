//! Statements that are sent together and answered together: one round trip, however many they are.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row as PgRow, Statement};

use super::connect::PgSession;
use super::error::PgError;

/// A parameter of a statement.
pub(super) type Value = Arc<dyn ToSql + Send + Sync>;

type Answer<'s> = Pin<Box<dyn Future<Output = Result<Vec<PgRow>, Error>> + Send + 's>>;

/// The statements of a round trip, in the order in which they are sent.
pub(super) struct Round<'s> {
    session: &'s PgSession,
    statements: Vec<Answer<'s>>,
}

impl<'s> Round<'s> {
    pub(super) fn new(session: &'s PgSession) -> Round<'s> {
        Round { session, statements: Vec::new() }
    }

    /// Adds a statement and returns the place of its answer.
    pub(super) fn add(&mut self, statement: Statement, values: Vec<Value>) -> usize {
        let client: &Client = self.session;
        self.statements.push(Box::pin(async move {
            let values: Vec<&(dyn ToSql + Sync)> =
                values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
            client.query(&statement, &values).await
        }));
        self.statements.len() - 1
    }

    /// Adds a word that begins or ends a transaction.
    pub(super) fn add_word(&mut self, word: &'static str) {
        let client: &Client = self.session;
        self.statements.push(Box::pin(async move {
            client.batch_execute(word).await?;
            Ok(Vec::new())
        }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Sends all statements and returns their answers.
    ///
    /// # Errors
    /// Returns the error of the first statement that failed: those after it fail for that.
    pub(super) async fn answers(self) -> Result<Vec<Vec<PgRow>>, PgError> {
        let session = self.session;
        let statements = self.statements;
        // Each is sent when it is first polled, and `join_all` polls them in order.
        let answers = async { join_all(statements).await.into_iter().collect() };
        session.within(answers).await
    }
}
