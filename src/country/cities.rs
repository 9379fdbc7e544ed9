//! The cities that time zones are named after, with their positions.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Country;

/// A line for each: country, time zone, latitude and longitude. From `zone.tab` of the
/// public-domain tz database, release 2025b.
const ROWS: &str = include_str!("cities.txt");

/// A city that a time zone is named after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct City {
    pub time_zone: &'static str,
    /// Latitude and longitude, degrees.
    pub at: (f64, f64),
}

impl Country {
    /// Returns the city of a name, with or without its accents; `None` if no time zone is named
    /// after it.
    pub fn city(&self, name: &str) -> Option<City> {
        let wanted = folded(name);
        self.cities().find(|city| {
            city.time_zone.rsplit('/').next().is_some_and(|name| folded(name) == wanted)
        })
    }

    /// Returns the city that a time zone is named after; `None` if it is in another country.
    pub fn city_of_zone(&self, time_zone: &str) -> Option<City> {
        self.cities().find(|city| city.time_zone == time_zone)
    }

    fn cities(&self) -> impl Iterator<Item = City> {
        ROWS.lines().filter_map(city).filter(|(country, _)| *country == self.alpha_2).map(|it| it.1)
    }
}

fn city(line: &'static str) -> Option<(&'static str, City)> {
    let mut words = line.split(' ');
    let (country, time_zone) = (words.next()?, words.next()?);
    let at = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((country, City { time_zone, at }))
}

/// Returns the letters and digits of a name, in lower case and without accents.
fn folded(name: &str) -> String {
    let letters = name.nfd().filter(|c| c.is_alphanumeric() && !is_combining_mark(*c));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{all, find, time_zone};
    use super::*;

    #[test]
    fn every_line_is_a_city_of_a_country_and_has_a_known_zone() {
        for line in ROWS.lines() {
            let (country, city) = city(line).unwrap();
            assert!(find(country).is_some(), "{line}");
            assert_eq!(time_zone(city.time_zone), Some(city.time_zone));
            assert!(city.at.0.abs() <= 90.0 && city.at.1.abs() <= 180.0, "{line}");
        }
        assert_eq!(all().iter().flat_map(Country::cities).count(), ROWS.lines().count());
    }

    #[test]
    fn a_city_is_found_by_its_name_in_its_country_alone() {
        let zone = |country: &str, name: &str| {
            find(country).unwrap().city(name).map(|city| city.time_zone)
        };
        assert_eq!(zone("US", "los angeles"), Some("America/Los_Angeles"));
        assert_eq!(zone("BR", "São Paulo"), Some("America/Sao_Paulo"));
        assert_eq!(zone("CA", "St. John's"), Some("America/St_Johns"));
        assert_eq!(zone("HT", "Port-au-Prince"), Some("America/Port-au-Prince"));
        assert_eq!((zone("US", "Berlin"), zone("US", "")), (None, None));
        let chicago = find("US").unwrap().city_of_zone("America/Chicago");
        assert_eq!(chicago.map(|city| city.at), Some((41.9, -87.7)));
        assert_eq!(find("DE").unwrap().city_of_zone("America/Chicago"), None);
    }
}
