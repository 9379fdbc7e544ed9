//! Signatures of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.payload`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::SigningKey;

/// Returns the value of `webhook-signature`: `v1,BASE64` of each key, separated by spaces.
pub(crate) fn signatures(keys: &[SigningKey], id: &str, timestamp: &str, payload: &[u8]) -> String {
    let one = |key: &SigningKey| {
        // HMAC takes keys of every length.
        let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).ok()?;
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", payload] {
            mac.update(part);
        }
        Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
    };
    keys.iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signature_is_the_known_answer() {
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let payload = br#"{"test": 2432232314}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(std::slice::from_ref(&key), id, "1614265330", payload), expected);
        let two = signatures(&[key.clone(), key], id, "1614265330", payload);
        assert_eq!(two, format!("{expected} {expected}"));
    }
}
