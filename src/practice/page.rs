//! The practice page: a chat form that works without JavaScript, an answer with its searches,
//! sources and related questions under ids that do not change, and the same answer in pieces for
//! the page's script. Its markup is what the recipe `practice` reads.

use pulldown_cmark::{BrokenLink, CowStr, Event, Parser, Tag, TagEnd, html};

use super::{MODEL, PracticeAnswer, PracticeSource, QUESTION_CHARS_MAX};
use crate::guide::html::{Frame, as_text, escape, page, scrollable};
use crate::guide::sections::OPTIONS;

/// The class of the element that a citation mark is.
pub const MARK_CLASS: &str = "mark";
/// What the id of a source's list item begins with; the number of its mark follows.
pub const SOURCE_ID_PREFIX: &str = "source-";

/// The page's script, served at `/practice.js`.
pub const SCRIPT: &str = include_str!("assets/practice.js");
/// The style of this page and of the guide, served at `/practice.css`.
pub const STYLE: &str = include_str!("assets/practice.css");

/// The most pieces that an answer's blocks are streamed in; a long answer has larger ones.
const ANSWER_PIECES_MAX: usize = 100;

/// Questions to begin with.
const EXAMPLES: &[&str] =
    &["What is answerd?", "How do I submit a prompt?", "How long are results kept?"];

/// Returns the form alone.
pub fn form_page() -> String {
    let examples: String = EXAMPLES.iter().map(|question| question_item(question)).collect();
    let content = format!(
        "<p>Ask something about answerd. The answer comes from its own guide, with sources, and the \
         same question always gets the same answer.</p>\n\
         <ul class=\"questions\">\n{examples}</ul>\n"
    );
    framed("Practice", "<h1>Practice engine</h1>\n", &content)
}

/// Returns a question and its answer.
pub fn answer_page(question: &str, answer: &PracticeAnswer) -> String {
    let turn = turn(&escape(question), &Parts::of(answer));
    framed(&title(question), "", &turn)
}

/// Returns what is shown with a 503 when `failure_percent` says so.
pub fn failure_page(question: &str) -> String {
    let content = format!(
        "<h1 id=\"question\" dir=\"auto\" tabindex=\"0\">{}</h1>\n\
         <p id=\"failure\" class=\"failure\">The practice engine is set to fail this question \
         (<code>practice.failure_percent</code>). Ask again in a second.</p>\n",
        escape(question)
    );
    framed("Failed", "", &content)
}

/// Returns what is shown with a 400 for a question of more than [`QUESTION_CHARS_MAX`] characters.
pub fn too_long_page(chars: usize) -> String {
    let content = format!("<p id=\"failure\" class=\"failure\">{}</p>\n", too_long(chars));
    framed("Question too long", "<h1>Practice engine</h1>\n", &content)
}

/// Returns the sentence for a question that is too long.
pub fn too_long(chars: usize) -> String {
    format!("A question may have at most {QUESTION_CHARS_MAX} characters; this one has {chars}.")
}

/// Returns the answer as it is streamed: one JSON object per piece, `into` the id of the element
/// that the `html` is added to; the searches first, the sources and related questions at the end.
pub fn stream_pieces(answer: &PracticeAnswer) -> Vec<String> {
    let parts = Parts::of(answer);
    let piece = |into: &str, html: &str| {
        let piece = serde_json::json!({ "into": into, "html": html });
        format!("{piece}\n")
    };
    let mut pieces = vec![piece("searches", &parts.searches)];
    let together = parts.blocks.len().div_ceil(ANSWER_PIECES_MAX).max(1);
    let blocks = parts.blocks.chunks(together);
    pieces.extend(blocks.map(|blocks| piece("answer", &blocks.concat())));
    pieces.push(piece("sources", &parts.sources));
    pieces.push(piece("related", &parts.related));
    pieces
}

/// The parts of an answer as HTML.
#[derive(Default)]
struct Parts {
    searches: String,
    blocks: Vec<String>,
    sources: String,
    related: String,
}

impl Parts {
    fn of(answer: &PracticeAnswer) -> Parts {
        let search = |query: &String| format!("<li>{}</li>\n", escape(query));
        let sources = answer.sources.iter().enumerate();
        Parts {
            searches: answer.queries.iter().map(search).collect(),
            blocks: answer_blocks(&answer.markdown, answer.sources.len()),
            sources: sources.map(|(at, source)| source_item(at + 1, source)).collect(),
            related: answer.related_questions.iter().map(|text| question_item(text)).collect(),
        }
    }
}

/// Returns the blocks of an answer as HTML, in order; a mark from 1 to `sources` links to its
/// source.
#[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
pub fn answer_blocks(markdown: &str, sources: usize) -> Vec<String> {
    let mark = |link: BrokenLink<'_>| {
        let number: usize = link.reference.parse().ok()?;
        let known = (1..=sources).contains(&number);
        known.then(|| (format!("#{SOURCE_ID_PREFIX}{number}").into(), CowStr::Borrowed("")))
    };
    let parser = Parser::new_with_broken_link_callback(markdown, OPTIONS, Some(mark));
    let mut blocks = Vec::new();
    let mut block: Vec<Event<'_>> = Vec::new();
    let mut depth = 0_usize;
    let mut in_mark = false;
    for event in parser {
        depth += usize::from(matches!(event, Event::Start(_)));
        depth -= usize::from(matches!(event, Event::End(_)));
        match event {
            Event::Start(Tag::Link { dest_url, .. }) if is_source(&dest_url) => {
                in_mark = true;
                let open = format!("<sup class=\"{MARK_CLASS}\"><a href=\"{dest_url}\">[");
                block.push(Event::InlineHtml(open.into()));
            }
            Event::End(TagEnd::Link) if in_mark => {
                in_mark = false;
                block.push(Event::InlineHtml("]</a></sup>".into()));
            }
            event => block.push(as_text(event)),
        }
        if depth == 0 {
            let mut rendered = String::new();
            html::push_html(&mut rendered, block.drain(..));
            blocks.push(scrollable(&rendered));
        }
    }
    blocks
}

fn is_source(address: &str) -> bool {
    address.strip_prefix('#').is_some_and(|id| id.starts_with(SOURCE_ID_PREFIX))
}

fn source_item(number: usize, source: &PracticeSource) -> String {
    format!(
        "<li id=\"{SOURCE_ID_PREFIX}{number}\"><a href=\"{}\">{}</a>\
         <p class=\"snippet\">{}</p></li>\n",
        escape(&source.url),
        escape(&source.title),
        escape(&source.snippet)
    )
}

fn question_item(question: &str) -> String {
    let query: String = url::form_urlencoded::byte_serialize(question.as_bytes()).collect();
    format!("<li><a href=\"/practice?q={query}\">{}</a></li>\n", escape(question))
}

/// A question with its answer; parts that are empty are hidden until something is put in.
fn turn(question: &str, parts: &Parts) -> String {
    let hidden = |content: &str| if content.is_empty() { " hidden" } else { "" };
    format!(
        "<h1 id=\"question\" dir=\"auto\" tabindex=\"0\">{question}</h1>\n\
         <section class=\"searches\"{}><h2>Searches</h2>\n<ul id=\"searches\">\n{}</ul></section>\n\
         <article id=\"answer\" data-model=\"{MODEL}\">\n{}</article>\n\
         <section class=\"sources\"{}><h2>Sources</h2>\n<ol id=\"sources\">\n{}</ol></section>\n\
         <section class=\"related\"{}><h2>Related questions</h2>\n\
         <ul id=\"related\" class=\"questions\">\n{}</ul></section>\n",
        hidden(&parts.searches),
        parts.searches,
        parts.blocks.concat(),
        hidden(&parts.sources),
        parts.sources,
        hidden(&parts.related),
        parts.related,
    )
}

/// The form with what is above it and the conversation under it.
fn framed(title: &str, above: &str, conversation: &str) -> String {
    let template = turn("", &Parts::default());
    let main = format!(
        "{above}<form id=\"ask\" action=\"/practice\" method=\"get\">\n\
         <label for=\"q\">Your question</label>\n\
         <textarea id=\"q\" name=\"q\" rows=\"2\" dir=\"auto\" maxlength=\"{QUESTION_CHARS_MAX}\" required>\
         </textarea>\n\
         <div class=\"buttons\"><button type=\"submit\">Ask</button>\
         <button type=\"button\" id=\"stop\" hidden>Stop</button>\
         <span id=\"status\" role=\"status\"></span></div>\n</form>\n\
         <div id=\"conversation\" aria-live=\"polite\">\n{conversation}</div>\n\
         <template id=\"turn\">\n{template}</template>\n"
    );
    page(
        &Frame {
            title,
            here: "/practice",
            script: Some("/practice.js"),
            search: None,
            sides: None,
        },
        &main,
    )
}

/// The start of a question, for the window's title.
fn title(question: &str) -> String {
    const CHARS_MAX: usize = 60;
    let line = question.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARS_MAX) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::*;
    use crate::config::file::Practice;

    fn ids(page: &str) -> Vec<&str> {
        page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn an_answer_page_has_each_id_once_outside_its_template() {
        let answer =
            Engine::new("http://h", Practice::default()).answer("How long are results kept?");
        let page = answer_page("How long are results kept?", &answer);
        let shown = page.split("<template").next().unwrap();
        for id in ["question", "searches", "answer", "sources", "source-1", "related", "q"] {
            assert_eq!(ids(shown).iter().filter(|found| **found == id).count(), 1, "{id}");
        }
        assert!(shown.contains("<a href=\"http://h/docs/"));
        assert!(shown.contains("<a href=\"/practice?q="));
        assert!(!page.contains("<style") && !page.contains(" style="), "the CSP forbids it");
    }

    #[test]
    fn a_question_is_escaped_wherever_it_stands() {
        let question = "</title><script>alert(1)</script>\"'";
        let answer = Engine::new("", Practice::default()).answer(question);
        for page in [answer_page(question, &answer), failure_page(question)] {
            assert_eq!(page.matches("<script").count(), 2, "only the page's own");
        }
    }

    #[test]
    fn a_stream_has_all_that_the_page_has() {
        let answer = Engine::new("", Practice::default()).answer("how can I simulate failures");
        let page = answer_page("q", &answer);
        let pieces = stream_pieces(&answer);
        assert!(pieces.len() > 4);
        for piece in pieces {
            assert!(piece.ends_with('\n') && piece.matches('\n').count() == 1);
            let piece: serde_json::Value = serde_json::from_str(&piece).unwrap();
            assert!(page.contains(piece["html"].as_str().unwrap()));
        }
    }

    #[test]
    fn marks_become_links_and_only_valid_ones() {
        let blocks = answer_blocks("One. [1] Two. [2]\n\n- `[1]` is code [1]\n- [9] \\[1]", 2);
        assert_eq!(
            blocks,
            [
                "<p>One. <sup class=\"mark\"><a href=\"#source-1\">[1]</a></sup> Two. \
             <sup class=\"mark\"><a href=\"#source-2\">[2]</a></sup></p>\n",
                "<ul>\n<li><code>[1]</code> is code <sup class=\"mark\"><a href=\"#source-1\">[1]</a>\
             </sup></li>\n<li>[9] [1]</li>\n</ul>\n",
            ]
        );
    }

    #[test]
    fn other_pages_say_what_is_wrong() {
        assert!(form_page().contains("<label for=\"q\">"));
        assert!(failure_page("q").contains("is set to fail"));
        assert!(too_long_page(4_001).contains("4001"));
    }
}
