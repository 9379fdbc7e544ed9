//! The SQL of the writers and readers, each statement once, and the prepared statements of a
//! connection. `{hour}` stands for the hour whose tables are named.

use std::collections::HashMap;

use tokio_postgres::Statement;
use tokio_postgres::types::Type;

use super::connect::PgSession;
use super::error::PgError;
use super::hours::{self, HourTable};
use super::row_number::Hour;

/// The most statements that a connection keeps prepared.
const PREPARED_MAX: usize = 512;

/// A statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sql {
    Fence,
    LockKeys,
    LockJobs,
    MakeAllowances,
    LockAllowances,
    SumAllowances,
    LockBatches,
    LockDeliveries,
    LockNoticeDeliveries,
    LockThings,
    HoldThings,
    ReadThings,
    ReadThingKeys,
    ReadJobs,
    InsertJobs,
    InsertQueue,
    UpdateQueue,
    DeleteQueue,
    InsertEnds,
    InsertCache,
    InsertCompletions,
    PutDeliveries,
    PutOutbox,
    DeleteOutbox,
    InsertBatches,
    PutBatchEnds,
    UpdateKeys,
    DeleteKeys,
    FreeKeys,
    AddCredits,
    AddUsage,
    AddDepth,
    UpdateThings,
    PutThings,
    DeleteThings,
    DeleteJobs,
    ReadResults,
    ReadBatches,
    ReadDeliveries,
    Reserve,
    HeldReady,
    NextReady,
    TakeBudget,
    ClaimOutbox,
    VisitOutbox,
    NextDelivery,
}

impl Sql {
    /// Returns the text, and the types of its parameters.
    #[rustfmt::skip]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn text(self) -> (&'static str, &'static [Type]) {
        match self {
            // No row is an error, so that the transaction ends whatever follows.
            Sql::Fence => (
                "WITH fence AS (UPDATE writers SET seq = $4 WHERE node = $1 AND slot = $2 \
                 AND seq = $3 RETURNING 1) SELECT 1 / count(*) FROM fence",
                &[Type::INT4, Type::INT2, Type::INT8, Type::INT8],
            ),
            Sql::LockKeys => (
                "INSERT INTO idempotency(key_hash, request_hash, row, expires_ms) \
                 SELECT * FROM unnest($1, $2, $3, $4) \
                 ON CONFLICT (key_hash) DO UPDATE SET row = idempotency.row \
                 RETURNING key_hash, request_hash, row, expires_ms",
                &[Type::UUID_ARRAY, Type::UUID_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY],
            ),
            Sql::LockJobs => (
                "SELECT q.row, j.account, j.asked, q.standing, q.node FROM queue q \
                 JOIN jobs_{hour} j ON j.row = q.row WHERE q.row = ANY($1) \
                 ORDER BY q.row FOR UPDATE OF q",
                &[Type::INT8_ARRAY],
            ),
            Sql::MakeAllowances => (
                "INSERT INTO credits(account, month, slot, reserved, used) \
                 SELECT account, month, 0, 0, 0 FROM unnest($1, $2) u(account, month) \
                 ON CONFLICT DO NOTHING",
                &[Type::INT4_ARRAY, Type::INT4_ARRAY],
            ),
            Sql::LockAllowances => (
                "SELECT 1 FROM credits c JOIN unnest($1, $2) u(account, month) \
                 ON c.account = u.account AND c.month = u.month WHERE c.slot = 0 \
                 ORDER BY c.account, c.month FOR UPDATE OF c",
                &[Type::INT4_ARRAY, Type::INT4_ARRAY],
            ),
            Sql::SumAllowances => (
                "SELECT c.account, c.month, sum(c.reserved)::int8, sum(c.used)::int8 \
                 FROM credits c JOIN unnest($1, $2) u(account, month) \
                 ON c.account = u.account AND c.month = u.month GROUP BY 1, 2",
                &[Type::INT4_ARRAY, Type::INT4_ARRAY],
            ),
            Sql::LockBatches => (
                "SELECT b.row, b.record, e.done, e.failed, e.completed_ms FROM batch_ends e \
                 JOIN batches_{hour} b ON b.row = e.row WHERE e.row = ANY($1) \
                 ORDER BY e.row FOR UPDATE OF e",
                &[Type::INT8_ARRAY],
            ),
            Sql::LockDeliveries => (
                "SELECT row, record FROM deliveries_{hour} WHERE row = ANY($1) \
                 ORDER BY row FOR UPDATE",
                &[Type::INT8_ARRAY],
            ),
            Sql::LockNoticeDeliveries => (
                "SELECT key, value FROM things WHERE kind = $1 AND key = ANY($2) \
                 AND value <> '' ORDER BY key FOR UPDATE",
                &[Type::INT2, Type::BYTEA_ARRAY],
            ),
            Sql::LockThings => (
                "INSERT INTO things(kind, key, value) SELECT kind, key, ''::bytea \
                 FROM unnest($1, $2) u(kind, key) \
                 ON CONFLICT (kind, key) DO UPDATE SET value = things.value \
                 RETURNING kind, key, value",
                &[Type::INT2_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::HoldThings => (
                "SELECT t.kind, t.key, t.value FROM unnest($1, $2) u(kind, key) \
                 JOIN things t ON t.kind = u.kind AND t.key = u.key \
                 ORDER BY t.kind, t.key FOR SHARE OF t",
                &[Type::INT2_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::ReadThings => (
                "SELECT key, value FROM things WHERE kind = $1 AND key >= $2 AND key < $3 \
                 AND value <> '' ORDER BY key LIMIT $4",
                &[Type::INT2, Type::BYTEA, Type::BYTEA, Type::INT8],
            ),
            Sql::ReadThingKeys => (
                "SELECT key, ''::bytea FROM things WHERE kind = $1 AND key >= $2 AND key < $3 \
                 AND value <> '' ORDER BY key LIMIT $4",
                &[Type::INT2, Type::BYTEA, Type::BYTEA, Type::INT8],
            ),
            Sql::ReadJobs => (
                "SELECT j.row, j.account, j.asked, q.standing, e.standing FROM unnest($1) u(row) \
                 JOIN jobs_{hour} j ON j.row = u.row LEFT JOIN ends_{hour} e ON e.row = u.row \
                 LEFT JOIN queue q ON q.row = u.row",
                &[Type::INT8_ARRAY],
            ),
            Sql::InsertJobs => (
                "INSERT INTO jobs_{hour}(row, account, created_ms, asked) \
                 SELECT * FROM unnest($1, $2, $3, $4)",
                &[Type::INT8_ARRAY, Type::INT4_ARRAY, Type::INT8_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::InsertQueue => (
                "INSERT INTO queue(row, scraper, interactive, due_ms, start_by_ms, expires_ms, \
                 node, standing) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)",
                &[
                    Type::INT8_ARRAY, Type::INT2_ARRAY, Type::BOOL_ARRAY, Type::INT8_ARRAY,
                    Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT4_ARRAY, Type::BYTEA_ARRAY,
                ],
            ),
            Sql::UpdateQueue => (
                "UPDATE queue q SET due_ms = u.due_ms, start_by_ms = u.start_by_ms, \
                 node = u.node, standing = u.standing \
                 FROM unnest($1, $2, $3, $4, $5) u(row, due_ms, start_by_ms, node, standing) \
                 WHERE q.row = u.row",
                &[
                    Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT4_ARRAY,
                    Type::BYTEA_ARRAY,
                ],
            ),
            Sql::DeleteQueue => ("DELETE FROM queue WHERE row = ANY($1)", &[Type::INT8_ARRAY]),
            Sql::InsertEnds => (
                "INSERT INTO ends_{hour}(row, standing, result) SELECT * FROM unnest($1, $2, $3)",
                &[Type::INT8_ARRAY, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::InsertCache => (
                "INSERT INTO cache_{hour}(stored_ms, row, hash) SELECT * FROM unnest($1, $2, $3)",
                &[Type::INT8_ARRAY, Type::INT8_ARRAY, Type::UUID_ARRAY],
            ),
            // The last one of a slot is never removed: the next is numbered after it.
            Sql::InsertCompletions => (
                "INSERT INTO completions(slot, seq, row, completed_ms, expires_ms) \
                 SELECT $1, first.seq + u.place - 1, u.row, u.completed_ms, u.expires_ms \
                 FROM unnest($2, $3, $4) WITH ORDINALITY u(row, completed_ms, expires_ms, place), \
                 (SELECT coalesce(max(seq) + 1, 0) AS seq FROM completions WHERE slot = $1) first",
                &[Type::INT4, Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY],
            ),
            Sql::PutDeliveries => (
                "INSERT INTO deliveries_{hour}(row, record) SELECT * FROM unnest($1, $2) \
                 ON CONFLICT (row) DO UPDATE SET record = excluded.record",
                &[Type::INT8_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::PutOutbox => (
                "INSERT INTO outbox(row, due_ms, receiver) SELECT * FROM unnest($1, $2, $3) \
                 ON CONFLICT (row) DO UPDATE SET due_ms = excluded.due_ms, \
                 receiver = excluded.receiver, node = NULL",
                &[Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY],
            ),
            Sql::DeleteOutbox => ("DELETE FROM outbox WHERE row = ANY($1)", &[Type::INT8_ARRAY]),
            Sql::InsertBatches => (
                "INSERT INTO batches_{hour}(row, account, created_ms, record) \
                 SELECT * FROM unnest($1, $2, $3, $4)",
                &[Type::INT8_ARRAY, Type::INT4_ARRAY, Type::INT8_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::PutBatchEnds => (
                "INSERT INTO batch_ends(row, done, failed, completed_ms, expires_ms) \
                 SELECT * FROM unnest($1, $2, $3, $4, $5) ON CONFLICT (row) DO UPDATE SET \
                 done = excluded.done, failed = excluded.failed, \
                 completed_ms = excluded.completed_ms",
                &[
                    Type::INT8_ARRAY, Type::INT4_ARRAY, Type::INT4_ARRAY, Type::INT8_ARRAY,
                    Type::INT8_ARRAY,
                ],
            ),
            Sql::UpdateKeys => (
                "UPDATE idempotency i SET request_hash = u.request_hash, row = u.row, \
                 expires_ms = u.expires_ms \
                 FROM unnest($1, $2, $3, $4) u(key_hash, request_hash, row, expires_ms) \
                 WHERE i.key_hash = u.key_hash",
                &[Type::UUID_ARRAY, Type::UUID_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY],
            ),
            Sql::DeleteKeys => {
                ("DELETE FROM idempotency WHERE key_hash = ANY($1)", &[Type::UUID_ARRAY])
            }
            Sql::FreeKeys => (
                "DELETE FROM idempotency i USING unnest($1, $2) u(key_hash, row) \
                 WHERE i.key_hash = u.key_hash AND i.row = u.row",
                &[Type::UUID_ARRAY, Type::INT8_ARRAY],
            ),
            Sql::AddCredits => (
                "INSERT INTO credits(account, month, slot, reserved, used) \
                 SELECT account, month, $1, reserved, used \
                 FROM unnest($2, $3, $4, $5) u(account, month, reserved, used) \
                 ON CONFLICT (account, month, slot) DO UPDATE SET \
                 reserved = credits.reserved + excluded.reserved, \
                 used = credits.used + excluded.used",
                &[
                    Type::INT4, Type::INT4_ARRAY, Type::INT4_ARRAY, Type::INT8_ARRAY,
                    Type::INT8_ARRAY,
                ],
            ),
            Sql::AddUsage => (
                "INSERT INTO usage(account, day, scraper, slot, jobs, done, failed, cached, \
                 credits) SELECT account, day, scraper, $1, jobs, done, failed, cached, credits \
                 FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) \
                 u(account, day, scraper, jobs, done, failed, cached, credits) \
                 ON CONFLICT (account, day, scraper, slot) DO UPDATE SET \
                 jobs = usage.jobs + excluded.jobs, done = usage.done + excluded.done, \
                 failed = usage.failed + excluded.failed, \
                 cached = usage.cached + excluded.cached, \
                 credits = usage.credits + excluded.credits",
                &[
                    Type::INT4, Type::INT4_ARRAY, Type::INT4_ARRAY, Type::INT2_ARRAY,
                    Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY, Type::INT8_ARRAY,
                    Type::INT8_ARRAY,
                ],
            ),
            Sql::AddDepth => (
                "INSERT INTO depth(scraper, slot, n) \
                 SELECT scraper, $1, n FROM unnest($2, $3) u(scraper, n) \
                 ON CONFLICT (scraper, slot) DO UPDATE SET n = depth.n + excluded.n",
                &[Type::INT4, Type::INT2_ARRAY, Type::INT8_ARRAY],
            ),
            Sql::UpdateThings => (
                "UPDATE things t SET value = u.value FROM unnest($1, $2, $3) u(kind, key, value) \
                 WHERE t.kind = u.kind AND t.key = u.key",
                &[Type::INT2_ARRAY, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::PutThings => (
                "INSERT INTO things(kind, key, value) SELECT * FROM unnest($1, $2, $3) \
                 ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                &[Type::INT2_ARRAY, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::DeleteThings => (
                "DELETE FROM things t USING unnest($1, $2) u(kind, key) \
                 WHERE t.kind = u.kind AND t.key = u.key",
                &[Type::INT2_ARRAY, Type::BYTEA_ARRAY],
            ),
            Sql::DeleteJobs => (
                "WITH ends AS (DELETE FROM ends_{hour} WHERE row = ANY($1)), \
                 deliveries AS (DELETE FROM deliveries_{hour} WHERE row = ANY($1)), \
                 cache AS (DELETE FROM cache_{hour} WHERE row = ANY($1)) \
                 DELETE FROM jobs_{hour} WHERE row = ANY($1)",
                &[Type::INT8_ARRAY],
            ),
            Sql::ReadResults => (
                "SELECT j.row, j.asked, coalesce(e.standing, q.standing), e.result, \
                 e.row IS NOT NULL FROM unnest($1) u(row) \
                 JOIN jobs_{hour} j ON j.row = u.row LEFT JOIN ends_{hour} e ON e.row = u.row \
                 LEFT JOIN queue q ON q.row = u.row",
                &[Type::INT8_ARRAY],
            ),
            Sql::ReadBatches => (
                "SELECT b.row, b.record, e.done, e.failed, e.completed_ms FROM unnest($1) u(row) \
                 JOIN batches_{hour} b ON b.row = u.row JOIN batch_ends e ON e.row = u.row",
                &[Type::INT8_ARRAY],
            ),
            Sql::ReadDeliveries => (
                "SELECT d.row, d.record FROM unnest($1) u(row) \
                 JOIN deliveries_{hour} d ON d.row = u.row",
                &[Type::INT8_ARRAY],
            ),
            // The lock makes a declaration of death wait for it, and neither beats nor batches do.
            Sql::Reserve => (
                "WITH node AS MATERIALIZED (SELECT node FROM writers WHERE node = $1 AND slot = 0 \
                 FOR KEY SHARE), picked AS MATERIALIZED (SELECT row FROM queue \
                 WHERE scraper = $2 AND interactive = $3 AND node IS NULL \
                 AND due_ms BETWEEN $4 AND $5 ORDER BY due_ms, row LIMIT $6 \
                 FOR UPDATE SKIP LOCKED) \
                 UPDATE queue q SET node = node.node FROM node, picked WHERE q.row = picked.row \
                 RETURNING q.due_ms, q.row",
                &[Type::INT4, Type::INT2, Type::BOOL, Type::INT8, Type::INT8, Type::INT8],
            ),
            Sql::HeldReady => (
                "SELECT row FROM queue WHERE node = $1 AND scraper = $2 AND interactive = $3 \
                 AND due_ms <= $4 ORDER BY due_ms, row",
                &[Type::INT4, Type::INT2, Type::BOOL, Type::INT8],
            ),
            Sql::NextReady => (
                "SELECT min(next.due_ms) FROM unnest($1) s(scraper), \
                 (VALUES (true), (false)) l(interactive), LATERAL (SELECT q.due_ms FROM queue q \
                 WHERE q.scraper = s.scraper AND q.interactive = l.interactive \
                 AND q.node IS NULL AND q.due_ms > $2 ORDER BY q.due_ms LIMIT 1) next",
                &[Type::INT2_ARRAY, Type::INT8],
            ),
            // As a reserve does.
            // Of the budget $1 at $2, where one comes back each $4 and $3 is a minute's worth, at
            // most $5. A clock that was set back takes no more than that minute away. A crash may
            // forget what was taken in its last moments, so no disk has to be waited for.
            Sql::TakeBudget => (
                "WITH held AS (SELECT name, least(greatest(tat_us, $2), $2 + $3) AS tat_us \
                 FROM budgets WHERE name = $1 FOR UPDATE), taken AS (SELECT name, tat_us, \
                 least($5, ($2 + $3 - tat_us) / $4) AS tokens FROM held) \
                 UPDATE budgets b SET tat_us = t.tat_us + t.tokens * $4 FROM taken t \
                 WHERE b.name = t.name RETURNING t.tokens, b.tat_us - $2, \
                 set_config('synchronous_commit', 'off', true)",
                &[Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
            ),
            Sql::ClaimOutbox => (
                "WITH node AS MATERIALIZED (SELECT node FROM writers WHERE node = $1 AND slot = 0 \
                 FOR KEY SHARE), picked AS MATERIALIZED (SELECT row FROM outbox \
                 WHERE node IS NULL AND (due_ms <= $2 OR due_ms > $3) AND (due_ms, row) > ($4, $5) \
                 ORDER BY due_ms, row LIMIT $6 FOR UPDATE SKIP LOCKED) \
                 UPDATE outbox o SET node = node.node FROM node, picked WHERE o.row = picked.row",
                &[Type::INT4, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
            ),
            Sql::VisitOutbox => (
                "SELECT due_ms, row, receiver FROM outbox WHERE node = $1 \
                 AND (due_ms <= $2 OR due_ms > $3) AND (due_ms, row) > ($4, $5) \
                 ORDER BY due_ms, row LIMIT $6",
                &[Type::INT4, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8],
            ),
            Sql::NextDelivery => (
                "SELECT min(due_ms) FROM outbox WHERE due_ms > $2 \
                 AND (node IS NULL OR node = $1)",
                &[Type::INT4, Type::INT8],
            ),
        }
    }
}

/// The prepared statements of a connection.
#[derive(Default)]
pub(super) struct Prepared(HashMap<(Sql, Option<Hour>), Statement>);

impl Prepared {
    /// Forgets all statements.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns a statement that names no hour's tables, or those of `hour`.
    ///
    /// # Errors
    /// Returns an error if the server refuses it, as where the hour has no tables.
    pub(super) async fn get(
        &mut self,
        session: &PgSession,
        sql: Sql,
        hour: Hour,
    ) -> Result<Statement, PgError> {
        let (text, types) = sql.text();
        let hour = Some(hour).filter(|_| text.contains("{hour}"));
        if let Some(statement) = self.0.get(&(sql, hour)) {
            return Ok(statement.clone());
        }
        if self.0.len() >= PREPARED_MAX {
            // Those of hours that have passed are most of them.
            self.0.clear();
        }
        let text = match hour {
            Some(hour) => text.replace("{hour}", &hours::suffix(hour)),
            None => text.to_owned(),
        };
        let statement = session.within(session.prepare_typed(&text, types)).await?;
        self.0.insert((sql, hour), statement.clone());
        Ok(statement)
    }

    /// Returns a statement that names the tables of `hour`; `None` if it has none. A statement that
    /// is refused would end the transaction that it is prepared in.
    ///
    /// # Errors
    /// Returns an error if the server refuses it.
    pub(super) async fn get_if_made(
        &mut self,
        session: &PgSession,
        sql: Sql,
        hour: Hour,
    ) -> Result<Option<Statement>, PgError> {
        if !self.0.contains_key(&(sql, Some(hour))) {
            let table = HourTable::Jobs.in_hour(hour);
            let made = session.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
            if !made.get::<_, bool>(0) {
                return Ok(None);
            }
        }
        self.get(session, sql, hour).await.map(Some)
    }
}
