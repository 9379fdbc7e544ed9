//! The guide as a site: its contents, its pages and its search results, as HTML.

use std::sync::OnceLock;

use super::html::{self, Frame, Sides, escape};
use super::index::{Index, QUERY_CHARS_MAX};
use super::search::Found;
use super::{GROUPS, Guide, PAGES};

/// The path of the pages' script, and the script.
pub const SCRIPT_PATH: &str = "/docs/guide.js";
pub const SCRIPT: &str = include_str!("assets/guide.js");

/// The slug of the first page of the API reference.
pub const REFERENCE: &str = "reference";
/// The group of the reference in the sidebar.
const REFERENCE_GROUP: &str = "Reference";

/// The rendered guide.
pub struct Site {
    guide: Guide,
    contents: String,
    /// A list of the pages for programs that read.
    llms: String,
    /// By slug, in reading order.
    pages: Vec<RenderedPage>,
    /// Built at the first search.
    index: OnceLock<Index>,
}

struct RenderedPage {
    slug: &'static str,
    markdown: String,
    html: String,
}

impl Site {
    /// Renders the guide, with the pages of the API reference, (slug, Markdown), behind it.
    pub fn new(reference: Vec<(&'static str, String)>) -> Site {
        let own = PAGES.iter().map(|(slug, text)| (*slug, (*text).to_owned()));
        let texts: Vec<(&'static str, String)> = own.chain(reference).collect();
        let borrowed: Vec<(&'static str, &str)> =
            texts.iter().map(|(slug, text)| (*slug, text.as_str())).collect();
        let guide = Guide::of(&borrowed);
        let pages = texts.into_iter().enumerate();
        let pages = pages.map(|(at, (slug, markdown))| RenderedPage {
            slug,
            html: page(&guide, at, slug, &markdown),
            markdown,
        });
        let pages = pages.collect();
        Site {
            contents: contents(&guide),
            llms: llms(&guide),
            pages,
            guide,
            index: OnceLock::new(),
        }
    }

    /// Returns the list of the pages as `/llms.txt` has it (llmstxt.org).
    pub fn llms(&self) -> &str {
        &self.llms
    }

    /// Returns the Markdown of a page, with links to the Markdown of others.
    pub fn markdown(&self, slug: &str) -> Option<&str> {
        self.pages.iter().find(|page| page.slug == slug).map(|page| page.markdown.as_str())
    }

    /// Returns the page that lists all others.
    pub fn contents(&self) -> &str {
        &self.contents
    }

    /// Returns a page.
    pub fn page(&self, slug: &str) -> Option<&str> {
        self.pages.iter().find(|page| page.slug == slug).map(|page| page.html.as_str())
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
    // Every second piece is between two backticks.
    let pieces = detail.split('`').map(escape).enumerate();
    let pieces =
        pieces.map(|(at, text)| if at % 2 == 1 { format!("<code>{text}</code>") } else { text });
    let detail: String = pieces.collect();
    let main = format!(
        "<h1>Not found</h1>\n<p>{detail}</p>\n<p>The <a href=\"/docs\">guide</a> lists its \
         pages, and the <a href=\"/\">dashboard</a> has the jobs.</p>\n"
    );
    framed("Not found", "", &main)
}

/// Returns a page of the guide around its content, with `query` in its search box.
fn framed(title: &str, query: &str, main: &str) -> String {
    let script = Some(SCRIPT_PATH);
    let frame = Frame { title, here: "/docs", script, search: Some(query), sides: None };
    html::page(&frame, main)
}

/// The groups with their pages, those of the reference last.
fn groups(guide: &Guide) -> impl Iterator<Item = (&'static str, Vec<&super::Page>)> {
    let is_own = |page: &super::Page| PAGES.iter().any(|(slug, _)| *slug == page.slug);
    let own = GROUPS.iter().map(|(name, slugs)| {
        let pages = guide.pages.iter().filter(|page| slugs.contains(&page.slug));
        (*name, pages.collect())
    });
    let reference = guide.pages.iter().filter(move |page| !is_own(page)).collect();
    own.chain(std::iter::once((REFERENCE_GROUP, reference)))
}

/// The links to all pages, in their groups; the page itself is marked.
fn sidebar(guide: &Guide, here: &str) -> String {
    let link = |page: &&super::Page| {
        let current = if page.slug == here { " aria-current=\"page\"" } else { "" };
        format!("<li><a href=\"/docs/{}\"{current}>{}</a></li>", page.slug, escape(&page.title))
    };
    groups(guide)
        .map(|(name, pages)| {
            let links: String = pages.iter().map(link).collect();
            format!("<h2>{name}</h2><ul>{links}</ul>")
        })
        .collect()
}

/// The links to the sections of a page.
fn toc(guide: &Guide, at: usize) -> String {
    let sections = guide.sections.iter().filter(|section| section.page == at);
    let links: String = sections
        .filter(|section| section.parent == guide.pages[at].title)
        .map(|section| {
            format!(
                "<li><a href=\"#{}\">{}</a></li>",
                escape(&section.anchor),
                escape(&section.heading)
            )
        })
        .collect();
    if links.is_empty() { links } else { format!("<h2>On this page</h2><ul>{links}</ul>") }
}

fn contents(guide: &Guide) -> String {
    let item = |page: &&super::Page| {
        let (slug, title, summary) = (page.slug, escape(&page.title), escape(&page.summary));
        format!("<li><a href=\"/docs/{slug}\">{title}</a><p class=\"summary\">{summary}</p></li>\n")
    };
    let groups: String = groups(guide)
        .map(|(name, pages)| {
            let items: String = pages.iter().map(item).collect();
            format!("<h2>{name}</h2>\n<ul class=\"pages\">\n{items}</ul>\n")
        })
        .collect();
    let main = format!(
        "<h1>Guide</h1>\n<p>How answerd is used and run. Search it above, or ask the \
         <a href=\"/practice\">practice engine</a> a question.</p>\n{groups}"
    );
    framed("Guide", "", &main)
}

fn llms(guide: &Guide) -> String {
    let mut text = String::from(
        "# answerd\n\n> Prompts to AI answer engines as durable jobs, answers back as data: a \
         self-hosted HTTP service, compatible with ScrapeLLM.\n",
    );
    for (name, pages) in groups(guide) {
        text.push_str(&format!("\n## {name}\n\n"));
        for page in pages {
            let (slug, title, summary) = (page.slug, &page.title, &page.summary);
            text.push_str(&format!("- [{title}](/docs/{slug}.md): {summary}\n"));
        }
    }
    text.push_str("\n## API\n\n- [OpenAPI document](/openapi.json): every path and its errors\n");
    text
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
    let here = if slug.starts_with(REFERENCE) { "/docs/reference" } else { "/docs" };
    let sides = Sides { pages: sidebar(guide, slug), sections: toc(guide, at) };
    let title = &guide.pages[at].title;
    let script = Some(SCRIPT_PATH);
    html::page(&Frame { title, here, script, search: Some(""), sides: Some(sides) }, &main)
}

fn found_item(found: &Found) -> String {
    let (href, page) = (escape(&found.href), escape(&found.page));
    let heading = found.heading.as_ref().map_or_else(
        || format!("<b>{page}</b>"),
        |heading| format!("<span>{page}</span> <b>{}</b>", escape(heading)),
    );
    format!("<li><a href=\"{href}\">{heading}</a><p class=\"snippet\">{}</p></li>\n", found.snippet)
}
