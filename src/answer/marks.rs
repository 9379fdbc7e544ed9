//! Citation marks in running text: what counts as one, and text without them. Rule 2 of the
//! shared normalisation rules: `[7]`, `[web:7]`, `[[1]](url)`, `([site](url))`, `【4†source】`.

use std::ops::Range;

/// The longest mark in brackets, bytes.
const MARK_BYTES_MAX: usize = 64;
/// The most digits in a mark's number: `[2024]` is a year.
pub(super) const MARK_DIGITS_MAX: usize = 3;
/// Words that engines write before the number: `[web:7]`.
const MARK_WORDS: &[&str] = &["web", "post", "page", "news", "source", "citation", "cite", "ref"];

/// Running text of one block, with what the Markdown around it said.
#[derive(Debug, Default)]
pub(super) struct Inline {
    pub text: String,
    /// Where the texts of links stand, in order; none overlaps another.
    links: Vec<Range<usize>>,
    /// Where code stands, in order.
    codes: Vec<Range<usize>>,
    /// Where marks stood that the Markdown itself gave away, in order.
    holes: Vec<usize>,
}

impl Inline {
    pub fn push_code(&mut self, code: &str) {
        let start = self.text.len();
        self.text.push_str(code);
        self.codes.push(start..self.text.len());
    }

    /// The text since `start` was a link's.
    pub fn end_link(&mut self, start: usize) {
        self.links.push(start..self.text.len());
    }

    /// The text since `start` was a citation's: it goes.
    pub fn end_citation(&mut self, start: usize) {
        self.text.truncate(start);
        self.codes.retain(|code| code.end <= start);
        self.holes.push(start);
    }

    /// Takes the text without its citation marks, and leaves nothing.
    pub fn take(&mut self) -> String {
        let inline = std::mem::take(self);
        if inline.holes.is_empty() && !inline.text.contains(['[', '(', '【']) {
            return inline.text;
        }
        inline.without_marks()
    }

    fn without_marks(&self) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut at = 0;
        let (mut code, mut hole) = (0, 0);
        while at < self.text.len() {
            if self.holes.get(hole).is_some_and(|start| *start <= at) {
                hole += 1;
                at = close_gap(&mut out, &self.text, at);
                continue;
            }
            if self.codes.get(code).is_some_and(|range| range.start <= at) {
                let end = self.codes[code].end.max(at);
                out.push_str(&self.text[at..end]);
                at = end;
                code += 1;
                continue;
            }
            if let Some(end) = self.mark_at(at) {
                at = close_gap(&mut out, &self.text, end);
                continue;
            }
            // To the next byte that may begin a mark, or the next place known beforehand.
            let known = [self.holes.get(hole).copied(), self.codes.get(code).map(|c| c.start)];
            let end = known.into_iter().flatten().fold(self.text.len(), usize::min);
            let rest = &self.text[at..end];
            let first = rest.chars().next().map_or(1, char::len_utf8).min(rest.len());
            let plain =
                rest[first..].find(['[', '(', '【']).map_or(rest.len(), |next| first + next);
            out.push_str(&rest[..plain]);
            at += plain;
        }
        out
    }

    /// The end of the mark that begins at `at`.
    fn mark_at(&self, at: usize) -> Option<usize> {
        match self.text.as_bytes()[at] {
            b'[' => bracket_end(&self.text, at),
            b'(' => self.citation_end(at),
            _ => corner_end(&self.text, at),
        }
    }

    /// The end of a parenthesis that begins at `at` and holds links or marks and nothing else.
    fn citation_end(&self, at: usize) -> Option<usize> {
        let mut link = self.links.partition_point(|range| range.start <= at);
        let mut next = at + 1;
        let mut holds_one = false;
        loop {
            holds_one |= self.holes.binary_search(&next).is_ok();
            if let Some(range) = self.links.get(link).filter(|range| range.start == next) {
                next = range.end;
                link += 1;
                holds_one = true;
                continue;
            }
            match self.text.as_bytes().get(next)? {
                b')' if holds_one => return Some(next + 1),
                b' ' | b',' | b';' | b'\n' => next += 1,
                b'[' => {
                    next = bracket_end(&self.text, next)?;
                    holds_one = true;
                }
                _ => return None,
            }
        }
    }
}

/// Whether the whole of a text is one mark in brackets.
pub(super) fn is_mark(text: &str) -> bool {
    text.starts_with('[') && bracket_end(text, 0) == Some(text.len())
}

/// The number of a marker `[n]` that begins at `at`, and its end; `None` when a link follows from
/// it: `[1](url)`.
pub(super) fn number_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text[at..].strip_prefix('[')?;
    let digits = rest.bytes().take(MARK_DIGITS_MAX + 1).take_while(u8::is_ascii_digit).count();
    let number: usize = rest[..digits].parse().ok().filter(|number| *number > 0)?;
    let after = rest[digits..].strip_prefix(']')?;
    let is_marker = digits <= MARK_DIGITS_MAX && !rest.starts_with('0') && !after.starts_with('(');
    is_marker.then_some((number, at + digits + 2))
}

/// Repairs the blanks where a mark was taken out: those in `out` before it go when punctuation, a
/// blank or the end follows. Gives where in `text` to go on.
pub(super) fn close_gap(out: &mut String, text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let closes = rest.chars().next().is_none_or(|next| {
        next.is_whitespace() || ".,;:!?)]}%…”’»。，、；：！？）」』".contains(next)
    });
    if closes {
        out.truncate(out.trim_end_matches(' ').len());
    }
    if out.is_empty() || out.ends_with('\n') {
        return at + rest.len() - rest.trim_start_matches(' ').len();
    }
    at
}

/// The end of `[7]`, `[1, 2]`, `[3-5]`, `[web:7]`, `[^1]`, `[[1]]` or `[4:0†source]` at `at`.
fn bracket_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at + 1..];
    let near = &rest[..rest.len().min(MARK_BYTES_MAX)];
    let close = near.iter().position(|byte| *byte == b']')?;
    let inner = text.get(at + 1..at + 1 + close)?;
    let mut end = at + close + 2;
    let inner = match inner.strip_prefix('[') {
        Some(doubled) if text.as_bytes().get(end) == Some(&b']') => {
            end += 1;
            doubled
        }
        Some(_) => return None,
        None => inner,
    };
    let is_mark = inner.contains('†') || inner.split(',').all(|part| is_number(part.trim()));
    (is_mark && text.as_bytes().get(end) != Some(&b'(')).then_some(end)
}

/// `7`, `3-5`, `web:7` or `^7^`.
fn is_number(part: &str) -> bool {
    if let Some((word, number)) = part.split_once(':') {
        return MARK_WORDS.contains(&word) && is_digits(number);
    }
    let part = part.strip_prefix('^').map_or(part, |rest| rest.strip_suffix('^').unwrap_or(rest));
    let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
    [first, last].iter().all(|number| is_digits(number) && !number.starts_with('0'))
}

fn is_digits(number: &str) -> bool {
    (1..=MARK_DIGITS_MAX).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

/// The end of `【4:0†source】` at `at`. These brackets serve for headings in Chinese, so it has to
/// hold the dagger or a number.
fn corner_end(text: &str, at: usize) -> Option<usize> {
    let rest = text[at..].strip_prefix('【')?;
    let near = &rest[..rest.floor_char_boundary(MARK_BYTES_MAX)];
    let inner = &near[..near.find('】')?];
    (inner.contains('†') || is_digits(inner)).then_some(at + inner.len() + 2 * '【'.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare(text: &str) -> String {
        Inline { text: text.to_owned(), ..Inline::default() }.take()
    }

    #[test]
    fn marks_go_and_leave_no_gap() {
        for (text, left) in [
            ("Paris [1]. Yes", "Paris. Yes"),
            ("Paris[1][2], and", "Paris, and"),
            ("Paris [1] [2] and", "Paris and"),
            ("Paris [web:7][post:12] and", "Paris and"),
            ("Paris [1, 2] [3-5] [^1^] [[6]]!", "Paris!"),
            ("Paris ([1], [2]).", "Paris."),
            ("巴黎【4:0†source】。", "巴黎。"),
            ("[1] Site\n[2] Other", "Site\nOther"),
            ("ends [3]", "ends"),
        ] {
            assert_eq!(bare(text), left);
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for text in ["[2024]", "[a]", "[0]", "[x:1]", "(a) []", "【标题】", "[1](x", "[", "(", "[]"]
        {
            assert_eq!(bare(text), text);
        }
    }

    #[test]
    fn markers_have_a_number_and_no_link() {
        assert_eq!(number_at("[12] a", 0), Some((12, 4)));
        for text in ["[1](x)", "[0]", "[01]", "[1234]", "[web:1]", "[1", "[]", ""] {
            assert_eq!(number_at(text, 0), None, "{text}");
        }
    }
}
