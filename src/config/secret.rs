//! Secrets: they can be used where they are meant to be, and cannot be printed by accident.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// What every secret begins with (Standard Webhooks, "Signature scheme").
pub(crate) const SECRET_PREFIX: &str = "whsec_";
/// Bounds of a secret, bytes (the same section).
pub(crate) const SECRET_BYTES_MIN: usize = 24;
pub(crate) const SECRET_BYTES_MAX: usize = 64;

/// A secret that somebody else issued.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(secret.into())
    }

    /// Returns the secret itself, for the one header that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

/// A key that signs webhooks. It cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads `whsec_` and base64, as a secret is written down.
    pub fn parse(text: &str) -> Option<SigningKey> {
        let bytes = BASE64.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
        (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()).then_some(SigningKey(bytes))
    }

    /// Returns a secret of these bytes as it is written down.
    pub fn text_of(bytes: &[u8]) -> String {
        format!("{SECRET_PREFIX}{}", BASE64.encode(bytes))
    }

    /// Returns the key itself, for the signature.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(hidden)")
    }
}

/// Returns the hash of an API key, as `hash` in `[[keys]]` holds it.
pub fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
