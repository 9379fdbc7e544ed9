//! The HTML of an answer, as the page's script has copied it, back to Markdown.

use std::sync::LazyLock;

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::options::{BulletListMarker, Options};
use htmd::{Element, HtmlToMarkdown};
use scraper::Html;

/// How deep elements may lie: what follows walks them recursively.
pub const NESTING_MAX: usize = 512;
/// Characters for private use that stand around a citation mark until its number is known, and
/// between its parts. They are taken out of the page's own text first.
const BEGIN: char = '\u{f8f0}';
const NEXT: char = '\u{f8f1}';
const END: char = '\u{f8f2}';

/// The reason why an answer's HTML cannot be turned into Markdown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkdownError {
    #[error("its answer nests deeper than {NESTING_MAX} elements")]
    TooDeep,
    #[error("its answer is no HTML")]
    NoHtml,
}

/// Turns the HTML of an answer into Markdown. `number_of` gives the number of the source that an
/// address names.
///
/// # Errors
/// Returns an error if the HTML nests too deep.
pub fn markdown(
    html: &str,
    number_of: impl Fn(&str) -> Option<usize>,
) -> Result<String, MarkdownError> {
    let html = html.replace([BEGIN, NEXT, END], "");
    if nests_deep(&html) {
        return Err(MarkdownError::TooDeep);
    }
    let text = CONVERTER.convert(&html).map_err(|_| MarkdownError::NoHtml)?;
    Ok(with_marks(&text, number_of))
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
fn with_marks(text: &str, number_of: impl Fn(&str) -> Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, mark)) = rest.split_once(BEGIN) {
        out.push_str(before);
        let Some((mark, after)) = mark.split_once(END) else { break };
        rest = after;
        let mut parts = mark.split(NEXT);
        let mut part = || parts.next().unwrap_or_default();
        let (number, url, said) = (part(), part(), part());
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        match (digits.parse::<usize>().ok().filter(|number| *number > 0), number_of(url)) {
            (Some(number), _) | (None, Some(number)) => out.push_str(&format!("[{number}]")),
            (None, None) if url.is_empty() => out.push_str(said),
            (None, None) => out.push_str(&format!("[{said}]({url})")),
        }
    }
    out.push_str(rest);
    out
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
    let Some(number) = attribute("data-mark") else { return handlers.fallback(element) };
    let url = attribute("href").unwrap_or_default();
    let said = handlers.walk_children(element.node).content;
    Some(format!("{BEGIN}{number}{NEXT}{url}{NEXT}{}{END}", said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fuzz;

    fn shown(html: &str) -> String {
        markdown(html, |url| (url == "https://a.example/").then_some(1)).unwrap()
    }

    #[test]
    fn everything_that_markdown_can_say_is_kept() {
        insta::assert_snapshot!(shown(
            "<div><h2>Title</h2><p>Some <strong>bold</strong>, <em>soft</em>, <del>gone</del> and \
             <code>a_b</code> with a <a href=\"https://h.example/x?a=1\">link</a>.</p>\
             <ul><li>One<ul><li>Two</li></ul></li><li><p>Three</p></li></ul>\
             <ol start=\"3\"><li>c</li><li>d</li></ol>\
             <table><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td>1</td><td>x|y</td></tr>\
             </tbody></table><blockquote><p>Quoted</p></blockquote>\
             <pre><code class=\"language-rust\">fn a() {\n    1\n}\n</code></pre><hr>\
             <p>Line<br>break</p><img src=\"https://h.example/i.png\" alt=\"Picture\"></div>"
        ));
    }

    #[test]
    fn marks_become_numbers_or_links() {
        let html = "<p>A <a data-mark=\"\" href=\"https://a.example/\">one</a> b \
                    <a data-mark=\"[2]\" href=\"\">2</a> c <a data-mark=\"\" \
                    href=\"https://c.example/\">c.example</a> d <a data-mark=\"\" href=\"\">+1</a>.</p>";
        assert_eq!(shown(html), "A [1] b [2] c [c.example](https://c.example/) d +1.");
    }

    #[test]
    fn what_nests_without_end_is_refused() {
        for html in ["<div>".repeat(100_000), "<p><b><i>".repeat(50_000)] {
            assert_eq!(markdown(&html, |_| None), Err(MarkdownError::TooDeep));
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
            let Ok(markdown) = markdown(html, |_| Some(1)) else { return };
            assert!(!markdown.contains([BEGIN, NEXT, END]), "{markdown:?}");
        });
    }
}
