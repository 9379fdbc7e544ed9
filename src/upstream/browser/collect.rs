//! Reads a page whose answer is complete: the answer's HTML, and the arrays, opened first where the
//! recipe says so.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::drive::{Clickable, Drive, LOOK_EVERY};
use super::fault::Fault;
use super::recipe::{ArrayPart, Field, Reveal};
use crate::catalog::Array;
use crate::job::Reason;

/// The most of an answer's HTML that is read, characters.
const HTML_CHARS_MAX: usize = 4 << 20;
/// How often a list is scrolled without growing before its end is believed.
const STILL_MAX: usize = 3;

/// The parts of a page, as they stand there.
#[derive(Debug, Default)]
pub struct Reading {
    pub html: String,
    pub model: Option<String>,
    pub url: String,
    /// By array the values of each entry, in the order of the recipe's fields.
    pub arrays: Vec<(Array, Vec<Vec<Vec<String>>>)>,
}

#[derive(Deserialize)]
struct AnswerRead {
    html: String,
    /// Whether it was short enough to be read.
    whole: bool,
    model: Option<FieldRead>,
    url: String,
}

#[derive(Deserialize)]
struct FieldRead {
    alt: i64,
    values: Vec<String>,
}

#[derive(Deserialize)]
struct ListRead {
    alt: i64,
    count: usize,
    items: Vec<Vec<FieldRead>>,
}

#[derive(Deserialize)]
struct Scrolled {
    alt: i64,
    height: i64,
}

#[derive(Deserialize)]
struct There {
    alt: i64,
}

impl Drive<'_> {
    /// Reads everything. `answer` is what to find the answer by.
    ///
    /// # Errors
    /// Returns an error if the answer is too large, or the page is gone.
    pub async fn collect(&mut self, answer: Value) -> Result<Reading, Fault> {
        let mut reading = self.read_answer(answer).await?;
        for reveal in &self.recipe.reveal {
            self.reveal(reveal).await?;
            for array in &reveal.read {
                self.read_arrays(Some(*array), &mut reading).await?;
            }
        }
        self.read_arrays(None, &mut reading).await?;
        Ok(reading)
    }

    async fn read_answer(&mut self, answer: Value) -> Result<Reading, Fault> {
        let part = &self.recipe.answer;
        let marks = part.marks.as_ref().map(|marks| {
            json!({
                "item": marks.item,
                "number": marks.number.as_ref().map(|number| asked(number, false)),
                "url": marks.url.as_ref().map(|url| asked(url, false)),
            })
        });
        let wanted = json!({
            "answer": answer,
            "remove": part.remove,
            "marks": marks,
            "model": part.model.as_ref().map(|model| asked(model, false)),
            "chars_max": HTML_CHARS_MAX,
        });
        let read: AnswerRead = self.ask("read", &wanted).await?;
        self.trace.done("read the answer").note(format!("{} characters of HTML", read.html.len()));
        if !read.whole {
            let sentence = format!("gave more than {HTML_CHARS_MAX} characters of HTML");
            return Err(Fault::page(Reason::TooLarge, sentence));
        }
        let named = |(field, read): (&Field, FieldRead)| field.value(read.values.first()?);
        let model = part.model.as_ref().zip(read.model).and_then(named);
        let model = model.filter(|model| !model.is_empty());
        Ok(Reading { html: read.html, model, url: read.url, arrays: Vec::new() })
    }

    async fn reveal(&mut self, reveal: &Reveal) -> Result<(), Fault> {
        let wait = Duration::from_millis(reveal.wait_ms);
        if !reveal.click.is_empty() && !self.reveal_by_click(reveal, wait).await? {
            return Ok(());
        }
        if !reveal.scroll.is_empty() {
            self.scroll_to_end(reveal, wait).await?;
        }
        if reveal.wait_for.is_empty() {
            return Ok(());
        }
        let bounds = self.bounds.within(wait);
        loop {
            let there: There = self.ask("there", &json!({ "select": reveal.wait_for })).await?;
            if there.alt >= 0 {
                let name = format!("reveal {}: wait_for", reveal.name);
                self.trace.matched(name, &reveal.wait_for, there.alt);
                return Ok(());
            }
            if bounds.left().is_zero() {
                let name = format!("reveal {}: wait_for", reveal.name);
                self.miss(&name, &reveal.wait_for, "item").await;
                return Ok(());
            }
            self.bounds.sleep("waiting for a list", LOOK_EVERY).await?;
        }
    }

    /// Whether there was something to click.
    async fn reveal_by_click(&mut self, reveal: &Reveal, wait: Duration) -> Result<bool, Fault> {
        let name = format!("reveal {}: click", reveal.name);
        let bounds = self.bounds.within(wait);
        let mut at = 0;
        loop {
            let asked = json!({
                "select": reveal.click, "usable": true, "each": reveal.each, "at": at,
            });
            let target: Clickable = self.ask("clickable", &asked).await?;
            if target.found {
                self.click(target.point).await?;
                at += 1;
                if !reveal.each || at >= target.count {
                    self.trace.matched(name, &reveal.click, target.alt);
                    self.trace.note(format!("{at} clicked"));
                    return Ok(true);
                }
            } else if at > 0 {
                // What was clicked is no longer there to be clicked.
                self.trace.matched(name, &reveal.click, 0).note(format!("{at} clicked"));
                return Ok(true);
            } else if bounds.left().is_zero() {
                self.miss(&name, &reveal.click, "click").await;
                return Ok(false);
            } else {
                self.bounds.sleep("waiting for what opens a list", LOOK_EVERY).await?;
            }
        }
    }

    async fn scroll_to_end(&mut self, reveal: &Reveal, wait: Duration) -> Result<(), Fault> {
        let name = format!("reveal {}: scroll", reveal.name);
        let bounds = self.bounds.within(wait);
        let (mut height, mut still, mut alt) = (-1, 0, -1);
        while still < STILL_MAX && !bounds.left().is_zero() {
            let scrolled: Scrolled =
                self.ask("scroll", &json!({ "select": reveal.scroll })).await?;
            alt = scrolled.alt;
            still = if scrolled.height == height { still + 1 } else { 0 };
            height = scrolled.height;
            self.bounds.sleep("scrolling a list", LOOK_EVERY).await?;
        }
        if alt < 0 {
            self.miss(&name, &reveal.scroll, "item").await;
        } else {
            self.trace.matched(name, &reveal.scroll, alt);
        }
        Ok(())
    }

    /// Reads one array, or all that were not read yet.
    async fn read_arrays(
        &mut self,
        only: Option<Array>,
        reading: &mut Reading,
    ) -> Result<(), Fault> {
        for part in &self.recipe.arrays {
            let was_read = reading.arrays.iter().any(|(array, _)| *array == part.array);
            if only.is_none_or(|only| only == part.array) && !was_read {
                let items = self.read_array(part).await?;
                reading.arrays.push((part.array, items));
            }
        }
        Ok(())
    }

    async fn read_array(&mut self, part: &ArrayPart) -> Result<Vec<Vec<Vec<String>>>, Fault> {
        let fields: Vec<Value> =
            part.fields.iter().map(|(name, field)| asked(field, *name == "highlights")).collect();
        let wanted = json!({ "item": part.item, "fields": fields });
        let list: ListRead = self.ask("list", &wanted).await?;
        let name = format!("arrays.{}", part.array.name());
        if list.alt < 0 {
            self.miss(&format!("{name}.item"), &part.item, "item").await;
            return Ok(Vec::new());
        }
        self.trace.matched(format!("{name}.item"), &part.item, list.alt);
        let mut note = format!("{} entries", list.count);
        for (at, (field, known)) in part.fields.iter().enumerate() {
            if known.select.is_empty() {
                continue;
            }
            let read = list.items.iter().filter_map(|item| item.get(at));
            let found = read.clone().filter(|read| read.alt >= 0).count();
            let best = read.map(|read| read.alt).filter(|alt| *alt >= 0).min().unwrap_or(-1);
            self.trace.count(format!("{name}.{field}"), best);
            note.push_str(&format!(", {field} in {found}"));
        }
        self.trace.note(note);
        let values = |item: Vec<FieldRead>| item.into_iter().map(|read| read.values).collect();
        Ok(list.items.into_iter().map(values).collect())
    }
}

/// A field as the page's script takes it.
fn asked(field: &Field, all: bool) -> Value {
    json!({ "select": field.select, "attribute": field.attribute, "all": all })
}
