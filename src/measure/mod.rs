//! What is counted in an answer: which brands its text names, which of their pages it cites, and
//! rates with their intervals. Pure functions; nothing here knows where an answer is kept.

mod address;
mod answer;
mod boundary;
mod brand;
mod common_words;
mod matcher;
mod name;
mod observation;
mod page_sums;
mod page_use;
mod rate;
mod report;
mod script;
mod sums;
mod text;
mod tracker;

pub use address::{host, registrable_domain};
pub use answer::{
    BrandMention, CITED_URLS_MAX, DOMAINS_MAX, DomainUse, Measured, annotated, kind_words, measure,
};
pub use brand::Brand;
pub use matcher::{Found, Matcher};
pub use name::NAME_CHARS_MAX;
pub use observation::Observation;
pub use page_sums::{PAGES_OF_GROUP_MAX, PageSums};
pub use page_use::PageUse;
pub use rate::Rate;
pub(crate) use report::PAGES_OF_REPORT_MAX;
pub use report::{
    Changes, Dimension, GroupKey, Listing, ReportBuilder, ReportRow, RowKey, SinceBefore,
    TopDomain, TopPage, Window, own_places,
};
pub use sums::{AnswerCounts, BrandCount, BrandSums, DomainSums, GroupSums, NewAnswer, PromptSums};
pub use tracker::{
    ALIASES_MAX, BRANDS_MAX, DOMAINS_OF_BRAND_MAX, InvalidTracker, TrackedBrands, Tracker,
    TrackerVersion,
};

#[cfg(test)]
mod tests;
