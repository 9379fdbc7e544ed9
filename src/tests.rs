//! What the unit tests of several parts share.

pub(crate) mod fuzz;
