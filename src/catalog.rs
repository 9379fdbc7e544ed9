//! The catalog of scrapers: their names, the arrays in their results, which countries they
//! refuse and what they cost unless config.toml says otherwise. Contract 1.1, 1.3, 1.6 and 1.9.

/// An array of a result object. The name is the field's name in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Array {
    Links,
    SearchQueries,
    Sources,
    RelatedQuestions,
    Citations,
    WebSources,
    XResults,
    SearchResults,
    Products,
    Ads,
    Entities,
}

impl Array {
    /// How many there are.
    pub const COUNT: usize = Array::Entities as usize + 1;

    /// All of them, in the order of the enum.
    pub const ALL: [Array; Array::COUNT] = [
        Array::Links,
        Array::SearchQueries,
        Array::Sources,
        Array::RelatedQuestions,
        Array::Citations,
        Array::WebSources,
        Array::XResults,
        Array::SearchResults,
        Array::Products,
        Array::Ads,
        Array::Entities,
    ];

    /// Returns the field's name in the result object.
    pub const fn name(self) -> &'static str {
        match self {
            Array::Links => "links",
            Array::SearchQueries => "search_queries",
            Array::Sources => "sources",
            Array::RelatedQuestions => "related_questions",
            Array::Citations => "citations",
            Array::WebSources => "web_sources",
            Array::XResults => "x_results",
            Array::SearchResults => "search_results",
            Array::Products => "products",
            Array::Ads => "ads",
            Array::Entities => "entities",
        }
    }
}

/// One scraper as it ships. An operator's own scrapers get the general arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: &'static str,
    /// The arrays of its own in its result, in the order they stand there.
    pub arrays: &'static [Array],
    /// Alpha-2 codes refused with a 400 unless the scraper's `refused_countries` says otherwise.
    pub refused_countries: &'static [&'static str],
    /// Whether its result carries `markdown_json` when that is asked for.
    pub markdown_json: bool,
}

/// Credits for one scrape unless the scraper's `credits` says otherwise (contract 1.9).
pub const CREDITS_DEFAULT: u32 = 3;

const NONE: &[&str] = &[];
const JP_TW: &[&str] = &["JP", "TW"];
const GENERAL: &[Array] = &[Array::Links, Array::Sources, Array::Citations, Array::SearchQueries];

const fn entry(
    name: &'static str,
    arrays: &'static [Array],
    refused_countries: &'static [&'static str],
) -> Entry {
    Entry { name, arrays, refused_countries, markdown_json: false }
}

/// Every scraper that answerd knows by itself, in the order `GET /scrapers` lists them.
pub const SCRAPERS: &[Entry] = &[
    Entry {
        name: "chatgpt",
        arrays: &[Array::Links, Array::SearchQueries],
        refused_countries: NONE,
        markdown_json: true,
    },
    entry("perplexity", &[Array::Sources, Array::RelatedQuestions], NONE),
    entry("grok", &[Array::WebSources, Array::XResults], JP_TW),
    entry("copilot", &[Array::Citations, Array::Links], JP_TW),
    entry("gemini", &[Array::Citations], JP_TW),
    entry("google_ai_mode", &[Array::Citations, Array::SearchResults], JP_TW),
    entry(
        "google_ai_overview",
        &[Array::Citations, Array::SearchResults, Array::RelatedQuestions],
        NONE,
    ),
    entry("amazon_rufus", &[Array::Products, Array::RelatedQuestions], NONE),
    entry("claude", GENERAL, NONE),
    entry("mistral", GENERAL, NONE),
    entry("deepseek", GENERAL, NONE),
    Entry {
        name: "practice",
        arrays: &[
            Array::Links,
            Array::Sources,
            Array::Citations,
            Array::SearchQueries,
            Array::RelatedQuestions,
        ],
        refused_countries: NONE,
        markdown_json: true,
    },
];

/// Returns the entry of a scraper that ships with answerd.
pub fn shipped(name: &str) -> Option<&'static Entry> {
    SCRAPERS.iter().find(|entry| entry.name == name)
}

/// Returns the arrays of a scraper by name; an operator's own has the general ones (contract 1.6).
pub fn arrays(name: &str) -> &'static [Array] {
    shipped(name).map_or(GENERAL, |entry| entry.arrays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country;

    #[test]
    fn names_are_unique_and_fit_a_path() {
        for (at, entry) in SCRAPERS.iter().enumerate() {
            assert!(entry.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(!SCRAPERS[..at].iter().any(|earlier| earlier.name == entry.name));
        }
    }

    #[test]
    fn refused_countries_are_countries() {
        for entry in SCRAPERS {
            assert!(entry.refused_countries.iter().all(|code| country::find(code).is_some()));
        }
    }
}
