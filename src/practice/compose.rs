//! From findings to an answer: the passages that answer are chosen, quoted in a readable order, and
//! each is marked with its source.

use std::collections::BTreeSet;

use super::PAYLOAD_BYTES_MAX;
use super::engine::{Engine, Findings, PracticeAnswer, PracticeSource};
use super::index::stems;
use super::passage::{Kind, Passage, Section};
use super::select::Selector;
use super::terms::terms;

/// Sections beside the best one that an answer quotes, and what each must score against it.
const FURTHER_SECTIONS_MAX: usize = 2;
const FURTHER_SCORE_MIN: f32 = 0.45;
/// Sources that are listed though the answer needs no more, and what they must score.
const CONSULTED_MAX: usize = 5;
const CONSULTED_SCORE_MIN: f32 = 0.15;
/// Sections named as the nearest when the guide has no answer.
const NEAREST_MAX: usize = 3;
const RELATED_MAX: usize = 4;
/// The longest snippet of a source, in characters.
const SNIPPET_CHARS_MAX: usize = 240;
/// The longest passage used to fill an answer up, in bytes: it bounds how far the size is overshot.
const FILLING_BYTES_MAX: usize = 700;

/// Writes the answer that the findings allow.
pub fn answer(
    engine: &Engine,
    question: &str,
    findings: &Findings,
    payload_bytes: usize,
) -> PracticeAnswer {
    let mut draft = Draft {
        engine,
        selector: Selector { index: &engine.index, findings },
        markdown: String::new(),
        cited: Vec::new(),
        quoted: BTreeSet::new(),
        last: None,
    };
    if findings.covered {
        draft.write_answer(findings);
    }
    // Also when a covered question led to sections that hold nothing to quote.
    if draft.markdown.is_empty() {
        draft.write_refusal(findings);
    }
    let related_questions = related(engine, question, findings, &draft.cited);
    draft.fill(findings, payload_bytes.min(PAYLOAD_BYTES_MAX));
    let sources = draft.sources(findings);
    PracticeAnswer {
        markdown: draft.markdown,
        queries: findings.queries.clone(),
        sources,
        related_questions,
    }
}

struct Draft<'a> {
    engine: &'a Engine,
    selector: Selector<'a>,
    markdown: String,
    /// Sections in the order of their marks.
    cited: Vec<usize>,
    quoted: BTreeSet<(usize, usize)>,
    /// Section, block and kind of what was written last, so that what belongs together stays so.
    last: Option<(usize, usize, Kind)>,
}

impl Draft<'_> {
    fn write_answer(&mut self, findings: &Findings) {
        let Some(best) = findings.hits.first() else { return };
        let further = findings.hits[1..]
            .iter()
            .filter(|hit| hit.score >= FURTHER_SCORE_MIN * best.score)
            .take(FURTHER_SECTIONS_MAX);
        let section = self.section(best.section);
        let asked = self.selector.asks(best.section);
        let lead = self.selector.lead(best.section, section);
        for passage in lead.clone() {
            self.quote(best.section, passage, true);
        }
        self.last = None;
        for passage in self.selector.support(best.section, section, &lead) {
            self.quote(best.section, passage, false);
        }
        for hit in further {
            let section = self.section(hit.section);
            for passage in self.selector.aside(hit.section, section, asked) {
                self.quote(hit.section, passage, false);
            }
        }
    }

    /// The honest answer to a question that the guide does not cover.
    fn write_refusal(&mut self, findings: &Findings) {
        self.markdown.push_str(
            "The guide of answerd does not answer this question, and the practice engine knows \
             nothing else.",
        );
        let nearest: Vec<usize> =
            findings.hits.iter().take(NEAREST_MAX).map(|hit| hit.section).collect();
        if nearest.is_empty() {
            return;
        }
        self.markdown.push_str("\n\nThe nearest that it has:\n");
        for section in nearest {
            let mark = self.mark(section);
            let title = self.title(section);
            self.markdown.push_str(&format!("\n- {} [{mark}]", escape_markdown(&title)));
        }
    }

    /// Adds passages of the guide, best sections first, until the answer has that size.
    fn fill(&mut self, findings: &Findings, bytes: usize) {
        let found = findings.hits.iter().map(|hit| hit.section);
        let mut order: Vec<usize> = found.collect();
        order.extend((0..self.engine.guide.sections.len()).filter(|s| !self.selector.found(*s)));
        while self.markdown.len() < bytes {
            let before = self.markdown.len();
            for section in &order {
                let passages = &self.section(*section).passages;
                for (at, passage) in passages.iter().enumerate() {
                    if self.markdown.len() >= bytes {
                        return;
                    }
                    let fits = passage.markdown.len() <= FILLING_BYTES_MAX;
                    if fits && passage.kind != Kind::Code {
                        self.quote(*section, at, false);
                    }
                }
            }
            if self.markdown.len() == before {
                // Everything is quoted once; start over.
                if self.quoted.is_empty() {
                    return;
                }
                self.quoted.clear();
            }
        }
    }

    /// Writes a passage with its mark, once. A leading one stands as prose whatever it was.
    fn quote(&mut self, section: usize, at: usize, leading: bool) {
        if !self.quoted.insert((section, at)) {
            return;
        }
        let Passage { kind, block, ref markdown, .. } = self.section(section).passages[at];
        let kind = if leading { Kind::Sentence } else { kind };
        let joined = self.last == Some((section, block, kind_group(kind)));
        let (start, between) = match kind {
            Kind::Sentence => (String::new(), " "),
            Kind::Item(Some(number)) => (format!("{number}. "), "\n"),
            Kind::Item(None) | Kind::Row => ("- ".to_owned(), "\n"),
            Kind::Code => (String::new(), "\n\n"),
        };
        if !self.markdown.is_empty() {
            self.markdown.push_str(if joined { between } else { "\n\n" });
        }
        self.markdown.push_str(&start);
        self.markdown.push_str(markdown);
        match kind {
            // A mark inside a fence would be code; the sentence before the block carries it.
            Kind::Code => drop(self.mark(section)),
            Kind::Sentence | Kind::Item(_) | Kind::Row => {
                let mark = self.mark(section);
                self.markdown.push_str(&format!(" [{mark}]"));
            }
        }
        self.last = Some((section, block, kind_group(kind)));
    }

    /// The number of a section's mark.
    fn mark(&mut self, section: usize) -> usize {
        match self.cited.iter().position(|cited| *cited == section) {
            Some(at) => at + 1,
            None => {
                self.cited.push(section);
                self.cited.len()
            }
        }
    }

    fn sources(&self, findings: &Findings) -> Vec<PracticeSource> {
        let least = findings.hits.first().map_or(0.0, |best| best.score * CONSULTED_SCORE_MIN);
        let consulted = findings.hits.iter().take(CONSULTED_MAX).filter(|hit| hit.score >= least);
        let mut sections = self.cited.clone();
        for hit in consulted {
            if sections.len() < CONSULTED_MAX && !sections.contains(&hit.section) {
                sections.push(hit.section);
            }
        }
        sections.into_iter().map(|section| self.source(section)).collect()
    }

    fn source(&self, at: usize) -> PracticeSource {
        let section = self.section(at);
        let slug = self.engine.guide.pages[section.page].slug;
        let snippet = self.selector.nearest(at, section).map_or("", |passage| &passage.text);
        PracticeSource {
            title: self.title(at),
            url: format!("{}/docs/{slug}#{}", self.engine.public_url, section.anchor),
            snippet: shortened(snippet),
        }
    }

    fn title(&self, at: usize) -> String {
        let section = self.section(at);
        let page = &self.engine.guide.pages[section.page].title;
        if section.parent.is_empty() {
            page.clone()
        } else {
            format!("{page}: {}", section.heading)
        }
    }
}

impl<'a> Draft<'a> {
    fn section(&self, at: usize) -> &'a Section {
        &self.engine.guide.sections[at]
    }
}

/// Items of one list belong together whatever their numbers.
fn kind_group(kind: Kind) -> Kind {
    match kind {
        Kind::Item(_) => Kind::Item(None),
        Kind::Sentence | Kind::Row | Kind::Code => kind,
    }
}

/// Headings of the guide that ask something: of sections that were found and not cited, then of the
/// best section's neighbors, then from the guide's beginning.
fn related(engine: &Engine, question: &str, findings: &Findings, cited: &[usize]) -> Vec<String> {
    let sections = &engine.guide.sections;
    let best = findings.hits.first().map(|hit| hit.section);
    let page = best.map(|best| sections[best].page);
    let found = findings.hits.iter().take(2 * RELATED_MAX).map(|hit| hit.section);
    let after = best.map_or(0, |best| best + 1)..sections.len();
    let neighbors =
        after.chain(0..sections.len()).filter(|section| Some(sections[*section].page) == page);
    let asked = stems(terms(question));
    let mut chosen: Vec<&str> = Vec::new();
    for at in found.chain(neighbors).chain(0..sections.len()) {
        let section = &sections[at];
        let fresh = section.is_question()
            && !(findings.covered && cited.contains(&at))
            && !chosen.contains(&section.heading.as_str())
            && engine.index.heading(at) != asked;
        if fresh && chosen.len() < RELATED_MAX {
            chosen.push(&section.heading);
        }
    }
    chosen.into_iter().map(str::to_owned).collect()
}

/// Text as Markdown that shows it.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Cut at the end of a word, with an ellipsis.
fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SNIPPET_CHARS_MAX) {
        None => text,
        Some((end, _)) => {
            let cut = &text[..end];
            format!("{}…", cut.rsplit_once(' ').map_or(cut, |(words, _)| words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTIONS: &[&str] = &[
        "How long are results kept?",
        "how can I simulate failures",
        "what does credits_used mean",
        "best CRM for small jobs",
        "hello",
    ];

    fn marks(markdown: &str) -> Vec<usize> {
        let ends = markdown.split(" [").skip(1).filter_map(|rest| rest.split_once(']'));
        ends.filter_map(|(number, _)| number.parse().ok()).collect()
    }

    #[test]
    fn the_first_sentence_answers_and_every_statement_is_marked() {
        let answer = Engine::new("http://h").answer("How long are results kept?", 0);
        let first = answer.markdown.lines().next().unwrap();
        assert!(first.contains("24 hours") && first.ends_with(" [1]"), "{first}");
        assert!(answer.sources[0].url.starts_with("http://h/docs/"));
        assert!(answer.sources[0].snippet.contains("24 hours"));
        let prose = answer.markdown.lines().filter(|line| !line.is_empty());
        assert!(prose.clone().all(|line| line.ends_with(']')), "{}", answer.markdown);
    }

    #[test]
    fn every_mark_names_a_source_and_none_is_named_twice() {
        let engine = Engine::new("");
        for (question, payload_bytes) in QUESTIONS.iter().flat_map(|q| [(q, 0), (q, 20_000)]) {
            let answer = engine.answer(question, payload_bytes);
            assert!(!answer.markdown.trim().is_empty());
            let marks = marks(&answer.markdown);
            assert!(marks.iter().all(|mark| (1..=answer.sources.len()).contains(mark)));
            let urls: BTreeSet<&str> = answer.sources.iter().map(|s| s.url.as_str()).collect();
            assert_eq!(urls.len(), answer.sources.len(), "{question}");
        }
    }

    #[test]
    fn what_the_guide_does_not_cover_is_said_so() {
        let engine = Engine::new("");
        let nothing = engine.answer("hello", 0);
        assert!(nothing.markdown.contains("does not answer this question"));
        assert!(nothing.sources.is_empty() && !nothing.related_questions.is_empty());
        let near = engine.answer("best CRM for small jobs", 0);
        assert!(near.markdown.contains("nearest") && !near.sources.is_empty());
    }

    #[test]
    fn answers_are_filled_up_to_a_size() {
        let engine = Engine::new("http://127.0.0.1:8080");
        for bytes in [1, 2_000, 6_000, 50_000, 1 << 20] {
            let found = engine.answer("hello", bytes).markdown.len();
            assert!((bytes..bytes.max(100) + 1_024).contains(&found), "{bytes}: {found}");
        }
    }

    #[test]
    fn the_same_question_gives_the_same_answer() {
        for question in QUESTIONS {
            let twice = [0, 1].map(|_| Engine::new("").answer(question, 5_000));
            assert_eq!(twice[0], twice[1]);
        }
    }

    #[test]
    fn related_questions_are_others_than_the_one_asked() {
        let answer = Engine::new("").answer("how long are results kept", 0);
        assert!((2..=RELATED_MAX).contains(&answer.related_questions.len()));
        assert!(!answer.related_questions.iter().any(|q| q == "How long are results kept?"));
    }
}
