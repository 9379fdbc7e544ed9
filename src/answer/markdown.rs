//! The dialect of Markdown that answers are read in, and the guard that keeps a hostile text from
//! costing more than time in proportion to its length.

use std::ops::Range;

use pulldown_cmark::{Event, OffsetIter, Options, Parser, Tag};

/// The deepest nesting of lists and quotes that is parsed, levels. The parser walks every open
/// level again for every line, so without a bound 1 MiB of `- - - -` costs minutes.
pub(super) const NESTING_LEVELS_MAX: usize = 128;

/// Columns of indentation that a nested list needs at least for each level.
const COLUMNS_PER_LEVEL: usize = 2;
/// Columns that a tab takes at most.
const TAB_COLUMNS: usize = 4;

const DIALECT: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_FOOTNOTES);

/// Returns the events of a text with their places in it; `None` when it nests deeper than
/// [`NESTING_LEVELS_MAX`], which no answer meant for reading does.
pub(super) fn parse(markdown: &str) -> Option<OffsetIter<'_>> {
    parse_as(markdown, DIALECT)
}

/// Parses as [`parse`] does, with formulas in dollars as events of their own.
pub(super) fn parse_with_math(markdown: &str) -> Option<OffsetIter<'_>> {
    parse_as(markdown, DIALECT.union(Options::ENABLE_MATH))
}

fn parse_as(markdown: &str, dialect: Options) -> Option<OffsetIter<'_>> {
    if markdown.lines().any(|line| levels(line) > NESTING_LEVELS_MAX) {
        return None;
    }
    Some(Parser::new_ext(markdown, dialect).into_offset_iter())
}

/// Returns where code stands in a text, in order.
pub(super) fn code_ranges(markdown: &str) -> Vec<Range<usize>> {
    let events = parse(markdown).into_iter().flatten();
    let code = events
        .filter(|(event, _)| matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(_))));
    code.map(|(_, range)| range).collect()
}

/// Returns whether a place lies in one of the ranges, which are in order and do not overlap.
pub(super) fn is_inside(ranges: &[Range<usize>], at: usize) -> bool {
    let next = ranges.partition_point(|range| range.end <= at);
    ranges.get(next).is_some_and(|range| range.start <= at)
}

/// An upper bound of the levels that a line can stand at: its own markers, and one level for every
/// two columns of indentation before the last of them.
fn levels(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut columns = 0;
    let mut markers = 0;
    let mut bound = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += TAB_COLUMNS,
            b'0'..=b'9' => {}
            b'>' | b'.' | b')' => {
                markers += 1;
                bound = markers + columns / COLUMNS_PER_LEVEL;
            }
            // Without a space behind it, it is text, emphasis or part of a rule.
            b'-' | b'+' | b'*' if matches!(bytes.get(at + 1), None | Some(b' ' | b'\t')) => {
                markers += 1;
                bound = markers + columns / COLUMNS_PER_LEVEL;
            }
            _ => break,
        }
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_parsed() {
        let rule = "-".repeat(400);
        let art = format!("```\n{}x\n```", " ".repeat(400));
        for text in ["", "a", "> - 1. a", "1.2.3.4", &rule, &art, "| - | - |\n|---|---|"] {
            assert!(parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_nests_without_end_is_not() {
        for text in ["- ".repeat(200), ">".repeat(200), "1. ".repeat(200)] {
            assert!(parse(&text).is_none());
        }
        assert!(parse(&format!("{}- a", " ".repeat(400))).is_none());
    }
}
