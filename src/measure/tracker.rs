//! Brands to look for, and the rules that they keep.

use std::collections::HashSet;

use thiserror::Error;

use super::address::{host, registrable_domain};
use super::brand::Brand;
use super::common_words::Commonness;
use super::matcher::Matcher;
use super::name::{NAME_CHARS_MAX, Name};
use crate::clock::UnixMs;

/// The most brands of a tracker.
pub const BRANDS_MAX: usize = 50;
/// The most aliases of a brand.
pub const ALIASES_MAX: usize = 20;
/// The most domains of a brand.
pub const DOMAINS_OF_BRAND_MAX: usize = 20;

/// A tracker with its latest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    pub name: String,
    /// Identifies it: one that is made after it was deleted has another.
    pub id: u64,
    /// From 1.
    pub version: u32,
    pub created_ms: UnixMs,
    /// When this version was made.
    pub changed_ms: UnixMs,
    pub brands: TrackedBrands,
}

/// A version of a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerVersion {
    pub version: u32,
    /// When it was made.
    pub changed_ms: UnixMs,
    pub brands: TrackedBrands,
}

/// The reason why brands cannot be looked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidTracker {
    #[error("Field `brands` must have 1 to {BRANDS_MAX} brands; given: {0}.")]
    BrandCount(usize),
    #[error("Field `{field}` must have at most {max} entries; given: {given}.")]
    TooMany { field: String, max: usize, given: usize },
    #[error(
        "Field `{field}` must be 1 to {NAME_CHARS_MAX} characters on one line, with a letter or \
         digit; given: {given}."
    )]
    Name { field: String, given: String },
    #[error(
        "Field `{field}` must have at least two characters in a script without spaces between \
         words; given: {given}."
    )]
    TooShort { field: String, given: String },
    #[error(
        "Field `{field}` must not be a word of nearly every text, which would be counted \
         everywhere; given: {given}. With a capital and `case_sensitive: true` it is taken."
    )]
    CommonWord { field: String, given: String },
    #[error("Field `{field}` must be a name that occurs once; given: {given}.")]
    Twice { field: String, given: String },
    #[error("Field `{field}` must be a domain such as `acme.com`; given: {given}.")]
    Domain { field: String, given: String },
}

/// Brands that keep the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedBrands(Vec<Brand>);

impl TrackedBrands {
    /// Checks brands, and writes their names and domains in one form.
    ///
    /// # Errors
    /// Returns an error if a rule is broken: that of the first one.
    pub fn new(brands: Vec<Brand>) -> Result<TrackedBrands, InvalidTracker> {
        if !(1..=BRANDS_MAX).contains(&brands.len()) {
            return Err(InvalidTracker::BrandCount(brands.len()));
        }
        let mut known = HashSet::new();
        let mut checked = Vec::with_capacity(brands.len());
        for (place, brand) in brands.into_iter().enumerate() {
            checked.push(check_brand(place, brand, &mut known)?);
        }
        Ok(TrackedBrands(checked))
    }

    /// Takes brands that were checked when they were stored.
    pub fn stored(brands: Vec<Brand>) -> TrackedBrands {
        TrackedBrands(brands)
    }

    pub fn brands(&self) -> &[Brand] {
        &self.0
    }

    /// Returns what looks for them.
    pub fn matcher(&self) -> Matcher {
        Matcher::new(&self.0)
    }

    /// Returns sentences on names that often mean something else.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for brand in &self.0 {
            for name in std::iter::once(&brand.name).chain(&brand.aliases) {
                let folded = Name::new(0, name, brand.case_sensitive);
                if Commonness::of(&folded.key()) == Commonness::Often && !folded.keeps_case {
                    warnings.push(format!(
                        "{name:?} is a common word: texts that mean something else are counted. \
                         With `case_sensitive: true` only {name:?} as written is.",
                    ));
                } else if folded.letters < 2 {
                    warnings.push(format!("{name:?} has one letter, which may mean anything."));
                }
            }
        }
        warnings
    }
}

fn check_brand(
    place: usize,
    mut brand: Brand,
    known: &mut HashSet<String>,
) -> Result<Brand, InvalidTracker> {
    let path = format!("brands[{place}]");
    for (list, given, max) in [
        ("aliases", brand.aliases.len(), ALIASES_MAX),
        ("domains", brand.domains.len(), DOMAINS_OF_BRAND_MAX),
    ] {
        if given > max {
            return Err(InvalidTracker::TooMany { field: format!("{path}.{list}"), max, given });
        }
    }
    brand.name = check_name(format!("{path}.name"), &brand.name, brand.case_sensitive, known)?;
    for (at, alias) in brand.aliases.iter_mut().enumerate() {
        let field = format!("{path}.aliases[{at}]");
        *alias = check_name(field, alias, brand.case_sensitive, known)?;
    }
    for (at, domain) in brand.domains.iter_mut().enumerate() {
        let given = domain.clone();
        *domain = check_domain(domain).ok_or_else(|| InvalidTracker::Domain {
            field: format!("{path}.domains[{at}]"),
            given: quoted(&given),
        })?;
    }
    brand.domains.sort();
    brand.domains.dedup();
    Ok(brand)
}

fn check_name(
    field: String,
    given: &str,
    case_sensitive: Option<bool>,
    known: &mut HashSet<String>,
) -> Result<String, InvalidTracker> {
    let name = given.trim();
    let chars = name.chars().count();
    let folded = Name::new(0, name, case_sensitive);
    if !(1..=NAME_CHARS_MAX).contains(&chars)
        || name.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        || folded.letters == 0
    {
        return Err(InvalidTracker::Name { field, given: quoted(given) });
    }
    if folded.is_too_short() {
        return Err(InvalidTracker::TooShort { field, given: quoted(given) });
    }
    let has_capital = name.contains(char::is_uppercase);
    let is_told = case_sensitive == Some(true) && has_capital;
    if Commonness::of(&folded.key()) == Commonness::Everywhere && !is_told {
        return Err(InvalidTracker::CommonWord { field, given: quoted(given) });
    }
    if !known.insert(folded.key()) {
        return Err(InvalidTracker::Twice { field, given: quoted(given) });
    }
    Ok(name.to_owned())
}

/// Returns a domain in lower case, without `www.`; from an address its host is taken.
fn check_domain(given: &str) -> Option<String> {
    let given = given.trim();
    let host = match given.contains("://") {
        true => host(given),
        false => host(&format!("http://{given}")),
    }?;
    registrable_domain(&host).is_some().then_some(host)
}

/// Returns what was given, shortened, for a sentence.
fn quoted(given: &str) -> String {
    let short: String = given.chars().take(NAME_CHARS_MAX).collect();
    format!("{short:?}")
}
