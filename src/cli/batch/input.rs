//! The file of `answerd batch`: CSV with a header, or a JSON object on each line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value};

use crate::cli::error::CommandError;

/// The most lines of a file.
pub const LINES_MAX: usize = 100_000;
/// The largest file, bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The columns and fields that are parameters of a scrape; all others are the user's own.
const PARAMETERS: [&str; 10] = [
    "prompt",
    "scraper",
    "country",
    "timeout",
    "bypass_cache",
    "web_search",
    "markdown_json",
    "mode",
    "label",
    "start_within",
];

/// A line of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Line(Map<String, Value>);

impl Line {
    /// All of it, as it was read.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// What is sent.
    pub fn parameters(&self) -> Map<String, Value> {
        let sent = self.0.iter().filter(|(name, _)| PARAMETERS.contains(&name.as_str()));
        sent.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// What a file holds.
#[derive(Debug)]
pub struct Input {
    pub lines: Vec<Line>,
    /// The names in the order in which they first stand in the file.
    pub columns: Vec<String>,
}

/// Reads a file; its name says whether it is CSV or NDJSON.
///
/// # Errors
/// It cannot be read, is neither, is too large, or has a line that is none.
pub fn read(path: &Path) -> Result<Input, CommandError> {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    let wrong = |what: String| CommandError::WrongUse(format!("{}: {what}", path.display()));
    let csv = match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("csv") => true,
        Some("ndjson" | "jsonl") => false,
        Some(_) | None => return Err(wrong("its name must end in .csv, .ndjson or .jsonl".into())),
    };
    let unreadable = |error: std::io::Error| wrong(format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(wrong(format!("must be at most {} MiB", FILE_BYTES_MAX >> 20)));
    }
    let input = if csv { read_csv(file) } else { read_ndjson(file) }.map_err(wrong)?;
    match input.lines.len() {
        0 => Err(wrong("there is no line with a prompt".into())),
        1..=LINES_MAX => Ok(input),
        lines => Err(wrong(format!("must have at most {LINES_MAX} lines; it has {lines}"))),
    }
}

fn read_csv(file: impl Read) -> Result<Input, String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    // What spreadsheets put before the first column of a UTF-8 file.
    let names = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned());
    let columns: Vec<String> = names.collect();
    if !columns.iter().any(|name| name == "prompt") {
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
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let cells = columns.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
        lines.push(Line(cells.map(|(name, cell)| (name.clone(), typed(name, cell))).collect()));
    }
    Ok(Input { lines, columns })
}

/// A cell as the API takes it. What is not of its type is sent as it is: the server says why not.
fn typed(name: &str, cell: &str) -> Value {
    let text = || Value::String(cell.to_owned());
    match name {
        "timeout" | "start_within" => cell.parse::<f64>().map_or_else(|_| text(), Value::from),
        "bypass_cache" | "web_search" | "markdown_json" => match cell {
            "true" | "True" | "TRUE" | "1" => Value::Bool(true),
            "false" | "False" | "FALSE" | "0" => Value::Bool(false),
            _ => text(),
        },
        _ => text(),
    }
}

fn read_ndjson(file: impl Read) -> Result<Input, String> {
    let (mut lines, mut columns): (Vec<Line>, Vec<String>) = (Vec::new(), Vec::new());
    for (at, line) in BufReader::new(file).lines().enumerate() {
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
        lines.push(Line(fields));
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
            ("prompt,a\nx\n", "record 1"),
            ("", "`prompt`"),
        ] {
            let refused = read_csv(text.as_bytes()).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn ndjson_lines_are_objects() {
        let input = read_ndjson("{\"prompt\":\"a\",\"n\":1}\n\n{\"x\":[]}\n".as_bytes()).unwrap();
        assert_eq!(fields(&input), [json!({ "prompt": "a", "n": 1 }), json!({ "x": [] })]);
        assert_eq!(input.columns, ["prompt", "n", "x"]);
        let refused = read_ndjson("{}\n[1]\n".as_bytes()).unwrap_err();
        assert!(refused.starts_with("line 2 is no JSON object"), "{refused}");
    }

    #[test]
    fn a_file_says_what_is_wrong_with_it() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text, why) in [
            ("a.txt", "x", "must end in"),
            ("a.csv", "prompt\n", "no line"),
            ("b.ndjson", "\n", "no line"),
        ] {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            let refused = read(&path).unwrap_err().to_string();
            assert!(refused.contains(why) && refused.contains(name), "{refused}");
        }
        assert!(read(&directory.path().join("none.csv")).is_err());
    }
}
