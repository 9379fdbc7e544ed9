//! What is counted in an answer: which brands its text names, which of their pages it cites, and
//! rates with their intervals. Pure functions; nothing here knows where an answer is kept.

mod address;
mod answer;
mod boundary;
mod brand;
mod common_words;
mod matcher;
mod name;
mod rate;
mod script;
mod text;
mod tracker;

pub use address::{host, registrable_domain};
pub use answer::{BrandMention, CITED_URLS_MAX, DOMAINS_MAX, DomainUse, Measured, measure};
pub use brand::Brand;
pub use matcher::{Found, Matcher};
pub use name::{NAME_CHARS_MAX, TRACKER_NAME_CHARS_MAX, check_tracker_name};
pub use rate::Rate;
pub use tracker::{ALIASES_MAX, BRANDS_MAX, DOMAINS_OF_BRAND_MAX, InvalidTracker, TrackedBrands};

#[cfg(test)]
mod tests;
