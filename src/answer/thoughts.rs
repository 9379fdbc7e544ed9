//! What models that think aloud write before and between the parts of their answer:
//! `<think>...</think>`.

use super::is_json;
use super::markdown::{code_ranges, is_inside};

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Returns the text without its thoughts: one that it begins with, up to the end of the text where
/// it is never closed; those that begin a line; and one whose opening tag was part of the prompt. A
/// tag that a sentence or code mentions is no thought, and a text that is JSON stays as it is.
/// Doing it twice changes nothing.
pub(super) fn without_thoughts(text: &str) -> String {
    if !text.contains(OPEN) && !text.contains(CLOSE) || is_json(text) {
        return text.to_owned();
    }
    let begun_before = closing_tags(text).into_iter().next();
    let mut rest = match begun_before.filter(|at| !text[..*at].contains(OPEN)) {
        Some(at) => &text[at + CLOSE.len()..],
        None => text,
    };
    loop {
        let begin = rest.trim_start();
        rest = match (begin.strip_prefix(OPEN), begin.strip_prefix(CLOSE)) {
            (Some(thought), _) => thought_end(thought).map_or("", |end| &thought[end..]),
            (None, Some(answer)) => answer,
            (None, None) => break,
        };
    }
    if rest.len() < text.len() {
        rest = rest.trim_start();
    }
    let left = without_later_thoughts(rest);
    if left.len() == text.len() || is_json(&left) {
        return left;
    }
    // A tag that closes nothing would make a thought of what stands before it.
    let mut kept = String::with_capacity(left.len());
    let mut at = 0;
    for tag in closing_tags(&left) {
        kept.push_str(&left[at..tag]);
        at = tag + CLOSE.len();
    }
    kept.push_str(&left[at..]);
    kept
}

/// Where closing tags stand that are not only mentioned.
fn closing_tags(text: &str) -> Vec<usize> {
    let code = code_ranges(text);
    let mut tags = Vec::new();
    let mut end = 0;
    // Whether the line has more than tags so far.
    let mut line_says = false;
    for (at, _) in text.match_indices(CLOSE) {
        let between = &text[end..at];
        let line = between.rsplit('\n').next().unwrap_or_default();
        line_says &= line.len() == between.len();
        line_says |= !line.trim().is_empty();
        end = at + CLOSE.len();
        let before = text[..at].chars().next_back();
        let after = text[end..].chars().next();
        let in_sentence = before.is_some_and(|c| "\"'`".contains(c))
            && after.is_some_and(|c| c == ' ' || ".,;:!?)\"'`”’".contains(c));
        let is_mentioned = line_says && (in_sentence || begins_word(&text[..at]));
        if !is_mentioned && !is_inside(&code, at) {
            tags.push(at);
        }
    }
    tags
}

/// Whether what follows this text begins a word, maybe in quotes or emphasis that begin with it.
fn begins_word(before: &str) -> bool {
    let words = before.trim_end_matches(['"', '\'', '`', '*', '_']);
    words.is_empty() || words.ends_with(|c: char| c.is_whitespace() || "([{“‘「『".contains(c))
}

/// Returns where the tag ends that closes an open thought; one that the thought quotes does not.
fn thought_end(thought: &str) -> Option<usize> {
    let is_quoted = |at: usize| {
        let before = thought[..at].chars().next_back().filter(|c| "\"'`".contains(*c));
        let after = thought[at + CLOSE.len()..].chars().next();
        before.is_some() && before == after && begins_word(&thought[..at])
    };
    let mut tags = thought.match_indices(CLOSE).map(|(at, _)| at);
    tags.find(|at| !is_quoted(*at)).map(|at| at + CLOSE.len())
}

/// Takes out the closed thoughts that begin a line.
fn without_later_thoughts(text: &str) -> String {
    if !text.contains(OPEN) {
        return text.to_owned();
    }
    let code = code_ranges(text);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, _) in text.match_indices(OPEN) {
        if start < at || is_inside(&code, start) {
            continue;
        }
        // Tags that close nothing go, and so does the thought that ended right before.
        let mut before = text[at..start].trim_end_matches([' ', '\t']);
        while let Some(rest) = before.strip_suffix(CLOSE) {
            before = rest.trim_end_matches([' ', '\t']);
        }
        if !before.is_empty() && !before.ends_with('\n') {
            continue;
        }
        let thought = start + OPEN.len();
        let Some(end) = thought_end(&text[thought..]).map(|end| thought + end) else { break };
        out.push_str(&text[at..start]);
        at = text.len() - text[end..].trim_start().len();
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thoughts_go_wherever_a_model_writes_them() {
        for (text, left) in [
            ("\n<think>\nhm\n</think>\n\nParis.", "Paris."),
            ("<think>a</think><think>b</think>Paris.", "Paris."),
            ("hm, let me see\n</think>\n\nParis.", "Paris."),
            ("hm</think>Paris.", "Paris."),
            ("</think>\nParis.", "Paris."),
            ("I close `</think>` later.\n</think>\nParis.", "Paris."),
            ("Paris.\n\n<think>\nAnd Rome?\n</think>\n\nRome.", "Paris.\n\nRome."),
            ("<think>hm", ""),
            ("<think>hm</think>", ""),
            ("hm\n</think>\n", ""),
            ("<think></think>Paris.</think>", "Paris."),
            ("<think></think>{\"a\": 1}", "{\"a\": 1}"),
            ("<think></think>{\"a\": \"hm</think>\"}", "{\"a\": \"hm</think>\"}"),
            ("<think></think>Paris.\n</think><think> </think>Rome.", "Paris.\nRome."),
            ("<think></think>Paris.\n</think> </think>", "Paris.\n "),
            ("<think>hm </think>\n\nParis.\n\n<think>\nx\n</think>\nRome", "Paris.\n\nRome"),
            ("I say \"Paris\"</think>\n\nIt is Paris.", "It is Paris."),
            ("So **Paris**</think>\n\nIt is Paris.", "It is Paris."),
            ("<think>I run `ls`</think>`ls` lists.", "`ls` lists."),
        ] {
            assert_eq!(without_thoughts(text), left, "{text}");
        }
    }

    #[test]
    fn thought_may_quote_the_tag_that_ends_it() {
        for (text, left) in [
            ("<think>I close `</think>` later. hm</think>\n\nParis.", "Paris."),
            ("<think>\nI close \"</think>\" later.\n</think>\n\nParis.", "Paris."),
            ("Paris.\n<think>No `</think>` yet.\n</think>\nRome.", "Paris.\nRome."),
        ] {
            assert_eq!(without_thoughts(text), left, "{text}");
        }
    }

    #[test]
    fn json_is_kept_as_it_is() {
        for text in [
            "{\"a\": \"hm</think>Paris.\"}",
            "\"<think>hm</think>Paris.\"",
            "[\"\\n</think>\", \"<think>\"]",
        ] {
            assert_eq!(without_thoughts(text), text);
        }
    }

    #[test]
    fn tags_that_are_only_mentioned_stay() {
        for text in [
            "Paris.",
            "Write <think>so</think>.",
            "The tag `</think>` ends a thought.",
            "Models end it with </think> and go on.",
            "It is called \"</think>\".",
            "The closing tag is </think>",
            "Put it in </think>\n",
            "Write </think>\nand then go.",
            "Use <think> and </think>\nThen go.",
            "**</think>** ends it",
            "The tag is **</think>**\n",
            "The tag (**</think>**, in bold) and [</think>]",
            "So:\n\n```\nhm\n</think>\n```\n",
            "So:\n\n```\n<think>\nhm\n</think>\n```\n",
            "Paris.\n<think>never closed",
            "",
        ] {
            assert_eq!(without_thoughts(text), text);
        }
    }

    proptest! {
        #[test]
        fn once_is_enough(text in "(<think>|</think>|[a `\"*.\n]){0,12}") {
            let left = without_thoughts(&text);
            prop_assert_eq!(without_thoughts(&left), left);
        }
    }
}
