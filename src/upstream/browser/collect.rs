//! Reads a page whose answer is complete: the answer's HTML, and the arrays. What is opened,
//! hovered or scrolled first is in `reveal`.

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::drive::Drive;
use super::fault::Fault;
use super::markdown::PageMark;
use super::recipe::{ArrayPart, Field, LIST_FIELDS, Way};
use super::values::{ANSWER_HOLLOW, Reading, Values};
use crate::catalog::Array;
use crate::job::Reason;

/// The most of an answer's HTML that is read, characters.
const HTML_CHARS_MAX: usize = 4 << 20;
/// Stands before the number of a code block's label, in its class (`page/read.js`).
const LABEL: char = '\u{f8f3}';

/// The answer as it stands on the page at one moment.
pub(super) struct AnswerNow {
    /// Text and HTML of each block.
    pub blocks: Vec<(String, String)>,
    pub marks: Vec<PageMark>,
    pub model: Option<String>,
    pub url: String,
    pub is_hollow: bool,
}

#[derive(Deserialize)]
struct AnswerRead {
    blocks: Vec<Block>,
    marks: Vec<MarkRead>,
    /// What each labelled code block says of its language.
    labels: Vec<Vec<WayRead>>,
    /// Whether it was short enough to be read.
    whole: bool,
    hollow: bool,
    model: Option<Vec<WayRead>>,
    url: String,
}

#[derive(Deserialize)]
struct Block {
    html: String,
    text: String,
}

#[derive(Deserialize)]
struct MarkRead {
    number: Vec<WayRead>,
    url: Vec<WayRead>,
}

#[derive(Deserialize)]
struct WayRead {
    alt: i64,
    values: Vec<String>,
}

#[derive(Deserialize)]
struct ListRead {
    alt: i64,
    count: usize,
    hollow: bool,
    url: String,
    items: Vec<ItemRead>,
}

#[derive(Deserialize)]
struct ItemRead {
    /// Texts that hold JSON entries.
    entries: Vec<String>,
    fields: Vec<Vec<WayRead>>,
}

/// The entries of an array at one moment.
pub(super) struct ArrayNow {
    pub alt: i64,
    pub is_hollow: bool,
    pub rows: Vec<Values>,
    note: String,
    /// The alternative that matched, by field.
    matched: Vec<(&'static str, i64)>,
}

impl Drive<'_> {
    /// Reads everything. `answer` is what to find the answer by.
    ///
    /// # Errors
    /// Returns an error if the answer is too large, or the page is gone.
    pub(crate) async fn collect(&mut self, answer: Value) -> Result<Reading, Fault> {
        let mut reading = Reading::default();
        self.read_answer(&answer, &mut reading).await?;
        let mut missed: Vec<&str> = Vec::new();
        for reveal in &self.recipe.reveal {
            if reveal.after.as_deref().is_some_and(|name| missed.contains(&name)) {
                missed.push(&reveal.name);
                let name = format!("reveal {}", reveal.name);
                self.trace.done(name).note("passed over with the step before it");
            } else if !self.reveal(reveal, &answer, &mut reading).await? {
                missed.push(&reveal.name);
            }
        }
        for part in &self.recipe.arrays {
            self.read_array(part, &mut reading).await?;
        }
        Ok(reading)
    }

    /// Reads the answer into `reading`, in the place of what was read before.
    pub(super) async fn read_answer(
        &mut self,
        answer: &Value,
        reading: &mut Reading,
    ) -> Result<(), Fault> {
        let part = self.answer_now(answer, false, 0).await?;
        let html: String = part.blocks.into_iter().map(|(_, html)| html).collect();
        self.trace.done("read the answer").note(format!("{} characters of HTML", html.len()));
        reading.html = html;
        reading.marks = part.marks;
        reading.model = part.model.or(reading.model.take());
        reading.url = part.url;
        reading.forget_hollow();
        if part.is_hollow {
            self.trace.note("the page draws only a part of it at a time");
            reading.warnings.push(ANSWER_HOLLOW.to_owned());
        }
        Ok(())
    }

    /// Reads the answer as it stands; its blocks one by one if `apart`. The numbers of its marks
    /// begin at `marks_from`.
    pub(super) async fn answer_now(
        &mut self,
        answer: &Value,
        apart: bool,
        marks_from: usize,
    ) -> Result<AnswerNow, Fault> {
        let part = &self.recipe.answer;
        let ways = |field: &Option<Field>, all| field.as_ref().map(|field| asked(field, all));
        let marks = part.marks.as_ref().map(|marks| {
            json!({
                "item": marks.item,
                "number": ways(&marks.number, false).unwrap_or_else(|| json!([])),
                "url": ways(&marks.url, false).unwrap_or_else(|| json!([])),
            })
        });
        let wanted = json!({
            "answer": answer,
            "remove": part.remove,
            "keep": part.keep,
            "marks": marks,
            "marks_from": marks_from,
            "apart": apart,
            "language": ways(&part.language, false),
            "model": ways(&part.model, false),
            "chars_max": HTML_CHARS_MAX,
        });
        let read: AnswerRead = self.ask("read", &wanted).await?;
        if !read.whole {
            let sentence = format!("gave more than {HTML_CHARS_MAX} characters of HTML");
            return Err(Fault::page(Reason::TooLarge, sentence));
        }
        let page = Url::parse(&read.url).ok();
        let values = |field: &Option<Field>, read: &[WayRead]| {
            field
                .as_ref()
                .map_or_else(Vec::new, |field| field.values(&raw(read), None, page.as_ref()))
        };
        let mark = |read: MarkRead| {
            let marks = part.marks.as_ref();
            let numbers = marks.map(|marks| values(&marks.number, &read.number));
            let urls = marks.map(|marks| values(&marks.url, &read.url)).unwrap_or_default();
            PageMark {
                numbers: numbers.unwrap_or_default().iter().flat_map(|it| numbers_of(it)).collect(),
                urls: urls.into_iter().map(|url| absolute(url, page.as_ref())).collect(),
            }
        };
        let labels: Vec<String> =
            read.labels.iter().map(|read| language(values(&part.language, read))).collect();
        let model = read.model.map(|read| values(&part.model, &read)).unwrap_or_default();
        let block = |block: Block| (block.text, labelled(block.html, &labels));
        Ok(AnswerNow {
            blocks: read.blocks.into_iter().map(block).collect(),
            marks: read.marks.into_iter().map(mark).collect(),
            model: model.into_iter().next(),
            url: read.url,
            is_hollow: read.hollow,
        })
    }

    /// Reads an array into `reading`, unless it was read before.
    pub(super) async fn read_array(
        &mut self,
        part: &ArrayPart,
        reading: &mut Reading,
    ) -> Result<(), Fault> {
        if reading.arrays.iter().any(|(known, _)| *known == part.array) {
            return Ok(());
        }
        let read = self.array_now(part).await?;
        self.note_array(part, &read).await;
        let mut rows = self.running_rows(part.array);
        add_new(part, &mut rows, read.rows);
        reading.arrays.push((part.array, rows));
        if read.is_hollow {
            let name = part.array.name();
            self.trace.note("the page draws only a part of the list at a time");
            reading.warnings.push(format!(
                "The page draws only a part of the list `{name}` at a time: entries may be missing."
            ));
        }
        Ok(())
    }

    /// Reads the entries of an array that are on the page now.
    pub(super) async fn array_now(&mut self, part: &ArrayPart) -> Result<ArrayNow, Fault> {
        let fields: Vec<Value> = part
            .fields
            .iter()
            .map(|(name, field)| asked(field, LIST_FIELDS.contains(name)))
            .collect();
        let entries = part.entries.as_ref().map(|way| asked_way(way, false));
        let wanted = json!({ "item": part.item, "fields": fields, "entries": entries });
        let list: ListRead = self.ask("list", &wanted).await?;
        let page = Url::parse(&list.url).ok();
        let mut matched: Vec<(&'static str, i64)> =
            part.fields.iter().map(|(name, _)| (*name, -1)).collect();
        let mut rows = Vec::new();
        for item in &list.items {
            for ((_, field), (read, best)) in
                part.fields.iter().zip(item.fields.iter().zip(&mut matched))
            {
                let alts: Vec<i64> = read.iter().map(|read| read.alt).collect();
                let alt = field.alternative(&alts);
                best.1 = if best.1 < 0 { alt } else { alt.max(0).min(best.1) };
            }
            rows.extend(rows_of(part, item, page.as_ref()));
        }
        let mut note =
            format!("{} entries", if part.entries.is_some() { rows.len() } else { list.count });
        for (at, (name, field)) in part.fields.iter().enumerate() {
            if field.ways.iter().any(|way| !way.select.is_empty() || way.json.is_some()) {
                let filled = rows.iter().filter(|row: &&Values| !row[at].is_empty()).count();
                note.push_str(&format!(", {name} in {filled}"));
            }
        }
        Ok(ArrayNow { alt: list.alt, is_hollow: list.hollow, rows, note, matched })
    }

    /// Notes what was read of an array, and counts what matched.
    pub(super) async fn note_array(&mut self, part: &ArrayPart, read: &ArrayNow) {
        let name = format!("arrays.{}", part.array.name());
        if read.alt < 0 {
            self.miss(&format!("{name}.item"), &part.item, "item").await;
            return;
        }
        self.trace.matched(format!("{name}.item"), &part.item, read.alt);
        for (at, (field, alt)) in read.matched.iter().enumerate() {
            if part.fields[at].1.ways.iter().any(|way| !way.select.is_empty()) {
                self.trace.count(format!("{name}.{field}"), *alt);
            }
        }
        self.trace.note(read.note.clone());
    }

    /// Reads the arrays that show only while the answer is written.
    ///
    /// # Errors
    /// Returns an error if the page is gone.
    pub(super) async fn watch_running(&mut self) -> Result<(), Fault> {
        for part in self.recipe.arrays.iter().filter(|part| part.while_running) {
            let read = self.array_now(part).await?;
            let mut rows = self.running_rows(part.array);
            add_new(part, &mut rows, read.rows);
            self.running.retain(|(known, _)| *known != part.array);
            self.running.push((part.array, rows));
        }
        Ok(())
    }

    fn running_rows(&self, array: Array) -> Vec<Values> {
        let known = self.running.iter().find(|(known, _)| *known == array);
        known.map(|(_, rows)| rows.clone()).unwrap_or_default()
    }
}

/// Returns what a row is known again by: the value of its array's first field, or else all of them.
pub(super) fn key_of(part: &ArrayPart, row: &Values) -> String {
    let first = super::recipe::first_field(part.array);
    let at = part.fields.iter().position(|(name, _)| *name == first);
    let value = at.and_then(|at| row.get(at)?.first().cloned());
    value.unwrap_or_else(|| row.concat().join("\n"))
}

/// Adds the rows that are not there yet.
pub(super) fn add_new(part: &ArrayPart, rows: &mut Vec<Values>, more: Vec<Values>) {
    if rows.is_empty() {
        *rows = more;
        return;
    }
    for row in more {
        let key = key_of(part, &row);
        if !rows.iter().any(|known| key_of(part, known) == key) {
            rows.push(row);
        }
    }
}

/// Returns the entries of an item: those of the JSON in it, or where there is none itself.
fn rows_of(part: &ArrayPart, item: &ItemRead, page: Option<&Url>) -> Vec<Values> {
    let row = |entry: Option<&Value>| -> Values {
        let value = |((name, field), read): (&(&'static str, Field), &Vec<WayRead>)| {
            let values = field.values(&raw(read), entry, page);
            let is_address = ["url", "favicon", "image"].contains(name);
            let whole = |value| if is_address { absolute(value, page) } else { value };
            values.into_iter().map(whole).collect()
        };
        part.fields.iter().zip(&item.fields).map(value).collect()
    };
    let has_json = item.entries.iter().any(|text| !text.trim().is_empty());
    match part.entries.as_ref().filter(|_| has_json) {
        None => vec![row(None)],
        Some(way) => way.entries(&item.entries).iter().map(|entry| row(Some(entry))).collect(),
    }
}

fn raw(read: &[WayRead]) -> Vec<Vec<String>> {
    read.iter().map(|read| read.values.clone()).collect()
}

/// Returns an address that names no host as one on the page's.
fn absolute(address: String, page: Option<&Url>) -> String {
    if !address.starts_with('/') {
        return address;
    }
    page.and_then(|page| page.join(&address).ok()).map_or(address, String::from)
}

/// Returns the numbers in a text such as `[1, 2]`.
fn numbers_of(text: &str) -> Vec<usize> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.filter_map(|digits| digits.parse().ok()).filter(|number| *number > 0).collect()
}

/// Returns the name of a language as Markdown takes it; empty when it is none.
fn language(values: Vec<String>) -> String {
    let word = values.into_iter().next().unwrap_or_default();
    let word = word.split_whitespace().next().unwrap_or_default().to_lowercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+#.-_".contains(c);
    if word.chars().all(is_name) { word } else { String::new() }
}

fn labelled(mut html: String, labels: &[String]) -> String {
    for (at, label) in labels.iter().enumerate() {
        let class = if label.is_empty() { String::new() } else { format!("language-{label}") };
        html =
            html.replace(&format!("class=\"language-{LABEL}{at}\""), &format!("class=\"{class}\""));
    }
    html
}

/// A field as the page's script takes it.
fn asked(field: &Field, all: bool) -> Value {
    field.ways.iter().map(|way| asked_way(way, all)).collect()
}

fn asked_way(way: &Way, all: bool) -> Value {
    json!({
        "select": way.select, "attribute": way.attribute, "json": way.json.is_some(), "all": all,
    })
}
