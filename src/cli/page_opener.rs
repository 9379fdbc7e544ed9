//! Pages of a server, opened in a browser where there is a display.

use std::process::{Command, Stdio};

use serde_json::json;
use uuid::Uuid;

use super::client::Client;
use super::console::{Console, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use crate::guide::PAGES;

/// The views of the dashboard that an address leads to.
const VIEWS: [&str; 9] =
    ["overview", "jobs", "batches", "new", "schedules", "trackers", "prompts", "alerts", "usage"];
/// The views that are about one job or batch, whose id follows.
const VIEWS_OF_ONE: [&str; 4] = ["jobs", "batches", "compare", "prompts"];
/// The pages of the guide that are not written by hand.
const MADE_PAGES: [&str; 2] = ["reference", "search"];

/// Prints the address of a page, and opens it where that is wanted and there is a display.
///
/// # Errors
/// Returns an error if there is no such page, or stdout cannot be written to.
pub(crate) fn show(
    client: &Client,
    what: Option<&str>,
    opened: bool,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let path = path(what).ok_or_else(|| unknown(what))?;
    let url = format!("{}{path}", client.address());
    if console.is_json() {
        console.document(&json!({ "url": url }))?;
    } else {
        console.result(&url)?;
    }
    if let Some(opener) = opener().filter(|_| opened) {
        let mut command = Command::new(opener);
        command.arg(&url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = command.status() {
            console.note(&format!("cannot open it with {opener}: {error}"));
        }
    }
    Ok(ExitCode::Done)
}

/// Returns the program that opens an address, where there is a display to open it on.
fn opener() -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("open");
    }
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")).then_some("xdg-open")
}

/// Returns the path and fragment of what is named; `None` if there is no such page.
fn path(what: Option<&str>) -> Option<String> {
    let what = what.unwrap_or_default().trim_start_matches(['/', '#']);
    let path = what.split(['?', '#']).next().unwrap_or_default();
    let is_id = |id: &str| Uuid::try_parse(id).is_ok();
    match path.split('/').collect::<Vec<_>>()[..] {
        ["" | "overview"] => Some("/".to_owned()),
        [id] if is_id(id) => Some(format!("/#/jobs/{id}")),
        ["docs"] => Some(format!("/{what}")),
        ["docs", page] if is_page(page) => Some(format!("/{what}")),
        [view] if VIEWS.contains(&view) => Some(format!("/#/{what}")),
        [page] if is_page(page) => Some(format!("/docs/{what}")),
        [view, id] if VIEWS_OF_ONE.contains(&view) && is_id(id) => Some(format!("/#/{what}")),
        ["trackers", name] | ["trackers", name, "sources"] if !name.is_empty() => {
            Some(format!("/#/{what}"))
        }
        _ => None,
    }
}

fn is_page(name: &str) -> bool {
    PAGES.iter().any(|(slug, _)| *slug == name) || MADE_PAGES.contains(&name)
}

fn unknown(what: Option<&str>) -> CommandError {
    CommandError::WrongUse(format!(
        "WHAT must be the id of a job, a view ({}), one of a view (batches/ID, trackers/NAME), or \
         a page of the guide (docs/quick-start); given: `{}`",
        VIEWS.join(", "),
        printable(what.unwrap_or_default())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_becomes_a_view_of_the_dashboard_or_a_page_of_the_guide() {
        let id = "6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10";
        for (what, shown) in [
            (None, "/".to_owned()),
            (Some("jobs"), "/#/jobs".to_owned()),
            (Some("overview"), "/".to_owned()),
            (Some("#/jobs?status=failed"), "/#/jobs?status=failed".to_owned()),
            (Some("trackers/acme/sources"), "/#/trackers/acme/sources".to_owned()),
            (Some(id), format!("/#/jobs/{id}")),
            (Some("docs"), "/docs".to_owned()),
            (Some("/docs/batches"), "/docs/batches".to_owned()),
            (Some("docs/search?q=a"), "/docs/search?q=a".to_owned()),
            (Some("quick-start"), "/docs/quick-start".to_owned()),
            // A view goes before the page about it.
            (Some("batches"), "/#/batches".to_owned()),
        ] {
            assert_eq!(path(what), Some(shown));
        }
        for what in ["nonsense", "jobs/1", "batches/", "usage/all", "docs/nonsense", "docs/a/b"] {
            assert_eq!(path(Some(what)), None, "{what}");
        }
        assert!(unknown(Some("nonsense")).to_string().contains("schedules"));
    }

    /// The dashboard is the one that knows its views.
    #[test]
    fn views_are_those_of_the_dashboard() {
        let app = include_str!("../http/dashboard/assets/app.js");
        let after = |view: &str| format!("[/^\\/{view}");
        for view in VIEWS.iter().filter(|view| **view != "overview") {
            assert!(app.contains(&format!("{}$/", after(view))), "{view}");
        }
        for view in VIEWS_OF_ONE {
            assert!(app.contains(&format!("{}\\/(", after(view))), "{view}");
        }
        let listed = app.lines().filter(|line| line.starts_with("  [/^\\/") && line.contains("$/"));
        let plain = listed.filter(|line| !line.contains('('));
        assert_eq!(plain.count(), VIEWS.len());
    }
}
