//! The pages that an answer uses, by their addresses.

use url::Url;

/// The most pages that are counted of one answer.
pub(super) const PAGES_OF_ANSWER_MAX: usize = 50;
/// The longest address that is counted, bytes.
pub(super) const PAGE_URL_BYTES_MAX: usize = 300;

/// A page that an answer used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUse {
    pub url: String,
    /// Whether the answer cites it; otherwise it only consulted it.
    pub cited: bool,
}

/// Returns the pages that an answer used, each once; what stands first is kept where there are too
/// many.
pub(super) fn used_pages<'a>(used: impl Iterator<Item = (&'a str, bool)>) -> Vec<PageUse> {
    let mut known: Vec<PageUse> = Vec::new();
    for (url, cited) in used {
        let Some(url) = address(url) else { continue };
        let has_room = known.len() < PAGES_OF_ANSWER_MAX;
        match known.iter_mut().find(|page| page.url == url) {
            Some(page) => page.cited |= cited,
            None if has_room => known.push(PageUse { url, cited }),
            None => {}
        }
    }
    known
}

/// Returns the address that a page is counted by: without a fragment, and without the parameters
/// that engines add to say where a reader comes from.
fn address(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_web || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_fragment(None);
    let query = url.query().map(|query| {
        let own = query.split('&').filter(|pair| !pair.starts_with("utm_"));
        own.collect::<Vec<_>>().join("&")
    });
    url.set_query(query.as_deref().filter(|query| !query.is_empty()));
    let text = String::from(url);
    (text.len() <= PAGE_URL_BYTES_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_counted_by_its_address_without_where_a_reader_comes_from() {
        let long = format!("https://a.example/{}", "x".repeat(PAGE_URL_BYTES_MAX));
        for (given, expected) in [
            ("https://A.example/b#part", Some("https://a.example/b")),
            ("https://a.example/b?utm_source=chatgpt.com", Some("https://a.example/b")),
            ("https://a.example/?a=1&utm_source=x&b=2", Some("https://a.example/?a=1&b=2")),
            ("https://a.example", Some("https://a.example/")),
            ("https://me:word@a.example/", None),
            ("javascript:alert(1)", None),
            ("no address", None),
            (long.as_str(), None),
        ] {
            assert_eq!(address(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn cited_pages_are_kept_where_an_answer_has_too_many() {
        let urls: Vec<String> = (0..80).map(|at| format!("https://a.example/{at}")).collect();
        let used = urls[70..].iter().map(|url| (url.as_str(), true));
        let used = used_pages(used.chain(urls.iter().map(|url| (url.as_str(), false))));
        assert_eq!(used.len(), PAGES_OF_ANSWER_MAX);
        assert_eq!(used.iter().filter(|page| page.cited).count(), 10);
        assert_eq!(used[0], PageUse { url: urls[70].clone(), cited: true });
    }
}
