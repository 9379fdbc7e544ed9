use proptest::prelude::*;

use super::*;
use crate::answer::Product;
use crate::answer::lines::LINE_BYTES_MAX;

fn source(url: &str, title: &str) -> Source {
    Source { url: url.to_owned(), title: title.to_owned(), ..Source::default() }
}

fn urls(sources: Option<&Vec<Source>>) -> Vec<&str> {
    sources.into_iter().flatten().map(|source| source.url.as_str()).collect()
}

#[test]
fn markers_follow_sources_that_moved() {
    let answer = Answer {
        markdown: "A [1], b [2], c [3][4] and d [5]; `e[4]`.".to_owned(),
        sources: Some(vec![
            source("https://a.example/?utm_source=openai", "A"),
            source("javascript:alert(1)", "no"),
            source("https://a.example/", "again"),
            source("https://b.example/", "7"),
        ]),
        ..Answer::default()
    }
    .normalized();
    assert_eq!(answer.markdown, "A [1], b, c [1][2] and d [5]; `e[4]`.");
    assert_eq!(answer.text, "A, b, c and d [5]; e[4].");
    assert_eq!(urls(answer.sources.as_ref()), ["https://a.example/", "https://b.example/"]);
    assert_eq!(answer.sources.as_ref().unwrap()[1].title, "b.example");
}

#[test]
fn markers_stay_while_sources_do() {
    let markdown = "A [1] and [9].";
    for sources in [None, Some(vec![]), Some(vec![source("https://a.example/", "A")])] {
        let answer = Answer { markdown: markdown.to_owned(), sources, ..Answer::default() };
        assert_eq!(answer.normalized().markdown, markdown);
    }
}

#[test]
fn text_of_marks_alone_is_kept() {
    let answer = Answer {
        markdown: "[1][2]".to_owned(),
        sources: Some(vec![source("https://a.example/", "A"), source("https://b.example/", "B")]),
        ..Answer::default()
    };
    assert_eq!(answer.normalized().text, "[1][2]");
}

#[test]
fn the_first_mention_of_a_page_takes_what_it_lacks() {
    let more = Source {
        snippet: "later".to_owned(),
        highlights: vec!["h".to_owned(), " ".to_owned()],
        favicon: Some("https://a.example/i.png".to_owned()),
        ..source("https://www.a.example/#:~:text=b", "Title")
    };
    let answer = Answer {
        citations: Some(vec![source("https://www.a.example/", "12"), more]),
        ..Answer::default()
    }
    .normalized();
    let expected = Source {
        url: "https://www.a.example/".to_owned(),
        title: "Title".to_owned(),
        snippet: "later".to_owned(),
        highlights: vec!["h".to_owned()],
        website_name: "a.example".to_owned(),
        favicon: Some("https://a.example/i.png".to_owned()),
        date: String::new(),
    };
    assert_eq!(answer.citations, Some(vec![expected]));
}

#[test]
fn sources_take_titles_from_citations() {
    let answer = Answer {
        sources: Some(vec![source("https://a.example/", ""), source("https://b.example/", "B")]),
        citations: Some(vec![source("https://a.example/", "A"), source("https://b.example/", "")]),
        ..Answer::default()
    }
    .normalized();
    assert_eq!(answer.sources.as_ref().unwrap()[0].title, "A");
    assert_eq!(answer.citations.as_ref().unwrap()[1].title, "B");
}

#[test]
fn lists_hold_each_thing_once_and_nothing_empty() {
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let product = |asin: &str, title: &str| Product {
        asin: asin.to_owned(),
        title: title.to_owned(),
        url: "ftp://a.example".to_owned(),
        ..Product::default()
    };
    let answer = Answer {
        queries: words(&["a", " a\0", "", "b"]),
        related_questions: words(&["", " "]),
        products: Some(vec![
            product("1", "x"),
            product("1", "y"),
            product("", ""),
            product("", "z"),
        ]),
        model: Some("\0".to_owned()),
        url: Some("about:blank".to_owned()),
        text: "given\0".to_owned(),
        markdown: "**other**".to_owned(),
        ..Answer::default()
    }
    .normalized();
    assert_eq!(answer.queries, words(&["a", "b"]));
    assert_eq!(answer.related_questions, Some(vec![]));
    let titles: Vec<_> = answer.products.iter().flatten().map(|p| p.title.as_str()).collect();
    assert_eq!(titles, ["x", "z"]);
    assert_eq!((answer.model, answer.url), (None, None));
    assert_eq!((answer.text.as_str(), answer.markdown.as_str()), ("given", "**other**"));
}

#[test]
fn nothing_is_without_a_limit() {
    let many = |at: usize| format!("https://a.example/{at}");
    let answer = Answer {
        markdown: "é".repeat(TEXT_BYTES_MAX),
        sources: Some((0..2_001).map(|at| source(&many(at), &"t".repeat(9_000))).collect()),
        // Named again and again, they are not too many.
        citations: Some((0..9_000).map(|at| source(&many(at % 7), "")).collect()),
        queries: Some((0..2_000).map(many).collect()),
        ..Answer::default()
    }
    .normalized();
    assert_eq!(answer.markdown.len(), TEXT_BYTES_MAX);
    assert_eq!(answer.text.len(), TEXT_BYTES_MAX);
    assert_eq!(
        answer.warnings,
        ["The answer was cut at 1048576 bytes.", "Only the first 2000 pages of a list were kept."]
    );
    let sources = answer.sources.unwrap();
    assert_eq!(sources.len(), PAGES_MAX);
    assert_eq!(answer.citations.unwrap().len(), 7);
    assert_eq!(sources[0].title.len(), LINE_BYTES_MAX);
    assert_eq!(answer.queries.unwrap().len(), LIST_ITEMS_MAX);
}

fn any_source() -> impl Strategy<Value = Source> {
    let url = prop_oneof![
        "https://[abc]\\.example/(\\?utm_source=openai)?",
        "[a-z:/.\\x00]{0,12}",
        Just("http://www.x.com/1".to_owned()),
    ];
    (url, "[0-9a é\\x00]{0,4}", "(?s).{0,8}").prop_map(|(url, title, snippet)| Source {
        highlights: vec![snippet.clone()],
        favicon: Some(title.clone()),
        website_name: title.clone(),
        url,
        title,
        snippet,
        date: String::new(),
    })
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let sources = || proptest::option::of(proptest::collection::vec(any_source(), 0..5));
    let lines = || proptest::option::of(proptest::collection::vec("[ab \\x00]{0,3}", 0..4));
    let markdown =
        "(\\[[0-9]{1,2}\\]|[ a.`\\n(\\[\\]é\\x00]|\\*\\*|```|\\]\\(https://a\\.example\\)){0,40}";
    (markdown, sources(), sources(), sources(), lines(), lines()).prop_map(
        |(markdown, sources, citations, x_results, queries, warnings)| Answer {
            markdown,
            sources,
            citations,
            x_results,
            queries,
            warnings: warnings.unwrap_or_default(),
            ..Answer::default()
        },
    )
}

proptest! {
    #[test]
    fn any_answer_can_be_tidied_and_once_is_enough(answer in any_answer()) {
        let normalized = answer.clone().normalized();
        prop_assert_eq!(answer.sources.is_some(), normalized.sources.is_some());
        // A backslash of the text itself is shown as two; only U+0000 is left as `\0` without them.
        let shown = format!("{normalized:?}").replace(r"\\", "");
        prop_assert!(!shown.contains(r"\0"), "{}", shown);
        prop_assert_eq!(normalized.clone().normalized(), normalized);
    }
}
