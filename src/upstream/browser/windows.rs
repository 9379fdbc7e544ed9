//! Joins what is read of a list part by part while it is scrolled, for pages that draw only the
//! rows in view. Knows nothing of pages.

/// The rows that were read, in their order, each once.
#[derive(Debug)]
pub(crate) struct Joined<T> {
    /// With the key by which a row is known again.
    rows: Vec<(String, T)>,
    /// Whether the page took away rows that were read.
    pub is_recycled: bool,
    /// How often a part did not join those before it, so that rows may lie between.
    pub gaps: usize,
}

impl<T> Default for Joined<T> {
    fn default() -> Joined<T> {
        Joined { rows: Vec::new(), is_recycled: false, gaps: 0 }
    }
}

impl<T> Joined<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether a part begins within what is known, ends in it, or holds it.
    pub(crate) fn meets(&self, part: &[(String, T)]) -> bool {
        self.rows.is_empty() || self.place(part).is_some()
    }

    /// Adds a part; returns whether it held a row that was not known.
    pub(crate) fn add(&mut self, part: Vec<(String, T)>) -> bool {
        if part.is_empty() {
            return false;
        }
        let before = self.rows.len();
        match self.place(&part) {
            Some(Place::At(at)) => {
                self.is_recycled |= at > 0;
                let rest = self.rows.split_off((at + part.len()).min(self.rows.len()));
                self.is_recycled |= !rest.is_empty();
                self.rows.truncate(at);
                self.rows.extend(part);
                self.rows.extend(rest);
            }
            Some(Place::Around) => self.rows = part,
            None => {
                if !self.rows.is_empty() {
                    self.gaps += 1;
                    self.is_recycled = true;
                }
                let known: Vec<String> = self.rows.iter().map(|(key, _)| key.clone()).collect();
                self.rows.extend(part.into_iter().filter(|(key, _)| !known.contains(key)));
            }
        }
        self.rows.len() > before
    }

    /// Returns the rows.
    pub(crate) fn into_rows(self) -> Vec<T> {
        self.rows.into_iter().map(|(_, row)| row).collect()
    }

    fn place(&self, part: &[(String, T)]) -> Option<Place> {
        let agree = |known: &[(String, T)], other: &[(String, T)]| {
            known.iter().zip(other).all(|((one, _), (two, _))| one == two)
        };
        if part.is_empty() {
            return Some(Place::At(0));
        }
        // The first place from which on both agree: the longest overlap.
        let at = (0..self.rows.len()).find(|at| agree(&self.rows[*at..], part));
        if let Some(at) = at {
            return Some(Place::At(at));
        }
        let holds = part.windows(self.rows.len().max(1)).any(|inner| agree(&self.rows, inner));
        (holds && !self.rows.is_empty()).then_some(Place::Around)
    }
}

/// The place of a part among the rows.
enum Place {
    /// It begins at this row.
    At(usize),
    /// It holds them all.
    Around,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(rows: &str) -> Vec<(String, char)> {
        rows.chars().map(|row| (row.to_string(), row)).collect()
    }

    fn joined(parts: &[&str]) -> (String, bool, usize) {
        let mut joined = Joined::default();
        for one in parts {
            joined.add(part(one));
        }
        let (is_recycled, gaps) = (joined.is_recycled, joined.gaps);
        (joined.into_rows().into_iter().collect(), is_recycled, gaps)
    }

    #[test]
    fn parts_of_a_list_are_joined_each_row_once() {
        assert_eq!(joined(&["abc", "abcdef", "abcdef"]), ("abcdef".into(), false, 0));
        assert_eq!(joined(&["abcd", "cdef", "efgh", "fgh"]), ("abcdefgh".into(), true, 0));
        assert_eq!(joined(&["abc", "xyzabc"]), ("xyzabc".into(), false, 0));
        assert_eq!(joined(&["abab", "abac"]), ("ababac".into(), true, 0));
    }

    #[test]
    fn a_part_that_does_not_join_is_a_gap() {
        assert_eq!(joined(&["abc", "efg"]), ("abcefg".into(), true, 1));
        assert_eq!(joined(&["", "ab", ""]), ("ab".into(), false, 0));
        let mut joined = Joined::default();
        joined.add(part("abc"));
        assert!(joined.meets(&part("cd")) && !joined.meets(&part("de")));
    }
}
