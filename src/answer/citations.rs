//! Citations: the marks in a Markdown text, which sources they name, and the text without them. A
//! mark is one only where its number or its address has a source; every other text stays.

mod form;
mod inline;

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use self::form::{Form, form_at, number};
use self::inline::{REPEATED_TIMES_MIN, close_gap};
use super::links::{Link, clean_url, domain, links_in};
use super::markdown::{self, is_inside};
use super::thoughts::without_thoughts;
use super::{Answer, Source, is_json};

pub(super) use self::form::is_mark;
pub(super) use self::inline::{Inline, Kind};

/// The longest formula in LaTeX's own brackets, bytes.
const FORMULA_BYTES_MAX: usize = 500;

/// The sources that the marks of an answer can name.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// A mark `[n]` with `n` up to this has a source.
    numbers: usize,
    /// The number of each address; 0 where only its address names it.
    addresses: HashMap<String, usize>,
    /// How often a link to a source stands in the text.
    repeated: HashMap<Link, usize>,
}

impl Known {
    /// Collects the sources of an answer whose addresses are cleaned.
    pub(crate) fn of(answer: &Answer) -> Known {
        let mut known = Known::default();
        let lists = [&answer.sources, &answer.citations, &answer.x_results];
        for source in lists.into_iter().flatten().flatten() {
            known.addresses.entry(source.url.clone()).or_insert(0);
        }
        let numbered = numbered_pages(answer);
        for (at, source) in numbered.iter().enumerate() {
            known.addresses.insert(source.url.clone(), at + 1);
        }
        known.numbers = numbered.len();
        if !known.addresses.is_empty() {
            for link in links_in(&answer.markdown) {
                if known.addresses.contains_key(&link.url) {
                    *known.repeated.entry(link).or_insert(0) += 1;
                }
            }
        }
        known
    }

    /// Returns the marks in a text that name sources, in order.
    pub(crate) fn marks_in(&self, markdown: &str) -> Vec<Range<usize>> {
        marks_of(markdown, self.numbers).map(|mark| mark.start..mark.end).collect()
    }

    /// Returns what a link is as a citation; `None` where it leads elsewhere, or is written as a
    /// number and has another one.
    pub(crate) fn citation(&self, url: &str, text: &str, link_type: LinkType) -> Option<Kind> {
        if matches!(link_type, LinkType::Autolink | LinkType::Email) {
            return None;
        }
        let url = clean_url(url)?;
        let place = *self.addresses.get(&url)?;
        let text = text.trim();
        if is_mark(text) {
            return Some(Kind::Mark);
        }
        if let Some(number) = number(text) {
            // By reference, `[1]` with `[1]: url` below, it counts for itself.
            let is_mark = number == place || link_type != LinkType::Inline;
            return is_mark.then_some(Kind::Mark);
        }
        let is_site = domain(&url).is_some_and(|site| text.trim_start_matches("www.") == site);
        let link = Link { url, text: text.to_owned() };
        let times = self.repeated.get(&link).copied().unwrap_or_default();
        Some(Kind::Named { is_site, is_repeated: times >= REPEATED_TIMES_MIN })
    }
}

/// Returns the pages that the numbers of marks count: the sources, or the citations where an answer
/// has no sources.
pub(super) fn numbered_pages(answer: &Answer) -> &[Source] {
    let lists = [&answer.sources, &answer.citations];
    lists.into_iter().flatten().find(|list| !list.is_empty()).map_or(&[], Vec::as_slice)
}

/// Returns the numbers of the marks that name one of `sources` pages, each with the byte of the
/// text at which its mark begins.
pub(super) fn cited_places(markdown: &str, sources: usize) -> Vec<(usize, usize)> {
    let numbers = |mark: Mark| mark.numbers.into_iter().map(move |number| (mark.start, number));
    marks_of(markdown, sources).flat_map(numbers).collect()
}

/// The place at which the source of a number stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has this number.
    At(usize),
    /// It was left out.
    Gone,
    /// There never was one: the text is no mark.
    Unknown,
}

/// Writes every mark with the numbers that `place` has for its own, each as `[n]`, and takes out
/// those whose sources are gone. A mark with a number that is unknown stays; where it would name
/// one of `sources` now, its bracket is escaped. Thoughts go. Code, links, definitions, formulas,
/// and a text that is JSON stay as they are.
pub fn renumbered(markdown: &str, sources: usize, mut place: impl FnMut(usize) -> Place) -> String {
    // What a model only thinks of it does not cite.
    let markdown = without_thoughts(markdown);
    if !markdown.contains(['[', '【']) || is_json(&markdown) {
        return markdown;
    }
    let markdown = markdown.as_str();
    let mut out = String::with_capacity(markdown.len());
    // The end and the number of the mark before, to know a neighbor by.
    let mut before: Option<(usize, usize)> = None;
    let mut at = 0;
    for mark in marks_in(markdown) {
        out.push_str(&markdown[at.min(mark.start)..mark.start]);
        let numbers = &mark.numbers;
        let places: Vec<Place> = numbers.iter().map(|number| place(*number)).collect();
        if places.is_empty() || places.contains(&Place::Unknown) {
            let is_misread = !numbers.is_empty() && numbers.iter().all(|n| *n <= sources);
            let text = &markdown[mark.start..mark.end];
            if is_misread {
                // 【 needs none: ASCII brackets that are escaped are no mark.
                out.push('\\');
                out.push_str(&text.replacen('【', "[", 1).replacen('】', "]", 1));
            } else {
                out.push_str(text);
            }
            at = mark.end;
            continue;
        }
        let begins_after = before.is_some_and(|(end, _)| end == mark.start);
        let mut last = before.filter(|_| begins_after).map(|(_, number)| number);
        let mut is_gone = true;
        for place in places {
            let Place::At(number) = place else { continue };
            is_gone = false;
            if last != Some(number) {
                out.push_str(&format!("[{number}]"));
                last = Some(number);
            }
        }
        at = if is_gone { close_gap(&mut out, markdown, mark.end) } else { mark.end };
        before = last.map(|number| (mark.end, number));
    }
    out.push_str(&markdown[at..]);
    out
}

/// Returns the numbers of the marks in a text, each once, in order of first appearance.
pub fn cited_numbers(markdown: &str) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    let numbers = marks_in(markdown).into_iter().flat_map(|mark| mark.numbers);
    numbers.filter(|number| seen.insert(*number)).collect()
}

/// Returns the links of a text that are written as marks with one number, `[[1]](url)` and
/// `[1](url)`: the number and the cleaned address.
pub fn numbered_links(markdown: &str) -> Vec<(usize, String)> {
    let numbered = |link: Link| {
        let text = link.text.trim();
        let written = form_at(text, 0).filter(|form| form.end == text.len());
        let number = match written {
            Some(Form { numbers, .. }) => Some(numbers).filter(|n| n.len() == 1)?.pop(),
            None => number(text),
        };
        Some((number?, link.url))
    };
    links_in(markdown).into_iter().filter_map(numbered).collect()
}

/// A mark in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    start: usize,
    end: usize,
    numbers: Vec<usize>,
}

/// Returns the marks of which every number names one of `sources` pages, in order.
fn marks_of(markdown: &str, sources: usize) -> impl Iterator<Item = Mark> {
    let marks = if sources == 0 { Vec::new() } else { marks_in(markdown) };
    marks.into_iter().filter(move |mark| mark.numbers.iter().all(|number| *number <= sources))
}

/// What has the form of a mark in a text, in order, outside of code, links, HTML and formulas.
fn marks_in(markdown: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    if !markdown.contains(['[', '【']) {
        return marks;
    }
    let formulas = formulas(markdown);
    for piece in text_ranges(markdown) {
        let mut at = piece.start;
        while let Some(found) = markdown[at..piece.end].find(['[', '【']) {
            let start = at + found;
            let is_escaped = markdown[..start].ends_with('\\');
            let form = form_at(markdown, start).filter(|form| form.end <= piece.end);
            match form {
                Some(Form { end, numbers }) if !is_escaped && !is_inside(&formulas, start) => {
                    marks.push(Mark { start, end, numbers });
                    at = end;
                }
                Some(_) | None => {
                    at = start + 1 + usize::from(markdown[start..].starts_with('【')) * 2;
                }
            }
        }
    }
    marks
}

/// Where running text stands, in order; pieces that touch are one.
#[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
fn text_ranges(markdown: &str) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut inside = 0_usize;
    for (event, range) in markdown::parse_with_math(markdown).into_iter().flatten() {
        match event {
            Event::Start(
                Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Link { .. } | Tag::Image { .. },
            ) => {
                inside += 1;
            }
            Event::End(TagEnd::CodeBlock | TagEnd::HtmlBlock | TagEnd::Link | TagEnd::Image) => {
                inside = inside.saturating_sub(1);
            }
            // A price is no formula: "from US$4 [1] to US$5".
            Event::InlineMath(_)
                if !markdown[range.end..].starts_with(|c: char| c.is_ascii_digit()) => {}
            Event::Text(_) | Event::InlineMath(_) if inside == 0 => match pieces.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => pieces.push(range),
            },
            _ => {}
        }
    }
    pieces
}

/// Where formulas in LaTeX's own brackets stand, `\(...\)` and `\[...\]`; the parser knows those
/// in dollars only.
fn formulas(markdown: &str) -> Vec<Range<usize>> {
    let mut formulas: Vec<Range<usize>> = Vec::new();
    for (start, _) in markdown.match_indices('\\') {
        let close = match markdown.as_bytes().get(start + 1) {
            Some(b'(') => r"\)",
            Some(b'[') => r"\]",
            _ => continue,
        };
        if formulas.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let inner = &markdown[start + 2..];
        let near = &inner[..inner.floor_char_boundary(FORMULA_BYTES_MAX)];
        let paragraph = near.split("\n\n").next().unwrap_or_default();
        if let Some(length) = paragraph.find(close) {
            formulas.push(start..start + 2 + length + close.len());
        }
    }
    formulas
}

#[cfg(test)]
mod tests;
