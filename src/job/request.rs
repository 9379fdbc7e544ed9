//! A scrape as a client asks for it: the typed parameters, their rules, and the checked request.
//! Contract
//! 1.3.

use super::batch::SAMPLES_MAX;
use super::invalid::{Invalid, Rule, quoted};
use super::kind::Kind;
use super::location::{self, Location};
use super::tracker_name::check_track;
use super::webhook_url::check_webhook_url;
use crate::config;
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
/// The longest `model`, in characters.
pub const MODEL_CHARS_MAX: usize = config::MODEL_CHARS_MAX;
/// The longest that a job is kept at all, hours: 90 days.
pub const RETAIN_HOURS_MAX: u32 = 2_160;
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
    pub location: Location,
    /// The model to ask, where an upstream allows that.
    pub model: Option<String>,
    /// The only kind of upstreams to ask.
    pub kind: Option<Kind>,
    /// Whether an answer that the engine gave without a search counts as a failed attempt.
    pub require_search: bool,
    /// Whether the error of such a job carries the answer.
    pub keep_unsearched: bool,
}

/// The handling of a job. Nothing here shapes the answer.
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
    /// Whether the upstreams' raw replies are kept, whatever the settings say.
    pub keep_raw: bool,
    /// How long the job is kept, hours; not longer than the service's own limit.
    pub retain_hours: Option<u32>,
    /// The tracker whose brands the answer is measured by.
    pub track: Option<String>,
}

/// Hashes of an idempotency key and of the request that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Of the account and the key.
    pub key_hash: u128,
    /// Of the whole request.
    pub request_hash: u128,
}

/// The bytes that requests are told apart by. The patterns name every field, so that a new one does
/// not compile until it is decided here. It is fed only where it is given: the hashes of earlier
/// requests, which are stored, stay as they are.
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
            location: _,
            model: _,
            kind: _,
            require_search: _,
            keep_unsearched: _,
        } = self;
        for part in [scraper, country, mode.as_deref().unwrap_or_default()] {
            feed(&(part.len() as u64).to_be_bytes());
            feed(part.as_bytes());
        }
        feed(&[u8::from(*web_search), u8::from(*markdown_json)]);
        feed(prompt.as_bytes());
        self.feed_extras(feed);
    }

    /// Feeds what the contract's own parameters do not ask for; nothing where none of it is given.
    fn feed_extras(&self, feed: &mut impl FnMut(&[u8])) {
        let Location { strict, .. } = self.location;
        let flags = [strict, self.require_search, self.keep_unsearched];
        let [region, city, language, timezone, device] = self.location.parts();
        let kind = self.kind.map(Kind::word);
        let texts = [region, city, language, timezone, device, self.model.as_deref(), kind];
        for (number, text) in texts.into_iter().enumerate() {
            let Some(text) = text else { continue };
            feed(&[number as u8]);
            feed(&(text.len() as u64).to_be_bytes());
            feed(text.as_bytes());
        }
        if flags.contains(&true) {
            feed(&flags.map(u8::from));
        }
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
            location: _,
            model: _,
            kind: _,
            require_search: _,
            keep_unsearched: _,
        } = self;
        let Handling {
            label,
            start_within_ms,
            idempotency_key: _,
            webhook_url,
            interactive,
            keep_raw,
            retain_hours,
            track,
        } = handling;
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
        self.feed_extras(feed);
        if *keep_raw {
            feed(b"raw");
        }
        if let Some(hours) = retain_hours {
            feed(b"retain_hours");
            feed(&hours.to_be_bytes());
        }
        if let Some(track) = track {
            feed(b"track");
            feed(track.as_bytes());
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
    pub region: Option<String>,
    pub city: Option<String>,
    pub language: Option<String>,
    pub timezone: Option<String>,
    pub device: Option<String>,
    pub strict_place: Option<bool>,
    pub model: Option<String>,
    pub kind: Option<String>,
    pub require_search: Option<bool>,
    pub keep_unsearched: Option<bool>,
    pub raw: Option<bool>,
    /// Hours.
    pub retain_hours: Option<usize>,
    pub track: Option<String>,
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
            location,
            model,
            kind,
            require_search,
            keep_unsearched,
        } = request;
        let Location { region, city, language, timezone, device, strict } = location.clone();
        RawRequest {
            prompt: Some(prompt.clone()),
            country: Some(country.clone()),
            bypass_cache: Some(*bypass_cache),
            timeout: Some(f64::from(*timeout_ms) / 1000.0),
            web_search: Some(*web_search),
            markdown_json: Some(*markdown_json),
            mode: mode.clone(),
            region,
            city,
            language,
            timezone,
            device: device.map(|device| device.word().to_owned()),
            // Left out where it is off, so that most jobs show the contract's parameters only.
            strict_place: strict.then_some(true),
            model: model.clone(),
            kind: kind.map(|kind| kind.word().to_owned()),
            require_search: require_search.then_some(true),
            keep_unsearched: keep_unsearched.then_some(true),
            ..RawRequest::default()
        }
    }
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
            keep_raw: self.raw.take().unwrap_or(false),
            retain_hours: check_retain_hours(self.retain_hours.take())?,
            track: check_track(self.track.take())?,
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
        let location = Location {
            region: location::check_name(Rule::RegionInvalid, "region", self.region)?,
            city: location::check_city(self.city, &country)?,
            language: location::check_language(self.language)?,
            timezone: location::check_timezone(self.timezone)?,
            device: location::check_device(self.device)?,
            strict: self.strict_place.unwrap_or(false),
        };
        let web_search = self.web_search.unwrap_or(true);
        let require_search = self.require_search.unwrap_or(false);
        if require_search && !web_search {
            let must_be = "`false` where `web_search` is";
            let (rule, name) = (Rule::RequireSearchInvalid, "require_search");
            return Err(Invalid::parameter(rule, name, must_be, "true"));
        }
        Ok(ScrapeRequest {
            scraper: scraper.to_owned(),
            prompt,
            country,
            bypass_cache: self.bypass_cache.unwrap_or(false),
            timeout_ms,
            web_search,
            markdown_json: self.markdown_json.unwrap_or(false),
            mode,
            location,
            model: check_model(self.model)?,
            kind: check_kind(self.kind)?,
            require_search,
            keep_unsearched: self.keep_unsearched.unwrap_or(false),
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

fn check_model(model: Option<String>) -> Result<Option<String>, Invalid> {
    let Some(model) = model.filter(|model| !model.is_empty()) else { return Ok(None) };
    if model.chars().count() > MODEL_CHARS_MAX || !model.bytes().all(|b| b.is_ascii_graphic()) {
        let must_be = format!("at most {MODEL_CHARS_MAX} visible ASCII characters");
        return Err(Invalid::parameter(Rule::ModelInvalid, "model", &must_be, &model));
    }
    Ok(Some(model))
}

fn check_kind(kind: Option<String>) -> Result<Option<Kind>, Invalid> {
    let Some(kind) = kind.filter(|kind| !kind.is_empty()) else { return Ok(None) };
    Kind::asked(&kind).map(Some).ok_or_else(|| {
        Invalid::parameter(Rule::KindInvalid, "kind", "`api`, `serp` or `browser`", &kind)
    })
}

fn check_retain_hours(hours: Option<usize>) -> Result<Option<u32>, Invalid> {
    let Some(hours) = hours else { return Ok(None) };
    let checked = u32::try_from(hours).ok().filter(|hours| (1..=RETAIN_HOURS_MAX).contains(hours));
    checked.map(Some).ok_or_else(|| {
        let must_be = format!("1 to {RETAIN_HOURS_MAX} hours");
        let given = hours.to_string();
        Invalid::parameter(Rule::RetainHoursInvalid, "retain_hours", &must_be, &given)
    })
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
mod tests;
