//! `markdown_json`: the token tree of a Markdown text, with the names that the lexer of marked.js
//! gives its tokens (`heading`, `list_item`, `codespan`, ...), for clients that render it.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, Tag};
use serde_json::{Map, Value, json};

use super::markdown;

/// The deepest token, levels. What lies deeper stands in the deepest as if it were its own.
const TREE_LEVELS_MAX: usize = 16;
/// The most bytes that `raw` and `text` of tokens with parts take in all: each level says again
/// what its parts say, and when this is used up only the parts do.
const REPEATED_BYTES_MAX: usize = 4 << 20;

/// Returns the tokens of a text: objects with `type`, `raw` (the piece of Markdown), `text` (what
/// it says), the type's own fields (`depth`, `href`, ...), and `tokens` (of a list `items`, of a
/// table `header` and `rows`).
pub fn token_tree(markdown: &str) -> Vec<Value> {
    let Some(events) = markdown::parse(markdown) else {
        return vec![json!({ "type": "paragraph", "raw": markdown, "text": markdown })];
    };
    let mut tree = Tree {
        markdown,
        open: vec![Open::default()],
        deeper: 0,
        text_end: 0,
        repeated_bytes_left: REPEATED_BYTES_MAX,
    };
    for (event, range) in events {
        tree.take(event, range);
    }
    tree.open.pop().map(|root| root.parts).unwrap_or_default()
}

struct Tree<'a> {
    markdown: &'a str,
    /// The root, then the tokens that have begun and not ended.
    open: Vec<Open>,
    /// Levels begun beyond [`TREE_LEVELS_MAX`].
    deeper: usize,
    /// Where the text that was read last ends in the Markdown.
    text_end: usize,
    repeated_bytes_left: usize,
}

#[derive(Default)]
struct Open {
    kind: Kind,
    /// Those that are known at the start, `type` first.
    fields: Map<String, Value>,
    text: String,
    parts: Vec<Value>,
}

/// What becomes of the parts of a token.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    /// They are its `tokens`, and it stands on lines of its own.
    #[default]
    Block,
    /// They are its `tokens`, and it stands in running text.
    Span,
    /// It has text and no parts.
    Leaf,
    /// They are its `items`.
    List,
    /// They are its `header` and `rows`.
    Table,
    /// They are cells.
    Header,
    Row,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(_) if self.deeper > 0 || self.open.len() > TREE_LEVELS_MAX => {
                self.deeper += 1;
            }
            Event::Start(tag) => self.open.push(opened(tag)),
            Event::End(_) if self.deeper > 0 => self.deeper -= 1,
            Event::End(_) => self.close(range),
            Event::Text(text) | Event::Html(text) => self.text(&text, range),
            Event::SoftBreak => self.text("\n", range),
            Event::Code(text) => self.part("codespan", &text, range),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.part("text", &text, range),
            Event::InlineHtml(tag) => self.part("html", &tag, range),
            Event::FootnoteReference(label) => self.part("footnote_reference", &label, range),
            Event::HardBreak => self.part("br", "\n", range),
            Event::Rule => self.part("hr", "", range),
            Event::TaskListMarker(done) => {
                // In a list with blank lines it stands in the item's first paragraph.
                let is_item = |open: &&mut Open| {
                    open.fields.get("type").is_some_and(|kind| kind == "list_item")
                };
                if let Some(item) = self.open.iter_mut().rev().find(is_item) {
                    item.fields.insert("task".to_owned(), true.into());
                    item.fields.insert("checked".to_owned(), done.into());
                }
            }
        }
    }

    /// Running text; the parser gives it in pieces, the tree has one token for all of them.
    fn text(&mut self, text: &str, mut range: Range<usize>) {
        // No event holds the backslash of `\[`; without it `raw` would read as a mark.
        if range.start > self.text_end && self.markdown[..range.start].ends_with('\\') {
            range.start -= 1;
        }
        self.text_end = range.end;
        let Some(open) = self.open.last_mut() else { return };
        open.text.push_str(text);
        if open.kind == Kind::Leaf {
            return;
        }
        if let Some(Value::Object(last)) = open.parts.last_mut()
            && last.get("type").is_some_and(|kind| kind == "text")
        {
            let raw = &self.markdown[range];
            for (field, more) in [("raw", raw), ("text", text)] {
                if let Some(Value::String(said)) = last.get_mut(field) {
                    said.push_str(more);
                }
            }
            return;
        }
        open.parts.push(json!({ "type": "text", "raw": self.markdown[range], "text": text }));
    }

    fn part(&mut self, kind: &str, text: &str, range: Range<usize>) {
        let Some(open) = self.open.last_mut() else { return };
        if kind != "html" {
            open.text.push_str(text);
        }
        open.parts.push(json!({ "type": kind, "raw": self.markdown[range], "text": text }));
    }

    fn close(&mut self, range: Range<usize>) {
        let Some(mut done) = self.open.pop() else { return };
        let text = std::mem::take(&mut done.text);
        let kind = done.kind;
        let token = self.token(done, &text, range);
        // The root never ends, so whatever ends has a parent.
        let Some(parent) = self.open.last_mut() else { return };
        if kind != Kind::Span && !parent.text.is_empty() {
            parent.text.push('\n');
        }
        parent.text.push_str(&text);
        match (kind, parent.fields.get_mut("rows")) {
            (Kind::Header, _) => drop(parent.fields.insert("header".to_owned(), token)),
            (Kind::Row, Some(Value::Array(rows))) => rows.push(token),
            (Kind::Row, _) => drop(parent.fields.insert("rows".to_owned(), json!([token]))),
            (Kind::Block | Kind::Span | Kind::Leaf | Kind::List | Kind::Table, _) => {
                parent.parts.push(token);
            }
        }
    }

    /// The finished token; of a table's row its cells alone.
    fn token(&mut self, done: Open, text: &str, range: Range<usize>) -> Value {
        let Open { kind, mut fields, parts, .. } = done;
        if matches!(kind, Kind::Header | Kind::Row) {
            return parts.into();
        }
        let raw = &self.markdown[range];
        let repeated_bytes = if kind == Kind::Leaf { 0 } else { raw.len() + text.len() };
        if repeated_bytes <= self.repeated_bytes_left {
            self.repeated_bytes_left -= repeated_bytes;
            fields.insert("raw".to_owned(), raw.into());
            fields.insert("text".to_owned(), text.into());
        }
        match kind {
            Kind::List => {
                fields.insert("loose".to_owned(), parts.iter().any(has_paragraph).into());
                fields.insert("items".to_owned(), parts.into());
            }
            Kind::Block | Kind::Span => {
                fields.insert("tokens".to_owned(), parts.into());
            }
            Kind::Leaf | Kind::Table | Kind::Header | Kind::Row => {}
        }
        fields.into()
    }
}

fn has_paragraph(item: &Value) -> bool {
    item["tokens"]
        .as_array()
        .is_some_and(|parts| parts.iter().any(|part| part["type"] == "paragraph"))
}

fn opened(tag: Tag<'_>) -> Open {
    let (kind, fields) = match tag {
        Tag::Paragraph => (Kind::Block, json!({ "type": "paragraph" })),
        Tag::Heading { level, .. } => {
            (Kind::Block, json!({ "type": "heading", "depth": level as u8 }))
        }
        Tag::BlockQuote(_) => (Kind::Block, json!({ "type": "blockquote" })),
        Tag::CodeBlock(CodeBlockKind::Fenced(lang)) => {
            (Kind::Leaf, json!({ "type": "code", "lang": &*lang }))
        }
        Tag::CodeBlock(CodeBlockKind::Indented) => {
            (Kind::Leaf, json!({ "type": "code", "codeBlockStyle": "indented" }))
        }
        Tag::HtmlBlock => (Kind::Leaf, json!({ "type": "html", "block": true })),
        Tag::List(first) => {
            (Kind::List, json!({ "type": "list", "ordered": first.is_some(), "start": first }))
        }
        Tag::Item => (Kind::Block, json!({ "type": "list_item", "task": false })),
        Tag::FootnoteDefinition(label) => {
            (Kind::Block, json!({ "type": "footnote", "label": &*label }))
        }
        Tag::Table(columns) => {
            let align: Vec<Option<&str>> = columns.into_iter().map(alignment).collect();
            (Kind::Table, json!({ "type": "table", "align": align }))
        }
        Tag::TableHead => (Kind::Header, json!({})),
        Tag::TableRow => (Kind::Row, json!({})),
        Tag::TableCell => (Kind::Block, json!({ "type": "table_cell" })),
        Tag::Emphasis => (Kind::Span, json!({ "type": "em" })),
        Tag::Strong => (Kind::Span, json!({ "type": "strong" })),
        Tag::Strikethrough => (Kind::Span, json!({ "type": "del" })),
        Tag::Link { dest_url, title, .. } => {
            (Kind::Span, json!({ "type": "link", "href": &*dest_url, "title": &*title }))
        }
        Tag::Image { dest_url, title, .. } => {
            (Kind::Span, json!({ "type": "image", "href": &*dest_url, "title": &*title }))
        }
        // Not of our dialect.
        Tag::DefinitionList
        | Tag::DefinitionListTitle
        | Tag::DefinitionListDefinition
        | Tag::Superscript
        | Tag::Subscript
        | Tag::MetadataBlock(_) => (Kind::Span, json!({ "type": "text" })),
    };
    Open { kind, fields: fields.as_object().cloned().unwrap_or_default(), ..Open::default() }
}

fn alignment(column: Alignment) -> Option<&'static str> {
    match column {
        Alignment::None => None,
        Alignment::Left => Some("left"),
        Alignment::Center => Some("center"),
        Alignment::Right => Some("right"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token on each line: its own fields, then its parts, indented.
    fn outline(tokens: &[Value], level: usize, out: &mut String) {
        for token in tokens {
            let own: Map<String, Value> = token
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| !["tokens", "items", "header", "rows"].contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            out.push_str(&format!("{}{}\n", "  ".repeat(level), Value::Object(own)));
            for parts in ["tokens", "items", "header"] {
                outline(token[parts].as_array().map_or(&[], Vec::as_slice), level + 1, out);
            }
            for row in token["rows"].as_array().into_iter().flatten() {
                outline(row.as_array().map_or(&[], Vec::as_slice), level + 1, out);
            }
        }
    }

    fn shown(markdown: &str) -> String {
        let mut out = String::new();
        outline(&token_tree(markdown), 0, &mut out);
        out
    }

    #[test]
    fn blocks_and_their_parts_are_tokens() {
        insta::assert_snapshot!(shown(
            "A *b* `c`\n=\n\nText **[d](https://a.example \"t\")**\nmore.\n\n> 2. x\n>    - [x] y\n\n```rs\nlet a;\n```"
        ), @r##"
        {"type":"heading","depth":1,"raw":"A *b* `c`\n=\n","text":"A b c"}
          {"type":"text","raw":"A ","text":"A "}
          {"type":"em","raw":"*b*","text":"b"}
            {"type":"text","raw":"b","text":"b"}
          {"type":"text","raw":" ","text":" "}
          {"type":"codespan","raw":"`c`","text":"c"}
        {"type":"paragraph","raw":"Text **[d](https://a.example \"t\")**\nmore.\n","text":"Text d\nmore."}
          {"type":"text","raw":"Text ","text":"Text "}
          {"type":"strong","raw":"**[d](https://a.example \"t\")**","text":"d"}
            {"type":"link","href":"https://a.example","title":"t","raw":"[d](https://a.example \"t\")","text":"d"}
              {"type":"text","raw":"d","text":"d"}
          {"type":"text","raw":"\nmore.","text":"\nmore."}
        {"type":"blockquote","raw":"> 2. x\n>    - [x] y\n","text":"x\ny"}
          {"type":"list","ordered":true,"start":2,"raw":"2. x\n>    - [x] y\n","text":"x\ny","loose":false}
            {"type":"list_item","task":false,"raw":"2. x\n>    - [x] y\n","text":"x\ny"}
              {"type":"text","raw":"x","text":"x"}
              {"type":"list","ordered":false,"start":null,"raw":"- [x] y\n","text":"y","loose":false}
                {"type":"list_item","task":true,"checked":true,"raw":"- [x] y\n","text":"y"}
                  {"type":"text","raw":"y","text":"y"}
        {"type":"code","lang":"rs","raw":"```rs\nlet a;\n```","text":"let a;\n"}
        "##);
    }

    #[test]
    fn tables_have_a_header_and_rows() {
        insta::assert_snapshot!(shown("|a|*b*|\n|:-|-|\n|1|2|\n|3|\n"), @r##"
        {"type":"table","align":["left",null],"raw":"|a|*b*|\n|:-|-|\n|1|2|\n|3|\n","text":"a\nb\n1\n2\n3\n"}
          {"type":"table_cell","raw":"a","text":"a"}
            {"type":"text","raw":"a","text":"a"}
          {"type":"table_cell","raw":"*b*","text":"b"}
            {"type":"em","raw":"*b*","text":"b"}
              {"type":"text","raw":"b","text":"b"}
          {"type":"table_cell","raw":"1","text":"1"}
            {"type":"text","raw":"1","text":"1"}
          {"type":"table_cell","raw":"2","text":"2"}
            {"type":"text","raw":"2","text":"2"}
          {"type":"table_cell","raw":"3","text":"3"}
            {"type":"text","raw":"3","text":"3"}
          {"type":"table_cell","raw":"","text":""}
        "##);
    }

    #[test]
    fn tasks_are_items_of_tight_and_loose_lists() {
        for markdown in ["1. [x] a\n2. [ ] b", "1. [x] a\n\n2. [ ] b"] {
            let list = &token_tree(markdown)[0];
            assert_eq!((&list["ordered"], &list["start"]), (&true.into(), &1.into()));
            let items = list["items"].as_array().unwrap();
            let tasks: Vec<_> = items.iter().map(|i| (&i["task"], &i["checked"])).collect();
            let (yes, no) = (Value::from(true), Value::from(false));
            assert_eq!(tasks, [(&yes, &yes), (&yes, &no)], "{markdown}");
        }
    }

    #[test]
    fn raw_text_has_its_backslashes() {
        let raw = |markdown: &str| token_tree(markdown)[0]["tokens"][0]["raw"].clone();
        for markdown in [r"\[1] and \[2]", r"so \[1]", r"a \\[1]", "[1]"] {
            assert_eq!(raw(markdown), markdown);
        }
        let after_code = token_tree(r"`a\`[1]");
        assert_eq!(after_code[0]["tokens"][1]["raw"], "[1]");
    }

    #[test]
    fn hostile_text_has_a_small_tree() {
        let bytes = 100_000;
        for piece in ["> ", "- ", "*a ", "[", "**a _b ", "![", "> - "] {
            let tree = Value::from(token_tree(&piece.repeat(bytes / piece.len()))).to_string();
            assert!(tree.len() < bytes * 60, "{piece}: {}", tree.len());
        }
        let deep = format!("{}a\n{}", "> ".repeat(100), "b\n".repeat(100_000));
        assert!(Value::from(token_tree(&deep)).to_string().len() < 3 * REPEATED_BYTES_MAX);
    }
}
