//! The search of the guide for readers: the same ranking as behind an answer, but every section that
//! fits is shown, with the place in it that is nearest to the query.

use super::engine::Engine;
use super::html::escape;
use super::index::stems;
use super::select::Selector;
use super::terms::terms;

/// The longest query, in Unicode scalar values.
pub const QUERY_CHARS_MAX: usize = 200;
/// The most sections that are shown.
pub const FOUND_MAX: usize = 20;
/// The longest snippet, and how much of it may stand before the first word sought, in characters.
const SNIPPET_CHARS_MAX: usize = 220;
const BEFORE_CHARS_MAX: usize = 60;

/// A section that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The title of its page.
    pub page: String,
    /// The section's heading; none where it is the beginning of the page.
    pub heading: Option<String>,
    /// `/docs/{slug}`, with the section's anchor.
    pub href: String,
    /// A piece of the section as HTML, in which `mark` elements hold the words sought.
    pub snippet: String,
}

impl Engine {
    /// The sections that have a word of the query or one that may stand for it, best first, at most
    /// `FOUND_MAX`. The last word may be unfinished. Nothing for a query without words.
    pub fn search(&self, query: &str) -> Vec<Found> {
        let query = self.finished(query);
        let findings = self.find(&query);
        let sought = findings.sought();
        let selector = Selector { index: &self.index, findings: &findings };
        let fitting = findings.hits.iter().filter(|hit| {
            let holds = |stem: &String| self.index.holds(hit.section, stem);
            sought.is_empty() || sought.iter().any(holds)
        });
        let found = fitting.take(FOUND_MAX).map(|hit| {
            let section = &self.guide.sections[hit.section];
            let page = &self.guide.pages[section.page];
            let text = selector.nearest(hit.section, section).map_or("", |it| it.text.as_str());
            let is_title = section.parent.is_empty();
            Found {
                page: page.title.clone(),
                heading: (!is_title).then(|| section.heading.clone()),
                href: format!("/docs/{}#{}", page.slug, section.anchor),
                snippet: snippet(text, &sought),
            }
        });
        found.collect()
    }

    /// The query, its last word completed where the guide knows none such.
    fn finished(&self, query: &str) -> String {
        let start = query
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |at| at + query[at..].chars().next().map_or(1, char::len_utf8));
        let (before, last) = query.split_at(start);
        let completed = terms(last).pop().and_then(|term| self.index.completed(&term));
        completed.map_or_else(|| query.to_owned(), |word| format!("{before}{word}"))
    }
}

/// The piece of a text around the first word sought, as HTML.
fn snippet(text: &str, sought: &[String]) -> String {
    let pieces = pieces(text);
    let is_sought = |piece: &str| stems(terms(piece)).iter().any(|stem| sought.contains(stem));
    let first = pieces.iter().find(|(_, piece)| is_sought(piece)).map_or(0, |(at, _)| *at);
    let begin = text[..first].char_indices().rev().nth(BEFORE_CHARS_MAX).map_or(0, |(at, _)| at);
    let mut html = String::new();
    let mut chars = 0;
    for (_, piece) in pieces.into_iter().skip_while(|(at, _)| *at < begin) {
        chars += piece.chars().count();
        if chars > SNIPPET_CHARS_MAX {
            html.push('…');
            break;
        }
        let escaped = escape(piece);
        match is_sought(piece) {
            true => html.push_str(&format!("<mark>{escaped}</mark>")),
            false => html.push_str(&escaped),
        }
    }
    format!("{}{}", if begin > 0 { "… " } else { "" }, html.trim())
}

/// A text cut into words and what stands between them, each with its place in bytes.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '\u{2019}');
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(kind) = text[at..].chars().next().map(is_word) {
        let rest = &text[at..];
        let end = rest.find(|c| is_word(c) != kind).unwrap_or(rest.len());
        pieces.push((at, &rest[..end]));
        at += end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::guide::Guide;
    use super::*;

    fn engine() -> Engine {
        let text = "# Fruit\n\nIt grows.\n\n## Where is it kept?\n\nApples are stored in a cellar, at < 5 degrees. \
                    Pears are not.\n\n## Curl\n\n```sh\ncurl -X POST\n```\n";
        Engine::over(Guide::of(&[("fruit", text)], ""), "")
    }

    #[test]
    fn a_section_is_found_with_its_place_and_the_words_sought() {
        let found = engine().search("storing apple");
        assert_eq!(
            found,
            [Found {
                page: "Fruit".to_owned(),
                heading: Some("Where is it kept?".to_owned()),
                href: "/docs/fruit#where-is-it-kept".to_owned(),
                snippet:
                    "<mark>Apples</mark> are <mark>stored</mark> in a cellar, at &lt; 5 degrees."
                        .to_owned(),
            }]
        );
    }

    #[test]
    fn an_unfinished_word_finds_what_begins_with_it() {
        let found = engine().search("in the cel");
        assert_eq!(found[0].href, "/docs/fruit#where-is-it-kept");
        assert!(found[0].snippet.contains("<mark>cellar</mark>"));
        assert!(engine().search("ce").is_empty());
    }

    #[test]
    fn examples_are_found_and_nonsense_is_not() {
        assert_eq!(engine().search("POST")[0].href, "/docs/fruit#curl");
        for nothing in ["", " ?! ", "quantum", "how is the quantum", "\u{0}", "é日本"] {
            assert_eq!(engine().search(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn a_snippet_is_short_and_holds_the_first_word_sought() {
        let text = format!("{}needle {}", "hay ".repeat(100), "<straw> ".repeat(100));
        let snippet = snippet(&text, &["needl".to_owned()]);
        assert!(snippet.starts_with("… hay") && snippet.ends_with('…'), "{snippet}");
        assert!(snippet.contains("<mark>needle</mark> &lt;straw&gt;"), "{snippet}");
        assert!(snippet.chars().count() < 2 * SNIPPET_CHARS_MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_searched_for(query in "\\PC{0,60}") {
            for found in engine().search(&query) {
                proptest::prop_assert!(found.href.starts_with("/docs/fruit#"));
            }
        }
    }
}
