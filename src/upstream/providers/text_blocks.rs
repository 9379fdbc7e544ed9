//! The `text_blocks` of SERP vendors as Markdown, for answers that come without it.

use serde_json::Value;

use super::walk;

/// How deep lists and expandable blocks may nest.
const DEPTH_MAX: usize = 8;
/// Under which names the vendors keep a block's own text.
const TEXT: &[&str] = &["answer", "snippet", "text", "markdown"];

/// The blocks as Markdown, paragraphs apart.
pub fn markdown(blocks: &[Value]) -> String {
    let mut paragraphs = Vec::new();
    for block in blocks {
        write(block, 0, &mut paragraphs);
    }
    paragraphs.join("\n\n")
}

fn write(block: &Value, depth: usize, paragraphs: &mut Vec<String>) {
    if depth == DEPTH_MAX {
        return;
    }
    let text = walk::first_text(block, TEXT).trim();
    let written = match walk::text(block, "type") {
        "heading" | "header" | "title" => format!("## {text}"),
        "code_block" | "code" => {
            let code = walk::first_text(block, &["code", "answer", "snippet", "text"]);
            format!("```{}\n{}\n```", walk::text(block, "language"), code.trim_end())
        }
        "table" => table(block),
        kind => {
            let ordered = kind == "ordered_list";
            let list = list(block, ordered, depth);
            let title = walk::text(block, "title").trim();
            let text = if text.is_empty() { title } else { text };
            [text, list.as_str()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("\n\n")
        }
    };
    if !written.trim_matches(['#', '`', '\n', ' ']).is_empty() {
        paragraphs.push(written);
    }
    for inner in walk::list(block, "text_blocks") {
        write(inner, depth + 1, paragraphs);
    }
}

/// The items of a list block, nested ones indented.
fn list(block: &Value, ordered: bool, depth: usize) -> String {
    if depth == DEPTH_MAX {
        return String::new();
    }
    let mut lines = Vec::new();
    for key in ["list", "items"] {
        for (at, item) in walk::list(block, key).iter().enumerate() {
            let text = item.as_str().unwrap_or_else(|| walk::first_text(item, TEXT)).trim();
            let title = walk::text(item, "title").trim();
            let mark = if ordered { format!("{}.", at + 1) } else { "-".to_owned() };
            let line = match (title, text) {
                ("", "") => continue,
                ("", text) => format!("{mark} {text}"),
                (title, "") => format!("{mark} **{title}**"),
                (title, text) => format!("{mark} **{title}** {text}"),
            };
            lines.push(line);
            lines.extend(list(item, ordered, depth + 1).lines().map(|line| format!("   {line}")));
        }
    }
    lines.join("\n")
}

/// Rows of cells; the first row is the head.
fn table(block: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let cells = |row: &Value| -> Vec<String> {
        row.as_array()
            .into_iter()
            .flatten()
            .map(|cell| cell_text(cell).replace('|', "\\|"))
            .collect()
    };
    for key in ["headers", "header"] {
        rows.extend(Some(cells(&block[key])).filter(|row| !row.is_empty()));
    }
    for key in ["table", "rows"] {
        rows.extend(walk::list(block, key).iter().map(cells).filter(|row| !row.is_empty()));
    }
    let mut lines: Vec<String> =
        rows.iter().map(|row| format!("| {} |", row.join(" | "))).collect();
    if let Some(head) = rows.first() {
        lines.insert(1, format!("|{}", " --- |".repeat(head.len())));
    }
    lines.join("\n")
}

fn cell_text(cell: &Value) -> String {
    let text = walk::first_text(cell, TEXT);
    if text.is_empty() { walk::scalar(cell) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
