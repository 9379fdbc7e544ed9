//! The token tree of a result's Markdown, whose tokens `answer` makes.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A token tree.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Tokens")]
pub struct TokensView {
    /// In the order of the text.
    #[schemars(with = "Vec<TokenView>")]
    pub tokens: Vec<Value>,
}

/// A piece of Markdown, named as by the lexer of marked.js; further fields depend on `type`.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Token", extend("additionalProperties" = true))]
pub struct TokenView {
    /// Such as `paragraph` or `link`.
    pub r#type: String,
    /// The piece as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<TokenView>>,
}
