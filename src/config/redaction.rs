//! Which values a sentence may repeat. A key that was put where a name or an address belongs must
//! not reach a screen, a log or a reply.

/// What the keys of providers, of answerd itself and of webhooks begin with.
const SECRET_PREFIXES: [&str; 10] =
    ["ak_", "whsec_", "sk-", "sk_", "pplx-", "xai-", "aiza", "gsk_", "ghp_", "glpat-"];
/// Letters and digits without a break, with both among them, after such a prefix: a model called
/// `pplx-70b-online` and a team called `sk-bratislava-2` have none.
const MARKED_RUN_CHARS_MIN: usize = 12;
/// The same without a prefix: longer runs are in hardly any name or address.
const RUN_CHARS_MIN: usize = 20;
/// The longest name of a variable, in characters.
const VARIABLE_CHARS_MAX: usize = 64;

/// Returns whether a value is a key by its looks. Names and models are never like that.
pub(super) fn is_marked_as_secret(value: &str) -> bool {
    has_prefix(value) && has_run(value, MARKED_RUN_CHARS_MIN)
}

/// Returns whether a value could be a secret, or hold one: a login or a query in an address, a
/// key's prefix, or a long run of letters and digits.
pub(super) fn may_be_secret(value: &str) -> bool {
    has_prefix(value) || value.contains(['@', '?']) || has_run(value, RUN_CHARS_MIN)
}

fn has_prefix(value: &str) -> bool {
    SECRET_PREFIXES.iter().any(|prefix| {
        value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

/// Whether there is a run of letters and digits of at least `chars_min` characters with both among
/// them, or a long one of capital and small letters: one key in two thousand has no digit.
fn has_run(value: &str, chars_min: usize) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
        let letters_and_digits = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
        let both_cases = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        run.len() >= chars_min && letters_and_digits || run.len() >= RUN_CHARS_MIN && both_cases
    })
}

/// Returns a value for an error sentence: in backticks, or the remark that it is not shown.
pub fn quoted(value: &str) -> String {
    if may_be_secret(value) {
        "a value that is not shown here, because it may be a secret".to_owned()
    } else {
        format!("`{value}`")
    }
}

/// Returns whether a value is the name of an environment variable as POSIX has them (XBD 8.1):
/// capital letters, digits and `_`. The keys of most providers have lower-case letters or `-`.
pub(super) fn is_variable(value: &str) -> bool {
    value.len() <= VARIABLE_CHARS_MAX
        && value.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && value
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && !may_be_secret(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_quoted_and_names_are() {
        for secret in [
            "sk-live-51H",
            "sk-proj-abcdefghijklmnop",
            "ak_0123456789abcdefghijABCDEFGHIJ",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "https://user:word@proxy.example:3128",
            "https://api.example/v1?key=abc",
            "0b1e6f0c9a8d7e6f5a4b3c2d1e0f9a8b",
            "Authorization: Bearer abc0123456789defABCDEF",
        ] {
            assert!(!quoted(secret).contains(secret), "{secret}");
        }
        for name in ["127.0.0.1:8080", "verbose", "https://answers.example.com", "a b", "JP", ""] {
            assert_eq!(quoted(name), format!("`{name}`"));
        }
    }

    #[test]
    fn a_variable_is_named_in_capitals_and_a_key_is_no_variable() {
        for name in ["OPENAI_API_KEY", "_KEY", "K2"] {
            assert!(is_variable(name), "{name}");
        }
        for wrong in [
            "sk-live-51H",
            "openai_api_key",
            "AIzaSyA0123456789abcdefghijABCDEFGHIJ",
            "Zk3mVq8RtY2wXb5nLc7dFg9h",
            "0123456789abcdef0123456789abcdef",
            "MZXW6YTBOI2DKMRXGQ4TCNZY",
            "OPENAI API KEY",
            "../OPENAI_API_KEY",
            "2KEYS",
            "",
        ] {
            assert!(!is_variable(wrong), "{wrong}");
        }
    }

    #[test]
    fn models_and_names_are_not_taken_for_keys() {
        for name in [
            "pplx-70b-online",
            "gpt-4o-mini-2024-07-18",
            "ft:gpt-4o-mini-2024-07-18:org::AbCdEf12",
            "accounts/fireworks/models/llama-v3p1-405b-instruct",
            "team-a",
            "sk-team-bratislava-2",
            "6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10",
        ] {
            assert!(!is_marked_as_secret(name), "{name}");
        }
        for key in [
            "sk-proj-abcdefgh01234567",
            "AIzaSyA0123456789abcdefghij",
            "ak_0123456789abcdefghij",
            "ak_KQccYmlSwcrmKDcDiuVxOtVpQsVbcDNtfHqhnGaFEVy",
        ] {
            assert!(is_marked_as_secret(key), "{key}");
        }
    }
}
