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
/// Ends a question.
const QUESTION: &str = "?？؟";
/// May stand between the end of a sentence and the citation behind it.
const QUOTES: &str = "\"'”’»›)]）」』";
/// Words whose object would be missing: "According to [1], ...", "reported by [The Post](…)."
/// A line for each language or pair.
const GOVERNING: &[&str] = &[
    "about also and as at between both by cf cites e.g for from i.e in like neither nor of on or \
     per see than through to under unlike using versus via vs with",
    "aus bei gemäß im laut nach siehe und von zu",
    "après dans de en et ou par selon sur voir",
    "con da del di e o por secondo según su y",
    "в данным и из от по с см согласно",
    "לפי ראו في لـ من حسب انظر",
];
/// Words that a number belongs to: "Eq. [1] holds", "step [3]".
const NUMBERED: &str = "appendix case chapter eq equation example exercise fig figure item line no note \
                        option problem question ref reference section source step table theorem";
/// Words that a link belongs to: "It is called [a.example](…)."
const NAMING: &str = "are called is named read try use visit was";
/// As [`GOVERNING`], in scripts that put no blank between words.
const GOVERNING_CHARS: &[&str] =
    &["根据", "根據", "依据", "依據", "按照", "如", "见", "見", "参见", "參見", "参照"];
/// Particles of Japanese and Korean that make the mark before them a word.
const PARTICLES: &str = "はがのをにとも는은가을를에의와과";
/// What stands between the last two of several marks: "[1], [2] and [3]".
const LAST_OF_SEVERAL: &[&str] =
    &["and", "&", "or", "und", "oder", "et", "ou", "y", "o", "e", "и", "和"];
/// How often the same link to a source stands in a text where it is surely a citation.
pub(in crate::answer) const REPEATED_TIMES_MIN: usize = 3;

/// A piece of the text that may have to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::answer) enum Kind {
    /// A mark whose numbers all have a source, or a link to a source that is written as a mark.
    Mark,
    /// A link to a source with words of its own.
    Named {
        /// Whether its text is the name of the site.
        is_site: bool,
        /// Whether the same link stands there [`REPEATED_TIMES_MIN`] times.
        is_repeated: bool,
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
    pub(crate) fn push_citation(&mut self, range: Range<usize>, kind: Kind) {
        self.citations.push(Citation { range, kind });
    }

    /// Takes the text without its citations, and leaves nothing. A mark at the beginning of an
    /// entry, a table's cell or a list's item, may be its content, and stays.
    pub(crate) fn take(&mut self, is_entry: bool) -> String {
        let inline = std::mem::take(self);
        if inline.citations.is_empty() {
            return inline.text;
        }
        let mut out = String::with_capacity(inline.text.len());
        let mut at = 0;
        for cut in inline.cuts(is_entry) {
            // What a cut before has closed may reach to this one.
            out.push_str(&inline.text[at.min(cut.start)..cut.start]);
            at = close_gap(&mut out, &inline.text, cut.end);
        }
        out.push_str(&inline.text[at..]);
        out
    }

    /// The pieces of the text that go, in order.
    fn cuts(&self, is_entry: bool) -> Vec<Range<usize>> {
        let mut cuts = Vec::new();
        let mut rest = self.citations.as_slice();
        while !rest.is_empty() {
            let run = rest.windows(2).take_while(|pair| self.is_neighbor(&pair[0], &pair[1]));
            let (run, after) = rest.split_at(run.count() + 1);
            self.cut_run(run, is_entry, &mut cuts);
            rest = after;
        }
        cuts
    }

    /// Cuts what goes of citations that only separators divide.
    fn cut_run(&self, run: &[Citation], is_entry: bool, cuts: &mut Vec<Range<usize>>) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let (start, end) = (first.range.start, last.range.end);
        if let Some(enclosed) = self.enclosed(start, end) {
            cuts.push(enclosed);
            return;
        }
        let before = self.text[..start].trim_end_matches(' ');
        let after = self.text[end..].trim_start_matches(' ');
        // `[cite: 1]` is no word of a sentence, nor is what touches the word before it.
        let mark = &self.text[first.range.clone()];
        let is_word = self.text[..start].ends_with([' ', '\n'])
            && !(first.kind == Kind::Mark
                && mark.contains(|c: char| c == '【' || c.is_alphabetic()));
        // A list of references: `[1] [Title](url)`.
        let labels_link =
            first.kind == Kind::Mark && run.get(1).is_some_and(|next| next.kind != Kind::Mark);
        let begins = before.is_empty() || before.ends_with(['\n', ':']);
        if begins && (labels_link || goes_on(after))
            || before.is_empty() && is_entry
            || is_word && governs(before.trim_end_matches('\n'))
            || GOVERNING_CHARS.iter().any(|word| before.ends_with(word))
            || self.text[end..].starts_with(|c| PARTICLES.contains(c))
        {
            return;
        }
        // `[3](url)` without brackets for a reader: "He scored [3](url) goals."
        let is_bare = mark.bytes().all(|byte| byte.is_ascii_digit());
        if is_bare && run.len() == 1 && after.starts_with(char::is_alphanumeric) {
            return;
        }
        for citation in run {
            let goes = match citation.kind {
                Kind::Mark => true,
                Kind::Named { is_site, is_repeated } => {
                    let before = self.text[..citation.range.start].trim_end_matches(' ');
                    stands_apart(before, after, is_site, is_repeated)
                }
            };
            if !goes {
                continue;
            }
            match cuts.last_mut() {
                Some(cut) if self.joins(cut.end, citation) => cut.end = citation.range.end,
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

    /// Whether nothing but a separator divides two citations: `[1], [2] and [3]`.
    fn is_neighbor(&self, one: &Citation, next: &Citation) -> bool {
        let between = &self.text[one.range.end..next.range.start];
        let are_marks = one.kind == Kind::Mark && next.kind == Kind::Mark;
        is_separator(between) || are_marks && is_last_of_several(between)
    }

    /// Whether what divides a citation from the cut before it goes as well.
    fn joins(&self, end: usize, next: &Citation) -> bool {
        let between = self.text.get(end..next.range.start);
        let is_mark = next.kind == Kind::Mark;
        between.is_some_and(|between| {
            is_separator(between) && !between.contains('\n')
                || is_mark && is_last_of_several(between)
        }) && self.text[next.range.clone()] != *BEGINNING
    }
}

/// Whether a line goes on after a mark, so that the mark may be its label.
fn goes_on(after: &str) -> bool {
    let next = after.chars().next();
    next.is_some_and(|next| next == ':' || next != '\n' && !CLOSING.contains(next))
}

fn is_last_of_several(between: &str) -> bool {
    let word = between.trim_start_matches([',', ' ']).trim_end_matches(' ');
    between.starts_with([',', ' ']) && between.ends_with(' ') && LAST_OF_SEVERAL.contains(&word)
}

fn is_separator(between: &str) -> bool {
    between.chars().all(|c| matches!(c, ' ' | ',' | ';' | '\n' | '，' | '、'))
        || matches!(between, "-" | "–")
}

/// Whether the words before a citation make it a part of their sentence.
fn governs(before: &str) -> bool {
    ends_with_any(before, GOVERNING) || ends_with_any(before, &[NUMBERED])
}

/// Whether the last word of a text, without a full stop behind it, is one of these.
fn ends_with_any(text: &str, lists: &[&str]) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_part = |c: char| c.is_alphabetic() || c == '.';
    let word = text[text.trim_end_matches(is_part).len()..].to_lowercase();
    lists.iter().any(|words| words.split_whitespace().any(|known| known == word))
}

/// Whether a link with words of its own stands outside of every sentence: between two of them, or
/// at the end of one where it is named after its site or stands again and again.
fn stands_apart(before: &str, after: &str, is_site: bool, is_repeated: bool) -> bool {
    let Some(previous) = before.chars().next_back().filter(|c| *c != '\n') else { return false };
    let next = after.chars().next().filter(|c| *c != '\n');
    let unquoted = before.trim_end_matches(|c| QUOTES.contains(c));
    // The link behind a question may be its answer.
    if unquoted.ends_with(|c| ENDING.contains(c) && !QUESTION.contains(c)) {
        return (is_site || is_repeated) && next.is_none_or(char::is_uppercase);
    }
    let is_word = previous.is_alphanumeric() || QUOTES.contains(previous);
    // OpenRouter asks its models to cite by links that are named after the site.
    let is_likely = is_repeated || is_site && !ends_with_any(before, &[NAMING]);
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
