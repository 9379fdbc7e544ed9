//! The markers `[n]` of a Markdown text, which name sources by their place, when the places change.

use std::ops::Range;

use pulldown_cmark::{Event, Tag};

use super::markdown;
use super::marks::{close_gap, number_at};

/// Writes every marker `[n]` with the number that `place(n)` gives and takes it out where that is
/// `None`. Code, links and definitions (`[1]: url`) keep what they have: their brackets are not
/// markers. Two markers side by side that come to name the same source become one.
pub(super) fn renumbered(markdown: &str, place: impl Fn(usize) -> Option<usize>) -> String {
    let kept = kept_ranges(markdown);
    let mut kept = kept.iter().peekable();
    let mut out = String::with_capacity(markdown.len());
    // The end and the new number of the marker before, to know a neighbor by.
    let mut before: Option<(usize, usize)> = None;
    let mut at = 0;
    while let Some(found) = markdown[at..].find('[') {
        let start = at + found;
        while kept.next_if(|range| range.end <= start).is_some() {}
        if let Some(range) = kept.peek().filter(|range| range.start <= start) {
            out.push_str(&markdown[at..range.end]);
            at = range.end;
            continue;
        }
        out.push_str(&markdown[at..start]);
        let Some((number, end)) = number_at(markdown, start) else {
            out.push('[');
            at = start + 1;
            continue;
        };
        let new = place(number);
        let repeats = new.is_some_and(|new| before == Some((start, new)));
        at = match new {
            Some(new) if !repeats => {
                out.push_str(&format!("[{new}]"));
                end
            }
            Some(_) => end,
            None => close_gap(&mut out, markdown, end),
        };
        before = new.map(|new| (end, new));
    }
    out.push_str(&markdown[at..]);
    out
}

/// Where brackets are not markers, in order.
fn kept_ranges(markdown: &str) -> Vec<Range<usize>> {
    let Some(mut events) = markdown::parse(markdown) else { return Vec::new() };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (event, range) in events.by_ref() {
        match event {
            Event::Code(_)
            | Event::InlineHtml(_)
            | Event::Start(Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. }) => {
                ranges.push(range);
            }
            _ => {}
        }
    }
    ranges.extend(events.reference_definitions().iter().map(|(_, known)| known.span.clone()));
    ranges.sort_unstable_by_key(|range| range.start);
    // Code inside a link lies in the link's range; without it the ends rise as the starts do.
    let mut end = 0;
    ranges.retain(|range| {
        let outside = range.end > end;
        end = end.max(range.end);
        outside
    });
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 stays, 2 becomes 1, 3 becomes 2, the others name nothing.
    fn shifted(markdown: &str) -> String {
        renumbered(markdown, |number| [Some(1), Some(1), Some(2)].get(number - 1).copied()?)
    }

    #[test]
    fn markers_follow_their_sources() {
        for (markdown, left) in [
            ("a [1], b [3].", "a [1], b [2]."),
            ("a [1][2] b", "a [1] b"),
            ("a [2][3][9].", "a [1][2]."),
            ("a [9]. b", "a. b"),
            ("[9] a", "a"),
            ("- [3] **b[3]**", "- [2] **b[2]**"),
        ] {
            assert_eq!(shifted(markdown), left);
        }
    }

    #[test]
    fn code_links_and_definitions_keep_their_brackets() {
        for text in [
            "`a[3]` and ``b[3]``",
            "```\nc[3]\n```\n\n    d[3]",
            "[3](https://a.example)",
            "[[3]](https://a.example) [see [3] there](https://a.example)",
            "[3]\n\n[3]: https://a.example",
            "[2024] [03] [web:3]",
        ] {
            assert_eq!(shifted(text), text);
        }
    }
}
