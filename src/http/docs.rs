//! The user guide in the browser: `/docs` lists its pages, `/docs/{slug}` shows one, `/docs/search`
//! finds sections, and `/docs/assets/{file}` is what they offer for other programs. The API reference is
//! a page like the others. Rendered once, at the first request.

mod reference;
mod search;

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use crate::http::error::ApiError;
use crate::http::transport::security_headers;
use crate::http::transport::traffic::Traffic;
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
static RENDERED: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(rendered);
static INDEX: LazyLock<String> = LazyLock::new(index);

/// Puts the guide's pages into an app.
pub fn configure(app: &mut web::ServiceConfig, traffic: &Traffic) {
    app.service(super::get(traffic, "/docs", super::get_or_head().to(pages)))
        .service(super::get(traffic, "/docs/search", super::get_or_head().to(search::show)))
        .service(super::get(traffic, search::SCRIPT_PATH, super::get_or_head().to(search::script)))
        .service(super::get(traffic, "/docs/{slug}", super::get_or_head().to(page)))
        .service(super::get(traffic, "/docs/assets/{file}", super::get_or_head().to(file)));
}

/// `GET /docs`
pub async fn pages() -> HttpResponse {
    security_headers::html(StatusCode::OK, INDEX.clone())
}

/// `GET /docs/{slug}`
pub async fn page(slug: web::Path<String>, request: HttpRequest) -> HttpResponse {
    match RENDERED.iter().find(|(known, _)| *known == slug.as_str()) {
        Some((_, page)) => security_headers::html(StatusCode::OK, page.clone()),
        None => {
            let detail = format!("The guide has no page {}; `/docs` lists them.", quoted(&slug));
            not_found(&request, ApiError::not_found(detail))
        }
    }
}

/// The answer where there is no path. A browser is led on from the forms of a page's address that
/// people type.
pub fn nothing_at(request: &HttpRequest) -> HttpResponse {
    let page = match request.path() {
        "/dashboard" | "/dashboard/" => Some("/"),
        path => path.strip_suffix('/').filter(|path| {
            let slug = path.strip_prefix("/docs/");
            *path == HERE
                || slug.is_some_and(|slug| RENDERED.iter().any(|(known, _)| *known == slug))
        }),
    };
    match page.filter(|_| security_headers::wants_html(request)) {
        Some(page) => HttpResponse::PermanentRedirect().insert_header((LOCATION, page)).finish(),
        None => not_found(request, ApiError::no_path(request.path())),
    }
}

/// A 404: a page for people in a browser, JSON for programs.
fn not_found(request: &HttpRequest, error: ApiError) -> HttpResponse {
    if !security_headers::wants_html(request) {
        return error.error_response();
    }
    let main = format!(
        "<h1>Not found</h1>\n<p>{}</p>\n<p>The <a href=\"/docs\">guide</a> lists its pages, and the \
         <a href=\"/\">dashboard</a> has the jobs.</p>\n",
        escape(&error.detail)
    );
    security_headers::html(StatusCode::NOT_FOUND, framed("Not found", HERE, "", &main))
}

/// `GET /docs/assets/{file}`
pub async fn file(file: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let Some((name, text)) = FILES.iter().find(|(known, _)| *known == file.as_str()) else {
        let detail = format!("The guide has no file {}.", quoted(&file));
        return not_found(&request, ApiError::not_found(detail));
    };
    // RFC 9512 names YAML's type.
    let json = name.ends_with(".json");
    security_headers::asset(if json { "application/json" } else { "application/yaml" }, text)
}

/// A page of the guide around its content; `here` is its place in the navigation, and `query` stands
/// in its search box.
fn framed(title: &str, here: &str, query: &str, main: &str) -> String {
    let script = Some(search::SCRIPT_PATH);
    html::page(&Frame { title, here, script, search: Some(query) }, main)
}

fn index() -> String {
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

fn rendered() -> Vec<(&'static str, String)> {
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

#[cfg(test)]
mod tests {
    use actix_web::http::header::CONTENT_SECURITY_POLICY;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, rt};

    use super::*;
    use crate::clock::Clock;

    async fn get(path: &str) -> (u16, String, bool) {
        let app = init_service(App::new().configure(|app| {
            configure(app, &Traffic::new(Clock::System));
        }))
        .await;
        let reply = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        let policy = reply.headers().contains_key(CONTENT_SECURITY_POLICY);
        let status = reply.status().as_u16();
        (status, String::from_utf8(read_body(reply).await.to_vec()).unwrap(), policy)
    }

    #[test]
    fn every_page_is_listed_and_shown_with_a_policy() {
        rt::System::new().block_on(async {
            let (status, index, policy) = get("/docs").await;
            assert!(status == 200 && policy);
            for (slug, _) in TEXTS.iter() {
                assert!(index.contains(&format!("href=\"/docs/{slug}\"")));
                let (status, page, policy) = get(&format!("/docs/{slug}")).await;
                assert!(status == 200 && policy && page.contains("<h1 id=\""), "{slug}");
            }
        });
    }

    #[test]
    fn an_unknown_page_is_an_error_in_json() {
        rt::System::new().block_on(async {
            let (status, body, _) = get("/docs/none%22such").await;
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
        });
    }
}
