//! `answerd export`: what the jobs of a key have found, row by row, into a file that a later call
//! goes on with, or to stdout.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::job_filters::country_code;
use super::jobs::ServerArgs;
use super::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  answerd export --rows citations --out citations.csv
  answerd export --label nightly --since 2026-05-11 | jq -r .result
  answerd export --rows sources --format csv --formulas keep > sources.csv";

/// The length of a cursor, characters.
const CURSOR_CHARS: usize = 32;
/// How much is copied at once, bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Export what the jobs of a key have found
///
/// A row for each answer, or for each source, citation, search query, product or mention of a
/// brand, in the order in which the jobs were done. With --out, rows that the file has already are
/// not asked for again: the same command adds what has come since, and goes on where it was
/// stopped.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What a row is
    #[arg(
        long, default_value = "answers", value_name = "WHAT",
        value_parser = [
            "answers", "sources", "citations", "search_queries", "products", "mentions",
        ]
    )]
    rows: String,
    /// A file to write to, or to go on with; its name says the format [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// ndjson or csv [default: by the name of --out, else ndjson]
    #[arg(long, value_parser = ["ndjson", "csv"])]
    format: Option<String>,
    /// Only jobs done at this time or later: RFC 3339, a date, or Unix seconds
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only jobs done at this time or earlier; a date is its whole day
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only jobs of this scraper
    #[arg(long, value_name = "NAME")]
    scraper: Option<String>,
    /// Only jobs with this label
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Only jobs asked in this country
    #[arg(long, value_name = "CODE", value_parser = country_code)]
    country: Option<String>,
    /// Only jobs of this batch
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Only jobs measured by this tracker
    #[arg(long, value_name = "NAME")]
    tracker: Option<String>,
    /// Cells of CSV that a spreadsheet would run: escape puts a ' before them, keep leaves them
    #[arg(long, default_value = "escape", value_parser = ["escape", "keep"])]
    formulas: String,
    /// Begin CSV with a byte order mark, by which Excel knows UTF-8
    #[arg(long)]
    bom: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// The whole rows of a file.
struct Written {
    /// Where they end, bytes.
    end: u64,
    /// The cursor of the last one.
    cursor: Option<String>,
}

/// Writes the rows that are not there yet.
///
/// # Errors
/// Returns an error if the server refuses or cannot be reached, or the file cannot be written.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let named_csv = args.out.as_deref().and_then(Path::extension).is_some_and(|it| it == "csv");
    let by_name = if named_csv { "csv" } else { "ndjson" };
    let format = args.format.as_deref().unwrap_or(by_name).to_owned();
    let is_csv = format == "csv";
    let unusable = |error: io::Error| {
        let file = args.out.as_deref().unwrap_or(Path::new("stdout")).display();
        CommandError::WrongUse(format!("cannot use {file}: {error}"))
    };
    let mut file = None;
    let mut known = Written { end: 0, cursor: None };
    if let Some(path) = &args.out {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut opened = opened.map_err(unusable)?;
        known = if is_csv { csv_rows(&opened) } else { ndjson_rows(&opened) }.map_err(unusable)?;
        opened.set_len(known.end).map_err(unusable)?;
        opened.seek(SeekFrom::End(0)).map_err(unusable)?;
        file = Some(opened);
    }
    let resumed = known.cursor.is_some();
    let query: Vec<(&str, String)> = [
        ("rows", Some(args.rows.clone())),
        ("format", Some(format)),
        ("formulas", Some(args.formulas.clone())),
        ("since", args.since.clone()),
        ("until", args.until.clone()),
        ("scraper", args.scraper.clone()),
        ("label", args.label.clone()),
        ("country", args.country.clone()),
        ("batch", args.batch.clone()),
        ("tracker", args.tracker.clone()),
        ("bom", (args.bom && !resumed).then(|| "true".to_owned())),
        ("after", known.cursor),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    let client = args.server.client()?;
    let mut body = BufReader::new(client.download(&["results"], &query)?);
    if is_csv && resumed {
        // The file has the line of the columns.
        let mut header = Vec::new();
        body.read_until(b'\n', &mut header).map_err(|error| broken_off(&error))?;
    }
    let progress = Progress::working("exporting", console);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes: u64 = 0;
    loop {
        let read = body.read(&mut chunk).map_err(|error| broken_off(&error))?;
        if read == 0 {
            break;
        }
        match &mut file {
            Some(file) => file.write_all(&chunk[..read]).map_err(unusable)?,
            None => console.bytes(&chunk[..read])?,
        }
        bytes += read as u64;
        progress.say(format!("exporting, {} KiB", bytes / 1024));
    }
    drop(progress);
    if let Some(file) = &file {
        file.sync_all().map_err(unusable)?;
        let what = if resumed { "added" } else { "written" };
        console.note(&format!("{bytes} bytes {what}"));
    }
    Ok(ExitCode::Done)
}

/// Finds the whole rows of NDJSON.
fn ndjson_rows(file: &File) -> io::Result<Written> {
    #[derive(serde::Deserialize)]
    struct LastRow {
        cursor: String,
    }
    let mut written = Written { end: 0, cursor: None };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        let row: LastRow = serde_json::from_slice(&line).map_err(|_| foreign())?;
        written.end += line.len() as u64;
        written.cursor = Some(row.cursor);
        line.clear();
    }
    Ok(written)
}

/// Finds the whole rows of CSV. Their last cell is the cursor.
fn csv_rows(file: &File) -> io::Result<Written> {
    let mut reader = csv::Reader::from_reader(BufReader::new(file));
    let headers = reader.byte_headers().map_err(|_| foreign())?.clone();
    if !headers.is_empty() && headers.iter().next_back() != Some(b"cursor") {
        return Err(foreign());
    }
    // The last of them may have been cut off, which shows at its end.
    let mut last = Written { end: 0, cursor: None };
    let mut before = Written { end: 0, cursor: None };
    let mut record = csv::ByteRecord::new();
    // A row that was cut off has too few cells, or a cursor that is too short.
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let cursor = record.iter().next_back().unwrap_or_default();
        if cursor.len() != CURSOR_CHARS {
            break;
        }
        let cursor = Some(String::from_utf8_lossy(cursor).into_owned());
        before = std::mem::replace(&mut last, Written { end: reader.position().byte(), cursor });
    }
    for found in [last, before] {
        if let Some(end) = line_end(file, found.end)? {
            return Ok(Written { end, ..found });
        }
    }
    Ok(Written { end: 0, cursor: None })
}

/// Returns where the line break ends that is at a place in a file; the reader may have left its
/// second byte for later.
fn line_end(mut file: &File, at: u64) -> io::Result<Option<u64>> {
    let Some(from) = at.checked_sub(2) else { return Ok(None) };
    file.seek(SeekFrom::Start(from))?;
    let mut around = Vec::new();
    file.take(3).read_to_end(&mut around)?;
    let place = around.windows(2).position(|pair| pair == b"\r\n");
    Ok(place.map(|place| from + place as u64 + 2))
}

fn broken_off(error: &io::Error) -> CommandError {
    let again = "with --out the same command goes on from there";
    CommandError::Interrupted(format!("the export was broken off ({error}); {again}"))
}

fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it holds something else than rows of an export")
}
