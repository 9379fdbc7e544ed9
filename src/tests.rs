//! What the unit tests of several parts share.

pub mod fuzz;
