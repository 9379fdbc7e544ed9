//! Which passages of a section answer a question: each is scored by the question's words it holds,
//! and what belongs together (a list and its introduction, code and its sentence) stays together.

use std::collections::BTreeSet;

use super::engine::{Findings, share};
use super::index::Index;
use super::passage::{Kind, Passage, Section};

/// What the first sentence under a heading has over others, and more where the heading asks the
/// question: it is written to answer it.
const FIRST_BONUS: f32 = 0.2;
const ASKED_BONUS: f32 = 0.8;
/// What is held against a sentence that leans on the one before it, and against a long one.
const LEANING_MALUS: f32 = 0.15;
const LONG_MALUS: f32 = 0.2;
const LONG_CHARS: usize = 400;
/// How much better than every sentence a list item or a table row must be to come first.
const LEAD_MARGIN: f32 = 0.25;
/// A lead shorter than this ("No.") takes the next sentence along, in characters.
const LEAD_CHARS_MIN: usize = 40;
/// A heading as alike to the question as this one makes its whole section the answer.
const ASKED_LIKENESS: f32 = 0.6;
/// What a word is worth in a passage when the heading has said it already.
const HEADING_WORTH: f32 = 0.5;
/// What a passage must score to support the lead.
const SUPPORT_SCORE_MIN: f32 = 0.1;
/// The share of the question that a passage of a further section must hold, and when the best
/// section's heading asks the question.
const ASIDE_SHARE_MIN: f32 = 0.5;
const ASIDE_SHARE_MIN_ASKED: f32 = 0.9;
/// The fewest words of a question that a further section can add to.
const ASIDE_WORDS_MIN: usize = 2;
/// What is held against code as a source's snippet.
const CODE_MALUS: f32 = 0.5;
/// How much the best section may give, bytes and passages.
const SUPPORT_BYTES_MAX: usize = 900;
const SUPPORT_PASSAGES_MAX: usize = 8;

const LEANING_WORDS: &[&str] =
    &["it", "they", "this", "that", "these", "those", "then", "there", "such", "both", "so", "but"];

/// Chooses passages for one question.
pub struct Selector<'a> {
    pub index: &'a Index,
    pub findings: &'a Findings,
}

impl Selector<'_> {
    /// The passages that answer first: one sentence, or two when the first is a word.
    pub fn lead(&self, at: usize, section: &Section) -> Vec<usize> {
        let candidates = section.passages.iter().enumerate().filter_map(|(passage, content)| {
            let score = self.score(at, section, passage);
            match content.kind {
                Kind::Sentence if content.introduces() => None,
                Kind::Sentence => Some((passage, score)),
                Kind::Item(_) | Kind::Row => Some((passage, score - LEAD_MARGIN)),
                Kind::Code => None,
            }
        });
        // The earlier of two equals.
        let best = candidates.rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let Some((lead, _)) = best else { return Vec::new() };
        let next = section.passages.get(lead + 1).filter(|next| {
            let content = &section.passages[lead];
            let short = content.text.chars().count() < LEAD_CHARS_MIN;
            short && content.kind == Kind::Sentence && next.block == content.block
        });
        if next.is_some() { vec![lead, lead + 1] } else { vec![lead] }
    }

    /// What else the section says to the question: what follows the lead, then what stands before
    /// it, so that code stays behind its sentence.
    pub fn support(&self, at: usize, section: &Section, lead: &[usize]) -> Vec<usize> {
        let asked = self.asks(at);
        let mut order: Vec<(usize, f32)> = (0..section.passages.len())
            .filter(|passage| !lead.contains(passage))
            .map(|passage| (passage, self.score(at, section, passage)))
            .collect();
        if !asked {
            order.retain(|(_, score)| *score >= SUPPORT_SCORE_MIN);
            order.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        }
        // A section of nothing but code is quoted all the same.
        if lead.is_empty() && order.is_empty() {
            order.extend((!section.passages.is_empty()).then_some((0, 0.0)));
        }
        let mut chosen = BTreeSet::new();
        let mut bytes = 0;
        for (passage, _) in order {
            let mut more = BTreeSet::from([passage]);
            complete(section, &mut more);
            more.retain(|passage| !chosen.contains(passage) && !lead.contains(passage));
            let size: usize = more.iter().map(|p| section.passages[*p].markdown.len()).sum();
            let fits = bytes + size <= SUPPORT_BYTES_MAX
                && chosen.len() + more.len() <= SUPPORT_PASSAGES_MAX;
            if fits || (chosen.is_empty() && lead.is_empty()) {
                bytes += size;
                chosen.extend(more);
            }
        }
        let after = lead.last().map_or(0, |last| last + 1);
        chosen.range(after..).chain(chosen.range(..after)).copied().collect()
    }

    /// Whether a section's heading asks the question.
    pub fn asks(&self, at: usize) -> bool {
        self.findings.likeness[at] >= ASKED_LIKENESS
    }

    /// What a further section adds: its best passage, when that is good. `asked` says that the best
    /// section's heading asks the question, so that little is missing.
    pub fn aside(&self, at: usize, section: &Section, asked: bool) -> Vec<usize> {
        let candidates = section
            .passages
            .iter()
            .enumerate()
            .filter(|(_, content)| !content.introduces() && content.kind != Kind::Code);
        let scored = candidates.map(|(passage, _)| (passage, self.score(at, section, passage)));
        let best = scored.rev().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(passage, _)| passage);
        let least = if asked { ASIDE_SHARE_MIN_ASKED } else { ASIDE_SHARE_MIN };
        let enough = |passage: &usize| {
            let held = |stem: &str| f32::from(u8::from(self.says(at, *passage, stem)));
            self.findings.wanted.len() >= ASIDE_WORDS_MIN
                && share(&self.findings.wanted, held) >= least
        };
        best.filter(enough).into_iter().collect()
    }

    /// The passage nearest to the question.
    pub fn nearest<'s>(&self, at: usize, section: &'s Section) -> Option<&'s Passage> {
        let scored = section.passages.iter().enumerate();
        let scored = scored.map(|(passage, content)| {
            let malus = if content.kind == Kind::Code { CODE_MALUS } else { 0.0 };
            (content, self.score(at, section, passage) - malus)
        });
        scored.rev().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(passage, _)| passage)
    }

    /// Whether any search found the section.
    pub fn found(&self, at: usize) -> bool {
        self.findings.hits.iter().any(|hit| hit.section == at)
    }

    /// The share of the question's words that a passage holds, by their worth, and what its place
    /// and form add.
    fn score(&self, at: usize, section: &Section, passage: usize) -> f32 {
        let content = &section.passages[passage];
        let heading = self.index.heading(at);
        let mut score = share(&self.findings.wanted, |stem| {
            let said = heading.binary_search_by(|word| word.as_str().cmp(stem)).is_ok();
            match (self.says(at, passage, stem), said) {
                (true, true) => HEADING_WORTH,
                (true, false) => 1.0,
                (false, _) => 0.0,
            }
        });
        if passage == 0 {
            let likeness = self.findings.likeness[at];
            score += FIRST_BONUS + ASKED_BONUS * likeness * likeness;
        }
        if leans(&content.text) {
            score -= LEANING_MALUS;
        }
        if content.text.chars().count() > LONG_CHARS {
            score -= LONG_MALUS;
        }
        score
    }
}

impl Selector<'_> {
    fn says(&self, at: usize, passage: usize, stem: &str) -> bool {
        let held = self.index.passage(at, passage);
        held.binary_search_by(|word| word.as_str().cmp(stem)).is_ok()
    }
}

fn leans(text: &str) -> bool {
    let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    LEANING_WORDS.contains(&first.to_lowercase().as_str())
}

/// Adds what the chosen passages cannot stand without: an introduction its list, rows or code, and
/// these their introduction; a numbered list all its steps.
fn complete(section: &Section, chosen: &mut BTreeSet<usize>) {
    let passages = &section.passages;
    for at in chosen.clone() {
        let content = &passages[at];
        let block = passages.iter().enumerate().filter(|(_, other)| other.block == content.block);
        match content.kind {
            Kind::Sentence if content.introduces() => {
                let next = passages.get(at + 1).map(|next| next.block);
                let members = passages.iter().enumerate();
                chosen.extend(
                    members
                        .filter(|(_, other)| Some(other.block) == next)
                        .map(|(member, _)| member),
                );
            }
            Kind::Sentence => {}
            Kind::Item(Some(_)) => chosen.extend(block.map(|(member, _)| member)),
            Kind::Item(None) | Kind::Row | Kind::Code => {}
        }
        let start = passages.iter().position(|other| other.block == content.block).unwrap_or(at);
        let before = start.checked_sub(1).map(|before| (before, &passages[before]));
        let introduction = before.filter(|(_, before)| match content.kind {
            Kind::Sentence => false,
            Kind::Item(_) | Kind::Row => before.introduces(),
            Kind::Code => before.kind == Kind::Sentence,
        });
        chosen.extend(introduction.map(|(before, _)| before));
    }
}
