//! Who calls the service.

use crate::config::Key;

/// The account of a call, and what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub monthly_credits: Option<u64>,
    /// Whether it sees the credits of all keys.
    pub operator: bool,
}

impl Caller {
    /// Returns the holder of a key.
    pub(super) fn of(key: &Key) -> Caller {
        Caller {
            account: key.name.clone(),
            monthly_credits: key.monthly_credits,
            operator: key.operator,
        }
    }
}
