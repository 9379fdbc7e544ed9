//! Who calls: a handler that takes a [`Caller`] cannot be reached without a valid key where keys
//! are needed. Contract 1.2.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};

use crate::http::error::ApiError;
use crate::http::request::address;
use crate::http::request::call::{ApiCall, HandlerError};
use crate::http::request::params::Pairs;
use crate::service::Caller;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Returns who calls.
///
/// # Errors
/// Returns an error if the key is missing, wrong or not looked at; or if it would be in a query
/// that cannot be decoded.
pub(crate) fn caller(call: &ApiCall) -> Result<Caller, HandlerError> {
    let (service, headers) = (call.service(), call.headers());
    let key = key_of(headers, call.query())?;
    let from = address::client(call.request().peer_addr(), headers, service.trusted_proxies());
    Ok(service.authenticate(key, from)?)
}

/// Returns the key from where the contract allows it: `X-API-Key`, then `?api_key=`, then a bearer
/// token.
///
/// # Errors
/// Returns an error if the key would be in a query that cannot be decoded.
pub(crate) fn key_of<'a>(
    headers: &'a HeaderMap,
    query: Result<&'a Pairs, ApiError>,
) -> Result<Option<&'a str>, ApiError> {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = header(API_KEY).map(str::trim).filter(|key| !key.is_empty()) {
        return Ok(Some(key));
    }
    let mut pairs = query?.iter();
    if let Some((_, key)) = pairs.find(|(name, value)| name == "api_key" && !value.is_empty()) {
        return Ok(Some(key));
    }
    let bearer = header(AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    Ok(bearer)
}
