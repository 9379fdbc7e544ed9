//! Evidence of an attempt at a web page: its steps, a screenshot, and the HTML.

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
