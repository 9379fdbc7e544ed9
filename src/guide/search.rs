//! The search of the guide for readers: the same ranking as behind an answer, but every section
//! that fits is shown, with the place in it that is nearest to the query.

use std::collections::BTreeSet;

use super::html::escape;
use super::index::{Findings, Index, stems};
use super::sections::Kind;
use super::terms::terms;

/// The most sections that are shown.
pub const FOUND_MAX: usize = 20;
/// The longest snippet, and how much of it may stand before the first word sought, in characters.
const SNIPPET_CHARS_MAX: usize = 220;
const BEFORE_CHARS_MAX: usize = 60;
/// The bonus of the first passage of a section, and more where the heading asks the question: it is
/// written to answer it.
const FIRST_BONUS: f32 = 0.2;
const ASKED_BONUS: f32 = 0.8;
/// The worth of a word in a passage when the heading has said it already.
const HEADING_WORTH: f32 = 0.5;
/// The malus of a sentence that refers to the one before it, and of code as a snippet.
const LEANING_MALUS: f32 = 0.15;
const CODE_MALUS: f32 = 0.5;
const LEANING_WORDS: &[&str] =
    &["it", "they", "this", "that", "these", "those", "then", "there", "such", "both", "so", "but"];

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

impl Index {
    /// Returns the sections that have a word of the query or one that may stand for it, best first,
    /// at most `FOUND_MAX`. The last word may be unfinished.
    pub fn search(&self, query: &str) -> Vec<Found> {
        let found = self.find(&self.finished(query));
        let sought = found.sought();
        let fitting = found
            .hits
            .iter()
            .map(|(at, _)| *at)
            .filter(|at| sought.is_empty() || sought.iter().any(|stem| self.holds(*at, stem)));
        let shown = fitting.take(FOUND_MAX).map(|at| {
            let section = self.section(at);
            let page = &self.guide.pages[section.page];
            Found {
                page: page.title.clone(),
                heading: (!section.parent.is_empty()).then(|| section.heading.clone()),
                href: format!("/docs/{}#{}", page.slug, section.anchor),
                snippet: snippet(self.nearest(at, &found), &sought),
            }
        });
        shown.collect()
    }

    /// Returns the text of the passage that holds most of what is sought.
    pub fn nearest(&self, at: usize, found: &Findings) -> &str {
        let passages = self.section(at).passages.iter().enumerate();
        let scored = passages.map(|(passage, content)| {
            let code = if content.kind == Kind::Code { CODE_MALUS } else { 0.0 };
            (content, self.passage_score(at, passage, found) - code)
        });
        let best = scored.rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map_or("", |(passage, _)| &passage.text)
    }

    /// Returns the share of the wanted words that a passage holds, with what its place and form
    /// add.
    pub fn passage_score(&self, at: usize, passage: usize, found: &Findings) -> f32 {
        let (held, heading) = (self.passage(at, passage), self.heading(at));
        let mut score = found.share(|stem| match (held.contains(stem), heading.contains(stem)) {
            (true, true) => HEADING_WORTH,
            (true, false) => 1.0,
            (false, _) => 0.0,
        });
        if passage == 0 {
            score += FIRST_BONUS + ASKED_BONUS * found.likeness[at].powi(2);
        }
        let text = &self.section(at).passages[passage].text;
        let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let leans = LEANING_WORDS.contains(&first.to_lowercase().as_str());
        score - if leans { LEANING_MALUS } else { 0.0 }
    }

    /// The query, its last word completed where the guide knows none such.
    fn finished(&self, query: &str) -> String {
        let start = query
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |at| at + query[at..].chars().next().map_or(1, char::len_utf8));
        let (before, last) = query.split_at(start);
        let completed = terms(last).pop().and_then(|term| self.completed(&term));
        completed.map_or_else(|| query.to_owned(), |word| format!("{before}{word}"))
    }
}

/// The piece of a text around the first word sought, as HTML.
fn snippet(text: &str, sought: &BTreeSet<&str>) -> String {
    let pieces = pieces(text);
    let is_sought =
        |piece: &str| stems(&terms(piece)).iter().any(|stem| sought.contains(stem.as_str()));
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
    use super::super::pages::Guide;
    use super::*;

    fn index() -> Index {
        let text = "# Fruit\n\nIt grows.\n\n## Where is it kept?\n\nApples are stored in a cellar, at < 5 degrees. \
                    Pears are not.\n\n## Curl\n\n```sh\ncurl -X POST\n```\n";
        Index::new(Guide::of(&[("fruit", text)]))
    }

    #[test]
    fn a_section_is_found_with_its_place_and_the_words_sought() {
        let found = index().search("storing apple");
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
        let found = index().search("in the cel");
        assert_eq!(found[0].href, "/docs/fruit#where-is-it-kept");
        assert!(found[0].snippet.contains("<mark>cellar</mark>"));
        assert!(index().search("ce").is_empty());
    }

    #[test]
    fn examples_are_found_and_nonsense_is_not() {
        assert_eq!(index().search("POST")[0].href, "/docs/fruit#curl");
        for nothing in ["", " ?! ", "quantum", "how is the quantum", "\u{0}", "é日本"] {
            assert_eq!(index().search(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn a_snippet_is_short_and_holds_the_first_word_sought() {
        let text = format!("{}needle {}", "hay ".repeat(100), "<straw> ".repeat(100));
        let snippet = snippet(&text, &BTreeSet::from(["needl"]));
        assert!(snippet.starts_with("… hay") && snippet.ends_with('…'), "{snippet}");
        assert!(snippet.contains("<mark>needle</mark> &lt;straw&gt;"), "{snippet}");
        assert!(snippet.chars().count() < 2 * SNIPPET_CHARS_MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_searched_for(query in "\\PC{0,60}") {
            for found in index().search(&query) {
                proptest::prop_assert!(found.href.starts_with("/docs/fruit#"));
            }
        }
    }
}
