//! The dashboard at `/`: a page and its modules, built in as they are written. It is a client of
//! the API like any other: all that it shows comes over the paths that everybody has, with the same
//! key.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH,
};
use sha2::{Digest, Sha256};

use crate::http::docs;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::security_headers;

const PAGE: &str = include_str!("assets/index.html");
const SCRIPT_TYPE: &str = "text/javascript; charset=utf-8";
const STYLE_TYPE: &str = "text/css; charset=utf-8";
const ICON_TYPE: &str = "image/svg+xml";

/// Names the assets once.
macro_rules! assets {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[$(($name, $kind, include_str!(concat!("assets/", $name)))),*]
    };
}

/// What the page loads: (name, content type, text).
const ASSETS: &[(&str, &str, &str)] = assets![
    "dashboard.css": STYLE_TYPE,
    "icon.svg": ICON_TYPE,
    "theme.js": SCRIPT_TYPE,
    "app.js": SCRIPT_TYPE,
    "alerts.js": SCRIPT_TYPE,
    "batch.js": SCRIPT_TYPE,
    "batches.js": SCRIPT_TYPE,
    "bulk.js": SCRIPT_TYPE,
    "answer.js": SCRIPT_TYPE,
    "api.js": SCRIPT_TYPE,
    "chart.js": SCRIPT_TYPE,
    "compare.js": SCRIPT_TYPE,
    "countries.js": SCRIPT_TYPE,
    "diff.js": SCRIPT_TYPE,
    "differences.js": SCRIPT_TYPE,
    "dom.js": SCRIPT_TYPE,
    "first_run.js": SCRIPT_TYPE,
    "format.js": SCRIPT_TYPE,
    "job.js": SCRIPT_TYPE,
    "job_parts.js": SCRIPT_TYPE,
    "jobs.js": SCRIPT_TYPE,
    "jobs_table.js": SCRIPT_TYPE,
    "live.js": SCRIPT_TYPE,
    "overview.js": SCRIPT_TYPE,
    "overview_parts.js": SCRIPT_TYPE,
    "places.js": SCRIPT_TYPE,
    "prompt.js": SCRIPT_TYPE,
    "prompt_history.js": SCRIPT_TYPE,
    "prompts.js": SCRIPT_TYPE,
    "schedules.js": SCRIPT_TYPE,
    "session.js": SCRIPT_TYPE,
    "shell.js": SCRIPT_TYPE,
    "sign_in.js": SCRIPT_TYPE,
    "sources.js": SCRIPT_TYPE,
    "time_range.js": SCRIPT_TYPE,
    "trace.js": SCRIPT_TYPE,
    "tracker.js": SCRIPT_TYPE,
    "tracker_sources.js": SCRIPT_TYPE,
    "trackers.js": SCRIPT_TYPE,
    "usage.js": SCRIPT_TYPE,
];

/// The tag of every asset, in their order: modules of two versions must never be mixed, so a
/// browser asks again each time.
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |text: &str| {
        let hash = Sha256::digest(text.as_bytes());
        let hexadecimal: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("\"{hexadecimal}\"")
    };
    ASSETS.iter().map(|(_, _, text)| tag(text)).collect()
});

/// Serves `GET /`.
pub(crate) async fn page(_: ApiCall) -> ApiResult {
    let mut reply = security_headers::html(StatusCode::OK, PAGE.to_owned());
    // No text ever becomes markup or code: scripts have to build elements one by one.
    let policy =
        format!("{}; require-trusted-types-for 'script'; trusted-types", security_headers::POLICY);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(reply)
}

/// Serves `GET /dashboard/{file}`.
pub(crate) async fn asset(call: ApiCall) -> ApiResult {
    let file = call.path_parameter("file");
    let Some(at) = ASSETS.iter().position(|(name, _, _)| *name == file.as_str()) else {
        return docs::nothing_at(&call);
    };
    let (_, content_type, text) = ASSETS[at];
    let tag = TAGS[at].as_str();
    let known = call.headers().get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let fresh = known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut reply = if fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    reply.insert_header((CACHE_CONTROL, "no-cache")).insert_header((ETAG, tag));
    Ok(if fresh { reply.finish() } else { reply.content_type(content_type).body(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_built_in_and_every_import_is_one_of_them() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/dashboard/assets");
        let mut files: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "index.html")
            .collect();
        let mut listed: Vec<&str> = ASSETS.iter().map(|(name, _, _)| *name).collect();
        files.sort();
        listed.sort_unstable();
        assert_eq!(files, listed);
        for (name, _, text) in ASSETS {
            for import in text.split(" from \"./").skip(1) {
                let imported = import.split('"').next().unwrap();
                assert!(listed.contains(&imported), "{name} imports {imported}");
            }
        }
    }

    #[test]
    fn nothing_makes_markup_of_text_and_nothing_names_another_host() {
        for (name, _, text) in ASSETS.iter().chain(&[("index.html", "", PAGE)]) {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
            ] {
                assert!(!text.contains(word), "{name} has {word}");
            }
            // The name of the SVG namespace is no address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for start in ["http://", "https://"] {
                let named = text.match_indices(start).any(|(at, _)| {
                    let next = text[at + start.len()..].chars().next();
                    next.is_some_and(char::is_alphanumeric)
                });
                assert!(!named, "{name} names another host");
            }
            assert!(!text.contains(" style=\""), "{name} has an inline style");
        }
    }

    #[test]
    fn every_module_opens_with_its_charter_and_is_of_readable_size() {
        for (name, _, text) in ASSETS.iter().filter(|(_, kind, _)| *kind == SCRIPT_TYPE) {
            assert!(text.starts_with("// "), "{name} has no charter");
            assert!(text.lines().count() <= 350, "{name} is too long");
        }
    }
}
