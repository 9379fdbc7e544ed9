//! A question becomes an answer: up to three searches are made and merged, and what they found is
//! handed to `compose`. Deterministic: the same question over the same guide gives the same bytes.

use super::compose;
use super::guide::Guide;
use super::index::{Hit, Index, stems};
use super::terms::{Term, synonyms, terms};

/// Words of a question that are looked at as what it is about.
const KEY_TERMS_MAX: usize = 16;
/// The longest search that is shown, in characters.
const QUERY_CHARS_MAX: usize = 120;
/// Words that the third search adds, for one key term and in all.
const STAND_INS_MAX: usize = 3;
const ADDED_TERMS_MAX: usize = 8;
/// How much of each search's ranking goes into the merged one.
const SEARCH_WEIGHTS: [f32; 3] = [1.0, 1.0, 0.7];
/// How much a heading that asks the same adds to a section's score, as a factor.
const LIKENESS_BONUS: f32 = 2.0;
/// A heading as alike as this has the question's words, all and only: sums of floats are not exact.
const SAME_LIKENESS: f32 = 0.9999;
/// What is left of the score of a page's beginning, which says what is on the page and answers
/// little itself.
const TITLE_FACTOR: f32 = 0.75;
/// What is left of the score of a heading that says "not" where the question does not.
const NEGATED_FACTOR: f32 = 0.6;
/// The share of a question's key terms, weighted by rarity, that one section has to hold before the
/// guide counts as covering it.
const COVERAGE_MIN: f32 = 0.42;
/// What a synonym is worth beside the word itself.
const SYNONYM_WORTH: f32 = 0.7;
/// Sections looked at for coverage.
const CANDIDATES: usize = 5;

/// What the practice engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PracticeAnswer {
    /// Markdown in which the mark `[n]` names `sources[n - 1]`.
    pub markdown: String,
    /// The searches that were made, in order.
    pub queries: Vec<String>,
    /// The sections that the answer rests on, then others that were consulted.
    pub sources: Vec<PracticeSource>,
    /// Questions that the guide answers near to this one.
    pub related_questions: Vec<String>,
}

/// A section of the guide as a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PracticeSource {
    pub title: String,
    /// `{public_url}/docs/{slug}#{anchor}`
    pub url: String,
    /// The passage nearest to the question, plain text.
    pub snippet: String,
}

/// The answer engine: the guide and its index. Built once, shared, never changed.
pub struct Engine {
    pub(super) guide: Guide,
    pub(super) index: Index,
    pub(super) public_url: String,
}

/// What a question was understood as, and what was found.
pub(super) struct Findings {
    pub queries: Vec<String>,
    /// How alike each section's heading is to the question, 0 to 1.
    pub likeness: Vec<f32>,
    /// The words it is about.
    pub wanted: Vec<Wanted>,
    /// Merged, best first.
    pub hits: Vec<Hit>,
    /// Whether the guide has an answer.
    pub covered: bool,
}

/// A word that a question is about.
pub(super) struct Wanted {
    term: Term,
    rarity: f32,
    /// Words of the guide that may stand for it: its right spelling, and synonyms.
    stand_ins: Vec<Term>,
}

impl Findings {
    /// The stems of the words it is about and of those that may stand for them.
    pub fn sought(&self) -> Vec<String> {
        let stems = |word: &Wanted| {
            let stand_ins = word.stand_ins.iter().map(|term| term.stem.clone());
            std::iter::once(word.term.stem.clone()).chain(stand_ins).collect::<Vec<_>>()
        };
        self.wanted.iter().flat_map(stems).collect()
    }
}

/// How much of what is wanted is there, by rarity, 0 to 1; `there` says it for one stem.
pub(super) fn share(wanted: &[Wanted], there: impl Fn(&str) -> f32) -> f32 {
    let total: f32 = wanted.iter().map(|word| word.rarity).sum();
    let held = wanted.iter().map(|word| {
        let stand_ins = word.stand_ins.iter().map(|other| SYNONYM_WORTH * there(&other.stem));
        word.rarity * stand_ins.fold(there(&word.term.stem), f32::max)
    });
    if total > 0.0 { held.sum::<f32>() / total } else { 0.0 }
}

/// A search: how it is shown, and what is looked up.
struct Search {
    query: String,
    terms: Vec<Term>,
}

impl Engine {
    /// Reads the guide that is built in and indexes it. Addresses of sources begin with
    /// `public_url`, which has no slash at its end.
    pub fn new(public_url: &str) -> Engine {
        Engine::over(Guide::read(public_url), public_url)
    }

    /// Indexes a guide that has been read already.
    pub fn over(guide: Guide, public_url: &str) -> Engine {
        let index = Index::new(&guide);
        Engine { guide, index, public_url: public_url.to_owned() }
    }

    /// Answers a question from the guide. The Markdown is filled up with more of the guide to at
    /// least `payload_bytes` (at most [`super::PAYLOAD_BYTES_MAX`]), and to less than 1 KiB more.
    pub fn answer(&self, question: &str, payload_bytes: usize) -> PracticeAnswer {
        let findings = self.find(question);
        compose::answer(self, question, &findings, payload_bytes)
    }

    /// Makes the searches for a question and merges what they find.
    pub(super) fn find(&self, question: &str) -> Findings {
        let words = terms(question);
        let wanted = self.wanted(&words);
        let searches = searches(question, &words, &wanted);
        let stems = stems(words);
        let likeness = self.index.heading_likeness(&stems);
        let negated = stems.iter().any(|stem| stem == "not");
        let hits = self.merged(&searches, &likeness, negated);
        let covered = hits.iter().take(CANDIDATES).any(|hit| {
            self.coverage(hit.section, &wanted) >= COVERAGE_MIN
                || self.index.asks_within(hit.section, &stems)
        });
        Findings {
            queries: searches.into_iter().map(|search| search.query).collect(),
            likeness,
            wanted,
            hits,
            covered,
        }
    }

    /// How much of what is wanted a section is about, 0 to 1.
    fn coverage(&self, section: usize, wanted: &[Wanted]) -> f32 {
        share(wanted, |stem| self.index.aboutness(section, stem))
    }

    /// One ranking of what all searches find.
    fn merged(&self, searches: &[Search], likeness: &[f32], negated: bool) -> Vec<Hit> {
        let mut scores = vec![0.0_f32; self.guide.sections.len()];
        for (search, weight) in searches.iter().zip(SEARCH_WEIGHTS) {
            let hits = self.index.search(&search.terms);
            // Scores of different searches have different scales; each counts from 0 to 1.
            let best = hits.first().map_or(1.0, |hit| hit.score);
            for hit in hits {
                scores[hit.section] += weight * hit.score / best;
            }
        }
        let mut hits: Vec<Hit> = (0..)
            .zip(scores)
            .filter(|(_, score)| *score > 0.0)
            .map(|(section, score)| {
                let alike = 1.0 + LIKENESS_BONUS * likeness[section].powi(2);
                let score = score * alike * self.place_factor(section, negated);
                Hit { section, score }
            })
            .collect();
        // A heading that is the question word for word goes before every score.
        let asked = |hit: &Hit| likeness[hit.section] >= SAME_LIKENESS;
        hits.sort_by(|a, b| {
            let by_score = b.score.total_cmp(&a.score).then(a.section.cmp(&b.section));
            asked(b).cmp(&asked(a)).then(by_score)
        });
        hits
    }

    /// What a section's place and heading take from its score.
    fn place_factor(&self, section: usize, negated: bool) -> f32 {
        let is_title = self.guide.sections[section].parent.is_empty();
        let says_not = self.index.heading(section).iter().any(|stem| stem == "not");
        let title = if is_title { TITLE_FACTOR } else { 1.0 };
        title * if says_not && !negated { NEGATED_FACTOR } else { 1.0 }
    }

    /// The words that a question is about, each once, in order.
    fn wanted(&self, words: &[Term]) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for term in words.iter().filter(|term| !term.stop) {
            let fresh = wanted.iter().all(|earlier| earlier.term.stem != term.stem);
            if fresh && wanted.len() < KEY_TERMS_MAX {
                wanted.push(Wanted {
                    term: term.clone(),
                    rarity: self.index.rarity(&term.stem),
                    stand_ins: self.stand_ins(&term.stem),
                });
            }
        }
        wanted
    }

    fn stand_ins(&self, stem: &str) -> Vec<Term> {
        let others = synonyms(stem).map(|(word, stem)| Term {
            word: (*word).to_owned(),
            stem: stem.clone(),
            stop: false,
        });
        let known = others.filter(|other| self.index.knows(&other.stem));
        self.index.respelt(stem).into_iter().chain(known).take(STAND_INS_MAX).collect()
    }
}

/// The question as it is, its key terms, and these with the words that may stand for them. A search
/// that would only repeat an earlier one is not made.
fn searches(question: &str, words: &[Term], wanted: &[Wanted]) -> Vec<Search> {
    let asked = question.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = asked.trim_end_matches(['?', '.', '!', ' ']);
    let asked = if bare.is_empty() { &asked } else { bare };
    let mut searches = vec![Search { query: shortened(asked), terms: words.to_vec() }];

    let mut terms: Vec<Term> = wanted.iter().map(|word| word.term.clone()).collect();
    let narrowed = Search { query: query_of(&terms), terms: terms.clone() };
    if !terms.is_empty() && narrowed.query != searches[0].query.to_lowercase() {
        searches.push(narrowed);
    }
    let before = terms.len();
    for other in wanted.iter().flat_map(|word| &word.stand_ins) {
        let fresh = terms.iter().all(|term| term.stem != other.stem);
        if fresh && terms.len() < before + ADDED_TERMS_MAX {
            terms.push(other.clone());
        }
    }
    if terms.len() > before {
        searches.push(Search { query: query_of(&terms), terms });
    }
    searches
}

fn query_of(terms: &[Term]) -> String {
    let words: Vec<&str> = terms.iter().map(|term| term.word.as_str()).collect();
    shortened(&words.join(" "))
}

/// Cut at the end of a word.
fn shortened(query: &str) -> String {
    match query.char_indices().nth(QUERY_CHARS_MAX) {
        None => query.to_owned(),
        Some((end, _)) => {
            let cut = &query[..end];
            cut.rsplit_once(' ').map_or(cut, |(words, _)| words).to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
