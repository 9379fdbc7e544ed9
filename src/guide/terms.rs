//! Text to search terms: words are normalized, lightly stemmed, and known as stop words or not.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::vocabulary::{COMPOUNDS, IRREGULAR, SYNONYMS, is_stop_word};

/// Words longer than this are cut.
const WORD_CHARS_MAX: usize = 64;

/// A word of a text as it is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The word, normalized, as a person would recognize it.
    pub word: String,
    /// What is compared.
    pub stem: String,
    pub stop: bool,
}

/// Returns the terms of a text in order. A name such as `retention_hours` gives itself and its
/// parts.
pub(crate) fn terms(text: &str) -> Vec<Term> {
    let mut found = Vec::new();
    for name in joined(words(text)) {
        if name.contains('_') {
            found.extend(name.split('_').filter(|part| !part.is_empty()).map(term));
        }
        found.push(term(&name));
    }
    found
}

/// Returns the words that may stand for one with this stem, without itself.
pub(crate) fn synonyms(stem: &str) -> impl Iterator<Item = Term> {
    static GROUPS: LazyLock<Vec<Vec<Term>>> = LazyLock::new(|| {
        SYNONYMS.iter().map(|group| group.iter().map(|word| term(word)).collect()).collect()
    });
    let groups = GROUPS.iter().filter(move |group| group.iter().any(|it| it.stem == stem));
    groups.flatten().filter(move |other| other.stem != stem).cloned()
}

fn term(word: &str) -> Term {
    Term { word: word.to_owned(), stem: stem(word), stop: is_stop_word(word) }
}

/// Returns the words of a text: letters, digits and `_`, in lower case and without accents.
fn words(text: &str) -> Vec<String> {
    let plain: String = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
    };
    let words =
        plain.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '\'' | '\u{2019}'));
    let words = words.map(|word| word.replace(['\'', '\u{2019}'], ""));
    let words = words.map(|word| word.trim_matches('_').chars().take(WORD_CHARS_MAX).collect());
    words.filter(|word: &String| !word.is_empty()).collect()
}

/// Joins what is written as two words or as one.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let compound = COMPOUNDS.iter().find(|(first, second, _)| {
            *second == word && joined.last().is_some_and(|last| last == first)
        });
        match (compound, joined.last_mut()) {
            (Some((_, _, whole)), Some(last)) => (*whole).clone_into(last),
            _ => joined.push(word),
        }
    }
    joined
}

/// Returns a light stem: the common endings of English go, so that "stored", "stores" and "storing"
/// meet. It need not be a word, only the same for words that belong together.
pub(crate) fn stem(word: &str) -> String {
    if let Some((_, known)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*known).to_owned();
    }
    // Endings are looked up by byte; names, numbers and other scripts are left as they are.
    if word.len() <= 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let base = without_ending(without_plural(word));
    match base.strip_suffix(['e', 'y']).filter(|_| base.len() > 3) {
        Some(short) if base.ends_with('y') => format!("{short}i"),
        Some(short) => short.to_owned(),
        None => base.to_owned(),
    }
}

fn without_plural(word: &str) -> &str {
    let hissing = ["ies", "sses", "xes", "ches", "shes", "zes"];
    if word.len() > 4 && hissing.iter().any(|ending| word.ends_with(ending)) {
        // "retries" to "retri", which "retry" becomes too.
        return &word[..word.len() - 2];
    }
    let singular = word.ends_with("ss") || word.ends_with("us") || word.ends_with("is");
    word.strip_suffix('s').filter(|_| !singular).unwrap_or(word)
}

fn without_ending(word: &str) -> &str {
    for ending in ["ing", "ed"] {
        let Some(base) = word.strip_suffix(ending) else { continue };
        let has_vowel = base.contains(['a', 'e', 'i', 'o', 'u', 'y']);
        if base.len() >= 3 && !word.ends_with("eed") && has_vowel {
            return without_doubling(base);
        }
    }
    for ending in ["ation", "ate", "ion"] {
        if let Some(base) = word.strip_suffix(ending).filter(|base| base.len() >= 4) {
            return base;
        }
    }
    word
}

/// "stopp" to "stop", and "migrat" (of "migrated") to "migr", as "migrate" gives it.
fn without_doubling(base: &str) -> &str {
    if let [.., before, last] = base.as_bytes()
        && before == last
        && !matches!(last, b'l' | b's' | b'e' | b'o')
    {
        return &base[..base.len() - 1];
    }
    base.strip_suffix("at").filter(|rest| rest.len() >= 4).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_belong_together_meet() {
        for group in [
            &["store", "stores", "stored", "storing"][..],
            &["retry", "retries", "retried"],
            &["configure", "configured", "configuration"],
            &["stop", "stopped", "stopping", "stops"],
            &["migrate", "migrated", "migrating", "migration"],
            &["kept", "keep", "keeps", "keeping"],
            &["fail", "fails", "failed", "failure", "failures"],
            &["cache", "caches", "cached", "caching"],
            &["expire", "expired", "expires", "expiry"],
            &["delete", "deleted", "deletion"],
            &["address", "addresses"],
        ] {
            for word in group {
                assert_eq!(stem(word), stem(group[0]), "{word} of {group:?}");
            }
        }
        assert_ne!(stem("need"), stem("ne"));
        assert_ne!(stem("status"), stem("statu"));
    }

    #[test]
    fn text_becomes_normalized_words() {
        let words: Vec<String> =
            terms("Ｄon’t CAFÉ `retention_hours`?").into_iter().map(|term| term.word).collect();
        assert_eq!(words, ["dont", "cafe", "retention", "hours", "retention_hours"]);
        assert_eq!(terms("back up the store")[0].word, "backup");
        assert!(terms(" \t?!").is_empty());
        assert_eq!(terms(&"x".repeat(5_000))[0].word.len(), WORD_CHARS_MAX);
    }

    #[test]
    fn words_of_a_question_are_told_from_its_subject() {
        assert!(terms("How do I").iter().all(|term| term.stop));
        assert!(terms("retry answerd").iter().all(|term| !term.stop));
    }

    #[test]
    fn synonyms_leave_the_word_itself_out() {
        let price = stem("prices");
        assert!(synonyms(&price).any(|term| term.word == "credit"));
        assert!(synonyms(&price).all(|term| term.word != "price"));
    }
}
