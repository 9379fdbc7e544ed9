//! Reads tables of a recipe key by key. Every problem is kept with its line, so that one look shows
//! them all, and a key that nobody asked for is one of them.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::{position, suggestion};

/// A rule that a recipe breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {rule}")]
pub struct Problem {
    pub file: String,
    /// From 1.
    pub line: usize,
    pub rule: String,
}

/// A file that is read, and what is wrong with it.
pub(crate) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Source<'a> {
        Source { file, text, problems: RefCell::default() }
    }

    /// Notes that what stands at `span` breaks a rule.
    pub(crate) fn problem(&self, span: &Range<usize>, rule: impl Into<String>) {
        let (line, _) = position(self.text, span.start);
        let problem = Problem { file: self.file.to_owned(), line, rule: rule.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// Returns the problems that were noted, in the order of the lines.
    pub(crate) fn problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A table that is read. What is not asked for by the time of [`Section::finish`] is unknown.
pub(crate) struct Section<'a> {
    pub source: &'a Source<'a>,
    /// What it is called in problems: `[prompt]`.
    pub name: String,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value and where it stands.
pub(crate) struct Entry<'a> {
    pub value: &'a DeValue<'a>,
    pub span: Range<usize>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(
        source: &'a Source<'a>,
        name: impl Into<String>,
        table: &'a DeTable<'a>,
        span: Range<usize>,
    ) -> Section<'a> {
        Section { source, name: name.into(), table, span, asked: RefCell::default() }
    }

    /// Notes that something is wrong with this table as a whole.
    pub(crate) fn problem(&self, rule: impl Into<String>) {
        self.source.problem(&self.span, rule);
    }

    pub(crate) fn get(&self, key: &'static str) -> Option<Entry<'a>> {
        self.asked.borrow_mut().push(key);
        let (_, value) = self.table.iter().find(|(known, _)| known.get_ref() == key)?;
        Some(Entry { value: value.get_ref(), span: value.span() })
    }

    /// Returns the keys that begin a table of any name, with their tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
        self.table.iter().map(|(key, value)| {
            let entry = Entry { value: value.get_ref(), span: key.span() };
            (key.get_ref().as_ref(), entry)
        })
    }

    fn wrong(&self, key: &str, entry: &Entry<'_>, wanted: &str) {
        let given = entry.value.type_str();
        let rule = format!("`{key}` in {} must be {wanted}; it is a TOML {given}", self.name);
        self.source.problem(&entry.span, rule);
    }

    pub(crate) fn string(&self, key: &'static str) -> Option<(String, Range<usize>)> {
        let entry = self.get(key)?;
        let Some(text) = entry.value.as_str() else {
            self.wrong(key, &entry, "a string");
            return None;
        };
        Some((text.to_owned(), entry.span))
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Option<bool> {
        let entry = self.get(key)?;
        let known = entry.value.as_bool();
        if known.is_none() {
            self.wrong(key, &entry, "`true` or `false`");
        }
        known
    }

    /// Returns a whole number from `least` to `most`; `default` when it is left out.
    pub(crate) fn number(&self, key: &'static str, least: u64, most: u64, default: u64) -> u64 {
        let Some(entry) = self.get(key) else { return default };
        let digits = entry.value.as_integer().map(|number| number.as_str().replace('_', ""));
        let number = digits.and_then(|digits| digits.parse().ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => number,
            None => {
                let rule = format!(
                    "`{key}` in {} must be a whole number from {least} to {most}",
                    self.name
                );
                self.source.problem(&entry.span, rule);
                default
            }
        }
    }

    /// Returns a string or a list of strings, each with where it stands; empty when it is left out.
    pub(crate) fn strings(&self, key: &'static str) -> Vec<(String, Range<usize>)> {
        self.get(key).map_or_else(Vec::new, |entry| self.strings_of(key, &entry))
    }

    /// Returns what [`Section::strings`] does, of a value that was looked up before.
    pub(crate) fn strings_of(&self, key: &str, entry: &Entry<'_>) -> Vec<(String, Range<usize>)> {
        if let Some(text) = entry.value.as_str() {
            return vec![(text.to_owned(), entry.span.clone())];
        }
        let texts: Option<Vec<_>> = entry.value.as_array().and_then(|list| {
            list.iter()
                .map(|value: &Spanned<DeValue<'_>>| {
                    Some((value.get_ref().as_str()?.to_owned(), value.span()))
                })
                .collect()
        });
        match texts {
            Some(texts) if !texts.is_empty() => texts,
            Some(_) | None => {
                self.wrong(key, entry, "a string, or a list of strings with at least one");
                Vec::new()
            }
        }
    }

    /// Returns `[key]`, when it is there and is a table.
    pub(crate) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        let entry = self.get(key)?;
        let Some(table) = entry.value.as_table() else {
            self.wrong(key, &entry, &format!("a table, `[{key}]`"));
            return None;
        };
        Some(Section::new(self.source, format!("[{key}]"), table, entry.span))
    }

    /// Returns `[[key]]`, as often as it is there.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(entry) = self.get(key) else { return Vec::new() };
        let Some(list) = entry.value.as_array() else {
            self.wrong(key, &entry, &format!("a list of tables, each `[[{key}]]`"));
            return Vec::new();
        };
        let section = |value: &'a Spanned<DeValue<'a>>| {
            let span = value.span();
            let Some(table) = value.get_ref().as_table() else {
                self.wrong(key, &entry, &format!("a list of tables, each `[[{key}]]`"));
                return None;
            };
            Some(Section::new(self.source, format!("[[{key}]]"), table, span))
        };
        list.iter().filter_map(section).collect()
    }

    /// Notes every key that nobody has asked for, with the one that was probably meant.
    pub(crate) fn finish(self) {
        let asked = self.asked.into_inner();
        for (key, _) in
            self.table.iter().filter(|(key, _)| !asked.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref();
            let offer = suggestion(name, &asked);
            self.source
                .problem(&key.span(), format!("unknown key `{name}` in {}; {offer}", self.name));
        }
    }
}
