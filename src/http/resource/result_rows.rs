//! The rows of `GET /results`: fixed columns for each kind of row, as NDJSON or CSV.

use serde_json::{Map, Value};

use crate::clock::rfc3339_seconds;
use crate::http::resource::export::{Format, Formulas};
use crate::measure;
use crate::store::CompletedJob;

/// A kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// One for each job.
    Answers,
    Sources,
    Citations,
    SearchQueries,
    Products,
    /// One for each brand of the tracker that the job was measured by.
    Mentions,
}

impl RowKind {
    pub(crate) const ALL: [RowKind; 6] = [
        RowKind::Answers,
        RowKind::Sources,
        RowKind::Citations,
        RowKind::SearchQueries,
        RowKind::Products,
        RowKind::Mentions,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            RowKind::Answers => "answers",
            RowKind::Sources => "sources",
            RowKind::Citations => "citations",
            RowKind::SearchQueries => "search_queries",
            RowKind::Products => "products",
            RowKind::Mentions => "mentions",
        }
    }

    /// Returns its own columns, which stand behind [`COMMON`].
    fn columns(self) -> &'static [&'static str] {
        match self {
            RowKind::Answers => &[
                "sources",
                "citations",
                "search_queries",
                "cached",
                "credits_used",
                "result",
                "result_markdown",
            ],
            RowKind::Sources | RowKind::Citations => &[
                "number", "position", "times", "cited", "url", "domain", "title", "date", "snippet",
            ],
            RowKind::SearchQueries => &["number", "query"],
            RowKind::Products => &[
                "number", "position", "title", "url", "domain", "asin", "price", "amount",
                "currency", "merchant", "rating", "reviews",
            ],
            RowKind::Mentions => &[
                "number",
                "tracker",
                "version",
                "branded",
                "brand",
                "mentioned",
                "count",
                "first_at",
                "rank",
                "in_list_item",
                "cited",
                "linked",
                "cited_urls",
            ],
        }
    }

    /// Returns all columns, in order.
    pub(crate) fn header(self) -> impl Iterator<Item = &'static str> {
        COMMON.iter().chain(self.columns()).chain(&["cursor"]).copied()
    }
}

/// The columns that every row begins with.
const COMMON: [&str; 14] = [
    "job_id",
    "completed_at",
    "created_at",
    "scraper",
    "upstream",
    "kind",
    "country",
    "label",
    "batch_id",
    "prompt",
    "sample",
    "llm_model",
    "searched",
    "present",
];

/// Returns the rows of a job, each without its cursor. A result that cannot be read has none.
pub(crate) fn rows(kind: RowKind, done: &CompletedJob, job_id: &str) -> Vec<Vec<Value>> {
    let Ok(result) = serde_json::from_slice::<Map<String, Value>>(&done.result) else {
        tracing::error!(job = job_id, "a result could not be exported");
        return Vec::new();
    };
    let result = Value::Object(result);
    let common = common(done, job_id, &result);
    let entries = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    let row = |own: Vec<Value>| common.iter().cloned().chain(own).collect();
    match kind {
        RowKind::Answers => {
            let count = |name: &str| result[name].as_array().map(Vec::len).into();
            vec![row(vec![
                count("sources"),
                count("citations"),
                count("search_queries"),
                result["cached"].clone(),
                result["credits_used"].clone(),
                result["result"].clone(),
                result["result_markdown"].clone(),
            ])]
        }
        RowKind::Sources | RowKind::Citations => {
            let page = |(number, it): (u64, Value)| {
                row(vec![
                    number.into(),
                    it["position"].clone(),
                    it["times"].clone(),
                    it["cited"].clone(),
                    it["url"].clone(),
                    domain(&it["url"]),
                    it["title"].clone(),
                    it["date"].clone(),
                    it["snippet"].clone(),
                ])
            };
            (1..).zip(entries(kind.word())).map(page).collect()
        }
        RowKind::SearchQueries => {
            let query = |(number, it): (u64, Value)| row(vec![number.into(), it]);
            (1..).zip(entries(kind.word())).map(query).collect()
        }
        RowKind::Products => {
            let product = |(number, it): (u64, Value)| {
                row(vec![
                    number.into(),
                    it["position"].clone(),
                    it["title"].clone(),
                    it["url"].clone(),
                    domain(&it["url"]),
                    it["asin"].clone(),
                    it["price"]["raw"].clone(),
                    it["price"]["amount"].clone(),
                    it["price"]["currency"].clone(),
                    it["merchant"].clone(),
                    it["rating"].clone(),
                    it["reviews"].clone(),
                ])
            };
            (1..).zip(entries(kind.word())).map(product).collect()
        }
        RowKind::Mentions => {
            let tracker = &result["tracker"];
            let mention = |(number, it): (u64, Value)| {
                row(vec![
                    number.into(),
                    tracker["name"].clone(),
                    tracker["version"].clone(),
                    tracker["branded"].clone(),
                    it["brand"].clone(),
                    it["mentioned"].clone(),
                    it["count"].clone(),
                    it["first_at"].clone(),
                    it["rank"].clone(),
                    it["in_list_item"].clone(),
                    it["cited"].clone(),
                    it["linked"].clone(),
                    it["cited_urls"].clone(),
                ])
            };
            (1..).zip(entries(kind.word())).map(mention).collect()
        }
    }
}

fn common(done: &CompletedJob, job_id: &str, result: &Value) -> Vec<Value> {
    let job = &done.job;
    let time = |at_ms: u64| rfc3339_seconds(at_ms).replace("+00:00", "Z");
    vec![
        job_id.into(),
        job.completed_ms.map(time).into(),
        time(job.created_ms).into(),
        job.request.scraper.clone().into(),
        result["provenance"]["upstream"].clone(),
        result["provenance"]["kind"].clone(),
        job.request.country.clone().into(),
        job.label.clone().into(),
        job.batch.map(|batch| batch.id.to_string()).into(),
        job.request.prompt.clone().into(),
        done.sample.into(),
        result["llm_model"].clone(),
        result["search"]["made"].clone(),
        // Where the engine always shows an answer, it has shown one.
        result["present"].as_bool().unwrap_or(true).into(),
    ]
}

/// Returns the domain of a page that somebody can register, or else its host.
fn domain(url: &Value) -> Value {
    let host = url.as_str().and_then(measure::host);
    let domain = host.as_deref().map(|host| measure::registrable_domain(host).unwrap_or(host));
    domain.map(str::to_owned).into()
}

/// Writes the line of the columns; NDJSON has none.
pub(crate) fn write_header(lines: &mut Vec<u8>, kind: RowKind, format: Format) {
    match format {
        Format::NdJson => {}
        Format::Csv => csv_record(lines, kind.header()),
    }
}

/// Writes the line of a row.
pub(crate) fn write_row(
    lines: &mut Vec<u8>,
    kind: RowKind,
    format: Format,
    formulas: Formulas,
    row: Vec<Value>,
) {
    match format {
        Format::NdJson => {
            let names = kind.header().map(str::to_owned);
            let object: Map<String, Value> = names.zip(row).collect();
            // Values and their names are always JSON.
            let _ = serde_json::to_writer(&mut *lines, &object);
            lines.push(b'\n');
        }
        Format::Csv => {
            let cells = row.iter().map(|value| match value {
                Value::Null => String::new(),
                Value::String(text) => formulas.cell(text).into_owned(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    formulas.cell(&value.to_string()).into_owned()
                }
            });
            csv_record(lines, cells);
        }
    }
}

fn csv_record<T: AsRef<[u8]>>(lines: &mut Vec<u8>, cells: impl Iterator<Item = T>) {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(lines);
    // Memory takes every byte.
    let _ = writer.write_record(cells);
}
