//! The options that say which jobs a command is about.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::client::{Client, Verb};
use super::console::{Console, printable};
use crate::country;

/// Checks the code of a country: the server would find nothing for another word.
///
/// # Errors
/// Returns the rule if it is none.
pub(crate) fn country_code(given: &str) -> Result<String, String> {
    let known = country::find(&given.to_ascii_uppercase());
    let known = known.map(|_| given.to_owned());
    known.ok_or_else(|| "it must be an ISO 3166-1 alpha-2 code such as US".to_owned())
}

/// Says which names of a filter that nothing has matched the server does not know. It may still
/// have jobs of a name that is gone, so that this is no error.
pub(crate) fn note_unknown(client: &Client, filters: &[(&str, String)], console: &mut Console) {
    for (name, given) in filters {
        let list = match *name {
            "scraper" => "scrapers",
            "tracker" => "trackers",
            _ => continue,
        };
        let Ok(document) = client.send(Verb::Get, &[list], None) else { continue };
        let entries = document[list].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = entries.iter().filter_map(|it| it["name"].as_str()).collect();
        if names.contains(&given.as_str()) {
            continue;
        }
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let note = format!("the server has no {name} `{given}`; there are {names}");
        console.note(&printable(&note));
    }
}

/// The filters of a list of jobs. A job has to match all that are given.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct JobFilters {
    /// Only jobs of this scraper
    #[arg(long, value_name = "NAME")]
    scraper: Option<String>,
    /// Only jobs for this country
    #[arg(long, value_name = "CODE", value_parser = country_code)]
    country: Option<String>,
    /// Only jobs that failed with this code, such as timeout
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
    /// Only jobs that were canceled, or with false only others
    #[arg(long, value_name = "BOOLEAN")]
    canceled: Option<bool>,
    /// Only jobs with this label
    #[arg(short, long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    label: Option<String>,
    /// Only jobs whose label or prompt contains this
    #[arg(
        short = 'S', long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new()
    )]
    search: Option<String>,
    /// Only jobs that this tracker measures
    #[arg(long, value_name = "NAME")]
    tracker: Option<String>,
    /// Only jobs of this batch
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    batch: Option<String>,
    /// Only jobs submitted at this time or later: RFC 3339, a date, or Unix seconds
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only jobs submitted at this time or earlier; a date is its whole day
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl JobFilters {
    /// Returns what was given, as parameters of a query.
    pub(crate) fn query(self) -> Vec<(&'static str, String)> {
        let all = [
            ("scraper", self.scraper),
            ("country", self.country),
            ("error_code", self.error_code),
            ("canceled", self.canceled.map(|canceled| canceled.to_string())),
            ("label", self.label),
            ("search", self.search),
            ("tracker", self.tracker),
            ("batch", self.batch),
            ("since", self.since),
            ("until", self.until),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
