//! `db export` of a shared store: its jobs hour by hour, beside the processes that run.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::command::{self, StoreOfCommand};
use super::error::ErrorClass;
use super::hours;
use super::options::pg_options;
use super::pg_options::PgOptions;
use super::row_number::Hour;
use crate::config::SharedStoreSettings;
use crate::job::{Job, State};
use crate::store::{ExportReport, HoursProgress, Row, Store, StoreError, record};

/// The most jobs that are in memory at once, with their results.
const ROWS_MAX: i64 = 250;
const JOBS: &str = "
    SELECT j.row, j.asked, coalesce(e.standing, q.standing), e.result
    FROM jobs_{hour} j LEFT JOIN ends_{hour} e ON e.row = j.row LEFT JOIN queue q ON q.row = j.row
    WHERE j.row > $1 ORDER BY j.row LIMIT $2";

/// A function that renders a job with its id and its result as a line.
pub(super) type JobLine<'a> = &'a dyn Fn(&Job, Uuid, Option<&[u8]>) -> Vec<u8>;

impl Store {
    /// Writes every job of a shared store that can be read as a line of JSON, the oldest hour
    /// first; `line` renders it. Its processes go on meanwhile: a job that is submitted later may
    /// be among them or not. `seen` gets the progress. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or has no store, or `out` cannot be written.
    pub fn export_shared(
        settings: &SharedStoreSettings,
        out: &mut dyn Write,
        line: impl Fn(&Job, Uuid, Option<&[u8]>) -> Vec<u8>,
        seen: &mut dyn FnMut(HoursProgress),
    ) -> Result<ExportReport, StoreError> {
        export(&pg_options(settings), out, &line, seen)
    }
}

/// Exports the store of these options. Blocks.
///
/// # Errors
/// Returns an error if the database fails or has no store, or `out` cannot be written.
pub(super) fn export(
    options: &PgOptions,
    out: &mut dyn Write,
    line: JobLine<'_>,
    seen: &mut dyn FnMut(HoursProgress),
) -> Result<ExportReport, StoreError> {
    command::run(async {
        let store = StoreOfCommand::find(options).await?;
        let hours = hours::all(&store.session).await?;
        let mut report = ExportReport::default();
        for (number, hour) in (0..).zip(&hours) {
            let mut tell = |jobs| {
                seen(HoursProgress { hours: number, hours_total: hours.len() as u64, jobs });
            };
            export_hour(&store, *hour, out, line, &mut report, &mut tell).await?;
        }
        Ok(report)
    })
}

async fn export_hour(
    store: &StoreOfCommand,
    hour: Hour,
    out: &mut dyn Write,
    line: JobLine<'_>,
    report: &mut ExportReport,
    seen: &mut impl FnMut(u64),
) -> Result<(), StoreError> {
    // A scraper may be new.
    let scrapers = command::scraper_names(&store.session).await?;
    let text = JOBS.replace("{hour}", &hours::suffix(hour));
    let mut after = -1_i64;
    loop {
        let page = match store.session.query(text.as_str(), &[&after, &ROWS_MAX]).await {
            // All its jobs have expired.
            Err(error) if error.class() == ErrorClass::TableMissing => return Ok(()),
            page => page?,
        };
        let Some(last) = page.last() else { return Ok(()) };
        after = last.get(0);
        for row in &page {
            let Some(mut json) = rendered(store, row, &scrapers, line, report) else { continue };
            json.push(b'\n');
            report.written += 1;
            out.write_all(&json).map_err(|error| {
                let (path, error) = ("stdout".to_owned(), Arc::new(error));
                StoreError::Directory { path, error }
            })?;
        }
        seen(report.written);
    }
}

/// Renders a job that was found; `None` for one that cannot be read, or has expired before it could
/// end.
fn rendered(
    store: &StoreOfCommand,
    found: &PgRow,
    scrapers: &HashMap<u16, String>,
    line: JobLine<'_>,
    report: &mut ExportReport,
) -> Option<Vec<u8>> {
    let row = found.get::<_, i64>(0) as Row;
    let standing: &[u8] = found.get::<_, Option<&[u8]>>(2)?;
    let name = |number: u16| scrapers.get(&number).cloned();
    let read = record::decode_halves(row, found.get(1), standing, name);
    let job = match read {
        Ok((job, _)) => job,
        Err(error) => {
            report.unreadable(format!("job row {row}: {}", error.kind()));
            return None;
        }
    };
    let id = store.cipher.seal(row, job.nonce);
    let result = match found.get::<_, Option<&[u8]>>(3) {
        Some(bytes) => record::decode_result(row, bytes).map(Some),
        None if job.state == State::Done => Err(StoreError::Damaged("a result is missing")),
        None => Ok(None),
    };
    let result = result.unwrap_or_else(|error| {
        report.unreadable(format!("the result of job {id}: {}", error.kind()));
        None
    });
    Some(line(&job, id, result))
}
