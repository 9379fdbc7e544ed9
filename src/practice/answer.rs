//! Writes the answer to a question: the passages that answer are chosen, quoted in a readable
//! order, and each is marked with its source.

use std::collections::BTreeSet;

use super::{
    Engine, PAYLOAD_BYTES_MAX, PracticeAnswer, PracticeCitation, PracticeSource, shortened,
};
use crate::guide::index::{Findings, Index};
use crate::guide::sections::{Kind, Passage, Section};

/// Sections beside the best one that an answer quotes, and their least score against it.
const FURTHER_SECTIONS_MAX: usize = 2;
const FURTHER_SCORE_MIN: f32 = 0.45;
/// The share of the question that a passage of a further section must hold, and when the heading of
/// the best section asks the question.
const FURTHER_SHARE_MIN: f32 = 0.5;
const FURTHER_SHARE_MIN_ASKED: f32 = 0.9;
/// A heading as alike to the question as this makes its whole section the answer.
const ASKED_LIKENESS: f32 = 0.6;
/// How much better than every sentence a list item or a table row must be to come first.
const LEAD_MARGIN: f32 = 0.25;
/// A lead shorter than this ("No.") takes the next sentence along, in characters.
const LEAD_CHARS_MIN: usize = 40;
/// The least score of a passage that supports the lead, and how much of the best section is quoted.
const SUPPORT_SCORE_MIN: f32 = 0.1;
const SUPPORT_BYTES_MAX: usize = 900;
const SUPPORT_PASSAGES_MAX: usize = 8;
/// Sources that are listed beside those cited, and their least score against the best.
const CONSULTED_MAX: usize = 5;
const CONSULTED_SCORE_MIN: f32 = 0.15;
/// Sections named as the nearest when the guide has no answer.
const NEAREST_MAX: usize = 3;
const RELATED_MAX: usize = 4;
/// The longest snippet of a source, in characters.
const SNIPPET_CHARS_MAX: usize = 240;
/// The longest passage that an answer is filled up with, bytes: it bounds how far the size is
/// overshot.
const FILLING_BYTES_MAX: usize = 700;
/// The longest search that is shown, in characters, and the words that the last one adds.
const QUERY_CHARS_MAX: usize = 120;
const ADDED_TERMS_MAX: usize = 8;

impl Engine {
    /// Answers a question from the guide. The Markdown is filled up with more of the guide to at
    /// least `payload_bytes` (at most [`PAYLOAD_BYTES_MAX`]), and to less than 1 KiB more.
    pub fn answer(&self, question: &str) -> PracticeAnswer {
        let index = self.index();
        let found = index.find(question);
        let mut draft = Draft {
            index,
            public_url: &self.public_url,
            found: &found,
            answer: PracticeAnswer { queries: queries(question, &found), ..Default::default() },
            cited: Vec::new(),
            quoted: BTreeSet::new(),
            last: None,
        };
        if found.covered {
            draft.write_answer();
        }
        // Also when a covered question led to sections that hold nothing to quote.
        if draft.answer.markdown.is_empty() {
            draft.write_refusal();
        }
        draft.answer.related_questions = draft.related();
        draft.fill(self.settings.payload_bytes.min(PAYLOAD_BYTES_MAX));
        draft.list_sources();
        draft.answer
    }
}

struct Draft<'a> {
    index: &'a Index,
    public_url: &'a str,
    found: &'a Findings,
    answer: PracticeAnswer,
    /// Sections in the order of their marks.
    cited: Vec<usize>,
    /// Passages by section and place.
    quoted: BTreeSet<(usize, usize)>,
    /// Section, block and kind of what was written last.
    last: Option<(usize, usize, Kind)>,
}

impl<'a> Draft<'a> {
    fn write_answer(&mut self) {
        let Some((best, best_score)) = self.found.hits.first().copied() else { return };
        let asked = self.found.likeness[best] >= ASKED_LIKENESS;
        let lead = self.lead(best);
        for passage in lead.clone() {
            self.quote(best, passage, true);
        }
        self.last = None;
        for passage in self.support(best, asked, &lead) {
            self.quote(best, passage, false);
        }
        let further = self.found.hits[1..].iter();
        let further = further.filter(|(_, score)| *score >= FURTHER_SCORE_MIN * best_score);
        let share_min = if asked { FURTHER_SHARE_MIN_ASKED } else { FURTHER_SHARE_MIN };
        for (at, _) in further.take(FURTHER_SECTIONS_MAX) {
            let Some(passage) = self.best_passage(*at, 0.0) else { continue };
            let held = self.index.passage(*at, passage);
            let share = self.found.share(|stem| f32::from(u8::from(held.contains(stem))));
            // A single word is answered by the best section.
            if self.found.wanted.len() > 1 && share >= share_min {
                self.quote(*at, passage, false);
            }
        }
    }

    /// Returns the best passage of a section that stands by itself, the earlier of two equals.
    fn best_passage(&self, at: usize, margin: f32) -> Option<usize> {
        let passages = self.section(at).passages.iter().enumerate().rev();
        let candidates = passages.filter_map(|(passage, content)| {
            let score = self.score(at, passage);
            match content.kind {
                Kind::Sentence => (!content.introduces()).then_some((passage, score)),
                Kind::Item(_) | Kind::Row => Some((passage, score - margin)),
                Kind::Code => None,
            }
        });
        candidates.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(passage, _)| passage)
    }

    /// Returns the passages that answer first: one, or two when the first is a word.
    fn lead(&self, at: usize) -> Vec<usize> {
        let passages = &self.section(at).passages;
        let Some(lead) = self.best_passage(at, LEAD_MARGIN) else { return Vec::new() };
        let Passage { kind, block, text, .. } = &passages[lead];
        let short = *kind == Kind::Sentence && text.chars().count() < LEAD_CHARS_MIN;
        let next = passages.get(lead + 1).is_some_and(|next| next.block == *block);
        if short && next { vec![lead, lead + 1] } else { vec![lead] }
    }

    /// Returns what else the section says to the question: what follows the lead, then what stands
    /// before it.
    fn support(&self, at: usize, asked: bool, lead: &[usize]) -> Vec<usize> {
        let passages = &self.section(at).passages;
        let mut order: Vec<(usize, f32)> =
            (0..passages.len()).map(|passage| (passage, self.score(at, passage))).collect();
        // A section of nothing but code is quoted all the same.
        if !asked && !lead.is_empty() {
            order.retain(|(_, score)| *score >= SUPPORT_SCORE_MIN);
            order.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        }
        let mut chosen: BTreeSet<usize> = lead.iter().copied().collect();
        let mut bytes = 0;
        for (passage, _) in order {
            let more: Vec<usize> = self.with_context(at, passage);
            let more: Vec<usize> = more.into_iter().filter(|it| !chosen.contains(it)).collect();
            let size: usize = more.iter().map(|it| passages[*it].markdown.len()).sum();
            let fits = bytes + size <= SUPPORT_BYTES_MAX
                && chosen.len() + more.len() <= SUPPORT_PASSAGES_MAX + lead.len();
            if fits || chosen.is_empty() {
                bytes += size;
                chosen.extend(more);
            }
        }
        let after = lead.last().map_or(0, |last| last + 1);
        let order = chosen.range(after..).chain(chosen.range(..after));
        order.copied().filter(|passage| !lead.contains(passage)).collect()
    }

    /// Returns a passage with what it cannot stand without: an introduction its list, rows or code,
    /// and these their introduction; a numbered step all steps.
    fn with_context(&self, at: usize, passage: usize) -> Vec<usize> {
        let passages = &self.section(at).passages;
        let Passage { kind, block, .. } = passages[passage];
        let members = |block: usize| {
            (0..passages.len()).filter(move |member| passages[*member].block == block)
        };
        let mut all = vec![passage];
        match kind {
            Kind::Sentence if passages[passage].introduces() => {
                all.extend(passages.get(passage + 1).into_iter().flat_map(|it| members(it.block)));
            }
            Kind::Item(Some(_)) => all = members(block).collect(),
            Kind::Sentence | Kind::Item(None) | Kind::Row | Kind::Code => {}
        }
        let before = members(block).next().and_then(|first| first.checked_sub(1));
        let before = before.filter(|before| match kind {
            Kind::Sentence => false,
            Kind::Item(_) | Kind::Row => passages[*before].introduces(),
            Kind::Code => passages[*before].kind == Kind::Sentence,
        });
        all.extend(before);
        all
    }

    /// Says that the guide does not cover the question.
    fn write_refusal(&mut self) {
        self.answer.markdown.push_str(
            "The guide of answerd does not answer this question, and the practice engine knows \
             nothing else.",
        );
        for (at, (section, _)) in self.found.hits.iter().take(NEAREST_MAX).enumerate() {
            let intro = if at == 0 { "\n\nThe nearest that it has:\n" } else { "" };
            let (title, mark) = (self.title(*section), self.mark(*section));
            let title = title.replace('`', "\\`").replace('_', "\\_");
            self.answer.markdown.push_str(&format!("{intro}\n- {title} [{mark}]"));
        }
    }

    /// Adds passages of the guide, best sections first, until the answer has that size.
    fn fill(&mut self, bytes: usize) {
        let found: Vec<usize> = self.found.hits.iter().map(|(at, _)| *at).collect();
        let others = (0..self.index.guide.sections.len()).filter(|at| !found.contains(at));
        let order: Vec<usize> = found.iter().copied().chain(others).collect();
        while self.answer.markdown.len() < bytes {
            let before = self.answer.markdown.len();
            for at in &order {
                for (passage, content) in self.section(*at).passages.iter().enumerate() {
                    if self.answer.markdown.len() >= bytes {
                        return;
                    }
                    if content.markdown.len() <= FILLING_BYTES_MAX && content.kind != Kind::Code {
                        self.quote(*at, passage, false);
                    }
                }
            }
            if self.answer.markdown.len() == before {
                // Everything is quoted once; start over.
                self.quoted.clear();
            }
        }
    }

    /// Writes a passage with its mark, once. A leading one stands as prose whatever it was.
    fn quote(&mut self, section: usize, at: usize, leading: bool) {
        if !self.quoted.insert((section, at)) {
            return;
        }
        let Passage { kind, block, ref markdown, ref text } = self.section(section).passages[at];
        let kind = if leading { Kind::Sentence } else { kind };
        // Items of one list belong together whatever their numbers.
        let group = if matches!(kind, Kind::Item(_)) { Kind::Item(None) } else { kind };
        let joined = self.last.replace((section, block, group)) == Some((section, block, group));
        let (start, between) = match kind {
            Kind::Sentence => (String::new(), " "),
            Kind::Item(Some(number)) => (format!("{number}. "), "\n"),
            Kind::Item(None) | Kind::Row => ("- ".to_owned(), "\n"),
            Kind::Code => (String::new(), "\n\n"),
        };
        let mark = self.mark(section);
        let answer = &mut self.answer;
        if !answer.markdown.is_empty() {
            answer.markdown.push_str(if joined { between } else { "\n\n" });
        }
        answer.markdown.push_str(&start);
        let absolute = format!("]({}/docs/", self.public_url);
        answer.markdown.push_str(&markdown.replace("](/docs/", &absolute));
        // A mark inside a fence would be code; the sentence before the block carries it.
        if kind != Kind::Code {
            answer.markdown.push_str(&format!(" [{mark}]"));
            answer.citations.push(PracticeCitation { source: mark - 1, passage: text.clone() });
        }
    }

    /// Returns the number of a section's mark.
    fn mark(&mut self, section: usize) -> usize {
        let known = self.cited.iter().position(|cited| *cited == section);
        known.unwrap_or_else(|| {
            self.cited.push(section);
            self.cited.len() - 1
        }) + 1
    }

    /// Lists the sections that were cited, then others that were consulted.
    fn list_sources(&mut self) {
        let hits = self.found.hits.iter().take(CONSULTED_MAX);
        let least = self.found.hits.first().map_or(0.0, |(_, best)| best * CONSULTED_SCORE_MIN);
        let mut sections = self.cited.clone();
        for (at, _) in hits.filter(|(_, score)| *score >= least) {
            if sections.len() < CONSULTED_MAX && !sections.contains(at) {
                sections.push(*at);
            }
        }
        let source = |at: usize| {
            let section = self.section(at);
            let slug = self.index.guide.pages[section.page].slug;
            PracticeSource {
                title: self.title(at),
                url: format!("{}/docs/{slug}#{}", self.public_url, section.anchor),
                snippet: shortened(self.index.nearest(at, self.found), SNIPPET_CHARS_MAX, "…"),
            }
        };
        self.answer.sources = sections.into_iter().map(source).collect();
    }

    fn title(&self, at: usize) -> String {
        let section = self.section(at);
        let page = &self.index.guide.pages[section.page].title;
        let is_title = section.parent.is_empty();
        if is_title { page.clone() } else { format!("{page}: {}", section.heading) }
    }

    /// Returns headings that ask something: of sections that were found and not cited, then of the
    /// best section's neighbors, then from the guide's beginning.
    fn related(&self) -> Vec<String> {
        let sections = &self.index.guide.sections;
        let best = self.found.hits.first().map(|(at, _)| *at);
        let found = self.found.hits.iter().take(2 * RELATED_MAX).map(|(at, _)| *at);
        let after = best.map_or(0, |best| best + 1)..sections.len();
        let neighbors = after.chain(0..sections.len());
        let neighbors = neighbors
            .filter(|at| best.is_some_and(|best| sections[*at].page == sections[best].page));
        let mut chosen: Vec<String> = Vec::new();
        for at in found.chain(neighbors).chain(0..sections.len()) {
            let heading = &sections[at].heading;
            let answered = self.found.covered && self.cited.contains(&at);
            let fresh = sections[at].is_question()
                && !answered
                && !chosen.contains(heading)
                && !self.found.asks(at);
            if fresh && chosen.len() < RELATED_MAX {
                chosen.push(heading.clone());
            }
        }
        chosen
    }

    fn score(&self, at: usize, passage: usize) -> f32 {
        self.index.passage_score(at, passage, self.found)
    }

    fn section(&self, at: usize) -> &'a Section {
        self.index.section(at)
    }
}

/// Returns the searches of a question: itself, its key terms, and these with the words that may
/// stand for them. One that would only repeat another is left out.
fn queries(question: &str, found: &Findings) -> Vec<String> {
    let asked = question.split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = asked.trim_end_matches(['?', '.', '!', ' ']);
    let mut queries = vec![if bare.is_empty() { asked } else { bare.to_owned() }];
    let terms: Vec<&str> = found.wanted.iter().map(|word| word.term.word.as_str()).collect();
    let mut all = terms.clone();
    for other in found.wanted.iter().flat_map(|word| &word.stand_ins) {
        if !all.contains(&other.word.as_str()) && all.len() < terms.len() + ADDED_TERMS_MAX {
            all.push(&other.word);
        }
    }
    for query in [terms.join(" "), all.join(" ")] {
        if !query.is_empty() && queries.iter().all(|known| known.to_lowercase() != query) {
            queries.push(query);
        }
    }
    queries.into_iter().map(|query| shortened(&query, QUERY_CHARS_MAX, "")).collect()
}

#[cfg(test)]
mod tests;
