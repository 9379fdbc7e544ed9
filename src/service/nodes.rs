//! The processes that share the store, for operators.

use super::{Caller, Service, ServiceError};
use crate::store::NodeReport;

/// The number of a process whose store is a file: there is no other.
const ONLY_NODE: u32 = 1;

impl Service {
    /// Returns the processes that share the store, as of the latest beat, by their names; this one
    /// alone where the store is a file. Where there are keys, only an operator may see them.
    ///
    /// # Errors
    /// Returns an error if the caller may not.
    pub fn nodes(&self, caller: &Caller) -> Result<Vec<NodeReport>, ServiceError> {
        if !caller.operator && self.has_keys() {
            return Err(ServiceError::OperatorNeeded);
        }
        if self.store.is_shared() {
            return Ok(self.store.nodes());
        }
        Ok(vec![NodeReport {
            name: self.settings.store.node.clone(),
            number: ONLY_NODE,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: self.started_ms,
            news: self.engine.news(),
            leads: true,
            silent_ms: 0,
            settings_differ: Vec::new(),
            is_self: true,
        }])
    }
}
