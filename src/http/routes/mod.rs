//! Every route once: method, path, handler, error codes, example reply. Dispatch, 405 with `Allow`,
//! the labels of the metrics, the OpenAPI document and the guide's reference all come from this
//! table.

mod alerts;
mod batches;
pub(crate) mod description;
mod jobs;
mod mcp;
mod operation;
mod operations;
mod pages;
mod schedules;
mod scrapes;
mod trackers;

use std::sync::LazyLock;

use actix_web::http::Method;

use crate::http::request::call::Handler;
use crate::http::request::path::PathPattern;
use operation::{Operation, delete, get, get_only, hidden, patch, post};

/// A group of routes.
pub(crate) struct Group {
    pub tag: &'static str,
    pub about: &'static str,
    operations: fn() -> Vec<Operation>,
}

/// In the order of the reference.
pub(crate) const GROUPS: [Group; 9] = [
    Group {
        tag: "scrapes",
        about: "Asking scrapers, at once or as jobs.",
        operations: scrapes::operations,
    },
    Group {
        tag: "jobs",
        about: "State and result of a job. Ids cannot be guessed, so most of it needs no key.",
        operations: jobs::operations,
    },
    Group {
        tag: "batches",
        about: "Jobs that are submitted together.",
        operations: batches::operations,
    },
    Group {
        tag: "schedules",
        about: "Batches that are submitted again and again.",
        operations: schedules::operations,
    },
    Group {
        tag: "alerts",
        about: "Notices when what was measured crosses a limit.",
        operations: alerts::operations,
    },
    Group {
        tag: "trackers",
        about: "Brands that are looked for in answers, and reports over that.",
        operations: trackers::operations,
    },
    Group {
        tag: "mcp",
        about: "The same for AI assistants, as tools.",
        operations: mcp::operations,
    },
    Group {
        tag: "operations",
        about: "The health of the service, and the usage of a key.",
        operations: operations::operations,
    },
    Group {
        tag: "pages",
        about: "What is for people in a browser.",
        operations: pages::operations,
    },
];

/// The table. The first route whose path fits a request is its route.
pub(crate) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let mut routes: Vec<Route> = Vec::new();
    for group in GROUPS {
        for operation in (group.operations)() {
            let path = operation.path;
            let known = routes.iter().position(|route| route.path.text == path);
            let at = known.unwrap_or_else(|| {
                routes.push(Route {
                    path: PathPattern::new(path),
                    tag: group.tag,
                    operations: Vec::new(),
                    allow: String::new(),
                });
                routes.len() - 1
            });
            let route = &mut routes[at];
            for method in operation.methods {
                let comma = if route.allow.is_empty() { "" } else { ", " };
                route.allow.push_str(&format!("{comma}{method}"));
            }
            route.operations.push(operation);
        }
    }
    routes
});

/// A path and what it takes.
pub(crate) struct Route {
    pub path: PathPattern,
    pub tag: &'static str,
    pub operations: Vec<Operation>,
    /// The methods, as the header `Allow` lists them.
    pub allow: String,
}

impl Route {
    /// Returns what answers a method.
    pub(crate) fn handler(&self, method: &Method) -> Option<&Handler> {
        let taken = self.operations.iter().find(|operation| operation.methods.contains(method));
        taken.map(|operation| &operation.handler)
    }
}

/// Returns the place in [`ROUTES`] of the route that a path fits.
pub(crate) fn find(path: &str) -> Option<usize> {
    ROUTES.iter().position(|route| route.path.fits(path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn paths_are_found_with_their_parameters() {
        let found = |path: &str| find(path).map(|at| ROUTES[at].path.text);
        for (path, expected) in [
            ("/", "/"),
            ("/jobs", "/jobs"),
            ("/jobs/a", "/jobs/{job_id}"),
            ("/md/a.b.json", "/md/{job_id}.json"),
            ("/docs/search", "/docs/search"),
            ("/docs/api", "/docs/{page}"),
            ("/jobs/a/evidence/1.png", "/jobs/{job_id}/evidence/{file}"),
        ] {
            assert_eq!(found(path), Some(expected));
        }
        for none in [
            "/jobsa",
            "/jobs/a/evidence/b/",
            "/jobs/",
            "//jobs",
            "/jobs/a/",
            "/md/.md",
            "/md/a.txt",
            "/none",
            "/a/b/c/d/e",
        ] {
            assert_eq!(found(none), None, "{none}");
        }
        let parameter = |path: &str, name| {
            let route = &ROUTES[find(path).unwrap()];
            route.path.capture(path, name).map(str::to_owned)
        };
        assert_eq!(parameter("/jobs/a/evidence/b", "job_id").as_deref(), Some("a"));
        assert_eq!(parameter("/jobs/a/evidence/b", "file").as_deref(), Some("b"));
        assert_eq!(parameter("/md/a.b.json", "job_id").as_deref(), Some("a.b"));
    }

    #[test]
    fn every_operation_is_reached_by_its_own_path_alone() {
        let mut known = BTreeSet::new();
        for (index, route) in ROUTES.iter().enumerate() {
            let path = route.path.text.replace(['{', '}'], "");
            assert_eq!(find(&path), Some(index));
            for operation in &route.operations {
                for method in operation.methods {
                    assert!(known.insert((path.clone(), method.as_str())), "{method} {path}");
                }
            }
        }
    }
}
