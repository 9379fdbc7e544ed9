//! JSON as providers send it. A whole answer, paid for, must not be lost for one broken character
//! in it: where strict reading fails, that character becomes U+FFFD and the text is read again.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Parses JSON; `None` if it is none, even with lone surrogates, bytes that are not UTF-8, control
/// characters in strings and a byte order mark forgiven.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    serde_json::from_slice(bytes).ok().or_else(|| {
        let text = String::from_utf8_lossy(bytes);
        serde_json::from_str(&repaired(&text)).ok()
    })
}

fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            '\\' if in_string => escape(&mut rest, &mut out),
            control if in_string && control.is_ascii_control() => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out
}

/// Copies the escape whose backslash was read; half of a surrogate pair becomes U+FFFD.
fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut ahead = rest.clone();
    let Some(unit) = code_unit(&mut ahead) else {
        out.push('\\');
        out.extend(rest.next());
        return;
    };
    *rest = ahead;
    if !(0xd800..0xe000).contains(&unit) {
        out.push_str(&format!("\\u{unit:04x}"));
        return;
    }
    let mut ahead = rest.clone();
    let low = ahead.next_if_eq(&'\\').and_then(|_| code_unit(&mut ahead));
    match low.and_then(|low| char::decode_utf16([unit, low]).next()?.ok()) {
        Some(whole) => {
            out.push(whole);
            *rest = ahead;
        }
        None => out.push('\u{fffd}'),
    }
}

/// The `uXXXX` of an escape.
fn code_unit(rest: &mut Peekable<Chars<'_>>) -> Option<u16> {
    rest.next_if_eq(&'u')?;
    (0..4).try_fold(0, |unit, _| {
        let digit = rest.next()?.to_digit(16)?;
        u16::try_from(digit).ok().map(|digit| unit << 4 | digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (text, read) in [
            (r#"["a \ud800 b"]"#, "a \u{fffd} b"),
            (r#"["\uDC00\ud83e"]"#, "\u{fffd}\u{fffd}"),
            (r#"["\ud800\ud83e\udd80\u00e9"]"#, "\u{fffd}🦀é"),
            (r#"["\ud800\n\\ud800\u0022 \""]"#, "\u{fffd}\n\\ud800\" \""),
            ("[\"a\u{1}b\nc\\ud800\"]", "a\u{1}b\nc\u{fffd}"),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(json!([read])), "{text}");
        }
    }

    #[test]
    fn byte_order_mark_and_broken_utf_8_are_forgiven() {
        assert_eq!(parse(b"\xef\xbb\xbf{\"a\": 1}"), Some(json!({"a": 1})));
        assert_eq!(parse(b"[\"caf\xe9\"]"), Some(json!(["caf\u{fffd}"])));
        assert_eq!(parse(b"\xef\xbb\xbf[\"\\udfff\"]"), Some(json!(["\u{fffd}"])));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "<html>", r#"{"a": "#, r#"["\ud800"#, r#"["\ud8"]"#, "\u{feff}", "[1] 2"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None,
            ..ProptestConfig::default() })]
        #[test]
        fn sound_json_is_not_changed(text in "\\PC{0,20}[\\\\\"🦀\u{1}\n]{0,4}\\PC{0,4}") {
            let json = json!({"a": [text.clone()], "b": text});
            let strict: Value = serde_json::from_str(&repaired(&json.to_string())).unwrap();
            prop_assert_eq!(strict, json);
        }
    }
}
