//! The numbers and keys by which the store finds things, whatever it is kept in.

/// A job's row number.
pub type Row = u64;
/// A key of the ready index.
pub type ReadyKey = (u16, bool, u64, Row);
/// A key of the counts: the kind, the scraper's number, and the number of the minute or bucket.
pub(crate) type CountsKey = (u8, u16, u64);
