//! The routes of pages for people, and of what those pages load.

use super::{Operation, get, hidden};
use crate::api::ErrorCode;
use crate::guide::index::QUERY_CHARS_MAX;
use crate::http::openapi::parameters;
use crate::http::request::call::open;
use crate::http::routes::description::{Description, HTML, Reply};
use crate::http::{dashboard, docs, practice};
use crate::practice::QUESTION_CHARS_MAX;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        get("/", open(dashboard::page), |it| page(it, "showDashboard", "The dashboard")),
        get("/docs", open(docs::index), |it| page(it, "showGuide", "The guide")),
        get("/docs/reference", open(docs::reference), |it| {
            page(it, "showReference", "This document for readers")
        }),
        get("/docs/search", open(docs::search), |it| {
            page(it, "searchGuide", "What the guide has on something")
                .takes([parameters::question("What is sought.", QUERY_CHARS_MAX)])
                .answers("400", Reply::text("`q` is too long.", HTML, None))
        }),
        hidden("/docs/guide.js", open(docs::script)),
        get("/docs/{page}.md", open(docs::markdown), |it| {
            let text = Reply::text("The page as it was written.", "text/markdown", None);
            it.named("getGuidePage", "A page of the guide as Markdown")
                .answers("200", text)
                .fails(&[&[ErrorCode::NotFound]])
                .with_error_pages()
        }),
        get("/llms.txt", open(docs::for_models), |it| {
            let text = Reply::text("A line for each page.", "text/plain", None);
            it.named("listGuidePages", "The pages of the guide, for language models")
                .answers("200", text)
        }),
        get("/docs/{page}", open(docs::page), |it| {
            page(it, "showGuidePage", "A page of the guide").fails(&[&[ErrorCode::NotFound]])
        }),
        get("/practice", open(practice::show), |it| {
            let about = "A question; without one there is a form.";
            page(it, "askPractice", "The practice engine's page")
                .takes([parameters::question(about, QUESTION_CHARS_MAX)])
                .answers("400", Reply::text("`q` is too long.", HTML, None))
        }),
        hidden("/docs/assets/{file}", open(docs::file)),
        hidden("/docs/clients/{file}", open(docs::file)),
        hidden("/dashboard/{file}", open(dashboard::asset)),
        hidden("/practice/stream", open(practice::stream)),
        hidden("/practice.js", open(practice::script)),
        hidden("/practice.css", open(practice::style)),
    ]
}

/// Returns the description of a page. One that is refused is a page too.
fn page(it: Description, id: &str, summary: &str) -> Description {
    it.named(id, summary).answers("200", Reply::text("A page.", HTML, None)).with_error_pages()
}
