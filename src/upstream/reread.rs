//! Replies that were kept, read again by today's adapter. Nothing is asked of anybody.

use std::collections::BTreeMap;

use super::http::put_targets;
use super::provider::Step;
use super::slot::says_nothing;
use super::{UpstreamError, providers};
use crate::answer::{Answer, Kind};
use crate::config;
use crate::job::ScrapeRequest;
use crate::net::HttpReply;

/// The reason why replies cannot be read again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RereadError {
    /// It answers over no HTTP API.
    #[error("its kind keeps nothing that an answer is read from")]
    NoProvider,
    /// Today's adapter would ask for more.
    #[error("the adapter needs a reply that is not there")]
    Unfinished,
    #[error("the adapter finds no text in them")]
    Empty,
    #[error(transparent)]
    Failed(#[from] UpstreamError),
}

/// Returns the answer that an upstream's replies hold, one for each round, and where it is from.
/// `redirects` are where its addresses have led to.
///
/// # Errors
/// Returns an error if its adapter finds no answer in them.
pub fn reread(
    configured: &config::Upstream,
    request: &ScrapeRequest,
    replies: &[HttpReply],
    redirects: &BTreeMap<String, String>,
) -> Result<(Answer, Kind), RereadError> {
    let provider = providers::provider(configured).ok_or(RereadError::NoProvider)?;
    let Step::Done(answer) = provider.reply(request, replies)? else {
        return Err(RereadError::Unfinished);
    };
    let mut answer = *answer;
    if let Some(prefix) = provider.resolve_prefix() {
        put_targets(&mut answer, prefix, redirects);
    }
    let answer = answer.normalized();
    if says_nothing(&answer) {
        return Err(RereadError::Empty);
    }
    Ok((answer, provider.kind()))
}
