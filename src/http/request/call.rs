//! A request on its way through its handler, and how a handler answers.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::Request;
use actix_web::HttpMessage;
use actix_web::HttpResponse;
use actix_web::dev::{Payload, Url};
use actix_web::error::BlockingError;
use actix_web::http::Uri;
use actix_web::http::header::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::http::error::ApiError;
use crate::http::request::params::{self, Pairs};
use crate::http::request::path::PathPattern;
use crate::http::state::State;
use crate::job::Invalid;
use crate::service::{Caller, Service, ServiceError};

/// A request and what the handlers share.
pub(crate) struct ApiCall {
    pub state: Rc<State>,
    request: Request,
    /// `None` where no route fits.
    pattern: Option<&'static PathPattern>,
    query: OnceCell<Result<Pairs, ApiError>>,
}

impl ApiCall {
    pub(crate) fn new(
        state: Rc<State>,
        request: Request,
        pattern: Option<&'static PathPattern>,
    ) -> ApiCall {
        ApiCall { state, request, pattern, query: OnceCell::new() }
    }

    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.state.service
    }

    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    pub(crate) fn path(&self) -> &str {
        self.request.path()
    }

    /// Returns the query as it came, still encoded.
    pub(crate) fn query_string(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    /// Returns the decoded query.
    ///
    /// # Errors
    /// Returns an error if it cannot be decoded.
    pub(crate) fn query(&self) -> Result<&Pairs, ApiError> {
        let query = self.query.get_or_init(|| params::pairs(self.query_string()));
        query.as_ref().map_err(ApiError::clone)
    }

    /// Takes the decoded query out.
    ///
    /// # Errors
    /// Returns an error if it cannot be decoded.
    pub(crate) fn take_query(&mut self) -> Result<Pairs, ApiError> {
        self.query.take().unwrap_or_else(|| params::pairs(self.query_string()))
    }

    /// Returns a parameter of the path, decoded.
    pub(crate) fn path_parameter(&self, name: &str) -> String {
        let path = routed_path(self.request.uri());
        let captured = self.pattern.and_then(|pattern| pattern.capture(&path, name));
        let encoded = captured.unwrap_or_default();
        match path {
            Cow::Borrowed(_) => encoded.to_owned(),
            Cow::Owned(_) => percent_decode_str(encoded).decode_utf8_lossy().into_owned(),
        }
    }

    pub(crate) fn take_body(&mut self) -> Payload {
        self.request.take_payload()
    }
}

/// Returns the path of a URL with everything decoded that does not change its parts.
pub(crate) fn routed_path(uri: &Uri) -> Cow<'_, str> {
    if uri.path().contains('%') {
        Cow::Owned(Url::new(uri.clone()).path().to_owned())
    } else {
        Cow::Borrowed(uri.path())
    }
}

/// The reason why a handler could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum HandlerError {
    Api(ApiError),
    Service(ServiceError),
}

impl HandlerError {
    /// Returns the error as a client sees it. `retention_hours` is for the sentence of a missing
    /// job.
    pub(crate) fn into_api_error(self, retention_hours: u64) -> ApiError {
        match self {
            HandlerError::Api(error) => error,
            HandlerError::Service(error) => ApiError::from_service(error, retention_hours),
        }
    }
}

impl From<ApiError> for HandlerError {
    fn from(error: ApiError) -> HandlerError {
        HandlerError::Api(error)
    }
}

impl From<ServiceError> for HandlerError {
    fn from(error: ServiceError) -> HandlerError {
        HandlerError::Service(error)
    }
}

impl From<Invalid> for HandlerError {
    fn from(invalid: Invalid) -> HandlerError {
        HandlerError::Api(invalid.into())
    }
}

impl From<BlockingError> for HandlerError {
    /// The pool refuses work only while the process ends.
    fn from(_: BlockingError) -> HandlerError {
        HandlerError::Service(ServiceError::Stopping)
    }
}

/// The reply of a handler, or its error.
pub(crate) type ApiResult = Result<HttpResponse, HandlerError>;

pub(crate) type Answer = Pin<Box<dyn Future<Output = ApiResult>>>;

/// A handler. Its type says whether it can be reached without a key where keys are needed.
pub(crate) enum Handler {
    Open(Box<dyn Fn(ApiCall) -> Answer + Send + Sync>),
    Keyed(Box<dyn Fn(ApiCall, Caller) -> Answer + Send + Sync>),
}

/// Returns a handler that takes no key.
pub(crate) fn open<F>(handler: impl Fn(ApiCall) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = ApiResult> + 'static,
{
    Handler::Open(Box::new(move |call| Box::pin(handler(call))))
}

/// Returns a handler that gets the account of the request's key.
pub(crate) fn keyed<F>(handler: impl Fn(ApiCall, Caller) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = ApiResult> + 'static,
{
    Handler::Keyed(Box::new(move |call, caller| Box::pin(handler(call, caller))))
}
