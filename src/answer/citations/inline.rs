//! The running text of a block, and the citations in it that go: marks, and links in brackets or
//! parentheses. Words of a sentence stay, also where they are a link to a source.

use std::ops::Range;

/// Stands before the text that it cites, so that the comma before it is the sentence's.
const BEGINNING: &str = "[cite_start]";
/// Punctuation that stands close to the word before it, in the scripts that answers are written in:
/// a gap before it closes when a mark there goes.
const CLOSING: &str =
    ".,;:!?)]}%…”’»›。，、；：！？．）］｝」』】》〉〕〗｡､｣،؛؟۔٪।॥։՝՞׃።፣፤፥፧፨។៕၊။།༎᠂᠃߸߹·;";
/// Ends a sentence.
const ENDING: &str = ".!?…。！？．｡؟۔।॥։׃።፧፨។៕။།༎᠃";
/// May stand between the end of a sentence and the citation behind it.
const QUOTES: &str = "\"'”’»›)]）」』";
/// Words whose object would be missing: "According to [1], ...", "reported by [The Post](…)."
const GOVERNING: &[&str] = &[
    "and", "as", "at", "by", "from", "in", "like", "of", "on", "or", "per", "see", "than", "to",
    "versus", "via", "vs", "with", // English
    "aus", "bei", "im", "laut", "nach", "siehe", "und", "von", "zu", // German
    "dans", "de", "en", "et", "par", "selon", "sur", "voir", // French
    "con", "da", "del", "di", "e", "o", "por", "secondo", "según", "su",
    "y", // Spanish, Italian
];

/// What stands somewhere in the text and may have to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::answer) enum Kind {
    /// A mark whose numbers all have a source, or a link to a source that is written as a mark.
    Mark,
    /// A link to a source with words of its own.
    Named {
        /// Whether other things than its place say that it is no part of a sentence: it stands
        /// there several times, or its text is the name of the site.
        is_likely: bool,
    },
}

#[derive(Clone, Debug)]
struct Citation {
    range: Range<usize>,
    kind: Kind,
}

/// Running text of one block, with the citations in it.
#[derive(Debug, Default)]
pub(in crate::answer) struct Inline {
    pub text: String,
    /// In order; none overlaps another.
    citations: Vec<Citation>,
}

impl Inline {
    pub fn push_citation(&mut self, range: Range<usize>, kind: Kind) {
        self.citations.push(Citation { range, kind });
    }

    /// Takes the text without its citations, and leaves nothing. A mark at the beginning of a
    /// table's cell may be its content, and stays.
    pub fn take(&mut self, is_cell: bool) -> String {
        let inline = std::mem::take(self);
        if inline.citations.is_empty() {
            return inline.text;
        }
        let mut out = String::with_capacity(inline.text.len());
        let mut at = 0;
        for cut in inline.cuts(is_cell) {
            // What a cut before has closed may reach to this one.
            out.push_str(&inline.text[at.min(cut.start)..cut.start]);
            at = close_gap(&mut out, &inline.text, cut.end);
        }
        out.push_str(&inline.text[at..]);
        out
    }

    /// The pieces of the text that go, in order.
    fn cuts(&self, is_cell: bool) -> Vec<Range<usize>> {
        let mut cuts = Vec::new();
        let mut rest = self.citations.as_slice();
        while !rest.is_empty() {
            let run = rest.windows(2).take_while(|pair| {
                is_separator(&self.text[pair[0].range.end..pair[1].range.start])
            });
            let (run, after) = rest.split_at(run.count() + 1);
            self.cut_run(run, is_cell, &mut cuts);
            rest = after;
        }
        cuts
    }

    /// Cuts what goes of citations that only separators divide.
    fn cut_run(&self, run: &[Citation], is_cell: bool, cuts: &mut Vec<Range<usize>>) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let (start, end) = (first.range.start, last.range.end);
        if let Some(enclosed) = self.enclosed(start, end) {
            cuts.push(enclosed);
            return;
        }
        let before = self.text[..start].trim_end_matches(' ');
        let after = self.text[end..].trim_start_matches(' ');
        // `[cite: 1]` is no word of a sentence, nor is what touches the word before it.
        let is_word = before.len() < start
            && !(first.kind == Kind::Mark
                && self.text[first.range.clone()]
                    .contains(|c: char| c == '【' || c.is_alphabetic()));
        if is_label(before, after, is_cell) || is_word && governs(before) {
            return;
        }
        for citation in run {
            let goes = match citation.kind {
                Kind::Mark => true,
                Kind::Named { is_likely } => {
                    let before = self.text[..citation.range.start].trim_end_matches(' ');
                    stands_apart(before, after, is_likely)
                }
            };
            if !goes {
                continue;
            }
            match cuts.last_mut() {
                Some(cut) if self.joins(cut.end, &citation.range) => {
                    cut.end = citation.range.end;
                }
                _ => cuts.push(citation.range.clone()),
            }
        }
    }

    /// The parentheses or brackets around `start..end` that hold nothing else.
    fn enclosed(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let before = self.text[..start].trim_end_matches([' ', '\n']);
        let after = self.text[end..].trim_start_matches([' ', '\n', ',', ';']);
        let pairs = [('(', ')'), ('[', ']'), ('（', '）')];
        pairs.iter().find_map(|(open, close)| {
            let start = before.strip_suffix(*open)?.len();
            Some(start..self.text.len() - after.strip_prefix(*close)?.len())
        })
    }

    /// Whether what divides a citation from the cut before it goes as well: `[1], [2]`.
    fn joins(&self, end: usize, next: &Range<usize>) -> bool {
        let between = self.text.get(end..next.start);
        between.is_some_and(|between| is_separator(between) && !between.contains('\n'))
            && self.text[next.clone()] != *BEGINNING
    }
}

/// Whether a citation stands where a list of references has its label: at the beginning of a line
/// that goes on after it.
fn is_label(before: &str, after: &str, is_cell: bool) -> bool {
    let begins = before.is_empty() || before.ends_with('\n');
    let goes_on = after.chars().next().is_some_and(char::is_alphanumeric);
    begins && (goes_on || is_cell)
}

fn is_separator(between: &str) -> bool {
    between.chars().all(|c| matches!(c, ' ' | ',' | ';' | '\n' | '，' | '、'))
        || matches!(between, "-" | "–")
}

/// Whether the words before a citation make it a part of their sentence.
fn governs(before: &str) -> bool {
    let word = &before[before.trim_end_matches(char::is_alphabetic).len()..];
    GOVERNING.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a link with words of its own stands outside of every sentence: between two of them, or
/// at the end of one where it is likely to be a citation.
fn stands_apart(before: &str, after: &str, is_likely: bool) -> bool {
    let Some(previous) = before.chars().next_back().filter(|c| *c != '\n') else { return false };
    let next = after.chars().next().filter(|c| *c != '\n');
    let has_ended =
        before.trim_end_matches(|c| QUOTES.contains(c)).ends_with(|c| ENDING.contains(c));
    if has_ended {
        return next.is_none_or(|next| is_likely && next.is_uppercase());
    }
    let is_word = previous.is_alphanumeric() || QUOTES.contains(previous);
    is_likely && is_word && next.is_none_or(|next| ENDING.contains(next))
}

/// Repairs the blanks where a mark was taken out: those in `out` before it go when punctuation, a
/// blank or the end follows, and two words do not become one. Returns where in `text` to go on.
pub(super) fn close_gap(out: &mut String, text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let next = rest.chars().next();
    if next.is_none_or(|next| next.is_whitespace() || CLOSING.contains(next)) {
        out.truncate(out.trim_end_matches(' ').len());
    } else if next.is_some_and(is_spaced) && out.ends_with(|c| is_spaced(c) || ENDING.contains(c)) {
        out.push(' ');
    }
    if out.is_empty() || out.ends_with('\n') {
        return at + rest.len() - rest.trim_start_matches(' ').len();
    }
    at
}

/// A letter or digit of a script that divides words by blanks.
fn is_spaced(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{e00}'
}
