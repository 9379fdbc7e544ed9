//! Alerts, their evaluations and their notices.

use uuid::Uuid;

use super::backend::{Backend, ask};
use crate::alert::{Alert, Notice};
use crate::clock::UnixMs;
use crate::store::{
    AlertError, DueAlert, EvaluationWritten, NewEvaluation, Pending, SentNotice, Store, StoreError,
};

impl Store {
    /// Writes a new alert, to be evaluated at `due_ms`.
    pub fn insert_alert(
        &self,
        alert: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        ask!(self.backend, store => store.insert_alert(alert, due_ms))
    }

    /// Puts an alert in the place of the one that it was made of; evaluated at `due_ms`.
    pub fn replace_alert(
        &self,
        before: Alert,
        after: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        ask!(self.backend, store => store.replace_alert(before, after, due_ms))
    }

    /// Removes an alert with its notices, sent or not.
    pub fn remove_alert(&self, alert: Alert) -> Pending<Result<Alert, AlertError>> {
        ask!(self.backend, store => store.remove_alert(alert))
    }

    /// Writes an evaluation with its notice.
    pub fn write_evaluation(&self, evaluation: NewEvaluation) -> Pending<EvaluationWritten> {
        ask!(self.backend, store => store.write_evaluation(evaluation))
    }

    /// Writes a notice that somebody has asked for, whatever the state of the alert.
    pub fn add_notice(&self, alert: Alert, notice: Notice) -> Pending<Result<Notice, AlertError>> {
        ask!(self.backend, store => store.add_notice(alert, notice))
    }

    /// Reads an alert of an account.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn alert(&self, id: Uuid, account: &str) -> Result<Option<Alert>, StoreError> {
        ask!(self.backend, store => store.alert(id, account).await)
    }

    /// Reads the alerts of an account, or of all, oldest first. One that is damaged is left out,
    /// and `db check` names it.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn alerts(&self, account: Option<&str>) -> Result<Vec<Alert>, StoreError> {
        ask!(self.backend, store => store.alerts(account).await)
    }

    /// Reads the notices of an alert that are kept, newest first, each with its delivery.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn notices(&self, alert: &Alert) -> Result<Vec<SentNotice>, StoreError> {
        ask!(self.backend, store => store.notices(alert).await)
    }

    /// Returns when the next alert is due.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn next_alert_ms(&self, now_ms: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.next_alert_ms(now_ms))
    }

    /// Reads at most `alerts_max` alerts that are due at `now_ms`, the earliest first. One that is
    /// damaged is passed over.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn due_alerts(
        &self,
        now_ms: UnixMs,
        alerts_max: usize,
    ) -> Result<Vec<DueAlert>, StoreError> {
        ask!(self.backend, store => store.due_alerts(now_ms, alerts_max))
    }
}
