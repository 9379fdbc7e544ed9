//! The rules of `webhook_url` (contract part 2).

use super::invalid::{Invalid, Rule, quoted};

/// The longest `webhook_url`, in characters (contract part 2).
pub const WEBHOOK_URL_CHARS_MAX: usize = 2_048;

/// Checks an address that a client wants to be told at, and gives it as it is called: http or
/// https, with a host, without a login and without a fragment, at most [`WEBHOOK_URL_CHARS_MAX`]
/// characters. Which host it is, is looked at when it is called.
///
/// # Errors
/// Returns an error if it is not such an address.
pub fn check_webhook_url(given: &str) -> Result<String, Invalid> {
    let refused = |rule: &str| {
        let rule = format!("Parameter `webhook_url` must be {rule}");
        // A login is a secret, which an error must not repeat.
        let shown = if given.contains('@') { "an address with `@`".into() } else { quoted(given) };
        Err(Invalid::new(Rule::WebhookUrlInvalid, format!("{rule}; given: {shown}.")))
    };
    let chars = given.chars().count();
    if chars > WEBHOOK_URL_CHARS_MAX {
        return Err(Invalid::new(
            Rule::WebhookUrlInvalid,
            format!(
                "Parameter `webhook_url` must be at most {WEBHOOK_URL_CHARS_MAX} characters; \
                 given: {chars} characters."
            ),
        ));
    }
    let url = url::Url::parse(given).ok().filter(url::Url::has_host);
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return refused("an http(s) address with a host, such as `https://app.example.com/hook`");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refused("an address without a user name or a password");
    }
    if url.fragment().is_some() {
        return refused("an address without a fragment (`#`)");
    }
    if url.as_str().len() > WEBHOOK_URL_CHARS_MAX {
        return refused(&format!(
            "at most {WEBHOOK_URL_CHARS_MAX} characters, percent-encoded as it is called"
        ));
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_a_plain_web_address() {
        let long = format!("https://a.example/{}", "x".repeat(WEBHOOK_URL_CHARS_MAX - 18));
        for (given, called) in [
            ("https://a.example/hook?x=1", "https://a.example/hook?x=1"),
            ("HTTP://A.example:80", "http://a.example/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(check_webhook_url(given).as_deref(), Ok(called));
        }
        for wrong in [
            "",
            "a.example/hook",
            "ftp://a.example/",
            "https:///",
            "https://user@a.example/",
            "https://:secret@a.example/",
            "https://a.example/#top",
            "http://a b/",
            &format!("{long}x"),
            &format!("https://a.example/{}", "ü".repeat(1_000)),
        ] {
            let refused = check_webhook_url(wrong).unwrap_err();
            assert_eq!(refused.rule, Rule::WebhookUrlInvalid, "{wrong}");
            assert!(refused.sentence.contains("`webhook_url` must be"), "{refused}");
            assert!(!refused.sentence.contains("secret"), "{refused}");
        }
    }
}
