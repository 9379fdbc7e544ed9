//! A text as names are looked for in it: letters folded, each with its place in the text.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{
    canonical_combining_class, decompose_canonical, is_combining_mark,
};

use super::script::Script;

/// A letter of a folded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Without accents where the script folds them, in the case of the text.
    pub exact: char,
    /// The same in lower case.
    pub folded: char,
    /// Where it begins in the text, bytes.
    pub at: usize,
}

impl Unit {
    /// Returns whether it belongs to a word: a letter, a digit, a mark or an underscore (UAX #29).
    pub(crate) fn is_word(self) -> bool {
        let c = self.exact;
        c.is_alphanumeric() || c == '_' || is_combining_mark(c)
    }

    pub(crate) fn is_digit(self) -> bool {
        self.exact.is_numeric()
    }

    pub(crate) fn script(self) -> Script {
        Script::of(self.exact)
    }
}

/// Returns the folded letters of a text. A letter with its marks is composed first, so that both
/// ways of writing it are one; spaces of any width are one kind, as are hyphens and apostrophes.
pub(super) fn fold(text: &str) -> Vec<Unit> {
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    let mut cluster = String::new();
    while let Some((at, first)) = chars.next() {
        if is_ignored(first) {
            continue;
        }
        let next = chars.peek().map(|(_, next)| *next);
        if first.is_ascii() && next.is_none_or(|next| next.is_ascii()) {
            push(&mut units, at, first);
            continue;
        }
        cluster.clear();
        cluster.push(first);
        while let Some((_, next)) = chars.next_if(|(_, next)| extends(*next)) {
            cluster.push(next);
        }
        for composed in cluster.nfc() {
            push_folded(&mut units, at, composed);
        }
    }
    units
}

/// Returns whether a character is written together with the one before it.
fn extends(c: char) -> bool {
    canonical_combining_class(c) != 0 || matches!(c, '\u{1160}'..='\u{11FF}')
}

/// Returns whether nothing is seen of a character: soft hyphens, joiners, marks of direction,
/// variation selectors, and the stroke that only makes an Arabic word longer.
fn is_ignored(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{640}'
            | '\u{200C}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
    )
}

fn push_folded(units: &mut Vec<Unit>, at: usize, c: char) {
    if !Script::of(c).folds_accents() {
        let c = plain(c);
        match c {
            '\u{FB00}'..='\u{FB06}' => {
                std::iter::once(c).nfkd().for_each(|part| push(units, at, part));
            }
            _ if is_combining_mark(c)
                && units.last().is_some_and(|it| it.script().folds_accents()) => {}
            _ => push(units, at, c),
        }
        return;
    }
    decompose_canonical(c, |part| {
        if !is_combining_mark(part) {
            for letter in letters(part).chars() {
                push(units, at, letter);
            }
            if letters(part).is_empty() {
                push(units, at, part);
            }
        }
    });
}

/// Returns what is written for a letter by those who do not have it; nothing for most.
fn letters(c: char) -> &'static str {
    match c {
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' => "d",
        'Đ' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ı' => "i",
        'ς' => "σ",
        _ => "",
    }
}

/// Returns the one spelling of characters that are written in several.
fn plain(c: char) -> char {
    match c {
        '\u{2010}' | '\u{2011}' | '\u{FE63}' => '-',
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{2BC}' | '\u{2032}' => '\'',
        // Full-width forms of ASCII.
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => ' ',
        '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        _ => c,
    }
}

fn push(units: &mut Vec<Unit>, at: usize, c: char) {
    let exact = if c == '\t' { ' ' } else { c };
    units.extend(exact.to_lowercase().map(|folded| Unit { exact, folded, at }));
}
