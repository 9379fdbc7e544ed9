//! Where and on what a job's pages take themselves to be: what of a request's place a browser can
//! be set to.

use crate::answer::{AppliedPlace, PlaceBy};
use crate::country::{self, Country};
use crate::job::{Device, Location};

/// Width and height of a phone's window, pixels of CSS, and how many of the screen's make one.
pub(crate) const MOBILE_PIXELS: (u32, u32) = (412, 915);
pub(crate) const MOBILE_SCALE: f64 = 2.625;

/// The place at which the browser's user seems to be.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// What is asked for, best first, as `Country::languages` has them.
    pub languages: String,
    /// IANA name; empty for the machine's own.
    pub time_zone: String,
    /// Latitude and longitude, degrees.
    pub at: (f64, f64),
    /// The request's place without what no setting of a browser follows.
    pub applied: AppliedPlace,
}

impl Whereabouts {
    /// Returns the place of a request, in a country by its code. What the request leaves open is as
    /// in its city or its country.
    pub fn of(alpha_2: &str, asked: &Location) -> Whereabouts {
        let country = country::of(alpha_2);
        let Location { region, city, language, timezone, device, strict: _ } = asked;
        let known = city.as_deref().and_then(|city| country.city(city));
        // Of several cities of a name it is not known which of them lies in the region.
        let known = known.filter(|city| region.is_none() || !city.ambiguous);
        let of_zone = || timezone.as_deref().and_then(|zone| country.city_of_zone(zone));
        let own_zone = known.map_or(country.time_zone, |city| city.time_zone);
        Whereabouts {
            languages: languages(language.as_deref(), country),
            time_zone: timezone.as_deref().unwrap_or(own_zone).to_owned(),
            at: known.or_else(of_zone).map_or(country.at, |city| city.at),
            applied: AppliedPlace {
                country: Some(alpha_2.to_owned()),
                location: Location {
                    region: None,
                    city: city.clone().filter(|_| known.is_some()),
                    language: language.clone(),
                    timezone: timezone.clone(),
                    device: *device,
                    strict: false,
                },
                by: PlaceBy::Field,
            },
        }
    }

    /// Returns whether the window is a phone's.
    pub fn is_mobile(&self) -> bool {
        self.applied.location.device == Some(Device::Mobile)
    }

    /// Returns the name of the first part of a place that is not followed.
    pub fn unmet(&self, asked: &Location) -> Option<&'static str> {
        let names = ["region", "city", "language", "timezone", "device"];
        let parts = asked.parts().into_iter().zip(self.applied.location.parts());
        names.into_iter().zip(parts).find(|(_, (asked, applied))| asked != applied).map(|it| it.0)
    }
}

/// Returns the languages that a browser asks for: that of the request, more and more generally, and
/// English.
fn languages(asked: Option<&str>, country: &Country) -> String {
    let own = country.languages();
    let Some(asked) = asked.filter(|asked| own.split(',').nth(1) != Some(asked)) else {
        return own;
    };
    let mut tags = vec![asked];
    while let Some((shorter, _)) = tags.last().and_then(|tag| tag.rsplit_once('-')) {
        tags.push(shorter);
    }
    if !tags.contains(&"en") {
        tags.push("en");
    }
    tags.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(country: &str, location: Location) -> (Whereabouts, Option<&'static str>) {
        let place = Whereabouts::of(country, &location);
        let unmet = place.unmet(&location);
        (place, unmet)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn languages_go_from_the_one_asked_for_to_english() {
        for (country, asked, expected) in [
            ("DE", None, "de-DE,de,en"),
            ("DE", Some("de"), "de-DE,de,en"),
            ("AT", Some("de-CH"), "de-CH,de,en"),
            ("US", Some("es"), "es,en"),
            ("US", Some("en"), "en-US,en"),
            ("GB", Some("en-AU"), "en-AU,en"),
            ("US", Some("zh-Hant-TW"), "zh-Hant-TW,zh-Hant,zh,en"),
        ] {
            assert_eq!(languages(asked, country::of(country)), expected, "{country} {asked:?}");
        }
    }

    #[test]
    fn position_is_that_of_the_city_then_of_the_zone_then_of_the_country() {
        let (chicago, unmet) = of("US", Location { city: some("chicago"), ..Location::default() });
        assert_eq!((chicago.time_zone.as_str(), chicago.at), ("America/Chicago", (41.9, -87.7)));
        assert_eq!(unmet, None);
        let pacific = Location { timezone: some("America/Los_Angeles"), ..Location::default() };
        assert_eq!(of("US", pacific.clone()).0.at, (34.1, -118.2));
        let both = Location { city: some("Chicago"), ..pacific.clone() };
        let (both, _) = of("US", both);
        assert_eq!((both.time_zone.as_str(), both.at), ("America/Los_Angeles", (41.9, -87.7)));
        let (abroad, unmet) = of("DE", pacific);
        assert_eq!((abroad.time_zone.as_str(), abroad.at), ("America/Los_Angeles", (52.5, 13.4)));
        assert_eq!(unmet, None);
    }

    #[test]
    fn what_no_setting_follows_is_not_said_to_be_applied() {
        let springfield = Location {
            region: some("Illinois"),
            city: some("Springfield"),
            device: Some(Device::Mobile),
            ..Location::default()
        };
        let (place, unmet) = of("US", springfield.clone());
        assert_eq!(unmet, Some("region"));
        let expected = Location { device: Some(Device::Mobile), ..Location::default() };
        assert_eq!(place.applied.location, expected);
        assert!(place.is_mobile());
        assert_eq!(of("US", Location { region: None, ..springfield }).1, None);
        let hamlet = Location { city: some("Hamlet of no map"), ..Location::default() };
        assert_eq!(of("US", hamlet).1, Some("city"));
    }
}
