//! What models that think aloud write before and between the parts of their answer:
//! `<think>...</think>`.

use super::markdown::{code_ranges, is_inside};

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Returns the text without its thoughts: one that it begins with, up to the end of the text where
/// it is never closed; those that begin a line; and one whose opening tag was part of the prompt. A
/// tag that a sentence or code mentions is no thought. Doing it twice changes nothing.
pub(super) fn without_thoughts(text: &str) -> String {
    if !text.contains(OPEN) && !text.contains(CLOSE) {
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
            (Some(thought), _) => thought.split_once(CLOSE).map_or("", |(_, answer)| answer),
            (None, Some(answer)) => answer,
            (None, None) => break,
        };
    }
    if rest.len() < text.len() {
        rest = rest.trim_start();
    }
    let left = without_later_thoughts(rest);
    if left.len() == text.len() {
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
    let closes = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + CLOSE.len()..].chars().next();
        let in_sentence = before.is_some_and(|c| c == ' ' || "\"'(`“‘".contains(c))
            && after.is_some_and(|c| c == ' ' || ".,;:!?)\"'`”’".contains(c));
        !in_sentence && !is_inside(&code, *at)
    };
    text.match_indices(CLOSE).map(|(at, _)| at).filter(closes).collect()
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
        let begins_line = text[..start].trim_end_matches([' ', '\t']).ends_with('\n');
        if start < at || !begins_line || is_inside(&code, start) {
            continue;
        }
        let Some((thought, _)) = text[start..].split_once(CLOSE) else { break };
        out.push_str(&text[at..start]);
        let end = start + thought.len() + CLOSE.len();
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
        ] {
            assert_eq!(without_thoughts(text), left, "{text}");
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
        fn once_is_enough(text in "(<think>|</think>|[a `.\n]){0,12}") {
            let left = without_thoughts(&text);
            prop_assert_eq!(without_thoughts(&left), left);
        }
    }
}
