//! The items of an answer, which nest: their text as Markdown, and the pages that they name.

use serde_json::Value;

use crate::answer::Source;
use crate::upstream::providers::{json_path, serp_page, text_blocks};

/// How deep the items of an answer may nest.
const DEPTH_MAX: usize = 6;

/// Returns the items' Markdown, their own or their parts'.
pub(super) fn texts(items: &[&Value]) -> String {
    let mut paragraphs = Vec::new();
    for item in items {
        write(item, 0, &mut paragraphs);
    }
    paragraphs.join("\n\n")
}

/// An item's Markdown holds its parts; its text does not hold those that unfold (`components`), and
/// without either there are only the parts.
fn write(item: &Value, depth: usize, paragraphs: &mut Vec<String>) {
    if depth == DEPTH_MAX {
        return;
    }
    let markdown = json_path::text(item, "markdown").trim();
    if !markdown.is_empty() {
        return paragraphs.push(markdown.to_owned());
    }
    let components = json_path::list(item, "components");
    let kind = json_path::text(item, "type");
    let title = json_path::text(item, "title").trim();
    let text = json_path::text(item, "text").trim();
    // A product's title is the product's, and listed with it.
    let is_titled = !components.is_empty() || kind.ends_with("_component");
    if is_titled && !title.is_empty() && !text.starts_with(title) {
        paragraphs.push(format!("**{title}**"));
    }
    if !text.is_empty() {
        paragraphs.push(text.to_owned());
    }
    let table = text_blocks::table(&item["table"]);
    if !table.is_empty() {
        paragraphs.push(table);
    }
    let parts = if text.is_empty() { json_path::list(item, "items") } else { &[] };
    for part in parts.iter().chain(components) {
        write(part, depth + 1, paragraphs);
    }
}

/// Returns the pages that items and their parts name.
pub(super) fn of_parts(items: &[&Value]) -> Vec<Source> {
    let mut pages = Vec::new();
    for item in items {
        collect(item, 0, &mut pages);
    }
    pages
}

fn collect(item: &Value, depth: usize, pages: &mut Vec<Source>) {
    if depth == DEPTH_MAX {
        return;
    }
    for key in ["references", "sources", "links"] {
        pages.extend(serp_page::pages(item, key));
    }
    for part in json_path::list(item, "items").iter().chain(json_path::list(item, "components")) {
        collect(part, depth + 1, pages);
    }
}
