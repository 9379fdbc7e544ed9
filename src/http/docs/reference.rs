//! The API reference: the OpenAPI document as pages of Markdown in the guide's look. Nothing is
//! written here that is not in the document.

use serde_json::{Map, Value};

use crate::guide::sections::anchor;
use crate::guide::site::REFERENCE;

/// Where examples call; as everywhere in the guide.
const BASE: &str = "http://127.0.0.1:8080";
/// The longest example of a reply that is shown, bytes.
const EXAMPLE_BYTES_MAX: usize = 2_400;

/// The page of each tag of the document.
const TAG_PAGES: &[(&str, &str)] = &[
    ("scrapes", "reference-scrapes"),
    ("jobs", "reference-jobs"),
    ("batches", "reference-batches"),
    ("schedules", "reference-schedules"),
    ("trackers", "reference-trackers"),
    ("operations", "reference-operations"),
    ("pages", "reference-pages"),
];
const OBJECTS_PAGE: &str = "reference-objects";

/// Returns the pages, (slug, Markdown): the first has what holds for every path and the list of
/// them, then one for each tag, and one for the objects.
pub(crate) fn pages(document: &Value) -> Vec<(&'static str, String)> {
    let mut pages = vec![(REFERENCE, overview(document))];
    for (tag, slug) in TAG_PAGES {
        let described = array(&document["tags"]).iter().find(|it| it["name"] == *tag);
        let description = described.map_or("", |tag| text(&tag["description"]));
        let mut page = format!("# API reference: {tag}\n\n{description}\n\n");
        let own = |operation: &Value| array(&operation["tags"]).first().is_some_and(|it| it == tag);
        for (verb, path, operation) in methods(document).filter(|(_, _, operation)| own(operation))
        {
            method(&mut page, &verb, path, operation);
        }
        pages.push((*slug, page));
    }
    pages.push((OBJECTS_PAGE, objects(document)));
    pages
}

/// The page of an operation.
fn page_of(operation: &Value) -> &'static str {
    let tag = text(array(&operation["tags"]).first().unwrap_or(&Value::Null));
    TAG_PAGES.iter().find(|(known, _)| *known == tag).map_or(REFERENCE, |(_, slug)| slug)
}

fn overview(document: &Value) -> String {
    let mut page = String::from(
        "# API reference\n\nEvery path of the HTTP interface with its parameters, replies and \
         errors, made from the OpenAPI document at [`/openapi.json`](/openapi.json), from which \
         clients can be generated too; [the API](api.md) explains how the paths are used.\n\n\
         ## What holds for every path?\n\n\
         A path that needs a key takes it in the header `X-API-Key`, in the query as `api_key`, or as a \
         bearer token; see [how to authenticate](api.md#how-do-i-authenticate). Every reply has \
         `X-Request-Id`. Errors are JSON with `detail` and `code`, and 429 and 503 have `Retry-After`. \
         Any request can meet one of these:\n\n",
    );
    let any = &document["components"]["responses"]["Any"];
    errors_table(&mut page, std::iter::once(("any", any)));
    for (tag, slug) in TAG_PAGES {
        page.push_str(&format!("## Paths for {tag}\n\n"));
        for (verb, path, operation) in methods(document).filter(|it| page_of(it.2) == *slug) {
            let (id, summary) = (anchor(&format!("{verb} {path}")), text(&operation["summary"]));
            page.push_str(&format!("- [`{verb} {path}`]({slug}.md#{id}): {summary}\n"));
        }
        page.push('\n');
    }
    page.push_str(
        "## What is sent to a webhook?\n\nFinished jobs are delivered by POST, signed as \
         [webhooks](webhooks.md) says.\n\n",
    );
    for (event, methods) in fields(&document["webhooks"]) {
        let schema = &methods["post"]["requestBody"]["content"]["application/json"]["schema"];
        let summary = text(&methods["post"]["summary"]);
        page.push_str(&format!("- `{event}`: {summary}. The body is a {}.\n", kind(schema)));
    }
    page
}

fn objects(document: &Value) -> String {
    let mut page = String::from(
        "# API reference: objects\n\nWhat bodies are made of; a field that is always there is \
         marked so.\n\n",
    );
    for (name, schema) in fields(&document["components"]["schemas"]) {
        page.push_str(&format!("## {name}\n\n{}\n\n", text(&schema["description"])));
        properties_table(&mut page, schema);
    }
    page
}

/// Every method: its verb, its path, and what the document says of it.
fn methods(document: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    fields(&document["paths"]).flat_map(|(path, methods)| {
        fields(methods).map(|(verb, operation)| (verb.to_uppercase(), path.as_str(), operation))
    })
}

fn method(page: &mut String, verb: &str, path: &str, operation: &Value) {
    page.push_str(&format!("## `{verb} {path}`\n\n{}. ", text(&operation["summary"])));
    if let Some(description) = operation["description"].as_str() {
        page.push_str(&format!("{description} "));
    }
    let keyed = !array(&operation["security"]).is_empty();
    page.push_str(if keyed { "It needs a key.\n\n" } else { "It needs no key.\n\n" });
    let own: Vec<&Value> =
        array(&operation["parameters"]).iter().filter(|it| it["name"].is_string()).collect();
    if !own.is_empty() {
        page.push_str("| parameter | in | type | meaning |\n|---|---|---|---|\n");
        for parameter in own {
            let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
            let required = if parameter["required"] == true { ", required" } else { "" };
            let kind = kind(&parameter["schema"]);
            let meaning = cell(text(&parameter["description"]));
            page.push_str(&format!("| `{name}` | {place}{required} | {kind} | {meaning} |\n"));
        }
        page.push('\n');
    }
    let body = &operation["requestBody"];
    if let Some((media_type, content)) = fields(&body["content"]).next() {
        let kind = kind(&content["schema"]);
        let about = text(&body["description"]);
        page.push_str(&format!("The body is `{media_type}`, a {kind}. {about}\n\n"));
    }
    page.push_str(&format!("```sh\n{}\n```\n\n", call(verb, path, operation)));
    replies(page, operation);
    let refused = fields(&operation["responses"]).filter(|(status, _)| is_error(status));
    errors_table(page, refused.map(|(status, response)| (status.as_str(), response)));
}

fn is_error(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// The successes, and an example of the first.
fn replies(page: &mut String, operation: &Value) {
    let successes =
        || fields(&operation["responses"]).filter(|(status, _)| status.starts_with(['2', '3']));
    page.push_str("| status | reply | meaning | headers |\n|---|---|---|---|\n");
    for (status, response) in successes() {
        let kinds: Vec<String> = fields(&response["content"])
            .map(|(media_type, content)| match media_type.as_str() {
                "application/json" => kind(&content["schema"]),
                other => format!("`{other}`"),
            })
            .collect();
        let kinds = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(" or ") };
        // That of the request's id is said once.
        let headers: Vec<String> = fields(&response["headers"])
            .map(|(name, _)| format!("`{name}`"))
            .filter(|name| name != "`X-Request-Id`")
            .collect();
        let meaning = cell(text(&response["description"]));
        page.push_str(&format!("| {status} | {kinds} | {meaning} | {} |\n", headers.join(", ")));
    }
    page.push('\n');
    let example = successes().find_map(|(_, response)| {
        fields(&response["content"]).find_map(|(_, content)| content.get("example"))
    });
    let Some(example) = example else { return };
    let (language, shown) = match example.as_str() {
        Some(text) => ("", text.trim_end().to_owned()),
        None => ("json", format!("{example:#}")),
    };
    if shown.len() <= EXAMPLE_BYTES_MAX {
        page.push_str(&format!("```{language}\n{shown}\n```\n\n"));
    }
}

/// The errors, and the codes by which they are told apart.
fn errors_table<'a>(page: &mut String, responses: impl Iterator<Item = (&'a str, &'a Value)>) {
    let mut rows = String::new();
    for (status, response) in responses {
        let content = &response["content"]["application/json"];
        let codes: Vec<String> =
            fields(&content["examples"]).map(|(code, _)| format!("`{code}`")).collect();
        rows.push_str(&format!("| {status} | {} |\n", codes.join(", ")));
    }
    if !rows.is_empty() {
        page.push_str(&format!("| error | codes |\n|---|---|\n{rows}\n"));
    }
}

fn properties_table(page: &mut String, schema: &Value) {
    let required = array(&schema["required"]);
    page.push_str("| field | type | always | meaning |\n|---|---|---|---|\n");
    for (name, property) in fields(&schema["properties"]) {
        let always = if required.iter().any(|it| it == name) { "yes" } else { "" };
        let (kind, meaning) = (kind(property), cell(text(&property["description"])));
        page.push_str(&format!("| `{name}` | {kind} | {always} | {meaning} |\n"));
    }
    page.push('\n');
}

/// A schema in words: its type and its bounds.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}]({OBJECTS_PAGE}.md#{})", name.to_lowercase());
    }
    if !array(&schema["anyOf"]).is_empty() {
        let kinds: Vec<String> = array(&schema["anyOf"]).iter().map(kind).collect();
        return kinds.join(" or ");
    }
    let types = &schema["type"];
    let mut words: Vec<String> = match types.as_str() {
        Some(word) => vec![word.to_owned()],
        None => array(types).iter().map(|word| text(word).to_owned()).collect(),
    };
    if words.is_empty() {
        words.push("anything".to_owned());
    }
    let mut told = words.join(" or ");
    if schema["items"].is_object() {
        told = format!("{told} of {}", kind(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        told = format!("{told} of {} by name", kind(&schema["additionalProperties"]));
    }
    for bound in bounds(schema) {
        told.push_str(&format!(", {bound}"));
    }
    cell(&told)
}

fn bounds(schema: &Value) -> Vec<String> {
    let mut bounds = Vec::new();
    for (least, most, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ] {
        match (schema.get(least).map(number), schema.get(most).map(number)) {
            (Some(least), Some(most)) => bounds.push(format!("{least} to {most}{unit}")),
            (Some(least), None) => bounds.push(format!("at least {least}{unit}")),
            (None, Some(most)) => bounds.push(format!("at most {most}{unit}")),
            (None, None) => {}
        }
    }
    for (name, told) in [("format", ""), ("pattern", "like ")] {
        if let Some(value) = schema[name].as_str() {
            bounds.push(format!("{told}`{value}`"));
        }
    }
    let words = array(&schema["enum"]).iter().filter_map(Value::as_str);
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    if !words.is_empty() {
        bounds.push(format!("one of {}", words.join(", ")));
    }
    if let Some(default) = schema.get("default") {
        let default = default.as_str().map_or_else(|| number(default), str::to_owned);
        bounds.push(format!("by default `{default}`"));
    }
    bounds
}

/// A value as people write it: whole numbers without a fraction.
fn number(value: &Value) -> String {
    let shown = value.to_string();
    shown.strip_suffix(".0").map(str::to_owned).unwrap_or(shown)
}

/// The method called with curl.
fn call(verb: &str, path: &str, operation: &Value) -> String {
    let mut address = path.to_owned();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let has_body = operation["requestBody"].is_object();
    for parameter in array(&operation["parameters"]) {
        let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
        let example = text(&parameter["schema"]["examples"][0]);
        if place == "path" {
            address = address.replace(&format!("{{{name}}}"), example);
        } else if place == "query" && !example.is_empty() && parameter["required"] == true {
            query.append_pair(name, example);
        } else if let ("query", Some(example)) = (place, parameter["example"].as_str()) {
            query.append_pair(name, example);
        }
    }
    let query = query.finish();
    let query = if query.is_empty() { query } else { format!("?{query}") };
    let mut command = String::from("curl");
    match verb {
        "GET" => {}
        "POST" if has_body => {}
        other => command.push_str(&format!(" -X {other}")),
    }
    if !array(&operation["security"]).is_empty() {
        command.push_str(" -H 'X-API-Key: YOUR-KEY'");
    }
    if let Some((media_type, content)) = fields(&operation["requestBody"]["content"]).next() {
        let body = &content["example"];
        command.push_str(&format!(" \\\n  -H 'Content-Type: {media_type}' \\\n  -d '{body}'"));
    }
    let gap = if command == "curl" { " " } else { " \\\n  " };
    format!("{command}{gap}'{BASE}{address}{query}'")
}

/// Text for the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
