//! What the APIs of models do alike: the model that a request or the settings name, the list of
//! models, and one reply of JSON. What each is asked and says is in its own file.

use serde_json::Value;

use crate::answer::Kind;
use crate::job::{ScrapeRequest, UpstreamUsage};
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::UpstreamError;
use crate::upstream::provider::{ModelQuery, Provider, Step};

use super::account::Account;
use super::token_usage;

/// The API of a model whose answer is in one reply. It is a [`Provider`].
pub(super) trait ModelApi: Send + Sync {
    /// Where its list of models is, below the base address; `None` if it has none.
    const MODELS: Option<&'static str> = Some("/models");
    /// As [`Provider::resolve_prefix`].
    const REDIRECTS: Option<&'static str> = None;

    /// Returns the account that is asked with.
    fn account(&self) -> &Account;

    /// As [`Provider::request`].
    ///
    /// # Errors
    /// Returns an error if the settings cannot be used; nothing was sent.
    fn ask(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError>;

    /// Reads the JSON of the latest reply, which is no HTTP error.
    ///
    /// # Errors
    /// Returns an error if the reply says so, or is not what this API speaks.
    fn step(&self, request: &ScrapeRequest, body: &Value) -> Result<Step, UpstreamError>;

    /// Returns what the latest reply says that it used.
    fn used(body: &Value) -> UpstreamUsage;

    /// As [`Provider::look_at`].
    fn look(&self, _task: &str) -> Option<HttpRequest> {
        None
    }
}

impl<M: ModelApi> Provider for M {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn models(&self) -> Option<ModelQuery> {
        M::MODELS.map(|path| self.account().models_at(path))
    }

    fn model_asked(&self, request: &ScrapeRequest) -> Option<String> {
        Some(self.account().model_for(request).to_owned())
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        self.ask(request)
    }

    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let body = self.account().read(request, replies)?;
        self.step(request, &body)
    }

    fn usage(&self, replies: &[HttpReply]) -> UpstreamUsage {
        token_usage::told(replies.last(), M::used)
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        self.look(task)
    }

    fn resolve_prefix(&self) -> Option<&'static str> {
        M::REDIRECTS
    }
}
