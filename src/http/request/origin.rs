//! Keeps web pages of other sites away from a service that needs no key: any page that somebody
//! opens could call it through their browser. Says nothing of keys and nothing of CORS headers.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use actix_http::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use actix_web::http::uri::Authority;
use url::Url;

use crate::http::error::ApiError;
use crate::http::transport::cors::Cors;
use crate::job::quoted;

// What a browser says of a request (Fetch Metadata Request Headers, W3C). No script can set them.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The hosts and origins that are the service's own.
pub(crate) struct OriginCheck {
    /// The address that is bound.
    bind: IpAddr,
    /// The host and the origin of `public_url`.
    public: Option<(String, String)>,
    cors: Arc<Cors>,
}

impl OriginCheck {
    pub(crate) fn new(bind: IpAddr, public_url: Option<&str>, cors: Arc<Cors>) -> OriginCheck {
        let url = public_url.and_then(|url| Url::parse(url).ok());
        let public = url.as_ref().and_then(|url| {
            let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
            Some((host, url.origin().ascii_serialization()))
        });
        OriginCheck { bind: bind.to_canonical(), public, cors }
    }

    /// Checks where a request comes from, by its head.
    ///
    /// # Errors
    /// Returns an error if its host is not this service's (a name that was rebound to this address,
    /// say), or if a page of another origin sends it that `cors_origins` does not list.
    pub(crate) fn check(&self, head: &RequestHead) -> Result<(), ApiError> {
        let host = self.own_host(head)?;
        let headers = head.headers();
        let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
        let other_site = matches!(site, Some(b"cross-site" | b"same-site"));
        let mut origins = headers.get_all(ORIGIN).peekable();
        let allowed = if origins.peek().is_some() {
            // A page of the same machine on another port is no less foreign, so the browser's word
            // goes before a comparison with `Host`.
            origins
                .all(|origin| self.is_allowed(origin) || !other_site && is_origin_of(origin, &host))
        } else {
            !other_site || self.cors.allows_any()
        };
        if allowed || is_page_visit(head) {
            return Ok(());
        }
        let given = headers.get(ORIGIN).or_else(|| headers.get(FETCH_SITE));
        Err(ApiError::cross_site(&lossy(given)))
    }

    /// The value of `Host`, which must name this service, as must the target where it is an
    /// absolute URL (RFC 9112, section 3.2.2).
    fn own_host(&self, head: &RequestHead) -> Result<Authority, ApiError> {
        // The parser lets no request through that has two.
        let given = head.headers().get(HOST);
        let host = given.and_then(|host| Authority::from_str(host.to_str().ok()?).ok());
        let host = host.filter(|host| self.is_own(host));
        let host = host.ok_or_else(|| ApiError::foreign_host(&lossy(given)))?;
        match head.uri.authority() {
            Some(target) if !self.is_own(target) => {
                Err(ApiError::foreign_host(&quoted(target.as_str())))
            }
            Some(_) | None => Ok(host),
        }
    }

    /// Whether a browser that asks this host cannot have been led here by a name of others. Only
    /// names can be: an address stands for itself.
    fn is_own(&self, authority: &Authority) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().trim_matches(['[', ']']);
        let host = host.strip_suffix('.').unwrap_or(host);
        if self.public.as_ref().is_some_and(|(public, _)| public.eq_ignore_ascii_case(host)) {
            return true;
        }
        match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
            // What is bound to all addresses is reached at each of them.
            Ok(address) => {
                address.is_loopback() || address == self.bind || self.bind.is_unspecified()
            }
            // RFC 6761, section 6.3: these names are never looked up elsewhere.
            Err(_) => {
                host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
            }
        }
    }

    /// Whether pages of this origin may call, wherever they were loaded from.
    fn is_allowed(&self, origin: &HeaderValue) -> bool {
        let public = self.public.as_ref().map(|(_, origin)| origin.as_bytes());
        self.cors.allows(origin) || public == Some(origin.as_bytes())
    }
}

/// Whether a page of this origin was loaded from this host, over plain HTTP as it is served here.
fn is_origin_of(origin: &HeaderValue, host: &Authority) -> bool {
    let without_port =
        |authority: &str| authority.strip_suffix(":80").unwrap_or(authority).to_ascii_lowercase();
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    origin.is_some_and(|authority| without_port(authority) == without_port(host.as_str()))
}

/// Whether somebody follows a link to one of the pages for people, which shows them the page and
/// nothing to the page that they come from.
fn is_page_visit(head: &RequestHead) -> bool {
    let says = |name: HeaderName, word: &str| {
        head.headers().get(name).is_some_and(|value| value.as_bytes() == word.as_bytes())
    };
    let page = match head.uri.path() {
        "/" | "/dashboard" | "/dashboard/" | "/docs" | "/practice" => true,
        path => path.starts_with("/docs/"),
    };
    page && matches!(head.method, Method::GET | Method::HEAD)
        && says(FETCH_MODE, "navigate")
        && says(FETCH_DEST, "document")
}

fn lossy(value: Option<&HeaderValue>) -> String {
    value.map_or_else(
        || "none".to_owned(),
        |value| quoted(&String::from_utf8_lossy(value.as_bytes())),
    )
}
