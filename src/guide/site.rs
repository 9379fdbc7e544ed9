//! The guide as a site: its contents, its pages and its search results, as HTML.

use std::sync::OnceLock;

use super::html::{self, Frame, escape};
use super::index::{Index, QUERY_CHARS_MAX};
use super::search::Found;
use super::{Guide, PAGES};

/// The path of the search box's script, and the script.
pub const SCRIPT_PATH: &str = "/docs/search.js";
pub const SCRIPT: &str = include_str!("assets/search.js");

/// The slug of the API reference, the last page.
pub const REFERENCE: &str = "reference";

/// The rendered guide.
pub struct Site {
    guide: Guide,
    contents: String,
    /// By slug, in reading order.
    pages: Vec<(&'static str, String)>,
    /// Built at the first search.
    index: OnceLock<Index>,
}

impl Site {
    /// Renders the guide, with the Markdown of the API reference as its last page.
    pub fn new(reference: &str) -> Site {
        let mut texts = PAGES.to_vec();
        texts.push((REFERENCE, reference));
        let guide = Guide::of(&texts);
        let pages = texts.iter().enumerate();
        let pages = pages.map(|(at, (slug, text))| (*slug, page(&guide, at, slug, text))).collect();
        Site { contents: contents(&guide), pages, guide, index: OnceLock::new() }
    }

    /// Returns the page that lists all others.
    pub fn contents(&self) -> &str {
        &self.contents
    }

    /// Returns a page.
    pub fn page(&self, slug: &str) -> Option<&str> {
        self.pages.iter().find(|(known, _)| *known == slug).map(|(_, page)| page.as_str())
    }

    /// Returns the page with what is found for a query.
    pub fn search(&self, query: &str) -> String {
        if query.is_empty() {
            let main = "<h1>Search</h1>\n<p>Type into the box above what you want to know; the key \
                        <kbd>/</kbd> leads there from anywhere in the guide.</p>\n";
            return framed("Search", "", main);
        }
        let index = self.index.get_or_init(|| Index::new(self.guide.clone()));
        let found = index.search(query);
        let items: String = found.iter().map(found_item).collect();
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (shown, asked) = (escape(query), escape(&encoded));
        let count = match found.len() {
            0 => format!("The guide has nothing on <q>{shown}</q>."),
            1 => format!("One section has <q>{shown}</q>."),
            count => format!("{count} sections fit <q>{shown}</q> best."),
        };
        let main = format!(
            "<h1>Search</h1>\n<p>{count} The <a href=\"/practice?q={asked}\">practice engine</a> \
             answers questions in words.</p>\n<ol id=\"found\">\n{items}</ol>\n"
        );
        framed(&format!("{query} · Search"), query, &main)
    }
}

/// Returns the page for a query that is too long.
pub fn query_too_long(chars: usize) -> String {
    let main = format!(
        "<h1>Search</h1>\n<p class=\"failure\">A search may have at most {QUERY_CHARS_MAX} \
         characters; this one has {chars}.</p>\n"
    );
    framed("Search", "", &main)
}

/// Returns the page that says that there is no such page.
pub fn not_found(detail: &str) -> String {
    let main = format!(
        "<h1>Not found</h1>\n<p>{}</p>\n<p>The <a href=\"/docs\">guide</a> lists its pages, and the \
         <a href=\"/\">dashboard</a> has the jobs.</p>\n",
        escape(detail)
    );
    framed("Not found", "", &main)
}

/// Returns a page of the guide around its content, with `query` in its search box.
fn framed(title: &str, query: &str, main: &str) -> String {
    framed_at("/docs", title, query, main)
}

/// Does the same; `here` is the page's place in the navigation.
fn framed_at(here: &str, title: &str, query: &str, main: &str) -> String {
    html::page(&Frame { title, here, script: Some(SCRIPT_PATH), search: Some(query) }, main)
}

fn contents(guide: &Guide) -> String {
    let item = |page: &super::Page| {
        let (slug, title, summary) = (page.slug, escape(&page.title), escape(&page.summary));
        format!("<li><a href=\"/docs/{slug}\">{title}</a><p class=\"summary\">{summary}</p></li>\n")
    };
    let items: String = guide.pages.iter().map(item).collect();
    let main = format!(
        "<h1>Guide</h1>\n<p>How answerd is used and run. Search it above, or ask the \
         <a href=\"/practice\">practice engine</a> a question.</p>\n\
         <ul class=\"pages\">\n{items}</ul>\n"
    );
    framed("Guide", "", &main)
}

fn page(guide: &Guide, at: usize, slug: &str, text: &str) -> String {
    let link = |at: Option<usize>, rel: &str, arrow: &str| {
        let page = at.and_then(|at| guide.pages.get(at));
        page.map_or_else(
            || "<span></span>".to_owned(),
            |page| {
                let title = escape(&page.title);
                format!("<a rel=\"{rel}\" href=\"/docs/{}\">{arrow}{title}</a>", page.slug)
            },
        )
    };
    let main = format!(
        "<article class=\"guide\">\n{}</article>\n\
         <nav class=\"turns\" aria-label=\"Neighboring pages\">{}{}</nav>\n",
        html::guide_page(text, slug),
        link(at.checked_sub(1), "prev", "← "),
        link(Some(at + 1), "next", "→ "),
    );
    let here = if slug == REFERENCE { "/docs/reference" } else { "/docs" };
    framed_at(here, &guide.pages[at].title, "", &main)
}

fn found_item(found: &Found) -> String {
    let (href, page) = (escape(&found.href), escape(&found.page));
    let heading = found.heading.as_ref().map_or_else(
        || format!("<b>{page}</b>"),
        |heading| format!("<span>{page}</span> <b>{}</b>", escape(heading)),
    );
    format!("<li><a href=\"{href}\">{heading}</a><p class=\"snippet\">{}</p></li>\n", found.snippet)
}
