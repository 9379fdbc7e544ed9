//! What an attempt leaves for those who ask why it went as it did: the steps, what the page looked
//! like, and its HTML.

use crate::api::EvidenceStep;

/// Evidence of one attempt at one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The upstream's name in config.toml.
    pub upstream: String,
    pub steps: Vec<EvidenceStep>,
    /// PNG.
    pub screenshot: Option<Vec<u8>>,
    pub html: Option<String>,
    /// The page's address at the end.
    pub url: Option<String>,
}
