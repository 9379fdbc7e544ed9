//! How many answers use each page.

use std::collections::BTreeMap;

use super::page_use::PageUse;
use super::sums::DomainSums;

/// The most pages that are counted separately in the sums of a day and group.
pub const PAGES_OF_GROUP_MAX: usize = 300;

/// Sums over the pages that answers used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageSums {
    /// By address.
    pub pages: BTreeMap<String, DomainSums>,
    /// Uses of pages that are not told apart any more.
    pub more: u64,
}

impl PageSums {
    /// Adds the pages of an answer. Those beyond the limit are counted together.
    pub fn add(&mut self, used: &[PageUse]) {
        for PageUse { url, cited } in used {
            if self.pages.len() < PAGES_OF_GROUP_MAX || self.pages.contains_key(url) {
                let sums = self.pages.entry(url.clone()).or_default();
                sums.used += 1;
                sums.cited += u64::from(*cited);
            } else {
                self.more += 1;
            }
        }
    }

    /// Adds other sums of the same day and group, within the limit of one.
    pub fn merge_group(&mut self, other: &PageSums) {
        self.more += other.more;
        for (url, sums) in &other.pages {
            if self.pages.len() < PAGES_OF_GROUP_MAX || self.pages.contains_key(url) {
                let known = self.pages.entry(url.clone()).or_default();
                known.used += sums.used;
                known.cited += sums.cited;
            } else {
                self.more += sums.used;
            }
        }
    }

    /// Adds other sums. Returns how many pages were not known before.
    pub fn merge(&mut self, other: &PageSums) -> usize {
        let before = self.pages.len();
        for (url, other) in &other.pages {
            match self.pages.get_mut(url) {
                Some(sums) => {
                    sums.used += other.used;
                    sums.cited += other.cited;
                }
                None => drop(self.pages.insert(url.clone(), *other)),
            }
        }
        self.more += other.more;
        self.pages.len() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_beyond_the_limit_of_a_group_are_counted_together() {
        let page = |at: usize| PageUse { url: format!("https://a.example/{at}"), cited: at < 2 };
        let mut sums = PageSums::default();
        for first in (0..PAGES_OF_GROUP_MAX + 20).step_by(20) {
            let used: Vec<PageUse> = (first..first + 20).map(page).collect();
            sums.add(&used);
        }
        sums.add(&[page(0), page(PAGES_OF_GROUP_MAX)]);
        assert_eq!((sums.pages.len(), sums.more), (PAGES_OF_GROUP_MAX, 21));
        assert_eq!(sums.pages["https://a.example/0"], DomainSums { used: 2, cited: 2 });
        let mut other = PageSums::default();
        other.add(&[page(0), page(900)]);
        let mut group = sums.clone();
        group.merge_group(&other);
        assert_eq!((group.pages.len(), group.more), (PAGES_OF_GROUP_MAX, 22));
        assert_eq!(group.pages["https://a.example/0"], DomainSums { used: 3, cited: 3 });
        assert_eq!(sums.merge(&other), 1);
        assert_eq!(sums.pages["https://a.example/0"].used, 3);
    }
}
