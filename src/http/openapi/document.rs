//! The document as it is read and as it is sent.

use serde_json::Value;

/// The OpenAPI document of the service.
pub(crate) struct Document {
    pub value: Value,
    /// The same as JSON text.
    pub text: String,
}
