use proptest::prelude::*;

use super::*;

#[test]
fn blocks_become_lines() {
    insta::assert_snapshot!(plain_text(
        "# Title\n\nA *fine* **day** ~~not~~,\nsecond line.  \nthird\n\n---\n> quoted\n> too\n\n\
         1. one\n2. two\n   - nested `x`\n     more\n\n   a paragraph\n3. three\n\n\
         - [x] done\n- [ ] open\n-\n- 7. both\n\nEnd &amp; out."
    ), @r#"
    Title

    A fine day not,
    second line.
    third

    quoted
    too

    1. one
    2. two

       - nested x
         more
       a paragraph
    3. three

    - [x] done
    - [ ] open
    -
    - 7. both

    End & out.
    "#);
}

#[test]
fn tables_have_a_line_for_each_row() {
    insta::assert_snapshot!(plain_text(
        "Before\n\n| City | People |\n|---|--:|\n| **Paris** [1] | 2<br>M |\n| `a[1]` |\n\nafter"
    ), @r#"
    Before

    City | People
    Paris | 2 M
    a[1] |

    after
    "#);
}

#[test]
fn code_is_kept_as_it_is() {
    insta::assert_snapshot!(plain_text(
        "Use `a[1]`:\n\n```rust\nlet a = b[1];  // [1]\n\n    *p = 2; ([x](https://a.example))\n```\n\n\
         - item\n\n      indented [1]\n"
    ), @r#"
    Use a[1]:

    let a = b[1];  // [1]

        *p = 2; ([x](https://a.example))

    - item

      indented [1]
    "#);
}

#[test]
fn links_become_their_text_and_html_its_content() {
    insta::assert_snapshot!(plain_text(
        "See [the *docs*](https://a.example) and ![a map](https://b.example/m.png), \
         <https://c.example>.<br>Next <b>bold</b><!-- no -->\n\n\
         <div>\n<p>Block &amp; text</p>\n<script>no()</script></div>\n\nend[^note].\n\n[^note]: A note."
    ), @r#"
    See the docs and a map, https://c.example.
    Next bold

    Block & text

    end.

    A note.
    "#);
}

#[test]
fn citations_in_every_form_are_taken_out() {
    for (markdown, text) in [
        ("It is so ([site](https://a.example?utm_source=openai)).", "It is so."),
        ("So ([a](https://a.example), [b](https://b.example)) and so", "So and so"),
        ("So.[[1]](https://a.example)[[2]](https://b.example)\nNext", "So.\nNext"),
        ("So ([[1]](https://a.example), [[2]](https://b.example)) on", "So on"),
        ("So [1](https://a.example), and [365](https://b.example) days", "So, and 365 days"),
        ("So [1] and [2][2]\n\n[1]: https://a.example\n[2]: https://b.example", "So and"),
        ("So **[1]** and [web:7]. Then【4:0†source】.", "So and. Then."),
        ("Kept (see [docs](https://a.example)) and (a)", "Kept (see docs) and (a)"),
        ("Kept [page `a[1]`](https://a.example) [1]", "Kept page a[1]"),
        ("[1]", ""),
    ] {
        assert_eq!(plain_text(markdown), text, "{markdown}");
    }
}

#[test]
fn hostile_text_takes_no_more_than_its_length() {
    let bytes = 200_000;
    for piece in [
        "[",
        "[[1]",
        "(",
        "([a](u) ",
        "([1] ",
        "- ",
        "> ",
        "1. ",
        "*a **b ",
        "`",
        "| a ",
        "<",
        "<a ",
        "<!--",
        "<script></",
        "![",
        "【",
        "[1",
        "\n- a\n  ",
        "[^1]",
        "( , ",
    ] {
        let text = plain_text(&piece.repeat(bytes / piece.len()));
        assert!(text.len() <= bytes * 2, "{piece}: {}", text.len());
    }
    let deep = format!("{}{}", "- ".repeat(50_000), "\n".repeat(100_000));
    assert!(plain_text(&deep).len() <= deep.len());
    let lazy = format!("{}a\n{}", "999999999. ".repeat(100), "b\n".repeat(10_000));
    assert!(plain_text(&lazy).len() <= lazy.len() * 20);
}

proptest! {
    #[test]
    fn any_text_comes_through(markdown in "(?s).{0,200}") {
        plain_text(&markdown);
    }

    #[test]
    fn any_markup_comes_through(
        markdown in r"([\[\]()`*_>#|~<!&\\\-+.:^ \n\t]|[0-3a-c]|【|】|†|é|https://a\.example|- |1\. |```|\|--){0,120}"
    ) {
        plain_text(&markdown);
    }
}
