//! The forms of citation marks: `[7]`, `[1, 2]`, `[4-5]`, `[web:7]`, `[cite: 1, 2]`, `[^1^]`,
//! `[[1]]`, `【1】` and `【4:0†source】`. What only looks like one is not: years, footnotes `[^1]`,
//! links, and indexes of arrays.

/// The longest mark, bytes: `[web:1, web:2, …]` of a dozen pages.
const MARK_BYTES_MAX: usize = 120;
/// The most digits in a mark's number: `[2024]` is a year.
const DIGITS_MAX: usize = 3;
/// The most numbers in a range, `[4-9]`.
const RANGE_NUMBERS_MAX: usize = 50;
/// Words that engines write before the number: `[web:7]`.
const WORDS: &[&str] = &["web", "post", "page", "news", "source", "citation", "cite", "ref"];
/// What Gemini writes where the text begins that a mark supports.
const CITE_START: &str = "cite_start";

/// A piece of text that has the form of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub end: usize,
    /// What it names, from 1; empty for a form that counts something else than sources.
    pub numbers: Vec<usize>,
}

/// Returns the mark that begins at `at`, if one does.
pub(super) fn form_at(text: &str, at: usize) -> Option<Form> {
    let form = bracket_at(text, at)?;
    if text[at..].starts_with('【') {
        return Some(form);
    }
    let after = &text[form.end..];
    // `[1](address)` and `[1][name]` are links, and `[1] = 2` is code.
    let is_link =
        after.starts_with('(') || after.starts_with('[') && bracket_at(text, form.end).is_none();
    (!is_link && !is_operand(&text[..at], after)).then_some(form)
}

/// Whether what stands around a bracket makes it a part of code, data or a formula: `n = [1, 2]`,
/// `"a": [1]`, `f([1])`, `a[1] = 2`, `x ∈ [1, 2]`.
fn is_operand(before: &str, after: &str) -> bool {
    const OPERATORS: [char; 9] = ['=', '∈', '∉', '∪', '∩', '×', '+', '→', '≤'];
    let follows = before.trim_end_matches(' ');
    let is_value = follows.strip_suffix(':').is_some_and(|name| name.ends_with(['"', '\'', '`']));
    let is_argument = before
        .strip_suffix('(')
        .is_some_and(|name| name.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
    let touches = before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let is_member = touches
        && after
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '_'));
    follows.ends_with(OPERATORS)
        || after.trim_start_matches(' ').starts_with(OPERATORS)
        || is_value
        || is_argument
        || is_member
        || is_index(before)
}

/// Returns what has a mark's form at `at`, whatever stands around it.
fn bracket_at(text: &str, at: usize) -> Option<Form> {
    let rest = &text[at..];
    let is_corner = rest.starts_with('【');
    let (open, close) = if is_corner { ('【', '】') } else { ('[', ']') };
    let rest = rest.strip_prefix(open)?;
    let near = &rest[..rest.floor_char_boundary(MARK_BYTES_MAX)];
    let inner = &near[..near.find(close)?];
    let mut end = at + open.len_utf8() + inner.len() + close.len_utf8();
    let inner = match inner.strip_prefix('[') {
        Some(doubled) if !is_corner && text[end..].starts_with(']') => {
            end += 1;
            doubled
        }
        _ => inner,
    };
    if is_dagger(inner) || inner == CITE_START {
        return Some(Form { end, numbers: Vec::new() });
    }
    Some(Form { end, numbers: numbers(inner)? })
}

/// Returns whether the whole of a text is one mark in brackets.
pub(in crate::answer) fn is_mark(text: &str) -> bool {
    form_at(text, 0).is_some_and(|form| form.end == text.len())
}

/// Returns the number that is the whole of a text.
pub(super) fn number(text: &str) -> Option<usize> {
    let is_number = (1..=DIGITS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0');
    if is_number { text.parse().ok() } else { None }
}

/// Whether a bracket behind `before` is the index of an array: `a[1]`, `my_list[2]`.
fn is_index(before: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &before[before.trim_end_matches(is_part).len()..];
    // A letter that ends a longer word of another script is none.
    let is_whole = !before[..before.len() - name.len()].ends_with(char::is_alphanumeric);
    let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    let is_variable = before[..before.len() - name.len()].ends_with('$');
    is_name && (is_variable || is_whole && (name.contains('_') || name.len() == 1))
}

/// `4:0†source`, `4†L1-L9`: a place in the engine's own listing.
fn is_dagger(inner: &str) -> bool {
    inner.split_once('†').is_some_and(|(place, _)| {
        place.split(':').count() <= 2
            && place.split(':').all(|number| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
    })
}

/// The numbers of `1, 2`, `4-5`, `web:1, web:2` or `cite: 1, 2`.
fn numbers(inner: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in inner.split([',', ';', '，', '、']) {
        let part = part.trim();
        let part = match part.split_once(':') {
            Some((word, rest)) => {
                WORDS.iter().find(|known| known.eq_ignore_ascii_case(word))?;
                rest.trim()
            }
            None => part,
        };
        // Bing's form; with one caret it is a footnote.
        let part = match part.strip_prefix('^') {
            Some(rest) => rest.strip_suffix('^')?,
            None => part,
        };
        match part.split_once(['-', '–']) {
            Some((first, last)) => {
                let (first, last) = (number(first.trim())?, number(last.trim())?);
                if first >= last || last - first >= RANGE_NUMBERS_MAX {
                    return None;
                }
                numbers.extend(first..=last);
            }
            None => numbers.push(number(part)?),
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<usize>> {
        form_at(text, 0).filter(|form| form.end == text.len()).map(|form| form.numbers)
    }

    #[test]
    fn marks_name_their_numbers() {
        for (text, numbers) in [
            ("[7]", vec![7]),
            ("[[7]]", vec![7]),
            ("[1, 2]", vec![1, 2]),
            ("[1,2; 3]", vec![1, 2, 3]),
            ("[4-6]", vec![4, 5, 6]),
            ("[4 – 5, 9]", vec![4, 5, 9]),
            ("[web:7]", vec![7]),
            ("[web:1, web:2]", vec![1, 2]),
            ("[cite: 1, 2]", vec![1, 2]),
            ("[Source: 3]", vec![3]),
            ("[^1^]", vec![1]),
            ("【1】", vec![1]),
            ("【1、2】", vec![1, 2]),
            ("【4:0†source】", vec![]),
            ("[4†L1-L9]", vec![]),
            ("[cite_start]", vec![]),
        ] {
            assert_eq!(read(text), Some(numbers), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_none() {
        for text in [
            "[2024]",
            "[a]",
            "[0]",
            "[01]",
            "[x:1]",
            "[]",
            "[",
            "[^1]",
            "[^note]",
            "[5-4]",
            "[1-900]",
            "[1](x",
            "[1][name]",
            "[1] = 2",
            "[Smith†]",
            "[x] ",
            "【标题】",
            "【",
            "[1.2]",
            "[-1]",
            "[1, a]",
            "[1 2]",
            "(1)",
            "",
        ] {
            assert_eq!(form_at(text, 0), None, "{text}");
        }
        for text in [
            "a[1]",
            "(x[2]",
            "my_list[3]",
            "_[1]",
            "nums = [1, 2, 3], target = 3",
            "{\"a\": [1, 2]}",
            "print([1, 2])",
            "x ∈ [1, 2]",
            "arr[2]=z",
            "file[1].txt",
            "$row[1]",
            "[1,2] × [1,3]",
        ] {
            assert_eq!(form_at(text, text.find('[').unwrap()), None, "{text}");
        }
        for text in ["Paris[1]", "4[1]", "4.0.6[1]", "é[1]", "巴黎[1]", "so.[1]", "éa[1]"] {
            assert!(form_at(text, text.find('[').unwrap()).is_some(), "{text}");
        }
    }
}
