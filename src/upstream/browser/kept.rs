//! What is kept of an answer's page: the HTML, and what the recipe found, by the names of its
//! arrays and fields. Read again, it gives an answer without the page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::markdown::PageMark;
use super::reading;
use super::recipe::Recipe;
use super::values::{Reading, Values};
use crate::answer::Answer;
use crate::net::HttpReply;
use crate::upstream::raw_capture::RawReply;

/// A reading without its HTML.
#[derive(Serialize, Deserialize)]
struct KeptReading {
    url: String,
    model: Option<String>,
    marks: Vec<PageMark>,
    arrays: BTreeMap<String, Vec<Entry>>,
    warnings: Vec<String>,
}

/// The values of an entry, by field.
type Entry = BTreeMap<String, Vec<String>>;

/// Returns a reading as two raw replies: the HTML, and the rest as JSON.
pub(super) fn replies(recipe: &Recipe, reading: &Reading) -> Vec<RawReply> {
    let entries = |(array, rows): &(_, Vec<Values>)| {
        let part = recipe.arrays.iter().find(|part| part.array == *array)?;
        let names = || part.fields.iter().map(|(name, _)| (*name).to_owned());
        let rows = rows.iter().map(|row| names().zip(row.iter().cloned()).collect());
        Some((array.name().to_owned(), rows.collect()))
    };
    let kept = KeptReading {
        url: reading.url.clone(),
        model: reading.model.clone(),
        marks: reading.marks.clone(),
        arrays: reading.arrays.iter().filter_map(entries).collect(),
        warnings: reading.warnings.clone(),
    };
    let json = serde_json::to_vec(&kept).expect("strings and a Vec: nothing that could fail");
    let reply = |content_type: &str, body| RawReply {
        status: None,
        content_type: Some(content_type.to_owned()),
        body,
    };
    let html = reading.html.clone().into_bytes();
    vec![reply("text/html; charset=utf-8", html), reply("application/json", json)]
}

/// Returns the answer that both hold by a recipe; `None` if one is missing. An array or a field that
/// the recipe has no more is passed over.
pub(in crate::upstream) fn answer(
    recipe: &Recipe,
    replies: &[HttpReply],
) -> Option<Result<Answer, Fault>> {
    let [html, json] = replies else { return None };
    let kept: KeptReading = serde_json::from_slice(&json.body).ok()?;
    let rows = |entries: &[Entry], fields: &[(&str, _)]| -> Vec<Values> {
        let values = |entry: &Entry, name: &str| entry.get(name).cloned().unwrap_or_default();
        let row = |entry| fields.iter().map(|(name, _)| values(entry, name)).collect();
        entries.iter().map(row).collect()
    };
    let arrays = recipe.arrays.iter().filter_map(|part| {
        let entries = kept.arrays.get(part.array.name())?;
        Some((part.array, rows(entries, &part.fields)))
    });
    let reading = Reading {
        html: String::from_utf8_lossy(&html.body).into_owned(),
        arrays: arrays.collect(),
        marks: kept.marks,
        model: kept.model,
        url: kept.url,
        warnings: kept.warnings,
    };
    Some(reading::answer(recipe, reading))
}
