//! The user guide over HTTP: `/docs` lists its pages, `/docs/{slug}` shows one, `/docs/search`
//! finds sections, and `/docs/assets/{file}` and `/docs/clients/{file}` are what they offer for other
//! programs.

mod reference;

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::{HttpResponse, web};

use crate::guide::FILES;
use crate::guide::index::QUERY_CHARS_MAX;
use crate::guide::site::{self, Site};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::security_headers;
use crate::job::quoted;

/// Returns the guide's pages, which are rendered at the first request.
fn site(call: &ApiCall) -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::new(reference::pages(&call.state.document.value)))
}

/// Serves `GET /docs`.
pub(crate) async fn index(call: ApiCall) -> ApiResult {
    Ok(security_headers::html(StatusCode::OK, site(&call).contents().to_owned()))
}

/// Serves `GET /docs/reference`.
pub(crate) async fn reference(call: ApiCall) -> ApiResult {
    guide_page(&call, site::REFERENCE)
}

/// Serves `GET /docs/{page}`.
pub(crate) async fn page(call: ApiCall) -> ApiResult {
    guide_page(&call, &call.path_parameter("page"))
}

/// Serves `GET /docs/{page}.md`: the page as it was written.
pub(crate) async fn markdown(call: ApiCall) -> ApiResult {
    let slug = call.path_parameter("page");
    match site(&call).markdown(&slug) {
        Some(text) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/markdown; charset=utf-8"))
            .body(text)),
        None => not_found(&call, no_page(&slug)),
    }
}

/// Serves `GET /llms.txt`: the pages as Markdown, in the form that llmstxt.org describes.
pub(crate) async fn for_models(call: ApiCall) -> ApiResult {
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(site(&call).llms()))
}

fn no_page(slug: &str) -> ApiError {
    ApiError::not_found(format!("The guide has no page {}; `/docs` lists them.", quoted(slug)))
}

fn guide_page(call: &ApiCall, slug: &str) -> ApiResult {
    match site(call).page(slug) {
        Some(page) => Ok(security_headers::html(StatusCode::OK, page.to_owned())),
        None => not_found(call, no_page(slug)),
    }
}

/// Returns the answer where there is no route. A browser is redirected from the forms of a page's
/// address that people type.
pub(crate) fn nothing_at(call: &ApiCall) -> ApiResult {
    let page = match call.path() {
        "/dashboard" | "/dashboard/" => Some("/"),
        path => path.strip_suffix('/').filter(|path| {
            let slug = path.strip_prefix("/docs/");
            *path == "/docs" || slug.is_some_and(|slug| site(call).page(slug).is_some())
        }),
    };
    match page.filter(|_| security_headers::wants_html(call.headers())) {
        Some(page) => {
            Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, page)).finish())
        }
        None => not_found(call, ApiError::no_path(call.path())),
    }
}

/// Answers what has no route.
pub(crate) async fn no_route(call: ApiCall) -> ApiResult {
    nothing_at(&call)
}

/// Returns a 404: a page for people in a browser, JSON for programs.
fn not_found(call: &ApiCall, error: ApiError) -> ApiResult {
    if !security_headers::wants_html(call.headers()) {
        return Err(error.into());
    }
    Ok(security_headers::html(StatusCode::NOT_FOUND, site::not_found(&error.detail)))
}

/// Serves `GET /docs/search?q=`: the script of the search box shows the list of this page while one
/// types; without it the form leads here.
pub(crate) async fn search(call: ApiCall) -> ApiResult {
    let mut pairs = url::form_urlencoded::parse(call.query_string().as_bytes());
    let query = pairs.find(|(name, _)| name == "q").map(|(_, value)| value).unwrap_or_default();
    // No page can show U+0000.
    let query = query.trim().replace('\0', "\u{fffd}");
    let chars = query.chars().count();
    if chars > QUERY_CHARS_MAX {
        return Ok(security_headers::html(StatusCode::BAD_REQUEST, site::query_too_long(chars)));
    }
    // The first search builds the index, which takes longer than an event loop may.
    let site = site(&call);
    let page = web::block(move || site.search(&query)).await?;
    Ok(security_headers::html(StatusCode::OK, page))
}

/// Serves `GET /docs/guide.js`.
pub(crate) async fn script(_: ApiCall) -> ApiResult {
    Ok(security_headers::asset("text/javascript; charset=utf-8", site::SCRIPT))
}

/// Serves `GET /docs/assets/{file}` and `GET /docs/clients/{file}`.
pub(crate) async fn file(call: ApiCall) -> ApiResult {
    let wanted = call.path().trim_start_matches("/docs/");
    let Some((path, text)) = FILES.iter().find(|(known, _)| *known == wanted) else {
        let detail = format!("The guide has no file {}.", quoted(wanted));
        return not_found(&call, ApiError::not_found(detail));
    };
    let content_type = match path.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        // RFC 9512 names it.
        Some((_, "yaml")) => "application/yaml",
        Some((_, "py")) => "text/x-python; charset=utf-8",
        Some((_, "sh")) => "text/x-shellscript; charset=utf-8",
        // A `.ts` is known as video otherwise.
        Some(_) | None => "text/plain; charset=utf-8",
    };
    Ok(security_headers::asset(content_type, text))
}
