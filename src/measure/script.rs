//! The scripts that differ in how words begin and end.

/// A script, as far as the rules of words differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Digits and whatever belongs to no script.
    Common,
    Latin,
    Greek,
    Cyrillic,
    Han,
    Hiragana,
    Katakana,
    Hangul,
    /// Thai, Lao, Khmer and Burmese: written without spaces between words.
    SouthEastAsian,
    Arabic,
    Hebrew,
    Other,
}

impl Script {
    pub(crate) fn of(c: char) -> Script {
        match c as u32 {
            0x41..=0x5A | 0x61..=0x7A | 0xAA | 0xBA | 0xC0..=0xD6 | 0xD8..=0xF6 => Script::Latin,
            0xF8..=0x2AF | 0x1E00..=0x1EFF | 0x2C60..=0x2C7F | 0xA720..=0xA7FF => Script::Latin,
            0x370..=0x3FF | 0x1F00..=0x1FFF if c.is_alphabetic() => Script::Greek,
            0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Script::Cyrillic,
            0x590..=0x5FF | 0xFB1D..=0xFB4F => Script::Hebrew,
            0x600..=0x6FF | 0x750..=0x77F | 0x8A0..=0x8FF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC
                if !c.is_numeric() =>
            {
                Script::Arabic
            }
            0xE00..=0xEFF | 0x1000..=0x109F | 0x1780..=0x17FF if !c.is_numeric() => {
                Script::SouthEastAsian
            }
            0x3041..=0x309F => Script::Hiragana,
            0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F => {
                Script::Katakana
            }
            0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3400..=0x4DBF | 0x4E00..=0x9FFF => Script::Han,
            0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF => Script::Han,
            0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xAC00..=0xD7FF => Script::Hangul,
            _ if c.is_alphabetic() => Script::Other,
            _ => Script::Common,
        }
    }

    /// Returns whether accents are folded: elsewhere a mark makes another letter.
    pub(crate) fn folds_accents(self) -> bool {
        self.has_case()
    }

    fn has_case(self) -> bool {
        matches!(self, Script::Latin | Script::Greek | Script::Cyrillic)
    }

    /// Returns whether its words stand without spaces between them.
    pub(crate) fn is_unspaced(self) -> bool {
        matches!(self, Script::Han | Script::Hiragana | Script::Katakana | Script::SouthEastAsian)
    }

    /// Returns whether a word ends between letters of two scripts. Inside of a run of katakana none
    /// does (UAX #29, rule WB13), inside of the other unspaced scripts everywhere.
    pub(crate) fn breaks_before(self, next: Script) -> bool {
        if self == next {
            return self.is_unspaced() && self != Script::Katakana;
        }
        match (self, next) {
            (Script::Common, other) | (other, Script::Common) => other.is_unspaced(),
            // One letter of another alphabet in a word is a look-alike, not the end of a word.
            (one, other) => !(one.has_case() && other.has_case()),
        }
    }
}
