//! Who calls: a handler that takes a [`Caller`] cannot be reached without a valid key where keys
//! are needed. Contract 1.2.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use super::error::ApiError;
use super::{address, params};
use crate::service::{Caller, Service};

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Caller, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = caller(request);
        if let Ok(caller) = &caller {
            // For the headers that tell the caller how it stands.
            request.extensions_mut().insert(caller.clone());
        }
        ready(caller)
    }
}

fn caller(request: &HttpRequest) -> Result<Caller, ApiError> {
    let Some(service) = request.app_data::<web::Data<Service>>() else {
        // Every route is registered beside the service.
        return Err(ApiError::no_path(request.path()));
    };
    let key = key_of(request)?;
    let from = address::client(request, service.trusted_proxies());
    service
        .authenticate(key.as_deref(), from)
        .map_err(|error| ApiError::from_service(error, service.retention_hours()))
}

/// The key from where the contract allows it: `X-API-Key`, then `?api_key=`, then a bearer token.
fn key_of(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = header("x-api-key").map(str::trim).filter(|key| !key.is_empty()) {
        return Ok(Some(key.to_owned()));
    }
    let in_query = params::pairs(request.query_string())?
        .into_iter()
        .find(|(name, value)| name == "api_key" && !value.is_empty());
    if let Some((_, key)) = in_query {
        return Ok(Some(key));
    }
    let bearer = header(AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned());
    Ok(bearer)
}
