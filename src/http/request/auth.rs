//! Who calls: a handler that takes a [`Caller`] cannot be reached without a valid key where keys
//! are needed. Contract 1.2.

use std::future::{Ready, ready};
use std::net::SocketAddr;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use crate::http::error::ApiError;
use crate::http::request::address;
use crate::http::request::params::{self, Pairs};
use crate::service::{Caller, Service};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Caller, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = match request.app_data::<web::Data<Service>>() {
            Some(service) => {
                let query = params::pairs(request.query_string());
                caller(service, request.headers(), request.peer_addr(), query.as_ref())
            }
            // Every route is registered beside the service.
            None => Err(ApiError::no_path(request.path())),
        };
        if let Ok(caller) = &caller {
            // For the headers that tell the caller how it stands.
            request.extensions_mut().insert(caller.clone());
        }
        ready(caller)
    }
}

/// Who calls, by the head of the request and what its query is when decoded.
///
/// # Errors
/// The key is missing, wrong or not looked at; or it would be in a query that cannot be read.
pub fn caller(
    service: &Service,
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
    query: Result<&Pairs, &ApiError>,
) -> Result<Caller, ApiError> {
    let key = key_of(headers, query)?;
    let from = address::client(peer, headers, service.trusted_proxies());
    service
        .authenticate(key, from)
        .map_err(|error| ApiError::from_service(error, service.retention_hours()))
}

/// The key from where the contract allows it: `X-API-Key`, then `?api_key=`, then a bearer token.
pub fn key_of<'a>(
    headers: &'a HeaderMap,
    query: Result<&'a Pairs, &ApiError>,
) -> Result<Option<&'a str>, ApiError> {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = header(API_KEY).map(str::trim).filter(|key| !key.is_empty()) {
        return Ok(Some(key));
    }
    let mut pairs = query.map_err(ApiError::clone)?.iter();
    if let Some((_, key)) = pairs.find(|(name, value)| name == "api_key" && !value.is_empty()) {
        return Ok(Some(key));
    }
    let bearer = header(AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    Ok(bearer)
}
