//! Markdown to plain text for reading: blocks laid out in lines, marks of citations taken out,
//! code kept as it is.

use pulldown_cmark::{Event, LinkType, Tag, TagEnd};

use super::markdown;
use super::marks::{Inline, MARK_DIGITS_MAX, is_mark};
use super::tags::without_tags;

/// The deepest indentation, columns. Without a bound a deep item with many short lines would come
/// out many times as long as it went in.
const INDENT_COLUMNS_MAX: usize = 24;
/// The most digits of a citation's number where it is the whole text of a link, `[1](url)`. One
/// that is written by reference, `[1]` with `[1]: url` below, may be longer.
const LINK_NUMBER_DIGITS_MAX: usize = 2;

/// The plain text of a Markdown text. It takes time in proportion to its length; one that nests
/// without end is given back as it stands.
pub fn plain_text(markdown: &str) -> String {
    let Some(events) = markdown::parse(markdown) else {
        return markdown.trim().to_owned();
    };
    let mut page = Page { out: String::with_capacity(markdown.len()), ..Page::default() };
    for (event, _) in events {
        page.take(event);
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

#[derive(Default)]
struct Page {
    out: String,
    inline: Inline,
    gap: Gap,
    /// The next number of each open list; `None` for one with bullets.
    lists: Vec<Option<u64>>,
    /// The indentation of each open item, columns.
    items: Vec<usize>,
    /// Markers of items that have begun and have no text yet, and the column they stand at.
    markers: Option<(usize, String)>,
    /// Starts of open links and images.
    spans: Vec<(usize, LinkType)>,
    /// The text of an open code block or HTML block.
    verbatim: Option<String>,
    /// The cells of the open row.
    cells: Vec<String>,
    in_table: bool,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => match &mut self.verbatim {
                Some(verbatim) => verbatim.push_str(&text),
                None => self.inline.text.push_str(&text),
            },
            Event::Code(code) => self.inline.push_code(&code),
            Event::InlineHtml(tag) => {
                if tag.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("<br")) {
                    self.break_line();
                }
            }
            Event::FootnoteReference(_) => self.inline.end_citation(self.inline.text.len()),
            Event::SoftBreak | Event::HardBreak => self.break_line(),
            Event::Rule => self.flush(Gap::Blank),
            Event::TaskListMarker(done) => {
                self.inline.text.push_str(if done { "[x] " } else { "[ ] " });
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Link { link_type, .. } | Tag::Image { link_type, .. } => {
                self.spans.push((self.inline.text.len(), link_type));
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
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition => self.flush(Gap::Line),
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
            TagEnd::TableCell => self.cells.push(self.inline.take()),
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
            | TagEnd::FootnoteDefinition
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
        let Some((start, link_type)) = self.spans.pop() else { return };
        let text = self.inline.text[start..].trim();
        let digits_max =
            if link_type == LinkType::Inline { LINK_NUMBER_DIGITS_MAX } else { MARK_DIGITS_MAX };
        let is_number =
            (1..=digits_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if is_number || is_mark(text) {
            self.inline.end_citation(start);
        } else {
            self.inline.end_link(start);
        }
    }

    fn break_line(&mut self) {
        self.inline.text.push(if self.in_table { ' ' } else { '\n' });
    }

    /// Writes the running text, if there is any, and says what stands behind it.
    fn flush(&mut self, gap: Gap) {
        if !self.inline.text.is_empty() {
            let text = self.inline.take();
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

fn indent(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

#[cfg(test)]
mod tests;
