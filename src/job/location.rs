//! Where below its country a prompt is asked from, and on what device.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::invalid::{Invalid, Rule};
use crate::config::nearest;
use crate::country::{self, CITY_PEOPLE_MIN};

/// The longest `region` and `city`, in characters.
pub const PLACE_NAME_CHARS_MAX: usize = 100;
/// The longest `language` and `timezone`, in characters.
pub const PLACE_CODE_CHARS_MAX: usize = 64;

/// The place of a request below its country. All of it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// A state, province or county, as it is called in English or there.
    pub region: Option<String>,
    pub city: Option<String>,
    /// A BCP 47 tag such as `de` or `pt-BR`.
    pub language: Option<String>,
    /// An IANA time zone such as `Europe/Berlin`.
    pub timezone: Option<String>,
    pub device: Option<Device>,
    /// Whether an upstream that cannot apply the place is passed over.
    pub strict: bool,
}

impl Location {
    /// Returns whether nothing of a place is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Location::default()
    }

    /// Returns the texts of the place, in a fixed order.
    pub fn parts(&self) -> [Option<&str>; 5] {
        let Location { region, city, language, timezone, device, strict: _ } = self;
        let texts = [region, city, language, timezone].map(Option::as_deref);
        let [region, city, language, timezone] = texts;
        [region, city, language, timezone, device.map(Device::word)]
    }
}

/// The device that a prompt is asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Desktop,
    Mobile,
}

impl Device {
    pub const WORDS: &[&str] = &["desktop", "mobile"];

    /// Returns the word for it in requests.
    pub const fn word(self) -> &'static str {
        match self {
            Device::Desktop => "desktop",
            Device::Mobile => "mobile",
        }
    }

    /// Returns the device that a word names.
    pub fn named(word: &str) -> Option<Device> {
        [Device::Desktop, Device::Mobile].into_iter().find(|device| device.word() == word)
    }
}

/// Checks the name of a region or a city, in any script; an empty one is none. It is composed
/// (NFC), so that each name has one spelling.
///
/// # Errors
/// Returns an error if it is too long, has no letter, or holds what no name of a place does.
pub(super) fn check_name(
    rule: Rule,
    name: &'static str,
    value: Option<String>,
) -> Result<Option<String>, Invalid> {
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else { return Ok(None) };
    let composed: String = value.trim().nfc().collect();
    // It goes into sentences to a model and into vendors' lists of names: no quotes, no markup.
    let is_of_a_name =
        |c: char| c.is_alphanumeric() || is_combining_mark(c) || " '’ʻ‘.,-–‐()/&·".contains(c);
    let is_name = composed.chars().all(is_of_a_name) && composed.contains(char::is_alphabetic);
    if !is_name || composed.chars().count() > PLACE_NAME_CHARS_MAX {
        let must_be = format!(
            "the name of a place: at most {PLACE_NAME_CHARS_MAX} characters, without control \
             characters, brackets or quotes"
        );
        return Err(Invalid::parameter(rule, name, &must_be, &value));
    }
    Ok(Some(composed))
}

/// Checks the name of a city, as [`check_name`] does. Where cities of the country are known, it is
/// one of them.
///
/// # Errors
/// Returns an error if it is no name of a place, or no known city of the country; it names the
/// nearest that is.
pub(super) fn check_city(value: Option<String>, alpha_2: &str) -> Result<Option<String>, Invalid> {
    let Some(city) = check_name(Rule::CityInvalid, "city", value)? else { return Ok(None) };
    let country = country::of(alpha_2);
    let known: Vec<&str> = country.cities().map(|city| city.name).collect();
    if known.is_empty() || country.city(&city).is_some() {
        return Ok(Some(city));
    }
    let near = nearest(&city, &known).map(|near| format!(", such as `{near}`"));
    let near = near.unwrap_or_default();
    let must_be = format!("a city in {alpha_2} with {CITY_PEOPLE_MIN} people or more{near}");
    Err(Invalid::parameter(Rule::CityInvalid, "city", &must_be, &city))
}

/// Checks a language: a BCP 47 tag of a language that is known, and of a script or a region where
/// it has one. Returns it in its usual spelling.
///
/// # Errors
/// Returns an error if it is none.
pub(super) fn check_language(value: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let tag = country::language_tag(&value).filter(|tag| tag.len() <= PLACE_CODE_CHARS_MAX);
    tag.map(Some).ok_or_else(|| {
        let must_be = "the tag (BCP 47) of a known language, such as `de` or `pt-BR`";
        Invalid::parameter(Rule::LanguageInvalid, "language", must_be, &value)
    })
}

/// Checks a time zone. Returns it as the tz database spells it.
///
/// # Errors
/// Returns an error if the tz database has no such zone; it names the nearest that it has.
pub fn check_timezone(value: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let zone = country::time_zone(&value);
    zone.map(|zone| Some(zone.to_owned())).ok_or_else(|| {
        let short: String = value.chars().take(PLACE_CODE_CHARS_MAX).collect();
        let zones: Vec<&str> = country::time_zones().collect();
        let near = nearest(&short, &zones).unwrap_or("Europe/Berlin");
        let must_be = format!("an IANA time zone such as `{near}`");
        Invalid::parameter(Rule::TimezoneInvalid, "timezone", &must_be, &value)
    })
}

/// Checks a device.
///
/// # Errors
/// Returns an error if it is none of [`Device::WORDS`].
pub(super) fn check_device(value: Option<String>) -> Result<Option<Device>, Invalid> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    Device::named(&value).map(Some).ok_or_else(|| {
        Invalid::parameter(Rule::DeviceInvalid, "device", "`desktop` or `mobile`", &value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn city(name: &str) -> Result<Option<String>, Invalid> {
        check_name(Rule::CityInvalid, "city", Some(name.to_owned()))
    }

    #[test]
    fn names_of_places_are_taken_in_any_script_and_have_one_spelling() {
        for name in [
            "Springfield",
            "München",
            "São Paulo",
            "東京",
            "L'Aquila",
            "Hawaiʻi",
            "Saint-Étienne (Loire)",
            "القاهرة",
            "มหานคร",
            "1770",
        ] {
            let taken = city(name).map(Option::unwrap_or_default);
            let expected = (name != "1770").then(|| name.to_owned());
            assert_eq!(taken.ok(), expected, "{name}");
        }
        assert_eq!(city("  Mu\u{308}nchen ").unwrap().as_deref(), Some("M\u{fc}nchen"));
        assert_eq!(city(" ").unwrap(), None);
        assert_eq!(city(&"ü".repeat(PLACE_NAME_CHARS_MAX)).unwrap().unwrap().chars().count(), 100);
        for wrong in ["Austin\nIgnore", "<b>", "a\u{202e}b", "{city}", "x; y", "\"A\"", "--", "😀"]
        {
            let refused = city(wrong).unwrap_err();
            assert!(refused.sentence.starts_with("Parameter `city` must be"), "{refused}");
        }
        assert!(city(&"a".repeat(PLACE_NAME_CHARS_MAX + 1)).is_err());
    }

    #[test]
    fn unknown_languages_and_zones_are_refused_with_what_is_near() {
        let language = |tag: &str| check_language(Some(tag.to_owned()));
        assert_eq!(language("PT-br").unwrap().as_deref(), Some("pt-BR"));
        assert_eq!(language("").unwrap(), None);
        for wrong in
            ["xx", "german", "de-XX", "de_DE", "d", &format!("de{}", "-abcdefgh".repeat(8))]
        {
            let refused = language(wrong).unwrap_err();
            assert!(refused.sentence.contains("a known language"), "{refused}");
        }
        let zone = |name: &str| check_timezone(Some(name.to_owned()));
        assert_eq!(zone("america/chicago").unwrap().as_deref(), Some("America/Chicago"));
        let refused = zone("Europe/Berln").unwrap_err().sentence;
        assert!(refused.contains("such as `Europe/Berlin`; given: `Europe/Berln`"), "{refused}");
        assert!(zone(&"x".repeat(10_000)).unwrap_err().sentence.len() < 300);
    }

    #[test]
    fn a_city_is_one_of_its_country() {
        let city = |name: &str, country: &str| check_city(Some(name.to_owned()), country);
        assert_eq!(city("munchen", "DE").unwrap().as_deref(), Some("munchen"));
        assert_eq!(city("Camp", "AQ").unwrap().as_deref(), Some("Camp"), "no city is known there");
        assert_eq!(
            city("Austinn", "US").unwrap_err().sentence,
            "Parameter `city` must be a city in US with 5000 people or more, such as `Austin`; \
             given: `Austinn`."
        );
        assert_eq!(city("Munich", "FR").unwrap_err().rule, Rule::CityInvalid);
    }
}
