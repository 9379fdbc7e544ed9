//! What accounts use: for each account, day (UTC, the day of the submit) and scraper, how many jobs
//! came, how they ended and what they cost. A record holds one account's day, beside its credits.

use std::collections::hash_map::Entry;

use redb::ReadableTable;

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use crate::clock::{self, UnixMs};
use crate::job::Job;
use crate::store::accounts::{BufferedDay, DAY_MIN, DailyUsage, DayRecord, Usage};
use crate::store::{DAYS_KEPT_MAX, StoreError, record};

impl Tables<'_> {
    /// Reads the record that will be changed for this job, so that a damaged one refuses the
    /// operation before it has changed anything.
    pub(super) fn load_usage(&mut self, job: &Job) -> Result<(), StoreError> {
        self.usage_of(job).map(drop)
    }

    /// Adds to what the job's account used of its scraper on the day of the submit.
    pub(super) fn add_usage(
        &mut self,
        job: &Job,
        scraper: u16,
        usage: Usage,
    ) -> Result<(), StoreError> {
        if !usage.is_none() {
            let buffered = self.usage_of(job)?;
            buffered.changed = true;
            let counted = buffered.day.of(scraper);
            *counted = counted.and(usage);
        }
        Ok(())
    }

    fn usage_of(&mut self, job: &Job) -> Result<&mut BufferedDay, StoreError> {
        let key = (job.account.clone(), clock::calendar_day(job.created_ms));
        match self.usage_buffered.entry(key) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let (account, day) = entry.key();
                let stored = self.credits.get((account.as_str(), *day))?;
                let known = stored.is_some();
                let day = match stored {
                    Some(bytes) => record::decode_day(*day, bytes.value())?,
                    None => DayRecord::default(),
                };
                Ok(entry.insert(BufferedDay { day, known, changed: false }))
            }
        }
    }

    /// Writes back every record that this transaction has changed. With an account's first job of
    /// a day its oldest days are forgotten.
    pub(super) fn flush_usage(&mut self) -> Result<(), StoreError> {
        for ((account, day), buffered) in self.usage_buffered.drain() {
            if !buffered.changed {
                continue;
            }
            let bytes = record::encode_day(day, &buffered.day)?;
            self.credits.insert((account.as_str(), day), bytes.as_slice())?;
            if buffered.known {
                continue;
            }
            let kept_from = clock::days_before(day, DAYS_KEPT_MAX);
            let old = (account.as_str(), DAY_MIN)..(account.as_str(), kept_from.max(DAY_MIN));
            self.credits.retain_in(old, |_, _| false)?;
        }
        Ok(())
    }
}

impl Embedded {
    pub(crate) async fn usage(
        &self,
        account: &str,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<DailyUsage>, StoreError> {
        self.read(|snapshot| {
            let credits = snapshot.open_table(tables::CREDITS)?;
            let from = clock::calendar_day(from_ms.min(to_ms));
            let mut days = Vec::new();
            for entry in credits.range((account, from)..=(account, clock::calendar_day(to_ms)))? {
                let (key, bytes) = entry?;
                let day = key.value().1;
                let uses = record::decode_day(day, bytes.value())?.0.into_iter();
                // Every scraper that was ever used has kept its number.
                let named = uses
                    .filter_map(|(number, used)| Some((self.shared.scrapers.name(number)?, used)));
                days.push(DailyUsage { day, scrapers: named.collect() });
            }
            Ok(days)
        })
    }
}
