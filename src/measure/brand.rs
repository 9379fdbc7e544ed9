//! A brand as its owner describes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A brand as it is looked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Brand {
    /// The name that reports show, and that is looked for; at most 80 characters.
    pub name: String,
    /// Other names of it; at most 20.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its domains, with all that is below each; at most 20.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Whether it is yours.
    #[serde(default)]
    pub own: bool,
    /// Whether names are compared with their case; where it is not given, those with fewer than
    /// four letters are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
}
