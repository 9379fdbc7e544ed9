//! Places in an answer's text as providers count them: mapped to our bytes, checked, and never
//! trusted, since nobody says whether characters, UTF-16 units or bytes are counted.

use std::ops::Range;

use crate::answer::plain_text;

/// The bytes of an inline link to `url` that a provider places at `start..end`: counted in
/// characters, or else in UTF-16 units, whichever hits something that is such a link. `None` when
/// neither does; the mark then stays in the text.
pub fn link_span(text: &str, start: u64, end: u64, url: &str) -> Option<Range<usize>> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    [at_char, at_utf16_unit].into_iter().find_map(|at| {
        let range = at(text, start)?..at(text, end)?;
        is_link(text.get(range.clone())?, url).then_some(range)
    })
}

/// The text at a range of bytes; `None` when it lies outside or splits a character.
pub fn byte_slice(text: &str, start: u64, end: u64) -> Option<&str> {
    text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

fn at_char(text: &str, count: usize) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(count)
}

fn at_utf16_unit(text: &str, count: usize) -> Option<usize> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units >= count {
            return (units == count).then_some(at);
        }
        units += c.len_utf16();
    }
    (units == count).then_some(text.len())
}

/// Whether a slice is an inline link to `url`, whole and nothing more: a count that is off by one
/// cuts a bracket off.
fn is_link(slice: &str, url: &str) -> bool {
    let count = |bracket: char| slice.matches(bracket).count();
    slice.starts_with(['(', '['])
        && slice.ends_with(')')
        && count('(') == count(')')
        && count('[') == count(']')
        && slice.contains("](")
        && slice.contains(url)
}

/// The plain text of `markdown` with the checked `spans` cut out; empty when there is no span, so
/// that the plain text is derived from the whole.
pub fn plain_without(markdown: &str, spans: Vec<Range<usize>>) -> String {
    if spans.is_empty() {
        return String::new();
    }
    let mut kept = String::with_capacity(markdown.len());
    let mut from = 0;
    for span in grown(markdown, spans) {
        kept.push_str(markdown.get(from..span.start).unwrap_or_default());
        // The mark stood apart from what it supports; what follows it does not.
        kept.truncate(kept.trim_end_matches([' ', '\t', '\u{a0}']).len());
        from = span.end;
    }
    kept.push_str(markdown.get(from..).unwrap_or_default());
    plain_text(&kept)
}

/// The spans in order, neighbors that only a separator divides made one, with the parentheses
/// around them.
fn grown(markdown: &str, mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if joined(markdown, last.end, span.start) => {
                last.end = last.end.max(span.end);
            }
            Some(_) | None => merged.push(span),
        }
    }
    for span in &mut merged {
        let before = markdown.get(..span.start).unwrap_or_default();
        let after = markdown.get(span.end..).unwrap_or_default();
        if before.ends_with('(') && after.starts_with(')') {
            *span = span.start - 1..span.end + 1;
        }
    }
    merged
}

fn joined(markdown: &str, end: usize, start: usize) -> bool {
    start <= end
        || markdown.get(end..start).is_some_and(|between| {
            between.chars().all(|c| matches!(c, ' ' | ',' | ';')) && !between.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://a.example/";
    const LINK: &str = "([a](https://a.example/))";

    fn span_in(text: &str, start: usize) -> Option<Range<usize>> {
        link_span(text, start as u64, (start + LINK.len()) as u64, URL)
    }

    #[test]
    fn characters_are_counted_and_utf16_units_where_those_miss() {
        let text = format!("Grüße 🦀 {LINK} end");
        let at = text.find('(').unwrap();
        let expected = Some(at..at + LINK.len());
        assert_eq!(span_in(&text, text[..at].chars().count()), expected);
        assert_eq!(span_in(&text, text[..at].encode_utf16().count()), expected);
        assert_eq!(span_in(&text, at), None, "bytes are not what OpenAI counts");
    }

    #[test]
    fn what_is_no_link_to_that_page_is_left_alone() {
        assert_eq!(link_span("plain words here", 0, 5, URL), None);
        assert_eq!(link_span(LINK, 0, LINK.len() as u64, "https://b.example/"), None);
        assert_eq!(link_span(LINK, 5, 2, URL), None);
        assert_eq!(link_span(LINK, 0, u64::MAX, URL), None);
    }

    #[test]
    fn marks_are_cut_with_the_blanks_and_the_parentheses_around_them() {
        let text = format!("One. {LINK} Two ([a](https://a.example/), [a](https://a.example/)).");
        let first = text.find(LINK).unwrap();
        let second = text.rfind("([a]").unwrap() + 1;
        let third = text.rfind("[a]").unwrap();
        let link = LINK.len() - 2;
        let spans = vec![third..third + link, first..first + LINK.len(), second..second + link];
        assert_eq!(plain_without(&text, spans), "One. Two.");
        assert_eq!(plain_without("One.", Vec::new()), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None,
            ..ProptestConfig::default() })]
        #[test]
        fn no_offset_panics(text in "\\PC{0,40}", link in any::<bool>(), start in any::<u64>(),
            end in 0u64..80) {
            let text = if link { format!("{text}{LINK}{text}") } else { text };
            let small = start % 80;
            for (start, end) in [(start, end), (small, end), (small, u64::MAX)] {
                let _ = byte_slice(&text, start, end);
                if let Some(span) = link_span(&text, start, end, URL) {
                    prop_assert!(text.get(span.clone()).is_some());
                    let _ = plain_without(&text, vec![span.clone(), span]);
                }
            }
        }
    }
}
