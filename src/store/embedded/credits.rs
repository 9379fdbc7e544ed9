//! Credits: reserved when a job is submitted, kept when it is done, given back when it is not.
//! Contract 1.9. Each account has one record a calendar month (UTC), the month of the submit.

use redb::ReadableTable;

use super::transaction::Tables;
use crate::clock;
use crate::job::Job;
use crate::store::accounts::{BufferedCredits, Credits};
use crate::store::{StoreError, record};

impl Tables<'_> {
    /// Returns whether `price` fits into what `allowance` leaves the account this month.
    pub(super) fn affordable(
        &mut self,
        job: &Job,
        allowance: Option<u64>,
    ) -> Result<bool, StoreError> {
        let Some(allowance) = allowance else { return Ok(true) };
        if job.price == 0 {
            // What costs nothing is served even when the allowance has been lowered below the use.
            return Ok(true);
        }
        let credits = self.credits_of(job)?;
        let taken = credits.reserved.saturating_add(credits.used);
        Ok(taken.saturating_add(u64::from(job.price)) <= allowance)
    }

    pub(super) fn reserve(&mut self, job: &Job) -> Result<(), StoreError> {
        let price = u64::from(job.price);
        if price > 0 {
            self.credits_of(job)?.reserved += price;
        }
        Ok(())
    }

    /// Turns a finished or vanishing job's reservation into use, or gives it back.
    pub(super) fn settle(&mut self, job: &Job) -> Result<(), StoreError> {
        let price = u64::from(job.price);
        if price == 0 {
            return Ok(());
        }
        let credits = self.credits_of(job)?;
        credits.reserved = credits.reserved.saturating_sub(price);
        credits.used += u64::from(job.charge());
        Ok(())
    }

    /// Reads the record that [`Tables::reserve`] and [`Tables::settle`] will change, so that a
    /// damaged one refuses the operation before it has changed anything.
    pub(super) fn load_credits(&mut self, job: &Job) -> Result<(), StoreError> {
        if job.price > 0 {
            self.credits_of(job)?;
        }
        Ok(())
    }

    /// The record of the job's account and month, read once a transaction.
    fn credits_of(&mut self, job: &Job) -> Result<&mut Credits, StoreError> {
        let key = (job.account.clone(), clock::calendar_month(job.created_ms));
        match self.credits_buffered.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(&mut entry.into_mut().now),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let (account, month) = entry.key();
                let stored = self.credits.get((account.as_str(), *month))?;
                let credits = match stored {
                    Some(bytes) => record::decode_credits(*month, bytes.value())?,
                    None => Credits::default(),
                };
                Ok(&mut entry.insert(BufferedCredits { stored: credits, now: credits }).now)
            }
        }
    }

    /// Writes back every record that this transaction has changed; one that was only looked at
    /// for a refusal stays as it is, or is not made.
    pub(super) fn flush_credits(&mut self) -> Result<(), StoreError> {
        for ((account, month), credits) in self.credits_buffered.drain() {
            if credits.now == credits.stored {
                continue;
            }
            let bytes = record::encode_credits(month, credits.now)?;
            self.credits.insert((account.as_str(), month), bytes.as_slice())?;
        }
        Ok(())
    }
}
