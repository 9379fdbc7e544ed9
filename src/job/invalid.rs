//! A parameter that breaks its rule, and the sentence about it.

/// The rules of parameters; `api::ErrorCode` has the code of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    PromptMissing,
    PromptBlank,
    PromptTooLong,
    PromptInvalid,
    CountryInvalid,
    CountryRefused,
    TimeoutInvalid,
    ModeInvalid,
    LabelInvalid,
    StartWithinInvalid,
    SamplesInvalid,
    WebhookUrlInvalid,
    IdempotencyKeyInvalid,
    RegionInvalid,
    CityInvalid,
    LanguageInvalid,
    TimezoneInvalid,
    DeviceInvalid,
    ModelInvalid,
    ModelRefused,
    KindInvalid,
    KindRefused,
    RequireSearchInvalid,
    RetainHoursInvalid,
    TrackInvalid,
}

/// A parameter that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Invalid {
    pub rule: Rule,
    /// Names the parameter, its rule and the value given.
    pub sentence: String,
}

impl Invalid {
    pub fn new(rule: Rule, sentence: String) -> Invalid {
        Invalid { rule, sentence }
    }

    pub(super) fn parameter(rule: Rule, name: &str, must_be: &str, given: &str) -> Invalid {
        Invalid::new(rule, broken_rule(name, must_be, given))
    }
}

/// Returns the sentence of a parameter that breaks its rule.
pub fn broken_rule(name: &str, rule: &str, given: &str) -> String {
    format!("Parameter `{name}` must be {rule}; given: {}.", quoted(given))
}

/// Quotes a value for a sentence, shortened to 60 characters.
pub fn quoted(value: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut short: String = value
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if value.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}
