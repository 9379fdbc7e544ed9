//! The practice page read: its HTML becomes an answer, the answer's own HTML Markdown again.

use std::sync::LazyLock;

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::options::{BulletListMarker, Options};
use htmd::{Element, HtmlToMarkdown};
use scraper::{ElementRef, Html, Node, Selector};

use crate::answer::{Answer, Source};
use crate::job::Reason;
use crate::upstream::UpstreamError;

/// How deep the page's elements may lie: the parser takes time with the square of it, and what
/// follows walks the answer recursively.
const NESTING_MAX: usize = 64;
/// What a citation mark links to: this and the number of its source.
const SOURCE_LINK: &str = "#source-";

struct Selectors {
    answer: Selector,
    search: Selector,
    source: Selector,
    link: Selector,
    snippet: Selector,
    related: Selector,
}

static SELECTORS: LazyLock<Selectors> = LazyLock::new(|| Selectors {
    // The page also holds an empty answer, in a template outside the conversation.
    answer: selector("#conversation article#answer"),
    search: selector("#conversation #searches > li"),
    source: selector("#conversation #sources > li"),
    link: selector("a[href]"),
    snippet: selector(".snippet"),
    related: selector("#conversation #related > li > a"),
});

fn selector(css: &str) -> Selector {
    // Constant and parsed by a test.
    Selector::parse(css).expect("a valid selector")
}

/// Reads an answer out of the practice page. Its address is not on the page.
///
/// # Errors
/// The page is not an answer of the practice engine (`Garbled`), or the answer is blank (`Empty`).
pub fn parse(html: &str) -> Result<Answer, UpstreamError> {
    let too_deep = || {
        let sentence = "The practice page is nested too deep.";
        UpstreamError::new(Reason::Garbled, sentence)
    };
    if nests_deep(html) {
        return Err(too_deep());
    }
    let page = Html::parse_document(html);
    let Some(article) = page.select(&SELECTORS.answer).next() else {
        let sentence = "The page is not an answer of the practice engine.";
        return Err(UpstreamError::new(Reason::Garbled, sentence));
    };
    // What was counted in the text is not always what a lenient parser makes of it.
    if article.descendants().any(|node| node.ancestors().nth(NESTING_MAX).is_some()) {
        return Err(too_deep());
    }
    let markdown = MARKDOWN
        .convert(&article.inner_html())
        .map_err(|_| UpstreamError::new(Reason::Garbled, "The answer is no HTML."))?;
    if markdown.trim().is_empty() {
        let sentence = "The practice page holds no answer.";
        return Err(UpstreamError::new(Reason::Empty, sentence));
    }
    let sources: Vec<Source> = page.select(&SELECTORS.source).map(source).collect();
    let citations = citations(article, &sources);
    let texts = |selector| page.select(selector).map(text).filter(|text| !text.is_empty());
    Ok(Answer {
        markdown,
        model: article.attr("data-model").map(str::to_owned),
        queries: Some(texts(&SELECTORS.search).collect()),
        sources: Some(sources),
        citations: Some(citations),
        related_questions: Some(texts(&SELECTORS.related).collect()),
        ..Answer::default()
    })
}

/// Whether more than [`NESTING_MAX`] tags are open at once, by their text alone.
fn nests_deep(html: &str) -> bool {
    const VOID: &[&str] = &["meta", "link", "br", "hr", "img", "input", "col", "wbr", "source"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let closes = tag.starts_with('/');
        let tag = tag.trim_start_matches('/');
        let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = &tag[..end];
        if closes {
            if let Some(at) = open.iter().rposition(|known| *known == name) {
                open.truncate(at);
            }
        } else if !name.is_empty() && !VOID.contains(&name) {
            open.push(name);
        }
        if open.len() > NESTING_MAX {
            return true;
        }
    }
    false
}

fn source(item: ElementRef<'_>) -> Source {
    let link = item.select(&SELECTORS.link).next();
    Source {
        url: link.and_then(|link| link.attr("href")).unwrap_or_default().to_owned(),
        title: link.map(text).unwrap_or_default(),
        snippet: item.select(&SELECTORS.snippet).next().map(text).unwrap_or_default(),
        ..Source::default()
    }
}

/// The sources that marks in the answer point at, with the passages that the marks stand behind.
fn citations(article: ElementRef<'_>, sources: &[Source]) -> Vec<Source> {
    let mut reader = Passages { passage: String::new(), cited: Vec::new() };
    reader.read(article);
    let mut order: Vec<usize> = Vec::new();
    for (number, _) in &reader.cited {
        if !order.contains(number) {
            order.push(*number);
        }
    }
    let citation = |number: usize| {
        let source = sources.get(number.checked_sub(1)?)?;
        let passages = reader.cited.iter().filter(|(cited, _)| *cited == number);
        let highlights: Vec<String> = passages.map(|(_, passage)| passage.clone()).collect();
        let snippet = highlights.first().cloned().unwrap_or_default();
        Some(Source { snippet, highlights, ..source.clone() })
    };
    order.into_iter().filter_map(citation).collect()
}

/// Collects the text before each mark, from the mark before it or the block's beginning.
struct Passages {
    passage: String,
    /// Numbers of sources with what they support, in the answer's order.
    cited: Vec<(usize, String)>,
}

impl Passages {
    fn read(&mut self, element: ElementRef<'_>) {
        for child in element.children() {
            match child.value() {
                Node::Text(text) => self.passage.push_str(text),
                Node::Element(_) => {
                    let Some(child) = ElementRef::wrap(child) else { continue };
                    let passes_by =
                        matches!(child.value().name(), "p" | "li" | "ul" | "ol" | "pre");
                    if passes_by {
                        self.passage.clear();
                    }
                    match child.attr("href").and_then(source_number) {
                        Some(number) => {
                            let passage = collapsed(&std::mem::take(&mut self.passage));
                            if !passage.is_empty() {
                                self.cited.push((number, passage));
                            }
                        }
                        None => self.read(child),
                    }
                    if passes_by {
                        self.passage.clear();
                    }
                }
                // Nothing else is text.
                Node::Document
                | Node::Fragment
                | Node::Doctype(_)
                | Node::Comment(_)
                | Node::ProcessingInstruction(_) => {}
            }
        }
    }
}

fn source_number(href: &str) -> Option<usize> {
    href.strip_prefix(SOURCE_LINK)?.parse().ok()
}

fn text(element: ElementRef<'_>) -> String {
    collapsed(&element.text().collect::<String>())
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// HTML of an answer back to Markdown, in which a citation mark is `[1]`.
static MARKDOWN: LazyLock<HtmlToMarkdown> = LazyLock::new(|| {
    let options = Options {
        bullet_list_marker: BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    };
    HtmlToMarkdown::builder().options(options).add_handler(vec!["a"], mark_or_link).build()
});

fn mark_or_link(handlers: &dyn Handlers, element: Element<'_>) -> Option<HandlerResult> {
    let href = element.attrs.iter().find(|attribute| &*attribute.name.local == "href");
    match href.and_then(|href| source_number(&href.value)) {
        Some(number) => Some(format!("[{number}]").into()),
        None => handlers.fallback(element),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(article: &str) -> String {
        format!(
            "<!DOCTYPE html><main><div id=\"conversation\"><ul id=searches><li>one</li><li> two \
             words</li></ul><article id=\"answer\" data-model=\"m-1\">{article}</article>\
             <ol id=sources><li id=source-1><a href=\"http://h/a#b\">A &amp; B</a><p \
             class=snippet>Text  of\nit.</p></li><li id=source-2><a href=\"http://h/c\">C</a></li>\
             </ol><ul id=related><li><a href=\"/practice?q=x\">Why?</a></li></ul></div></main>\
             <template><article id=answer></article><ul id=searches></ul></template>"
        )
    }

    fn mark(number: usize) -> String {
        format!("<sup class=\"mark\"><a href=\"#source-{number}\">[{number}]</a></sup>")
    }

    #[test]
    fn an_answer_is_read_with_all_its_lists() {
        let (one, two) = (mark(1), mark(2));
        let html = page(&format!(
            "<p>First <code>a_b</code> &lt;x&gt;. {one} Second. {two} [3] <a href=\"http://h/l\">l\
             </a></p>\n<ul>\n<li>Item {one}</li>\n<li>Other {one}</li>\n</ul>\n\
             <pre><code class=\"language-sh\">run [1]\n</code></pre>\n"
        ));
        let answer = parse(&html).unwrap();
        assert_eq!(
            answer.markdown,
            "First `a_b` \\<x>. [1] Second. [2] \\[3\\] [l](http://h/l)\n\n\
             - Item [1]\n- Other [1]\n\n```sh\nrun [1]\n```"
        );
        assert_eq!(answer.model.as_deref(), Some("m-1"));
        assert_eq!(answer.queries.unwrap(), ["one", "two words"]);
        assert_eq!(answer.related_questions.unwrap(), ["Why?"]);
        let sources = answer.sources.unwrap();
        assert_eq!((sources.len(), sources[0].title.as_str()), (2, "A & B"));
        assert_eq!(sources[0].snippet, "Text of it.");
        let citations = answer.citations.unwrap();
        assert_eq!(citations[0].highlights, ["First a_b <x>.", "Item", "Other"]);
        assert_eq!(
            (citations[1].url.as_str(), citations[1].snippet.as_str()),
            ("http://h/c", "Second.")
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let reason = |html: &str| parse(html).unwrap_err().reason;
        assert_eq!(reason("<p>It works!"), Reason::Garbled);
        assert_eq!(reason(""), Reason::Garbled);
        assert_eq!(reason(&page(" \n <p></p>")), Reason::Empty);
        assert_eq!(reason(&page(&"<div>".repeat(1_000_000))), Reason::Garbled);
        let reopened: String = (0..100).map(|n| format!("<p><b id=\"{n}\"></p>")).collect();
        assert_eq!(reason(&page(&reopened)), Reason::Garbled);
        let only_template = page("x").replace("id=\"conversation\"", "");
        assert_eq!(reason(&only_template), Reason::Garbled);
    }

    #[test]
    fn marks_without_a_source_are_no_citations() {
        let answer = parse(&page(&format!("<p>A. {} B. {}</p>", mark(7), mark(0)))).unwrap();
        assert_eq!(answer.citations.unwrap(), []);
    }
}
