//! The result: an answer rendered into its scraper's JSON. Contract 1.6 and `provenance` of part 2.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::arrays::{Filled, State, fill};
use super::tree::token_tree;
use super::{Answer, Kind};
use crate::catalog::{self, Array};
use crate::clock::{UnixMs, rfc3339_seconds};
use crate::job::ScrapeRequest;

/// What a result says beside the answer.
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
}

/// Room for what a result holds beside the texts and the sources, bytes.
const FRAME_BYTES: usize = 2_048;

/// The result object of a normalized answer as the JSON that is stored and sent. Its fields stand in
/// the order of contract 1.6.
pub fn render(answer: &Answer, facts: &ResultFacts<'_>) -> Vec<u8> {
    let own = catalog::arrays(&facts.request.scraper);
    let mut arrays: Vec<Filled<'_>> = own.iter().map(|array| fill(answer, *array)).collect();
    if answer.queries.is_some() && !own.contains(&Array::SearchQueries) {
        arrays.push(fill(answer, Array::SearchQueries));
    }
    let room = answer.markdown.len() + answer.text.len() + facts.request.prompt.len();
    let mut json = Vec::with_capacity(room + room / 4 + FRAME_BYTES);
    write(answer, facts, &arrays, &mut serde_json::Serializer::new(&mut json))
        .expect("strings as keys and a Vec to write to: nothing that could fail");
    json
}

/// Which of its scraper's arrays an answer has something for.
pub fn filled_arrays(answer: &Answer, scraper: &str) -> Vec<Array> {
    let own = catalog::arrays(scraper).iter();
    own.filter(|array| fill(answer, **array).state == State::Ok).copied().collect()
}

fn write<S: Serializer>(
    answer: &Answer,
    facts: &ResultFacts<'_>,
    arrays: &[Filled<'_>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let request = facts.request;
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("scraper", &request.scraper)?;
    map.serialize_entry("status", "done")?;
    map.serialize_entry("job_id", facts.job_id)?;
    map.serialize_entry("prompt", &request.prompt)?;
    map.serialize_entry("country", &request.country)?;
    map.serialize_entry("result", &answer.text)?;
    map.serialize_entry("result_markdown", &answer.markdown)?;
    for filled in arrays {
        map.serialize_entry(filled.array.name(), &filled.items)?;
    }
    map.serialize_entry("llm_model", &answer.model)?;
    map.serialize_entry("credits_used", &facts.credits_used)?;
    map.serialize_entry("elapsed_ms", &milliseconds(facts.elapsed_ms))?;
    map.serialize_entry("cached", &false)?;
    map.serialize_entry("markdown_url", &markdown_url(facts.public_url, facts.job_id))?;
    if let Some(url) = &answer.url {
        map.serialize_entry("url", url)?;
    }
    if request.markdown_json && catalog::shipped(&request.scraper).is_some_and(|s| s.markdown_json)
    {
        map.serialize_entry("markdown_json", &token_tree(&answer.markdown))?;
    }
    if !answer.warnings.is_empty() {
        map.serialize_entry("warnings", &answer.warnings)?;
    }
    map.serialize_entry("provenance", &Provenance { facts, arrays })?;
    map.end()
}

/// Rounded to microseconds; a time that is no number is none.
fn milliseconds(elapsed_ms: f64) -> f64 {
    if elapsed_ms.is_finite() { (elapsed_ms * 1000.0).round() / 1000.0 } else { 0.0 }
}

fn markdown_url(public_url: &str, job_id: &str) -> String {
    format!("{public_url}/md/{job_id}.md")
}

struct Provenance<'a> {
    facts: &'a ResultFacts<'a>,
    arrays: &'a [Filled<'a>],
}

impl serde::Serialize for Provenance<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("upstream", self.facts.upstream)?;
        map.serialize_entry("kind", self.facts.kind.word())?;
        map.serialize_entry("fields", &Fields(self.arrays))?;
        map.end()
    }
}

struct Fields<'a>(&'a [Filled<'a>]);

impl serde::Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|filled| (filled.array.name(), filled.state)))
    }
}

/// A stored result rendered for another job that the cache serves: its own id, no credits,
/// `cached` and `cached_at`. `None` when `stored` is not a result object.
///
/// The values are copied as they stand, not read: the cost is one pass over the bytes.
pub fn as_cached(
    stored: &[u8],
    job_id: &str,
    public_url: &str,
    cached_ms: UnixMs,
) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(stored.len() + public_url.len() + job_id.len() + 64);
    let rewrite = Rewrite { job_id, public_url, cached_ms, json: &mut json };
    let mut stored = serde_json::Deserializer::from_slice(stored);
    let is_result = (&mut stored).deserialize_map(rewrite).ok()?;
    stored.end().ok()?;
    is_result.then_some(json)
}

struct Rewrite<'a> {
    job_id: &'a str,
    public_url: &'a str,
    cached_ms: UnixMs,
    json: &'a mut Vec<u8>,
}

impl<'de> Visitor<'de> for Rewrite<'_> {
    /// Whether all fields that a cached result changes were there.
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a result object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut stored: A) -> Result<bool, A::Error> {
        let mut serializer = serde_json::Serializer::new(self.json);
        let mut map = serializer.serialize_map(None).map_err(serde::de::Error::custom)?;
        let mut changed = 0;
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
                // Of an earlier service from the cache; the new one stands behind the address.
                "cached_at" => continue,
                _ => {
                    map.serialize_entry(name, value).map_err(serde::de::Error::custom)?;
                    continue;
                }
            };
            written.map_err(serde::de::Error::custom)?;
            changed += 1;
        }
        map.end().map_err(serde::de::Error::custom)?;
        Ok(changed == 4)
    }
}

#[cfg(test)]
mod tests;
