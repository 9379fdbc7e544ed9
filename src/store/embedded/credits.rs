//! Credits: reserved when a job is submitted, kept when it is done, given back when it is not.
//! Contract 1.9. Each account has one record a calendar month (UTC), the month of the submit.

use redb::ReadableTable;

use super::transaction::Tables;
use crate::clock;
use crate::job::Job;
use crate::store::accounts::{BufferedCredits, Credits, CreditsChange};
use crate::store::{StoreError, record};

impl Tables<'_> {
    /// Applies what a step of a job changes of its account's credits.
    pub(super) fn change_credits(
        &mut self,
        job: &Job,
        change: CreditsChange,
    ) -> Result<(), StoreError> {
        if !change.is_none() {
            self.credits_of(job)?.apply(change);
        }
        Ok(())
    }

    /// Reads the record that [`Tables::change_credits`] will change, so that a
    /// damaged one refuses the operation before it has changed anything.
    pub(super) fn load_credits(&mut self, job: &Job) -> Result<(), StoreError> {
        if job.price > 0 {
            self.credits_of(job)?;
        }
        Ok(())
    }

    /// Returns the record of the job's account and month, read once a transaction.
    pub(super) fn credits_of(&mut self, job: &Job) -> Result<&mut Credits, StoreError> {
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
