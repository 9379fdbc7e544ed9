//! Where a request pretends to come from, in the forms that providers take a place in: a code, a
//! number, a name, a language, coordinates, or a sentence to the model.

use crate::catalog;

use super::place_table::{ROWS, Row};

/// The countries that take an article in a sentence ("in the Netherlands").
const WITH_ARTICLE: [&str; 31] = [
    "AE", "AX", "BQ", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM", "IO",
    "KM", "KY", "MH", "MP", "MV", "NL", "PH", "SB", "SC", "TC", "TF", "UM", "US", "VG", "VI",
];

/// A country of ISO 3166-1.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Alpha-2, upper case.
    pub country: String,
    /// In plain English.
    pub name: String,
    /// BCP 47; English where the table knows the country not.
    pub language: &'static str,
    /// Latitude and longitude of where most of its users are, degrees.
    pub at: Option<(f64, f64)>,
}

/// The place of an alpha-2 code in upper case.
pub fn place(alpha_2: &str) -> Place {
    match ROWS.binary_search_by(|row| row.alpha_2.cmp(alpha_2)).ok().and_then(|at| ROWS.get(at)) {
        Some(Row { name, language, latitude, longitude, .. }) => Place {
            country: alpha_2.to_owned(),
            name: (*name).to_owned(),
            language,
            at: Some((*latitude, *longitude)),
        },
        None => Place {
            country: alpha_2.to_owned(),
            name: catalog::country_name(alpha_2).unwrap_or(alpha_2).to_owned(),
            language: "en",
            at: None,
        },
    }
}

impl Place {
    /// For models without a field for the place. It says nothing of the language: the answer is to
    /// follow the question's.
    pub fn hint(&self) -> String {
        let article = if WITH_ARTICLE.contains(&self.country.as_str()) { "the " } else { "" };
        format!("The user is in {article}{}.", self.name)
    }

    /// Google's `gl`: the code in lower case, but for the United Kingdom.
    pub fn google_country(&self) -> String {
        match self.country.as_str() {
            "GB" => "uk".to_owned(),
            country => country.to_ascii_lowercase(),
        }
    }

    /// Google's `hl`, which still calls Hebrew by its old code.
    pub fn google_language(&self) -> String {
        match self.language {
            "he" => "iw".to_owned(),
            language => language.to_ascii_lowercase(),
        }
    }

    /// The criteria id of the country in Google's list of locations: 2000 and its ISO 3166-1
    /// number.
    pub fn google_criteria_id(&self) -> Option<usize> {
        celes::Country::from_alpha2(&self.country).ok().map(|country| 2_000 + country.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_holds_only_countries() {
        assert!(ROWS.is_sorted_by(|one, next| one.alpha_2 < next.alpha_2));
        for row in ROWS {
            assert!(catalog::is_country(row.alpha_2), "{}", row.alpha_2);
            assert!(row.latitude.abs() <= 90.0 && row.longitude.abs() <= 180.0);
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
            assert_eq!(place(country).hint(), hint);
        }
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
    fn a_place_is_known_in_every_form() {
        let germany = place("DE");
        assert_eq!(germany.hint(), "The user is in Germany.");
        assert_eq!((germany.language, germany.google_criteria_id()), ("de", Some(2276)));
        assert_eq!(place("GB").google_country(), "uk");
        assert_eq!(place("IL").google_language(), "iw");
        assert_eq!(place("CN").google_language(), "zh-cn");
        assert_eq!(place("US").google_criteria_id(), Some(2840));
        let nowhere = place("XX");
        assert_eq!((nowhere.name.as_str(), nowhere.at), ("XX", None));
    }
}
