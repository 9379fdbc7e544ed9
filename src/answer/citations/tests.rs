use proptest::prelude::*;

use super::*;

/// Of five sources the second is the first again, the third is gone, the fourth is now the second
/// and the fifth the third.
fn moved(markdown: &str) -> String {
    let places = [Place::At(1), Place::At(1), Place::Gone, Place::At(2), Place::At(3)];
    renumbered(markdown, 3, |number| places.get(number - 1).copied().unwrap_or(Place::Unknown))
}

/// Ids 3, 7 and 12 are the first, second and third source of four.
fn by_id(markdown: &str) -> String {
    renumbered(markdown, 4, |id| {
        let place = [3, 7, 12].iter().position(|known| *known == id);
        place.map_or(Place::Unknown, |place| Place::At(place + 1))
    })
}

#[test]
fn marks_follow_their_sources() {
    for (markdown, left) in [
        ("a [1], b [4].", "a [1], b [2]."),
        ("a [1][2] b", "a [1] b"),
        ("a [1, 2, 4] b", "a [1][2] b"),
        ("a [4-5] b", "a [2][3] b"),
        ("a [3]. b", "a. b"),
        ("a [3, 4]. b", "a [2]. b"),
        ("[3] a", "a"),
        ("- [4] **b[5]**", "- [2] **b[5]**"),
        ("- [4] **bc[5]**", "- [2] **bc[3]**"),
        ("巴黎【4】", "巴黎[2]"),
        ("a [cite: 1, 4]", "a [1][2]"),
        ("a [6] and [9]", "a [6] and [9]"),
    ] {
        assert_eq!(moved(markdown), left);
    }
}

#[test]
fn marks_by_id_name_their_sources_afterwards() {
    for (before, after) in [
        ("Types.[7]", "Types.[2]"),
        ("Types.[web:7][web:3] And", "Types.[2][1] And"),
        ("so [3, 12]", "so [1][3]"),
        ("[web:3,web:7]", "[1][2]"),
        ("[web:7][7] [7]", "[2] [2]"),
        ("no mark [99] [a] [] [3", "no mark [99] [a] [] [3"),
        ("so [3, 99]", "so [3, 99]"),
        ("a [7](https://a.example/) link", "a [7](https://a.example/) link"),
        ("[7]\n\n[7]: https://a.example/", "[7]\n\n[7]: https://a.example/"),
        ("as told [7]: so", "as told [2]: so"),
        ("code `x[7]` and [7]", "code `x[7]` and [2]"),
        ("```\nx[3]\n```\n[3]", "```\nx[3]\n```\n[1]"),
        ("stray ` [3]", "stray ` [1]"),
        ("é🦀[3]é", "é🦀[1]é"),
        ("<think>[12]</think>So [3]", "So [1]"),
    ] {
        assert_eq!(by_id(before), after);
    }
}

#[test]
fn a_mark_of_nothing_does_not_come_to_name_a_source() {
    for (before, after, shown) in [
        ("So [4] it is [3].", "So \\[4] it is [1].", "So [4] it is."),
        ("So [web:2].", "So \\[web:2].", "So [web:2]."),
        ("So【2】", "So\\[2]", "So[2]"),
    ] {
        let markdown = by_id(before);
        assert_eq!(markdown, after);
        let known = Known { numbers: 4, ..Known::default() };
        assert_eq!(crate::answer::plain::plain_text(&markdown, &known), shown);
    }
}

#[test]
fn numbers_of_one_mark_do_not_become_those_of_another() {
    let swapped = renumbered("[1][2]", 2, |id| Place::At(3 - id));
    assert_eq!(swapped, "[2][1]");
}

#[test]
fn code_links_formulas_and_json_keep_their_brackets() {
    for text in [
        "`a[4]` and ``b[4]``",
        "```\nc[4]\n```\n\n    d[4]",
        "[4](https://a.example)",
        "[[4]](https://a.example) [see [4] there](https://a.example)",
        "[4]\n\n[4]: https://a.example",
        "[2024] [04] [^4] a[4] \\[4\\] $x [4]$ \\(x [4]\\)",
        "{\"a\": [4], \"b\": \"[4]\"}",
        "[4, 5]",
    ] {
        assert_eq!(moved(text), text);
    }
}

#[test]
fn links_that_are_numbered_have_whole_addresses() {
    let url = "https://a.example/Ruby_(programming_language)";
    let markdown =
        format!("So.[[1]]({url}) `[[2]](https://b.example/)` [[3]](https://c.example/) [d]({url})");
    let expected = [(1, url.to_owned()), (3, "https://c.example/".to_owned())];
    assert_eq!(numbered_links(&markdown), expected);
    assert_eq!(cited_numbers("b [2], [1][2] `[3]`"), [2, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_names_nothing_stays(text in "[\\[\\]`0-9:,a-z(é🦀 \n]{0,60}") {
        prop_assert_eq!(renumbered(&text, 0, |_| Place::Unknown), text);
    }
}
