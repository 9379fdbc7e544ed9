//! Pages of a server, opened in a browser where there is a display.

use std::process::{Command, Stdio};

use serde_json::json;
use uuid::Uuid;

use super::client::Client;
use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;

/// Prints the address of a page, and opens it where that is wanted and there is a display.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
pub(crate) fn show(
    client: &Client,
    what: Option<&str>,
    opened: bool,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let url = format!("{}{}", client.address(), path(what));
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

/// Returns the path and fragment of what is named.
fn path(what: Option<&str>) -> String {
    let what = what.unwrap_or_default().trim_start_matches(['/', '#']);
    let first = what.split(['/', '?']).next().unwrap_or_default();
    match what {
        "" => "/".to_owned(),
        id if Uuid::try_parse(id).is_ok() => format!("/#/jobs/{id}"),
        page if first == "docs" => format!("/{page}"),
        view => format!("/#/{view}"),
    }
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
            (Some("#/jobs?status=failed"), "/#/jobs?status=failed".to_owned()),
            (Some(id), format!("/#/jobs/{id}")),
            (Some("docs"), "/docs".to_owned()),
            (Some("/docs/batches"), "/docs/batches".to_owned()),
        ] {
            assert_eq!(path(what), shown);
        }
    }
}
