//! How pages are cut.

use super::*;

fn passages(text: &str) -> Vec<(Kind, String)> {
    let page = format!("# T\n\n{text}");
    let mut sections = sections(&page, 0, "here");
    let passages = sections.remove(0).passages;
    passages.into_iter().map(|passage| (passage.kind, passage.markdown)).collect()
}

fn sentences(text: &str) -> Vec<String> {
    passages(text).into_iter().map(|(_, markdown)| markdown).collect()
}

#[test]
fn prose_is_cut_at_the_ends_of_sentences_only() {
    assert_eq!(
        sentences("It takes 1.5 s, e.g. When busy. Is `a. B` one? **Bold. Text** ends.\nNext."),
        ["It takes 1.5 s, e.g. When busy.", "Is `a. B` one?", "**Bold. Text** ends.", "Next."]
    );
    assert_eq!(
        sentences("See config.toml. (Really.) Done."),
        ["See config.toml.", "(Really.)", "Done."]
    );
    assert_eq!(
        sentences("> Quoted\n> over lines. Two\n> more."),
        ["Quoted over lines.", "Two more."]
    );
}

#[test]
fn links_become_absolute_and_literal_marks_are_escaped() {
    assert_eq!(
        sentences("See [it](other.md#a-b), [here](#c), [far](https://e.org/x.md) and [3]."),
        ["See [it](/docs/other#a-b), [here](/docs/here#c), \
             [far](https://e.org/x.md) and \\[3\\]."]
    );
}

#[test]
fn lists_tables_and_code_become_passages() {
    let found = passages(
        "Do this:\n\n1. First\n   step.\n2. Second.\n   - Inner.\n\n\
         | name | default | rule |\n|---|---|---|\n| `a` | `1` | |\n\n```sh\nrun\n```\n",
    );
    let expected = [
        (Kind::Sentence, "Do this:"),
        (Kind::Item(Some(1)), "First step."),
        (Kind::Item(Some(2)), "Second."),
        (Kind::Item(None), "Inner."),
        (Kind::Row, "`a` – default: `1`"),
        (Kind::Code, "```sh\nrun\n```"),
    ];
    let expected: Vec<(Kind, String)> =
        expected.map(|(kind, markdown)| (kind, markdown.to_owned())).into();
    assert_eq!(found, expected);
}

#[test]
fn headings_make_sections_with_the_anchors_of_github() {
    let found = sections("# A b\n\n## What is `x_y`?\n\nT.\n\n### Sub\n\n## Sub\n", 0, "s");
    let found: Vec<(&str, &str, &str)> =
        found.iter().map(|s| (s.heading.as_str(), s.parent.as_str(), s.anchor.as_str())).collect();
    assert_eq!(
        found,
        [
            ("A b", "", "a-b"),
            ("What is x_y?", "A b", "what-is-x_y"),
            ("Sub", "A b What is x_y?", "sub"),
            ("Sub", "A b", "sub-1"),
        ]
    );
}
