//! Markdown to plain text for reading: blocks laid out in lines, marks of citations taken out,
//! code kept as it is.

use std::ops::Range;

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use super::citations::{Inline, Kind, Known};
use super::tags::without_tags;
use super::{is_json, markdown};

/// The deepest indentation, columns. Without a bound a deep item with many short lines would come
/// out many times as long as it went in.
const INDENT_COLUMNS_MAX: usize = 24;

/// Returns the plain text of a Markdown text, without the citations that name one of the `known`
/// sources. It takes time in proportion to its length; JSON, and a text that nests without end, are
/// returned as they are.
pub(super) fn plain_text(markdown: &str, known: &Known) -> String {
    if is_json(markdown) {
        return markdown.to_owned();
    }
    let Some(events) = markdown::parse(markdown) else {
        return markdown.trim().to_owned();
    };
    let mut page = Page::new(markdown, known);
    for (event, range) in events {
        page.take(event, range);
    }
    page.flush(Gap::Blank);
    page.out.truncate(page.out.trim_end().len());
    page.out
}

/// What stands between the block before and the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gap {
    #[default]
    Line,
    Blank,
}

struct Page<'a> {
    known: &'a Known,
    /// Where marks stand in the Markdown, in order, and how many have been read.
    marks: Vec<Range<usize>>,
    marks_read: usize,
    /// Where a mark that has begun stands in the running text.
    mark_start: usize,
    out: String,
    inline: Inline,
    gap: Gap,
    /// The next number of each open list; `None` for one with bullets.
    lists: Vec<Option<u64>>,
    /// The indentation of each open item, columns.
    items: Vec<usize>,
    /// Markers of items that have begun and have no text yet, and the column they stand at.
    markers: Option<(usize, String)>,
    /// Starts of open links and images, and where they lead.
    spans: Vec<(usize, LinkType, String)>,
    /// The text of an open code block or HTML block.
    verbatim: Option<String>,
    /// The cells of the open row.
    cells: Vec<String>,
    in_table: bool,
}

impl<'a> Page<'a> {
    fn new(markdown: &str, known: &'a Known) -> Page<'a> {
        Page {
            known,
            marks: known.marks_in(markdown),
            marks_read: 0,
            mark_start: 0,
            out: String::with_capacity(markdown.len()),
            inline: Inline::default(),
            gap: Gap::default(),
            lists: Vec::new(),
            items: Vec::new(),
            markers: None,
            spans: Vec::new(),
            verbatim: None,
            cells: Vec::new(),
            in_table: false,
        }
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => match &mut self.verbatim {
                Some(verbatim) => verbatim.push_str(&text),
                None => self.text(&text, range),
            },
            Event::Code(code) => self.inline.text.push_str(&code),
            Event::InlineHtml(tag) => {
                if tag.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("<br")) {
                    self.break_line();
                }
            }
            Event::FootnoteReference(label) => {
                self.inline.text.push_str(&format!("[^{label}]"));
            }
            Event::SoftBreak | Event::HardBreak => self.break_line(),
            Event::Rule => self.flush(Gap::Blank),
            Event::TaskListMarker(done) => {
                self.inline.text.push_str(if done { "[x] " } else { "[ ] " });
            }
        }
    }

    /// Running text, and the marks that begin or end in it: the parser gives their brackets apart.
    fn text(&mut self, text: &str, range: Range<usize>) {
        let base = self.inline.text.len();
        self.inline.text.push_str(text);
        if text.len() != range.len() {
            return;
        }
        while let Some(mark) = self.marks.get(self.marks_read).filter(|m| m.start < range.end) {
            if mark.start >= range.start {
                self.mark_start = base + mark.start - range.start;
            }
            if mark.end > range.end {
                break;
            }
            if mark.end > range.start {
                let end = base + mark.end - range.start;
                self.inline.push_citation(self.mark_start..end, Kind::Mark);
            }
            self.marks_read += 1;
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. } => {
                self.spans.push((self.inline.text.len(), link_type, dest_url.into_string()));
            }
            Tag::List(first) => {
                self.flush(Gap::Line);
                self.lists.push(first);
            }
            Tag::Item => self.start_item(),
            Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::MetadataBlock(_) => {
                self.flush(Gap::Line);
                self.verbatim = Some(String::new());
            }
            Tag::Table(_) => {
                self.flush(Gap::Line);
                self.in_table = true;
            }
            Tag::Paragraph
            | Tag::Heading { .. }
            | Tag::BlockQuote(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition => self.flush(Gap::Line),
            Tag::FootnoteDefinition(label) => {
                self.flush(Gap::Line);
                let column = self.items.last().copied().unwrap_or(0);
                self.markers = Some((column, format!("[^{label}]: ")));
            }
            Tag::TableHead
            | Tag::TableRow
            | Tag::TableCell
            | Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Link => self.end_link(),
            TagEnd::Image => {
                self.spans.pop();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.gap = if self.lists.is_empty() { Gap::Blank } else { Gap::Line };
            }
            TagEnd::Item => {
                self.flush(Gap::Line);
                if self.markers.is_some() {
                    self.write("");
                }
                self.items.pop();
                self.gap = Gap::Line;
            }
            TagEnd::FootnoteDefinition => {
                self.flush(Gap::Blank);
                if self.markers.is_some() {
                    self.write("");
                }
            }
            TagEnd::CodeBlock | TagEnd::MetadataBlock(_) => {
                let code = self.verbatim.take().unwrap_or_default();
                self.write(code.strip_suffix('\n').unwrap_or(&code));
                self.gap = Gap::Blank;
            }
            TagEnd::HtmlBlock => {
                let text = without_tags(&self.verbatim.take().unwrap_or_default());
                self.inline.text.push_str(text.trim());
                self.flush(Gap::Blank);
            }
            TagEnd::TableCell => self.cells.push(self.inline.take(true)),
            TagEnd::TableHead | TagEnd::TableRow => {
                let cells: Vec<&str> = self.cells.iter().map(|cell| cell.trim()).collect();
                let row = cells.join(" | ");
                self.cells.clear();
                self.write(row.trim_end());
                self.gap = Gap::Line;
            }
            TagEnd::Table => {
                self.in_table = false;
                self.gap = Gap::Blank;
            }
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::BlockQuote(_)
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition => self.flush(Gap::Blank),
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript => {}
        }
    }

    fn start_item(&mut self) {
        self.flush(Gap::Line);
        let column = self.items.last().copied().unwrap_or(0);
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            Some(None) | None => "- ".to_owned(),
        };
        self.items.push((column + marker.len()).min(INDENT_COLUMNS_MAX));
        // A list may begin with a list: `- 1. a` keeps both markers on its line.
        self.markers.get_or_insert_with(|| (column, String::new())).1.push_str(&marker);
    }

    fn end_link(&mut self) {
        let Some((start, link_type, url)) = self.spans.pop() else { return };
        let text = &self.inline.text[start..];
        let kind = self.known.citation(&url, text, link_type);
        // A number by reference, `[1]` with `[1]: url` below, had its brackets for a reader.
        if link_type != LinkType::Inline && is_number(text) {
            self.inline.text.insert(start, '[');
            self.inline.text.push(']');
        }
        if let Some(kind) = kind {
            self.inline.push_citation(start..self.inline.text.len(), kind);
        }
    }

    fn break_line(&mut self) {
        self.inline.text.push(if self.in_table { ' ' } else { '\n' });
    }

    /// Writes the running text, if there is any, and says what stands behind it.
    fn flush(&mut self, gap: Gap) {
        if !self.inline.text.is_empty() {
            let text = self.inline.take(self.markers.is_some());
            let text = text.trim();
            if !text.is_empty() {
                self.write(text);
                self.gap = gap;
                return;
            }
        }
        if gap == Gap::Blank {
            self.gap = gap;
        }
    }

    /// Writes a block behind the gap, its lines indented as the open items are.
    fn write(&mut self, block: &str) {
        if !self.out.is_empty() {
            self.out.push_str(match self.gap {
                Gap::Line => "\n",
                Gap::Blank => "\n\n",
            });
        }
        let column = self.items.last().copied().unwrap_or(0);
        let mut lines = block.split('\n');
        if let Some((column, markers)) = self.markers.take() {
            indent(&mut self.out, column);
            let first = lines.next().unwrap_or_default();
            self.out.push_str(if first.is_empty() { markers.trim_end() } else { &markers });
            self.out.push_str(first);
        } else {
            self.line(lines.next().unwrap_or_default(), column);
        }
        for line in lines {
            self.out.push('\n');
            self.line(line, column);
        }
    }

    fn line(&mut self, line: &str, column: usize) {
        if !line.is_empty() {
            indent(&mut self.out, column);
            self.out.push_str(line);
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn indent(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

#[cfg(test)]
mod tests;
