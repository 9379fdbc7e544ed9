//! Where `answerd batch` writes: a line for each line of the input, as JSON or as CSV. A file has
//! its name only once it is complete.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::input::InputLine;
use crate::api::ItemRefusal;
use crate::cli::console::Console;
use crate::cli::error::CommandError;
use crate::http::Formulas;

/// The columns after the input's own.
const COLUMNS: [&str; 8] = [
    "job_id",
    "status",
    "result",
    "result_markdown",
    "error_code",
    "error",
    "credits_used",
    "cached",
];

/// The outcome of a line: its job object once that has ended, or the `error` of the item that was
/// refused.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Ended(Value),
    Rejected(ItemRefusal),
}

enum Format {
    NdJson,
    Csv { columns: Vec<String>, formulas: Formulas },
}

/// The output under way.
pub(crate) struct Output {
    format: Format,
    /// `None` writes to stdout.
    file: Option<(NamedTempFile, PathBuf)>,
}

impl Output {
    /// Opens the output: `path` ending in `.csv` is CSV with `columns` first; without a path it is
    /// NDJSON on stdout.
    ///
    /// # Errors
    /// Returns an error if a file cannot be made beside `path`.
    pub(crate) fn open(
        path: Option<&Path>,
        columns: &[String],
        formulas: Formulas,
    ) -> Result<Output, CommandError> {
        let Some(path) = path else { return Ok(Output { format: Format::NdJson, file: None }) };
        let csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(directory).map_err(|error| unwritable(path, &error))?;
        let format =
            if csv { Format::Csv { columns: columns.to_vec(), formulas } } else { Format::NdJson };
        let mut output = Output { format, file: Some((file, path.to_owned())) };
        if csv {
            let names = columns.iter().map(String::as_str).chain(COLUMNS);
            let header = csv_line(names.map(|name| formulas.cell(name)))?;
            output.write_file(&header)?;
        }
        Ok(output)
    }

    /// Adds the line of `line`, the input's line number `index` from 0.
    ///
    /// # Errors
    /// Returns an error if the output cannot be written.
    pub(crate) fn line(
        &mut self,
        index: usize,
        line: &InputLine,
        outcome: &Outcome,
        console: &mut Console,
    ) -> Result<(), CommandError> {
        let text = match &self.format {
            Format::NdJson => {
                let mut document = json!({ "index": index, "input": line.fields() });
                match outcome {
                    Outcome::Ended(job) => document["job"] = job.clone(),
                    Outcome::Rejected(error) => document["error"] = json!(error),
                }
                format!("{document}\n").into_bytes()
            }
            Format::Csv { columns, formulas } => {
                let own = columns.iter().map(|name| cell(line.fields().get(name)));
                let cells: Vec<String> = own.chain(cells(outcome)).collect();
                csv_line(cells.iter().map(|cell| formulas.cell(cell)))?
            }
        };
        if self.file.is_some() {
            self.write_file(&text)
        } else {
            Ok(console.result(&String::from_utf8_lossy(&text))?)
        }
    }

    /// Returns the file its name.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        let Some((file, path)) = self.file else { return Ok(()) };
        file.as_file().sync_all().map_err(|error| unwritable(&path, &error))?;
        file.persist(&path).map_err(|error| unwritable(&path, &error.error))?;
        Ok(())
    }

    fn write_file(&mut self, text: &[u8]) -> Result<(), CommandError> {
        let Some((file, path)) = &mut self.file else { return Ok(()) };
        file.write_all(text).map_err(|error| unwritable(path, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::WrongUse(format!("{} cannot be written: {error}", path.display()))
}

fn cells(outcome: &Outcome) -> impl Iterator<Item = String> {
    COLUMNS.into_iter().map(move |name| match outcome {
        Outcome::Ended(job) => match name {
            "result" | "result_markdown" | "credits_used" | "cached" => {
                cell(job["result"].get(name))
            }
            _ => cell(job.get(name)),
        },
        Outcome::Rejected(error) => match name {
            "status" => "refused".to_owned(),
            "error_code" => error.code.to_string(),
            "error" => error.detail.clone(),
            _ => String::new(),
        },
    })
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn csv_line<'a>(cells: impl Iterator<Item = Cow<'a, str>>) -> Result<Vec<u8>, CommandError> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let cells = cells.map(Cow::into_owned);
    let written = writer.write_record(cells).map_err(std::io::Error::from);
    written.map_err(CommandError::Output)?;
    writer.into_inner().map_err(|error| CommandError::Output(error.into_error()))
}
