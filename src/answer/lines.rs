//! The short texts of an answer: cut to size, without what no string of a result may hold.

use std::collections::HashSet;

/// The most items in a list of the answer, but of pages.
pub(super) const LIST_ITEMS_MAX: usize = 1_000;
/// The longest title, name, query or question, bytes.
pub(super) const LINE_BYTES_MAX: usize = 2_000;

/// Removes U+0000 and what lies beyond `bytes_max`. Returns whether something did.
pub(super) fn clean(text: &mut String, bytes_max: usize) -> bool {
    if text.contains('\0') {
        text.retain(|c| c != '\0');
    }
    let is_long = text.len() > bytes_max;
    if is_long {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    is_long
}

/// Returns a text cut at a number of bytes, without U+0000 and without blanks around it.
pub(super) fn trimmed(mut text: String, bytes_max: usize) -> String {
    clean(&mut text, bytes_max);
    let kept = text.trim();
    if kept.len() == text.len() { text } else { kept.to_owned() }
}

/// Returns a text as a line: a title, a name, a query or a question.
pub(super) fn line(text: String) -> String {
    trimmed(text, LINE_BYTES_MAX)
}

/// Returns the lines that are not empty, each once, in order of first appearance.
pub(super) fn distinct_lines(lines: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let lines = lines.into_iter().map(line).filter(|line| !line.is_empty());
    lines.filter(|line| seen.insert(line.clone())).take(LIST_ITEMS_MAX).collect()
}
