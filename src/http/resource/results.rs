//! `GET /results`: what the jobs of a key have found, row by row, in the order in which they were
//! done. The rows are streamed, and each has a cursor from which a later call goes on.

use std::sync::Arc;

use actix_web::body::BodyStream;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use uuid::Uuid;

use super::result_rows::{RowKind, rows, write_header, write_row};
use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::moment::moment;
use crate::http::request::params::Pairs;
use crate::http::resource::export::{Format, Formulas};
use crate::job::broken_rule;
use crate::service::{Caller, Service, ServiceError};
use crate::store::{ListFilter, ResultCursor, ResultFilter};

/// The largest `limit`, rows.
pub(crate) const ROWS_MAX: u64 = 10_000_000;
/// The words of `format`.
pub(crate) const FORMATS: [&str; 2] = ["ndjson", "csv"];
/// What makes a spreadsheet take a file for UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An export under way. Nothing of the store is held while the client takes its time.
struct ResultExport {
    service: Arc<Service>,
    filter: ResultFilter,
    kind: RowKind,
    format: Format,
    formulas: Formulas,
    /// What is read next, and how many rows of its first job are left out.
    from: ResultCursor,
    /// The last number that there was when it began; `None` once nothing is left.
    until: Option<u64>,
    /// How many rows more are asked for.
    left: u64,
    /// Lines that stand before the first row.
    head: Vec<u8>,
}

/// Streams the rows that match.
pub(crate) async fn export(mut call: ApiCall, caller: Caller) -> ApiResult {
    let pairs = call.take_query()?;
    let service = call.service().clone();
    drop(call);
    let until = service.last_completion().await?;
    let export = query(service, caller, pairs, until)?;
    let content_type = export.format.content_type();
    let body = futures_util::stream::unfold(export, |export| async {
        let read = web::block(move || export.step()).await;
        // The pool refuses only while the process ends, and the connection is cut then.
        let (export, lines) = read.ok()?;
        lines.transpose().map(|lines| (lines.map(web::Bytes::from), export))
    });
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, content_type)).body(BodyStream::new(body)))
}

impl ResultExport {
    /// Reads a page; returns its lines, or none when nothing is left. An error cuts the
    /// connection, so that a part is not taken for the whole.
    fn step(mut self) -> (ResultExport, Result<Option<Vec<u8>>, ApiError>) {
        let mut lines = std::mem::take(&mut self.head);
        while let (true, Some(until)) = (lines.is_empty(), self.until) {
            if let Err(error) = self.read_page(until, &mut lines) {
                self.until = None;
                let hours = self.service.retention_hours();
                return (self, Err(ApiError::from_service(error, hours)));
            }
        }
        let lines = (!lines.is_empty()).then_some(lines);
        (self, Ok(lines))
    }

    fn read_page(&mut self, until: u64, lines: &mut Vec<u8>) -> Result<(), ServiceError> {
        let page = self.service.completed(&self.filter, self.from.number, until)?;
        for done in &page.jobs {
            let id = self.service.id_of(&done.job).to_string();
            let known = if done.number == self.from.number { self.from.rows } else { 0 };
            for (number, mut row) in (1..).zip(rows(self.kind, done, &id)) {
                if number <= known {
                    continue;
                }
                if self.left == 0 {
                    self.until = None;
                    return Ok(());
                }
                self.left -= 1;
                let cursor = ResultCursor { number: done.number, rows: number };
                row.push(self.service.result_cursor_text(cursor).into());
                write_row(lines, self.kind, self.format, self.formulas, row);
            }
        }
        match page.next {
            // No row of it has been read.
            Some(number) if number != self.from.number => {
                self.from = ResultCursor { number, rows: 0 };
            }
            Some(_) | None => self.until = None,
        }
        Ok(())
    }
}

/// Reads the query of an export of what was done up to the number `until`.
fn query(
    service: Arc<Service>,
    caller: Caller,
    pairs: Pairs,
    until: Option<u64>,
) -> Result<ResultExport, ApiError> {
    let job = ListFilter { account: caller.account, ..ListFilter::default() };
    let mut export = ResultExport {
        filter: ResultFilter { job, ..ResultFilter::default() },
        kind: RowKind::Answers,
        format: Format::NdJson,
        formulas: Formulas::Escape,
        from: ResultCursor { number: 0, rows: 0 },
        until,
        left: u64::MAX,
        head: Vec::new(),
        service,
    };
    let mut bom = false;
    for (name, value) in pairs {
        match name.as_str() {
            "rows" => {
                let kind = RowKind::ALL.into_iter().find(|kind| kind.word() == value);
                let rule = RowKind::ALL.map(|kind| format!("`{}`", kind.word())).join(", ");
                export.kind = kind.ok_or_else(|| {
                    ApiError::invalid(
                        ErrorCode::RowsInvalid,
                        "rows",
                        &format!("one of {rule}"),
                        &value,
                    )
                })?;
            }
            "format" => {
                export.format = match value.as_str() {
                    "ndjson" => Format::NdJson,
                    "csv" => Format::Csv,
                    _ => {
                        let (code, rule) = (ErrorCode::FormatInvalid, "`ndjson` or `csv`");
                        return Err(ApiError::invalid(code, "format", rule, &value));
                    }
                }
            }
            "formulas" => {
                let (code, rule) = (ErrorCode::FormulasInvalid, "`escape` or `keep`");
                export.formulas = Formulas::of(&value)
                    .ok_or_else(|| ApiError::invalid(code, "formulas", rule, &value))?;
            }
            "bom" => {
                bom = match value.as_str() {
                    "true" | "True" | "1" => true,
                    "false" | "False" | "0" => false,
                    _ => {
                        let rule = "`true` or `false`";
                        let code = ErrorCode::ParameterInvalid;
                        return Err(ApiError::new(code, broken_rule("bom", rule, &value)));
                    }
                }
            }
            "since" => {
                let since = moment(ErrorCode::SinceInvalid, "since", &value)?;
                export.filter.since_ms = Some(since.first_ms);
            }
            "until" => {
                let until = moment(ErrorCode::UntilInvalid, "until", &value)?;
                export.filter.until_ms = Some(until.last_ms);
            }
            "scraper" => export.filter.job.scraper = Some(value),
            "label" => export.filter.job.label = Some(value),
            "tracker" => export.filter.tracker = Some(value),
            "country" => export.filter.country = Some(value.to_ascii_uppercase()),
            "batch" => {
                let id = Uuid::try_parse(&value).map_err(|_| {
                    let (code, rule) = (ErrorCode::BatchIdInvalid, "the id of a batch");
                    ApiError::invalid(code, "batch", rule, &value)
                })?;
                export.filter.job.batch = Some(id);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=ROWS_MAX).contains(limit));
                let rule = format!("1 to {ROWS_MAX} rows");
                export.left = limit.ok_or_else(|| {
                    ApiError::invalid(ErrorCode::LimitInvalid, "limit", &rule, &value)
                })?;
            }
            "after" => {
                let cursor = export.service.result_cursor(&value);
                let rule = "the `cursor` of a row of an earlier export";
                export.from = cursor.ok_or_else(|| {
                    ApiError::invalid(ErrorCode::AfterInvalid, "after", rule, &value)
                })?;
            }
            _ => {}
        }
    }
    if bom && export.format == Format::Csv {
        export.head.extend_from_slice(BYTE_ORDER_MARK);
    }
    write_header(&mut export.head, export.kind, export.format);
    Ok(export)
}
