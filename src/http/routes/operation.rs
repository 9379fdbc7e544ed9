//! A method of a path: its handler, and what the document says of it.

use actix_web::http::Method;
use serde_json::Value;

use super::description::Description;
use crate::http::request::call::Handler;
use crate::http::request::path::PathPattern;

/// A method of a path.
pub(crate) struct Operation {
    pub path: &'static str,
    /// The first is its own; HEAD is served wherever GET is (RFC 9110, section 9.1).
    pub methods: &'static [Method],
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

    pub(crate) fn method(&self) -> &Method {
        &self.methods[0]
    }

    /// Returns the operation object of the document, if the document mentions it.
    pub(crate) fn described(&self, path: &PathPattern, tag: &str) -> Option<Value> {
        let describe = self.description?;
        let takes_key = matches!(self.handler, Handler::Keyed(_));
        Some(describe(Description::new(path, tag, takes_key)).finish())
    }
}

pub(crate) fn get(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::GET, Method::HEAD], path, handler, Some(describe))
}

/// Returns a GET without HEAD, for what must not run because somebody looks (RFC 9110, section
/// 9.2.1).
pub(crate) fn get_only(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::GET], path, handler, Some(describe))
}

/// Returns a GET that the document does not mention.
pub(crate) fn hidden(path: &'static str, handler: Handler) -> Operation {
    Operation::new(&[Method::GET, Method::HEAD], path, handler, None)
}

pub(crate) fn post(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::POST], path, handler, Some(describe))
}

pub(crate) fn patch(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::PATCH], path, handler, Some(describe))
}

pub(crate) fn put(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::PUT], path, handler, Some(describe))
}

pub(crate) fn delete(path: &'static str, handler: Handler, describe: Describe) -> Operation {
    Operation::new(&[Method::DELETE], path, handler, Some(describe))
}
