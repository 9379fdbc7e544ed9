//! The token tree of a result's Markdown; the result itself has its schema from `answer`.

use serde_json::Value;

use super::{list, object, of, text};

pub fn tokens() -> Value {
    object("A token tree.", &[("tokens", list(of("Token"), "In the order of the text."))])
}

/// Returns what every token has, whatever its type.
pub fn token() -> Value {
    let mut schema = object(
        "A piece of Markdown, as the lexer of marked.js names it: what else it has depends on `type`.",
        &[
            ("type", text("Such as `paragraph` or `link`.")),
            ("raw?", text("The piece as it was written.")),
            ("text?", text("What it says.")),
            ("tokens?", list(of("Token"), "Its parts.")),
        ],
    );
    schema["additionalProperties"] = true.into();
    schema
}
