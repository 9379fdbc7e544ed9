//! Markdown of the guide and of answers as HTML, and the frame of every page that is made of them.
//! Raw HTML in Markdown is shown as text.

use pulldown_cmark::{Event, Parser, Tag, TagEnd, html};

use super::index::QUERY_CHARS_MAX;
use super::sections::{Anchors, OPTIONS, guide_href};

/// The pages whose tables have a name in the first cell that others lead to: a code, a parameter, a
/// setting.
const NAMED_ROWS: &[&str] = &["errors-and-retries", "parameters", "configuration", "limits"];

/// How a block of code and a table begin: they scroll by themselves, so the keyboard has to reach
/// them.
const CODE: &str = "<pre tabindex=\"0\" role=\"group\" aria-label=\"Code\">";
const TABLE: &str = "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">";

/// Returns text for a place between tags or inside a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Returns a page of the guide as HTML: headings have ids and links to themselves, links between
/// pages lead to `/docs/`, wide tables scroll by themselves.
#[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
pub fn guide_page(markdown: &str, slug: &str) -> String {
    let mut anchors = Anchors::default();
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut heading: Option<usize> = None;
    // The first word of the section, and whether the next event begins a row.
    let (mut section, mut row_begins) = (String::new(), false);
    let mut named: Vec<String> = Vec::new();
    for event in Parser::new_ext(markdown, OPTIONS) {
        let first_of_row = std::mem::take(&mut row_begins);
        match event {
            Event::Start(Tag::TableRow) => {
                row_begins = NAMED_ROWS.contains(&slug);
                events.push(event);
            }
            Event::Start(Tag::TableCell) => {
                row_begins = first_of_row;
                events.push(event);
            }
            Event::Code(name) if first_of_row => {
                let id = match slug {
                    // Settings of two sections may have one name.
                    "configuration" => format!("{section}.{name}"),
                    _ => name.to_string(),
                };
                if named.contains(&id) {
                    events.push(Event::Code(name));
                    continue;
                }
                let shown = escape(&id);
                let open = format!("<a class=\"row-name\" id=\"{shown}\" href=\"#{shown}\">");
                events.push(Event::InlineHtml(open.into()));
                events.extend([Event::Code(name), Event::InlineHtml("</a>".into())]);
                named.push(id);
            }
            Event::Start(Tag::Heading { .. }) => {
                heading = Some(events.len());
                events.push(event);
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some(start) = heading.take() {
                    let text = text_of(&events[start..]);
                    section = text.split_whitespace().next().unwrap_or_default().to_owned();
                    let id = anchors.next(&text);
                    let link = format!(
                        " <a class=\"anchor\" href=\"#{0}\" aria-label=\"Link here\">#</a>",
                        escape(&id)
                    );
                    if let Event::Start(Tag::Heading { id: slot, .. }) = &mut events[start] {
                        *slot = Some(id.into());
                    }
                    events.push(Event::InlineHtml(link.into()));
                }
                events.push(event);
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = match guide_href(&dest_url, slug) {
                    Some(href) => href.into(),
                    None => dest_url,
                };
                events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            Event::Start(Tag::Table(_)) => {
                events.extend([Event::Html(TABLE.into()), event]);
            }
            Event::End(TagEnd::Table) => events.extend([event, Event::Html("</div>\n".into())]),
            event => events.push(as_text(event)),
        }
    }
    let mut rendered = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut rendered, events.into_iter());
    scrollable(&rendered)
}

/// Lets the keyboard reach every block of code; only those begin so, as raw HTML is text.
pub fn scrollable(rendered: &str) -> String {
    rendered.replace("<pre>", CODE)
}

/// Turns raw HTML into the text that it is.
pub fn as_text(event: Event<'_>) -> Event<'_> {
    if let Event::Html(raw) | Event::InlineHtml(raw) = event { Event::Text(raw) } else { event }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
fn text_of(events: &[Event<'_>]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        _ => None,
    });
    texts.collect()
}

/// The frame of a page: all that surrounds its content.
pub struct Frame<'a> {
    pub title: &'a str,
    /// The path in the navigation that is this page's, such as `/docs`.
    pub here: &'a str,
    /// The path of the page's script, where it has one.
    pub script: Option<&'a str>,
    /// What stands in the search box of the guide, on pages that have one.
    pub search: Option<&'a str>,
    /// What is beside the content, on pages of the guide.
    pub sides: Option<Sides>,
}

/// The links beside the content of a page of the guide, as HTML.
pub struct Sides {
    /// Links to all pages.
    pub pages: String,
    /// Links to the sections of the page; empty where it has none.
    pub sections: String,
}

impl Sides {
    /// Returns the content between its sides. They come behind it in the document, and so for a
    /// reader who has no room beside it; on top, a short list of the sections can be opened.
    fn around(&self, main: &str) -> String {
        let Sides { pages, sections } = self;
        let (short, toc) = if sections.is_empty() {
            (String::new(), String::new())
        } else {
            let list = sections.replacen("<h2>On this page</h2>", "", 1);
            (
                format!(
                    "<details class=\"toc-short\"><summary>On this page</summary>{list}</details>\n"
                ),
                format!("<nav class=\"toc\" aria-label=\"On this page\">{sections}</nav>\n"),
            )
        };
        format!(
            "<div class=\"with-sides\">\n<main>\n{short}{main}</main>\n\
             <nav class=\"sidebar\" aria-label=\"Guide\">{pages}</nav>\n{toc}</div>\n"
        )
    }
}

const NAVIGATION: &[(&str, &str)] = &[
    ("/docs", "Guide"),
    ("/docs/reference", "API"),
    ("/practice", "Practice"),
    ("/", "Dashboard"),
];

/// Returns a complete page around the content of its `main` element.
pub fn page(frame: &Frame<'_>, main: &str) -> String {
    let links: String = NAVIGATION
        .iter()
        .map(|(path, name)| {
            let current = if *path == frame.here { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"{path}\"{current}>{name}</a>")
        })
        .collect();
    let search = frame.search.map_or_else(String::new, search_box);
    let body = match &frame.sides {
        Some(sides) => sides.around(main),
        None => format!("<main>\n{main}</main>\n"),
    };
    let script = frame
        .script
        .map_or_else(String::new, |path| format!("<script src=\"{path}\" defer></script>\n"));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · answerd</title>\n\
         <link rel=\"icon\" href=\"/dashboard/icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/practice.css\">\n\
         <script src=\"/dashboard/theme.js\"></script>\n{script}</head>\n<body>\n\
         <header class=\"bar\"><a class=\"name\" href=\"/\">\
         <img src=\"/dashboard/icon.svg\" alt=\"\" width=\"22\" height=\"22\">answerd</a>\
         <nav aria-label=\"Pages\">{links}</nav>{search}</header>\n\
         {body}</body>\n</html>\n",
        title = escape(frame.title),
    )
}

/// The search box; the list in it is filled by its script, and without one it is an ordinary form.
fn search_box(query: &str) -> String {
    format!(
        "<form id=\"search\" role=\"search\" action=\"/docs/search\" method=\"get\">\
         <label class=\"unseen\" for=\"sought\">Search the guide</label>\
         <input id=\"sought\" name=\"q\" type=\"search\" value=\"{}\" \
         maxlength=\"{QUERY_CHARS_MAX}\" placeholder=\"Search the guide\" autocomplete=\"off\">\
         <ul id=\"suggestions\" aria-label=\"Found\" hidden></ul>\
         <span id=\"suggested\" class=\"unseen\" role=\"status\"></span></form>",
        escape(query)
    )
}

#[cfg(test)]
mod tests {
    use super::super::PAGES;
    use super::*;
    use crate::api::ErrorCode;
    use crate::job::Reason;

    #[test]
    fn raw_html_is_shown_and_not_obeyed() {
        assert!(!guide_page("<script>x</script>\n", "s").contains("<script"));
        assert_eq!(escape("<a b='c'>\"&"), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;");
    }

    #[test]
    fn every_code_and_every_setting_can_be_linked_to() {
        let page = |slug: &str| {
            let (_, text) = PAGES.iter().find(|(known, _)| *known == slug).unwrap();
            guide_page(text, slug)
        };
        let errors = page("errors-and-retries");
        let codes = ErrorCode::CALLS.iter().map(|code| code.code());
        for code in codes.chain(Reason::ALL.iter().map(|reason| reason.code())) {
            assert!(errors.contains(&format!(" id=\"{code}\"")), "{code}");
        }
        for id in ["http.bind", "webhooks.workers", "store.path"] {
            assert!(page("configuration").contains(&format!(" id=\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn headings_of_the_guide_can_be_linked_to() {
        let html = guide_page("# A `b`\n\nSee [x](y.md#z).\n\n| a |\n|---|\n| 1 |\n", "s");
        assert!(html.contains("<h1 id=\"a-b\">A <code>b</code> <a class=\"anchor\" href=\"#a-b\""));
        assert!(html.contains("<a href=\"/docs/y#z\">x</a>"));
        assert!(html.contains(&format!("{TABLE}<table>")));
    }
}
