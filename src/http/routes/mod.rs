//! Every route once: method, path, handler, error codes, example reply. Dispatch, 405 with `Allow`, the
//! labels of the metrics, the OpenAPI document and the guide's reference all come from this table.

mod batches;
pub mod description;
mod jobs;
mod operations;
mod pages;
mod scrapes;

use std::sync::LazyLock;

use actix_web::dev::Url;
use actix_web::http::{Method, Uri};

use crate::http::request::call::Handler;
use description::Description;

/// A group of routes.
pub struct Group {
    pub tag: &'static str,
    pub about: &'static str,
    operations: fn() -> Vec<Operation>,
}

/// In the order of the reference.
pub const GROUPS: [Group; 5] = [
    Group {
        tag: "scrapes",
        about: "Asking scrapers, at once or as jobs.",
        operations: scrapes::operations,
    },
    Group {
        tag: "jobs",
        about: "What has become of a job. An id cannot be guessed, so most of it needs no key.",
        operations: jobs::operations,
    },
    Group {
        tag: "batches",
        about: "Jobs that are submitted together.",
        operations: batches::operations,
    },
    Group {
        tag: "operations",
        about: "How the service fares, and what a key has used.",
        operations: operations::operations,
    },
    Group {
        tag: "pages",
        about: "What is for people in a browser.",
        operations: pages::operations,
    },
];

/// The table. The first route whose path fits a request is its route.
pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let mut routes: Vec<Route> = Vec::new();
    for group in GROUPS {
        for operation in (group.operations)() {
            let path = operation.path;
            let known = routes.iter().position(|route| route.path == path);
            let at = known.unwrap_or_else(|| {
                routes.push(Route {
                    path,
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
pub struct Route {
    /// With parameters in braces, as in `/jobs/{job_id}`.
    pub path: &'static str,
    pub tag: &'static str,
    pub operations: Vec<Operation>,
    /// The methods, as the header `Allow` lists them.
    pub allow: String,
}

/// A method of a path.
pub struct Operation {
    path: &'static str,
    /// The first is its own; HEAD is served wherever GET is (RFC 9110, section 9.1).
    methods: &'static [Method],
    pub handler: Handler,
    /// `None` for what only our own pages ask for.
    pub description: Option<Describe>,
}

type Describe = fn(Description) -> Description;

impl Operation {
    fn new(
        methods: &'static [Method],
        path: &'static str,
        handler: Handler,
        description: Option<Describe>,
    ) -> Operation {
        Operation { path, methods, handler, description }
    }

    pub fn method(&self) -> &Method {
        &self.methods[0]
    }
}

fn get(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::GET, Method::HEAD], path, handler, Some(describe))
}

/// Returns a GET without HEAD, for what must not run because somebody looks (RFC 9110, section 9.2.1).
fn get_only(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::GET], path, handler, Some(describe))
}

/// Returns a GET that the document does not mention.
fn hidden(path: &'static str, handler: Handler) -> Operation {
    Operation::new(&[Method::GET, Method::HEAD], path, handler, None)
}

fn post(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::POST], path, handler, Some(describe))
}

fn delete(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::DELETE], path, handler, Some(describe))
}

impl Route {
    /// Returns what answers a method.
    pub fn handler(&self, method: &Method) -> Option<&Handler> {
        let taken = self.operations.iter().find(|operation| operation.methods.contains(method));
        taken.map(|operation| &operation.handler)
    }
}

/// The route of a request.
pub struct Found {
    pub route: &'static Route,
    /// Its place in [`ROUTES`].
    pub index: usize,
    /// What stands in the place of its parameters, still encoded.
    pub captures: Vec<String>,
}

/// Returns the route of a URL.
pub fn find(uri: &Uri) -> Option<Found> {
    let decoded;
    let path = if uri.path().contains('%') {
        // All but what would change the path's parts.
        decoded = Url::new(uri.clone());
        decoded.path()
    } else {
        uri.path()
    };
    ROUTES.iter().enumerate().find_map(|(index, route)| {
        let captures = captures(route.path, path)?;
        let captures = captures.into_iter().map(str::to_owned).collect();
        Some(Found { route, index, captures })
    })
}

/// Returns what stands in the place of a pattern's parameters, if the path fits it.
fn captures<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut captures = Vec::new();
    let (mut parts, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (parts.next(), segments.next()) {
            (None, None) => return Some(captures),
            (Some(part), Some(segment)) => match part.split_once('}') {
                Some((_, suffix)) => {
                    let value = segment.strip_suffix(suffix)?;
                    captures.push(Some(value).filter(|value| !value.is_empty())?);
                }
                None if part == segment => {}
                None => return None,
            },
            (None, Some(_)) | (Some(_), None) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn paths_are_found_with_their_parameters() {
        let found = |path: &str| {
            let found = find(&path.parse().unwrap())?;
            Some((found.route.path, found.captures))
        };
        let of = |path, captures: &[&str]| {
            Some((path, captures.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()))
        };
        assert_eq!(found("/"), of("/", &[]));
        assert_eq!(found("/jobs"), of("/jobs", &[]));
        assert_eq!(found("/jobs/a"), of("/jobs/{job_id}", &["a"]));
        assert_eq!(found("/%6Aobs/%61%2Fb?c"), of("/jobs/{job_id}", &["a%2Fb"]));
        assert_eq!(found("/md/a.b.json"), of("/md/{job_id}.json", &["a.b"]));
        assert_eq!(found("/docs/search"), of("/docs/search", &[]));
        assert_eq!(found("/docs/api"), of("/docs/{page}", &["api"]));
        let file = of("/jobs/{job_id}/evidence/{file}", &["a", "1.png"]);
        assert_eq!(found("/jobs/a/evidence/1.png"), file);
        for none in ["/jobs/", "//jobs", "/jobs/a/", "/md/.md", "/md/a.txt", "/none", "/a/b/c/d/e"]
        {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn every_operation_is_reached_by_its_own_path_alone() {
        let mut known = BTreeSet::new();
        for (index, route) in ROUTES.iter().enumerate() {
            let path = route.path.replace(['{', '}'], "");
            assert_eq!(find(&path.parse().unwrap()).map(|found| found.index), Some(index));
            for operation in &route.operations {
                for method in operation.methods {
                    assert!(known.insert((path.clone(), method.as_str())), "{method} {path}");
                }
            }
        }
    }
}
