//! `GET /docs/search?q=`: the sections of the guide that have what is sought, as a page. The script
//! of the search box shows the same page's list while one types; without it the form leads here.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::web;

use super::{GUIDE, HERE, framed};
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::security_headers;
use crate::practice::html::escape;
use crate::practice::{Engine, Found, QUERY_CHARS_MAX};

/// Where the search box's script is.
pub const SCRIPT_PATH: &str = "/docs/search.js";
const SCRIPT: &str = include_str!("search.js");

/// Over the guide and the reference. Built at the first search.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::over(GUIDE.clone(), ""));

/// `GET /docs/search`
pub async fn show(call: ApiCall) -> ApiResult {
    let mut pairs = url::form_urlencoded::parse(call.query_string().as_bytes());
    let query = pairs.find(|(name, _)| name == "q").map(|(_, value)| value).unwrap_or_default();
    // No page can show U+0000.
    let query = query.trim().replace('\0', "\u{fffd}");
    let chars = query.chars().count();
    if chars > QUERY_CHARS_MAX {
        let told = format!(
            "<h1>Search</h1>\n<p class=\"failure\">A search may have at most {QUERY_CHARS_MAX} \
             characters; this one has {chars}.</p>\n"
        );
        let page = framed("Search", HERE, "", &told);
        return Ok(security_headers::html(StatusCode::BAD_REQUEST, page));
    }
    // The first search builds the index, which takes longer than an event loop may.
    let page = web::block(move || page(&query)).await?;
    Ok(security_headers::html(StatusCode::OK, page))
}

/// `GET /docs/search.js`
pub async fn script(_: ApiCall) -> ApiResult {
    Ok(security_headers::asset("text/javascript; charset=utf-8", SCRIPT))
}

fn page(query: &str) -> String {
    if query.is_empty() {
        let main = "<h1>Search</h1>\n<p>Type into the box above what you want to know; the key \
                    <kbd>/</kbd> leads there from anywhere in the guide.</p>\n";
        return framed("Search", HERE, "", main);
    }
    let found = ENGINE.search(query);
    let items: String = found.iter().map(item).collect();
    let (shown, asked) = (escape(query), escape(&encoded(query)));
    let told = match found.len() {
        0 => format!("The guide has nothing on <q>{shown}</q>."),
        1 => format!("One section has <q>{shown}</q>."),
        count => format!("{count} sections fit <q>{shown}</q> best."),
    };
    let main = format!(
        "<h1>Search</h1>\n<p>{told} The <a href=\"/practice?q={asked}\">practice engine</a> answers \
         questions in words.</p>\n<ol id=\"found\">\n{items}</ol>\n"
    );
    framed(&format!("{query} · Search"), HERE, query, &main)
}

fn item(found: &Found) -> String {
    let (href, page) = (escape(&found.href), escape(&found.page));
    let heading = found.heading.as_ref().map_or_else(
        || format!("<b>{page}</b>"),
        |heading| format!("<span>{page}</span> <b>{}</b>", escape(heading)),
    );
    format!("<li><a href=\"{href}\">{heading}</a><p class=\"snippet\">{}</p></li>\n", found.snippet)
}

fn encoded(query: &str) -> String {
    url::form_urlencoded::byte_serialize(query.as_bytes()).collect()
}
