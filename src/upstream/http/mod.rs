//! An upstream over HTTP: the requests of a provider within bounds of time and rounds. What is sent
//! and what the replies mean is the provider's part.

mod errors;
mod exchange;
mod redirects;
mod rounds;

use std::collections::BTreeMap;

use super::{Call, Limits, Upstream, UpstreamError};
use crate::answer::{Answer, Kind};
use crate::job::ScrapeRequest;
use redirects::follow_redirects;
use rounds::Rounds;

pub(super) use exchange::HttpUpstream;
pub use exchange::InvalidProxy;
pub(super) use redirects::put_targets;

impl Upstream for HttpUpstream {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        self.provider.kind()
    }

    fn limits(&self) -> Limits {
        self.provider.limits()
    }

    fn model_asked(&self, request: &ScrapeRequest) -> Option<String> {
        self.provider.model_asked(request)
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        let deadline = call.deadline.min(self.clock.instant() + self.timeout);
        let mut rounds = Rounds::new(self, request, call, deadline);
        let mut outcome = rounds.run();
        let mut redirects = BTreeMap::new();
        if let (Ok(answer), Some(prefix)) = (&mut outcome, self.provider.resolve_prefix()) {
            redirects = follow_redirects(&self.client, prefix, answer, deadline, call, &self.clock);
        }
        let replies = rounds.into_replies();
        let usage = self.provider.usage(&replies);
        self.hand_over(replies, redirects, call);
        match outcome {
            Ok(answer) => Ok(Answer { usage, ..answer }),
            Err(error) => Err(error.with_usage(usage)),
        }
    }

    fn resumes_tasks(&self) -> bool {
        self.provider.look_at("").is_some()
    }
}

#[cfg(test)]
mod tests;
