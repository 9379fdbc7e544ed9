//! Cuts a page into sections, and these into passages: the sentences, list items, table rows and
//! code blocks that an answer can quote.

use std::mem::take;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The text under one heading.
#[derive(Clone, Debug)]
pub struct Section {
    /// The page, as an index into the guide's pages.
    pub page: usize,
    pub heading: String,
    /// The headings above this one; empty for a page's title.
    pub parent: String,
    /// The heading's id on the page.
    pub anchor: String,
    pub passages: Vec<Passage>,
}

/// A piece of a section that can be quoted by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    pub kind: Kind,
    /// Passages of one paragraph, list or table share a number, which rises through a section.
    pub block: usize,
    /// Markdown on one line, unless it is code. Links to other pages begin with `/docs/`.
    pub markdown: String,
    /// Plain text, for the index and for snippets.
    pub text: String,
}

/// The form of a passage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Sentence,
    /// A list item, with its number in a numbered list.
    Item(Option<u64>),
    /// A table row, each cell with its column's name.
    Row,
    Code,
}

impl Section {
    /// Returns whether the heading asks the question that the section answers.
    pub fn is_question(&self) -> bool {
        self.heading.ends_with('?')
    }
}

impl Passage {
    /// Returns whether it only introduces the next block ("Three settings shape it:").
    pub fn introduces(&self) -> bool {
        self.kind == Kind::Sentence && self.text.ends_with(':')
    }
}

/// The folders of files that the pages offer.
pub(crate) const FOLDERS: [&str; 2] = ["assets", "clients"];

/// The Markdown dialect of the guide.
pub const OPTIONS: Options = Options::ENABLE_TABLES;

/// Returns the address under `/docs/` of a link to `other.md#part`, `#part` or a file;
/// `None` for any other link.
pub fn guide_href(link: &str, slug: &str) -> Option<String> {
    let (file, anchor) = link.split_at(link.find('#').unwrap_or(link.len()));
    let page = match file {
        "" => slug,
        file if FOLDERS.iter().any(|folder| file.starts_with(&format!("{folder}/"))) => file,
        file => file.strip_suffix(".md").filter(|page| !page.contains('/'))?,
    };
    Some(format!("/docs/{page}{anchor}"))
}

/// Returns the id that GitHub gives to a heading, not yet unique on its page.
pub fn anchor(heading: &str) -> String {
    let kept = heading.chars().flat_map(char::to_lowercase);
    kept.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The ids that the headings of one page have so far.
#[derive(Default)]
pub struct Anchors(Vec<String>);

impl Anchors {
    /// Returns a unique id for the next heading of the page.
    pub fn next(&mut self, heading: &str) -> String {
        let plain = anchor(heading);
        let taken = self.0.iter().filter(|given| **given == plain).count();
        self.0.push(plain.clone());
        if taken == 0 { plain } else { format!("{plain}-{taken}") }
    }
}

/// Cuts a page into its sections, in order.
pub fn sections(text: &str, page: usize, slug: &str) -> Vec<Section> {
    let mut reader = Reader { page, slug, ..Reader::default() };
    Parser::new_ext(text, OPTIONS).for_each(|event| reader.read(event));
    reader.sections
}

#[derive(Default)]
struct Reader<'a> {
    page: usize,
    slug: &'a str,
    sections: Vec<Section>,
    /// The headings above the present place.
    outline: Vec<(HeadingLevel, String)>,
    anchors: Anchors,
    block: usize,
    line: Line,
    /// The next number of each open list.
    lists: Vec<Option<u64>>,
    /// Whether the open list item has no passage yet.
    item_begun: bool,
    /// The fence of the open code block.
    fence: Option<String>,
    row: Vec<Line>,
    columns: Vec<Line>,
}

impl Reader<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.fence.is_some() => self.line.push(&text, &text),
            Event::Text(text) => self.line.push_text(&text),
            Event::Code(code) => self.line.push(&format!("`{code}`"), &code),
            Event::SoftBreak | Event::HardBreak => self.line.push(" ", " "),
            // The guide holds neither HTML nor formulas.
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::List(first) => {
                self.flush();
                self.block += usize::from(self.lists.is_empty());
                self.lists.push(first);
            }
            Tag::Item => self.item_begun = true,
            Tag::CodeBlock(kind) => {
                self.flush();
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.fence = Some(language);
            }
            Tag::Link { dest_url, .. } => {
                let href = guide_href(&dest_url, self.slug);
                self.line.open("[", format!("]({})", href.as_deref().unwrap_or(&dest_url)));
            }
            Tag::Emphasis => self.line.open("*", "*".to_owned()),
            Tag::Strong => self.line.open("**", "**".to_owned()),
            Tag::Table(_) | Tag::Paragraph | Tag::Heading { .. } => self.flush(),
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.begin_section(level),
            TagEnd::Paragraph => self.flush(),
            TagEnd::Item => {
                self.flush();
                if let Some(Some(number)) = self.lists.last_mut() {
                    *number += 1;
                }
            }
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::CodeBlock => self.push_code(),
            TagEnd::Link | TagEnd::Emphasis | TagEnd::Strong => self.line.close(),
            TagEnd::TableCell => self.row.push(take(&mut self.line)),
            TagEnd::TableHead => self.columns = take(&mut self.row),
            TagEnd::TableRow => self.push_row(),
            TagEnd::Table => self.block += 1,
            _ => {}
        }
    }

    fn begin_section(&mut self, level: HeadingLevel) {
        let heading = take(&mut self.line).text;
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

    /// Ends a stretch of inline text: the first of a list item is the item, others are sentences.
    fn flush(&mut self) {
        let line = take(&mut self.line);
        if line.text.trim().is_empty() {
            return;
        }
        match self.lists.last() {
            Some(number) if take(&mut self.item_begun) => {
                self.push(Kind::Item(*number), line.markdown, line.text);
            }
            _ => {
                self.block += 1;
                for (markdown, text) in line.sentences() {
                    self.push(Kind::Sentence, markdown.to_owned(), text.to_owned());
                }
            }
        }
    }

    fn push_code(&mut self) {
        let (language, code) = (take(&mut self.fence).unwrap_or_default(), take(&mut self.line));
        self.block += 1;
        let fence = if code.text.contains("```") { "~~~~" } else { "```" };
        let text = code.text.trim_end_matches('\n').to_owned();
        self.push(Kind::Code, format!("{fence}{language}\n{text}\n{fence}"), text);
    }

    /// Makes "`latency_ms` – default: 0; meaning: how long" of a row, and "`latency_ms`: how long"
    /// where there are two columns.
    fn push_row(&mut self) {
        let two = self.columns.len() == 2;
        let joined = |part: fn(&Line) -> &str| {
            let cells = self.row.iter().zip(&self.columns);
            let mut cells = cells.filter(|(cell, _)| !cell.text.is_empty());
            let first = cells.next().map_or("", |(cell, _)| part(cell));
            let rest = cells.map(|(cell, column)| match two {
                true => part(cell).to_owned(),
                false => format!("{}: {}", part(column), part(cell)),
            });
            let rest = rest.collect::<Vec<_>>().join("; ");
            format!("{first}{}{rest}", if two { ": " } else { " – " })
        };
        let (markdown, text) = (joined(|line| &line.markdown), joined(|line| &line.text));
        self.push(Kind::Row, markdown, text);
        self.row.clear();
    }

    fn push(&mut self, kind: Kind, markdown: String, text: String) {
        // Text before the first heading has no section that could be cited.
        if let Some(section) = self.sections.last_mut() {
            section.passages.push(Passage { kind, block: self.block, markdown, text });
        }
    }
}

/// Inline text, as Markdown on one line and as plain text.
#[derive(Default)]
struct Line {
    markdown: String,
    text: String,
    /// What closes the open emphasis and links. A sentence does not end inside them.
    open: Vec<String>,
    /// The ends of full stops, in `markdown` and in `text`.
    stops: Vec<(usize, usize)>,
}

/// Words before a full stop that do not end a sentence.
const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "etc", "vs", "cf", "approx", "no"];

impl Line {
    fn push(&mut self, markdown: &str, text: &str) {
        self.markdown.push_str(markdown);
        self.text.push_str(text);
    }

    fn push_text(&mut self, text: &str) {
        for c in text.chars() {
            // A literal "[1]" must not become a citation mark.
            if matches!(c, '\\' | '`' | '*' | '[' | ']' | '<') {
                self.markdown.push('\\');
            }
            self.markdown.push(c);
            self.text.push(c);
            if matches!(c, '.' | '!' | '?') && self.open.is_empty() {
                self.stops.push((self.markdown.len(), self.text.len()));
            }
        }
    }

    fn open(&mut self, with: &str, closing: String) {
        self.markdown.push_str(with);
        self.open.push(closing);
    }

    fn close(&mut self) {
        self.markdown.push_str(&self.open.pop().unwrap_or_default());
    }

    /// Returns its sentences as Markdown and as plain text.
    fn sentences(&self) -> Vec<(&str, &str)> {
        let ends = self.stops.iter().filter_map(|end| self.sentence_end(*end));
        let mut start = (0, 0);
        let mut sentences = Vec::new();
        for end in ends.chain([(self.markdown.len(), self.text.len())]) {
            let text = self.text[start.1..end.1].trim();
            if !text.is_empty() {
                sentences.push((self.markdown[start.0..end.0].trim(), text));
            }
            start = end;
        }
        sentences
    }

    /// Returns the end of the sentence that a full stop ends, with the quotes that close after it.
    fn sentence_end(&self, (markdown, text): (usize, usize)) -> Option<(usize, usize)> {
        let rest = &self.markdown[markdown..];
        let after = rest.trim_start_matches(['"', '\u{201d}', ')', '\'']);
        let next = after.trim_start();
        let begins = next.starts_with(|c: char| {
            c.is_uppercase()
                || c.is_ascii_digit()
                || matches!(c, '`' | '[' | '*' | '"' | '(' | '/' | '\\')
        });
        let word = self.markdown[..markdown - 1].rsplit([' ', '(']).next().unwrap_or_default();
        let ends = next.len() < after.len()
            && begins
            && !ABBREVIATIONS.contains(&word.to_ascii_lowercase().as_str());
        let closing = rest.len() - after.len();
        ends.then_some((markdown + closing, text + closing))
    }
}

#[cfg(test)]
mod tests;
