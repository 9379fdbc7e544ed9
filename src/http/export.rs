//! A job as a line: NDJSON, or CSV as RFC 4180 writes it.

use uuid::Uuid;

use super::render;
use crate::clock::rfc3339_seconds;
use crate::job::Job;

/// The columns of the CSV, in order.
const CSV_HEADER: &[u8] = b"job_id,status,scraper,prompt,country,label,error,error_code,\
    created_at,completed_at,phase,attempts,started_at,expires_at\r\n";

/// A format with a line for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    NdJson,
    Csv,
}

impl Format {
    /// The format of a media type.
    pub fn of(media_type: &str) -> Option<Format> {
        [Format::NdJson, Format::Csv].into_iter().find(|format| {
            let known = format.content_type().split(';').next();
            known.is_some_and(|known| known.eq_ignore_ascii_case(media_type))
        })
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::NdJson => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }

    /// What stands before the first line.
    pub fn header(self) -> Option<&'static [u8]> {
        match self {
            Format::NdJson => None,
            Format::Csv => Some(CSV_HEADER),
        }
    }

    /// Adds the line of a job.
    pub fn line(self, lines: &mut Vec<u8>, job: &Job, id: Uuid) {
        match self {
            Format::NdJson => {
                lines.extend_from_slice(&render::job_object(job, id, None));
                lines.push(b'\n');
            }
            Format::Csv => csv_line(lines, job, id),
        }
    }
}

fn csv_line(lines: &mut Vec<u8>, job: &Job, id: Uuid) {
    let last = render::last_failure(&job.state);
    let error = last.filter(|_| job.state.finished());
    let time = |at_ms: Option<u64>| at_ms.map(rfc3339_seconds).unwrap_or_default();
    let cells: [&str; 14] = [
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
        render::phase(&job.state),
        &job.attempts.to_string(),
        &time(job.started_ms),
        &time(Some(job.expires_ms)),
    ];
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            lines.push(b',');
        }
        if cell.contains([',', '"', '\r', '\n']) {
            lines.push(b'"');
            lines.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            lines.push(b'"');
        } else {
            lines.extend_from_slice(cell.as_bytes());
        }
    }
    lines.extend_from_slice(b"\r\n");
}
