//! How long a provider asks us to wait before the next try: headers first, then what its error
//! body says.

use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::upstream::provider::HttpReply;

/// The longest wait that is believed, milliseconds (a day): more is a mistake or a quota.
const RETRY_AFTER_MS_MAX: f64 = 86_400_000.0;

/// RFC 9110 5.6.7; the obsolete forms are not sent by anybody we speak to.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// `retry-after-ms`, else `retry-after` in seconds or as a date (against the reply's own `date`,
/// since this is a pure function), else the body's own `delay`, such as "34.4s". Milliseconds.
pub fn retry_after_ms(reply: &HttpReply, delay: &str) -> Option<u64> {
    reply
        .header("retry-after-ms")
        .and_then(number)
        .or_else(|| {
            reply.header("retry-after").and_then(|wait| seconds(wait, reply.header("date")))
        })
        .or_else(|| number(delay.trim().strip_suffix('s')?).map(|seconds| seconds * 1_000.0))
        .map(|wait_ms| wait_ms.min(RETRY_AFTER_MS_MAX) as u64)
}

/// A retry-after in milliseconds.
fn seconds(wait: &str, date: Option<&str>) -> Option<f64> {
    if let Some(seconds) = number(wait) {
        return Some(seconds * 1_000.0);
    }
    let then = PrimitiveDateTime::parse(wait.trim(), HTTP_DATE).ok()?;
    let now = PrimitiveDateTime::parse(date?.trim(), HTTP_DATE).ok()?;
    Some((then - now).as_seconds_f64().max(0.0) * 1_000.0)
}

/// A finite number that is not negative.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(headers: &[(&str, &str)]) -> HttpReply {
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HttpReply { status: 429, headers, body: Vec::new() }
    }

    #[test]
    fn milliseconds_go_before_seconds_and_headers_before_the_body() {
        let both = reply(&[("retry-after", "7"), ("retry-after-ms", "250")]);
        assert_eq!(retry_after_ms(&both, "34.4s"), Some(250));
        assert_eq!(retry_after_ms(&reply(&[("retry-after", "7")]), "34.4s"), Some(7_000));
        assert_eq!(retry_after_ms(&reply(&[("retry-after", "1.5")]), ""), Some(1_500));
        assert_eq!(retry_after_ms(&reply(&[]), "34.4s"), Some(34_400));
        assert_eq!(retry_after_ms(&reply(&[]), ""), None);
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_reply() {
        let date = ("date", "Mon, 10 Aug 2026 22:29:26 GMT");
        let later = reply(&[("retry-after", "Mon, 10 Aug 2026 22:30:00 GMT"), date]);
        assert_eq!(retry_after_ms(&later, ""), Some(34_000));
        let past = reply(&[("retry-after", "Mon, 10 Aug 2026 22:00:00 GMT"), date]);
        assert_eq!(retry_after_ms(&past, ""), Some(0));
        let undated = reply(&[("retry-after", "Mon, 10 Aug 2026 22:30:00 GMT")]);
        assert_eq!(retry_after_ms(&undated, ""), None);
    }

    #[test]
    fn nonsense_is_no_wait_and_no_wait_is_endless() {
        for wait in ["-1", "soon", "inf", "NaN", "", "1e400"] {
            assert_eq!(retry_after_ms(&reply(&[("retry-after", wait)]), ""), None, "{wait}");
        }
        assert_eq!(retry_after_ms(&reply(&[("retry-after", "1e300")]), ""), Some(86_400_000));
    }
}
