//! Addresses in answers: cleaned, checked, their domains, and those that stand in Markdown.

use pulldown_cmark::{Event, Tag, TagEnd};
use url::Url;

use super::markdown;

/// The longest address that is kept, bytes.
pub const URL_BYTES_MAX: usize = 8_192;

/// Values of `utm_source` with which engines mark the links they hand out. Others are the site's
/// own and stay.
const ENGINE_UTM_SOURCES: &[&str] = &[
    "openai",
    "chatgpt",
    "chatgpt.com",
    "perplexity",
    "perplexity.ai",
    "copilot",
    "copilot.com",
    "copilot.microsoft.com",
    "gemini",
    "gemini.google.com",
    "grok",
    "grok.com",
    "x.ai",
    "claude",
    "claude.ai",
    "mistral",
    "deepseek",
];

/// With this DeepSeek ties a link to one of its searches; it means nothing outside.
const SEARCH_CALL_FRAGMENT: &str = "ws_call_id=";

/// Begins a text fragment: where in the page a browser scrolls to, not another page.
const TEXT_FRAGMENT: &str = ":~:";

/// A link of a Markdown text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Cleaned.
    pub url: String,
    pub text: String,
}

/// An address as answerd gives it: http or https, in the form of the WHATWG URL standard, without
/// the marks of the engine that handed it out. `None` when it is no such address or longer than
/// `URL_BYTES_MAX`. Cleaning a second time changes nothing.
pub fn clean_url(raw: &str) -> Option<String> {
    if raw.len() > URL_BYTES_MAX {
        return None;
    }
    let mut url = Url::parse(raw.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return None;
    }
    // Credentials in an answer's link can only mislead: `https://bank.example@evil.example/`.
    if !url.username().is_empty() || url.password().is_some() {
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
    }
    if let Some(query) = url.query()
        && query.split('&').any(is_engine_mark)
    {
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_engine_mark(pair)).collect();
        let kept = kept.join("&");
        url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
    }
    if let Some(fragment) = url.fragment() {
        let kept = match fragment.find(TEXT_FRAGMENT) {
            _ if fragment.starts_with(SEARCH_CALL_FRAGMENT) => "",
            Some(at) => &fragment[..at],
            None => fragment,
        };
        if kept.len() < fragment.len() {
            let kept = kept.to_owned();
            url.set_fragment(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
        }
    }
    let cleaned = String::from(url);
    (cleaned.len() <= URL_BYTES_MAX).then_some(cleaned)
}

fn is_engine_mark(pair: &str) -> bool {
    pair.strip_prefix("utm_source=").is_some_and(|value| {
        ENGINE_UTM_SOURCES.iter().any(|engine| engine.eq_ignore_ascii_case(value))
    })
}

/// The host of an address without a leading `www.`; `None` when it has no host.
pub fn domain(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    Some(host.strip_prefix("www.").filter(|bare| !bare.is_empty()).unwrap_or(host).to_owned())
}

/// Whether an address lies on X, formerly Twitter.
pub(super) fn is_on_x(url: &str) -> bool {
    domain(url).is_some_and(|host| {
        ["x.com", "twitter.com"].iter().any(|site| {
            host.strip_suffix(site).is_some_and(|left| left.is_empty() || left.ends_with('.'))
        })
    })
}

/// The links of a text in their order, addresses cleaned; those that are not http or https are
/// left out, those that come again are not.
pub(super) fn links_in(markdown: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut open: Option<Link> = None;
    // No link, no address: most of the short answers end here.
    if !markdown.contains("](") && !markdown.contains("://") {
        return links;
    }
    for (event, _) in markdown::parse(markdown).into_iter().flatten() {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                open = clean_url(&dest_url).map(|url| Link { url, text: String::new() });
            }
            Event::End(TagEnd::Link) => links.extend(open.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(link) = &mut open {
                    link.text.push_str(&text);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(link) = &mut open {
                    link.text.push(' ');
                }
            }
            _ => {}
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_the_marks_of_engines_and_nothing_else() {
        for (raw, cleaned) in [
            ("https://a.example/p?utm_source=openai", "https://a.example/p"),
            (
                "https://a.example/p?a=1&utm_source=chatgpt.com&b=%20",
                "https://a.example/p?a=1&b=%20",
            ),
            (
                "https://a.example/?utm_source=newsletter",
                "https://a.example/?utm_source=newsletter",
            ),
            ("https://a.example/#ws_call_id=ws_1", "https://a.example/"),
            ("https://a.example/#part:~:text=some%20words", "https://a.example/#part"),
            ("https://a.example/?q#:~:text=x", "https://a.example/?q"),
            (" HTTPS://A.Example ", "https://a.example/"),
            ("https://bank.example:x@evil.example/", "https://evil.example/"),
            ("https://a.example/?q=a&q=a#f", "https://a.example/?q=a&q=a#f"),
        ] {
            assert_eq!(clean_url(raw).as_deref(), Some(cleaned), "{raw}");
            assert_eq!(clean_url(cleaned).as_deref(), Some(cleaned), "{raw} twice");
        }
    }

    #[test]
    fn what_is_no_web_address_is_dropped() {
        let long = format!("https://a.example/{}", "a".repeat(URL_BYTES_MAX));
        for raw in ["", "a.example", "javascript:alert(1)", "file:///etc/passwd", "data:,", &long] {
            assert_eq!(clean_url(raw), None, "{raw}");
        }
    }

    #[test]
    fn domains_go_without_www() {
        assert_eq!(domain("https://www.a.example/x").as_deref(), Some("a.example"));
        assert_eq!(domain("https://www.").as_deref(), Some("www."));
        assert_eq!(domain("nothing"), None);
    }

    #[test]
    fn x_is_known_by_its_host() {
        for url in ["https://x.com/a", "https://www.twitter.com/a", "https://mobile.x.com/"] {
            assert!(is_on_x(url), "{url}");
        }
        assert!(!is_on_x("https://netflix.com/") && !is_on_x("https://a.example/x.com"));
    }

    #[test]
    fn links_are_found_in_order_with_their_text() {
        let markdown = "[a *b* `c`](https://a.example) and <https://b.example/x>, \
                        [no](mailto:x@a.example), `[code](https://c.example)`";
        let found = links_in(markdown);
        let pairs: Vec<_> = found.iter().map(|l| (l.url.as_str(), l.text.as_str())).collect();
        assert_eq!(
            pairs,
            [("https://a.example/", "a b c"), ("https://b.example/x", "https://b.example/x")]
        );
    }
}
