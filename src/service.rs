//! The use cases: all that http and cli may ask of a running service. Rules live here and below;
//! the edges parse, call and answer.

mod alerts;
mod attempts;
mod backup_slot;
mod backups;
mod batches;
mod bulk;
mod caller;
mod deletion;
mod error;
mod evaluations;
mod failed_keys;
mod free_space;
mod heartbeat;
mod jobs;
mod keyring;
mod metrics;
mod nodes;
mod notice_totals;
mod reports;
mod reread;
mod results;
mod run_totals;
mod schedules;
mod scrapers;
mod slots;
mod stats;
mod submit;
mod trackers;
mod usage;
mod webhooks;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use backup_slot::BackupSlot;
use failed_keys::FailedKeys;
use free_space::FreeSpaceCache;
use keyring::Keyring;
pub use keyring::ReloadedKeys;
use tokio::sync::Notify;

use crate::clock::{Clock, UnixMs};
use crate::config::Settings;
use crate::engine::{Engine, WINDOW_MINUTES};
use crate::job::{Invalid, Rule, broken_rule};
use crate::rate::{RateLimit, RateLimitStatus};
use crate::store::{Store, StoreError};

pub use alerts::{AlertCounts, NewAlert};
pub use attempts::{JobAttempts, RunningAttempt};
pub use backups::Backup;
pub use batches::NewBatch;
pub use bulk::{Bulk, BulkTarget};
pub use caller::Caller;
pub(crate) use error::ReportExcess;
pub use error::ServiceError;
pub use jobs::{ALL_ACCOUNTS, JOB_ID_BYTES};
pub use metrics::ProcessUse;
pub(crate) use reports::REPORT_TOP_MAX;
pub use reports::{Branded, REPORT_DAYS_DEFAULT, REPORT_ROWS_MAX, ReportReply, ReportRequest};
pub use reread::{Reread, RereadOptions, RereadReport, reread};
pub use schedules::{NewSchedule, ScheduleCounts, ScheduledBatch};
pub use scrapers::{ScraperStatus, UpstreamStanding};

pub use crate::engine::{
    BUCKET_SECONDS, DayBucket, DeliveryCounts, HealthReport, Place, TotalsReport,
};
pub use crate::store::DAYS_KEPT_MAX;
pub use crate::store::WriterStats;
pub use crate::upstream::RunningCall;
pub use slots::{ScheduleRunner, SlotReader, SlotRefusal};
pub use stats::LiveStatus;
pub use submit::Accepted;
pub use trackers::{Applied, ObservationPage};
pub use usage::{AccountCredits, UsageReport};
pub use webhooks::WebhookStatus;

/// The least and the most that a `Retry-After` of ours says, seconds.
const RETRY_AFTER_SECONDS_MIN: u64 = 1;
const RETRY_AFTER_SECONDS_MAX: u64 = 60;

const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;
/// How far back a scraper's health looks, seconds.
pub const HEALTH_SECONDS: u64 = WINDOW_MINUTES * 60;

/// The readiness of the service for jobs.
#[derive(Clone, Debug)]
pub enum Readiness {
    Ready,
    Stopping,
    StoreFailed(StoreError),
}

/// A running service.
pub struct Service {
    store: Arc<Store>,
    engine: Arc<Engine>,
    settings: Arc<Settings>,
    clock: Clock,
    /// When this process has begun.
    started_ms: UnixMs,
    keyring: RwLock<Arc<Keyring>>,
    failed_keys: FailedKeys,
    free_space: Arc<FreeSpaceCache>,
    backups: BackupSlot,
    run_totals: run_totals::RunTotals,
    notice_totals: notice_totals::NoticeTotals,
    stopping: AtomicBool,
    /// Wakes those who would wait beyond the stop.
    stop_told: Notify,
}

impl Service {
    pub fn new(
        store: Arc<Store>,
        engine: Arc<Engine>,
        settings: Arc<Settings>,
        clock: Clock,
    ) -> Service {
        let keyring = Keyring::new(&settings, &clock);
        if let Some(budgets) = engine.budgets() {
            keyring.share(&budgets);
        }
        let keyring = RwLock::new(Arc::new(keyring));
        let failed_keys = FailedKeys::new(settings.http.key_failures_per_minute, &clock);
        let stopping = AtomicBool::new(false);
        let stop_told = Notify::new();
        Service {
            free_space: Arc::new(FreeSpaceCache::new(&clock)),
            backups: BackupSlot::new(&clock),
            store,
            engine,
            settings,
            started_ms: clock.now_ms(),
            clock,
            keyring,
            failed_keys,
            run_totals: run_totals::RunTotals::default(),
            notice_totals: notice_totals::NoticeTotals::default(),
            stopping,
            stop_told,
        }
    }

    /// Returns who holds this key. Keys are compared over their hashes, in constant time (contract
    /// 1.2).
    ///
    /// # Errors
    /// Returns an error if a key is needed and missing, or if the given one is none of the
    /// configured. Only wrong keys are slowed down: others may share the address.
    pub fn authenticate(
        &self,
        given: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<Caller, ServiceError> {
        let holder = self.keyring().holder(given);
        if matches!(holder, Err(ServiceError::KeyInvalid)) {
            self.failed_keys.check_allowed(from)?;
            self.failed_keys.note(from);
        }
        holder
    }

    /// Returns whether anybody may call without a key.
    pub fn is_open(&self) -> bool {
        !self.keyring().is_needed()
    }

    /// Returns the proxies whose word about a client's address is taken.
    pub fn trusted_proxies(&self) -> &[IpAddr] {
        &self.settings.http.trusted_proxies
    }

    /// Returns whether any key is in force.
    pub fn has_keys(&self) -> bool {
        !self.keyring().keys().is_empty()
    }

    /// Puts the keys of other settings in force.
    pub fn reload_keys(&self, settings: &Settings) -> ReloadedKeys {
        let mut ring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        let next = ring.reloaded(settings, &self.clock);
        if let Some(budgets) = self.engine.budgets() {
            next.share(&budgets);
        }
        let next = Arc::new(next);
        self.engine.reload_keys(&self.settings, &settings.keys);
        let before = std::mem::replace(&mut *ring, next);
        ReloadedKeys { keys: ring.len(), revoked: before.not_in(&ring) }
    }

    fn keyring(&self) -> Arc<Keyring> {
        // It is replaced whole.
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the time, for those who wait.
    pub fn now_ms(&self) -> UnixMs {
        self.clock.now_ms()
    }

    /// Returns how a caller stands to its rate limit; `None` when it has none.
    pub fn rate_limit_status(&self, caller: &Caller) -> Option<RateLimitStatus> {
        self.keyring().limit(&caller.account).map(RateLimit::status)
    }

    /// Returns whether the service takes jobs now.
    pub fn readiness(&self) -> Readiness {
        self.readiness_with(Store::room)
    }

    /// The same with another way to tell whether there is room.
    fn readiness_with(&self, room: fn(&Store) -> Result<(), StoreError>) -> Readiness {
        if let Some(error) = self.store.failure() {
            return Readiness::StoreFailed(error);
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Readiness::Stopping;
        }
        room(&self.store).map_or_else(Readiness::StoreFailed, |()| Readiness::Ready)
    }

    /// Stops taking jobs.
    pub fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stop_told.notify_waiters();
        self.backups.close();
    }

    /// Returns when a job or batch that is submitted now ceases to exist, after the hours that it
    /// asks for or as long as the service keeps them: at the second that its
    /// `expires_at` shows, which shows no part of one.
    fn expires_ms(&self, now_ms: UnixMs, retain_hours: Option<u32>) -> UnixMs {
        let retain_ms = retain_hours.map(|hours| u64::from(hours) * HOUR_MS);
        let expires_ms =
            now_ms.saturating_add(retain_ms.unwrap_or(self.settings.store.retention_ms));
        expires_ms - expires_ms % 1000
    }

    /// Checks that a job is not to be kept for longer than the service keeps jobs.
    fn check_retention(&self, retain_hours: Option<u32>) -> Result<(), Invalid> {
        let hours_max = self.retention_hours();
        match retain_hours.filter(|hours| u64::from(*hours) > hours_max) {
            None => Ok(()),
            Some(given) => {
                let must_be = format!("1 to {hours_max} hours, as long as this service keeps jobs");
                let sentence = broken_rule("retain_hours", &must_be, &given.to_string());
                Err(Invalid::new(Rule::RetainHoursInvalid, sentence))
            }
        }
    }

    /// Returns the most characters of text that a tool returns to a model.
    pub(crate) fn mcp_text_chars_max(&self) -> usize {
        self.settings.mcp.text_chars_max
    }

    /// Returns how long results are kept, hours: for the sentence of a 404.
    pub fn retention_hours(&self) -> u64 {
        self.settings.store.retention_ms / HOUR_MS
    }
}

fn bounded_wait(seconds: u64) -> u64 {
    seconds.clamp(RETRY_AFTER_SECONDS_MIN, RETRY_AFTER_SECONDS_MAX)
}

#[cfg(test)]
mod tests;
