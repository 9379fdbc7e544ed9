//! The options that say which jobs a command is about.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// The filters of a list of jobs. A job has to match all that are given.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct JobFilters {
    /// Only jobs of this scraper
    #[arg(long, value_name = "NAME")]
    scraper: Option<String>,
    /// Only jobs for this country
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// Only jobs that failed with this code, such as timeout
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
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
