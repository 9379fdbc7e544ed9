//! What is read of jobs and of the indexes: nothing here writes.

use std::ops::ControlFlow;

use redb::{ReadableTable, TableDefinition, Value};
use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::tables;
use crate::clock::UnixMs;
use crate::job::{Job, State};
use crate::store::record::SealedResult;
use crate::store::{Blocking, Cached, Credits, Row, StoreError, record};

impl Embedded {
    pub(crate) async fn read_job<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        self.read_row(plain.row, now_ms, |job, result| {
            plain.has_nonce(job.nonce).then(|| read(job, result))
        })
        .await
        .map(Option::flatten)
    }

    pub(crate) async fn read_row<T>(
        &self,
        row: Row,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.read(|snapshot| self.row_in(snapshot, row, now_ms, read))
    }

    /// Does what [`Store::read_row`] does, of a state that is read already.
    pub(super) fn row_in<T>(
        &self,
        snapshot: &Snapshot,
        row: Row,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.sealed_row_in(snapshot, row, now_ms, |job, result| {
            read(job, result.map(|result| result.json))
        })
    }

    /// Does what [`Store::row_in`] does, with the checksum of the result.
    pub(super) fn sealed_row_in<T>(
        &self,
        snapshot: &Snapshot,
        row: Row,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<SealedResult<'_>>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let tables = snapshot.rows()?;
        let Some(bytes) = tables.jobs.get(row)? else { return Ok(None) };
        let (job, _) = record::decode_job(
            row,
            bytes.value(),
            |number| self.shared.scrapers.name(number),
            || Ok(tables.prompts.get(row)?.map(|prompt| prompt.value().to_owned())),
        )?;
        if job.expires_ms <= now_ms {
            return Ok(None);
        }
        if job.state != State::Done {
            return Ok(Some(read(&job, None)));
        }
        let stored = tables.results.get(row)?.ok_or(StoreError::Damaged("a result is missing"))?;
        Ok(Some(read(&job, Some(record::decode_sealed_result(row, stored.value())?))))
    }

    pub(crate) async fn cached(
        &self,
        hash: u128,
        from_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Option<Cached>, StoreError> {
        let Some(entry) = self.shared.cache_index().get(hash, from_ms, now_ms) else {
            return Ok(None);
        };
        let found = self.read_row(entry.row, now_ms, |job, result| {
            let json = result?.to_vec();
            Some(Cached { stored_ms: entry.stored_ms, request: job.request.clone(), json })
        });
        Ok(found.await?.flatten())
    }

    pub(crate) async fn visit_ready(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        mut visit: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let ready = snapshot.open_table(tables::READY)?;
            let due = (scraper, interactive, 0, 0)..=(scraper, interactive, now_ms, Row::MAX);
            for entry in ready.range(due)? {
                if visit(entry?.0.value().3).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    pub(crate) fn reserve(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        most: usize,
        is_held: impl Fn(Row) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let mut reserved = Vec::new();
        let visit = |row| {
            if reserved.len() >= most {
                return ControlFlow::Break(());
            }
            if !is_held(row) {
                reserved.push(row);
            }
            ControlFlow::Continue(())
        };
        self.visit_ready(scraper, interactive, now_ms, visit).wait()?;
        Ok(reserved)
    }

    pub(crate) fn next_ready_ms(
        &self,
        scrapers: &[u16],
        now_ms: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let ready = snapshot.open_table(tables::READY)?;
            let mut earliest_ms = None;
            let lanes = scrapers.iter().flat_map(|scraper| [(*scraper, true), (*scraper, false)]);
            for (scraper, interactive) in lanes {
                let after = (scraper, interactive, now_ms.saturating_add(1), 0);
                let mut later = ready.range(after..=(scraper, interactive, u64::MAX, Row::MAX))?;
                let due_ms = later.next().transpose()?.map(|(key, _)| key.value().2);
                earliest_ms = earliest_ms.into_iter().chain(due_ms).min();
            }
            Ok(earliest_ms)
        })
    }

    pub(crate) fn next_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.earliest_ms(tables::EXPIRY)
    }

    pub(crate) fn last_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let expiry = snapshot.open_table(tables::EXPIRY)?;
            Ok(expiry.last()?.map(|(key, _)| key.value().0))
        })
    }

    pub(crate) fn newest_created_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let newest = snapshot.rows()?.jobs.last()?.map(|(row, _)| row.value());
            // At the beginning of time nothing has expired.
            newest.map_or(Ok(None), |row| self.row_in(snapshot, row, 0, |job, _| job.created_ms))
        })
    }

    pub(crate) fn next_deadline_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.earliest_ms(tables::DEADLINES)
    }

    pub(crate) fn oldest_cached_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.earliest_ms(tables::CACHE)
    }

    pub(crate) async fn credits(&self, account: &str, month: u32) -> Result<Credits, StoreError> {
        self.read(|snapshot| {
            let credits = snapshot.open_table(tables::CREDITS)?;
            let stored = credits.get((account, month))?;
            stored.map_or(Ok(Credits::default()), |bytes| {
                record::decode_credits(month, bytes.value())
            })
        })
    }

    /// The earliest time in a table whose keys begin with one.
    fn earliest_ms<V: Value + 'static>(
        &self,
        table: TableDefinition<(u64, Row), V>,
    ) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let table = snapshot.open_table(table)?;
            Ok(table.first()?.map(|(key, _)| key.value().0))
        })
    }
}
