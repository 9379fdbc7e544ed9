//! Dollars as they are typed in config.toml, as whole nanodollars: prices and caps. Sums of money
//! are made of these, never of floats.

use toml::Value;

use super::file;
use super::redaction::quoted;

/// Nanodollars in a dollar. A token of a cheap model costs some ten of them.
pub const NANOS_PER_USD: u64 = 1_000_000_000;
/// The highest amount of dollars that a setting takes.
const USD_MAX: f64 = 1_000_000.0;

/// Prices of calls of an upstream, in nanodollars; `None` where none is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    pub call_nanos: Option<u64>,
    /// A thousand searches.
    pub thousand_searches_nanos: Option<u64>,
    /// A million tokens of the prompt.
    pub million_input_tokens_nanos: Option<u64>,
    /// A million tokens of the answer, those of its reasoning included.
    pub million_output_tokens_nanos: Option<u64>,
}

/// Checks the prices of an upstream. A price of 0 is one.
pub(super) fn check_prices(
    section: &str,
    typed: &file::Upstream,
    problems: &mut Vec<String>,
) -> Prices {
    let mut price = |setting: &str, given: &Value| {
        let nanos = nanos(given, 0);
        nanos.unwrap_or_else(|given| {
            problems.push(format!(
                "`{setting}` in [{section}] must be dollars, 0 to 1000000, such as 2.5; it is \
                 {given}"
            ));
            None
        })
    };
    Prices {
        call_nanos: price("usd_per_call", &typed.usd_per_call),
        thousand_searches_nanos: price("usd_per_1k_searches", &typed.usd_per_1k_searches),
        million_input_tokens_nanos: price(
            "usd_per_million_input_tokens",
            &typed.usd_per_million_input_tokens,
        ),
        million_output_tokens_nanos: price(
            "usd_per_million_output_tokens",
            &typed.usd_per_million_output_tokens,
        ),
    }
}

/// Checks a cap of dollars in a day, and returns it in nanodollars. 0 is no cap that anybody means.
pub(super) fn check_cap(place: &str, given: &Value, problems: &mut Vec<String>) -> Option<u64> {
    nanos(given, 1).unwrap_or_else(|given| {
        problems.push(format!(
            "`usd_per_day` {place} must be dollars, above 0 and at most 1000000, such as 5.0; it \
             is {given}; leave it out to set no cap"
        ));
        None
    })
}

/// Reads an amount; `None` if none is set.
///
/// # Errors
/// Returns the value as a sentence shows it if it is no amount, or less than `nanos_min`.
fn nanos(given: &Value, nanos_min: u64) -> Result<Option<u64>, String> {
    let (usd, shown) = match given {
        Value::String(text) if text.is_empty() => return Ok(None),
        // So it comes from the environment.
        Value::String(text) => (text.trim().parse().ok(), quoted(text)),
        Value::Integer(whole) => (Some(*whole as f64), format!("`{whole}`")),
        Value::Float(usd) => (Some(*usd), format!("`{usd}`")),
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            (None, "no number".to_owned())
        }
    };
    // NaN is in no range.
    let usd = usd.filter(|usd| (0.0..=USD_MAX).contains(usd));
    // In range by the check above, so at most 10^15.
    let nanos = usd.map(|usd: f64| (usd * NANOS_PER_USD as f64).round() as u64);
    nanos.filter(|nanos| *nanos >= nanos_min).map(Some).ok_or(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_become_whole_nanodollars() {
        let read = |text: &str| {
            let table: toml::Table = format!("usd = {text}").parse().unwrap();
            nanos(&table["usd"], 1)
        };
        for (text, expected) in [
            ("\"\"", None),
            ("5", Some(5_000_000_000)),
            ("0.01", Some(10_000_000)),
            ("0.1", Some(100_000_000)),
            ("\"2.5\"", Some(2_500_000_000)),
            ("0.000000001", Some(1)),
            ("1000000", Some(1_000_000_000_000_000)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for text in [
            "0",
            "0.0",
            "-1",
            "-0.5",
            "nan",
            "inf",
            "-inf",
            "1000000.1",
            "true",
            "\"none\"",
            "[1]",
            "\"1e400\"",
            "0.0000000001",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(nanos(&Value::Integer(0), 0), Ok(Some(0)));
    }
}
