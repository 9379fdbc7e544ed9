//! The result: an answer rendered into its scraper's JSON. Contract 1.6 and `provenance` of part 2.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::arrays::{AnyArrays, Arrays, State};
use super::facts::{PlaceObject, SearchObject, UsageObject};
use super::tree::token_tree;
use super::{Answer, Kind};
use crate::catalog;
use crate::clock::{UnixMs, rfc3339_seconds};
use crate::job::ScrapeRequest;

/// Facts of a result beside the answer.
#[derive(Clone, Copy, Debug)]
pub struct ResultFacts<'a> {
    pub request: &'a ScrapeRequest,
    /// The job's id as clients see it.
    pub job_id: &'a str,
    /// The start of `markdown_url`, without a slash at its end.
    pub public_url: &'a str,
    pub credits_used: u32,
    /// Of the attempt that succeeded, milliseconds.
    pub elapsed_ms: f64,
    /// The upstream's name in config.toml.
    pub upstream: &'a str,
    pub kind: Kind,
    /// The model that was asked for; `None` where there was none to choose.
    pub model_asked: Option<&'a str>,
    /// Whether the result has more than the fields of contract part 1.
    pub has_extras: bool,
}

/// Room for what a result holds beside the texts and the sources, bytes.
const FRAME_BYTES: usize = 2_048;

/// The result object of contract 1.6: its fields in their order, and behind them what answerd adds.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Result")]
pub struct ResultObject<'a> {
    /// The scraper's name.
    scraper: &'a str,
    status: ResultStatus,
    /// Can be polled like any other.
    #[schemars(extend("format" = "uuid"))]
    job_id: &'a str,
    /// As it was sent.
    prompt: &'a str,
    /// In upper case.
    country: &'a str,
    /// The answer as plain text.
    result: &'a str,
    /// The answer as Markdown.
    result_markdown: &'a str,
    #[serde(flatten)]
    #[schemars(with = "AnyArrays<'_>")]
    arrays: &'a Arrays<'a>,
    /// The model, where the upstream tells it.
    llm_model: Option<&'a str>,
    /// 0 from the cache.
    credits_used: u32,
    /// Milliseconds of the attempt that succeeded.
    #[schemars(range(min = 0))]
    elapsed_ms: f64,
    /// Whether the cache gave it.
    cached: bool,
    /// Where the Markdown is.
    #[schemars(extend("format" = "uri"))]
    markdown_url: String,
    // `as_cached` writes it.
    /// When the cached answer was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    cached_at: Option<&'static str>,
    /// The conversation's or the page's address, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    /// The token tree of `result_markdown`, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "list_of_tokens")]
    markdown_json: Option<Vec<Value>>,
    /// Whether the engine showed an answer at all, of those that do not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<bool>,
    /// What a reader should know about it.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    provenance: Provenance<'a>,
    #[serde(flatten)]
    facts: Option<Facts<'a>>,
    // `as_reread` writes it.
    /// When it was read again from the replies of its provider, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    reread_at: Option<&'static str>,
    // `measure::annotated` writes both.
    /// The tracker that it was measured by, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tracker_of_result")]
    tracker: Option<()>,
    /// What it says of each brand of the tracker.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "list_of_mentions")]
    mentions: Option<()>,
}

/// A result is there only of a job that is done.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum ResultStatus {
    Done,
}

/// What answerd says of every answer; not there with `extra_arrays = false`.
#[derive(JsonSchema, Serialize)]
struct Facts<'a> {
    search: SearchObject,
    usage: UsageObject,
    place: PlaceObject<'a>,
}

/// Where an answer is from.
#[derive(JsonSchema, Serialize)]
struct Provenance<'a> {
    /// Its name in the settings.
    upstream: &'a str,
    #[schemars(schema_with = "kinds")]
    kind: &'static str,
    /// The model that the request or the settings asked for; null where there was none to choose.
    model_asked: Option<&'a str>,
    /// Of each array, whether the upstream has such a thing at all.
    #[schemars(with = "BTreeMap<String, State>")]
    fields: States<'a>,
}

struct States<'a>(&'a Arrays<'a>);

impl Serialize for States<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.states())
    }
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    let kinds = [Kind::Api, Kind::Browser, Kind::Serp, Kind::Practice];
    json_schema!({ "type": "string", "enum": kinds.map(Kind::word) })
}

/// What a token is depends on its type: its schema is written by hand.
fn list_of_tokens(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "$ref": "#/components/schemas/Token" } })
}

fn tracker_of_result(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["name", "version", "branded"],
        "properties": {
            "name": { "type": "string" },
            "version": { "type": "integer", "minimum": 1 },
            "branded": {
                "type": "boolean", "description": "Whether the prompt names a brand of it.",
            },
        },
    })
}

fn list_of_mentions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "$ref": "#/components/schemas/Mention" } })
}

/// Returns the result object of a normalized answer as the JSON that is stored and sent.
pub fn render(answer: &Answer, facts: &ResultFacts<'_>) -> Vec<u8> {
    let request = facts.request;
    let arrays = Arrays::of(answer, &request.scraper, facts.has_extras);
    let has_tree = request.markdown_json
        && catalog::shipped(&request.scraper).is_some_and(|entry| entry.markdown_json);
    let object = ResultObject {
        scraper: &request.scraper,
        status: ResultStatus::Done,
        job_id: facts.job_id,
        prompt: &request.prompt,
        country: &request.country,
        result: &answer.text,
        result_markdown: &answer.markdown,
        arrays: &arrays,
        llm_model: answer.model.as_deref(),
        credits_used: facts.credits_used,
        elapsed_ms: milliseconds(facts.elapsed_ms),
        cached: false,
        markdown_url: markdown_url(facts.public_url, facts.job_id),
        cached_at: None,
        url: answer.url.as_deref(),
        markdown_json: has_tree.then(|| token_tree(&answer.markdown)),
        present: answer.present,
        warnings: &answer.warnings,
        provenance: Provenance {
            upstream: facts.upstream,
            kind: facts.kind.word(),
            model_asked: facts.model_asked,
            fields: States(&arrays),
        },
        facts: facts.has_extras.then(|| Facts {
            search: SearchObject::of(answer.search, request),
            usage: UsageObject::from(&answer.usage),
            place: PlaceObject::of(answer.place.as_ref(), request),
        }),
        reread_at: None,
        tracker: None,
        mentions: None,
    };
    let room = answer.markdown.len() + answer.text.len() + request.prompt.len();
    let mut json = Vec::with_capacity(room + room / 4 + FRAME_BYTES);
    serde_json::to_writer(&mut json, &object)
        .expect("strings as keys and a Vec to write to: nothing that could fail");
    json
}

/// Rounded to microseconds; a time that is no number is none.
fn milliseconds(elapsed_ms: f64) -> f64 {
    if elapsed_ms.is_finite() { (elapsed_ms * 1000.0).round() / 1000.0 } else { 0.0 }
}

fn markdown_url(public_url: &str, job_id: &str) -> String {
    format!("{public_url}/md/{job_id}.md")
}

/// Returns a stored result rendered for another job that the cache serves: its own id, no credits,
/// no usage, `cached` and `cached_at`. `None` when `stored` is not a result object, or has not the
/// form that the settings want now.
///
/// The values are copied, not parsed: the cost is one pass over the bytes.
pub fn as_cached(
    stored: &[u8],
    job_id: &str,
    public_url: &str,
    cached_ms: UnixMs,
    has_extras: bool,
) -> Option<CachedResult> {
    let mut json = Vec::with_capacity(stored.len() + public_url.len() + job_id.len() + 64);
    let mut present = None;
    let rewrite = Rewrite {
        job_id,
        public_url,
        cached_ms,
        has_extras,
        json: &mut json,
        present: &mut present,
    };
    let mut stored = serde_json::Deserializer::from_slice(stored);
    let is_result = (&mut stored).deserialize_map(rewrite).ok()?;
    stored.end().ok()?;
    is_result.then_some(CachedResult { json, present })
}

/// A result that the cache serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedResult {
    pub json: Vec<u8>,
    /// Whether the engine showed an answer at all, of those that do not always.
    pub present: Option<bool>,
}

struct Rewrite<'a> {
    job_id: &'a str,
    public_url: &'a str,
    cached_ms: UnixMs,
    has_extras: bool,
    json: &'a mut Vec<u8>,
    present: &'a mut Option<bool>,
}

impl<'de> Visitor<'de> for Rewrite<'_> {
    /// Whether all fields that a cached result changes were there, in the form that is wanted.
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a result object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut stored: A) -> Result<bool, A::Error> {
        let mut serializer = serde_json::Serializer::new(self.json);
        let mut map = serializer.serialize_map(None).map_err(serde::de::Error::custom)?;
        let mut changed = 0;
        let mut had_extras = false;
        while let Some((name, value)) = stored.next_entry::<&str, &RawValue>()? {
            let written = match name {
                "job_id" => map.serialize_entry(name, self.job_id),
                "credits_used" => map.serialize_entry(name, &0),
                "cached" => map.serialize_entry(name, &true),
                "markdown_url" => {
                    map.serialize_entry(name, &markdown_url(self.public_url, self.job_id)).and_then(
                        |()| map.serialize_entry("cached_at", &rfc3339_seconds(self.cached_ms)),
                    )
                }
                "usage" => {
                    had_extras = true;
                    map.serialize_entry(name, &UsageObject::nothing())
                        .map_err(serde::de::Error::custom)?;
                    continue;
                }
                "present" => {
                    *self.present = serde_json::from_str(value.get()).ok();
                    map.serialize_entry(name, value).map_err(serde::de::Error::custom)?;
                    continue;
                }
                // Of an earlier service from the cache; the new one stands behind the address.
                // And what was measured by the tracker of another job.
                "cached_at" | "tracker" | "mentions" => continue,
                _ => {
                    map.serialize_entry(name, value).map_err(serde::de::Error::custom)?;
                    continue;
                }
            };
            written.map_err(serde::de::Error::custom)?;
            changed += 1;
        }
        map.end().map_err(serde::de::Error::custom)?;
        Ok(changed == 4 && had_extras == self.has_extras)
    }
}

#[cfg(test)]
mod tests;
