//! The user guide in the browser: `/docs` lists its pages, `/docs/{slug}` shows one, `/docs/search`
//! finds sections, and `/docs/assets/{file}` is what they offer for other programs. The API reference is
//! a page like the others. Rendered once, at the first request.

mod reference;
mod search;

pub use search::{script as search_script, show as search};

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;

use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::security_headers;
use crate::job::quoted;
use crate::practice::guide::{FILES, Guide, PAGES};
use crate::practice::html::{self, Frame, escape};

/// Where the guide and the reference are in the navigation.
const HERE: &str = "/docs";
const REFERENCE_PATH: &str = "/docs/reference";

/// The pages, (slug, Markdown), in reading order: those of the guide, and the reference.
static TEXTS: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    let pages = PAGES.iter().map(|(slug, text)| (*slug, (*text).to_owned()));
    pages.chain([(reference::SLUG, reference::markdown())]).collect()
});
/// The same, read.
static GUIDE: LazyLock<Guide> = LazyLock::new(|| {
    let texts: Vec<(&'static str, &str)> =
        TEXTS.iter().map(|(slug, text)| (*slug, text.as_str())).collect();
    Guide::of(&texts, "")
});
/// Every page as it is sent, by its slug.
static RENDERED: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(render);
static INDEX: LazyLock<String> = LazyLock::new(render_index);

/// `GET /docs`
pub async fn index(_: ApiCall) -> ApiResult {
    Ok(security_headers::html(StatusCode::OK, INDEX.clone()))
}

/// `GET /docs/reference`
pub async fn reference(call: ApiCall) -> ApiResult {
    guide_page(&call, reference::SLUG)
}

/// `GET /docs/{page}`
pub async fn page(call: ApiCall) -> ApiResult {
    guide_page(&call, &call.path_parameter(0))
}

fn guide_page(call: &ApiCall, slug: &str) -> ApiResult {
    match RENDERED.iter().find(|(known, _)| *known == slug) {
        Some((_, page)) => Ok(security_headers::html(StatusCode::OK, page.clone())),
        None => {
            let detail = format!("The guide has no page {}; `/docs` lists them.", quoted(slug));
            not_found(call, ApiError::not_found(detail))
        }
    }
}

/// Returns the answer where there is no route. A browser is redirected from the forms of a page's address
/// that people type.
pub fn nothing_at(call: &ApiCall) -> ApiResult {
    let page = match call.path() {
        "/dashboard" | "/dashboard/" => Some("/"),
        path => path.strip_suffix('/').filter(|path| {
            let slug = path.strip_prefix("/docs/");
            *path == HERE
                || slug.is_some_and(|slug| RENDERED.iter().any(|(known, _)| *known == slug))
        }),
    };
    match page.filter(|_| security_headers::wants_html(call.headers())) {
        Some(page) => {
            Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, page)).finish())
        }
        None => not_found(call, ApiError::no_path(call.path())),
    }
}

/// Returns a 404: a page for people in a browser, JSON for programs.
fn not_found(call: &ApiCall, error: ApiError) -> ApiResult {
    if !security_headers::wants_html(call.headers()) {
        return Err(error.into());
    }
    let main = format!(
        "<h1>Not found</h1>\n<p>{}</p>\n<p>The <a href=\"/docs\">guide</a> lists its pages, and the \
         <a href=\"/\">dashboard</a> has the jobs.</p>\n",
        escape(&error.detail)
    );
    Ok(security_headers::html(StatusCode::NOT_FOUND, framed("Not found", HERE, "", &main)))
}

/// `GET /docs/assets/{file}`
pub async fn file(call: ApiCall) -> ApiResult {
    let file = call.path_parameter(0);
    let Some((name, text)) = FILES.iter().find(|(known, _)| *known == file.as_str()) else {
        let detail = format!("The guide has no file {}.", quoted(&file));
        return not_found(&call, ApiError::not_found(detail));
    };
    // RFC 9512 names YAML's type.
    let json = name.ends_with(".json");
    let content_type = if json { "application/json" } else { "application/yaml" };
    Ok(security_headers::asset(content_type, text))
}

/// A page of the guide around its content; `here` is its place in the navigation, and `query` stands
/// in its search box.
fn framed(title: &str, here: &str, query: &str, main: &str) -> String {
    let script = Some(search::SCRIPT_PATH);
    html::page(&Frame { title, here, script, search: Some(query) }, main)
}

fn render_index() -> String {
    let items: String = GUIDE
        .pages
        .iter()
        .map(|page| {
            let (title, summary) = (escape(&page.title), escape(&page.summary));
            format!(
                "<li><a href=\"/docs/{}\">{title}</a><p class=\"summary\">{summary}</p></li>\n",
                page.slug
            )
        })
        .collect();
    let main = format!(
        "<h1>Guide</h1>\n<p>How answerd is used and run. Search it above, or ask the \
         <a href=\"/practice\">practice engine</a> a question.</p>\n\
         <ul class=\"pages\">\n{items}</ul>\n"
    );
    framed("Guide", HERE, "", &main)
}

fn render() -> Vec<(&'static str, String)> {
    let guide = &*GUIDE;
    let link = |at: Option<usize>, rel: &str, arrow: &str| {
        at.and_then(|at| guide.pages.get(at)).map_or_else(
            || "<span></span>".to_owned(),
            |page| {
                let title = escape(&page.title);
                format!("<a rel=\"{rel}\" href=\"/docs/{}\">{arrow}{title}</a>", page.slug)
            },
        )
    };
    TEXTS
        .iter()
        .enumerate()
        .map(|(at, (slug, text))| {
            let main = format!(
                "<article class=\"guide\">\n{}</article>\n\
                 <nav class=\"turns\" aria-label=\"Neighboring pages\">{}{}</nav>\n",
                html::guide_page(text, slug),
                link(at.checked_sub(1), "prev", "← "),
                link(Some(at + 1), "next", "→ "),
            );
            let here = if *slug == reference::SLUG { REFERENCE_PATH } else { HERE };
            let title = guide.pages.get(at).map_or(*slug, |page| page.title.as_str());
            (*slug, framed(title, here, "", &main))
        })
        .collect()
}
