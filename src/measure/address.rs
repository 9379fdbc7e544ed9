//! Addresses in a text, which name no brand though its letters stand in them, and the domains of
//! pages.

use std::net::IpAddr;
use std::ops::Range;

use url::{Host, Url};

use super::script::Script;

/// An address in a text, by its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextAddress {
    pub range: Range<usize>,
    /// Whether it is a domain and nothing else, as some brands are named: `Booking.com`.
    pub is_bare: bool,
}

/// Returns the host of a page's address in lower case, without `www.`; `None` if there is none, or
/// it is an IP address.
pub fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let Some(Host::Domain(domain)) = url.host() else { return None };
    let domain = domain.trim_end_matches('.');
    let domain = domain.strip_prefix("www.").filter(|rest| rest.contains('.')).unwrap_or(domain);
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// Returns the part of a host that somebody can register, by the public suffix list; `None` if the
/// host is such a suffix itself, or not below a known one.
pub fn registrable_domain(host: &str) -> Option<&str> {
    let domain = psl::domain(host.as_bytes())?;
    if !domain.suffix().is_known() {
        return None;
    }
    std::str::from_utf8(domain.as_bytes()).ok()
}

/// Returns the addresses in a text, in order: URLs, e-mail addresses and domains.
pub(super) fn find(text: &str) -> Vec<TextAddress> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let begin = at + rest.find(is_address_char).unwrap_or(rest.len());
        let run = &text[begin..];
        let end = begin + run.find(|c| !is_address_char(c)).unwrap_or(run.len());
        at = read_run(text, begin..end, &mut found).max(end).max(at + 1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    found
}

/// Reads a run of characters that an address may have; returns where what was read ends.
fn read_run(text: &str, run: Range<usize>, found: &mut Vec<TextAddress>) -> usize {
    let part = &text[run.clone()];
    if let Some(start) = url_start(part) {
        let start = run.start + start;
        // A path may have brackets.
        let path = &text[start..];
        let end = path.find(|c: char| c.is_whitespace() || "<>\"«»”“".contains(c) || is_cjk(c));
        let end = start + end.unwrap_or(path.len());
        found.push(TextAddress { range: start..end, is_bare: false });
        return end;
    }
    let mut piece_start = run.start;
    for piece in part.split_inclusive(|c: char| !is_host_char(c)) {
        let separator = piece.chars().next_back().filter(|c| !is_host_char(*c));
        let host = &piece[..piece.len() - separator.map_or(0, char::len_utf8)];
        let end = piece_start + host.len();
        let is_mailbox = text[run.start..piece_start].ends_with('@') && piece_start > run.start + 1;
        if let Some(inner) = domain_in(host) {
            let start = piece_start + inner.start;
            let inner_end = piece_start + inner.end;
            if is_mailbox {
                let local = text[run.start..piece_start - 1].rfind(|c| !is_local_char(c));
                let local = run.start + local.map_or(0, |it| it + 1);
                found.push(TextAddress { range: local..inner_end, is_bare: false });
            } else if separator == Some('/') || separator == Some('?') && end + 1 < run.end {
                found.push(TextAddress { range: start..run.end, is_bare: false });
                return run.end;
            } else if separator != Some('@') {
                found.push(TextAddress { range: start..inner_end, is_bare: true });
            }
        }
        piece_start += piece.len();
    }
    run.end
}

/// Returns where a URL begins in a run.
fn url_start(run: &str) -> Option<usize> {
    if let Some(at) = run.find("://") {
        let scheme = run[..at].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        return (scheme > 0).then_some(at - scheme);
    }
    let lower = run.get(..7).unwrap_or(run).to_ascii_lowercase();
    (lower.starts_with("www.") || lower.starts_with("mailto:")).then_some(0)
}

/// Returns where a domain stands in a run of characters that a host may have.
fn domain_in(run: &str) -> Option<Range<usize>> {
    let is_edge = |c: char| c == '.' || c == '-' || c == '_';
    let start = run.len() - run.trim_start_matches(is_edge).len();
    let inner = run.trim_matches(is_edge);
    if !inner.contains('.') || inner.contains("..") || inner.parse::<IpAddr>().is_ok() {
        return None;
    }
    let last = inner.rsplit('.').next()?;
    // `good.It is` lacks a space; no ending is written with a capital alone.
    let is_one_case = last.chars().all(char::is_lowercase) || last.chars().all(char::is_uppercase);
    if !is_one_case {
        return None;
    }
    let lower = inner.to_lowercase();
    registrable_domain(&lower).map(|_| start..start + inner.len())
}

fn is_cjk(c: char) -> bool {
    Script::of(c).is_unspaced() || Script::of(c) == Script::Hangul || "。、，）」』】".contains(c)
}

fn is_address_char(c: char) -> bool {
    is_host_char(c) || c.is_ascii_graphic() && !"<>\"{}|\\^`[]()".contains(c)
}

fn is_host_char(c: char) -> bool {
    let is_letter = c.is_alphanumeric() && !is_cjk(c);
    is_letter && Script::of(c) != Script::Arabic && Script::of(c) != Script::Hebrew
        || matches!(c, '.' | '-' | '_')
}

fn is_local_char(c: char) -> bool {
    is_host_char(c) || c == '+'
}
