//! The file of `answerd batch`: CSV with a header, a JSON object on each line, or a prompt on each
//! line.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::api::{Kind, Parameter, Scope};
use crate::cli::error::CommandError;
use crate::job::RawRequest;

/// The most lines of a file.
pub(crate) const LINES_MAX: usize = 100_000;
/// The largest file, bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The longest header of a CSV file, bytes.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// What separates cells, in the order in which it is tried: spreadsheets of many countries write
/// `;`.
const SEPARATORS: [u8; 3] = *b",;\t";
/// The column that every file has.
const PROMPT: &str = "prompt";

/// The column of the scraper to ask.
const SCRAPER: &str = "scraper";

/// Returns the parameter that a column or field of this name is; all others are the user's own.
fn parameter(name: &str) -> Option<&'static Parameter> {
    Parameter::named(name).filter(|parameter| parameter.scope == Scope::Scrape)
}

/// A line of the file, as its fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputLine(Map<String, Value>);

impl InputLine {
    /// Returns all of its fields.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Returns whether it names a scraper.
    pub(crate) fn has_scraper(&self) -> bool {
        self.0.get(SCRAPER).is_some_and(|name| !name.is_null())
    }

    /// Returns the fields that are sent.
    pub(crate) fn parameters(&self) -> Map<String, Value> {
        let sent = |name: &str| name == SCRAPER || parameter(name).is_some();
        let sent = self.0.iter().filter(|(name, _)| sent(name));
        sent.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// A header with the column `prompt`, and a prompt in each record
    Csv,
    /// A JSON object on each line
    Ndjson,
    /// A prompt on each line
    Txt,
}

/// The content of a file.
#[derive(Debug)]
pub(crate) struct Input {
    pub lines: Vec<InputLine>,
    /// The names in the order in which they first stand in the file.
    pub columns: Vec<String>,
}

/// Reads a file, or stdin where the path is `-`. Without a format its name says which it is, and
/// the first line of what comes from stdin.
///
/// # Errors
/// Returns an error if it cannot be read, its format is unknown, it is too large, or it has an
/// invalid line.
pub(crate) fn read(path: &Path, format: Option<InputFormat>) -> Result<Input, CommandError> {
    let from_stdin = path.as_os_str() == "-";
    let name = if from_stdin { "stdin".to_owned() } else { path.display().to_string() };
    let wrong = |what: String| CommandError::WrongUse(format!("{name}: {what}"));
    let unreadable = |error: io::Error| wrong(format!("cannot be read: {error}"));
    let input = if from_stdin {
        read_from(io::stdin().lock(), format)
    } else {
        let named = format.or_else(|| format_of(path));
        let format = named.ok_or_else(|| {
            wrong("its name must end in .csv, .ndjson, .jsonl or .txt; or give --format".into())
        })?;
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(wrong(too_large()));
        }
        read_from(BufReader::new(file), Some(format))
    };
    let input = input.map_err(wrong)?;
    match input.lines.len() {
        0 => Err(wrong("there is no line with a prompt".into())),
        1..=LINES_MAX => Ok(input),
        lines => Err(wrong(format!("must have at most {LINES_MAX} lines; it has {lines}"))),
    }
}

/// Returns the format that the name of a file says.
fn format_of(path: &Path) -> Option<InputFormat> {
    let extension = path.extension().map(OsStr::to_ascii_lowercase)?;
    match extension.to_str()? {
        "csv" => Some(InputFormat::Csv),
        "ndjson" | "jsonl" => Some(InputFormat::Ndjson),
        "txt" => Some(InputFormat::Txt),
        _ => None,
    }
}

fn too_large() -> String {
    format!("must be at most {} MiB", FILE_BYTES_MAX >> 20)
}

fn read_from(source: impl BufRead, format: Option<InputFormat>) -> Result<Input, String> {
    let mut source = source.take(FILE_BYTES_MAX + 1);
    let mut head = Vec::new();
    let read = source.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut head);
    read.map_err(|error| error.to_string())?;
    let mut whole = Cursor::new(head.clone()).chain(source);
    let input = match format.unwrap_or_else(|| format_of_line(&head)) {
        InputFormat::Csv => read_csv(&head, &mut whole),
        InputFormat::Ndjson => read_ndjson(&mut whole),
        InputFormat::Txt => read_txt(&mut whole),
    }?;
    if whole.into_inner().1.limit() == 0 { Err(too_large()) } else { Ok(input) }
}

/// Returns the format that a first line is of: an object, a header with `prompt`, or a prompt.
fn format_of_line(head: &[u8]) -> InputFormat {
    if head.trim_ascii_start().starts_with(b"{") {
        InputFormat::Ndjson
    } else if SEPARATORS.iter().any(|separator| has_prompt(head, *separator)) {
        InputFormat::Csv
    } else {
        InputFormat::Txt
    }
}

fn read_txt(file: impl BufRead) -> Result<Input, String> {
    let mut lines = Vec::new();
    for (at, line) in file.lines().enumerate() {
        let line = line.map_err(|error| format!("line {}: {error}", at + 1))?;
        let prompt = line.trim_start_matches('\u{feff}').trim();
        if !prompt.is_empty() {
            lines.push(InputLine(Map::from_iter([(PROMPT.to_owned(), prompt.into())])));
        }
    }
    Ok(Input { lines, columns: vec![PROMPT.to_owned()] })
}

/// Returns whether a header has the column `prompt` when it is read with a separator.
fn has_prompt(head: &[u8], separator: u8) -> bool {
    names(head, separator).is_ok_and(|names| names.iter().any(|name| name == PROMPT))
}

/// Returns what separates the cells of a file with this header.
fn separator_of(head: &[u8]) -> Result<u8, String> {
    let fitting = SEPARATORS.into_iter().filter(|separator| has_prompt(head, *separator));
    let fitting: Vec<u8> = fitting.collect();
    let several = |separator: &u8| names(head, *separator).is_ok_and(|names| names.len() > 1);
    if fitting.iter().filter(|separator| several(separator)).count() > 1 {
        let shown = fitting.iter().map(|separator| format!("`{}`", char::from(*separator)));
        return Err(format!(
            "its first line can be read with each of {}; put the names of its columns in quotes",
            shown.collect::<Vec<_>>().join(" and ")
        ));
    }
    Ok(fitting.first().copied().unwrap_or(SEPARATORS[0]))
}

fn read_csv(head: &[u8], file: impl Read) -> Result<Input, String> {
    let separator = separator_of(head)?;
    let names = names(head, separator)?;
    // Spreadsheets leave columns without a name at the end.
    let columns: Vec<String> = names.iter().filter(|name| !name.is_empty()).cloned().collect();
    if !columns.iter().any(|name| name == PROMPT) {
        return Err(format!(
            "its first line must name the columns, one of them `prompt`; it has {}",
            columns.join(", ")
        ));
    }
    if let Some((_, twice)) =
        columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name))
    {
        return Err(format!("the column `{twice}` is there twice"));
    }
    let cells_min = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    let mut lines = Vec::new();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(file);
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let name_of = |at: usize| names.get(at).filter(|name| !name.is_empty());
        let mut given = record.iter().enumerate().filter(|(_, cell)| !cell.is_empty()).peekable();
        if given.peek().is_none() {
            continue;
        }
        let has_unnamed = given.clone().any(|(at, _)| name_of(at).is_none());
        if record.len() < cells_min || has_unnamed {
            return Err(format!(
                "line {} has {} cells, and the first line names {}; a text that holds the \
                 separator `{}` stands in quotes",
                record.position().map_or(0, csv::Position::line),
                record.len(),
                columns.len(),
                char::from(separator)
            ));
        }
        let cells = given.filter_map(|(at, cell)| Some((name_of(at)?, cell)));
        lines
            .push(InputLine(cells.map(|(name, cell)| (name.clone(), typed(name, cell))).collect()));
    }
    Ok(Input { lines, columns })
}

/// Returns the names in a header. Those of parameters are known in any case.
fn names(head: &[u8], separator: u8) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(head);
    let header = reader.headers().map_err(|error| error.to_string())?;
    let name = |given: &str| {
        // What spreadsheets put before the first column of a UTF-8 file.
        let given = given.trim_start_matches('\u{feff}').trim();
        let lower = given.to_ascii_lowercase();
        if lower == SCRAPER || parameter(&lower).is_some() { lower } else { given.to_owned() }
    };
    Ok(header.iter().map(name).collect())
}

/// Returns a cell as the API takes it. What is not of its type is sent as it is: the server says
/// why not.
fn typed(name: &str, cell: &str) -> Value {
    let read = |parameter: &Parameter| {
        let mut raw = RawRequest::default();
        // Spreadsheets write TRUE.
        let is_boolean = matches!(parameter.kind, Kind::Boolean { .. });
        let cell = if is_boolean { cell.to_ascii_lowercase() } else { cell.to_owned() };
        parameter.set_text(&mut raw, cell).ok().and_then(|_| parameter.value(&raw))
    };
    parameter(name).and_then(read).unwrap_or_else(|| cell.into())
}

fn read_ndjson(file: impl BufRead) -> Result<Input, String> {
    let (mut lines, mut columns): (Vec<InputLine>, Vec<String>) = (Vec::new(), Vec::new());
    for (at, line) in file.lines().enumerate() {
        let line = line.map_err(|error| format!("line {}: {error}", at + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let fields: Map<String, Value> = serde_json::from_str(&line)
            .map_err(|error| format!("line {} is no JSON object: {error}", at + 1))?;
        for name in
            fields.keys().filter(|name| !columns.contains(name)).cloned().collect::<Vec<_>>()
        {
            columns.push(name);
        }
        lines.push(InputLine(fields));
    }
    Ok(Input { lines, columns })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(input: &Input) -> Vec<Value> {
        input.lines.iter().map(|line| Value::Object(line.0.clone())).collect()
    }

    fn read_csv(text: &[u8]) -> Result<Input, String> {
        read_from(text, Some(InputFormat::Csv))
    }

    #[test]
    fn csv_cells_become_parameters_of_their_types() {
        let text = "\u{feff}prompt,timeout,web_search,own id\r\n\
                    \"a, \"\"b\"\"\nc\",60,FALSE,7\r\nd,,,\r\ne,soon,maybe,x\r\n";
        let input = read_csv(text.as_bytes()).unwrap();
        assert_eq!(
            fields(&input),
            [
                json!({ "prompt": "a, \"b\"\nc", "timeout": 60.0, "web_search": false, "own id": "7" }),
                json!({ "prompt": "d" }),
                json!({ "prompt": "e", "timeout": "soon", "web_search": "maybe", "own id": "x" }),
            ]
        );
        assert_eq!(input.columns, ["prompt", "timeout", "web_search", "own id"]);
        let sent = Value::Object(input.lines[0].parameters());
        assert_eq!(sent, json!({ "prompt": "a, \"b\"\nc", "timeout": 60.0, "web_search": false }));
        for (text, why) in [
            ("promt\nx\n", "`prompt`"),
            ("prompt,prompt\nx,y\n", "twice"),
            ("prompt,a\nx\n", "line 2 has 1 cells"),
            ("prompt,a\nWhy, really?,x,y\n", "line 2 has 4 cells"),
            ("Prompt;PROMPT\nx;y\n", "twice"),
            ("", "`prompt`"),
        ] {
            let refused = read_csv(text.as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn csv_of_spreadsheets_is_read() {
        let expected = [
            json!({ "prompt": "a, b", "scraper": "practice", "Own": "1" }),
            json!({ "prompt": "c" }),
        ];
        for text in [
            "Prompt,SCRAPER,Own\n\"a, b\",practice,1\nc,,\n",
            "Prompt,Scraper,Own,,\n\"a, b\",practice,1,,\nc,,\n,,,,\n",
            "\u{feff}prompt;scraper;Own\r\na, b;practice;1\r\nc;;\r\n",
            "PROMPT\tscraper\tOwn\n\"a, b\"\tpractice\t1\nc\t\t\n",
        ] {
            let input = read_csv(text.as_bytes()).unwrap();
            assert_eq!(fields(&input), expected, "{text}");
            assert_eq!(input.columns, ["prompt", "scraper", "Own"], "{text}");
        }
        let one = read_csv("Prompt,\nWhat?,\n".as_bytes()).unwrap();
        assert_eq!((fields(&one), one.columns.len()), (vec![json!({ "prompt": "What?" })], 1));
    }

    #[test]
    fn ndjson_lines_are_objects() {
        let input = read_from(&b"{\"prompt\":\"a\",\"n\":1}\n\n{\"x\":[]}\n"[..], None).unwrap();
        assert_eq!(fields(&input), [json!({ "prompt": "a", "n": 1 }), json!({ "x": [] })]);
        assert_eq!(input.columns, ["prompt", "n", "x"]);
        let refused = read_from(&b"{}\n[1]\n"[..], Some(InputFormat::Ndjson)).unwrap_err();
        assert!(refused.starts_with("line 2 is no JSON object"), "{refused}");
    }

    #[test]
    fn a_first_line_says_which_format_stdin_has() {
        for (text, prompts) in [
            (
                "\u{feff}What?\r\n\n  Why, really; or not? \n",
                &["What?", "Why, really; or not?"][..],
            ),
            ("id;prompt\n1;What?\n", &["What?"]),
            (" {\"prompt\": \"What?\"}\n", &["What?"]),
            ("Prompt\nWhat?\n", &["What?"]),
        ] {
            let input = read_from(text.as_bytes(), None).unwrap();
            let found: Vec<&str> =
                input.lines.iter().map(|line| line.0["prompt"].as_str().unwrap()).collect();
            assert_eq!(found, prompts, "{text}");
        }
        let forced = read_from("prompt\nWhat?\n".as_bytes(), Some(InputFormat::Txt)).unwrap();
        assert_eq!(forced.lines.len(), 2);
        // Only what separates several columns is in doubt.
        assert_eq!(separator_of(b"prompt\n"), Ok(b','));
        assert_eq!(separator_of(b"prompt;\"a,b\"\n"), Ok(b';'));
    }

    #[test]
    fn a_file_says_what_is_wrong_with_it() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text, why) in [
            ("a.xlsx", "x", "must end in"),
            ("a.txt", " \n\n", "no line"),
            ("c.csv", "prompt,a;prompt\n1;2\n", "each of `,` and `;`"),
            ("a.csv", "prompt\n", "no line"),
            ("b.ndjson", "\n", "no line"),
        ] {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            let refused = read(&path, None).unwrap_err().to_string();
            assert!(refused.contains(why) && refused.contains(name), "{refused}");
        }
        assert!(read(&directory.path().join("none.csv"), None).is_err());
    }
}
