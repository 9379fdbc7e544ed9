//! What accounts have spent: the caller's own, and of all keys where an operator asks.

use super::{Caller, DAY_MS, Service, ServiceError};
use crate::clock::{UnixMs, calendar_month, month_start_ms, next_month_ms};
use crate::store::{Credits, DailyUsage, SpendRow};

/// The credits that an account has spent in a calendar month (UTC), of what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountCredits {
    pub account: String,
    /// `None` where the key has no allowance.
    pub monthly_credits: Option<u64>,
    pub credits: Credits,
    /// Nanodollars that its jobs may cost in a day (UTC); `None`: no cap.
    pub day_nanos_max: Option<u64>,
    /// What they have cost today.
    pub day_nanos: u64,
}

impl AccountCredits {
    /// Returns what the allowance still covers; what is reserved counts as spent until its job has
    /// ended.
    pub fn left(&self) -> Option<u64> {
        let taken = self.credits.used.saturating_add(self.credits.reserved);
        self.monthly_credits.map(|allowance| allowance.saturating_sub(taken))
    }
}

/// The credits that an account has spent in a calendar month (UTC), and its use day by day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    pub own: AccountCredits,
    /// When the month ends and the allowance is whole again.
    pub resets_ms: UnixMs,
    /// The days of the period on which it used something, oldest first.
    pub days: Vec<DailyUsage>,
    /// What calls of upstreams have cost on the days, oldest first.
    pub spend: Vec<SpendRow>,
}

impl Service {
    /// Returns what the caller has spent this month, and has used on each of the last `days` days,
    /// at most [`DAYS_KEPT_MAX`](super::DAYS_KEPT_MAX); `None` means the days of this month.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn usage(
        &self,
        caller: &Caller,
        days: Option<u64>,
    ) -> Result<UsageReport, ServiceError> {
        let now_ms = self.clock.now_ms();
        let from_ms = match days {
            Some(days) => now_ms.saturating_sub(days.saturating_sub(1) * DAY_MS),
            None => month_start_ms(now_ms),
        };
        Ok(UsageReport {
            own: self.account_credits(&caller.account, caller.monthly_credits).await?,
            resets_ms: next_month_ms(now_ms),
            days: self.store.usage(&caller.account, from_ms, now_ms).await?,
            spend: self.store.spend(Some(&caller.account), from_ms, now_ms).await?,
        })
    }

    /// Returns what every key has spent this month, in the order of the settings; `None` unless the
    /// caller is an operator.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn all_credits(
        &self,
        caller: &Caller,
    ) -> Result<Option<Vec<AccountCredits>>, ServiceError> {
        if !caller.operator {
            return Ok(None);
        }
        let ring = self.keyring();
        let mut accounts = Vec::with_capacity(ring.keys().len());
        for key in ring.keys() {
            accounts.push(self.account_credits(&key.name, key.monthly_credits).await?);
        }
        Ok(Some(accounts))
    }

    async fn account_credits(
        &self,
        account: &str,
        monthly_credits: Option<u64>,
    ) -> Result<AccountCredits, ServiceError> {
        let now_ms = self.clock.now_ms();
        Ok(AccountCredits {
            account: account.to_owned(),
            monthly_credits,
            credits: self.store.credits(account, calendar_month(now_ms)).await?,
            day_nanos_max: self.engine.ledger().cap_nanos(account),
            day_nanos: self.engine.ledger().nanos(account, now_ms),
        })
    }
}
