//! The `text_blocks` of SERP vendors as Markdown, for answers that come without it.

use std::collections::HashMap;

use serde_json::Value;

use super::json_path;

/// How deep lists and expandable blocks may nest.
const DEPTH_MAX: usize = 8;
/// The blanks before what nests in an item of a list, at least.
const INDENT_MIN: usize = 3;
/// Under which names the vendors keep a block's own text.
const TEXT: &[&str] = &["answer", "snippet", "text", "markdown"];

/// Returns the blocks as Markdown, paragraphs apart, with the marks of the references that they
/// name.
pub(crate) fn markdown(blocks: &[Value], numbers: &Numbers) -> String {
    nested(blocks, 0, numbers)
}

/// The numbers of references by the index that blocks name them with.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<u64, usize>);

impl Numbers {
    /// Collects the numbers of a vendor's references; without an `index` of its own, a reference
    /// has its place in the list, counted from 0.
    pub(crate) fn of(references: &[Value]) -> Numbers {
        let index = |at: usize, reference: &Value| reference["index"].as_u64().unwrap_or(at as u64);
        let numbered = references.iter().enumerate();
        Numbers(numbered.map(|(at, reference)| (index(at, reference), at + 1)).collect())
    }

    /// Returns the numbers that a block names, in its order, each once.
    fn named(&self, block: &Value) -> Vec<usize> {
        let mut named: Vec<usize> = Vec::new();
        for index in json_path::list(block, "reference_indexes") {
            let number = index.as_u64().and_then(|index| self.0.get(&index));
            named.extend(number.filter(|number| !named.contains(number)));
        }
        named
    }

    fn marks(&self, block: &Value) -> String {
        self.named(block).iter().map(|number| format!("[{number}]")).collect()
    }

    /// Returns the numbers that the blocks and their parts name, in order of first appearance.
    pub(crate) fn cited(&self, blocks: &[Value]) -> Vec<usize> {
        let mut cited = Vec::new();
        self.collect(blocks, 0, &mut cited);
        cited
    }

    fn collect(&self, blocks: &[Value], depth: usize, cited: &mut Vec<usize>) {
        if depth == DEPTH_MAX {
            return;
        }
        for block in blocks {
            for number in self.named(block) {
                if !cited.contains(&number) {
                    cited.push(number);
                }
            }
            for key in ["list", "items", "text_blocks"] {
                self.collect(json_path::list(block, key), depth + 1, cited);
            }
        }
    }
}

fn nested(blocks: &[Value], depth: usize, numbers: &Numbers) -> String {
    let mut paragraphs = Vec::new();
    for block in blocks {
        write(block, depth, numbers, &mut paragraphs);
    }
    paragraphs.join("\n\n")
}

/// Returns a text with the marks of its block; marks alone say nothing.
fn marked(text: &str, block: &Value, numbers: &Numbers) -> String {
    if text.is_empty() { String::new() } else { format!("{text}{}", numbers.marks(block)) }
}

fn write(block: &Value, depth: usize, numbers: &Numbers, paragraphs: &mut Vec<String>) {
    if depth == DEPTH_MAX {
        return;
    }
    let text = json_path::first_text(block, TEXT).trim();
    let written = match json_path::text(block, "type") {
        "heading" | "header" | "title" => format!("## {text}"),
        "code_block" | "code" => {
            let code = json_path::first_text(block, &["code", "answer", "snippet", "text"]);
            format!("```{}\n{}\n```", json_path::text(block, "language"), code.trim_end())
        }
        "table" | "comparison" => {
            let (table, text) = (table(block), marked(text, block, numbers));
            [text.as_str(), table.as_str()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("\n\n")
        }
        kind => {
            let ordered = kind == "ordered_list";
            let list = list(block, ordered, depth, numbers);
            let title = json_path::text(block, "title").trim();
            let text = marked(if text.is_empty() { title } else { text }, block, numbers);
            [text.as_str(), list.as_str()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("\n\n")
        }
    };
    if !written.trim_matches(['#', '`', '\n', ' ']).is_empty() {
        paragraphs.push(written);
    }
    for inner in json_path::list(block, "text_blocks") {
        write(inner, depth + 1, numbers, paragraphs);
    }
}

/// The items of a list block, what nests in them indented. An item that says nothing has no bullet;
/// the list in it takes its place.
fn list(block: &Value, ordered: bool, depth: usize, numbers: &Numbers) -> String {
    if depth == DEPTH_MAX {
        return String::new();
    }
    let mut lines = Vec::new();
    let mut number = 0;
    for item in ["list", "items"].iter().flat_map(|key| json_path::list(block, key)) {
        let text = item.as_str().unwrap_or_else(|| json_path::first_text(item, TEXT));
        let text = without_bare_marks(text);
        let title = without_bare_marks(json_path::text(item, "title"));
        let own = match (title, text) {
            ("", text) => text.to_owned(),
            (title, "") => format!("**{title}**"),
            (title, text) => format!("**{title}** {text}"),
        };
        let own = marked(&own, item, numbers);
        let inner = list(item, ordered, depth + 1, numbers);
        let blocks = nested(json_path::list(item, "text_blocks"), depth + 1, numbers);
        let parts = [own, blocks].into_iter().filter(|part| !part.is_empty());
        let says = parts.collect::<Vec<_>>().join("\n\n");
        if says.is_empty() {
            lines.extend(Some(inner).filter(|inner| !inner.is_empty()));
            continue;
        }
        number += 1;
        let mark = if ordered { format!("{number}.") } else { "-".to_owned() };
        let whole = [says, inner].into_iter().filter(|part| !part.is_empty());
        let whole = whole.collect::<Vec<_>>().join("\n");
        lines.push(format!("{mark} {}", indented(&whole, INDENT_MIN.max(mark.len() + 1))));
    }
    lines.join("\n")
}

/// Returns the text without the blanks around it; empty if it is nothing but marks of emphasis: a
/// sign alone, such as `+`, may be all that an item says.
fn without_bare_marks(text: &str) -> &str {
    let is_bare = text.chars().all(|c| c.is_whitespace() || "*_".contains(c));
    if is_bare { "" } else { text.trim() }
}

/// The text with every line after its first one moved to the right, blank ones left blank.
fn indented(text: &str, by: usize) -> String {
    let margin = format!("\n{}", " ".repeat(by));
    text.replace('\n', &margin).replace(&format!("{margin}\n"), "\n\n")
}

/// Returns the rows of a table as Markdown; the first row is the head. A comparison has its
/// products as the head, and a row for each feature.
pub(crate) fn table(block: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for key in ["headers", "header", "table_header"] {
        rows.extend(cells(&block[key]));
    }
    if let Some(products) = cells(&block["product_labels"]) {
        rows.push([vec![String::new()], products].concat());
    }
    for key in ["table", "rows", "table_content", "comparison"] {
        rows.extend(json_path::list(block, key).iter().filter_map(row));
    }
    let mut lines: Vec<String> =
        rows.iter().map(|row| format!("| {} |", row.join(" | "))).collect();
    if let Some(head) = rows.first() {
        lines.insert(1, format!("|{}", " --- |".repeat(head.len())));
    }
    lines.join("\n")
}

/// A row of cells, or a feature with a value for each product.
fn row(row: &Value) -> Option<Vec<String>> {
    let feature = json_path::first_text(row, &["feature", "title", "name"]);
    match cells(&row["values"]) {
        Some(values) => Some([vec![cell(feature)], values].concat()),
        None => cells(row),
    }
}

/// The cells of a list; `None` if there is none that says anything.
fn cells(list: &Value) -> Option<Vec<String>> {
    let cells: Vec<String> = list.as_array()?.iter().map(|value| cell(&cell_text(value))).collect();
    cells.iter().any(|cell| !cell.is_empty()).then_some(cells)
}

fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('\n', " ")
}

fn cell_text(cell: &Value) -> String {
    let text = json_path::first_text(cell, TEXT);
    if text.is_empty() { json_path::scalar(cell) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn markdown(blocks: &[Value]) -> String {
        super::markdown(blocks, &Numbers::default())
    }

    #[test]
    fn both_vendors_blocks_become_markdown() {
        let blocks = json!([
            {"type": "paragraph", "answer": "First.", "reference_indexes": [0]},
            {"type": "heading", "snippet": "More"},
            {"type": "list", "list": [{"title": "Ruby", "snippet": "is red",
                "list": [{"snippet": "deep"}]}, {"snippet": "Go"}]},
            {"type": "ordered_list", "items": ["one", {"answer": "two"}]},
            {"type": "code_block", "language": "python", "code": "print(1)\n"},
            {"type": "table", "table": [["a", "b"], ["1", 2]]},
            {"type": "expandable", "title": "Details", "text_blocks": [{"type": "paragraph",
                "snippet": "Inside."}]},
            {"type": "inline_images", "images": []},
            null,
        ]);
        assert_eq!(
            markdown(blocks.as_array().unwrap()),
            "First.\n\n## More\n\n- **Ruby** is red\n   - deep\n- Go\n\n1. one\n2. two\n\n\
             ```python\nprint(1)\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nDetails\n\nInside."
        );
    }

    #[test]
    fn comparison_is_a_table() {
        let blocks = json!([{"type": "comparison", "product_labels": ["Vi", "Emacs"],
            "comparison": [{"feature": "Size", "values": ["small", "large | huge"]},
                {"feature": "Modes", "values": ["yes", "no"]}]}]);
        assert_eq!(
            markdown(blocks.as_array().unwrap()),
            "|  | Vi | Emacs |\n| --- | --- | --- |\n| Size | small | large \\| huge |\n\
             | Modes | yes | no |"
        );
    }

    #[test]
    fn blocks_in_the_items_of_a_list_are_kept() {
        let blocks = json!([{"type": "list", "list": [
            {"title": "Ruby", "text_blocks": [{"type": "paragraph", "snippet": "Is red."},
                {"type": "list", "list": [{"snippet": "deep"}]}]},
            {"text_blocks": [{"type": "paragraph", "snippet": "Alone."}]},
            {"snippet": "Go\nis fast"}]}]);
        assert_eq!(
            markdown(blocks.as_array().unwrap()),
            "- **Ruby**\n\n   Is red.\n\n   - deep\n- Alone.\n- Go\n   is fast"
        );
    }

    #[test]
    fn what_says_nothing_leaves_no_bullet() {
        let blocks = json!([{"type": "list"}, {"type": "list", "list": []},
            {"type": "list", "list": null}, {"type": "comparison", "comparison": [{}]},
            {"type": "ordered_list", "list": [{"snippet": "**"}, {"list": []}, {}, "", "one",
                {"list": [{"snippet": "two"}]}, {"snippet": "three", "list": []}]},
            {"type": "table", "table": [[""], []]}]);
        assert_eq!(markdown(blocks.as_array().unwrap()), "1. one\n1. two\n2. three");
    }

    #[test]
    fn signs_alone_are_items_too() {
        let blocks = json!([{"type": "list", "list": [{"snippet": "`+`"}, {"snippet": "`%`"},
            {"snippet": " \u{1f1eb}\u{1f1f7} "}, {"title": "?", "snippet": "asks"},
            {"title": "**", "snippet": "_ _"}, {"title": "!"}]}]);
        assert_eq!(
            markdown(blocks.as_array().unwrap()),
            "- `+`\n- `%`\n- \u{1f1eb}\u{1f1f7}\n- **?** asks\n- **!**"
        );
    }

    #[test]
    fn blocks_carry_the_marks_of_their_references() {
        let references = json!([{"index": 0}, {"index": 1}, {"index": 7}]);
        let numbers = Numbers::of(references.as_array().unwrap());
        let blocks = json!([
            {"type": "heading", "snippet": "Ruby", "reference_indexes": [0]},
            {"type": "paragraph", "snippet": "Is red.", "reference_indexes": [7, 0, 7, 9, "x"]},
            {"type": "list", "list": [{"title": "4.0", "snippet": "newest",
                "reference_indexes": [1]},
                {"snippet": "", "reference_indexes": [0]}]}]);
        let blocks = blocks.as_array().unwrap();
        assert_eq!(
            super::markdown(blocks, &numbers),
            "## Ruby\n\nIs red.[3][1]\n\n- **4.0** newest[2]"
        );
        assert_eq!(numbers.cited(blocks), [1, 3, 2]);
        assert_eq!(
            Numbers::of(&[json!({}), json!({})]).cited(&[json!({"reference_indexes": [1]})]),
            [2]
        );
    }

    #[test]
    fn nesting_ends_somewhere() {
        let mut block = json!({"type": "paragraph", "text": "x"});
        for _ in 0..40 {
            block = json!({"type": "list", "list": [block.clone()], "text_blocks": [block]});
            if block.to_string().len() > 20_000 {
                break;
            }
        }
        assert!(markdown(&[block]).len() < 20_000);
    }
}
