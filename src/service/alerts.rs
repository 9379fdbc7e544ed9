//! The use cases of alerts: make, read, change, remove and test them.

use super::jobs::parse_id;
use super::{Caller, Service, ServiceError};
use crate::alert::{
    ALERTS_MAX, Alert, AlertDefinition, AlertKind, AlertProgress, AlertState, Notice, NoticeFacts,
    NoticeRow,
};
use crate::job::{Invalid, broken_rule};
use crate::store::{AlertError, SentNotice, StoreError};

/// How often a change is made again that an evaluation has overtaken.
const CHANGES_MAX: usize = 5;

/// An alert as a client asks for it.
#[derive(Clone, Debug)]
pub struct NewAlert {
    pub definition: AlertDefinition,
    pub paused: bool,
}

/// The alerts of all accounts by their state, and their notices since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    pub paused: u64,
    /// Those that are not paused, in the order of [`AlertState::ALL`].
    pub states: [u64; AlertState::ALL.len()],
    /// In the order of [`AlertKind::ALL`], without tests.
    pub notices: [u64; AlertKind::ALL.len()],
}

impl Service {
    /// Makes an alert.
    ///
    /// # Errors
    /// Returns an error if what it names does not exist, its name is taken, the caller has too
    /// many, its notices could not be signed, or the store failed.
    pub async fn create_alert(
        &self,
        caller: &Caller,
        asked: NewAlert,
    ) -> Result<Alert, ServiceError> {
        self.accepting()?;
        self.check_alert(caller, &asked.definition).await?;
        let identity = self.store.new_identity(&caller.account).await?;
        let now_ms = self.clock.now_ms();
        let name = asked.definition.name.clone();
        let mut alert = Alert {
            row: identity.row,
            nonce: identity.nonce,
            account: caller.account.clone(),
            definition: asked.definition,
            paused: asked.paused,
            created_ms: now_ms,
            version: 0,
            progress: AlertProgress::default(),
        };
        let due_ms = self.begin_alert(&mut alert, now_ms).await?;
        let written = self.store.insert_alert(alert, due_ms).committed().await?;
        let alert = written.map_err(|error| alert_error(error, &name))?;
        let when = alert.definition.kind.word();
        tracing::info!(alert = %identity.id, account = caller.account, when, "alert made");
        Ok(alert)
    }

    /// Checks what an alert names, and that its notices can be sent.
    async fn check_alert(
        &self,
        caller: &Caller,
        definition: &AlertDefinition,
    ) -> Result<(), ServiceError> {
        if definition.format.is_signed() {
            self.webhooks_ready()?;
        }
        if let Some(scraper) = &definition.scraper
            && !self.settings.scrapers.contains_key(scraper)
        {
            return Err(ServiceError::ScraperUnknown {
                given: scraper.clone(),
                names: self.settings.scrapers.keys().cloned().collect(),
            });
        }
        if let Some(name) = &definition.tracker {
            let tracker = self.tracker(caller, name).await?;
            let brands = tracker.brands.brands();
            if let Some(brand) = &definition.brand
                && !brands.iter().any(|known| known.name == *brand)
            {
                let names: Vec<&str> = brands.iter().map(|known| known.name.as_str()).collect();
                let rule = format!("a brand of the tracker `{name}`: {}", names.join(", "));
                return Err(ServiceError::AlertInvalid {
                    sentence: broken_rule("brand", &rule, brand),
                });
            }
        }
        let cap = self.engine.ledger().cap_nanos(&caller.account);
        if definition.kind == AlertKind::BudgetReached
            && definition.threshold.is_none()
            && cap.is_none()
        {
            let rule = "US dollars in a day, such as 5, because the key has no `usd_per_day`";
            return Err(ServiceError::AlertInvalid {
                sentence: broken_rule("threshold", rule, "null"),
            });
        }
        Ok(())
    }

    /// Prepares an alert for its first evaluation; returns when that is.
    async fn begin_alert(
        &self,
        alert: &mut Alert,
        now_ms: u64,
    ) -> Result<Option<u64>, ServiceError> {
        if !alert.definition.kind.is_tracked() {
            return Ok(Some(now_ms));
        }
        // Runs are what comes from now on.
        if let Some(measure) = self.tracked_measure(alert, now_ms).await? {
            alert.begin_runs(&measure, now_ms);
        }
        Ok(None)
    }

    /// Checks the address of an alert's notices, and returns it as it is called.
    ///
    /// # Errors
    /// Returns an error if the address breaks its rule, or names an internal host outright that
    /// `allow_hosts` does not list.
    pub fn check_alert_url(&self, given: &str) -> Result<String, Invalid> {
        self.check_webhook_url(given).map_err(|invalid| Invalid {
            sentence: invalid.sentence.replace("`webhook_url`", "`to.webhook`"),
            ..invalid
        })
    }

    /// Returns the caller's alerts, oldest first.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn alerts(&self, caller: &Caller) -> Result<Vec<Alert>, ServiceError> {
        Ok(self.store.alerts(Some(&caller.account)).await?)
    }

    /// Returns an alert of the caller's.
    ///
    /// # Errors
    /// Returns an error if there is no such alert, or the store failed.
    pub async fn alert(&self, caller: &Caller, id: &str) -> Result<Alert, ServiceError> {
        let id = parse_id(id).map_err(|_| ServiceError::AlertNotFound)?;
        self.store.alert(id, &caller.account).await?.ok_or(ServiceError::AlertNotFound)
    }

    /// Returns the id that clients know an alert by.
    pub fn alert_id(&self, alert: &Alert) -> uuid::Uuid {
        self.store.alert_id(alert)
    }

    /// Returns whether notices have links.
    pub fn notices_have_links(&self) -> bool {
        self.settings.http.public_url.is_some()
    }

    /// Returns the notices of an alert that are kept, newest first.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn notices(&self, alert: &Alert) -> Result<Vec<SentNotice>, ServiceError> {
        Ok(self.store.notices(alert).await?)
    }

    /// Changes an alert of the caller's; `change` may be called again where an evaluation came
    /// between. Another condition, and a resumption, begins from the start.
    ///
    /// # Errors
    /// Returns an error if there is no such alert, the new name is taken, its notices could not be
    /// signed, or the store failed.
    pub async fn change_alert(
        &self,
        caller: &Caller,
        id: &str,
        change: impl Fn(&mut AlertDefinition, &mut bool),
    ) -> Result<Alert, ServiceError> {
        for _ in 0..CHANGES_MAX {
            let before = self.alert(caller, id).await?;
            let mut after = before.clone();
            change(&mut after.definition, &mut after.paused);
            if after.definition != before.definition {
                self.check_alert(caller, &after.definition).await?;
            }
            let now_ms = self.clock.now_ms();
            let condition = |alert: &Alert| (alert.definition.threshold, alert.definition.over);
            let is_other = condition(&before) != condition(&after);
            let resumed = before.paused && !after.paused;
            let mut due_ms = None;
            if is_other || resumed {
                after.progress.reset();
                due_ms = self.begin_alert(&mut after, now_ms).await?;
            }
            let name = after.definition.name.clone();
            match self.store.replace_alert(before, after, due_ms).committed().await? {
                Err(AlertError::Stale) => {}
                written => return written.map_err(|error| alert_error(error, &name)),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Removes an alert of the caller's with its notices, sent or not.
    ///
    /// # Errors
    /// Returns an error if there is no such alert, or the store failed.
    pub async fn remove_alert(&self, caller: &Caller, id: &str) -> Result<Alert, ServiceError> {
        let alert = self.alert(caller, id).await?;
        let name = alert.definition.name.clone();
        let removed = self.store.remove_alert(alert).committed().await?;
        let alert = removed.map_err(|error| alert_error(error, &name))?;
        let id = self.alert_id(&alert);
        tracing::info!(alert = %id, account = caller.account, "alert removed");
        Ok(alert)
    }

    /// Sends a notice of an alert that is marked as a test. Counts as a request under the caller's
    /// rate limit.
    ///
    /// # Errors
    /// Returns an error if there is no such alert, nothing can sign, the caller is too fast, or the
    /// store failed.
    pub async fn test_alert(&self, caller: &Caller, id: &str) -> Result<SentNotice, ServiceError> {
        self.accepting()?;
        let alert = self.alert(caller, id).await?;
        if alert.definition.format.is_signed() {
            self.webhooks_ready()?;
        }
        self.within_rate(caller).await?;
        let facts = sample_facts(&alert.definition, self.clock.now_ms());
        let notice = self.new_notice(&alert, facts, true).await?;
        let name = alert.definition.name.clone();
        let written = self.store.add_notice(alert, notice).committed().await?;
        let notice = written.map_err(|error| alert_error(error, &name))?;
        let id = self.store.notice_id(&notice);
        tracing::info!(alert = %notice.alert, notice = %id, "test of an alert asked for");
        let delivery = self.store.delivery(notice.row).await?;
        Ok(SentNotice { id, notice, delivery })
    }

    /// Returns a notice of an alert as it will be written.
    pub(super) async fn new_notice(
        &self,
        alert: &Alert,
        facts: NoticeFacts,
        is_test: bool,
    ) -> Result<Notice, StoreError> {
        let identity = self.store.new_identity(&alert.account).await?;
        Ok(Notice {
            row: identity.row,
            nonce: identity.nonce,
            alert: self.alert_id(alert),
            alert_row: alert.row,
            account: alert.account.clone(),
            number: alert.progress.next_notice,
            at_ms: self.clock.now_ms(),
            is_test,
            definition: alert.definition.clone(),
            facts,
        })
    }

    /// Returns how many alerts there are in each state, and their notices since the start.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn alert_counts(&self) -> Result<AlertCounts, ServiceError> {
        let mut counts =
            AlertCounts { notices: self.notice_totals.report(), ..AlertCounts::default() };
        for alert in self.store.alerts(None).await? {
            if alert.paused {
                counts.paused += 1;
                continue;
            }
            let state = alert.state(self.clock.now_ms());
            let places = AlertState::ALL.iter().zip(&mut counts.states);
            places.filter(|(known, _)| **known == state).for_each(|(_, count)| *count += 1);
        }
        Ok(counts)
    }
}

/// Returns made-up facts, such as an alert of this kind would have.
fn sample_facts(definition: &AlertDefinition, now_ms: u64) -> NoticeFacts {
    let row = |subject: &str, hits, total, nanos| NoticeRow {
        subject: subject.to_owned(),
        hits,
        total,
        nanos,
    };
    let (value, sample, row) = match definition.kind {
        AlertKind::MentionRateBelow => (Some(0.0), 20, row("sample", 0, 20, None)),
        AlertKind::MentionRateAbove => (Some(1.0), 20, row("sample", 20, 20, None)),
        AlertKind::DomainAppeared => (None, 20, row("sample.example", 4, 20, None)),
        AlertKind::DomainVanished => (None, 20, row("sample.example", 0, 20, None)),
        AlertKind::ScraperUnhealthy => (Some(0.0), 20, row("sample", 0, 20, None)),
        AlertKind::BudgetReached => {
            let dollars = definition.threshold.unwrap_or(1.0);
            let nanos = (dollars * 1e9).round() as u64;
            (Some(dollars), 20, row("sample", 20, 20, Some(nanos)))
        }
    };
    NoticeFacts { value, sample, since_ms: now_ms, rows: vec![row] }
}

fn alert_error(error: AlertError, name: &str) -> ServiceError {
    match error {
        AlertError::Gone => ServiceError::AlertNotFound,
        AlertError::NameTaken => ServiceError::AlertNameTaken { name: name.to_owned() },
        AlertError::TooMany => ServiceError::AlertsFull { alerts_max: ALERTS_MAX },
        AlertError::Stale => StoreError::Busy.into(),
    }
}
