//! A scrape as a client asks for it: the typed parameters, their rules, and the checked request. Contract
//! 1.3.

use super::batch::SAMPLES_MAX;
use super::webhook_url::check_webhook_url;
use crate::country;

/// The longest prompt, in Unicode scalar values (contract 1.3).
pub const PROMPT_CHARS_MAX: usize = 4_000;
/// Bounds and default of `timeout`, in seconds (contract 1.3).
pub const TIMEOUT_SECONDS_MIN: f64 = 10.0;
pub const TIMEOUT_SECONDS_MAX: f64 = 600.0;
pub const TIMEOUT_SECONDS_DEFAULT: f64 = 300.0;
/// The longest `mode`, in characters.
pub const MODE_CHARS_MAX: usize = 64;
/// The longest `label`, in characters (contract part 2).
pub const LABEL_CHARS_MAX: usize = 200;
/// Bounds of `start_within`, in seconds (contract part 2).
pub const START_WITHIN_SECONDS_MIN: f64 = 1.0;
pub const START_WITHIN_SECONDS_MAX: f64 = 86_400.0;
/// The longest `Idempotency-Key`, in characters (contract part 2).
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

/// A checked request for one scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeRequest {
    /// A configured scraper's name.
    pub scraper: String,
    /// 1 to [`PROMPT_CHARS_MAX`] characters, not blank, as the client sent it.
    pub prompt: String,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    pub bypass_cache: bool,
    /// The time one attempt may take (for an interactive call: the whole scrape), milliseconds.
    pub timeout_ms: u32,
    pub web_search: bool,
    pub markdown_json: bool,
    pub mode: Option<String>,
}

/// How a job is handled. Nothing here shapes the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handling {
    /// A word of the client's; at most [`LABEL_CHARS_MAX`] characters.
    pub label: Option<String>,
    /// The time inside which the first attempt must start, milliseconds.
    pub start_within_ms: Option<u32>,
    /// Identifies repeated submits; see [`check_idempotency_key`].
    pub idempotency_key: Option<String>,
    /// Where the webhook of the job goes; see [`super::check_webhook_url`].
    pub webhook_url: Option<String>,
    /// Whether the job goes ahead of queued ones, though no connection waits for it.
    pub interactive: bool,
}

/// Hashes of an idempotency key and of the request that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Of the account and the key.
    pub key_hash: u128,
    /// Of the whole request.
    pub request_hash: u128,
}

/// The bytes that requests are told apart by. The patterns name every field, so that a new one does not
/// compile until it is decided here. It is fed only where it is given: the hashes of earlier requests, which
/// are stored, stay as they are.
impl ScrapeRequest {
    /// Feeds all that shapes the answer to the hash of the cache.
    pub fn feed_answer(&self, feed: &mut impl FnMut(&[u8])) {
        let ScrapeRequest {
            scraper,
            prompt,
            country,
            bypass_cache: _,
            timeout_ms: _,
            web_search,
            markdown_json,
            mode,
        } = self;
        for part in [scraper, country, mode.as_deref().unwrap_or_default()] {
            feed(&(part.len() as u64).to_be_bytes());
            feed(part.as_bytes());
        }
        feed(&[u8::from(*web_search), u8::from(*markdown_json)]);
        feed(prompt.as_bytes());
    }

    /// Feeds all that is asked for, part by part, to the hash of an idempotency key's request.
    pub fn feed_asked(&self, handling: &Handling, feed: &mut impl FnMut(&[u8])) {
        let ScrapeRequest {
            scraper,
            prompt,
            country,
            bypass_cache,
            timeout_ms,
            web_search,
            markdown_json,
            mode,
        } = self;
        let Handling { label, start_within_ms, idempotency_key: _, webhook_url, interactive } =
            handling;
        for part in [scraper, prompt, country] {
            feed(part.as_bytes());
        }
        feed(&timeout_ms.to_be_bytes());
        feed(&[*bypass_cache, *web_search, *markdown_json].map(u8::from));
        for part in [mode, label] {
            feed(part.as_deref().unwrap_or_default().as_bytes());
        }
        feed(&start_within_ms.unwrap_or_default().to_be_bytes());
        feed(webhook_url.as_deref().unwrap_or_default().as_bytes());
        if *interactive {
            feed(b"interactive");
        }
    }
}

/// The parameters of a scrape: typed, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawRequest {
    pub prompt: Option<String>,
    pub country: Option<String>,
    pub bypass_cache: Option<bool>,
    /// Seconds.
    pub timeout: Option<f64>,
    pub web_search: Option<bool>,
    pub markdown_json: Option<bool>,
    pub mode: Option<String>,
    pub label: Option<String>,
    /// Seconds.
    pub start_within: Option<f64>,
    /// How many scrapes of the same to make, as a batch.
    pub samples: Option<usize>,
    pub webhook_url: Option<String>,
    pub interactive: Option<bool>,
}

/// The request as a client would make it again.
impl From<&ScrapeRequest> for RawRequest {
    fn from(request: &ScrapeRequest) -> RawRequest {
        let ScrapeRequest {
            scraper: _,
            prompt,
            country,
            bypass_cache,
            timeout_ms,
            web_search,
            markdown_json,
            mode,
        } = request;
        RawRequest {
            prompt: Some(prompt.clone()),
            country: Some(country.clone()),
            bypass_cache: Some(*bypass_cache),
            timeout: Some(f64::from(*timeout_ms) / 1000.0),
            web_search: Some(*web_search),
            markdown_json: Some(*markdown_json),
            mode: mode.clone(),
            ..RawRequest::default()
        }
    }
}

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

    fn parameter(rule: Rule, name: &str, must_be: &str, given: &str) -> Invalid {
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

impl RawRequest {
    /// Checks and takes the parameters that say how the job is handled (contract part 2).
    ///
    /// # Errors
    /// Returns an error if a parameter breaks its rule: that of the first one.
    pub fn take_handling(&mut self) -> Result<Handling, Invalid> {
        Ok(Handling {
            label: check_label(self.label.take())?,
            start_within_ms: check_start_within(self.start_within.take())?,
            idempotency_key: None,
            webhook_url: self.webhook_url.take().map(|url| check_webhook_url(&url)).transpose()?,
            interactive: self.interactive.take().unwrap_or(false),
        })
    }

    /// Checks every rule of contract 1.3 and fills in the defaults. `refused_countries` are those
    /// of the scraper, in upper case.
    ///
    /// # Errors
    /// Returns an error if a parameter breaks its rule: that of the first one.
    pub fn check(
        self,
        scraper: &str,
        refused_countries: &[String],
    ) -> Result<ScrapeRequest, Invalid> {
        let prompt = check_prompt(self.prompt)?;
        let country = check_country(self.country, scraper, refused_countries)?;
        let timeout_ms = check_timeout(self.timeout)?;
        let mode = check_mode(self.mode)?;
        Ok(ScrapeRequest {
            scraper: scraper.to_owned(),
            prompt,
            country,
            bypass_cache: self.bypass_cache.unwrap_or(false),
            timeout_ms,
            web_search: self.web_search.unwrap_or(true),
            markdown_json: self.markdown_json.unwrap_or(false),
            mode,
        })
    }
}

fn check_prompt(prompt: Option<String>) -> Result<String, Invalid> {
    let Some(prompt) = prompt else {
        return Err(Invalid::new(
            Rule::PromptMissing,
            format!("Parameter `prompt` is required: 1 to {PROMPT_CHARS_MAX} characters."),
        ));
    };
    if prompt.trim().is_empty() {
        let must_be = format!("1 to {PROMPT_CHARS_MAX} characters and not blank");
        return Err(Invalid::parameter(Rule::PromptBlank, "prompt", &must_be, &prompt));
    }
    let chars = prompt.chars().count();
    if chars > PROMPT_CHARS_MAX {
        return Err(Invalid::new(
            Rule::PromptTooLong,
            format!(
                "Parameter `prompt` must be 1 to {PROMPT_CHARS_MAX} characters; \
                 given: {chars} characters."
            ),
        ));
    }
    if prompt.contains('\0') {
        return Err(Invalid::new(
            Rule::PromptInvalid,
            format!(
                "Parameter `prompt` must not contain the character U+0000; given: {}.",
                quoted(&prompt)
            ),
        ));
    }
    Ok(prompt)
}

fn check_country(
    country: Option<String>,
    scraper: &str,
    refused_countries: &[String],
) -> Result<String, Invalid> {
    let given = country.unwrap_or_else(|| "US".to_owned());
    let country = given.to_ascii_uppercase();
    if country::find(&country).is_none() {
        let must_be = "an ISO 3166-1 alpha-2 code such as `US`";
        return Err(Invalid::parameter(Rule::CountryInvalid, "country", must_be, &given));
    }
    if refused_countries.contains(&country) {
        let refused = refused_countries.join(" and ");
        let must_be = format!("a country that `{scraper}` serves; it refuses {refused}");
        return Err(Invalid::parameter(Rule::CountryRefused, "country", &must_be, &given));
    }
    Ok(country)
}

fn check_timeout(timeout: Option<f64>) -> Result<u32, Invalid> {
    let seconds = timeout.unwrap_or(TIMEOUT_SECONDS_DEFAULT);
    if !(TIMEOUT_SECONDS_MIN..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        let must_be = format!("{TIMEOUT_SECONDS_MIN} to {TIMEOUT_SECONDS_MAX} seconds");
        let given = seconds.to_string();
        return Err(Invalid::parameter(Rule::TimeoutInvalid, "timeout", &must_be, &given));
    }
    // In range by the check above, so at most 600,000.
    Ok((seconds * 1000.0).round() as u32)
}

fn check_mode(mode: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(mode) = mode.filter(|mode| !mode.is_empty()) else { return Ok(None) };
    if mode.chars().count() > MODE_CHARS_MAX || mode.contains(char::is_control) {
        let must_be = format!("at most {MODE_CHARS_MAX} characters without control characters");
        return Err(Invalid::parameter(Rule::ModeInvalid, "mode", &must_be, &mode));
    }
    Ok(Some(mode))
}

/// Checks the value of an `Idempotency-Key` header: 1 to [`IDEMPOTENCY_KEY_CHARS_MAX`] visible
/// ASCII characters.
///
/// # Errors
/// Returns an error if it is anything else.
pub fn check_idempotency_key(value: &[u8]) -> Result<String, Invalid> {
    let visible = value.iter().all(u8::is_ascii_graphic);
    if !visible || !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&value.len()) {
        return Err(Invalid::new(
            Rule::IdempotencyKeyInvalid,
            format!(
                "Header `Idempotency-Key` must be 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII \
                 characters; given: {}.",
                quoted(&String::from_utf8_lossy(value))
            ),
        ));
    }
    Ok(String::from_utf8_lossy(value).into_owned())
}

/// Checks a label of a job or a batch; an empty one is none.
///
/// # Errors
/// Returns an error if it is longer than [`LABEL_CHARS_MAX`], or has control characters.
pub fn check_label(label: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(label) = label.filter(|label| !label.is_empty()) else { return Ok(None) };
    if label.chars().count() > LABEL_CHARS_MAX || label.contains(char::is_control) {
        let must_be = format!("at most {LABEL_CHARS_MAX} characters without control characters");
        return Err(Invalid::parameter(Rule::LabelInvalid, "label", &must_be, &label));
    }
    Ok(Some(label))
}

/// Checks how many scrapes of the same are wanted: 1 to [`SAMPLES_MAX`].
///
/// # Errors
/// Returns an error if it is not that.
pub fn check_samples(samples: Option<usize>) -> Result<(), Invalid> {
    match samples {
        Some(samples) if !(1..=SAMPLES_MAX).contains(&samples) => {
            let (must_be, given) = (format!("1 to {SAMPLES_MAX}"), samples.to_string());
            Err(Invalid::parameter(Rule::SamplesInvalid, "samples", &must_be, &given))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_start_within(start_within: Option<f64>) -> Result<Option<u32>, Invalid> {
    let Some(seconds) = start_within else { return Ok(None) };
    if !(START_WITHIN_SECONDS_MIN..=START_WITHIN_SECONDS_MAX).contains(&seconds) {
        let must_be = format!("{START_WITHIN_SECONDS_MIN} to {START_WITHIN_SECONDS_MAX} seconds");
        let given = seconds.to_string();
        return Err(Invalid::parameter(Rule::StartWithinInvalid, "start_within", &must_be, &given));
    }
    // In range by the check above, so at most 86,400,000.
    Ok(Some((seconds * 1000.0).round() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(prompt: &str) -> RawRequest {
        RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() }
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let request = raw("hi").check("chatgpt", &[]).unwrap();
        assert_eq!(request.country, "US");
        assert_eq!(request.timeout_ms, 300_000);
        assert!(request.web_search && !request.bypass_cache && !request.markdown_json);
    }

    #[test]
    fn prompts_are_counted_in_characters_not_bytes() {
        assert!(raw(&"ü".repeat(PROMPT_CHARS_MAX)).check("chatgpt", &[]).is_ok());
        let refused = raw(&"ü".repeat(PROMPT_CHARS_MAX + 1)).check("chatgpt", &[]).unwrap_err();
        assert_eq!(refused.rule, Rule::PromptTooLong);
        assert!(refused.sentence.contains("4001"), "{refused}");
    }

    #[test]
    fn a_refusal_names_parameter_rule_and_value() {
        let refused_countries = ["JP".to_owned(), "TW".to_owned()];
        let cases = [
            (RawRequest::default(), Rule::PromptMissing, "`prompt`", "required"),
            (raw(" \n"), Rule::PromptBlank, "`prompt`", "not blank"),
            (raw("a\0b"), Rule::PromptInvalid, "`prompt`", "U+0000"),
            (
                RawRequest { country: Some("USA".to_owned()), ..raw("x") },
                Rule::CountryInvalid,
                "`country`",
                "`USA`",
            ),
            (
                RawRequest { country: Some("jp".to_owned()), ..raw("x") },
                Rule::CountryRefused,
                "`country`",
                "`jp`",
            ),
            (
                RawRequest { timeout: Some(9.99), ..raw("x") },
                Rule::TimeoutInvalid,
                "`timeout`",
                "`9.99`",
            ),
            (
                RawRequest { timeout: Some(f64::NAN), ..raw("x") },
                Rule::TimeoutInvalid,
                "`timeout`",
                "`NaN`",
            ),
            (
                RawRequest { mode: Some("x".repeat(65)), ..raw("x") },
                Rule::ModeInvalid,
                "`mode`",
                "64",
            ),
        ];
        for (given, rule, parameter, detail) in cases {
            let refused = given.check("gemini", &refused_countries).unwrap_err();
            assert_eq!(refused.rule, rule);
            assert!(refused.sentence.contains(parameter), "{refused}");
            assert!(refused.sentence.contains(detail), "{refused}");
        }
    }

    #[test]
    fn labels_and_start_deadlines_keep_their_rules() {
        let take = |label: &str, start_within: Option<f64>| {
            let label = Some(label.to_owned());
            RawRequest { label, start_within, ..RawRequest::default() }.take_handling()
        };
        let label = "ü".repeat(LABEL_CHARS_MAX);
        assert_eq!(take(&label, None).unwrap().label, Some(label));
        assert_eq!(take("", Some(1.5)).unwrap().start_within_ms, Some(1_500));
        for wrong in ["x".repeat(LABEL_CHARS_MAX + 1), "a\nb".to_owned()] {
            assert_eq!(take(&wrong, None).unwrap_err().rule, Rule::LabelInvalid);
        }
        for wrong in [0.99, 86_400.5, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(take("a", Some(wrong)).unwrap_err().rule, Rule::StartWithinInvalid);
        }
    }
}
