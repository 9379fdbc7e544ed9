//! What an upstream is known not to take, whatever it would answer: nobody asks it for that, and a
//! request that no upstream of its scraper takes is refused at submit.

use super::UpstreamError;
use crate::country;
use crate::job::{Invalid, PROMPT_CHARS_MAX, Reason, Rule, ScrapeRequest};

/// The limits of an upstream, as far as they are known before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The countries that it serves, alpha-2 in upper case; `None`: all.
    pub countries: Option<&'static [&'static str]>,
    /// The longest prompt, in Unicode scalar values.
    pub prompt_chars_max: usize,
}

impl Default for Limits {
    /// No limits but those of every request.
    fn default() -> Limits {
        Limits { countries: None, prompt_chars_max: PROMPT_CHARS_MAX }
    }
}

impl Limits {
    fn serves(&self, country: &str) -> bool {
        self.countries.is_none_or(|countries| countries.contains(&country))
    }

    fn takes_prompt(&self, prompt: &str) -> bool {
        // A checked prompt is at most as long as the longest of all.
        self.prompt_chars_max >= PROMPT_CHARS_MAX || prompt.chars().count() <= self.prompt_chars_max
    }

    /// Checks a request against the limits of one upstream.
    ///
    /// # Errors
    /// Returns an error if `upstream` is known not to take it; nothing was sent.
    pub fn check(&self, upstream: &str, request: &ScrapeRequest) -> Result<(), UpstreamError> {
        if !self.serves(&request.country) {
            let sentence = format!("{upstream} cannot serve the country {}.", request.country);
            return Err(UpstreamError::new(Reason::CountryUnsupported, sentence));
        }
        if !self.takes_prompt(&request.prompt) {
            let most = self.prompt_chars_max;
            let sentence = format!("{upstream} takes prompts of at most {most} characters.");
            return Err(UpstreamError::new(Reason::BadRequest, sentence));
        }
        Ok(())
    }
}

/// The limits of the upstreams of one scraper together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served(Vec<Limits>);

impl Served {
    pub fn new(limits: impl IntoIterator<Item = Limits>) -> Served {
        Served(limits.into_iter().collect())
    }

    /// Checks that some upstream takes the request. Without any upstream that cannot be said.
    ///
    /// # Errors
    /// Returns an error if none does: `country_refused`, or `prompt_too_long` where some upstream
    /// serves the country.
    pub fn check(&self, request: &ScrapeRequest) -> Result<(), Invalid> {
        let ScrapeRequest { scraper, prompt, country, .. } = request;
        let takes = |limits: &Limits| limits.serves(country) && limits.takes_prompt(prompt);
        if self.0.is_empty() || self.0.iter().any(takes) {
            return Ok(());
        }
        let in_country = self.0.iter().filter(|limits| limits.serves(country));
        let Some(chars_max) = in_country.map(|limits| limits.prompt_chars_max).max() else {
            let sentence = format!(
                "Parameter `country` must be a country that `{scraper}` serves; its upstreams \
                 serve only {}; given: `{country}`.",
                self.countries().join(", ")
            );
            return Err(Invalid::new(Rule::CountryRefused, sentence));
        };
        let chars = prompt.chars().count();
        let sentence = format!(
            "Parameter `prompt` must be 1 to {chars_max} characters: no upstream of `{scraper}` \
             takes a longer one for `{country}`; given: {chars} characters."
        );
        Err(Invalid::new(Rule::PromptTooLong, sentence))
    }

    /// Returns the countries that no upstream serves, sorted.
    pub fn refused_countries(&self) -> Vec<&'static str> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let served = |country: &str| self.0.iter().any(|limits| limits.serves(country));
        country::all().iter().map(|it| it.alpha_2).filter(|code| !served(code)).collect()
    }

    /// Returns the longest prompt that some upstream takes, in characters.
    pub fn prompt_chars_max(&self) -> usize {
        self.0.iter().map(|limits| limits.prompt_chars_max).max().unwrap_or(PROMPT_CHARS_MAX)
    }

    /// Returns the countries that the upstreams name, sorted.
    fn countries(&self) -> Vec<&'static str> {
        let named = self.0.iter().filter_map(|limits| limits.countries).flatten();
        let mut countries: Vec<&'static str> = named.copied().collect();
        countries.sort_unstable();
        countries.dedup();
        countries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::RawRequest;

    const US_ONLY: Limits = Limits { countries: Some(&["US"]), prompt_chars_max: PROMPT_CHARS_MAX };
    const SHORT: Limits = Limits { countries: None, prompt_chars_max: 700 };

    fn request(country: &str, prompt_chars: usize) -> ScrapeRequest {
        let raw = RawRequest {
            prompt: Some("ü".repeat(prompt_chars)),
            country: Some(country.to_owned()),
            ..RawRequest::default()
        };
        raw.check("chatgpt", &[]).unwrap()
    }

    #[test]
    fn served_refuses_what_no_upstream_takes() {
        let both = Served::new([US_ONLY, SHORT]);
        for (served, country, chars, rule) in [
            (Served::new([US_ONLY]), "US", 4_000, None),
            (Served::new([US_ONLY]), "DE", 1, Some(Rule::CountryRefused)),
            (Served::new([SHORT]), "DE", 700, None),
            (Served::new([SHORT]), "DE", 701, Some(Rule::PromptTooLong)),
            (both.clone(), "DE", 700, None),
            (both.clone(), "US", 4_000, None),
            (both.clone(), "DE", 701, Some(Rule::PromptTooLong)),
            (Served::new([]), "DE", 4_000, None),
        ] {
            let refused = served.check(&request(country, chars)).err();
            assert_eq!(refused.map(|refused| refused.rule), rule, "{served:?} {country} {chars}");
        }
    }

    #[test]
    fn served_lists_the_countries_that_no_upstream_serves() {
        let refused = Served::new([US_ONLY]).refused_countries();
        assert!(refused.is_sorted() && refused.contains(&"DE") && !refused.contains(&"US"));
        assert!(Served::new([US_ONLY, SHORT]).refused_countries().is_empty());
        assert!(Served::new([]).refused_countries().is_empty());
    }
}
