//! The numbers and keys by which the store finds things, whatever it is kept in.

/// A job's row number.
pub type Row = u64;
/// A key of the ready index.
pub type ReadyKey = (u16, bool, u64, Row);
/// A key of the counts: the kind, the scraper's number, and the number of the minute or bucket.
pub(crate) type CountsKey = (u8, u16, u64);
/// A key of what was measured: the tracker's id and version, when the job ended, and its row.
pub(crate) type ObservationKey = (u64, u32, u64, Row);
/// A key of sums over what was measured: the tracker's id and version, the day since 1970-01-01,
/// the scraper's number, whether the prompts name a brand, the country and the label.
pub(crate) type SumsKey<'a> = (u64, u32, u32, u16, bool, &'a str, &'a str);
