//! A job as a line: NDJSON, or CSV as RFC 4180 writes it.

use std::borrow::Cow;

use uuid::Uuid;

use crate::api::{JobPhase, job_object};
use crate::clock::rfc3339_seconds;
use crate::job::Job;

/// The columns of the CSV, in order.
const CSV_HEADER: &[u8] = b"job_id,status,scraper,prompt,country,label,error,error_code,\
    created_at,completed_at,phase,attempts,started_at,expires_at,present\r\n";

/// The treatment of cells that a spreadsheet would take for a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formulas {
    /// They get a `'` in front (OWASP, "CSV Injection").
    Escape,
    Keep,
}

impl Formulas {
    /// Returns the choice of this word.
    pub fn of(word: &str) -> Option<Formulas> {
        match word {
            "escape" => Some(Formulas::Escape),
            "keep" => Some(Formulas::Keep),
            _ => None,
        }
    }

    /// Returns a cell as it is written. A number is escaped too: `+49` is text and no sum, and no
    /// column of an export has numbers below zero.
    pub fn cell(self, text: &str) -> Cow<'_, str> {
        let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        match self {
            Formulas::Escape if runs => Cow::Owned(format!("'{text}")),
            Formulas::Escape | Formulas::Keep => Cow::Borrowed(text),
        }
    }
}

/// A format with a line for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    NdJson,
    Csv,
}

impl Format {
    /// Returns the format of a media type.
    pub(crate) fn of(media_type: &str) -> Option<Format> {
        [Format::NdJson, Format::Csv].into_iter().find(|format| {
            let known = format.content_type().split(';').next();
            known.is_some_and(|known| known.eq_ignore_ascii_case(media_type))
        })
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::NdJson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }

    /// Returns what stands before the first line.
    pub(crate) fn header(self) -> Option<&'static [u8]> {
        match self {
            Format::NdJson => None,
            Format::Csv => Some(CSV_HEADER),
        }
    }

    /// Adds the line of a job.
    pub(crate) fn line(self, lines: &mut Vec<u8>, job: &Job, id: Uuid, formulas: Formulas) {
        match self {
            Format::NdJson => {
                lines.extend_from_slice(&job_object(job, id, None));
                lines.push(b'\n');
            }
            Format::Csv => csv_line(lines, job, id, formulas),
        }
    }
}

fn csv_line(lines: &mut Vec<u8>, job: &Job, id: Uuid, formulas: Formulas) {
    let last = job.state.last_failure();
    let error = last.filter(|_| job.state.finished());
    let time = |at_ms: Option<u64>| at_ms.map(rfc3339_seconds).unwrap_or_default();
    let cells: [&str; 15] = [
        &id.to_string(),
        job.state.status(),
        &job.request.scraper,
        &job.request.prompt,
        &job.request.country,
        job.label.as_deref().unwrap_or_default(),
        error.map_or("", |error| error.sentence.as_str()),
        last.map_or("", |last| last.reason.code()),
        &time(Some(job.created_ms)),
        &time(job.completed_ms),
        JobPhase::from(&job.state).word(),
        &job.attempts.to_string(),
        &time(job.started_ms),
        &time(Some(job.expires_ms)),
        job.present.map_or("", |present| if present { "true" } else { "false" }),
    ];
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(lines);
    // Memory takes every byte.
    let _ = writer.write_record(cells.into_iter().map(|cell| formulas.cell(cell).into_owned()));
}
