//! The parts of a recipe, each read from its table.

use std::ops::Range;

use super::field::{field, one_way};
use super::read::{Entry, Section};
use super::selector::{Selectors, selectors};
use super::{
    ARRAYS, AnswerPart, ArrayPart, Complete, Dismiss, Field, Key, Marks, Prepare, PromptBox,
    Recipe, Reveal, STEPS_MAX, Shows, Sign, Submit, WAIT_MS_MAX, Which,
};
use crate::catalog::Array;
use crate::config::is_name;
use crate::config::suggestion;

/// How long the prompt box may take to appear unless `wait_ms` says otherwise, milliseconds.
const BOX_WAIT_MS: u64 = 15_000;
/// How long what is clicked before may take, milliseconds.
const PREPARE_WAIT_MS: u64 = 3_000;
/// How long the button that sends may take, milliseconds.
const SUBMIT_WAIT_MS: u64 = 5_000;
/// How long an answer may take, milliseconds.
const ANSWER_WAIT_MS: u64 = 120_000;
/// How long a text must stay as it is to be whole, milliseconds.
const UNCHANGED_MS: u64 = 1_000;
/// How long a list may take to show, milliseconds.
const REVEAL_WAIT_MS: u64 = 3_000;
/// What `read` calls the answer itself.
const ANSWER: &str = "answer";

/// Reads the whole file.
pub(super) fn recipe(file: Section<'_>) -> Option<Recipe> {
    let name = name(&file);
    let version = file.number("version", 1, 1_000_000, 0);
    if version == 0 && file.get("version").is_none() {
        file.problem("`version` is missing: a whole number that rises with every change");
    }
    let prompt = file.section("prompt").map(prompt_box);
    let submit = file.section("submit").map(submit);
    let url = url(&file, prompt.is_some());
    if prompt.is_some() != submit.is_some() {
        file.problem(
            "[prompt] and [submit] go together: where the prompt goes, and how it is sent",
        );
    }
    let answer = file.section("answer").map(answer);
    if answer.is_none() {
        file.problem("[answer] is missing: where the answer is");
    }
    let arrays = file.section("arrays").map(arrays).unwrap_or_default();
    let recipe = Recipe {
        name,
        version,
        url,
        last_verified: last_verified(&file),
        frame: selectors(&file, "frame"),
        dismiss: steps(&file, "dismiss").into_iter().map(dismiss).collect(),
        prepare: steps(&file, "prepare").into_iter().map(prepare).collect(),
        prompt,
        submit,
        complete: complete(file.section("complete")),
        reveal: reveals(steps(&file, "reveal"), &arrays),
        arrays,
        signs: Shows::ALL
            .into_iter()
            .filter_map(|(key, shows)| Some(sign(file.section(key)?, shows)))
            .collect(),
        answer: answer?,
    };
    file.finish();
    Some(recipe)
}

fn name(file: &Section<'_>) -> String {
    let Some((name, span)) = file.string("name") else {
        file.problem("`name` is missing: what settings call this recipe");
        return String::new();
    };
    if !is_name(&name) {
        let rule =
            format!("`name` must be 1 to 64 letters, digits, `-`, `_` or `.`; it is `{name}`");
        file.source.problem(&span, rule);
    }
    name
}

fn url(file: &Section<'_>, has_prompt_box: bool) -> String {
    let Some((url, span)) = file.string("url") else {
        file.problem("`url` is missing: the address of the page");
        return String::new();
    };
    let plain = url.replace(['{', '}'], "");
    let is_address = url::Url::parse(&plain)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !(is_address || (url.starts_with('/') && !url.starts_with("//"))) {
        let rule = format!(
            "`url` must be an http(s) address, or a path such as `/chat` on the upstream's \
             `base_url`; it is `{url}`"
        );
        file.source.problem(&span, rule);
    }
    let rest = ["{prompt}", "{country}", "{language}"]
        .iter()
        .fold(url.clone(), |url, placeholder| url.replace(placeholder, ""));
    if rest.contains(['{', '}']) {
        let rule = "`url` knows the placeholders {prompt}, {country} and {language} only";
        file.source.problem(&span, rule);
    }
    if !has_prompt_box && !url.contains("{prompt}") {
        let rule =
            "the prompt goes nowhere: give [prompt] and [submit], or put {prompt} into `url`";
        file.source.problem(&span, rule);
    }
    url
}

fn last_verified(file: &Section<'_>) -> Option<String> {
    let Some((day, span)) = file.string("last_verified") else {
        file.problem(
            "`last_verified` is missing: the day on which it worked against the live page, or \
             \"never\"",
        );
        return None;
    };
    if day == "never" {
        return None;
    }
    let format = time::macros::format_description!("[year]-[month]-[day]");
    if time::Date::parse(&day, format).is_err() {
        let rule = format!(
            "`last_verified` must be a day such as \"2026-11-24\" or \"never\"; it is `{day}`"
        );
        file.source.problem(&span, rule);
    }
    Some(day)
}

fn steps<'a>(file: &Section<'a>, key: &'static str) -> Vec<Section<'a>> {
    let steps = file.sections(key);
    if let Some(one_too_many) = steps.get(STEPS_MAX) {
        one_too_many.problem(format!("there are at most {STEPS_MAX} [[{key}]]"));
    }
    steps
}

/// As [`selectors`], of a key that must be there.
fn required(section: &Section<'_>, key: &'static str, what: &str) -> Selectors {
    let found = selectors(section, key);
    if section.get(key).is_none() {
        section.problem(format!("`{key}` is missing in {}: {what}", section.name));
    }
    found
}

fn dismiss(section: Section<'_>) -> Dismiss {
    let (click, hide) = (selectors(&section, "click"), selectors(&section, "hide"));
    if section.get("click").is_none() && section.get("hide").is_none() {
        section.problem("[[dismiss]] needs `click`, the button that closes it, or `hide`, or both");
    }
    let named = section.string("name").map(|(name, _)| name);
    let name = named.unwrap_or_else(|| "banner".to_owned());
    section.finish();
    Dismiss { name, click, hide }
}

fn prepare(section: Section<'_>) -> Prepare {
    let step = Prepare {
        name: section.string("name").map_or_else(|| "prepare".to_owned(), |(name, _)| name),
        click: required(&section, "click", "what is clicked before the prompt is typed"),
        wait_ms: section.number("wait_ms", 0, WAIT_MS_MAX, PREPARE_WAIT_MS),
    };
    section.finish();
    step
}

fn prompt_box(section: Section<'_>) -> PromptBox {
    let r#box = required(&section, "box", "the field that the prompt is typed into");
    let wait_ms = section.number("wait_ms", 0, WAIT_MS_MAX, BOX_WAIT_MS);
    section.finish();
    PromptBox { r#box, wait_ms }
}

fn submit(section: Section<'_>) -> Submit {
    let click = selectors(&section, "click");
    let key = section.string("key").and_then(|(key, span)| match key.as_str() {
        "Enter" => Some(Key::Enter),
        "Control+Enter" => Some(Key::ControlEnter),
        _ => {
            let rule = "`key` in [submit] must be \"Enter\" or \"Control+Enter\"";
            section.source.problem(&span, rule);
            None
        }
    });
    if section.get("click").is_none() && section.get("key").is_none() {
        section.problem("[submit] needs `click`, the button that sends, or `key`, or both");
    }
    let wait_ms = section.number("wait_ms", 0, WAIT_MS_MAX, SUBMIT_WAIT_MS);
    section.finish();
    Submit { click, key, wait_ms }
}

fn complete(section: Option<Section<'_>>) -> Complete {
    let Some(section) = section else {
        return Complete {
            appears: Selectors::default(),
            gone: Selectors::default(),
            unchanged_ms: UNCHANGED_MS,
            request_ended: None,
            wait_ms: ANSWER_WAIT_MS,
        };
    };
    let request_ended = section.string("request_ended").map(|(part, span)| {
        if part.trim().is_empty() {
            section.source.problem(&span, "`request_ended` must be a part of a request's address");
        }
        part
    });
    let complete = Complete {
        appears: selectors(&section, "appears"),
        gone: selectors(&section, "gone"),
        unchanged_ms: section.number("unchanged_ms", 0, WAIT_MS_MAX, UNCHANGED_MS),
        request_ended,
        wait_ms: section.number("wait_ms", 1, WAIT_MS_MAX, ANSWER_WAIT_MS),
    };
    section.finish();
    complete
}

fn answer(section: Section<'_>) -> AnswerPart {
    let which = match section.string("which") {
        None => Which::Last,
        Some((word, span)) => match word.as_str() {
            "first" => Which::First,
            "last" => Which::Last,
            "all" => Which::All,
            _ => {
                let rule = format!(
                    "`which` in [answer] must be \"first\", \"last\" or \"all\"; it is `{word}`"
                );
                section.source.problem(&span, rule);
                Which::Last
            }
        },
    };
    let part = AnswerPart {
        select: required(&section, "select", "the element that holds the answer"),
        which,
        remove: selectors(&section, "remove"),
        keep: selectors(&section, "keep"),
        marks: section.section("marks").map(marks),
        language: field(&section, "language"),
        model: field(&section, "model"),
    };
    section.finish();
    part
}

fn marks(section: Section<'_>) -> Marks {
    let marks = Marks {
        item: required(&section, "item", "the citation marks in the answer"),
        number: field(&section, "number"),
        url: field(&section, "url"),
    };
    if section.get("number").is_none() && section.get("url").is_none() {
        section.problem(
            "[marks] needs `number`, where a mark tells the number of its source, or `url`, where \
             it tells its address, or both",
        );
    }
    section.finish();
    marks
}

fn reveals(sections: Vec<Section<'_>>, arrays: &[ArrayPart]) -> Vec<Reveal> {
    let mut names: Vec<String> = Vec::new();
    let one = |section| {
        let reveal = reveal(section, arrays, &names);
        names.push(reveal.name.clone());
        reveal
    };
    sections.into_iter().map(one).collect()
}

/// `before` are the names of the steps before it.
fn reveal(section: Section<'_>, arrays: &[ArrayPart], before: &[String]) -> Reveal {
    let to_read = section.strings("read");
    let reads_answer = to_read.iter().any(|(name, _)| name == ANSWER);
    let to_read = to_read.into_iter().filter(|(name, _)| name != ANSWER);
    let reveal = Reveal {
        name: section.string("name").map_or_else(|| "reveal".to_owned(), |(name, _)| name),
        click: selectors(&section, "click"),
        hover: selectors(&section, "hover"),
        each: section.boolean("each").unwrap_or(false),
        scroll: selectors(&section, "scroll"),
        wait_for: selectors(&section, "wait_for"),
        wait_ms: section.number("wait_ms", 0, WAIT_MS_MAX, REVEAL_WAIT_MS),
        read: to_read.filter_map(|it| array_to_read(&section, it, arrays)).collect(),
        reads_answer,
        close: selectors(&section, "close"),
        after: section.string("after").and_then(|(name, span)| {
            let is_known = before.contains(&name);
            if !is_known {
                let rule = format!("`after` in [[reveal]]: no step before it is named `{name}`");
                section.source.problem(&span, rule);
            }
            is_known.then_some(name)
        }),
    };
    let has = |key: &&'static str| section.get(key).is_some();
    if !["click", "hover", "scroll", "wait_for"].iter().any(has) {
        section.problem("[[reveal]] needs at least one of `click`, `hover`, `scroll`, `wait_for`");
    }
    if reveal.each && !["click", "hover"].iter().any(has) {
        section.problem("`each` in [[reveal]] needs `click` or `hover`");
    }
    if has(&"click") && has(&"hover") {
        section.problem("[[reveal]] takes `click` or `hover`; make it two steps");
    }
    if has(&"hover") && (!has(&"wait_for") || reveal.read.is_empty()) {
        section.problem("`hover` in [[reveal]] needs `wait_for`, what it shows, and `read`");
    }
    section.finish();
    reveal
}

fn array_to_read(
    section: &Section<'_>,
    (name, span): (String, Range<usize>),
    arrays: &[ArrayPart],
) -> Option<Array> {
    let known = ARRAYS.iter().find(|(array, _)| array.name() == name);
    match known {
        None => section.source.problem(&span, unknown_array(&name)),
        Some((array, _)) if !arrays.iter().any(|part| part.array == *array) => {
            let rule = format!("`read` names `{name}`, and the recipe has no [arrays.{name}]");
            section.source.problem(&span, rule);
        }
        Some(_) => {}
    }
    known.map(|(array, _)| *array)
}

fn unknown_array(name: &str) -> String {
    let names: Vec<&str> = ARRAYS.iter().map(|(array, _)| array.name()).collect();
    format!("there is no array `{name}`; {}", suggestion(name, &names))
}

fn arrays(section: Section<'_>) -> Vec<ArrayPart> {
    let part = |(name, entry): (&str, Entry<'_>)| {
        let Some((array, fields)) = ARRAYS.iter().find(|(array, _)| array.name() == name) else {
            section.source.problem(&entry.span, unknown_array(name));
            return None;
        };
        let Some(table) = entry.value.as_table() else {
            let rule = format!("`{name}` must be a table, `[arrays.{name}]`");
            section.source.problem(&entry.span, rule);
            return None;
        };
        let name = format!("[arrays.{name}]");
        Some(array_part(Section::new(section.source, name, table, entry.span), *array, fields))
    };
    section.tables().filter_map(part).collect()
}

fn array_part(section: Section<'_>, array: Array, names: &'static [&'static str]) -> ArrayPart {
    let item = required(&section, "item", "what each entry of the array is on the page");
    let mut fields: Vec<_> =
        names.iter().filter_map(|name| Some((*name, field(&section, name)?))).collect();
    let entries = one_way(&section, "entries");
    if entries.as_ref().is_some_and(|entries| entries.json.is_none()) {
        let rule = format!("`entries` in {} needs `json`, the path of the entries", section.name);
        section.problem(rule);
    }
    if names.contains(&"text") && section.get("text").is_none() {
        fields.push(("text", Field::whole(entries.is_some())));
    }
    if let Some(first) = names.first().filter(|first| **first != "text")
        && section.get(first).is_none()
    {
        section.problem(format!("`{first}` is missing in {}", section.name));
    }
    let while_running = section.boolean("while_running").unwrap_or(false);
    section.finish();
    ArrayPart { array, item, entries, while_running, fields }
}

/// A sign takes any of its ways; at least one must be given.
fn sign(section: Section<'_>, shows: Shows) -> Sign {
    let texts = |key| -> Vec<String> {
        let given = section.strings(key);
        for (_, span) in given.iter().filter(|(text, _)| text.trim().is_empty()) {
            section.source.problem(span, format!("`{key}` in {} holds a blank text", section.name));
        }
        given.into_iter().map(|(text, _)| text).collect()
    };
    let sign = Sign {
        shows,
        select: selectors(&section, "select"),
        text: texts("text"),
        within: selectors(&section, "within"),
        url: texts("url"),
    };
    if !sign.within.is_empty() && sign.text.is_empty() {
        section.problem(format!("`within` in {} needs `text`", section.name));
    }
    if ["select", "text", "url"].iter().all(|key| section.get(key).is_none()) {
        section.problem(format!("{} needs `select`, `text` or `url`", section.name));
    }
    section.finish();
    sign
}
