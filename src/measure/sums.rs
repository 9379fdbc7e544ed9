//! Sums over answers: of one day and group as they are stored, of many as a report adds them up.

use std::collections::BTreeMap;

use super::answer::{DomainUse, Measured};

/// The most domains that are told apart in the sums of a day and group.
pub(crate) const DOMAINS_OF_GROUP_MAX: usize = 200;
/// The most prompts whose samples are compared in the sums of a day and group.
pub(crate) const PROMPTS_OF_GROUP_MAX: usize = 100;

/// Mention of a brand in one answer, as an observation keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrandCount {
    /// The place of the brand in the version of its tracker.
    pub brand: u8,
    /// How often the text names it.
    pub count: u32,
    /// Its place among the brands that the text names, from 1; 0 where it is not named.
    pub rank: u32,
    pub in_list_item: bool,
    pub cited: bool,
    pub linked: bool,
}

/// Counts of one answer, as an observation keeps them: brands of which it says nothing are left
/// out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    pub branded: bool,
    pub absent: bool,
    pub searched: Option<bool>,
    /// Whether a citation could have been found: the answer was there, was not given without a
    /// search, and its citations are told.
    pub citable: bool,
    pub brands: Vec<BrandCount>,
}

impl From<&Measured> for AnswerCounts {
    fn from(measured: &Measured) -> AnswerCounts {
        let brands = (0..).zip(&measured.brands).map(|(brand, mention)| BrandCount {
            brand,
            count: mention.count,
            rank: mention.rank.unwrap_or(0),
            in_list_item: mention.in_list_item,
            cited: mention.cited == Some(true),
            linked: mention.linked,
        });
        let is_said = |it: &BrandCount| it.count > 0 || it.cited || it.linked;
        AnswerCounts {
            branded: measured.branded,
            absent: measured.absent,
            searched: measured.searched,
            citable: measured.cited_is_told && measured.searched != Some(false) && !measured.absent,
            brands: brands.filter(is_said).collect(),
        }
    }
}

/// Sums of a brand, or of several as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrandSums {
    /// Answers that name it.
    pub mentioned: u64,
    /// Its ranks in those, added up.
    pub ranks: u64,
    /// Answers that name it in an entry of a list.
    pub listed: u64,
    /// Citable answers that cite a page of its.
    pub cited: u64,
    /// Answers whose text links to a page of its.
    pub linked: u64,
}

impl BrandSums {
    fn add(&mut self, counts: &BrandCount, citable: bool) {
        self.mentioned += u64::from(counts.count > 0);
        self.ranks += u64::from(counts.rank);
        self.listed += u64::from(counts.in_list_item);
        self.cited += u64::from(counts.cited && citable);
        self.linked += u64::from(counts.linked);
    }

    fn merge(&mut self, other: BrandSums) {
        let BrandSums { mentioned, ranks, listed, cited, linked } = other;
        self.mentioned += mentioned;
        self.ranks += ranks;
        self.listed += listed;
        self.cited += cited;
        self.linked += linked;
    }
}

/// Answers that used a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainSums {
    pub used: u64,
    /// Of those, answers that cite it.
    pub cited: u64,
}

/// Answers to one prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptSums {
    pub measured: u64,
    /// How many name each brand, and behind them how many name one of your own.
    pub mentioned: Vec<u64>,
}

/// Sums over answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSums {
    /// Jobs that ended with an answer, or with the finding that the engine shows none.
    pub answers: u64,
    /// Those in which the engine showed none.
    pub absent: u64,
    /// Those given after a search, and those given without one; of the rest it is not told.
    pub searched: u64,
    pub unsearched: u64,
    pub citable: u64,
    /// Sets a bit for each kind of upstream that has answered.
    pub kinds: u8,
    /// In the order of the tracker.
    pub brands: Vec<BrandSums>,
    /// Of your own brands as one.
    pub own: BrandSums,
    pub domains: BTreeMap<String, DomainSums>,
    /// Uses of domains that are not told apart any more.
    pub more_domains: u64,
    /// Those of one day and group, by a hash of the prompt.
    pub prompts: BTreeMap<u32, PromptSums>,
}

/// An answer that is about to be added to sums.
#[derive(Clone, Copy, Debug)]
pub struct NewAnswer<'a> {
    pub counts: &'a AnswerCounts,
    pub domains: &'a [DomainUse],
    pub prompt_hash: u32,
    pub kind_bit: u8,
    /// Which brands of the tracker are your own, in its order.
    pub own: &'a [bool],
}

impl GroupSums {
    /// Returns how many answers there was a text of.
    pub fn measured(&self) -> u64 {
        self.answers.saturating_sub(self.absent)
    }

    /// Adds an answer. Domains and prompts beyond the limits are counted together, or not at all.
    pub fn add(&mut self, answer: &NewAnswer<'_>) {
        let counts = answer.counts;
        self.answers += 1;
        self.absent += u64::from(counts.absent);
        self.searched += u64::from(counts.searched == Some(true));
        self.unsearched += u64::from(counts.searched == Some(false));
        self.citable += u64::from(counts.citable);
        self.kinds |= answer.kind_bit;
        self.brands.resize(answer.own.len().max(self.brands.len()), BrandSums::default());
        let mut own = BrandCount::default();
        for brand in &counts.brands {
            let place = usize::from(brand.brand);
            if let Some(sums) = self.brands.get_mut(place) {
                sums.add(brand, counts.citable);
            }
            if answer.own.get(place) == Some(&true) {
                own.count += brand.count;
                let ranks = [own.rank, brand.rank];
                own.rank = ranks.into_iter().filter(|rank| *rank > 0).min().unwrap_or(0);
                own.in_list_item |= brand.in_list_item;
                own.cited |= brand.cited;
                own.linked |= brand.linked;
            }
        }
        self.own.add(&own, counts.citable);
        self.add_prompt(answer, own.count > 0);
        for DomainUse { domain, cited } in answer.domains {
            let is_known = self.domains.contains_key(domain);
            if is_known || self.domains.len() < DOMAINS_OF_GROUP_MAX {
                let sums = self.domains.entry(domain.clone()).or_default();
                sums.used += 1;
                sums.cited += u64::from(*cited);
            } else {
                self.more_domains += 1;
            }
        }
    }

    fn add_prompt(&mut self, answer: &NewAnswer<'_>, own: bool) {
        let is_known = self.prompts.contains_key(&answer.prompt_hash);
        if answer.counts.absent || !is_known && self.prompts.len() >= PROMPTS_OF_GROUP_MAX {
            return;
        }
        let brands = answer.own.len();
        let sums = self.prompts.entry(answer.prompt_hash).or_default();
        sums.mentioned.resize(brands + 1, 0);
        sums.measured += 1;
        for brand in answer.counts.brands.iter().filter(|brand| brand.count > 0) {
            if let Some(mentioned) = sums.mentioned[..brands].get_mut(usize::from(brand.brand)) {
                *mentioned += 1;
            }
        }
        sums.mentioned[brands] += u64::from(own);
    }

    /// Adds other sums of the same day and group, within the limits of one.
    pub fn merge_group(&mut self, other: &GroupSums) {
        self.merge(&GroupSums { domains: BTreeMap::new(), ..other.clone() });
        for (domain, sums) in &other.domains {
            let is_known = self.domains.contains_key(domain);
            if is_known || self.domains.len() < DOMAINS_OF_GROUP_MAX {
                let known = self.domains.entry(domain.clone()).or_default();
                known.used += sums.used;
                known.cited += sums.cited;
            } else {
                self.more_domains += sums.used;
            }
        }
        for (hash, other) in &other.prompts {
            let is_known = self.prompts.contains_key(hash);
            if !is_known && self.prompts.len() >= PROMPTS_OF_GROUP_MAX {
                continue;
            }
            let sums = self.prompts.entry(*hash).or_default();
            sums.measured += other.measured;
            sums.mentioned.resize(sums.mentioned.len().max(other.mentioned.len()), 0);
            for (sum, more) in sums.mentioned.iter_mut().zip(&other.mentioned) {
                *sum += more;
            }
        }
    }

    /// Adds other sums over the same brands, without their prompts: those of other days and engines
    /// are no samples of the same thing.
    pub fn merge(&mut self, other: &GroupSums) {
        self.answers += other.answers;
        self.absent += other.absent;
        self.searched += other.searched;
        self.unsearched += other.unsearched;
        self.citable += other.citable;
        self.kinds |= other.kinds;
        self.brands.resize(other.brands.len().max(self.brands.len()), BrandSums::default());
        for (sums, other) in self.brands.iter_mut().zip(&other.brands) {
            sums.merge(*other);
        }
        self.own.merge(other.own);
        for (domain, other) in &other.domains {
            match self.domains.get_mut(domain) {
                Some(sums) => {
                    sums.used += other.used;
                    sums.cited += other.cited;
                }
                None => drop(self.domains.insert(domain.clone(), *other)),
            }
        }
        self.more_domains += other.more_domains;
    }
}
