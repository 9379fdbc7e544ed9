//! The vendor task of a job, kept in the store for as long as an attempt asks for it.

use std::sync::Arc;

use crate::job::{Job, VendorTask};
use crate::store::{Row, Store};
use crate::upstream::TaskKeeper;

/// Keeps the vendor task of one attempt's job.
pub(super) struct JobTasks {
    store: Arc<Store>,
    row: Row,
    lease: u32,
}

impl JobTasks {
    pub(crate) fn new(store: Arc<Store>, job: &Job) -> JobTasks {
        JobTasks { store, row: job.row, lease: job.lease }
    }
}

impl TaskKeeper for JobTasks {
    fn task(&self) -> Option<VendorTask> {
        self.store.vendor_task(self.row).unwrap_or_else(|error| {
            tracing::error!(row = self.row, %error, "a vendor's task could not be read");
            None
        })
    }

    fn set_task(&self, task: Option<VendorTask>) {
        if let Err(error) = self.store.set_vendor_task(self.row, self.lease, task) {
            tracing::error!(row = self.row, %error, "a vendor's task could not be kept");
        }
    }
}
