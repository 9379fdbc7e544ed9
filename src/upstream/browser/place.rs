//! Where a browser says that it is: language, time zone and position of a country.

use super::time_zones::time_zone;
use crate::upstream::providers::place;

/// A country as a page sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Alpha-2, lower case.
    pub country: String,
    /// BCP 47.
    pub language: &'static str,
    /// IANA; `None` where the country is not in the table.
    pub time_zone: Option<&'static str>,
    /// Latitude and longitude, degrees.
    pub at: Option<(f64, f64)>,
}

impl Place {
    /// The place of an alpha-2 code in upper case.
    pub fn of(alpha_2: &str) -> Place {
        let known = place(alpha_2);
        Place {
            country: alpha_2.to_ascii_lowercase(),
            language: known.language,
            time_zone: time_zone(alpha_2),
            at: known.at,
        }
    }

    /// The languages that pages are asked for, best first: `de-DE,de,en`.
    pub fn languages(&self) -> String {
        let language = self.language;
        if language.contains('-') {
            let (short, _) = language.split_once('-').unwrap_or((language, ""));
            return format!("{language},{short},en");
        }
        let country = self.country.to_ascii_uppercase();
        if language == "en" {
            format!("en-{country},en")
        } else {
            format!("{language}-{country},{language},en")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_a_language_a_zone_and_a_position() {
        let germany = Place::of("DE");
        assert_eq!((germany.language, germany.time_zone), ("de", Some("Europe/Berlin")));
        assert_eq!(germany.languages(), "de-DE,de,en");
        assert_eq!(Place::of("US").languages(), "en-US,en");
        assert!(Place::of("CN").languages().starts_with("zh-"));
        assert!(germany.at.is_some());
    }
}
