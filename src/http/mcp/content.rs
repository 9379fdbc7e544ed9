//! The two forms of what a tool returns: JSON as the rest of the API has it, and a text for models,
//! which is cut where it gets long.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::message::ToolResult;
use crate::api::{ErrorBody, Id};
use crate::http::error::ApiError;

/// The reply of a tool.
pub(crate) struct Content {
    text: String,
    structured: Box<RawValue>,
    is_error: bool,
}

/// The arrays of a result that list pages. The marks of the Markdown count those of the first.
const PAGE_ARRAYS: [&str; 7] =
    ["sources", "citations", "web_sources", "x_results", "search_results", "links", "products"];
/// The most pages that are listed below an answer.
const PAGES_MAX: usize = 100;
/// The divisor of the text for the part that is kept for pages where the answer is long.
const PAGES_DIVISOR: usize = 4;
/// The longest title of a page, characters.
const TITLE_CHARS_MAX: usize = 200;

impl Content {
    /// Returns a reply of the API, with itself as the text.
    pub(crate) fn of_view(view: &impl Serialize, chars_max: usize) -> Content {
        let structured = raw(view);
        let text = match cut(structured.get(), chars_max) {
            Some(start) => format!("{start}… (cut at {chars_max} characters)"),
            None => structured.get().to_owned(),
        };
        Content { text, structured, is_error: false }
    }

    /// Returns a reply of the API, with a text that says the same in short.
    pub(crate) fn with_text(view: &impl Serialize, text: String) -> Content {
        Content { text, structured: raw(view), is_error: false }
    }

    /// Returns a job. `failed_is_error` is for the tools that are called for its answer.
    pub(crate) fn of_job(json: Vec<u8>, chars_max: usize, failed_is_error: bool) -> Content {
        let mut job: Value = serde_json::from_slice(&json).unwrap_or_default();
        let text = job_text(&job, chars_max);
        let is_error = failed_is_error && job["status"] == "failed";
        let structured = if job["status"] == "pending" {
            job["next_tool"] = "wait_job".into();
            raw(&job)
        } else {
            // A result may be large: it is passed on as the store has it.
            let json = String::from_utf8(json).unwrap_or_default();
            RawValue::from_string(json).unwrap_or_else(|_| raw(&job))
        };
        Content { text, structured, is_error }
    }

    /// Returns an error as the rest of the API would.
    pub(crate) fn of_error(error: ApiError) -> Content {
        let mut text = format!("{} (code `{}`)", error.detail, error.code.code());
        if let Some(seconds) = error.retry_after_seconds {
            let _ = write!(text, " Try again in {seconds} seconds.");
        }
        let job_id = error.job_id.map(Id::from);
        if let Some(id) = &job_id {
            let _ = write!(text, " The job is `{id}`.");
        }
        let mut body = serde_json::to_value(ErrorBody {
            detail: error.detail,
            code: error.code.code().into(),
            job_id,
        })
        .unwrap_or_default();
        if let Some(seconds) = error.retry_after_seconds {
            body["retry_after_seconds"] = seconds.into();
        }
        Content { text, structured: raw(&body), is_error: true }
    }

    /// Returns it as the protocol does.
    pub(crate) fn into_result(self) -> ToolResult {
        ToolResult::new(self.text, self.structured, self.is_error)
    }
}

/// Returns a value as JSON. Those of the API can always be written.
fn raw(view: &impl Serialize) -> Box<RawValue> {
    to_raw_value(view).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Returns the beginning of a text that is longer than this.
fn cut(text: &str, chars_max: usize) -> Option<&str> {
    text.char_indices().nth(chars_max).map(|(end, _)| &text[..end])
}

/// Returns a job for a model to read.
fn job_text(job: &Value, chars_max: usize) -> String {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let id = text("job_id");
    match text("status") {
        "done" => answer_text(&job["result"], id, chars_max),
        "failed" => {
            format!("The job `{id}` failed: {} (code `{}`)", text("error"), text("error_code"))
        }
        _ => {
            let attempts = &job["attempts"];
            format!(
                "The answer is not there yet: job `{id}` is pending ({}, attempts so far: \
                 {attempts}). It is kept and goes on by itself. Call `wait_job` with this job_id \
                 to wait for the answer.",
                text("phase").replace('_', " ")
            )
        }
    }
}

fn answer_text(result: &Value, id: &str, chars_max: usize) -> String {
    let field = |name: &str| result[name].as_str().unwrap_or_default();
    let (answer, address) = (field("result_markdown").trim(), field("markdown_url"));
    let sources = sources(result);
    let share = if sources.is_empty() { 0 } else { chars_max / PAGES_DIVISOR };
    let mut text = match cut(answer, chars_max - share) {
        Some(start) => format!("{start}…\n\n(Cut. The whole answer: {address})"),
        None if answer.is_empty() => "The engine showed no answer.".to_owned(),
        None => answer.to_owned(),
    };
    let room = chars_max.saturating_sub(text.chars().count());
    text.push_str(&listed(&sources, room));
    for warning in result["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = write!(text, "\n\nNote: {warning}");
    }
    let _ = write!(text, "\n\nJob `{id}`. Markdown of the answer: {address}");
    text
}

/// Returns as many lines as there is room for, characters, and the number of the others.
fn listed(lines: &[String], mut room: usize) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        room = room.saturating_sub(line.chars().count() + 1);
        if room == 0 {
            let _ = write!(text, "\n({} more are in the structured content)", lines.len() - at);
            break;
        }
        let _ = write!(text, "\n{line}");
    }
    if lines.is_empty() { text } else { format!("\n\nSources:{text}") }
}

/// Returns a line for each page of a result, numbered as the marks of its text count them.
fn sources(result: &Value) -> Vec<String> {
    let of = |name: &&str| result[*name].as_array().filter(|pages| !pages.is_empty());
    let pages = PAGE_ARRAYS.iter().find_map(of).map(Vec::as_slice).unwrap_or_default();
    let line = |(at, page): (usize, &Value)| {
        let field = |name: &str| page[name].as_str().unwrap_or_default().trim();
        let titles = [field("title"), field("text"), field("url")];
        let title = titles.into_iter().find(|title| !title.is_empty()).unwrap_or_default();
        let title: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = cut(&title, TITLE_CHARS_MAX).unwrap_or(&title);
        let role = if page["cited"] == false { " (consulted, not cited)" } else { "" };
        format!("[{}] {title} <{}>{role}", at + 1, field("url"))
    };
    pages.iter().take(PAGES_MAX).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(markdown: &str, pages: usize) -> Value {
        let page = |n: usize| {
            let (url, cited) = (format!("https://example.com/{n}"), n == 1);
            json!({ "title": format!("Page\n {n}"), "url": url, "cited": cited })
        };
        json!({
            "job_id": "6f1c", "status": "done",
            "result": {
                "result_markdown": markdown, "sources": (1..=pages).map(page).collect::<Vec<_>>(),
                "links": [{ "url": "https://example.com/1", "text": "one" }],
                "markdown_url": "http://host/md/6f1c.md", "warnings": ["The engine is old."],
            },
        })
    }

    #[test]
    fn answer_has_its_sources_by_number() {
        insta::assert_snapshot!(job_text(&done("It is **42** [1].", 2), 1_000), @r"
        It is **42** [1].

        Sources:
        [1] Page 1 <https://example.com/1>
        [2] Page 2 <https://example.com/2> (consulted, not cited)

        Note: The engine is old.

        Job `6f1c`. Markdown of the answer: http://host/md/6f1c.md
        ");
    }

    #[test]
    fn long_answer_is_cut_and_says_where_the_rest_is() {
        let text = job_text(&done(&"long text ".repeat(60), 40), 400);
        let (start, rest) = text.split_once("…\n\n").unwrap();
        assert_eq!(start, "long text ".repeat(30));
        insta::assert_snapshot!(rest, @r"
        (Cut. The whole answer: http://host/md/6f1c.md)

        Sources:
        [1] Page 1 <https://example.com/1>
        (39 more are in the structured content)

        Note: The engine is old.

        Job `6f1c`. Markdown of the answer: http://host/md/6f1c.md
        ");
    }

    #[test]
    fn pending_and_failed_jobs_say_what_comes_next() {
        let job = json!({
            "job_id": "6f1c", "status": "pending", "phase": "waiting_retry", "attempts": 1,
        });
        let content = Content::of_job(job.to_string().into_bytes(), 1_000, true);
        assert!(content.text.contains("(waiting retry, attempts so far: 1)"), "{}", content.text);
        assert!(content.text.contains("Call `wait_job`") && !content.is_error);
        assert!(content.structured.get().ends_with(r#""next_tool":"wait_job"}"#));
        let job = json!({
            "job_id": "6f1c", "status": "failed", "error": "The key was refused.",
            "error_code": "upstream_auth",
        });
        let of = |as_error| Content::of_job(job.to_string().into_bytes(), 1_000, as_error);
        assert_eq!(
            of(true).text,
            "The job `6f1c` failed: The key was refused. (code `upstream_auth`)"
        );
        assert!(of(true).is_error && !of(false).is_error);
        assert_eq!(of(true).structured.get(), job.to_string());
    }

    #[test]
    fn view_is_cut_in_the_text_alone() {
        let content = Content::of_view(&json!({ "jobs": "a".repeat(100) }), 20);
        assert_eq!(content.text, "{\"jobs\":\"aaaaaaaaaaa… (cut at 20 characters)");
        assert_eq!(content.structured.get().len(), 111);
    }
}
