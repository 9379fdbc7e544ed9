//! The domains that an alert watches: which are there, and which have come or gone.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{AlertKind, AlertWindow, DOMAIN_SHARE_DEFAULT};
use super::evaluate::{TrackedDay, TrackedMeasure, WindowSums, row};
use super::notice::{NoticeFacts, ROWS_OF_NOTICE_MAX};
use super::progress::{DOMAINS_WATCHED_MAX, WatchedDomain};
use super::{ALERT_SAMPLE_MIN, Alert, EVALUATIONS_MIN};
use crate::clock::UnixMs;

impl Alert {
    /// Notes how many answers of the run that has ended used each domain.
    pub(super) fn note_run_domains(
        &mut self,
        measure: &TrackedMeasure,
        first: u32,
        runs_max: usize,
    ) {
        if !self.definition.kind.is_of_domains() {
            return;
        }
        let mut used: BTreeMap<&str, u64> = BTreeMap::new();
        for (domain, answers) in measure.days.range(first..).flat_map(|(_, day)| &day.domains) {
            *used.entry(domain).or_default() += answers;
        }
        let runs = self.progress.runs.len();
        self.watch_new(&used);
        for watched in &mut self.progress.domains {
            let total = used.get(watched.domain.as_str()).copied().unwrap_or(0);
            let in_run = total.saturating_sub(watched.marked);
            // A domain that is new was in none of the runs before.
            watched.runs.resize(runs.saturating_sub(1).min(runs_max), 0);
            watched.runs.push(u32::try_from(in_run).unwrap_or(u32::MAX));
            let surplus = watched.runs.len().saturating_sub(runs_max);
            watched.runs.drain(..surplus);
        }
    }

    /// Begins to watch domains that are used, while there is room, those of most answers first.
    fn watch_new(&mut self, used: &BTreeMap<&str, u64>) {
        let known: BTreeSet<&str> =
            self.progress.domains.iter().map(|watched| watched.domain.as_str()).collect();
        let mut new: Vec<(&str, u64)> = used
            .iter()
            .filter(|(domain, _)| !known.contains(*domain))
            .map(|(domain, answers)| (*domain, *answers))
            .collect();
        new.sort_by_key(|(domain, answers)| (std::cmp::Reverse(*answers), *domain));
        let room = DOMAINS_WATCHED_MAX.saturating_sub(known.len());
        let new = new.into_iter().take(room).map(|(domain, _)| WatchedDomain {
            domain: domain.to_owned(),
            ..WatchedDomain::default()
        });
        let new: Vec<WatchedDomain> = new.collect();
        self.progress.domains.extend(new);
    }

    /// Keeps how many answers used each domain on the day of the mark.
    pub(super) fn mark_domains(&mut self, counts: Option<&TrackedDay>) {
        if let Some(day) = counts {
            let used = day.domains.iter().map(|(domain, answers)| (domain.as_str(), *answers));
            self.watch_new(&used.collect());
        }
        for watched in &mut self.progress.domains {
            let answers = counts.and_then(|day| day.domains.get(&watched.domain));
            watched.marked = answers.copied().unwrap_or(0);
        }
    }

    /// Decides which domains have come or gone. What is there at the first evaluation with enough
    /// answers is no news.
    pub(super) fn evaluate_domains(
        &mut self,
        measure: &TrackedMeasure,
        window: &WindowSums,
        now_ms: UnixMs,
    ) -> Option<NoticeFacts> {
        if window.measured < ALERT_SAMPLE_MIN {
            return None;
        }
        let over_days = matches!(self.definition.over, Some(AlertWindow::Days(_)));
        let mut used: BTreeMap<String, u64> = BTreeMap::new();
        if over_days {
            for (domain, answers) in measure.days.values().flat_map(|day| &day.domains) {
                *used.entry(domain.clone()).or_default() += answers;
            }
            self.watch_new(&used.iter().map(|(domain, it)| (domain.as_str(), *it)).collect());
        } else {
            let domains = self.progress.domains.iter();
            used.extend(domains.map(|watched| {
                (watched.domain.clone(), watched.runs.iter().map(|run| u64::from(*run)).sum())
            }));
        }
        let share_min = self.definition.threshold.unwrap_or(DOMAIN_SHARE_DEFAULT);
        let is_first = !self.progress.has_domains;
        let appeared = self.definition.kind == AlertKind::DomainAppeared;
        let mut changed = Vec::new();
        for watched in &mut self.progress.domains {
            let answers = used.get(&watched.domain).copied().unwrap_or(0);
            let share = answers as f64 / window.measured as f64;
            // It comes with its share, and goes with its last answer.
            let is_there = answers > 0 && (watched.is_present || share >= share_min);
            if is_there == watched.is_present {
                watched.streak = 0;
                continue;
            }
            watched.streak += 1;
            if is_first || watched.streak >= EVALUATIONS_MIN {
                watched.streak = 0;
                watched.is_present = is_there;
                if !is_first && is_there == appeared {
                    changed.push(row(watched.domain.clone(), answers, window.measured));
                }
            }
        }
        self.progress.has_domains = true;
        self.forget_unused(&used);
        changed
            .sort_by(|one, other| other.hits.cmp(&one.hits).then(one.subject.cmp(&other.subject)));
        changed.truncate(ROWS_OF_NOTICE_MAX);
        self.note_domains_state(!changed.is_empty(), now_ms);
        if changed.is_empty() {
            return None;
        }
        let (sample, since_ms) = (window.measured, window.since_ms);
        Some(NoticeFacts { value: None, sample, since_ms, rows: changed })
    }

    /// An alert of domains fires at the evaluation at which one has come or gone, and is ready for
    /// the next domain right after.
    fn note_domains_state(&mut self, changed: bool, now_ms: UnixMs) {
        let appeared = self.definition.kind == AlertKind::DomainAppeared;
        let pending =
            |watched: &WatchedDomain| watched.streak > 0 && watched.is_present != appeared;
        let progress = &mut self.progress;
        if !progress.has_data || progress.is_firing != changed {
            progress.since_ms = Some(now_ms);
        }
        progress.has_data = true;
        progress.is_firing = changed;
        progress.streak = u32::from(progress.domains.iter().any(pending));
    }

    /// Makes room: a domain that is neither there nor used needs no place.
    fn forget_unused(&mut self, used: &BTreeMap<String, u64>) {
        self.progress.domains.retain(|watched| {
            watched.is_present
                || watched.streak > 0
                || watched.marked > 0
                || used.get(&watched.domain).is_some_and(|answers| *answers > 0)
        });
    }
}
