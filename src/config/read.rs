//! Reads settings: the defaults, config.toml and the environment, laid over each other and read
//! into structs with serde. Nothing here is checked beyond names and types.

use std::path::Path;

use toml::{Table, Value};

use super::file::{DEFAULTS, File, Key, Scraper, Upstream};
use super::names::{nearest, position};
use super::redaction::{is_marked_as_secret, is_variable, may_be_secret, quoted};

/// The prefix of settings in the environment: `ANSWERD_HTTP__BIND` is `bind` in `[http]`.
const ENV_PREFIX: &str = "ANSWERD_";

/// The most settings of a wrong type that one start reports.
const WRONG_TYPES_MAX: usize = 100;

/// Reads the defaults, lays the file (when there is one) and the environment over them. Adds
/// everything that is wrong to `problems`: a file that is missing or no TOML, every setting of a
/// wrong type and every unknown name. Returns `None` if there is no telling what the settings would
/// be.
pub(crate) fn load(
    path: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<String>,
) -> Option<File> {
    let defaults: Table = match DEFAULTS.parse() {
        Ok(defaults) => defaults,
        Err(error) => {
            problems.push(format!("the built-in defaults are not valid TOML: {error}"));
            return None;
        }
    };
    let mut merged = defaults.clone();
    let read = path.map_or(Ok(Table::new()), read_file);
    let is_readable = read.is_ok();
    match read {
        Ok(table) => merge(&mut merged, table),
        Err(problem) => problems.push(problem),
    }
    merge(&mut merged, from_environment(environment, &defaults));
    let has_keys =
        merged.get("keys").is_some_and(|keys| keys.as_array().is_none_or(|keys| !keys.is_empty()));
    take_out_secrets(&mut merged, &defaults, problems);
    let file = deserialize(merged, &defaults, problems)?;
    is_readable.then_some(File { has_keys, ..file })
}

/// Reads a settings file.
///
/// # Errors
/// Returns a sentence if it cannot be read or is no TOML. A parser's own message shows the line,
/// and that may hold a secret.
fn read_file(path: &Path) -> Result<Table, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    text.parse().map_err(|error: toml::de::Error| {
        let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
        let message = error.message().replace('\n', " ");
        format!("{shown} is not valid TOML: line {line}, column {column}: {}", message.trim_end())
    })
}

/// Refuses every value that is a secret by its looks, and every `*_env` that is no name of a
/// variable: keys belong into variables and files, and what is set here is shown by `check`, logs
/// and replies. The value is replaced at once, so that no later check can repeat it.
fn take_out_secrets(merged: &mut Table, defaults: &Table, problems: &mut Vec<String>) {
    let mut found = Vec::new();
    for (name, value) in merged.iter() {
        find_secrets(value, &mut vec![name.clone()], &mut found);
    }
    // From the end: a key of the API is removed from its list.
    for path in found.iter().rev() {
        replace(merged, path, defaults);
    }
    problems.extend(found.iter().map(|path| refusal(path)));
}

fn find_secrets(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Table(table) => table.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        Value::String(text) => {
            let names_variable = path.last().is_some_and(|name| name.ends_with("_env"));
            let is_sound = if names_variable {
                text.is_empty() || is_variable(text)
            } else {
                !is_marked_as_secret(text)
            };
            if !is_sound {
                found.push(path.clone());
            }
            return;
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => return,
    };
    for (name, value) in below {
        path.push(name);
        find_secrets(value, path, found);
        path.pop();
    }
}

fn refusal(path: &[String]) -> String {
    let shown: Vec<&str> =
        path.iter().map(|part| if may_be_secret(part) { "NAME" } else { part.as_str() }).collect();
    let shown = shown.join(".");
    if path.last().is_some_and(|name| name.ends_with("_env")) {
        format!(
            "`{shown}` must be the name of an environment variable, in capital letters, digits and \
             `_`; what it holds is not repeated here, because it may be the secret itself: put the \
             secret into a variable and name that"
        )
    } else {
        format!(
            "`{shown}` looks like a key, which is not repeated here; keys belong into a variable \
             that an `*_env` names, or into a file"
        )
    }
}

/// Reads tables into structs. Serde stops at the first wrong type, so each is replaced by what does
/// no harm and the rest is read again.
fn deserialize(mut merged: Table, defaults: &Table, problems: &mut Vec<String>) -> Option<File> {
    for _ in 0..WRONG_TYPES_MAX {
        let mut unknown = Vec::new();
        let read: Result<File, toml::de::Error> =
            serde_ignored::deserialize(Value::Table(merged.clone()), |path| {
                unknown.push(path.to_string());
            });
        match read {
            Ok(file) => {
                problems.extend(unknown.iter().map(|path| unknown_setting(path, defaults)));
                return Some(file);
            }
            Err(error) => {
                let (problem, path) = wrong_type(&error);
                problems.push(problem);
                if !replace(&mut merged, &path, defaults) {
                    return None;
                }
            }
        }
    }
    None
}

/// Returns what serde says of a wrong type, without the names of Rust's types and without a value
/// that may be a secret; and where it is.
fn wrong_type(error: &toml::de::Error) -> (String, Vec<String>) {
    let words = [
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number below 2^32"),
        ("expected u8", "expected a whole number below 256"),
        ("expected a map", "expected a table"),
        ("expected a sequence", "expected a list such as [\"a\", \"b\"]"),
        ("unknown variant", "unknown value"),
    ];
    let message = error.to_string().trim_end().replace('\n', " ");
    let mut message =
        words.iter().fold(message, |message, (rust, plain)| message.replace(rust, plain));
    let path = message.rsplit_once("in `").map_or("", |(_, path)| path.trim_end_matches('`'));
    let path: Vec<String> =
        path.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let given = between(&message, "string \"", "\", expected")
        .or_else(|| between(&message, "unknown value `", "`, expected"))
        .filter(|value| may_be_secret(value));
    if let Some(value) = given.map(str::to_owned) {
        message = message.replace(&value, "(not shown here, because it may be a secret)");
    }
    (format!("a setting has the wrong type: {message}"), path)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.rsplit_once(end).map(|(value, _)| value)
}

/// Replaces a value of a wrong type by its default, so that it has no second problem. Returns
/// whether something changed.
fn replace(merged: &mut Table, path: &[String], defaults: &Table) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["upstreams", name] => {
            let upstream = Table::from_iter([("kind".to_owned(), any_kind())]);
            set(table_at(merged, "upstreams"), name, Value::Table(upstream))
        }
        ["upstreams", name, "kind"] => set(
            table_at(merged, "upstreams").and_then(|it| it.get_mut(*name)?.as_table_mut()),
            "kind",
            any_kind(),
        ),
        ["scrapers", name] => set(table_at(merged, "scrapers"), name, Value::Table(Table::new())),
        [section @ ("upstreams" | "scrapers"), name, setting, ..] => table_at(merged, section)
            .and_then(|section| section.get_mut(*name)?.as_table_mut())
            .is_some_and(|table| table.remove(*setting).is_some()),
        ["keys", number, ..] => match (merged.get_mut("keys"), number.parse::<usize>()) {
            (Some(Value::Array(keys)), Ok(at)) if at < keys.len() => {
                keys.remove(at);
                true
            }
            _ => merged.remove("keys").is_some(),
        },
        ["keys"] => merged.remove("keys").is_some(),
        [section] => defaults
            .get(*section)
            .is_some_and(|default| set(Some(merged), section, default.clone())),
        [section, setting, ..] => defaults
            .get(*section)
            .and_then(|table| table.get(*setting))
            .is_some_and(|default| set(table_at(merged, section), setting, default.clone())),
        [] => false,
    }
}

/// Returns a kind that lacks nothing.
fn any_kind() -> Value {
    Value::String("practice".to_owned())
}

fn set(table: Option<&mut Table>, name: &str, value: Value) -> bool {
    table.is_some_and(|table| table.insert(name.to_owned(), value).is_some())
}

fn table_at<'a>(merged: &'a mut Table, section: &str) -> Option<&'a mut Table> {
    merged.get_mut(section).and_then(Value::as_table_mut)
}

/// Lays `over` over `base`: tables are merged by key, everything else is replaced.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

/// `ANSWERD_SECTION__KEY=value` as a table. A value that reads as TOML (a number, a boolean, a
/// list) is that, any other is a string. Names without `__` are not settings.
fn from_environment(
    environment: impl Iterator<Item = (String, String)>,
    defaults: &Table,
) -> Table {
    let mut table = Table::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(ENV_PREFIX).filter(|path| path.contains("__")) else {
            continue;
        };
        let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        let value = value_of(value, is_text(&path, defaults));
        let nested = path
            .into_iter()
            .rev()
            .fold(value, |inner, key| Value::Table(Table::from_iter([(key, inner)])));
        if let Value::Table(nested) = nested {
            merge(&mut table, nested);
        }
    }
    table
}

/// Reads a variable's value. Text stays as it is unless it stands in quotes: a model called `4` or
/// a directory called `2026-01-01` is no number and no date.
fn value_of(value: String, text: bool) -> Value {
    let mut parsed = format!("value = {value}").parse::<Table>().unwrap_or_default();
    // A line break in the value could bring further names along; that is no TOML value then.
    match parsed.remove("value").filter(|_| parsed.is_empty()) {
        Some(parsed @ Value::String(_)) => parsed,
        Some(parsed) if !text => parsed,
        Some(_) | None => Value::String(value),
    }
}

/// Whether the setting is a string by default.
fn is_text(path: &[String], defaults: &Table) -> bool {
    let (Some(section), Some(name)) = (path.first(), path.last()) else { return false };
    template(section, defaults).is_some_and(|table| table.get(name).is_some_and(Value::is_str))
}

/// Returns a sentence about an unknown setting, with the nearest one that exists beside it.
fn unknown_setting(path: &str, defaults: &Table) -> String {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let template = template(section.split('.').next().unwrap_or_default(), defaults);
    let known: Vec<&str> = match &template {
        _ if section.is_empty() => defaults.keys().map(String::as_str).chain(["keys"]).collect(),
        Some(table) => table.keys().map(String::as_str).collect(),
        None => Vec::new(),
    };
    let shown = if may_be_secret(name) {
        format!("{section}, {}", quoted(name))
    } else {
        format!("`{path}`")
    };
    match nearest(name, &known) {
        Some(nearest) => format!("unknown setting {shown}; did you mean `{nearest}`?"),
        None => format!("unknown setting {shown}"),
    }
}

/// All settings of a section with their defaults; `keys`, `upstreams` and `scrapers` hold tables,
/// and this is one of those.
fn template(section: &str, defaults: &Table) -> Option<Table> {
    match section {
        "keys" => Table::try_from(Key::default()).ok(),
        "upstreams" => Table::try_from(Upstream::default()).ok(),
        "scrapers" => Table::try_from(Scraper::default()).ok(),
        other => defaults.get(other).and_then(Value::as_table).cloned(),
    }
}
