//! The tasks that vendors work on for jobs, one for each job, kept as long as the job.

use super::transaction::Tables;
use super::{rows, tables};
use crate::job::VendorTask;
use crate::store::change;
use crate::store::{Row, Store, StoreError, record};

/// Removes what is kept of a job that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, row: Row) -> Result<(), StoreError> {
    tables.vendor_tasks.remove(row)
}

impl Store {
    /// Keeps the task that a vendor works on for a job, in the place of an earlier one; `None`
    /// forgets that. Blocks until it is committed. Returns false, and changes nothing, unless the
    /// attempt with this lease is the job's latest and the job has not ended.
    ///
    /// # Errors
    /// Returns an error if the store failed; what was kept stays.
    pub fn set_vendor_task(
        &self,
        row: Row,
        lease: u32,
        task: Option<VendorTask>,
    ) -> Result<bool, StoreError> {
        let scrapers = self.scrapers.clone();
        let written = self.embedded.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let job = rows::read_job(tables, &scrapers, row)?.map(|(job, _)| job);
                if !job.is_some_and(|job| change::is_held(&job, lease)) {
                    return Ok(false);
                }
                match &task {
                    Some(task) => {
                        let bytes = record::encode_vendor_task(row, task)?;
                        tables.vendor_tasks.insert(row, bytes.as_slice())?;
                    }
                    None => tables.vendor_tasks.remove(row)?,
                }
                Ok(true)
            })
        });
        written.wait()
    }

    /// Reads the task that a vendor works on for a job.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn vendor_task(&self, row: Row) -> Result<Option<VendorTask>, StoreError> {
        self.embedded.read(|snapshot| {
            let tasks = tables::later(snapshot.transaction(), tables::VENDOR_TASKS)?;
            let bytes = tasks.map(|tasks| tasks.get(row)).transpose()?.flatten();
            bytes.map(|bytes| record::decode_vendor_task(row, bytes.value())).transpose()
        })
    }
}
