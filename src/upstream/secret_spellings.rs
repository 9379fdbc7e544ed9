//! The secrets of an upstream in whatever spelling a provider repeats them: what finds them in its
//! words and takes them out of its replies.

use std::iter::successors;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use crate::config;

/// A shorter part of a key (of `login:password`) is no secret by itself, in bytes.
const SECRET_BYTES_MIN: usize = 4;
/// What stands in the place of a secret.
const REMOVED: &[u8] = b"***";

/// Secrets, in lower case.
#[derive(Clone, Default)]
pub(crate) struct SecretSpellings(Vec<Vec<u8>>);

impl SecretSpellings {
    /// Returns those of an upstream: its key with the parts of it, and the login at its proxy.
    pub(crate) fn of(settings: &config::Upstream) -> SecretSpellings {
        let key = settings.api_key.as_ref().map_or("", config::Secret::reveal);
        let mut secrets = vec![key.to_owned()];
        if key.contains(':') {
            secrets.push(BASE64_STANDARD.encode(key));
            secrets.extend(key.split(':').map(str::to_owned));
        }
        let proxy = settings.proxy.as_ref().and_then(|proxy| Url::parse(proxy.reveal()).ok());
        secrets.extend(proxy.and_then(|url| url.password().map(str::to_owned)));
        let lower = secrets.into_iter().map(|secret| secret.to_lowercase().into_bytes());
        let mut secrets: Vec<Vec<u8>> =
            lower.filter(|secret| secret.len() >= SECRET_BYTES_MIN).collect();
        // The whole key goes before its parts.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        SecretSpellings(secrets)
    }

    /// Returns whether a text holds one of them: in any case, percent-encoded, or escaped as in
    /// JSON.
    pub(crate) fn are_in(&self, text: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let plain = plain(text);
        (0..plain.len()).any(|at| self.at_start_of(&plain[at..]).is_some())
    }

    /// Returns a text with `***` in the place of each of them; all else stays byte for byte.
    pub(crate) fn without(&self, text: Vec<u8>) -> Vec<u8> {
        if !self.are_in(&text) {
            return text;
        }
        let plain = plain(&text);
        let starts: Vec<usize> = starts(&text).collect();
        let mut kept = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < plain.len() {
            let secret = self.at_start_of(&plain[at..]);
            let next = at + secret.map_or(1, Vec::len);
            kept.extend_from_slice(secret.map_or(&text[starts[at]..starts[next]], |_| REMOVED));
            at = next;
        }
        kept
    }

    /// Returns the longest secret that a plain text begins with.
    fn at_start_of(&self, plain: &[u8]) -> Option<&Vec<u8>> {
        self.0.iter().find(|secret| plain.starts_with(secret))
    }
}

/// Where each character of a text begins, an escaped one as a whole; the text's end is the last.
fn starts(text: &[u8]) -> impl Iterator<Item = usize> {
    successors(Some(0), |at| (*at < text.len()).then(|| at + one(&text[*at..]).1))
}

/// The text in lower case, without escapes.
fn plain(text: &[u8]) -> Vec<u8> {
    starts(text).filter(|at| *at < text.len()).map(|at| one(&text[at..]).0).collect()
}

/// The first byte of a text that is not empty, and how many bytes it is spelled with.
fn one(text: &[u8]) -> (u8, usize) {
    let spelled = match text {
        [b'%', digits @ ..] => hexadecimal(digits, 2).map(|byte| (byte, 3)),
        [b'\\', b'u', digits @ ..] => hexadecimal(digits, 4).map(|byte| (byte, 6)),
        [b'\\', b'/', ..] => Some((b'/', 2)),
        _ => None,
    };
    let (byte, length) = spelled.unwrap_or((text[0], 1));
    (byte.to_ascii_lowercase(), length)
}

/// The byte that so many digits stand for.
fn hexadecimal(digits: &[u8], count: usize) -> Option<u8> {
    let digits = digits.get(..count)?;
    let text = std::str::from_utf8(digits).ok()?;
    digits.iter().all(u8::is_ascii_hexdigit).then(|| u8::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, UpstreamKind};
    use crate::upstream::providers::test_support::settings;

    fn spellings(key: &str) -> SecretSpellings {
        let mut settings = settings(UpstreamKind::Dataforseo);
        settings.api_key = Some(Secret::new(key));
        settings.proxy = Some(Secret::new("http://me:proxy-word@proxy.example"));
        SecretSpellings::of(&settings)
    }

    #[test]
    fn secrets_are_removed_in_every_spelling_and_nothing_else_is() {
        let secrets = spellings("log/in:password");
        for (text, kept) in [
            ("a log/in:password b", "a *** b"),
            ("LOG\\/IN%3apassword", "***"),
            ("\\u006cog/in and Pass%77ord.", "*** and ***."),
            ("bG9nL2luOnBhc3N3b3Jk", "***"),
            ("proxy-word", "***"),
            ("100 % naïve \\u00e9 \\n %zz \\u12", "100 % naïve \\u00e9 \\n %zz \\u12"),
            ("", ""),
        ] {
            let removed = secrets.without(text.as_bytes().to_vec());
            assert_eq!(String::from_utf8(removed).unwrap(), kept, "{text}");
            assert_eq!(secrets.are_in(text.as_bytes()), text != kept, "{text}");
        }
    }

    #[test]
    fn without_a_key_everything_stays() {
        let mut settings = settings(UpstreamKind::Compatible);
        settings.api_key = None;
        let secrets = SecretSpellings::of(&settings);
        assert_eq!(secrets.without(b"all of \xff it".to_vec()), b"all of \xff it");
        assert_eq!(spellings("a:b").0.len(), 2, "parts of one letter are none");
    }
}
