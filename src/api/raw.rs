//! The raw replies of a job, as they are stored and sent.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Id;

/// The word for a body that is no text.
const BASE64: &str = "base64";

/// The raw replies of the latest attempt of a job for which they are kept.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Raw")]
pub struct RawView {
    pub job_id: Id,
    /// The version of answerd that has read the replies.
    pub parser: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// The upstream whose replies became the result; null if there is no result.
    pub answered_by: Option<String>,
    /// In the order of arrival; of polls only the last.
    pub replies: Vec<RawReplyView>,
    /// The targets of addresses that only redirect.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirects: BTreeMap<String, String>,
}

/// One reply.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "RawReply")]
pub struct RawReplyView {
    /// The upstream's name.
    pub upstream: String,
    /// The HTTP status; null for what was read from a page.
    pub status: Option<u16>,
    pub content_type: Option<String>,
    /// Unchanged except for secrets, which are replaced by `***`; null if `not_kept` says why.
    pub body: Option<String>,
    /// `base64` if the body is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Why there is no body: how large it was, and the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
}

impl RawReplyView {
    /// Takes a body, as text where it is text.
    pub fn put(&mut self, body: Vec<u8>) {
        match String::from_utf8(body) {
            Ok(text) => self.body = Some(text),
            Err(bytes) => {
                self.body = Some(BASE64_STANDARD.encode(bytes.as_bytes()));
                self.encoding = Some(BASE64.to_owned());
            }
        }
    }

    /// Returns the body byte for byte; `None` where it was not kept.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let body = self.body.as_ref()?;
        match self.encoding.as_deref() {
            Some(BASE64) => BASE64_STANDARD.decode(body).ok(),
            Some(_) => None,
            None => Some(body.clone().into_bytes()),
        }
    }
}
