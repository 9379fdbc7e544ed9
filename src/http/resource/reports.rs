//! `GET /reports`: rates over what a tracker has measured, as JSON, NDJSON or CSV.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web;
use serde_json::Value;

use crate::api::{ErrorCode, ReportRowView, ReportView, calendar_date};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult, HandlerError};
use crate::http::request::moment::moment;
use crate::http::request::params::{Pairs, boolean};
use crate::http::resource::export::{Format, Formulas};
use crate::http::resource::trackers::version_number;
use crate::measure::Dimension;
use crate::service::{Branded, Caller, REPORT_TOP_MAX, ReportRequest, Service};

/// The columns of the CSV, in order.
const COLUMNS: [&str; 31] = [
    "day",
    "week",
    "scraper",
    "country",
    "label",
    "brand",
    "answers",
    "absent",
    "measured",
    "searched",
    "unsearched",
    "citable",
    "mentioned",
    "mention_rate",
    "mention_low",
    "mention_high",
    "cited",
    "citation_rate",
    "citation_low",
    "citation_high",
    "share",
    "mean_rank",
    "spread",
    "kinds",
    "top_domains",
    "new_domains",
    "lost_domains",
    "new_cited",
    "lost_cited",
    "overlap",
    "version",
];

/// The columns of the CSV behind those, where pages are asked for.
const PAGE_COLUMNS: [&str; 5] =
    ["top_pages", "new_pages", "lost_pages", "new_cited_pages", "lost_cited_pages"];

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    Json,
    Lines(Format),
}

/// Returns a report.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let (asked, format) = asked(call.query()?)?;
    let service = call.service().clone();
    let has_pages = asked.listing.pages;
    drop(call);
    let report = view(service, caller, asked).await?;
    match format {
        ReportFormat::Json => Ok(HttpResponse::Ok().json(report)),
        ReportFormat::Lines(lines) => {
            let body = match lines {
                Format::NdJson => ndjson(&report.rows)?,
                Format::Csv => csv_lines(&report.rows, report.version, has_pages)?,
            };
            let content_type = (CONTENT_TYPE, lines.content_type());
            Ok(HttpResponse::Ok().insert_header(content_type).body(body))
        }
    }
}

/// Reads what a report is asked of, and its form.
///
/// # Errors
/// Returns an error if the tracker is missing, or a parameter breaks its rule.
pub(crate) fn asked(query: &Pairs) -> Result<(ReportRequest, ReportFormat), ApiError> {
    let mut asked = ReportRequest::default();
    let mut format = ReportFormat::Json;
    let mut tracker = None;
    for (name, value) in query {
        match name.as_str() {
            "tracker" => tracker = Some(value.clone()),
            "version" => asked.version = Some(version_number(value)?),
            "since" => {
                let since = moment(ErrorCode::SinceInvalid, "since", value)?;
                asked.since_ms = Some(since.first_ms);
            }
            "until" => {
                let until = moment(ErrorCode::UntilInvalid, "until", value)?;
                asked.until_ms = Some(until.last_ms);
            }
            "by" => asked.by = dimensions(value)?,
            "branded" => asked.branded = branded(value)?,
            "format" => format = report_format(value)?,
            "scraper" => asked.scraper = Some(value.clone()),
            "country" => asked.country = Some(value.to_ascii_uppercase()),
            "label" => asked.label = Some(value.clone()),
            "top" => asked.listing.top = top(value)?,
            "pages" => asked.listing.pages = boolean("pages", value.clone())?,
            _ => {}
        }
    }
    asked.tracker = tracker
        .filter(|tracker| !tracker.is_empty())
        .ok_or_else(|| ApiError::from(ErrorCode::TrackerMissing))?;
    Ok((asked, format))
}

/// Returns a report as `GET /reports` does.
///
/// # Errors
/// Returns an error if there is no such tracker or version, the report would be too long, or the
/// store failed.
pub(crate) async fn view(
    service: Arc<Service>,
    caller: Caller,
    asked: ReportRequest,
) -> Result<ReportView, HandlerError> {
    let tracker = asked.tracker.clone();
    let reply = web::block(move || service.report(&caller, &asked)).await??;
    Ok(ReportView {
        tracker,
        version: reply.version,
        since: calendar_date(reply.window.first),
        until: calendar_date(reply.window.last),
        rows: reply.rows.into_iter().map(ReportRowView::from).collect(),
    })
}

fn dimensions(value: &str) -> Result<Vec<Dimension>, ApiError> {
    let mut by = Vec::new();
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let known = Dimension::ALL.into_iter().find(|(known, _)| *known == word);
        let (_, dimension) = known.ok_or_else(|| by_invalid(value))?;
        if !by.contains(&dimension) {
            by.push(dimension);
        }
    }
    if by.contains(&Dimension::Day) && by.contains(&Dimension::Week) {
        return Err(by_invalid(value));
    }
    Ok(by)
}

fn by_invalid(given: &str) -> ApiError {
    let rule = "a list of `scraper`, `country`, `label`, `brand`, and `day` or `week`";
    ApiError::invalid(ErrorCode::ByInvalid, "by", rule, given)
}

fn branded(value: &str) -> Result<Branded, ApiError> {
    match value {
        "exclude" => Ok(Branded::Exclude),
        "include" => Ok(Branded::Include),
        "only" => Ok(Branded::Only),
        _ => {
            let rule = "`exclude`, `include` or `only`";
            Err(ApiError::invalid(ErrorCode::BrandedInvalid, "branded", rule, value))
        }
    }
}

fn top(value: &str) -> Result<usize, ApiError> {
    let top = value.parse().ok().filter(|top| (1..=REPORT_TOP_MAX).contains(top));
    top.ok_or_else(|| {
        let rule = format!("1 to {REPORT_TOP_MAX}");
        ApiError::invalid(ErrorCode::TopInvalid, "top", &rule, value)
    })
}

fn report_format(value: &str) -> Result<ReportFormat, ApiError> {
    match value {
        "json" => Ok(ReportFormat::Json),
        "csv" => Ok(ReportFormat::Lines(Format::Csv)),
        "ndjson" => Ok(ReportFormat::Lines(Format::NdJson)),
        _ => {
            let rule = "`json`, `csv` or `ndjson`";
            Err(ApiError::invalid(ErrorCode::FormatInvalid, "format", rule, value))
        }
    }
}

/// Returns a row of a report as JSON. Numbers, texts and lists of them can always be written.
fn as_value(row: &ReportRowView) -> Result<Value, ApiError> {
    serde_json::to_value(row).map_err(|_| ErrorCode::StorageFailed.into())
}

fn ndjson(rows: &[ReportRowView]) -> Result<Vec<u8>, ApiError> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend_from_slice(as_value(row)?.to_string().as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

fn csv_lines(rows: &[ReportRowView], version: u32, has_pages: bool) -> Result<Vec<u8>, ApiError> {
    let columns = || COLUMNS.iter().chain(PAGE_COLUMNS.iter().filter(|_| has_pages));
    let mut lines = Vec::new();
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut lines);
    // Memory takes every byte.
    let _ = writer.write_record(columns());
    for row in rows {
        let mut row = as_value(row)?;
        row["version"] = version.into();
        let cell = |column: &&str| {
            let value = row.get(*column).unwrap_or(&row["since_before"][*column]);
            Formulas::Escape.cell(&cell_text(value)).into_owned()
        };
        let _ = writer.write_record(columns().map(cell));
    }
    drop(writer);
    Ok(lines)
}

/// Returns a value as a cell: nothing for null, and the entries of a list with spaces between them.
fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(cell_text).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            let name = fields.get("domain").or_else(|| fields.get("url"));
            name.map(cell_text).unwrap_or_default()
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
