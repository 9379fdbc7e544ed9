//! Addresses in answers: cleaned, checked, their domains, and those that stand in Markdown.

use std::borrow::Cow;

use pulldown_cmark::{Event, Tag, TagEnd};
use url::Url;

use super::markdown::{self, code_ranges, is_inside};

/// The longest address that is kept, bytes.
pub(crate) const URL_BYTES_MAX: usize = 8_192;

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

/// Names the engine that an address was handed out by.
const UTM_SOURCE: &str = "utm_source=";

/// Ends an address that is written out in a text, beside blanks. An address may hold most of these
/// only encoded.
const ADDRESS_ENDS: &str = "<>\"`|[“”„«»‘’‹›、，。；：！？（）「」『』【】《》〈〉،؛؟۔।॥";
/// Punctuation that belongs to the sentence, where it stands last in an address.
const ADDRESS_LEAVES: &str = ".,;:!?'*_~…";

/// Begins a text fragment: where in the page a browser scrolls to, not another page.
const TEXT_FRAGMENT: &str = ":~:";

/// A link of a Markdown text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// Cleaned.
    pub url: String,
    pub text: String,
}

/// Why an address is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressError {
    NotWeb,
    TooLong,
}

/// Returns an address as answerd passes it on: http or https, in the form of the WHATWG URL
/// standard, without the marks of the engine that handed it out. `None` when it is no such address
/// or longer than `URL_BYTES_MAX`. Cleaning a second time changes nothing.
pub fn clean_url(raw: &str) -> Option<String> {
    cleaned(raw).ok()
}

/// Returns whether an address is left out only because it is longer than `URL_BYTES_MAX`.
pub fn is_too_long(raw: &str) -> bool {
    // Encoding makes three bytes of one at most.
    raw.len() > URL_BYTES_MAX / 3 && cleaned(raw) == Err(AddressError::TooLong)
}

fn cleaned(raw: &str) -> Result<String, AddressError> {
    let raw = raw.trim();
    if raw.len() > URL_BYTES_MAX {
        let is_web = ["http://", "https://"].iter().any(|scheme| {
            raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        return Err(if is_web { AddressError::TooLong } else { AddressError::NotWeb });
    }
    let mut url = Url::parse(raw).map_err(|_| AddressError::NotWeb)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(AddressError::NotWeb);
    }
    // Credentials in an answer's link can only mislead: `https://bank.example@evil.example/`.
    if !url.username().is_empty() || url.password().is_some() {
        url.set_username("").map_err(|()| AddressError::NotWeb)?;
        url.set_password(None).map_err(|()| AddressError::NotWeb)?;
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
    if cleaned.len() <= URL_BYTES_MAX { Ok(cleaned) } else { Err(AddressError::TooLong) }
}

fn is_engine_mark(pair: &str) -> bool {
    pair.strip_prefix(UTM_SOURCE).is_some_and(is_engine)
}

fn is_engine(utm_source: &str) -> bool {
    ENGINE_UTM_SOURCES.iter().any(|engine| engine.eq_ignore_ascii_case(utm_source))
}

/// Returns the host of an address without a leading `www.`; `None` when it has no host.
pub fn domain(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    Some(host.strip_prefix("www.").filter(|bare| !bare.is_empty()).unwrap_or(host).to_owned())
}

/// Returns whether an address lies on X, formerly Twitter.
pub(super) fn is_on_x(url: &str) -> bool {
    domain(url).is_some_and(|host| {
        ["x.com", "twitter.com"].iter().any(|site| {
            host.strip_suffix(site).is_some_and(|left| left.is_empty() || left.ends_with('.'))
        })
    })
}

/// Returns the links of a text in their order, addresses that are written out among them; those
/// that are not http or https are left out, those that come again are not.
pub(super) fn links_in(markdown: &str) -> Vec<Link> {
    placed_links_in(markdown).into_iter().map(|(_, link)| link).collect()
}

/// Returns what [`links_in`] does, each with the byte of the text at which it begins.
pub(super) fn placed_links_in(markdown: &str) -> Vec<(usize, Link)> {
    let link = |Address { at, raw, text }| Some((at, Link { url: clean_url(&raw)?, text }));
    addresses_in(markdown).into_iter().filter_map(link).collect()
}

/// Returns whether a text has a link whose address is too long to be passed on in a list.
pub(super) fn has_long_link(markdown: &str) -> bool {
    markdown.len() > URL_BYTES_MAX / 3
        && addresses_in(markdown).iter().any(|address| is_too_long(&address.raw))
}

/// An address in a text as it is written.
struct Address {
    /// The byte of the text at which its link begins.
    at: usize,
    raw: String,
    /// Of its link.
    text: String,
}

/// Returns the addresses in a text in their order.
#[expect(clippy::wildcard_enum_match_arm, reason = "events of Markdown that mean nothing here")]
fn addresses_in(markdown: &str) -> Vec<Address> {
    let mut found = Vec::new();
    let mut open: Option<Address> = None;
    let mut in_code = false;
    // The end of the last address that was written out.
    let mut read = 0;
    // No link, no address: most of the short answers end here.
    if !markdown.contains("](") && !markdown.contains("://") {
        return found;
    }
    for (event, range) in markdown::parse(markdown).into_iter().flatten() {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                let raw = dest_url.into_string();
                open = Some(Address { at: range.start, raw, text: String::new() });
            }
            Event::End(TagEnd::Link) => found.extend(open.take()),
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) | Event::Code(text) if open.is_some() => {
                if let Some(address) = &mut open {
                    address.text.push_str(&text);
                }
            }
            Event::Text(_) if !in_code => {
                for (at, _) in markdown[range.clone()].match_indices("://") {
                    let at = range.start + at;
                    if at < read {
                        continue;
                    }
                    if let Some((raw, end)) = address_at(markdown, at) {
                        read = end;
                        found.push(Address { at, text: raw.clone(), raw });
                    }
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(address) = &mut open {
                    address.text.push(' ');
                }
            }
            _ => {}
        }
    }
    found
}

/// The address that is written out around the `://` at `at`, and where it ends: without the
/// punctuation behind it, and with those closing brackets that it opens itself.
fn address_at(markdown: &str, at: usize) -> Option<(String, usize)> {
    let before = &markdown[..at];
    let scheme = ["https", "http"].into_iter().find(|scheme| {
        at.checked_sub(scheme.len())
            .and_then(|start| before.get(start..))
            .is_some_and(|word| word.eq_ignore_ascii_case(scheme))
    })?;
    let start = at - scheme.len();
    if before[..start].ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let path = at + "://".len();
    let mut end = path;
    for c in markdown[path..].chars() {
        let is_ipv6 = c == '[' && end == path;
        if c.is_whitespace() || c.is_control() || ADDRESS_ENDS.contains(c) && !is_ipv6 {
            break;
        }
        // In JSON, `\n` is a line's end; in Markdown, `\_` is an underscore.
        if c == '\\' && !markdown[end + 1..].starts_with(|c: char| c.is_ascii_punctuation()) {
            break;
        }
        end += c.len_utf8();
    }
    // How many brackets of each kind the address closes and does not open itself.
    let excess = |close: char, open: char| {
        let address = &markdown[path..end];
        address.matches(close).count().saturating_sub(address.matches(open).count())
    };
    let mut excess = [(')', excess(')', '(')), (']', excess(']', '[')), ('}', excess('}', '{'))];
    while let Some(last) = markdown[path..end].chars().next_back() {
        let bracket = excess.iter_mut().find(|(close, left)| *close == last && *left > 0);
        match bracket {
            Some((_, left)) => *left -= 1,
            None if ADDRESS_LEAVES.contains(last) || last == '\\' => {}
            None => break,
        }
        end -= last.len_utf8();
    }
    if end == path {
        return None;
    }
    let address = markdown[start..end].replace("&amp;", "&").replace('\\', "");
    Some((address, end))
}

/// Returns a text whose addresses are without the marks of the engine that handed them out, as
/// those of all lists are; what stands in code is left alone.
pub(super) fn without_engine_marks(markdown: &str) -> Cow<'_, str> {
    if !markdown.contains(UTM_SOURCE) && !markdown.contains(SEARCH_CALL_FRAGMENT) {
        return Cow::Borrowed(markdown);
    }
    let code = code_ranges(markdown);
    let mut out = String::with_capacity(markdown.len());
    let mut read = 0;
    // Whether the word that is read is an address so far, and how far that was looked at.
    let mut is_address = false;
    let mut seen = 0;
    for (at, _) in markdown.match_indices('=') {
        let piece = &markdown[seen..at];
        let word = piece.rfind(char::is_whitespace).map(|blank| &piece[blank..]);
        is_address = word.unwrap_or(piece).contains("://") || is_address && word.is_none();
        seen = at;
        if !is_address || is_inside(&code, at) {
            continue;
        }
        let Some(mark) = engine_mark(markdown, at + 1) else { continue };
        out.push_str(&markdown[read.min(mark.start)..mark.start]);
        read = mark.end;
    }
    out.push_str(&markdown[read..]);
    Cow::Owned(out)
}

/// Returns what goes of an address where the value at `at` is an engine's mark.
fn engine_mark(markdown: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let before = &markdown[..at];
    if let Some(before) = before.strip_suffix(SEARCH_CALL_FRAGMENT) {
        let address = before.strip_suffix('#')?;
        let is_id = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let rest = markdown[at..].trim_start_matches(is_id);
        return Some(address.len()..markdown.len() - rest.len());
    }
    let before = before.strip_suffix(UTM_SOURCE)?;
    let is_value = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let value = &markdown[at..];
    let value = &value[..value.len() - value.trim_start_matches(is_value).len()];
    let value = value.trim_end_matches(['.', '_', '-']);
    if !is_engine(value) {
        return None;
    }
    let end = at + value.len();
    let after = &markdown[end..];
    if let Some(address) = before.strip_suffix('?') {
        let next = after.strip_prefix("&amp;").or(after.strip_prefix('&'));
        return Some(match next {
            Some(next) => before.len()..markdown.len() - next.len(),
            None => address.len()..end,
        });
    }
    let address = before.strip_suffix("&amp;").or(before.strip_suffix('&'))?;
    Some(address.len()..end)
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

    fn urls(markdown: &str) -> Vec<String> {
        links_in(markdown).into_iter().map(|link| link.url).collect()
    }

    #[test]
    fn written_addresses_are_links_without_the_sentence_around_them() {
        for (markdown, url) in [
            ("See https://a.example/x.", "https://a.example/x"),
            ("See <https://a.example/x>.", "https://a.example/x"),
            ("(https://a.example/x)", "https://a.example/x"),
            ("(see https://a.example/x, please)", "https://a.example/x"),
            ("https://a.example/Ruby_(language)", "https://a.example/Ruby_(language)"),
            ("(https://a.example/Ruby_(language)).", "https://a.example/Ruby_(language)"),
            ("**https://a.example/x**: so", "https://a.example/x"),
            ("\"https://a.example/x\"", "https://a.example/x"),
            ("[https://a.example/x]", "https://a.example/x"),
            ("at https://a.example/x[1]", "https://a.example/x"),
            ("https://a.example/a_b_c?d=e&amp;f=_g_!", "https://a.example/a_b_c?d=e&f=_g"),
            ("https://a.example/a\\_b", "https://a.example/a_b"),
            ("见https://a.example/x。好", "https://a.example/x"),
            ("انظر https://a.example/x،", "https://a.example/x"),
            ("| https://a.example/x|b |\n|---|---|", "https://a.example/x"),
            ("{\"url\": \"https://a.example/x\\nb\"}", "https://a.example/x"),
            ("HTTP://A.example/?utm_source=openai", "http://a.example/"),
            ("http://[::1]:80/x]", "http://[::1]/x"),
        ] {
            assert_eq!(urls(markdown), [url], "{markdown}");
        }
        for markdown in [
            "`https://a.example`",
            "```\nhttps://a.example\n```",
            "xhttps://a.example",
            "https://",
            "https://.",
            "ftp://a.example",
            "    https://a.example",
        ] {
            assert!(urls(markdown).is_empty(), "{markdown}");
        }
        let both = "https://a.example [b](https://b.example) https://c.example";
        assert_eq!(urls(both), ["https://a.example/", "https://b.example/", "https://c.example/"]);
    }

    #[test]
    fn a_link_with_parentheses_in_its_address_is_whole() {
        let url = "https://a.example/Ruby_(programming_language)";
        assert_eq!(urls(&format!("[[1]]({url}) [b]({url})")), [url, url]);
    }

    #[test]
    fn engine_marks_go_from_the_addresses_of_a_text() {
        for (markdown, left) in [
            ("[a](https://a.example/?utm_source=openai)", "[a](https://a.example/)"),
            (
                "[a](https://a.example/?b=1&utm_source=chatgpt.com#c)",
                "[a](https://a.example/?b=1#c)",
            ),
            ("<https://a.example/?utm_source=openai&b=1>", "<https://a.example/?b=1>"),
            ("https://a.example/?utm_source=openai.", "https://a.example/."),
            ("https://a.example/x_(y)?b=1&amp;utm_source=openai", "https://a.example/x_(y)?b=1"),
            ("[1]: https://a.example/?utm_source=openai \"A\"", "[1]: https://a.example/ \"A\""),
            ("[a](https://a.example/#ws_call_id=ws_1-2)", "[a](https://a.example/)"),
        ] {
            assert_eq!(without_engine_marks(markdown), left);
            assert_eq!(without_engine_marks(left), left);
        }
        for markdown in [
            "https://a.example/?utm_source=newsletter",
            "`https://a.example/?utm_source=openai`",
            "Add ?utm_source=openai to it.",
            "https://a.example/?xutm_source=openai",
        ] {
            assert_eq!(without_engine_marks(markdown), markdown);
        }
    }
}
