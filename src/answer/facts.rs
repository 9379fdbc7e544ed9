//! What a result says of its making: the searches, the usage and the place, with their schemas.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AppliedPlace, Search};
use crate::job::{Cost, Device, Location, ScrapeRequest, UpstreamUsage};

/// The searches behind an answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Search")]
pub struct SearchObject {
    /// Whether the request wanted one.
    asked: bool,
    /// Whether at least one was made and worked; null where the upstream does not tell.
    pub made: Option<bool>,
    /// How many were made, those that failed included; null where the upstream does not tell.
    calls: Option<u32>,
    /// How many of them failed; null where the upstream does not tell.
    failed: Option<u32>,
}

impl SearchObject {
    pub(crate) fn of(search: Option<Search>, request: &ScrapeRequest) -> SearchObject {
        let Some(Search { asked, made, calls, failed }) = search else {
            return SearchObject {
                asked: request.web_search,
                made: None,
                calls: None,
                failed: None,
            };
        };
        let failed = (failed > 0 || calls.is_some()).then_some(failed);
        SearchObject { asked, made, calls, failed }
    }
}

/// Tokens, searches and money that calls of upstreams took. Null where it is not told.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "UpstreamUsage")]
pub struct UsageObject {
    pub input_tokens: Option<u64>,
    /// Those of the reasoning included where the provider counts them so.
    pub output_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    /// Searches that the provider charges for.
    pub searches: Option<u64>,
    /// In US dollars.
    #[schemars(range(min = 0))]
    pub cost_usd: Option<f64>,
    /// `provider` told the cost, or it follows from the prices in the settings, `table`.
    #[schemars(extend("enum" = ["provider", "table", null]))]
    pub cost_from: Option<Cow<'static, str>>,
}

impl UsageObject {
    /// Returns the usage of an answer from the cache: none.
    pub(super) fn nothing() -> UsageObject {
        UsageObject {
            input_tokens: Some(0),
            output_tokens: Some(0),
            reasoning_tokens: Some(0),
            searches: Some(0),
            cost_usd: Some(0.0),
            cost_from: None,
        }
    }
}

impl From<&UpstreamUsage> for UsageObject {
    fn from(usage: &UpstreamUsage) -> UsageObject {
        UsageObject {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            searches: usage.searches,
            cost_usd: usage.cost.map(Cost::usd),
            cost_from: usage.cost.map(|cost| cost.from.word().into()),
        }
    }
}

/// From where an answer was asked.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Place")]
pub(super) struct PlaceObject<'a> {
    /// What the request says.
    asked: PlaceParts<'a>,
    /// The part of it that the upstream got.
    applied: PlaceParts<'a>,
    /// How: by a `field` of its API or a setting of the browser, an `instruction` to the model, the
    /// browser's `proxy`, or not at all, `none`.
    #[schemars(extend("enum" = ["field", "instruction", "proxy", "none"]))]
    by: &'static str,
}

/// The parts of a place that are given.
#[derive(Debug, Default, JsonSchema, Serialize)]
#[schemars(inline)]
struct PlaceParts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = Device::WORDS))]
    device: Option<&'a str>,
}

impl<'a> PlaceObject<'a> {
    pub(crate) fn of(
        applied: Option<&'a AppliedPlace>,
        request: &'a ScrapeRequest,
    ) -> PlaceObject<'a> {
        let by = applied.map_or(super::PlaceBy::None, |place| place.by);
        PlaceObject {
            asked: PlaceParts::of(Some(&request.country), &request.location),
            applied: applied.map_or_else(PlaceParts::default, |place| {
                PlaceParts::of(place.country.as_deref(), &place.location)
            }),
            by: by.word(),
        }
    }
}

impl<'a> PlaceParts<'a> {
    fn of(country: Option<&'a str>, location: &'a Location) -> PlaceParts<'a> {
        let [region, city, language, timezone, device] = location.parts();
        PlaceParts { country, region, city, language, timezone, device }
    }
}
