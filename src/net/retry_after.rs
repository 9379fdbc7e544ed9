//! How long the other side asks us to wait before the next try: headers first, then what its body
//! says.

use super::HttpReply;
use crate::clock::{UnixMs, parse_http_date};

/// The longest wait that is believed, milliseconds (a day): more is a mistake or a quota.
const RETRY_AFTER_MS_MAX: f64 = 86_400_000.0;

/// Returns `retry-after-ms`, else `retry-after` in seconds or as a date (against the reply's first
/// `date` that is one, since this is a pure function), else the body's own `delay`, such as
/// "34.4s". Milliseconds.
pub fn retry_after_ms(reply: &HttpReply, delay: &str) -> Option<u64> {
    reply
        .header("retry-after-ms")
        .and_then(number)
        .or_else(|| {
            let mut dates = reply.headers.iter().filter(|(name, _)| name == "date");
            let now = dates.find_map(|(_, date)| parse_http_date(date));
            reply.header("retry-after").and_then(|wait| seconds(wait, now))
        })
        .or_else(|| number(delay.trim().strip_suffix('s')?).map(|seconds| seconds * 1_000.0))
        .map(|wait_ms| wait_ms.min(RETRY_AFTER_MS_MAX) as u64)
}

/// A retry-after in milliseconds.
fn seconds(wait: &str, now: Option<UnixMs>) -> Option<f64> {
    if let Some(seconds) = number(wait) {
        return Some(seconds * 1_000.0);
    }
    Some(parse_http_date(wait)?.saturating_sub(now?) as f64)
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
        let two = [later.headers[0].clone(), ("date".to_owned(), "soon".to_owned())];
        let two = two.into_iter().chain([later.headers[1].clone()]).collect();
        let two = HttpReply { headers: two, ..reply(&[]) };
        assert_eq!(retry_after_ms(&two, ""), Some(34_000));
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
