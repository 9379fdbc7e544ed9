//! Trackers, what they have measured, and the reports over that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wire::{Day, Id, Time};
use crate::clock::{calendar_day, day_text};
use crate::measure::{
    Brand, Observation, ReportRow, SinceBefore, TopDomain, TopPage, Tracker, kind_words,
};

const DAY_MS: u64 = 86_400_000;

/// Brands to look for.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTracker")]
pub struct NewTrackerView {
    /// 1 to 50.
    #[schemars(length(min = 1, max = 50))]
    pub brands: Vec<Brand>,
}

/// A tracker: brands that are looked for in answers.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Tracker")]
pub struct TrackerView {
    pub name: String,
    /// Rises with every change of the brands, from 1. Answers are counted under the version that
    /// they were measured by.
    #[schemars(range(min = 1))]
    pub version: u32,
    pub created_at: Time,
    /// When this version was made.
    pub changed_at: Time,
    pub brands: Vec<Brand>,
    /// Names that often mean something else, as sentences.
    pub warnings: Vec<String>,
}

impl From<Tracker> for TrackerView {
    fn from(tracker: Tracker) -> TrackerView {
        TrackerView {
            version: tracker.version,
            created_at: tracker.created_ms.into(),
            changed_at: tracker.changed_ms.into(),
            warnings: tracker.brands.warnings(),
            brands: tracker.brands.brands().to_vec(),
            name: tracker.name,
        }
    }
}

/// The trackers of a key.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Trackers")]
pub struct TrackersView {
    /// By name.
    pub trackers: Vec<TrackerView>,
}

/// Counts of results that a tracker was applied to.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Applied")]
pub struct AppliedView {
    pub tracker: String,
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Answers that it has measured now.
    pub measured: u64,
    /// Answers that this version had measured before.
    pub already: u64,
    /// Results from the cache: they are no new answers, and are not counted.
    pub cached: u64,
}

/// A page of what a version of a tracker has measured.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Observations")]
pub struct ObservationsView {
    pub tracker: String,
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Oldest first.
    pub observations: Vec<ObservationView>,
    /// For the `cursor` of the next page; null when there is none.
    pub next_cursor: Option<String>,
}

/// The measure of one answer. It stays when the answer is gone.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Observation")]
pub struct ObservationView {
    pub job_id: Id,
    /// When the answer came.
    pub at: Time,
    pub scraper: String,
    pub country: String,
    /// Null where the job has none.
    pub label: Option<String>,
    /// Of the upstream that answered.
    pub kind: Option<String>,
    /// Tells prompts apart.
    pub prompt_hash: u32,
    /// Whether the prompt names a brand of the tracker.
    pub branded: bool,
    /// Whether the engine showed no answer at all.
    pub absent: bool,
    /// Whether it searched; null where that is unknown.
    pub searched: Option<bool>,
    /// Whether a citation could have been found in it.
    pub citable: bool,
    /// The brands of which it says something.
    pub brands: Vec<ObservedBrandView>,
}

/// The mention of a brand in an answer.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "ObservedBrand")]
pub struct ObservedBrandView {
    pub brand: String,
    /// How often the text names it.
    pub count: u32,
    /// Its place among the brands that the text names, from 1; null where it is not named.
    pub rank: Option<u32>,
    pub in_list_item: bool,
    pub cited: bool,
    pub linked: bool,
}

impl ObservationView {
    /// Creates the view of an observation by a tracker with these brands.
    pub fn of(observation: &Observation, brands: &[Brand]) -> ObservationView {
        let counts = &observation.counts;
        let of_brand = counts.brands.iter().filter_map(|counts| {
            Some(ObservedBrandView {
                brand: brands.get(usize::from(counts.brand))?.name.clone(),
                count: counts.count,
                rank: (counts.rank > 0).then_some(counts.rank),
                in_list_item: counts.in_list_item,
                cited: counts.cited,
                linked: counts.linked,
            })
        });
        ObservationView {
            job_id: observation.job_id.into(),
            at: observation.at_ms.into(),
            scraper: observation.scraper.clone(),
            country: observation.country.clone(),
            label: (!observation.label.is_empty()).then(|| observation.label.clone()),
            kind: kind_words(observation.kind_bit).first().map(|word| (*word).to_owned()),
            prompt_hash: observation.prompt_hash,
            branded: counts.branded,
            absent: counts.absent,
            searched: counts.searched,
            citable: counts.citable,
            brands: of_brand.collect(),
        }
    }
}

/// A report over what a version of a tracker has measured.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Report")]
pub struct ReportView {
    pub tracker: String,
    #[schemars(range(min = 1))]
    pub version: u32,
    /// The first day.
    pub since: Day,
    /// The last day.
    pub until: Day,
    pub rows: Vec<ReportRowView>,
}

/// Sums over the answers of one group. A rate over nothing is null.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "ReportRow")]
pub struct ReportRowView {
    /// Only in a report by day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// The Monday of the week; only in a report by week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<Day>,
    /// Only in a report by scraper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scraper: Option<String>,
    /// Only in a report by country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Only in a report by label; empty for jobs without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Only in a report by brand. Otherwise a row counts all of your own brands as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Jobs that ended with an answer, or with the finding that the engine shows none.
    pub answers: u64,
    /// Those in which the engine showed none.
    pub absent: u64,
    /// Those with a text: what `mention_rate` is a share of.
    pub measured: u64,
    /// Answers that were given after a search.
    pub searched: u64,
    /// Answers that were given without one.
    pub unsearched: u64,
    /// Answers that could have cited: what `citation_rate` is a share of.
    pub citable: u64,
    /// Answers that name the brand.
    pub mentioned: u64,
    pub mention_rate: Option<f64>,
    /// The lower end of the interval of 95 % (Wilson).
    pub mention_low: Option<f64>,
    /// Its upper end.
    pub mention_high: Option<f64>,
    /// Citable answers that cite a page of the brand.
    pub cited: u64,
    pub citation_rate: Option<f64>,
    /// The lower end of the interval of 95 % (Wilson).
    pub citation_low: Option<f64>,
    /// Its upper end.
    pub citation_high: Option<f64>,
    /// Share of voice: of all pairs of an answer and a brand that it names, those with this brand.
    pub share: Option<f64>,
    /// The mean place among the brands that a text names, in texts that name it.
    pub mean_rank: Option<f64>,
    /// How much answers to the same prompt differ, of one engine for one country on one day: the
    /// mean standard deviation of a mention; null without such answers.
    pub spread: Option<f64>,
    /// The kinds of upstreams that answered; rates of several kinds do not compare well.
    pub kinds: Vec<String>,
    /// The domains that most answers used, 10 of them where `top` is not given.
    pub top_domains: Vec<TopDomainView>,
    /// The pages that most answers used; only with `pages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_pages: Option<Vec<TopPageView>>,
    /// Against the time before of the same length, or the day or week before; null without an
    /// answer then.
    pub since_before: Option<SinceBeforeView>,
}

/// A domain that answers used.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "TopDomain")]
pub struct TopDomainView {
    pub domain: String,
    /// Answers that consulted or cite it.
    pub answers: u64,
    /// Answers that cite it.
    pub cited: u64,
    /// Answers that consulted or cite it in the time before; null without an answer then.
    pub answers_before: Option<u64>,
}

/// A page that answers used.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "TopPage")]
pub struct TopPageView {
    /// Without a fragment and without the parameters that begin with `utm_`.
    pub url: String,
    /// Answers that consulted or cite it.
    pub answers: u64,
    /// Answers that cite it.
    pub cited: u64,
    /// Answers that consulted or cite it in the time before; null without an answer then.
    pub answers_before: Option<u64>,
}

/// Domains and pages that came and went since the time before, at most 50 of each, those of most
/// answers first.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "SinceBefore")]
pub struct SinceBeforeView {
    /// Answers with a text in the time before.
    pub measured: u64,
    pub new_domains: Vec<String>,
    pub lost_domains: Vec<String>,
    pub new_cited: Vec<String>,
    pub lost_cited: Vec<String>,
    /// The share of the domains of either time that both have; null if neither has one.
    pub overlap: Option<f64>,
    /// Only with `pages`, as the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_pages: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_pages: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_cited_pages: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_cited_pages: Option<Vec<String>>,
}

/// Returns a number of days since 1970-01-01 as a day of the calendar.
pub fn calendar_date(day: u32) -> Day {
    Day(day_text(calendar_day(u64::from(day) * DAY_MS)))
}

impl From<ReportRow> for ReportRowView {
    fn from(row: ReportRow) -> ReportRowView {
        let (mentions, citations) = (row.mentions, row.citations);
        let (mention_interval, citation_interval) = (mentions.interval(), citations.interval());
        ReportRowView {
            day: row.key.day.map(calendar_date),
            week: row.key.week.map(calendar_date),
            scraper: row.key.scraper,
            country: row.key.country,
            label: row.key.label,
            brand: row.key.brand,
            answers: row.answers,
            absent: row.absent,
            measured: row.measured,
            searched: row.searched,
            unsearched: row.unsearched,
            citable: row.citable,
            mentioned: mentions.hits,
            mention_rate: mentions.value(),
            mention_low: mention_interval.map(|(low, _)| low),
            mention_high: mention_interval.map(|(_, high)| high),
            cited: citations.hits,
            citation_rate: citations.value(),
            citation_low: citation_interval.map(|(low, _)| low),
            citation_high: citation_interval.map(|(_, high)| high),
            share: row.share,
            mean_rank: row.mean_rank,
            spread: row.spread,
            kinds: kind_words(row.kinds).into_iter().map(str::to_owned).collect(),
            top_domains: row.top_domains.into_iter().map(TopDomainView::from).collect(),
            top_pages: row
                .top_pages
                .map(|pages| pages.into_iter().map(TopPageView::from).collect()),
            since_before: row.since_before.map(SinceBeforeView::from),
        }
    }
}

impl From<TopDomain> for TopDomainView {
    fn from(TopDomain { domain, sums, before }: TopDomain) -> TopDomainView {
        let (answers, cited) = (sums.used, sums.cited);
        TopDomainView { domain, answers, cited, answers_before: before }
    }
}

impl From<TopPage> for TopPageView {
    fn from(TopPage { url, sums, before }: TopPage) -> TopPageView {
        let (answers, cited) = (sums.used, sums.cited);
        TopPageView { url, answers, cited, answers_before: before }
    }
}

impl From<SinceBefore> for SinceBeforeView {
    fn from(SinceBefore { measured, domains, overlap, pages }: SinceBefore) -> SinceBeforeView {
        let [new_pages, lost_pages, new_cited_pages, lost_cited_pages] = pages
            .map_or_else(Default::default, |pages| {
                [pages.new, pages.lost, pages.new_cited, pages.lost_cited].map(Some)
            });
        SinceBeforeView {
            measured,
            new_domains: domains.new,
            lost_domains: domains.lost,
            new_cited: domains.new_cited,
            lost_cited: domains.lost_cited,
            overlap,
            new_pages,
            lost_pages,
            new_cited_pages,
            lost_cited_pages,
        }
    }
}
