//! The cities of 5,000 people and more: their names, positions and time zones.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::{LazyLock, OnceLock};

use flate2::read::GzDecoder;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Country;

/// The fewest people of a city that is known.
pub const CITY_PEOPLE_MIN: u32 = 5_000;

/// A line with the code of each country, and below it a line for each of its cities, the largest
/// first: name, latitude, longitude, time zone and other names, between tabs. From GeoNames
/// (CC BY 4.0); `.ci/cities` makes it.
const DATA: &[u8] = include_bytes!("cities.gz");

/// The cities by the codes of their countries; read when a city is first asked for.
static COUNTRIES: LazyLock<BTreeMap<&'static str, Cities>> = LazyLock::new(|| {
    let mut text = String::new();
    let read = GzDecoder::new(DATA).read_to_string(&mut text);
    debug_assert!(read.is_ok(), "{read:?}");
    let mut countries = BTreeMap::<&str, Cities>::new();
    let mut country = "";
    for line in text.leak().lines() {
        if line.len() == 2 {
            country = line;
        } else {
            countries.entry(country).or_default().lines.push(line);
        }
    }
    countries
});

/// The cities of a country.
#[derive(Default)]
struct Cities {
    lines: Vec<&'static str>,
    /// The lines by their names, folded: the largest city's, and whether another has the name.
    by_name: OnceLock<HashMap<String, (&'static str, bool)>>,
}

/// A city.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct City {
    pub name: &'static str,
    pub time_zone: &'static str,
    /// Latitude and longitude, degrees, to one decimal.
    pub at: (f64, f64),
    /// Whether it was found by a name that other cities of the country have too.
    pub ambiguous: bool,
}

impl Country {
    /// Returns the largest city of a name, in English or as it is called there, with or without its
    /// accents.
    pub fn city(&self, name: &str) -> Option<City> {
        let cities = COUNTRIES.get(self.alpha_2)?;
        let by_name = cities.by_name.get_or_init(|| by_name(&cities.lines));
        let (line, ambiguous) = *by_name.get(&folded(name))?;
        Some(City { ambiguous, ..city(line)? })
    }

    /// Returns the largest city in a time zone; `None` if the country has none there.
    pub fn city_of_zone(&self, time_zone: &str) -> Option<City> {
        self.cities().find(|city| city.time_zone == time_zone)
    }

    /// Returns the cities, the largest first.
    pub fn cities(&self) -> impl Iterator<Item = City> {
        let lines = COUNTRIES.get(self.alpha_2).map(|cities| cities.lines.as_slice());
        lines.unwrap_or_default().iter().filter_map(|line| city(line))
    }
}

fn by_name(lines: &[&'static str]) -> HashMap<String, (&'static str, bool)> {
    let mut by_name = HashMap::new();
    for line in lines {
        for name in names(line) {
            let (first, ambiguous) = by_name.entry(folded(name)).or_insert((*line, false));
            *ambiguous |= *first != *line;
        }
    }
    by_name
}

/// Returns the names in a line: that of the city, and its others.
fn names(line: &'static str) -> impl Iterator<Item = &'static str> {
    let words = line.split('\t').enumerate();
    words.filter(|(at, _)| !(1..=3).contains(at)).map(|(_, name)| name)
}

fn city(line: &'static str) -> Option<City> {
    let mut words = line.split('\t');
    let name = words.next()?;
    let at = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(City { name, at, time_zone: words.next()?, ambiguous: false })
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
        for (country, cities) in COUNTRIES.iter() {
            assert!(find(country).is_some(), "{country}");
            for line in &cities.lines {
                let city = city(line).unwrap();
                assert_eq!(time_zone(city.time_zone), Some(city.time_zone), "{line}");
                assert!(city.at.0.abs() <= 90.0 && city.at.1.abs() <= 180.0, "{line}");
            }
        }
        assert_eq!(all().iter().flat_map(Country::cities).count(), 69_472);
    }

    #[test]
    fn a_city_is_found_by_its_names_in_its_country_alone() {
        let named =
            |country: &str, name: &str| find(country).unwrap().city(name).map(|city| city.name);
        assert_eq!(named("US", "los angeles"), Some("Los Angeles"));
        assert_eq!(named("US", "New York"), Some("New York City"));
        assert_eq!(named("US", "Springfield"), Some("Springfield"));
        assert_eq!(named("BR", "Sao Paulo"), Some("São Paulo"));
        assert_eq!(named("CA", "St John's"), Some("St. John's"));
        assert_eq!(named("HT", "Port au Prince"), Some("Port-au-Prince"));
        assert_eq!(
            (named("DE", "München"), named("DE", "Munich")),
            (Some("Munich"), Some("Munich"))
        );
        assert_eq!(
            (named("DE", "Cologne"), named("DE", "Halle")),
            (Some("Köln"), Some("Halle (Saale)"))
        );
        assert_eq!((named("JP", "東京"), named("RU", "Москва")), (Some("Tokyo"), Some("Moscow")));
        assert_eq!(
            (named("US", "Atlantis"), named("FR", "Munich"), named("US", "")),
            (None, None, None)
        );
        assert_eq!(named("AQ", "Munich"), None);
    }

    #[test]
    fn a_city_has_its_position_and_zone_and_a_zone_its_largest_city() {
        let us = find("US").unwrap();
        let austin = us.city("Austin").unwrap();
        assert_eq!((austin.time_zone, austin.at), ("America/Chicago", (30.3, -97.7)));
        let ambiguous = ["Springfield", "Chicago"].map(|name| us.city(name).unwrap().ambiguous);
        assert_eq!(ambiguous, [true, false]);
        assert_eq!(us.city_of_zone("America/Chicago").map(|city| city.name), Some("Chicago"));
        assert_eq!(find("DE").unwrap().city_of_zone("America/Chicago"), None);
    }
}
