//! Inline Markdown: a stretch of it collected event by event, then taken whole or by sentences, as
//! Markdown on one line and as plain text.

use std::ops::Range;

use pulldown_cmark::{Event, Parser};

use super::passage::options;

/// A stretch of inline text as Markdown and as plain text.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    pub markdown: String,
    pub text: String,
}

/// A stretch of inline source, with what has to change in it and where its sentences end.
pub struct Run {
    start: usize,
    end: usize,
    /// What is put in the place of which part of the source.
    edits: Vec<(Range<usize>, String)>,
    ends: Vec<usize>,
    /// Open emphasis and links: a sentence does not end inside them.
    depth: usize,
    /// A line break whose other side is not known yet.
    line_break: Option<Range<usize>>,
}

impl Run {
    /// A stretch that begins at `start` in the source.
    pub fn new(start: usize) -> Run {
        Run { start, end: start, edits: Vec::new(), ends: Vec::new(), depth: 0, line_break: None }
    }

    /// Takes in a piece of the source as it is.
    pub fn inline(&mut self, range: Range<usize>) {
        if let Some(line_break) = self.line_break.take() {
            // Up to here, so that the indent or `>` of the next line goes too.
            self.edits.push((line_break.start..range.start.max(line_break.end), " ".to_owned()));
        }
        self.end = self.end.max(range.end);
    }

    /// Emphasis or a link begins.
    pub fn open(&mut self, range: Range<usize>) {
        self.inline(range);
        self.depth += 1;
    }

    /// Emphasis or a link ends.
    pub fn close(&mut self, range: Range<usize>) {
        self.inline(range);
        self.depth = self.depth.saturating_sub(1);
    }

    /// A line ends; what follows goes on after a space.
    pub fn line_break(&mut self, range: Range<usize>) {
        self.line_break = Some(range);
    }

    /// Puts other text in a place.
    pub fn replace(&mut self, range: Range<usize>, with: String) {
        self.edits.push((range, with));
    }

    /// Takes in text, where sentences may end and marks may stand.
    pub fn text(&mut self, source: &str, range: Range<usize>) {
        self.inline(range.clone());
        if is_literal_mark(&source[range.start..]) {
            // "[1]" in the guide is no mark of ours.
            self.edits.push((range.start..range.start, "\\".to_owned()));
        }
        if self.depth == 0 {
            self.ends.extend(sentence_ends(source, range));
        }
    }

    /// All of it as one piece.
    pub fn whole(mut self, source: &str) -> Piece {
        self.edits.sort_by_key(|(range, _)| range.start);
        self.piece(source, self.start..self.end)
    }

    /// Its sentences.
    pub fn sentences(mut self, source: &str) -> Vec<Piece> {
        self.edits.sort_by_key(|(range, _)| range.start);
        let mut start = self.start;
        let ends = self.ends.iter().copied().filter(|end| *end < self.end).chain([self.end]);
        let cut = ends.map(|end| {
            let piece = self.piece(source, start..end);
            start = end;
            piece
        });
        cut.filter(|piece| !piece.text.is_empty()).collect()
    }

    fn piece(&self, source: &str, range: Range<usize>) -> Piece {
        let mut markdown = String::with_capacity(range.len());
        let mut at = range.start;
        for (edited, with) in &self.edits {
            if edited.start < at || edited.end > range.end {
                continue;
            }
            markdown.push_str(&source[at..edited.start]);
            markdown.push_str(with);
            at = edited.end;
        }
        markdown.push_str(&source[at..range.end]);
        let markdown = markdown.trim().to_owned();
        let text = plain(&markdown);
        Piece { markdown, text }
    }
}

/// The text of one line of Markdown.
fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    // A sentence may begin with what would be a list or a heading on a line of its own; the word
    // before it keeps it inline.
    let guarded = format!("x {markdown}");
    for event in Parser::new_ext(&guarded, options()) {
        match event {
            Event::Text(piece) | Event::Code(piece) => text.push_str(&piece),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::Start(_)
            | Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    text.strip_prefix('x').unwrap_or(&text).trim().to_owned()
}

fn is_literal_mark(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    !inner.0.is_empty() && inner.0.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words before a full stop that do not end a sentence.
const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "etc", "vs", "cf", "approx", "no"];

/// The places in a stretch of text after which a new sentence begins.
fn sentence_ends(source: &str, range: Range<usize>) -> Vec<usize> {
    let mut ends = Vec::new();
    for (at, stop) in source[range.clone()].match_indices(['.', '!', '?']) {
        let after = range.start + at + stop.len();
        let closing = source[after..].len()
            - source[after..].trim_start_matches(['"', '\u{201d}', ')', '\'']).len();
        let end = after + closing;
        let rest = source[end..].trim_start();
        let spaced = rest.len() < source[end..].len();
        let begins = rest.starts_with(|c: char| {
            c.is_uppercase() || c.is_ascii_digit() || matches!(c, '`' | '[' | '*' | '"' | '(' | '/')
        });
        let before = source[..range.start + at].rsplit([' ', '\n', '(']).next().unwrap_or_default();
        if spaced && begins && !ABBREVIATIONS.contains(&before.to_ascii_lowercase().as_str()) {
            ends.push(end);
        }
    }
    ends
}
