//! Where below its country a prompt is asked from, and on what device.

use super::invalid::{Invalid, Rule};

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

/// Checks the name of a region or a city; an empty one is none.
///
/// # Errors
/// Returns an error if it is too long, or holds what no name of a place does.
pub(super) fn check_name(
    rule: Rule,
    name: &'static str,
    value: Option<String>,
) -> Result<Option<String>, Invalid> {
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else { return Ok(None) };
    let value = value.trim();
    let is_name = !value.contains(|c: char| c.is_control() || "<>{}[]|\\\"`".contains(c));
    if !is_name || value.chars().count() > PLACE_NAME_CHARS_MAX {
        let must_be = format!(
            "the name of a place: at most {PLACE_NAME_CHARS_MAX} characters, without control \
             characters, brackets or quotes"
        );
        return Err(Invalid::parameter(rule, name, &must_be, value));
    }
    Ok(Some(value.to_owned()))
}

/// Checks a language: a BCP 47 tag of a language, and of a script or a region where it has one.
///
/// # Errors
/// Returns an error if it is none.
pub(super) fn check_language(value: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let mut parts = value.split('-');
    let language = parts.next().unwrap_or_default();
    let is_language = (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    if !is_language || value.len() > PLACE_CODE_CHARS_MAX {
        let must_be = "a language tag (BCP 47) such as `de` or `pt-BR`";
        return Err(Invalid::parameter(Rule::LanguageInvalid, "language", must_be, &value));
    }
    Ok(Some(value))
}

/// Checks a time zone.
///
/// # Errors
/// Returns an error if it has not the form of a name in the tz database.
pub(super) fn check_timezone(value: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let is_form = value.split_once('/').is_some_and(|(area, place)| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte);
        !area.is_empty()
            && !place.is_empty()
            && area.bytes().all(is_word)
            && place.bytes().all(|byte| is_word(byte) || byte == b'/')
    });
    if !is_form || value.len() > PLACE_CODE_CHARS_MAX {
        let must_be = "an IANA time zone such as `Europe/Berlin`";
        return Err(Invalid::parameter(Rule::TimezoneInvalid, "timezone", must_be, &value));
    }
    Ok(Some(value))
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
