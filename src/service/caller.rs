//! Who calls the service.

use crate::config::Key;

/// The account of a call, and what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub monthly_credits: Option<u64>,
    /// Whether it sees the credits of all keys.
    pub operator: bool,
    /// Whether it reads the jobs of all keys.
    pub reads_all_jobs: bool,
}

impl Caller {
    /// Returns the holder of a key; `operators_read_jobs` is the setting.
    pub(super) fn of(key: &Key, operators_read_jobs: bool) -> Caller {
        Caller {
            account: key.name.clone(),
            monthly_credits: key.monthly_credits,
            operator: key.operator,
            reads_all_jobs: key.operator && operators_read_jobs,
        }
    }

    /// Returns the caller of an account without an allowance, who is no operator.
    pub fn plain(account: &str) -> Caller {
        Caller {
            account: account.to_owned(),
            monthly_credits: None,
            operator: false,
            reads_all_jobs: false,
        }
    }
}
