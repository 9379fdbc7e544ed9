//! A report: sums over the answers of a window by what somebody asks for, as rates.

use std::collections::BTreeMap;

use super::brand::Brand;
use super::page_sums::PageSums;
use super::rate::Rate;
use super::sums::{BrandSums, DomainSums, GroupSums};

/// The number of domains that a row lists where none is asked for.
const TOP_DEFAULT: usize = 10;
/// The most domains that a row lists as new, and as lost, those of most answers first; the same of
/// pages.
pub(crate) const CHANGES_MAX: usize = 50;
/// The most pages that are counted separately while a report is made, in all of its rows.
pub(crate) const PAGES_OF_REPORT_MAX: usize = 400_000;

/// A property of answers that a report tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    Day,
    Week,
    Scraper,
    Country,
    Label,
    Brand,
}

impl Dimension {
    pub const ALL: [(&'static str, Dimension); 6] = [
        ("day", Dimension::Day),
        ("week", Dimension::Week),
        ("scraper", Dimension::Scraper),
        ("country", Dimension::Country),
        ("label", Dimension::Label),
        ("brand", Dimension::Brand),
    ];
}

/// A group of answers of one day, as sums are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey<'a> {
    /// Days since 1970-01-01, UTC.
    pub day: u32,
    pub scraper: &'a str,
    pub country: &'a str,
    /// Empty for answers without one.
    pub label: &'a str,
}

/// The days of a report, both included, since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub first: u32,
    pub last: u32,
}

impl Window {
    fn has(self, day: u32) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Returns how many days before its first one the sums are needed that it is compared with.
    pub fn days_before(self, by: &[Dimension]) -> u32 {
        if by.contains(&Dimension::Day) {
            1
        } else if by.contains(&Dimension::Week) {
            // The week before that in which the window begins.
            7 + self.first.saturating_sub(monday(self.first))
        } else {
            self.last - self.first + 1
        }
    }
}

/// Returns the first day of a day's week.
fn monday(day: u32) -> u32 {
    // 1970-01-01 was a Thursday.
    day.saturating_sub((day + 3) % 7)
}

/// The place of a row: the values of what is told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    pub day: Option<u32>,
    /// The first day of it.
    pub week: Option<u32>,
    pub scraper: Option<String>,
    pub country: Option<String>,
    pub label: Option<String>,
    pub brand: Option<String>,
}

/// The lists of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The most domains, and the most pages, that are listed.
    pub top: usize,
    /// Whether pages are listed, too.
    pub pages: bool,
}

impl Default for Listing {
    fn default() -> Listing {
        Listing { top: TOP_DEFAULT, pages: false }
    }
}

/// Answers that used a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopDomain {
    pub domain: String,
    pub sums: DomainSums,
    /// Answers that used it in the time before; `None` if there was no answer.
    pub before: Option<u64>,
}

/// Answers that used a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopPage {
    pub url: String,
    pub sums: DomainSums,
    /// Answers that used it in the time before; `None` if there was no answer.
    pub before: Option<u64>,
}

/// Domains, or pages, that came and went since the time before, those of most answers first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub new: Vec<String>,
    pub lost: Vec<String>,
    pub new_cited: Vec<String>,
    pub lost_cited: Vec<String>,
}

/// The changes since the time before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SinceBefore {
    /// Answers with a text in the time before.
    pub measured: u64,
    pub domains: Changes,
    /// The share of the domains of either time that both have; `None` if neither has one.
    pub overlap: Option<f64>,
    /// `None` where pages are not asked for.
    pub pages: Option<Changes>,
}

/// A row of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow {
    pub key: RowKey,
    pub answers: u64,
    pub absent: u64,
    pub measured: u64,
    pub searched: u64,
    pub unsearched: u64,
    pub citable: u64,
    pub kinds: u8,
    pub mentions: Rate,
    pub citations: Rate,
    /// Of all mentions of the tracker's brands, by answers.
    pub share: Option<f64>,
    pub mean_rank: Option<f64>,
    /// The mean standard deviation between answers to the same prompt; `None` without such.
    pub spread: Option<f64>,
    pub top_domains: Vec<TopDomain>,
    /// `None` where pages are not asked for.
    pub top_pages: Option<Vec<TopPage>>,
    /// `None` if there was no answer in the time before.
    pub since_before: Option<SinceBefore>,
}

/// Sums on their way to a report.
#[derive(Debug)]
pub struct ReportBuilder<'a> {
    by: &'a [Dimension],
    window: Window,
    brands: &'a [Brand],
    listing: Listing,
    groups: BTreeMap<RowKey, Compared>,
    /// How many pages all groups tell apart.
    pages: usize,
}

/// Sums of a row, and of the time that it is compared with.
#[derive(Debug, Default)]
struct Compared {
    now: GroupSums,
    before: GroupSums,
    pages_now: PageSums,
    pages_before: PageSums,
    spread: SpreadSums,
}

/// How much answers to the same prompt differ that one engine gave for one country on one day:
/// those that are meant to be samples of the same thing.
#[derive(Debug, Default)]
struct SpreadSums {
    /// Prompts with more than one answer, each counted for every group of theirs.
    prompts: u32,
    /// The sum of their standard deviations: of each brand's mentions, and behind them of those of
    /// your own.
    deviations: Vec<f64>,
}

impl SpreadSums {
    /// Adds the sums of a day and group. `brands` is the number of the tracker's.
    fn add(&mut self, sums: &GroupSums, brands: usize) {
        self.deviations.resize(brands + 1, 0.0);
        for prompt in sums.prompts.values().filter(|prompt| prompt.measured > 1) {
            let answers = prompt.measured as f64;
            self.prompts += 1;
            for (place, deviations) in self.deviations.iter_mut().enumerate() {
                let named = prompt.mentioned.get(place).copied().unwrap_or(0) as f64;
                let variance = named / answers * (answers - named) / (answers - 1.0);
                *deviations += variance.max(0.0).sqrt();
            }
        }
    }

    /// Returns the mean for a brand, or behind the last one for your own; `None` without prompts.
    fn mean(&self, place: usize) -> Option<f64> {
        let deviations = self.deviations.get(place).filter(|_| self.prompts > 0)?;
        Some(deviations / f64::from(self.prompts))
    }
}

impl<'a> ReportBuilder<'a> {
    pub fn new(
        by: &'a [Dimension],
        window: Window,
        brands: &'a [Brand],
        listing: Listing,
    ) -> ReportBuilder<'a> {
        ReportBuilder { by, window, brands, listing, groups: BTreeMap::new(), pages: 0 }
    }

    /// Adds the sums of a day and group.
    pub fn add(&mut self, group: GroupKey<'_>, sums: &GroupSums) {
        if self.window.has(group.day) {
            let row = self.groups.entry(self.key(group, group.day)).or_default();
            row.now.merge(sums);
            row.spread.add(sums, self.brands.len());
        }
        if let Some(day) = self.compared_with(group.day) {
            let key = self.key(group, day);
            self.groups.entry(key).or_default().before.merge(sums);
        }
    }

    /// Adds the pages of a day and group whose sums were added. Returns whether there is room for
    /// more.
    pub fn add_pages(&mut self, group: GroupKey<'_>, sums: &PageSums) -> bool {
        let now = self.window.has(group.day).then(|| self.key(group, group.day));
        let before = self.compared_with(group.day).map(|day| self.key(group, day));
        if let Some(row) = now.and_then(|key| self.groups.get_mut(&key)) {
            self.pages += row.pages_now.merge(sums);
        }
        if let Some(row) = before.and_then(|key| self.groups.get_mut(&key)) {
            self.pages += row.pages_before.merge(sums);
        }
        self.pages <= PAGES_OF_REPORT_MAX
    }

    /// Returns a day of the row that is compared with a day. Where rows are by day or week,
    /// each is compared with the one before.
    fn compared_with(&self, day: u32) -> Option<u32> {
        let has_day = self.by.contains(&Dimension::Day);
        let has_week = self.by.contains(&Dimension::Week);
        match (has_day, has_week) {
            (true, _) => Some(day + 1).filter(|day| self.window.has(*day)),
            (false, true) => Some(monday(day) + 7)
                .filter(|day| *day <= self.window.last && day + 6 >= self.window.first),
            (false, false) => (day < self.window.first).then_some(self.window.first),
        }
    }

    fn key(&self, group: GroupKey<'_>, day: u32) -> RowKey {
        let has = |dimension| self.by.contains(&dimension);
        let text = |dimension, text: &str| has(dimension).then(|| text.to_owned());
        RowKey {
            day: has(Dimension::Day).then_some(day),
            week: has(Dimension::Week).then_some(monday(day)),
            scraper: text(Dimension::Scraper, group.scraper),
            country: text(Dimension::Country, group.country),
            label: text(Dimension::Label, group.label),
            brand: None,
        }
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        let of_group = if self.by.contains(&Dimension::Brand) { self.brands.len() } else { 1 };
        self.groups.values().filter(|group| group.now.answers > 0).count() * of_group
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the rows, in the order of their places; those of a group in the tracker's order.
    pub fn rows(&self) -> Vec<ReportRow> {
        let mut rows = Vec::with_capacity(self.len());
        let groups = self.groups.iter().filter(|(_, group)| group.now.answers > 0);
        for (key, group) in groups {
            if !self.by.contains(&Dimension::Brand) {
                rows.push(self.row(key.clone(), group, None));
                continue;
            }
            for (place, brand) in self.brands.iter().enumerate() {
                let key = RowKey { brand: Some(brand.name.clone()), ..key.clone() };
                rows.push(self.row(key, group, Some(place)));
            }
        }
        rows
    }

    /// Makes a row: of one brand, or of your own ones.
    fn row(&self, key: RowKey, group: &Compared, brand: Option<usize>) -> ReportRow {
        let now = &group.now;
        let of = |place: usize| now.brands.get(place).copied().unwrap_or_default();
        let (sums, named): (BrandSums, u64) = match brand {
            Some(place) => (of(place), of(place).mentioned),
            None => {
                let own = own_places(self.brands);
                let named = (0..).zip(own).filter(|(_, own)| *own).map(|(at, _)| of(at).mentioned);
                (now.own, named.sum())
            }
        };
        let all: u64 = now.brands.iter().map(|sums| sums.mentioned).sum();
        let measured = now.measured();
        ReportRow {
            key,
            answers: now.answers,
            absent: now.absent,
            measured,
            searched: now.searched,
            unsearched: now.unsearched,
            citable: now.citable,
            kinds: now.kinds,
            mentions: Rate { hits: sums.mentioned, total: measured },
            citations: Rate { hits: sums.cited, total: now.citable },
            share: Rate { hits: named, total: all }.value(),
            mean_rank: Rate { hits: sums.ranks, total: sums.mentioned }.value(),
            spread: group.spread.mean(brand.unwrap_or(self.brands.len())),
            top_domains: self.top_domains(group),
            top_pages: self.listing.pages.then(|| self.top_pages(group)),
            since_before: (group.before.answers > 0).then(|| self.since_before(group)),
        }
    }

    fn since_before(&self, group: &Compared) -> SinceBefore {
        let (now, before) = (&group.now.domains, &group.before.domains);
        let both = now.keys().filter(|domain| before.contains_key(*domain)).count();
        let either = now.len() + before.len() - both;
        SinceBefore {
            measured: group.before.measured(),
            domains: changes(now, before),
            overlap: Rate { hits: both as u64, total: either as u64 }.value(),
            pages: (self.listing.pages)
                .then(|| changes(&group.pages_now.pages, &group.pages_before.pages)),
        }
    }

    fn top_domains(&self, group: &Compared) -> Vec<TopDomain> {
        let before = (group.before.answers > 0).then_some(&group.before.domains);
        let list = top(&group.now.domains, before, self.listing.top);
        let entry = |(domain, sums, before): (&String, _, _)| TopDomain {
            domain: domain.clone(),
            sums,
            before,
        };
        list.into_iter().map(entry).collect()
    }

    fn top_pages(&self, group: &Compared) -> Vec<TopPage> {
        let before = (group.before.answers > 0).then_some(&group.pages_before.pages);
        let list = top(&group.pages_now.pages, before, self.listing.top);
        let entry =
            |(url, sums, before): (&String, _, _)| TopPage { url: url.clone(), sums, before };
        list.into_iter().map(entry).collect()
    }
}

/// Returns which brands are somebody's own; where none is said to be, all are.
pub fn own_places(brands: &[Brand]) -> Vec<bool> {
    let has_own = brands.iter().any(|brand| brand.own);
    brands.iter().map(|brand| brand.own || !has_own).collect()
}

/// Returns the first of a list, those of most answers first, and how many answers used each in the
/// time before, where there was one.
fn top<'a>(
    now: &'a BTreeMap<String, DomainSums>,
    before: Option<&BTreeMap<String, DomainSums>>,
    count: usize,
) -> Vec<(&'a String, DomainSums, Option<u64>)> {
    let mut list: Vec<(&String, &DomainSums)> = now.iter().collect();
    list.sort_by_key(|(name, sums)| (std::cmp::Reverse((sums.used, sums.cited)), *name));
    let used = |name: &String| before.map(|before| before.get(name).map_or(0, |sums| sums.used));
    list.into_iter().take(count).map(|(name, sums)| (name, *sums, used(name))).collect()
}

fn changes(now: &BTreeMap<String, DomainSums>, before: &BTreeMap<String, DomainSums>) -> Changes {
    let only = |one: &BTreeMap<String, DomainSums>,
                other: &BTreeMap<String, DomainSums>,
                of: fn(&DomainSums) -> u64| {
        let is_there = |name: &String| other.get(name).is_some_and(|sums| of(sums) > 0);
        let only = one.iter().filter(|(name, sums)| of(sums) > 0 && !is_there(name));
        let mut only: Vec<(&String, u64)> = only.map(|(name, sums)| (name, of(sums))).collect();
        only.sort_by_key(|(name, uses)| (std::cmp::Reverse(*uses), *name));
        only.into_iter().take(CHANGES_MAX).map(|(name, _)| name.clone()).collect()
    };
    Changes {
        new: only(now, before, |sums| sums.used),
        lost: only(before, now, |sums| sums.used),
        new_cited: only(now, before, |sums| sums.cited),
        lost_cited: only(before, now, |sums| sums.cited),
    }
}
