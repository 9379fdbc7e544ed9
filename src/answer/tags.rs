//! HTML that stands as a block in Markdown: its text without the tags.

/// Elements whose content is no text.
const SILENT: &[&str] = &["script", "style"];

/// Returns the text of a piece of HTML: tags, comments, scripts and styles dropped, the commonest
/// entities decoded. One pass; no tree is built, so nesting costs nothing.
pub(super) fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with("<!--") {
            rest.find("-->").map(|close| close + 3)
        } else if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
            rest.find('>').map(|close| close + 1)
        } else {
            text.push('<');
            rest = &rest[1..];
            continue;
        };
        // A tag that never ends swallows what follows, as in a browser.
        let tag = &rest[..end.unwrap_or(rest.len())];
        rest = &rest[tag.len()..];
        if is_element(tag, "br") {
            text.push('\n');
        }
        if let Some(name) = SILENT.iter().find(|name| is_element(tag, name)) {
            rest = after_closing(rest, name);
        }
    }
    text.push_str(rest);
    decoded(text)
}

fn is_element(tag: &str, name: &str) -> bool {
    tag.get(1..=name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && tag[1 + name.len()..].starts_with(|c: char| !c.is_ascii_alphanumeric())
}

/// What follows the element's closing tag; nothing where it is never closed.
fn after_closing<'a>(html: &'a str, name: &str) -> &'a str {
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return rest.find('>').map_or("", |close| &rest[close + 1..]);
        }
    }
    ""
}

fn decoded(text: String) -> String {
    if !text.contains('&') {
        return text;
    }
    // The ampersand last, or `&amp;lt;` would be decoded twice.
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text, |text, (entity, meant)| text.replace(entity, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_and_tags_go() {
        for (html, text) in [
            ("<p class=\"x\">a <b>b</b></p>", "a b"),
            ("a<br/>b", "a\nb"),
            ("1 < 2 &amp;lt; <!-- no -->x", "1 < 2 &lt; x"),
            ("<script>if (a < b) {}</script>x<STYLE>p{}</STYLE>", "x"),
            ("<scripture>x</scripture>", "x"),
            ("x<script>never closed", "x"),
            ("x<a href=\"never closed", "x"),
            ("é<é", "é<é"),
        ] {
            assert_eq!(without_tags(html), text, "{html}");
        }
    }
}
