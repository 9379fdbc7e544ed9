//! The limits that the processes of a shared store have together.

use std::sync::Arc;

use crate::rate::{BudgetRequest, GrantFuture, SharedBudgets};
use crate::store::Store;

impl Store {
    /// Returns what shares the limits out among the processes of a shared store; `None` where the
    /// store is a file.
    pub fn budgets(self: &Arc<Store>) -> Option<Arc<dyn SharedBudgets>> {
        self.is_shared().then(|| self.clone() as Arc<dyn SharedBudgets>)
    }
}

impl SharedBudgets for Store {
    fn grant<'a>(&'a self, request: BudgetRequest<'a>) -> GrantFuture<'a> {
        Box::pin(async move { self.shared()?.grant(request).await })
    }

    fn sharers(&self, upstream: &str) -> usize {
        self.shared().map_or(1, |store| store.sharers(upstream))
    }
}
