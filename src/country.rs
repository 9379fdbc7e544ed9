//! The countries: their codes, names, languages, time zones and positions, in the forms that
//! upstreams take.

mod cities;
mod names;
mod table;

pub use cities::{CITY_PEOPLE_MIN, City};
pub use names::{language_tag, time_zone, time_zones};
pub use table::Country;
use table::ROWS;

/// The countries that take an article in a sentence ("in the Netherlands").
const WITH_ARTICLE: [&str; 31] = [
    "AE", "AX", "BQ", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM", "IO",
    "KM", "KY", "MH", "MP", "MV", "NL", "PH", "SB", "SC", "TC", "TF", "UM", "US", "VG", "VI",
];

/// Returns all countries, by their alpha-2 codes.
pub fn all() -> &'static [Country] {
    ROWS
}

/// Returns a country by its alpha-2 code in upper case.
pub fn find(alpha_2: &str) -> Option<&'static Country> {
    ROWS.binary_search_by(|row| row.alpha_2.cmp(alpha_2)).ok().map(|at| &ROWS[at])
}

/// Returns the country of a request, which has been checked.
pub fn of(alpha_2: &str) -> &'static Country {
    const UNKNOWN: &Country = &Country {
        alpha_2: "",
        number: 0,
        name: "an unknown country",
        language: "en",
        time_zone: "",
        at: (0.0, 0.0),
    };
    find(alpha_2).unwrap_or(UNKNOWN)
}

impl Country {
    /// Returns a sentence for models without a field for the country. It does not name the
    /// language: the answer is to follow the question's.
    pub fn hint(&self) -> String {
        self.hint_of(&[])
    }

    /// Returns the same sentence for a place in the country, whose names go from the nearest to the
    /// farthest: a city and its region.
    pub fn hint_of(&self, places: &[&str]) -> String {
        let article = if WITH_ARTICLE.contains(&self.alpha_2) { "the " } else { "" };
        let places: String = places.iter().map(|place| format!("{place}, ")).collect();
        format!("The user is in {places}{article}{}.", self.name)
    }

    /// Returns Google's `gl`: the code in lower case, but for the United Kingdom.
    pub fn google_country(&self) -> String {
        match self.alpha_2 {
            "GB" => "uk".to_owned(),
            country => country.to_ascii_lowercase(),
        }
    }

    /// Returns Google's `hl`, which still calls Hebrew by its old code.
    pub fn google_language(&self) -> String {
        match self.language {
            "he" => "iw".to_owned(),
            language => language.to_ascii_lowercase(),
        }
    }

    /// Returns the country's id in Google's list of locations.
    pub fn google_criteria_id(&self) -> u16 {
        2_000 + self.number
    }

    /// Returns the languages that a browser asks for, best first: `de-DE,de,en`.
    pub fn languages(&self) -> String {
        let Country { alpha_2, language, .. } = self;
        match language.split_once('-') {
            Some((short, _)) => format!("{language},{short},en"),
            None if *language == "en" => format!("en-{alpha_2},en"),
            None => format!("{language}-{alpha_2},{language},en"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_holds_only_countries() {
        assert!(ROWS.is_sorted_by(|one, next| one.alpha_2 < next.alpha_2));
        for row in ROWS {
            assert!(row.alpha_2.bytes().all(|byte| byte.is_ascii_uppercase()), "{}", row.alpha_2);
            assert!(row.at.0.abs() <= 90.0 && row.at.1.abs() <= 180.0);
        }
    }

    #[test]
    fn hint_has_the_article_that_a_name_takes() {
        for (country, hint) in [
            ("US", "The user is in the United States."),
            ("GB", "The user is in the United Kingdom."),
            ("NL", "The user is in the Netherlands."),
            ("CF", "The user is in the Central African Republic."),
            ("VI", "The user is in the United States Virgin Islands."),
            ("GS", "The user is in South Georgia and the South Sandwich Islands."),
            ("FR", "The user is in France."),
        ] {
            assert_eq!(find(country).unwrap().hint(), hint);
        }
        let austin = find("US").unwrap().hint_of(&["Austin", "Texas"]);
        assert_eq!(austin, "The user is in Austin, Texas, the United States.");
        // The words that ask for an article, and the names that have one for another reason.
        let asks = |name: &str| {
            let last = [
                "Islands",
                "Republic",
                "States",
                "Kingdom",
                "Emirates",
                "Territory",
                "Territories",
                "Netherlands",
                "Philippines",
                "Bahamas",
                "Maldives",
                "Gambia",
            ];
            last.iter().any(|word| name.ends_with(word)) || name.contains("Republic of")
        };
        for row in ROWS.iter().filter(|row| !["HM", "GS"].contains(&row.alpha_2)) {
            let has = WITH_ARTICLE.contains(&row.alpha_2);
            let special = ["IM", "KM", "SC"].contains(&row.alpha_2);
            assert_eq!(has, asks(row.name) || special, "{}", row.name);
        }
        assert!(WITH_ARTICLE.iter().all(|code| ROWS.iter().any(|row| row.alpha_2 == *code)));
    }

    #[test]
    fn a_country_is_known_in_every_form() {
        let of = |code: &str| find(code).unwrap();
        let germany = of("DE");
        assert_eq!(germany.hint(), "The user is in Germany.");
        assert_eq!((germany.language, germany.google_criteria_id()), ("de", 2276));
        assert_eq!((germany.time_zone, germany.at), ("Europe/Berlin", (52.5, 13.4)));
        assert_eq!(of("GB").google_country(), "uk");
        assert_eq!(of("IL").google_language(), "iw");
        assert_eq!(of("CN").google_language(), "zh-cn");
        assert_eq!(of("US").google_criteria_id(), 2840);
        for none in ["XX", "us", "USA", ""] {
            assert_eq!(find(none), None, "{none}");
        }
    }

    #[test]
    fn a_browser_asks_for_the_languages_of_a_country() {
        assert_eq!(find("DE").unwrap().languages(), "de-DE,de,en");
        assert_eq!(find("US").unwrap().languages(), "en-US,en");
        assert!(find("CN").unwrap().languages().starts_with("zh-"));
    }
}
