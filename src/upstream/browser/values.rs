//! What stands on a page, as it was read there, before anything is made of it.

use super::markdown::PageMark;
use crate::catalog::Array;

/// What is said where a part of the answer may be missing.
pub(super) const ANSWER_HOLLOW: &str =
    "The page draws only a part of the answer at a time: text may be missing.";

/// The values of an entry, in the order of the recipe's fields.
pub(crate) type Values = Vec<Vec<String>>;

/// The parts of a page, as they stand there.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub html: String,
    pub marks: Vec<PageMark>,
    pub model: Option<String>,
    pub url: String,
    pub arrays: Vec<(Array, Vec<Values>)>,
    /// What was read with doubt, in sentences; the first is of the answer's text.
    pub warnings: Vec<String>,
}

impl Reading {
    /// Takes back that a part of the answer may be missing.
    pub(super) fn forget_hollow(&mut self) {
        self.warnings.retain(|warning| warning != ANSWER_HOLLOW);
    }
}
