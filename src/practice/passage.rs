//! A page of Markdown cut into sections, and a section into passages: the sentences, list items,
//! table rows and code blocks that an answer can be made of.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::inline::{Piece, Run};

/// What stands under one heading.
#[derive(Clone, Debug)]
pub struct Section {
    /// The page, as an index into the guide's pages.
    pub page: usize,
    pub heading: String,
    /// The heading that this one stands under; empty for a page's title.
    pub parent: String,
    /// The heading's id on the page.
    pub anchor: String,
    pub passages: Vec<Passage>,
}

/// A piece of a section that can be quoted by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    pub kind: Kind,
    /// Passages of one paragraph or one list share a number; it rises through a section.
    pub block: usize,
    /// As it is quoted: links absolute, on one line unless it is code.
    pub markdown: String,
    /// As it is searched and shown in a snippet.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sentence,
    /// The number, where the list has numbers.
    Item(Option<u64>),
    /// A row of a table, each cell with its column's name.
    Row,
    Code,
}

impl Section {
    /// Whether the heading asks what the section answers.
    pub fn is_question(&self) -> bool {
        self.heading.ends_with('?')
    }
}

impl Passage {
    /// Whether it only introduces what comes after it ("Three settings shape it:").
    pub fn introduces(&self) -> bool {
        self.kind == Kind::Sentence && self.text.ends_with(':')
    }
}

/// The options with which the guide is read, everywhere.
pub fn options() -> Options {
    Options::ENABLE_TABLES
}

/// Where a link in the guide leads: `other.md#part`, `#part` and `assets/file` become addresses under
/// `{public_url}/docs/`; `None` for any other link, which stays as it is.
pub fn guide_href(link: &str, slug: &str, public_url: &str) -> Option<String> {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, format!("#{anchor}")),
        None => (link, String::new()),
    };
    let page = match file {
        "" => slug,
        file if file.starts_with("assets/") => file,
        file => file.strip_suffix(".md").filter(|page| !page.contains('/'))?,
    };
    Some(format!("{public_url}/docs/{page}{anchor}"))
}

/// The id of a heading as GitHub makes it, not yet unique on its page.
pub fn anchor(heading: &str) -> String {
    let kept = heading.chars().flat_map(char::to_lowercase);
    kept.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Gives every heading of one page an id of its own, in their order.
#[derive(Default)]
pub struct Anchors {
    given: Vec<String>,
}

impl Anchors {
    pub fn next(&mut self, heading: &str) -> String {
        let plain = anchor(heading);
        let taken = self.given.iter().filter(|given| **given == plain).count();
        self.given.push(plain.clone());
        if taken == 0 { plain } else { format!("{plain}-{taken}") }
    }
}

/// Cuts a page into its sections, in order.
pub fn sections(text: &str, page: usize, slug: &str, public_url: &str) -> Vec<Section> {
    let mut reader = Reader {
        source: text,
        page,
        slug,
        public_url,
        sections: Vec::new(),
        outline: Vec::new(),
        anchors: Anchors::default(),
        block: 0,
        run: None,
        lists: Vec::new(),
        item_begun: false,
        code: None,
        row: Vec::new(),
        columns: Vec::new(),
    };
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        reader.take(&event, range);
    }
    reader.sections
}

struct Reader<'a> {
    source: &'a str,
    page: usize,
    slug: &'a str,
    public_url: &'a str,
    sections: Vec<Section>,
    /// The headings that the present one stands under, with their levels.
    outline: Vec<(u8, String)>,
    anchors: Anchors,
    block: usize,
    run: Option<Run>,
    /// The next number of each list that is open.
    lists: Vec<Option<u64>>,
    /// Whether a list item was begun and has given no passage yet.
    item_begun: bool,
    /// Language and text of a code block that is open.
    code: Option<(String, String)>,
    row: Vec<Piece>,
    columns: Vec<Piece>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, event: &Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(*tag, range),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(text),
                None => {
                    let source = self.source;
                    self.run_at(&range).text(source, range);
                }
            },
            Event::SoftBreak | Event::HardBreak => self.run_at(&range).line_break(range),
            Event::Code(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => self.run_at(&range).inline(range),
            Event::Html(_) | Event::Rule => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::List(first) => {
                self.flush_prose();
                if self.lists.is_empty() {
                    self.block += 1;
                }
                self.lists.push(*first);
            }
            Tag::Item => self.item_begun = true,
            Tag::Paragraph => self.flush_prose(),
            Tag::CodeBlock(kind) => {
                self.flush_prose();
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::Link { dest_url, .. } => {
                let href = guide_href(dest_url, self.slug, self.public_url);
                let source = self.source;
                let run = self.run_at(&range);
                run.open(range.clone());
                // The address is the last thing in an inline link.
                if let (Some(href), Some(at)) = (href, source[range.clone()].rfind(&**dest_url)) {
                    let start = range.start + at;
                    run.replace(start..start + dest_url.len(), href);
                }
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Image { .. } => {
                self.run_at(&range).open(range);
            }
            Tag::Superscript | Tag::Subscript => {}
            Tag::Heading { .. } | Tag::Table(_) => self.flush_prose(),
            Tag::TableHead | Tag::TableRow => self.row.clear(),
            Tag::TableCell
            | Tag::BlockQuote(_)
            | Tag::HtmlBlock
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Heading(level) => self.begin_section(level as u8),
            TagEnd::Paragraph => self.flush_prose(),
            TagEnd::Item => {
                self.flush_prose();
                if let Some(Some(number)) = self.lists.last_mut() {
                    *number += 1;
                }
            }
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::CodeBlock => self.push_code(),
            TagEnd::Link
            | TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Image => {
                self.run_at(&range).close(range);
            }
            TagEnd::TableCell => {
                let source = self.source;
                let cell = self.run.take().map(|run| run.whole(source)).unwrap_or_default();
                self.row.push(cell);
            }
            TagEnd::TableHead => self.columns = std::mem::take(&mut self.row),
            TagEnd::TableRow => self.push_row(),
            TagEnd::Table => self.block += 1,
            TagEnd::BlockQuote(_)
            | TagEnd::HtmlBlock
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    fn run_at(&mut self, range: &Range<usize>) -> &mut Run {
        self.run.get_or_insert_with(|| Run::new(range.start))
    }

    fn begin_section(&mut self, level: u8) {
        let heading = self.run.take().map(|run| run.whole(self.source).text).unwrap_or_default();
        self.outline.retain(|(above, _)| *above < level);
        let parent: Vec<&str> = self.outline.iter().map(|(_, text)| text.as_str()).collect();
        self.sections.push(Section {
            page: self.page,
            anchor: self.anchors.next(&heading),
            parent: parent.join(" "),
            heading: heading.clone(),
            passages: Vec::new(),
        });
        self.outline.push((level, heading));
        self.block = 0;
    }

    /// Ends a stretch of inline text: an item's first is the item, any other is sentences.
    fn flush_prose(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let (Some(number), true) = (self.lists.last(), self.item_begun) {
            let kind = Kind::Item(*number);
            self.item_begun = false;
            let Piece { markdown, text } = run.whole(self.source);
            self.push(Passage { kind, block: self.block, markdown, text });
            return;
        }
        self.block += 1;
        for Piece { markdown, text } in run.sentences(self.source) {
            self.push(Passage { kind: Kind::Sentence, block: self.block, markdown, text });
        }
    }

    fn push_code(&mut self) {
        let Some((language, text)) = self.code.take() else { return };
        self.block += 1;
        let fence = if text.contains("```") { "~~~~" } else { "```" };
        let text = text.trim_end_matches('\n').to_owned();
        let markdown = format!("{fence}{language}\n{text}\n{fence}");
        self.push(Passage { kind: Kind::Code, block: self.block, markdown, text });
    }

    /// "`latency_ms` – default: 0; meaning: how long ..."; with two columns "`latency_ms`: how long".
    fn push_row(&mut self) {
        let two = self.columns.len() == 2;
        let named = |value: fn(&Piece) -> &str| {
            let cells = self.row.iter().zip(&self.columns);
            let mut cells = cells.filter(|(cell, _)| !cell.text.is_empty());
            let first = cells.next().map(|(cell, _)| value(cell)).unwrap_or_default();
            let rest = cells.map(|(cell, column)| match two {
                true => value(cell).to_owned(),
                false => format!("{}: {}", value(column), value(cell)),
            });
            let rest = rest.collect::<Vec<_>>().join("; ");
            format!("{first}{}{rest}", if two { ": " } else { " – " })
        };
        let markdown = named(|piece| &piece.markdown);
        let text = named(|piece| &piece.text);
        self.push(Passage { kind: Kind::Row, block: self.block, markdown, text });
    }

    fn push(&mut self, passage: Passage) {
        // Text before the first heading has no section that could be cited.
        if let Some(section) = self.sections.last_mut().filter(|_| !passage.text.is_empty()) {
            section.passages.push(passage);
        }
    }
}

#[cfg(test)]
mod tests;
