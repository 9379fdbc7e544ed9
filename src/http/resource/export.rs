//! A job as a line: NDJSON, or CSV as RFC 4180 writes it.

use std::borrow::Cow;

use crate::api::JobView;

/// The columns of the CSV, in order. `searched` is what `GET /results` calls so.
const CSV_HEADER: &[u8] = b"job_id,status,scraper,prompt,country,label,error,error_code,\
    created_at,completed_at,phase,attempts,started_at,expires_at,present,seconds,searched,\
    account\r\n";

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

    /// Adds the line of a job, as a list has it.
    pub(crate) fn line(self, lines: &mut Vec<u8>, job: &JobView<'_>, formulas: Formulas) {
        match self {
            Format::NdJson => {
                // Text and numbers always serialize, and memory takes every byte.
                let _ = serde_json::to_writer(&mut *lines, job);
                lines.push(b'\n');
            }
            Format::Csv => csv_line(lines, job, formulas),
        }
    }
}

fn csv_line(lines: &mut Vec<u8>, job: &JobView<'_>, formulas: Formulas) {
    let number = |number: Option<f64>| number.map(|it| it.to_string()).unwrap_or_default();
    let word = |known: Option<bool>| known.map(|it| it.to_string()).unwrap_or_default();
    let cells: [&str; 18] = [
        &job.job_id.0,
        job.status.word(),
        &job.scraper,
        &job.prompt,
        &job.country,
        job.label.as_deref().unwrap_or_default(),
        job.error.as_deref().unwrap_or_default(),
        job.error_code.as_deref().unwrap_or_default(),
        &job.created_at.0,
        job.completed_at.as_ref().map_or("", |at| at.0.as_str()),
        job.phase.word(),
        &job.attempts.to_string(),
        job.started_at.as_ref().map_or("", |at| at.0.as_str()),
        &job.expires_at.0,
        &word(job.present),
        &number(job.seconds),
        &word(job.search.as_ref().and_then(|search| search.made)),
        job.account.as_deref().unwrap_or_default(),
    ];
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(lines);
    // Memory takes every byte.
    let _ = writer.write_record(cells.into_iter().map(|cell| formulas.cell(cell).into_owned()));
}
