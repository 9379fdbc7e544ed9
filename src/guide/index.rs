//! Ranks the sections of the guide for a question: BM25 over headings and text (Robertson,
//! Zaragoza, "The Probabilistic Relevance Framework", 2009), and headings that ask the same first.

use std::collections::{BTreeSet, HashMap};

use super::pages::Guide;
use super::sections::{Kind, Section};
use super::terms::{Term, synonyms, terms};

/// The longest query, in Unicode scalar values.
pub const QUERY_CHARS_MAX: usize = 200;
/// Saturation of repeated words, and the penalty of long sections.
const K1: f32 = 1.2;
const B: f32 = 0.6;
/// How much a word counts by where it stands. Examples are full of words that they are not about.
const HEADING_WEIGHT: f32 = 4.0;
const PARENT_WEIGHT: f32 = 1.5;
const CODE_WEIGHT: f32 = 0.3;
/// How much a synonym adds to the rank of a section.
const STAND_IN_WEIGHT: f32 = 0.15;
/// The worth of a word such as "how", and of a synonym where the word itself is missing.
const STOP_WORD_WORTH: f32 = 0.15;
const SYNONYM_WORTH: f32 = 0.7;
/// How far a section is about a word that only its text has.
const TEXT_ABOUTNESS: f32 = 0.75;
/// The bonus of a heading that asks the same, as a factor.
const LIKENESS_BONUS: f32 = 2.0;
/// The likeness of a heading with the same words: sums of floats are not exact.
const SAME_LIKENESS: f32 = 0.9999;
/// The factor for the beginning of a page, which says what is on the page and answers little.
const TITLE_FACTOR: f32 = 0.78;
/// The factor for a heading that says "not" where the question does not.
const NEGATED_FACTOR: f32 = 0.6;
/// The share of a question that a section must be about for the guide to cover it, and how many
/// sections are looked at.
const COVERAGE_MIN: f32 = 0.42;
const COVERAGE_SECTIONS: usize = 5;
/// Words of a question that are looked at, and words that may stand for one of them.
const KEY_TERMS_MAX: usize = 16;
const STAND_INS_MAX: usize = 3;
/// The shortest word whose spelling is corrected, and that is completed, in letters.
const SPELLING_CHARS_MIN: usize = 6;
const PREFIX_CHARS_MIN: usize = 3;

/// Pages of the guide with the words of their sections.
pub struct Index {
    pub guide: Guide,
    sections: Vec<Words>,
    vocabulary: HashMap<String, Word>,
    mean_length: f32,
}

/// The words of a section, by their stems.
#[derive(Default)]
struct Words {
    /// Occurrences, weighted by where they stand.
    weights: HashMap<String, f32>,
    heading: BTreeSet<String>,
    /// Of each passage.
    passages: Vec<BTreeSet<String>>,
    /// Of all but code.
    text: BTreeSet<String>,
    /// The sum of all weights.
    length: f32,
}

/// A word of the guide.
struct Word {
    word: String,
    stop: bool,
    /// How many sections have it.
    sections: usize,
}

/// A word that a question is about, and others that may stand for it: its right spelling, synonyms.
pub struct Wanted {
    pub term: Term,
    pub stand_ins: Vec<Term>,
    rarity: f32,
}

/// A question as it was understood, and the sections for it.
pub struct Findings {
    pub wanted: Vec<Wanted>,
    /// The sections with their scores, best first.
    pub hits: Vec<(usize, f32)>,
    /// How alike each section's heading is to the question, 0 to 1.
    pub likeness: Vec<f32>,
    /// Whether the guide answers the question.
    pub covered: bool,
}

impl Findings {
    /// Returns the stems of the words and of those that may stand for them.
    pub fn sought(&self) -> BTreeSet<&str> {
        let terms = self.wanted.iter().flat_map(|it| [&it.term].into_iter().chain(&it.stand_ins));
        terms.map(|term| term.stem.as_str()).collect()
    }

    /// Returns whether a section's heading has the very words of the question.
    pub fn asks(&self, at: usize) -> bool {
        self.likeness[at] >= SAME_LIKENESS
    }

    /// Returns how much of what is wanted is there, weighted by rarity, 0 to 1. `there` says it for
    /// one stem.
    pub fn share(&self, there: impl Fn(&str) -> f32) -> f32 {
        let total: f32 = self.wanted.iter().map(|word| word.rarity).sum();
        let held = self.wanted.iter().map(|word| {
            let stand_ins = word.stand_ins.iter().map(|other| SYNONYM_WORTH * there(&other.stem));
            word.rarity * stand_ins.fold(there(&word.term.stem), f32::max)
        });
        if total > 0.0 { held.sum::<f32>() / total } else { 0.0 }
    }
}

impl Index {
    /// Reads the words of all sections.
    pub fn new(guide: Guide) -> Index {
        let mut vocabulary: HashMap<String, Word> = HashMap::new();
        let mut sections = Vec::new();
        for section in &guide.sections {
            let mut words = Words::default();
            let mut add = |text: &str, weight: f32| {
                let terms = terms(text);
                for Term { word, stem, stop } in &terms {
                    if !words.weights.contains_key(stem) {
                        let new = || Word { word: word.clone(), stop: *stop, sections: 0 };
                        vocabulary.entry(stem.clone()).or_insert_with(new).sections += 1;
                    }
                    *words.weights.entry(stem.clone()).or_default() += weight;
                    words.length += weight;
                }
                stems(&terms)
            };
            let heading = add(&section.heading, HEADING_WEIGHT);
            add(&section.parent, PARENT_WEIGHT);
            let of_passage = |passage: &super::sections::Passage| match passage.kind {
                Kind::Code => CODE_WEIGHT,
                Kind::Sentence | Kind::Item(_) | Kind::Row => 1.0,
            };
            let passages: Vec<_> =
                section.passages.iter().map(|it| add(&it.text, of_passage(it))).collect();
            let text = section.passages.iter().zip(&passages);
            let text = text.filter(|(passage, _)| passage.kind != Kind::Code);
            words.text = text.flat_map(|(_, stems)| stems.clone()).collect();
            words.heading = heading;
            words.passages = passages;
            sections.push(words);
        }
        let length: f32 = sections.iter().map(|words| words.length).sum();
        let mean_length = length / sections.len().max(1) as f32;
        Index { guide, sections, vocabulary, mean_length }
    }

    /// Ranks the sections for a question.
    pub fn find(&self, question: &str) -> Findings {
        let words = terms(question);
        let asked = stems(&words);
        let likeness: Vec<f32> =
            self.sections.iter().map(|section| self.likeness(&section.heading, &asked)).collect();
        let mut found =
            Findings { wanted: self.wanted(&words), hits: Vec::new(), likeness, covered: false };
        let scored = (0..self.sections.len()).map(|at| (at, self.score(at, &words, &found)));
        let mut hits: Vec<(usize, f32)> = scored.filter(|(_, score)| *score > 0.0).collect();
        // A heading with the very words of the question goes before every score.
        hits.sort_by(|a, b| {
            let by_score = b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            found.asks(b.0).cmp(&found.asks(a.0)).then(by_score)
        });
        found.covered = hits.iter().take(COVERAGE_SECTIONS).any(|(at, _)| {
            found.share(|stem| self.aboutness(*at, stem)) >= COVERAGE_MIN
                || self.is_asked_within(*at, &asked)
        });
        Findings { hits, ..found }
    }

    fn score(&self, at: usize, words: &[Term], found: &Findings) -> f32 {
        let stop_words = words.iter().filter(|it| it.stop).map(|it| self.bm25(at, &it.stem));
        let of_word = |word: &Wanted| {
            // What is asked for itself counts once.
            let others = word.stand_ins.iter().filter(|other| !words.contains(other));
            let stand_ins = others.map(|other| self.bm25(at, &other.stem));
            self.bm25(at, &word.term.stem) + STAND_IN_WEIGHT * stand_ins.sum::<f32>()
        };
        let wanted = found.wanted.iter().map(of_word);
        let score = wanted.sum::<f32>() + stop_words.sum::<f32>();
        let alike = 1.0 + LIKENESS_BONUS * found.likeness[at].powi(2);
        let title = if self.guide.sections[at].parent.is_empty() { TITLE_FACTOR } else { 1.0 };
        let negates = self.sections[at].heading.contains("not")
            && words.iter().all(|term| term.stem != "not");
        score * alike * title * if negates { NEGATED_FACTOR } else { 1.0 }
    }

    fn bm25(&self, at: usize, stem: &str) -> f32 {
        let section = &self.sections[at];
        let weight = section.weights.get(stem).copied().unwrap_or_default();
        let norm = K1 * (1.0 - B + B * section.length / self.mean_length);
        self.worth(stem) * weight * (K1 + 1.0) / (weight + norm)
    }

    /// Returns the inverse document frequency of a stem; that of an unknown word is the highest.
    fn rarity(&self, stem: &str) -> f32 {
        let sections = self.sections.len() as f32;
        let holding = self.vocabulary.get(stem).map_or(0, |word| word.sections) as f32;
        (1.0 + (sections - holding + 0.5) / (holding + 0.5)).ln()
    }

    fn worth(&self, stem: &str) -> f32 {
        let stop = self.vocabulary.get(stem).is_some_and(|word| word.stop);
        self.rarity(stem) * if stop { STOP_WORD_WORTH } else { 1.0 }
    }

    /// Returns how alike a heading and a question are by the worth of the words they share, 0 to 1.
    fn likeness(&self, heading: &BTreeSet<String>, asked: &BTreeSet<String>) -> f32 {
        let worth = |stems: &mut dyn Iterator<Item = &String>| -> f32 {
            stems.map(|stem| self.worth(stem)).sum()
        };
        let total = worth(&mut heading.iter()) + worth(&mut asked.iter());
        2.0 * worth(&mut heading.intersection(asked)) / total.max(0.01)
    }

    /// Returns how far a section is about a word, 0 to 1.
    fn aboutness(&self, at: usize, stem: &str) -> f32 {
        let section = &self.sections[at];
        match (section.heading.contains(stem), section.text.contains(stem)) {
            (true, _) => 1.0,
            (false, true) => TEXT_ABOUTNESS,
            (false, false) => 0.0,
        }
    }

    /// Returns whether a question contains all that a heading asks about, if that is several words.
    fn is_asked_within(&self, at: usize, asked: &BTreeSet<String>) -> bool {
        let is_subject = |stem: &&String| !self.vocabulary.get(*stem).is_some_and(|word| word.stop);
        let subject: Vec<&String> = self.sections[at].heading.iter().filter(is_subject).collect();
        self.guide.sections[at].is_question()
            && subject.len() > 1
            && subject.iter().all(|stem| asked.contains(*stem))
    }

    /// Returns the words that a question is about, each once, in order.
    fn wanted(&self, words: &[Term]) -> Vec<Wanted> {
        let mut seen = BTreeSet::new();
        let words = words.iter().filter(|term| !term.stop && seen.insert(&term.stem));
        let wanted = words.take(KEY_TERMS_MAX).map(|term| {
            let synonyms = synonyms(&term.stem).filter(|it| self.vocabulary.contains_key(&it.stem));
            let stand_ins = self.respelt(&term.stem).into_iter().chain(synonyms);
            let stand_ins = stand_ins.take(STAND_INS_MAX).collect();
            Wanted { term: term.clone(), stand_ins, rarity: self.rarity(&term.stem) }
        });
        wanted.collect()
    }

    /// Returns the section.
    pub fn section(&self, at: usize) -> &Section {
        &self.guide.sections[at]
    }

    /// Returns the stems of a section's heading.
    pub fn heading(&self, at: usize) -> &BTreeSet<String> {
        &self.sections[at].heading
    }

    /// Returns the stems of a passage of a section.
    pub fn passage(&self, at: usize, passage: usize) -> &BTreeSet<String> {
        &self.sections[at].passages[passage]
    }

    /// Returns whether a section has a word anywhere.
    pub fn holds(&self, at: usize, stem: &str) -> bool {
        self.sections[at].weights.contains_key(stem)
    }

    /// Returns the most frequent word that an unknown one is one edit away from.
    fn respelt(&self, stem: &str) -> Option<Term> {
        let alike = |known: &str| {
            // The first letter is seldom the wrong one, and this spares most comparisons.
            known.as_bytes().first() == stem.as_bytes().first()
                && known.len().abs_diff(stem.len()) <= 1
                && strsim::osa_distance(known, stem) == 1
        };
        self.guessed(stem, SPELLING_CHARS_MIN, |known, _| alike(known))
    }

    /// Returns the most frequent word that begins as an unknown one does.
    pub fn completed(&self, begun: &Term) -> Option<String> {
        let begins = |_: &str, word: &str| word.starts_with(&begun.word);
        self.guessed(&begun.stem, PREFIX_CHARS_MIN, begins).map(|term| term.word)
    }

    /// Returns the most frequent word that fits, if `stem` is unknown and not too short.
    fn guessed(
        &self,
        stem: &str,
        chars_min: usize,
        fits: impl Fn(&str, &str) -> bool,
    ) -> Option<Term> {
        if self.vocabulary.contains_key(stem) || stem.chars().count() < chars_min {
            return None;
        }
        let fitting = self.vocabulary.iter().filter(|(known, word)| fits(known, &word.word));
        // By name where equally frequent: the order of a map must not show in an answer.
        let (stem, word) =
            fitting.max_by(|(a, x), (b, y)| x.sections.cmp(&y.sections).then(b.cmp(a)))?;
        Some(Term { word: word.word.clone(), stem: stem.clone(), stop: false })
    }
}

/// Returns the distinct stems of terms.
pub fn stems(terms: &[Term]) -> BTreeSet<String> {
    terms.iter().map(|term| term.stem.clone()).collect()
}

#[cfg(test)]
mod tests;
