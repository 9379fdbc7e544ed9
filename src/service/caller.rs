//! Who calls the service.

/// The account of a call, and what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub monthly_credits: Option<u64>,
    /// Whether it sees the credits of all keys.
    pub operator: bool,
}
