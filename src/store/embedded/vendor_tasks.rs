//! The tasks that vendors work on for jobs, one for each job, kept as long as the job.

use super::Embedded;
use super::transaction::Tables;
use super::{rows, tables};
use crate::job::VendorTask;
use crate::store::change;
use crate::store::{Row, StoreError, record};

/// Removes what is kept of a job that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, row: Row) -> Result<(), StoreError> {
    tables.vendor_tasks.remove(row)
}

impl Embedded {
    pub(crate) fn set_vendor_task(
        &self,
        row: Row,
        lease: u32,
        task: Option<VendorTask>,
    ) -> Result<bool, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        let written = self.queue(|queue| {
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

    pub(crate) fn vendor_task(&self, row: Row) -> Result<Option<VendorTask>, StoreError> {
        self.read(|snapshot| {
            let tasks = tables::later(snapshot.transaction(), tables::VENDOR_TASKS)?;
            let bytes = tasks.map(|tasks| tasks.get(row)).transpose()?.flatten();
            bytes.map(|bytes| record::decode_vendor_task(row, bytes.value())).transpose()
        })
    }
}
