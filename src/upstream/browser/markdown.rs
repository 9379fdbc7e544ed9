//! The HTML of an answer, as the page's script has copied it, back to Markdown.

use std::sync::LazyLock;

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::options::{BulletListMarker, Options};
use htmd::{Element, HtmlToMarkdown};
use scraper::Html;
use serde::{Deserialize, Serialize};

use crate::answer::domain;

/// How deep elements may lie: what follows walks them recursively.
pub(crate) const NESTING_MAX: usize = 512;
/// Characters for private use that stand around a citation mark until its number is known, and
/// between its parts. They are removed from the page's own text first.
const BEGIN: char = '\u{f8f0}';
const NEXT: char = '\u{f8f1}';
const END: char = '\u{f8f2}';

/// The reason why an answer's HTML cannot be turned into Markdown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MarkdownError {
    #[error("its answer nests deeper than {NESTING_MAX} elements")]
    TooDeep,
    #[error("its answer is no HTML")]
    NoHtml,
}

/// A citation mark: the numbers of its sources, from 1, and their addresses, as the page tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageMark {
    pub numbers: Vec<usize>,
    pub urls: Vec<String>,
}

/// Turns the HTML of an answer into Markdown. `marks` are those that its `data-mark` count, and
/// `number_of` gives the number of the source that an address names.
///
/// # Errors
/// Returns an error if the HTML nests too deep.
pub(crate) fn markdown(
    html: &str,
    marks: &[PageMark],
    number_of: impl Fn(&str) -> Option<usize>,
) -> Result<String, MarkdownError> {
    let html = html.replace([BEGIN, NEXT, END], "");
    if nests_deep(&html) {
        return Err(MarkdownError::TooDeep);
    }
    let text = CONVERTER.convert(&html).map_err(|_| MarkdownError::NoHtml)?;
    Ok(with_marks(&text, marks, number_of))
}

/// Whether more elements lie in each other than may.
fn nests_deep(html: &str) -> bool {
    // Before it is parsed: the parser takes time with the square of the depth.
    let mut depth: usize = 0;
    for tag in html.split('<').skip(1) {
        depth = if tag.starts_with('/') { depth.saturating_sub(1) } else { depth + 1 };
        let is_void = ["br", "img", "hr", "input", "col", "wbr"].iter().any(|name| {
            tag.strip_prefix(name)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
        });
        if is_void {
            depth = depth.saturating_sub(1);
        }
        if depth > NESTING_MAX {
            return true;
        }
    }
    let page = Html::parse_fragment(html);
    page.tree.nodes().any(|node| node.ancestors().nth(NESTING_MAX).is_some())
}

/// Replaces what stands for a citation mark by `[1]`, or by a link where its source is not known.
fn with_marks(text: &str, marks: &[PageMark], number_of: impl Fn(&str) -> Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, stands)) = rest.split_once(BEGIN) {
        out.push_str(before);
        let Some((stands, after)) = stands.split_once(END) else { break };
        rest = after;
        let (at, said) = stands.split_once(NEXT).unwrap_or_default();
        let mark = at.parse().ok().and_then(|at: usize| marks.get(at));
        out.push_str(&written(mark.unwrap_or(&PageMark::default()), said, &number_of));
    }
    out.push_str(rest);
    out
}

/// Returns a mark as Markdown: the numbers of its sources, and links to those that have none. A
/// mark that names nothing is what it says.
fn written(mark: &PageMark, said: &str, number_of: impl Fn(&str) -> Option<usize>) -> String {
    let mut numbers = mark.numbers.clone();
    let mut links = String::new();
    if numbers.is_empty() {
        for url in &mark.urls {
            match number_of(url) {
                Some(number) if numbers.contains(&number) => {}
                Some(number) => numbers.push(number),
                None => {
                    let is_first = links.is_empty() && !said.is_empty();
                    let domain = domain(url).unwrap_or_else(|| url.clone());
                    links.push_str(if links.is_empty() { "" } else { " " });
                    links.push_str(&format!("[{}]({url})", if is_first { said } else { &domain }));
                }
            }
        }
    }
    let numbers: String = numbers.iter().map(|number| format!("[{number}]")).collect();
    match (numbers.is_empty(), links.is_empty()) {
        (true, true) => said.to_owned(),
        (true, false) => links,
        (false, true) => numbers,
        (false, false) => format!("{numbers} {links}"),
    }
}

static CONVERTER: LazyLock<HtmlToMarkdown> = LazyLock::new(|| {
    let options = Options {
        bullet_list_marker: BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    };
    HtmlToMarkdown::builder().options(options).add_handler(vec!["a"], mark_or_link).build()
});

fn mark_or_link(handlers: &dyn Handlers, element: Element<'_>) -> Option<HandlerResult> {
    let attribute = |name: &str| {
        let found = element.attrs.iter().find(|attribute| &*attribute.name.local == name);
        found.map(|attribute| attribute.value.to_string())
    };
    let Some(at) = attribute("data-mark") else { return handlers.fallback(element) };
    let said = handlers.walk_children(element.node).content;
    Some(format!("{BEGIN}{at}{NEXT}{}{END}", said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fuzz;

    fn shown(html: &str) -> String {
        marked(html, &[])
    }

    fn marked(html: &str, marks: &[PageMark]) -> String {
        markdown(html, marks, |url| (url == "https://a.example/").then_some(1)).unwrap()
    }

    #[test]
    fn everything_that_markdown_can_say_is_kept() {
        insta::assert_snapshot!(shown(
            "<div><h2>Title</h2><p>Some <strong>bold</strong>, <em>soft</em>, <del>gone</del> and \
             <code>a_b</code> with a <a href=\"https://h.example/x?a=1\">link</a>.</p>\
             <ul><li>One<ul><li>Two</li></ul></li><li><p>Three</p></li></ul>\
             <ol start=\"3\"><li>c</li><li>d</li></ol>\
             <table><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td>1</td>\
             <td>x|y</td></tr></tbody></table><blockquote><p>Quoted</p></blockquote>\
             <pre><code class=\"language-rust\">fn a() {\n    1\n}\n</code></pre><hr>\
             <p>Line<br>break</p><img src=\"https://h.example/i.png\" alt=\"Picture\"></div>"
        ));
    }

    #[test]
    fn marks_become_numbers_or_links() {
        let mark = |numbers: &[usize], urls: &[&str]| PageMark {
            numbers: numbers.to_vec(),
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        };
        let (known, other) = ("https://a.example/", "https://c.example/x");
        let marks = [
            mark(&[], &[known]),
            mark(&[2, 3], &[]),
            mark(&[], &[other]),
            mark(&[], &[]),
            mark(&[], &[other, known, "https://d.example/"]),
        ];
        let html: String =
            (0..6).map(|at| format!("{at} <a data-mark=\"{at}\">say {at}</a> ")).collect();
        assert_eq!(
            marked(&format!("<p>{html}</p>"), &marks),
            "0 [1] 1 [2][3] 2 [say 2](https://c.example/x) 3 say 3 4 \
             [1] [say 4](https://c.example/x) [d.example](https://d.example/) 5 say 5"
        );
    }

    #[test]
    fn what_nests_without_end_is_refused() {
        for html in ["<div>".repeat(100_000), "<p><b><i>".repeat(50_000)] {
            assert_eq!(markdown(&html, &[], |_| None), Err(MarkdownError::TooDeep));
        }
        assert_eq!(shown(&format!("{}a{}", "<div>".repeat(200), "</div>".repeat(200))), "a");
        assert_eq!(shown(&"<p>a<br></p>".repeat(1_000)).matches('a').count(), 1_000);
    }

    #[test]
    fn fuzzed_html_is_converted_or_refused() {
        let examples = [
            "<div><h2>T</h2><p>Some <b>bold</b> <code>a_b</code> <a href=\"https://h.example/\">l</a></p>",
            "<ul><li>One<ol><li>Two</li></ol></li></ul><pre><code class=\"language-rust\">fn</code></pre>",
            "<table><tr><th>A</th></tr><tr><td>1 | 2</td></tr></table><blockquote>q</blockquote>",
            "<p>\u{e000}x<sup>1</sup>&amp;&#x1F980;<br/><img alt=\"i\" src=\"x\"><script>1</script>",
        ];
        fuzz::text("html", &examples, |html| {
            let Ok(markdown) = markdown(html, &[], |_| Some(1)) else { return };
            assert!(!markdown.contains([BEGIN, NEXT, END]), "{markdown:?}");
        });
    }
}
