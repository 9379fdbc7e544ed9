//! The names of brands, as they are looked for.

use super::script::Script;
use super::text::{self, Unit};

/// The longest name or alias of a brand, characters.
pub const NAME_CHARS_MAX: usize = 80;
/// Names with fewer letters are looked for in their own case.
const ANY_CASE_LETTERS_MIN: usize = 4;

/// A name as it is looked for.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The place of its brand in the tracker.
    pub brand: usize,
    pub units: Vec<Unit>,
    pub keeps_case: bool,
    /// How many letters and digits it has.
    pub letters: usize,
}

impl Name {
    /// Folds a name. `case_sensitive` says how to compare it, where somebody has said.
    pub(crate) fn new(brand: usize, name: &str, case_sensitive: Option<bool>) -> Name {
        let mut units = text::fold(name.trim());
        units.dedup_by(|next, before| next.exact == ' ' && before.exact == ' ');
        let letters = units.iter().filter(|unit| unit.exact.is_alphanumeric()).count();
        let keeps_case = case_sensitive.unwrap_or(letters < ANY_CASE_LETTERS_MIN);
        Name { brand, units, keeps_case, letters }
    }

    /// Returns its folded letters as a text: names that share it are one.
    pub(crate) fn key(&self) -> String {
        self.units.iter().map(|unit| unit.folded).collect()
    }

    /// Returns where it ends in a text in which it begins at `start`; `None` if it does not. A
    /// space fits any number of them, but no new line.
    pub(crate) fn end_in(&self, text: &[Unit], start: usize) -> Option<usize> {
        let mut at = start;
        for unit in &self.units {
            let there = text.get(at)?;
            let same = match self.keeps_case {
                true => there.exact == unit.exact,
                false => there.folded == unit.folded,
            };
            if !same {
                return None;
            }
            at += 1;
            if unit.exact == ' ' {
                at += text[at..].iter().take_while(|unit| unit.exact == ' ').count();
            }
        }
        Some(at)
    }

    /// Returns whether it says too little to be looked for: nothing but signs, or one character of
    /// a script in which it would be found in the middle of words.
    pub(crate) fn is_too_short(&self) -> bool {
        let unspaced = |unit: &Unit| unit.script().is_unspaced() || unit.script() == Script::Hangul;
        self.letters == 0 || self.letters == 1 && self.units.iter().any(unspaced)
    }
}
