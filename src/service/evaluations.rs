//! The evaluation of alerts that come due, which the engine's scheduler hands over: what is
//! measured is read here, from sums by day, and the alert decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::Service;
use crate::alert::{
    Alert, AlertKind, HEALTH_EVERY_MS, HealthMeasure, NoticeFacts, SpendMeasure, TrackedDay,
    TrackedMeasure, UpstreamSpend,
};
use crate::clock::UnixMs;
use crate::engine::AlertEvaluator;
use crate::measure::{Brand, GroupSums, registrable_domain};
use crate::store::{Blocking, DueAlert, EvaluationWritten, NewEvaluation, StoreError, day_of};

/// The most alerts of one pass of the scheduler: queues come in between.
const ALERTS_OF_PASS_MAX: usize = 8;

/// What of a tracker's sums an alert looks at.
struct SumsView<'a> {
    scraper: Option<&'a str>,
    /// The place of the brand in the tracker; your own as one without it.
    brand: Option<usize>,
    /// Only these domains, and what is below them.
    domains: Option<&'a [String]>,
}

impl SumsView<'_> {
    fn add(&self, day: &mut TrackedDay, sums: &GroupSums, with_domains: bool) {
        day.measured += sums.measured();
        day.mentioned += match self.brand {
            Some(place) => sums.brands.get(place).map_or(0, |brand| brand.mentioned),
            None => sums.own.mentioned,
        };
        if !with_domains {
            return;
        }
        for (domain, used) in &sums.domains {
            if self.domains.is_none_or(|wanted| wanted.iter().any(|it| is_of(domain, it))) {
                *day.domains.entry(domain.clone()).or_default() += used.used;
            }
        }
    }
}

/// Returns whether a domain, as sums have it, is one of a brand's.
fn is_of(domain: &str, of_brand: &str) -> bool {
    registrable_domain(of_brand).unwrap_or(of_brand) == domain || of_brand == domain
}

impl Service {
    /// Returns what an alert's tracker has measured since the day that the alert needs; `None` if
    /// it or the brand is gone.
    pub(super) async fn tracked_measure(
        &self,
        alert: &Alert,
        now_ms: UnixMs,
    ) -> Result<Option<TrackedMeasure>, StoreError> {
        let definition = &alert.definition;
        let name = definition.tracker.as_deref().unwrap_or_default();
        let found = self.store.tracker(&alert.account, name).await?;
        let Some(tracker) = found else { return Ok(None) };
        let brands: &[Brand] = tracker.brands.brands();
        let place = match &definition.brand {
            None => None,
            Some(brand) => match brands.iter().position(|known| known.name == *brand) {
                Some(place) => Some(place),
                None => return Ok(None),
            },
        };
        let view = SumsView {
            scraper: definition.scraper.as_deref(),
            brand: place,
            domains: place.map(|place| brands[place].domains.as_slice()),
        };
        let with_domains = definition.kind.is_of_domains();
        let mut days: BTreeMap<u32, TrackedDay> = BTreeMap::new();
        let version = (tracker.id, tracker.version);
        let (first, last) = (alert.first_day(now_ms), day_of(now_ms));
        let visited = self.store.visit_sums(version, first, last, |group, branded, sums| {
            // That an answer names the brand of its prompt is no news.
            if !branded && view.scraper.is_none_or(|scraper| scraper == group.scraper) {
                view.add(days.entry(group.day).or_default(), sums, with_domains);
            }
        });
        visited.await?;
        Ok(Some(TrackedMeasure { version, days }))
    }

    /// Returns what an account has spent on the day of `now_ms`.
    fn spend_measure(&self, account: &str, now_ms: UnixMs) -> Result<SpendMeasure, StoreError> {
        let mut upstreams: BTreeMap<String, UpstreamSpend> = BTreeMap::new();
        for row in self.store.spend(Some(account), now_ms, now_ms).wait()? {
            let upstream = upstreams
                .entry(row.upstream.clone())
                .or_insert(UpstreamSpend { upstream: row.upstream, ..UpstreamSpend::default() });
            upstream.calls += row.spend.calls;
            upstream.nanos += row.spend.nano_usd;
        }
        let cap_nanos = self.engine.ledger().cap_nanos(account);
        Ok(SpendMeasure { upstreams: upstreams.into_values().collect(), cap_nanos })
    }

    /// Evaluates an alert over what is measured now; returns the facts of the notice that follows,
    /// if one does.
    fn evaluate(
        &self,
        alert: &mut Alert,
        now_ms: UnixMs,
    ) -> Result<Option<NoticeFacts>, StoreError> {
        // The holder of a key that was revoked hears nothing more.
        if self.keyring().caller_of(&alert.account).is_none() {
            return Ok(None);
        }
        match alert.definition.kind {
            AlertKind::MentionRateBelow
            | AlertKind::MentionRateAbove
            | AlertKind::DomainAppeared
            | AlertKind::DomainVanished => {
                let measure = self.tracked_measure(alert, now_ms).wait()?;
                Ok(measure.and_then(|measure| alert.evaluate_tracked(&measure, now_ms)))
            }
            AlertKind::ScraperUnhealthy => {
                let scraper = alert.definition.scraper.as_deref().unwrap_or_default();
                let Some(status) = self.engine.queue_status(scraper) else { return Ok(None) };
                let measure = HealthMeasure {
                    attempts: status.health.attempts,
                    succeeded: status.health.succeeded,
                };
                Ok(alert.evaluate_health(measure, now_ms))
            }
            AlertKind::BudgetReached => {
                let measure = self.spend_measure(&alert.account, now_ms)?;
                Ok(alert.evaluate_spend(&measure, now_ms))
            }
        }
    }

    /// Evaluates an alert that is due, and writes what came of it. Blocks until it is committed.
    fn evaluate_alert(&self, due: DueAlert, now_ms: UnixMs) -> Result<(), StoreError> {
        let mut after = due.alert.clone();
        let facts = match self.evaluate(&mut after, now_ms) {
            Err(error) if error.stops_writes() => return Err(error),
            Err(error) => {
                // One whose sums are damaged must not keep the others from being evaluated.
                let alert = self.alert_id(&due.alert);
                tracing::error!(%alert, %error, "an alert could not be evaluated");
                after = due.alert.clone();
                None
            }
            Ok(facts) => facts,
        };
        let notice = facts.map(|facts| self.new_notice(&after, facts, false).wait()).transpose()?;
        // A second look at a scraper needs no second failure.
        let is_open = after.definition.kind == AlertKind::ScraperUnhealthy
            && after.progress.streak > 0
            && after.progress.sample > 0;
        let again_ms = is_open.then(|| now_ms.saturating_add(HEALTH_EVERY_MS));
        let fired = notice.clone();
        let evaluation = NewEvaluation { due, after, again_ms, notice };
        // What was stale is due still, and looked at again.
        if self.store.write_evaluation(evaluation).wait()? == EvaluationWritten::Written
            && let Some(notice) = fired
        {
            self.notice_totals.count(notice.definition.kind);
            let (when, account) = (notice.definition.kind.word(), &notice.account);
            let id = self.store.notice_id(&notice);
            tracing::info!(alert = %notice.alert, notice = %id, account, when, "alert fired");
        }
        Ok(())
    }
}

impl Service {
    /// Begins to evaluate the alerts that come due.
    pub fn evaluate_alerts(self: &Arc<Service>) {
        let evaluator: Weak<Service> = Arc::downgrade(self);
        self.engine.evaluate_alerts_by(evaluator);
    }
}

impl AlertEvaluator for Service {
    fn evaluate_due(&self, now_ms: UnixMs) -> Result<bool, StoreError> {
        // They stay due while nothing can be written, and are looked at again.
        if self.accepting().is_err() {
            return Ok(false);
        }
        let due = self.store.due_alerts(now_ms, ALERTS_OF_PASS_MAX)?;
        let any = !due.is_empty();
        for alert in due {
            self.evaluate_alert(alert, now_ms)?;
        }
        Ok(any)
    }
}
