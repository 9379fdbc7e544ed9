//! Values of elements: the ways to one, and what each makes of what stands on the page.

use regex_lite::Regex;
use serde_json::Value;
use toml::de::DeTable;
use url::Url;

use super::read::{Entry, Section};
use super::selector::{ALTERNATIVES_MAX, Selectors, selectors, selectors_of};

/// The longest regular expression, bytes.
const PATTERN_BYTES_MAX: usize = 300;

/// The most values that one path finds.
const FOUND_MAX: usize = 500;

/// A value of an element: ways to it, of which the first that yields something counts.
#[derive(Clone, Debug, Default)]
pub struct Field {
    pub ways: Vec<Way>,
}

/// One way to a value. Its parts are applied in this order.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Below the item; empty: the item itself.
    pub select: Selectors,
    /// `None`: the text.
    pub attribute: Option<String>,
    /// Where the value is in the JSON that stands there.
    pub json: Option<JsonPath>,
    /// Of an address: the value of this parameter in its query.
    pub parameter: Option<String>,
    /// The first group, or the whole match, is the value.
    pub pattern: Option<Regex>,
}

/// A path in JSON: keys, indices from 0, and `*` for each, with dots between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonPath(Vec<String>);

impl JsonPath {
    /// Returns the path that a text says; `None` where a step is empty.
    pub fn parse(text: &str) -> Option<JsonPath> {
        let steps: Vec<String> = text.split('.').map(str::to_owned).collect();
        (!steps.iter().any(String::is_empty)).then_some(JsonPath(steps))
    }

    /// Returns what lies at the end of the path, at most [`FOUND_MAX`].
    pub fn nodes<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for step in &self.0 {
            let below = found.into_iter().flat_map(|value| -> Vec<&'v Value> {
                match value {
                    Value::Array(list) if step == "*" => list.iter().collect(),
                    Value::Object(map) if step == "*" => map.values().collect(),
                    Value::Array(list) => {
                        step.parse().ok().and_then(|at: usize| list.get(at)).into_iter().collect()
                    }
                    Value::Object(map) => map.get(step).into_iter().collect(),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                        Vec::new()
                    }
                }
            });
            found = below.take(FOUND_MAX).collect();
        }
        found
    }

    fn texts(&self, value: &Value) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        self.nodes(value).into_iter().filter_map(text).collect()
    }
}

impl Field {
    /// Returns a field that is the text of the item, or, in JSON, the entry itself.
    pub fn whole(in_json: bool) -> Field {
        let json = in_json.then(JsonPath::default);
        Field { ways: vec![Way { json, ..Way::default() }] }
    }

    /// Returns the values of the first way that has any. `raw` holds what each way found on the
    /// page, `entry` the JSON that the item is an entry of, `page` the page's address.
    pub fn values(
        &self,
        raw: &[Vec<String>],
        entry: Option<&Value>,
        page: Option<&Url>,
    ) -> Vec<String> {
        let of = |(at, way): (usize, &Way)| {
            let raw = raw.get(at).map_or(&[][..], Vec::as_slice);
            way.values(raw, entry, page)
        };
        self.ways.iter().enumerate().map(of).find(|values| !values.is_empty()).unwrap_or_default()
    }

    /// Returns the number of the alternative that matched, over all ways; -1 when none did. `alts`
    /// holds the alternative of each way.
    pub fn alternative(&self, alts: &[i64]) -> i64 {
        let mut before = 0;
        for (way, alt) in self.ways.iter().zip(alts) {
            if *alt >= 0 {
                return before + alt;
            }
            before += i64::try_from(way.select.0.len().max(1)).unwrap_or_default();
        }
        -1
    }
}

impl Way {
    fn values(&self, raw: &[String], entry: Option<&Value>, page: Option<&Url>) -> Vec<String> {
        let is_of_entry = self.select.is_empty() && self.attribute.is_none();
        let texts = match (&self.json, entry) {
            (None, _) => raw.to_vec(),
            (Some(path), Some(entry)) if is_of_entry => path.texts(entry),
            (Some(path), _) => {
                let documents = raw.iter().filter_map(|text| serde_json::from_str(text).ok());
                documents.flat_map(|document: Value| path.texts(&document)).collect()
            }
        };
        let values = texts.iter().filter_map(|text| self.value(text, page));
        values.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    }

    /// Returns the JSON entries that stand in an item.
    pub fn entries(&self, raw: &[String]) -> Vec<Value> {
        let Some(path) = &self.json else { return Vec::new() };
        let documents = raw.iter().filter_map(|text| serde_json::from_str(text).ok());
        documents
            .flat_map(|document: Value| -> Vec<Value> {
                path.nodes(&document).into_iter().cloned().collect()
            })
            .collect()
    }

    /// Applies the parameter, then the pattern; `None` where one of them finds nothing.
    fn value(&self, raw: &str, page: Option<&Url>) -> Option<String> {
        let mut value = raw.to_owned();
        if let Some(wanted) = &self.parameter {
            let absolute = Url::parse(&value).ok();
            let url = absolute.or_else(|| page?.join(&value).ok())?;
            let found = url.query_pairs().find(|(name, _)| name == wanted)?;
            value = found.1.into_owned();
        }
        if let Some(pattern) = &self.pattern {
            let found = pattern.captures(&value)?;
            value = found.get(1).or_else(|| found.get(0))?.as_str().to_owned();
        }
        Some(value)
    }
}

/// Reads a field: a selector or a list of them whose text is taken, a table that says more, or a
/// list of such tables and selectors.
pub(super) fn field(section: &Section<'_>, key: &'static str) -> Option<Field> {
    let entry = section.get(key)?;
    if let Some(table) = entry.value.as_table() {
        return Some(Field { ways: vec![way(section, key, table, &entry)] });
    }
    let list = entry.value.as_array();
    let Some(list) = list.filter(|list| list.iter().any(|it| it.get_ref().as_table().is_some()))
    else {
        let select = selectors_of(section, key, &entry);
        return Some(Field { ways: vec![Way { select, ..Way::default() }] });
    };
    if list.len() > ALTERNATIVES_MAX {
        let rule = format!("`{key}` in {} has at most {ALTERNATIVES_MAX} ways", section.name);
        section.source.problem(&entry.span, rule);
    }
    let one = |value: &'_ toml::Spanned<toml::de::DeValue<'_>>| {
        let entry = Entry { value: value.get_ref(), span: value.span() };
        match entry.value.as_table() {
            Some(table) => way(section, key, table, &entry),
            None => Way { select: selectors_of(section, key, &entry), ..Way::default() },
        }
    };
    Some(Field { ways: list.iter().map(one).collect() })
}

/// Reads one way as a table of its own.
pub(super) fn one_way(section: &Section<'_>, key: &'static str) -> Option<Way> {
    let entry = section.get(key)?;
    match entry.value.as_table() {
        Some(table) => Some(way(section, key, table, &entry)),
        None => {
            let rule = format!("`{key}` in {} must be a table", section.name);
            section.source.problem(&entry.span, rule);
            None
        }
    }
}

fn way(section: &Section<'_>, key: &str, table: &DeTable<'_>, entry: &Entry<'_>) -> Way {
    let name = format!("`{key}` of {}", section.name);
    let inner = Section::new(section.source, name, table, entry.span.clone());
    let attribute = inner.string("attribute").map(|(attribute, span)| {
        if attribute.is_empty() || attribute.contains(|c: char| c.is_whitespace() || c == '=') {
            inner.source.problem(&span, "`attribute` must be the name of an attribute");
        }
        attribute
    });
    let json = inner.string("json").and_then(|(text, span)| {
        let path = JsonPath::parse(&text);
        if path.is_none() {
            let rule = "`json` must be a path such as `url`, `0.url` or `*.url`";
            inner.source.problem(&span, rule);
        }
        path
    });
    let way = Way {
        select: selectors(&inner, "select"),
        attribute,
        json,
        parameter: inner.string("parameter").map(|(parameter, _)| parameter),
        pattern: pattern(&inner),
    };
    inner.finish();
    way
}

fn pattern(section: &Section<'_>) -> Option<Regex> {
    let (pattern, span) = section.string("pattern")?;
    if pattern.len() > PATTERN_BYTES_MAX {
        let rule = format!("a pattern has at most {PATTERN_BYTES_MAX} bytes");
        section.source.problem(&span, rule);
        return None;
    }
    match Regex::new(&pattern) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            section.source.problem(&span, format!("`pattern` of {}: {error}", section.name));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Way {
        Way::default()
    }

    #[test]
    fn a_path_finds_keys_indices_and_each() {
        let value = serde_json::json!([{"url": "a", "n": 1}, {"url": "b", "more": ["c", {}]}]);
        let texts = |path: &str| JsonPath::parse(path).unwrap().texts(&value);
        assert_eq!(texts("*.url"), ["a", "b"]);
        assert_eq!(texts("0.n"), ["1"]);
        assert_eq!(texts("1.more.*"), ["c"]);
        assert_eq!(texts("2.url"), [""; 0]);
        assert_eq!(texts("url"), [""; 0]);
        assert_eq!(JsonPath::parse("a..b"), None);
    }

    #[test]
    fn the_first_way_that_yields_something_counts() {
        let json = JsonPath::parse("0.url");
        let pattern = Some(Regex::new("#(.+)").unwrap());
        let field = Field {
            ways: vec![
                Way { json, ..way() },
                Way { parameter: Some("q".to_owned()), ..way() },
                Way { pattern, ..way() },
                way(),
            ],
        };
        let page = Url::parse("https://h.example/chat").unwrap();
        let of = |one: &str| {
            let raw = vec![vec![one.to_owned()]; 4];
            field.values(&raw, None, Some(&page))
        };
        assert_eq!(of(r#"[{"url": "https://a.example"}]"#), ["https://a.example"]);
        assert_eq!(of("/go?q=https%3A%2F%2Fb.example"), ["https://b.example"]);
        assert_eq!(of("x#y"), ["y"]);
        assert_eq!(of(" plain "), ["plain"]);
        assert_eq!(of(""), [""; 0]);
    }

    #[test]
    fn alternatives_are_counted_over_all_ways() {
        let select = Selectors(vec!["a".to_owned(), "b".to_owned()]);
        let field = Field { ways: vec![Way { select, ..way() }, way()] };
        assert_eq!(field.alternative(&[1, 0]), 1);
        assert_eq!(field.alternative(&[-1, 0]), 2);
        assert_eq!(field.alternative(&[-1, -1]), -1);
    }
}
