use proptest::prelude::*;

use super::*;
use crate::answer::{Answer, Source};

/// Three sources: a.example, b.example and c.example.
fn known(markdown: &str) -> Known {
    let source =
        |site: &str| Source { url: format!("https://{site}.example/"), ..Source::default() };
    let sources = Some(["a", "b", "c"].map(source).into());
    Known::of(&Answer { markdown: markdown.to_owned(), sources, ..Answer::default() })
}

/// The plain text of an answer with three sources.
fn plain(markdown: &str) -> String {
    plain_text(markdown, &known(markdown))
}

/// The plain text of an answer without sources.
fn bare(markdown: &str) -> String {
    plain_text(markdown, &Known::default())
}

#[test]
fn blocks_become_lines() {
    insta::assert_snapshot!(plain(
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
    insta::assert_snapshot!(plain(
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
    insta::assert_snapshot!(plain(
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
    insta::assert_snapshot!(plain(
        "See [the *docs*](https://a.example) and ![a map](https://b.example/m.png), \
         <https://c.example>.<br>Next <b>bold</b><!-- no -->\n\n\
         <div>\n<p>Block &amp; text</p>\n<script>no()</script></div>\n\nend[^note].\n\n[^note]: A note."
    ), @r#"
    See the docs and a map, https://c.example.
    Next bold

    Block & text

    end[^note].

    [^note]: A note.
    "#);
}

#[test]
fn citations_of_known_sources_are_taken_out_in_every_form() {
    for (markdown, text) in [
        ("It is so ([site](https://a.example?utm_source=openai)).", "It is so."),
        ("So ([a](https://a.example), [b](https://b.example)) and so", "So and so"),
        ("So （[a](https://a.example)）。", "So。"),
        ("So [[a](https://a.example)].", "So."),
        ("So.[[1]](https://a.example)[[2]](https://b.example)\nNext", "So.\nNext"),
        ("So ([[1]](https://a.example), [[2]](https://b.example)) on", "So on"),
        ("So [1](https://a.example), and more", "So, and more"),
        ("So [1] or so [2][2].\n\n[1]: https://a.example\n[2]: https://b.example", "So or so."),
        ("So **[1]** is [web:3]. Then【1】 so【4:0†source】.", "So is. Then so."),
        ("So [1], [2], and [cite: 1, 2] it [2-3] is [1, 3]; so [^1^]!", "So it is; so!"),
        ("Paris [1]. Yes[2][3], [cite_start]and", "Paris. Yes, and"),
        ("So ([1], [2]) is.[3] It", "So is. It"),
        ("Paris.[1]Then Rome[2]is", "Paris. Then Rome is"),
        ("- **Paris** [1]\n- Rome [2][3]", "- Paris\n- Rome"),
        ("Paris.\n\n[1][2]", "Paris."),
        (
            "It is $4 [1], not US$5 [2]; from US$4[1] to US$5",
            "It is $4, not US$5; from US$4 to US$5",
        ),
        ("باريس [1]، روما [2]؛ نعم [3]؟ لا [1]۔", "باريس، روما؛ نعم؟ لا۔"),
        ("पेरिस [1]। रोम [2]॥", "पेरिस। रोम॥"),
        ("巴黎【1】。罗马【2】，", "巴黎。罗马，"),
        ("Cranes are blue [1] and [2]. Tall [1], [2], and [3].", "Cranes are blue. Tall."),
        ("It is so. [a.example](https://a.example) Yes.", "It is so. Yes."),
        ("Փարիզ [1]։ ፓሪስ [2]። ប៉ារីស [3]។", "Փարիզ։ ፓሪስ። ប៉ារីស។"),
    ] {
        assert_eq!(plain(markdown), text, "{markdown}");
    }
}

#[test]
fn what_is_no_citation_of_a_known_source_stays() {
    for (markdown, text) in [
        // Numbers and addresses without a source.
        ("As [7] and [3, 4] say", "As [7] and [3, 4] say"),
        ("So ([d](https://d.example)).", "So (d)."),
        ("So.[[1]](https://d.example)", "So.[1]"),
        ("So [1].\n\n[1]: https://d.example", "So [1]."),
        // Another number than its source has is a figure.
        ("There are [12](https://a.example) and [365](https://b.example)", "There are 12 and 365"),
        // Words of a sentence.
        ("According to [The Post](https://a.example), so.", "According to The Post, so."),
        ("Kept (see [docs](https://a.example)) and (a)", "Kept (see docs) and (a)"),
        ("[The Post](https://a.example) says so.", "The Post says so."),
        ("So says [The Post](https://a.example).", "So says The Post."),
        ("According to [1], it is; see [2].", "According to [1], it is; see [2]."),
        ("As described in\n[2], it works.", "As described in\n[2], it works."),
        ("Both [1] and [2] agree; cf. [3].", "Both [1] and [2] agree; cf. [3]."),
        (
            "Eq. [1] holds, and Option [2] (see also [1], [3])",
            "Eq. [1] holds, and Option [2] (see also [1], [3])",
        ),
        ("Согласно [1], так; לפי [2], כך.", "Согласно [1], так; לפי [2], כך."),
        ("根据[1]，如[2]所示。한국어[1]는", "根据[1]，如[2]所示。한국어[1]는"),
        ("It is called [a.example](https://a.example).", "It is called a.example."),
        ("Who won? [Lakers](https://a.example)", "Who won? Lakers"),
        ("More. [Read the report](https://a.example)", "More. Read the report"),
        ("He scored [1](https://a.example) goals.", "He scored 1 goals."),
        ("Visit [A](https://a.example). Or call [A](https://a.example)!", "Visit A. Or call A!"),
        // Data and code outside of code blocks.
        ("Given nums = [1, 2, 3], target = 3.", "Given nums = [1, 2, 3], target = 3."),
        ("So \"a\": [1, 2], print([1, 2]), $row[1]", "So \"a\": [1, 2], print([1, 2]), $row[1]"),
        ("x ∈ [1, 2], [1,2] × [1,3], a.arr[2]=z", "x ∈ [1, 2], [1,2] × [1,3], a.arr[2]=z"),
        ("ids:\n\n- [1, 2]\n- [3]", "ids:\n\n- [1, 2]\n- [3]"),
        // A list of references, and a table of them.
        ("[1] \"Cranes\" by S.\n[2] (2020) J.", "[1] \"Cranes\" by S.\n[2] (2020) J."),
        ("[1] [Title](https://a.example)", "[1] Title"),
        ("[1] Site\n[2] Other", "[1] Site\n[2] Other"),
        ("- [1] Site\n- [2] Other", "- [1] Site\n- [2] Other"),
        ("| n | site |\n|---|---|\n| [1] | A |", "n | site\n[1] | A"),
        // Code, formulas, years, footnotes, and what was escaped.
        ("`a[1]` a[1] = 2, x[2] and my_list[3]", "a[1] a[1] = 2, x[2] and my_list[3]"),
        ("In $x[1]$ or \\(y \\in [1, 2]\\)", "In $x[1]$ or (y \\in [1, 2])"),
        ("\\[ [1, 2] \\] and \\[3\\]", "[ [1, 2] ] and [3]"),
        ("of [2024] (1) [a] [x] (2)", "of [2024] (1) [a] [x] (2)"),
        ("so[^1]", "so[^1]"),
        ("so[^1].\n\n[^1]: A note.", "so[^1].\n\n[^1]: A note."),
        ("Kept page [`a[1]`](https://a.example)", "Kept page a[1]"),
        (
            "[docs][1] and [1][docs]\n\n[1]: https://d.example\n[docs]: https://e.example",
            "docs and [1]",
        ),
        ("【标题】 and 【2024】", "【标题】 and 【2024】"),
    ] {
        assert_eq!(plain(markdown), text, "{markdown}");
    }
}

#[test]
fn a_link_with_words_goes_only_where_it_stands_apart() {
    let post = "[The Harbour Post](https://a.example/)";
    let three = format!("Cranes are blue {post}. They are tall {post}. They rust {post}.");
    assert_eq!(plain(&three), "Cranes are blue. They are tall. They rust.");
    let between = format!("Cranes are blue. {post} They are tall. {post}\n\nThey rust. {post}");
    assert_eq!(plain(&between), "Cranes are blue. They are tall.\n\nThey rust.");
    let named = format!("{post} saw it. As {post} says, they are blue, said {post} and others.");
    assert_eq!(plain(&named), named.replace(post, "The Harbour Post"));
    let by = format!("It was seen by {post}. It was told by {post}.");
    assert_eq!(plain(&by), by.replace(post, "The Harbour Post"));
    assert_eq!(plain("It is 4.0.6. [a.example](https://a.example/)"), "It is 4.0.6.");
    assert_eq!(plain("It is 4.0.6 [a.example](https://a.example/)."), "It is 4.0.6.");
    assert_eq!(
        plain("According to [a.example](https://a.example/), yes."),
        "According to a.example, yes."
    );
}

#[test]
fn json_is_passed_as_it_is() {
    for json in [
        "{\"a\": \"\\\"b\\\" [1]\", \"c\": [1, 2]}",
        "[1]",
        "{\"a\": 1}\n{\"b\": [1]}",
        " [\n 1,\n 2 ]\n",
        "\"a *b*\"",
        "4",
    ] {
        assert_eq!(plain(json), json);
    }
    assert_eq!(plain("So:\n\n```json\n[1, 2]\n```"), "So:\n\n[1, 2]");
}

/// Words in a text, which are runs of letters.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect()
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
        "\\(",
        "\\[ ",
        "https://",
        "https://a/)",
        "[b](https://a.example/) ",
        "$[1]",
        "[1], ",
        "?utm_source=openai",
        "</think>\n",
        "<think>a</think>\n",
    ] {
        let markdown = piece.repeat(bytes / piece.len());
        let text = plain(&markdown);
        let answer = Answer { markdown: format!("a{markdown}"), ..Answer::default() };
        assert!(answer.normalized().text.len() <= bytes * 2);
        assert!(text.len() <= bytes * 2, "{piece}: {}", text.len());
    }
    let deep = format!("{}{}", "- ".repeat(50_000), "\n".repeat(100_000));
    assert!(plain(&deep).len() <= deep.len());
    let lazy = format!("{}a\n{}", "999999999. ".repeat(100), "b\n".repeat(10_000));
    assert!(plain(&lazy).len() <= lazy.len() * 20);
}

proptest! {
    #[test]
    fn any_text_comes_through(markdown in "(?s).{0,200}") {
        plain(&markdown);
    }

    #[test]
    fn without_sources_nothing_is_taken_out(
        text in r"([a-z]{1,5}|\[[1-4](, [1-4])?\]|【[1-4]】|\[web:[1-4]\]|[,.] | \([1-4]\)| |\n){0,40}"
    ) {
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(squeezed(&bare(&text)), squeezed(&text));
    }

    #[test]
    fn every_word_survives(
        text in r"([a-z]{1,5}|\[[1-4](-[1-4])?\]|【[1-4]】|\[\[1\]\]\(https://a\.example/\)|\[b\]\(https://d\.example/\)|[,.;:?،] |\(|\)|`|\*\*| |\n){0,40}"
    ) {
        let (bare, plain) = (bare(&text), plain(&text));
        prop_assert_eq!(words(&plain), words(&bare));
    }

    #[test]
    fn any_markup_comes_through(
        markdown in r"([\[\]()`*_>#|~<!&\\\-+.:^ \n\t]|[0-3a-c]|【|】|†|é|https://a\.example|- |1\. |```|\|--){0,120}"
    ) {
        plain(&markdown);
    }
}
