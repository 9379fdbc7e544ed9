//! How many columns of a terminal a text takes, and texts that are made to fit.

use unicode_normalization::char::is_combining_mark;

/// Characters that take two columns: East Asian Wide and Fullwidth (UAX #11), and emoji.
const WIDE: [(u32, u32); 13] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x2e80, 0x303e),
    (0x3041, 0x4dbf),
    (0x4e00, 0xa4cf),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1f64f),
    (0x1f680, 0x1faff),
    (0x20000, 0x3fffd),
];
/// What stands for text that was cut off.
const ELLIPSIS: char = '…';

/// Returns the columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(char: char) -> usize {
    // Joiners and selectors of emoji take none.
    if is_combining_mark(char) || matches!(char, '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}')
    {
        return 0;
    }
    let code = u32::from(char);
    if WIDE.iter().any(|(first, last)| (*first..=*last).contains(&code)) { 2 } else { 1 }
}

/// Returns a text that takes at most this many columns, with an ellipsis where some is missing.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = |char: &char| {
        let fits = columns_of(*char) <= left;
        left = if fits { left - columns_of(*char) } else { 0 };
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    kept.trim_end().to_owned() + &String::from(ELLIPSIS)
}

/// Returns a text in lines of at most this many columns, broken between words; a longer word stays
/// whole.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        for (text, columns) in [("", 0), ("abc", 3), ("東京", 4), ("e\u{301}", 1), ("👍", 2)] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_ends_with_an_ellipsis() {
        assert_eq!(cut("practice", 8), "practice");
        assert_eq!(cut("practices", 8), "practic…");
        assert_eq!(cut("ab cd", 4), "ab…");
        assert_eq!(cut("東京タワー", 6), "東京…");
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("set the variable X", 8), ["set the", "variable", "X"]);
        assert_eq!(wrapped("averylongword a", 4), ["averylongword", "a"]);
    }
}
