//! The vendor's task behind a call: how a call hands it over, and reads the one that an earlier
//! attempt of the job left.

use std::sync::atomic::Ordering;

use super::Call;
use crate::job::VendorTask;

/// A place in which the vendor task of a job outlives the process.
pub trait TaskKeeper: Send + Sync {
    /// Returns the task of the job.
    fn task(&self) -> Option<VendorTask>;

    /// Keeps a task in the place of the one before; `None` forgets that. Returns when it is on
    /// disk. That it cannot be kept does not stop the call: the answer is still wanted.
    fn set_task(&self, task: Option<VendorTask>);
}

impl Call {
    /// Returns the call with a keeper of its job's vendor task.
    #[must_use]
    pub fn keeping_tasks(self, tasks: std::sync::Arc<dyn TaskKeeper>) -> Call {
        Call { tasks: Some(tasks), ..self }
    }

    /// Returns the task that an earlier attempt left at a vendor.
    pub fn task(&self) -> Option<VendorTask> {
        self.tasks.as_ref()?.task()
    }

    /// Returns the task that an earlier attempt left at this upstream.
    pub fn task_of(&self, upstream: &str) -> Option<VendorTask> {
        self.task().filter(|task| task.upstream == upstream)
    }

    /// Keeps a task that has begun. Returns when it is on disk.
    pub fn keep_task(&self, task: VendorTask) {
        if let Some(tasks) = &self.tasks {
            tasks.set_task(Some(task));
        }
    }

    /// Notes whether the upstream goes on with a task whose price was counted with an earlier
    /// call, so that this one costs nothing more.
    pub(super) fn set_counted(&self, is_counted: bool) {
        self.is_counted.store(is_counted, Ordering::Relaxed);
    }

    pub(super) fn is_counted(&self) -> bool {
        self.is_counted.load(Ordering::Relaxed)
    }

    /// Forgets the task: the next attempt begins another.
    pub fn forget_task(&self) {
        // Most calls have none, and a write would be for nothing.
        if let Some(tasks) = self.tasks.as_ref().filter(|tasks| tasks.task().is_some()) {
            tasks.set_task(None);
        }
    }
}
