//! Raw replies: what an upstream sent in an attempt, byte for byte, for those who want it kept.

use std::collections::BTreeMap;

use crate::config::KeepRaw;

/// The replies of one upstream in one attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawCapture {
    /// The upstream's name in config.toml.
    pub upstream: String,
    /// Which of its attempts are kept where the job does not ask for all.
    pub keep: KeepRaw,
    /// Those that the answer was read from, or the failure: one for each round, of polls the last.
    pub replies: Vec<RawReply>,
    /// Where addresses of the answer that only redirect have led to.
    pub redirects: BTreeMap<String, String>,
}

/// One reply, without its headers and without the upstream's secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawReply {
    /// The HTTP status; `None` for what was read from a page.
    pub status: Option<u16>,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl RawCapture {
    /// Returns whether it is kept of an attempt that this upstream has `answered`, or has not.
    pub fn is_kept(&self, answered: bool) -> bool {
        match self.keep {
            KeepRaw::None => false,
            KeepRaw::Failed => !answered,
            KeepRaw::All => true,
        }
    }
}
