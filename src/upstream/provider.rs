//! What a provider over HTTP is to the shared call in `http`: two pure functions, from a request
//! to HTTP, and from the replies so far to an answer or to the next request.

use crate::answer::{Answer, Kind};
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::{HttpReply, HttpRequest};

use super::{Limits, UpstreamError};

/// A provider's protocol. Implementations hold their settings and no other state.
pub trait Provider: Send + Sync {
    /// Where its answers are had.
    fn kind(&self) -> Kind;

    /// Returns what it takes, as far as that is known before a call.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Returns what asks for the provider's list of models; `None`: it has none.
    fn models(&self) -> Option<ModelQuery> {
        None
    }

    /// Returns the model that is asked for a request: its own, else that of the settings. `None`:
    /// what is asked has none to choose.
    fn model_asked(&self, request: &ScrapeRequest) -> Option<String> {
        request.model.clone()
    }

    /// Returns the first HTTP request for a scrape that is within the limits.
    ///
    /// # Errors
    /// Returns an error if the provider's settings cannot be used; nothing was sent.
    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError>;

    /// Reads the replies so far, the latest last; there is at least one.
    ///
    /// # Errors
    /// The reply says so, or is not what this provider speaks.
    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError>;

    /// Returns what the replies so far say that they used, whatever becomes of the answer: of a
    /// call that breaks off, the rounds before are billed all the same.
    fn usage(&self, _replies: &[HttpReply]) -> UpstreamUsage {
        UpstreamUsage::default()
    }

    /// Returns the request that looks at a task which has begun at the vendor. `None`: the provider
    /// begins none.
    fn look_at(&self, _task: &str) -> Option<HttpRequest> {
        None
    }

    /// The prefix of addresses that only redirect to the page they stand for; the shared call looks
    /// up where those lead. `None`: the provider names pages by their own addresses.
    fn resolve_prefix(&self) -> Option<&'static str> {
        None
    }
}

/// A look at a provider's list of models.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelQuery {
    pub request: HttpRequest,
    /// The model that is asked where a request does not choose one.
    pub model: String,
}

/// The step that follows from a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Done(Box<Answer>),
    /// A further request at once, whose reply stands behind those so far. The shared call bounds
    /// how many.
    Round(HttpRequest),
    /// The vendor works on a task of this name, which [`Provider::look_at`] looks at. It is kept
    /// with the job before the first look. A look that says this again is made again after a pause,
    /// and its reply takes the place of the one before.
    Begun(String),
    /// The answer is in the making: the same request is sent again after a pause.
    Again,
}
