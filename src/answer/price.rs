//! Reads the price of a product card: the amount as a decimal string where the text leaves no
//! doubt, and the currency where it names one. A price that could mean two amounts has none.

mod currency;

use self::currency::{Currency, Grouping};

/// The most digits of an amount; no price of a product has more.
const DIGITS_MAX: usize = 15;
/// Stands in the place of the cents where there are none: `129,-`, `1.299,–`. Of two that fit the
/// later is the longer.
const NO_CENTS: &[&str] = &[",-", ",–", ",—", ",--", ".-", ".–", ".—", ".--", ":-", ":–", "/-"];
/// How many digits stand between two separators of thousands.
const GROUP_DIGITS: usize = 3;
/// How many stand before the last group where lakhs are counted: `12,34,567`.
const LAKH_DIGITS: usize = 2;
/// The most digits of cents; a few currencies have three.
const CENTS_DIGITS_MAX: usize = 3;

/// An amount of money as a text names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    /// Digits with a point before the cents, such as `2699.99`.
    pub amount: Option<String>,
    /// The code of ISO 4217. A sign that several countries use, such as `$`, names no currency.
    pub currency: Option<&'static str>,
}

/// Returns the amount and the currency of a price as a shop writes it. A range, a lower bound, a
/// price per unit and every other text with words in it has neither.
pub(super) fn read(raw: &str) -> Amount {
    let text: String = raw.chars().filter_map(plain).collect();
    let Some(Parts { before, number, after }) = split(&text) else { return Amount::default() };
    let mut named: Vec<Currency> = Vec::with_capacity(2);
    for sign in [before, after].into_iter().filter(|sign| !sign.is_empty()) {
        let Some(known) = currency::by_sign(sign) else { return Amount::default() };
        named.push(known);
    }
    let mut codes: Vec<&'static str> = named.iter().filter_map(|known| known.code).collect();
    codes.dedup();
    // Two currencies contradict each other: the price has none.
    if codes.len() > 1 {
        return Amount::default();
    }
    let known = named.iter().find(|known| known.code.is_some()).or(named.first()).copied();
    Amount { amount: amount(number, known, !before.is_empty()), currency: codes.first().copied() }
}

/// A price in three parts, each without blanks around it.
struct Parts<'a> {
    before: &'a str,
    number: &'a str,
    after: &'a str,
}

/// Returns what stands before and after the one number of a text; `None` where it has none or two.
fn split(text: &str) -> Option<Parts<'_>> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let last = text.rfind(|c: char| c.is_ascii_digit())?;
    let number = &text[start..=last];
    let is_one = number.chars().all(|c| c.is_ascii_digit() || is_separator(c));
    let mut after = text[last + 1..].trim();
    if let Some(rest) = NO_CENTS.iter().filter_map(|none| after.strip_prefix(none)).next_back() {
        after = rest.trim_start();
    }
    is_one.then(|| Parts { before: text[..start].trim(), number, after })
}

/// Returns the amount of digits and separators, where it can be only one.
fn amount(number: &str, known: Option<Currency>, is_sign_first: bool) -> Option<String> {
    if number.bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX {
        return None;
    }
    let last = number.rfind(['.', ',', '٫']);
    let Some(last) = last else { return grouped(number) };
    let (whole, cents) = (&number[..last], &number[last..]);
    let separator = cents.chars().next()?;
    let cents = &cents[separator.len_utf8()..];
    // What divides thousands would have to stand between every three digits.
    let repeats = whole.contains(separator);
    if repeats || cents.contains([' ', '\'', '٬']) {
        return if repeats { grouped(number) } else { None };
    }
    let is_plain = whole.bytes().all(|byte| byte.is_ascii_digit());
    let is_group = cents.len() == GROUP_DIGITS
        && is_plain
        && whole.len() <= GROUP_DIGITS
        && !whole.starts_with('0')
        && separator != '٫';
    if is_group {
        let is_usual = known.is_some_and(|known| known.groups_by(separator, is_sign_first));
        return is_usual.then(|| format!("{whole}{cents}"));
    }
    let whole = grouped(whole)?;
    (1..=CENTS_DIGITS_MAX).contains(&cents.len()).then(|| format!("{whole}.{cents}"))
}

/// Returns a whole number whose separators, all the same, divide thousands or lakhs.
fn grouped(number: &str) -> Option<String> {
    let Some(separator) = number.chars().find(|c| !c.is_ascii_digit()) else {
        let digits = number.trim_start_matches('0');
        return Some(if digits.is_empty() { "0" } else { digits }.to_owned());
    };
    let groups: Vec<&str> = number.split(separator).collect();
    let are_digits = groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_digit()));
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let of = |digits: usize| middle.iter().all(|group| group.len() == digits);
    let is_sound = are_digits
        && last.len() == GROUP_DIGITS
        && !first.starts_with('0')
        && (of(GROUP_DIGITS) && (1..=GROUP_DIGITS).contains(&first.len())
            || separator == ',' && of(LAKH_DIGITS) && (1..=LAKH_DIGITS).contains(&first.len()));
    is_sound.then(|| groups.concat())
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',' | '\'' | ' ' | '٫' | '٬')
}

/// Returns a character in the form that is read here: digits of other scripts as ASCII, all blanks
/// and apostrophes alike; nothing for marks that only direct the text.
fn plain(c: char) -> Option<char> {
    let digit = |zero: char| {
        let value = u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10)?;
        char::from_digit(value, 10)
    };
    match c {
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{ad}' | '\u{2066}'..='\u{2069}' => None,
        '’' | '＇' | 'ʼ' => Some('\''),
        '．' => Some('.'),
        '，' => Some(','),
        _ if c.is_whitespace() => Some(' '),
        _ => Some(['٠', '۰', '०', '০', '０'].into_iter().find_map(digit).unwrap_or(c)),
    }
}

impl Currency {
    /// Returns whether prices in it divide thousands by this separator.
    fn groups_by(self, separator: char, is_sign_first: bool) -> bool {
        match self.grouping {
            Grouping::Comma => separator == ',',
            Grouping::Point => separator == '.',
            // "€1,299" is written in Ireland, "1,299 €" is a price of petrol.
            Grouping::PointOrLeadingComma => separator == '.' || is_sign_first && separator == ',',
            Grouping::Unsure => false,
        }
    }
}

#[cfg(test)]
mod tests;
