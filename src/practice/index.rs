//! Ranked retrieval: an inverted index over the guide's sections, scored by BM25 with weights for
//! the fields (BM25F: Robertson, Zaragoza, "The Probabilistic Relevance Framework", 2009).

use std::collections::HashMap;

use super::guide::Guide;
use super::passage::Kind;
use super::terms::{Term, terms};

/// How soon more of the same word stops counting.
const K1: f32 = 1.2;
/// How much a long section is held against it.
const B: f32 = 0.6;
/// How far a section is about a word that its text has and its heading has not.
const TEXT_ABOUTNESS: f32 = 0.75;
/// What a word such as "how" counts beside one that says what is sought.
const STOP_WORD_WEIGHT: f32 = 0.15;
/// The shortest word whose spelling is corrected, in letters.
const SPELLING_CHARS_MIN: usize = 6;
/// The shortest beginning of a word that is completed, in letters.
const BEGUN_CHARS_MIN: usize = 3;

/// The index; built once, then only read.
pub struct Index {
    entries: HashMap<String, Entry>,
    /// Sorted stems of each section's heading.
    headings: Vec<Vec<String>>,
    /// Of each heading that is a question, the sorted stems of what it asks about.
    subjects: Vec<Vec<String>>,
    /// Sorted stems of each passage, by section.
    passages: Vec<Vec<Vec<String>>>,
    /// What the words of each section's heading count for.
    heading_worths: Vec<f32>,
    /// Weighted number of words of each section, over the mean of all.
    lengths: Vec<f32>,
}

/// Where in a section a word stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Heading,
    /// The headings above it.
    Parent,
    Text,
    /// Examples: full of ids, dates and prompts that the section is not about.
    Code,
}

impl Field {
    /// How much a word counts there.
    const fn weight(self) -> f32 {
        match self {
            Field::Heading => 4.0,
            Field::Parent => 1.5,
            Field::Text => 1.0,
            Field::Code => 0.3,
        }
    }
}

/// A stem: a word of the guide that has it, and where it stands.
struct Entry {
    word: String,
    stop: bool,
    /// What the word counts for: its rarity, and little when it is a stop word.
    worth: f32,
    postings: Vec<Posting>,
}

struct Posting {
    section: usize,
    /// Occurrences, weighted by field.
    weight: f32,
    in_heading: bool,
    /// Whether the section has the word in code only.
    only_code: bool,
}

/// A section that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub section: usize,
    pub score: f32,
}

impl Index {
    pub fn new(guide: &Guide) -> Index {
        let mut index = Index {
            entries: HashMap::new(),
            headings: Vec::new(),
            subjects: Vec::new(),
            passages: Vec::new(),
            heading_worths: Vec::new(),
            lengths: Vec::new(),
        };
        for (at, section) in guide.sections.iter().enumerate() {
            let heading = terms(&section.heading);
            let parent = terms(&section.parent);
            let passages: Vec<Vec<Term>> =
                section.passages.iter().map(|passage| terms(&passage.text)).collect();
            let mut length = index.add(at, &heading, Field::Heading);
            length += index.add(at, &parent, Field::Parent);
            for (passage, words) in section.passages.iter().zip(&passages) {
                let field = if passage.kind == Kind::Code { Field::Code } else { Field::Text };
                length += index.add(at, words, field);
            }
            index.lengths.push(length);
            let subject = heading.iter().filter(|term| !term.stop && section.is_question());
            index.subjects.push(distinct(subject.map(|term| term.stem.clone()).collect()));
            index.headings.push(stems(heading));
            index.passages.push(passages.into_iter().map(stems).collect());
        }
        let mean = index.lengths.iter().sum::<f32>() / index.lengths.len().max(1) as f32;
        index.lengths.iter_mut().for_each(|length| *length /= mean.max(1.0));
        index.weigh();
        index
    }

    /// Says what each word counts for, once all sections are known.
    fn weigh(&mut self) {
        let sections = self.lengths.len();
        self.heading_worths = vec![0.0; sections];
        for entry in self.entries.values_mut() {
            let stop = if entry.stop { STOP_WORD_WEIGHT } else { 1.0 };
            entry.worth = rarity(sections, entry.postings.len()) * stop;
            for posting in entry.postings.iter().filter(|posting| posting.in_heading) {
                self.heading_worths[posting.section] += entry.worth;
            }
        }
    }

    fn add(&mut self, section: usize, terms: &[Term], field: Field) -> f32 {
        let weight = field.weight();
        for Term { word, stem, stop } in terms {
            let new =
                || Entry { word: word.clone(), stop: *stop, worth: 0.0, postings: Vec::new() };
            let postings = &mut self.entries.entry(stem.clone()).or_insert_with(new).postings;
            match postings.last_mut().filter(|last| last.section == section) {
                Some(last) => {
                    last.weight += weight;
                    last.only_code &= field == Field::Code;
                }
                None => {
                    let in_heading = field == Field::Heading;
                    let only_code = field == Field::Code;
                    postings.push(Posting { section, weight, in_heading, only_code });
                }
            }
        }
        terms.len() as f32 * weight
    }

    fn postings(&self, stem: &str) -> &[Posting] {
        self.entries.get(stem).map_or(&[], |entry| &entry.postings)
    }

    /// The sections that hold any of the terms, best first; ties in reading order.
    pub fn search(&self, terms: &[Term]) -> Vec<Hit> {
        let mut scores = vec![0.0_f32; self.lengths.len()];
        for stem in &stems(terms.to_vec()) {
            let worth = self.entries.get(stem).map_or(0.0, |entry| entry.worth);
            for Posting { section, weight, .. } in self.postings(stem) {
                let norm = K1 * (1.0 - B + B * self.lengths[*section]);
                scores[*section] += worth * weight * (K1 + 1.0) / (weight + norm);
            }
        }
        let scored = scores.iter().enumerate().filter(|(_, score)| **score > 0.0);
        let mut hits: Vec<Hit> =
            scored.map(|(section, score)| Hit { section, score: *score }).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.section.cmp(&b.section)));
        hits
    }

    /// The inverse document frequency of a stem; that of a word seen nowhere is the highest.
    pub fn rarity(&self, stem: &str) -> f32 {
        rarity(self.lengths.len(), self.postings(stem).len())
    }

    /// Whether a word of the guide has this stem.
    pub fn knows(&self, stem: &str) -> bool {
        self.entries.contains_key(stem)
    }

    /// How far a section is about a word, 0 to 1: most when its heading has it, not at all when only
    /// its code does.
    pub fn aboutness(&self, section: usize, stem: &str) -> f32 {
        let postings = self.postings(stem);
        match postings.binary_search_by_key(&section, |posting| posting.section) {
            Ok(at) if postings[at].in_heading => 1.0,
            Ok(at) if !postings[at].only_code => TEXT_ABOUTNESS,
            Ok(_) | Err(_) => 0.0,
        }
    }

    /// Whether a section has a word anywhere.
    pub fn holds(&self, section: usize, stem: &str) -> bool {
        self.postings(stem).binary_search_by_key(&section, |posting| posting.section).is_ok()
    }

    /// The sorted, distinct stems of a section's heading.
    pub fn heading(&self, section: usize) -> &[String] {
        &self.headings[section]
    }

    /// The sorted, distinct stems of a passage.
    pub fn passage(&self, section: usize, passage: usize) -> &[String] {
        &self.passages[section][passage]
    }

    /// How alike each section's heading and a question are, by what the words count for that they
    /// share: 1 when they have the same words. `wanted` is distinct.
    pub fn heading_likeness(&self, wanted: &[String]) -> Vec<f32> {
        let mut shared = vec![0.0_f32; self.lengths.len()];
        let mut total = 0.0;
        for stem in wanted {
            let Some(entry) = self.entries.get(stem) else {
                total += self.rarity(stem);
                continue;
            };
            total += entry.worth;
            for posting in entry.postings.iter().filter(|posting| posting.in_heading) {
                shared[posting.section] += entry.worth;
            }
        }
        let likeness = |(shared, worth): (f32, &f32)| 2.0 * shared / (worth + total).max(0.01);
        shared.into_iter().zip(&self.heading_worths).map(likeness).collect()
    }

    /// Whether a question contains all that a heading asks about, and that is more than one word.
    /// `wanted` is sorted.
    pub fn asks_within(&self, section: usize, wanted: &[String]) -> bool {
        let subject = &self.subjects[section];
        subject.len() > 1 && subject.iter().all(|stem| wanted.binary_search(stem).is_ok())
    }

    /// The word of the guide that a misspelt one is one edit away from, the most frequent first.
    pub fn respelt(&self, stem: &str) -> Option<Term> {
        if self.knows(stem) || stem.chars().count() < SPELLING_CHARS_MIN {
            return None;
        }
        let (stem, entry) = self
            .entries
            .iter()
            // The first letter is seldom the wrong one, and this spares most comparisons.
            .filter(|(known, _)| known.chars().next() == stem.chars().next())
            .filter(|(known, _)| known.len().abs_diff(stem.len()) <= 1)
            .filter(|(known, _)| strsim::osa_distance(known, stem) == 1)
            // By name where equally frequent: the order of a map must not show in an answer.
            .max_by(|(a, x), (b, y)| x.postings.len().cmp(&y.postings.len()).then(b.cmp(a)))?;
        Some(Term { word: entry.word.clone(), stem: stem.clone(), stop: false })
    }

    /// The word of the guide that begins as an unknown one does, the most frequent first.
    pub fn completed(&self, begun: &Term) -> Option<&str> {
        if self.knows(&begun.stem) || begun.word.chars().count() < BEGUN_CHARS_MIN {
            return None;
        }
        let entries = self.entries.values().filter(|entry| entry.word.starts_with(&begun.word));
        // By name where equally frequent: the order of a map must not show.
        let best = entries
            .max_by(|a, b| a.postings.len().cmp(&b.postings.len()).then(b.word.cmp(&a.word)));
        best.map(|entry| entry.word.as_str())
    }
}

fn rarity(sections: usize, holding: usize) -> f32 {
    let (sections, holding) = (sections as f32, holding as f32);
    (1.0 + (sections - holding + 0.5) / (holding + 0.5)).ln()
}

/// The stems of terms, sorted, each once.
pub fn stems(terms: Vec<Term>) -> Vec<String> {
    distinct(terms.into_iter().map(|term| term.stem).collect())
}

/// Sorted, each once.
fn distinct(mut stems: Vec<String>) -> Vec<String> {
    stems.sort_unstable();
    stems.dedup();
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: &[(&str, &str)] = &[
        ("a", "# Apples\n\nRed fruit.\n\n## How are apples stored?\n\nStored in a cool cellar.\n"),
        ("b", "# Pears\n\nGreen fruit. Apples are other fruit.\n\n## Storage\n\nIn boxes.\n"),
    ];

    fn ranked(question: &str) -> Vec<String> {
        let guide = Guide::of(PAGES, "");
        let hits = Index::new(&guide).search(&terms(question));
        hits.iter().map(|hit| guide.sections[hit.section].heading.clone()).collect()
    }

    #[test]
    fn a_word_in_a_heading_weighs_more_than_one_in_the_text() {
        assert_eq!(ranked("apples")[0], "Apples");
        assert_eq!(ranked("pear")[0], "Pears");
        assert_eq!(ranked("cellars"), ["How are apples stored?"]);
        assert!(ranked("quantum").is_empty());
    }

    #[test]
    fn a_heading_is_as_alike_as_the_words_it_shares() {
        let index = Index::new(&Guide::of(PAGES, ""));
        let likeness = |question: &str| index.heading_likeness(&stems(terms(question)))[1];
        assert!((likeness("How are stored apples?") - 1.0).abs() < 1e-6);
        assert!(likeness("stored apples") > likeness("apples"));
        assert_eq!(likeness("pears"), 0.0);
    }

    #[test]
    fn one_wrong_letter_is_put_right() {
        let index = Index::new(&Guide::of(PAGES, ""));
        assert_eq!(index.respelt("cellra").unwrap().word, "cellar");
        assert_eq!(index.respelt("cellar"), None);
        assert_eq!(index.respelt("zzzzzz"), None);
    }
}
