//! Which pages of other origins may call: the setting `cors_origins`, as the Fetch standard's CORS
//! protocol has it. Keys travel in headers, so no cookies are ever allowed along.

use actix_http::Request;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, VARY,
};
use actix_web::{HttpMessage, HttpResponse};

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// The request headers that the API reads.
const HEADERS: &str = "Accept, Authorization, Content-Type, Idempotency-Key, If-None-Match, \
                       Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Prefer, \
                       X-API-Key, X-Request-Id";
/// The response headers that a page may read.
const EXPOSED: &str = "Allow, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, \
                       Retry-After, X-Request-Id";
/// How long a browser may remember a preflight, seconds.
const PREFLIGHT_SECONDS: u64 = 600;

/// The origins that are allowed.
pub(crate) struct Cors {
    origins: Vec<String>,
    any: bool,
}

impl Cors {
    /// Takes `origins` as the setting has them: `*` allows every origin.
    pub(crate) fn new(origins: &[String]) -> Cors {
        Cors { origins: origins.to_vec(), any: origins.iter().any(|origin| origin == "*") }
    }

    /// Returns the answer to a preflight of an allowed origin.
    pub(crate) fn preflight(
        &self,
        request: &Request,
        origin: Option<&HeaderValue>,
    ) -> Option<HttpResponse> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        (asks && origin.is_some_and(|origin| self.allows(origin))).then(|| {
            HttpResponse::NoContent()
                .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
                .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
                .insert_header((ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS))
                .finish()
        })
    }

    /// Marks a response as readable for the request's origin, if it is.
    pub(crate) fn apply_headers(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        if !self.any && !self.origins.is_empty() {
            // A cache must not give one origin's response to another.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else { return };
        let allowed = if self.any { HeaderValue::from_static("*") } else { origin.clone() };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }

    /// Returns whether every origin is allowed.
    pub(crate) fn allows_any(&self) -> bool {
        self.any
    }

    /// Returns whether pages of this origin may call.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.any || self.origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes())
    }
}
