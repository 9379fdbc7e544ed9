//! The settings that all processes of a shared store should have alike, as hashes that they
//! publish and compare. No setting can be read from them.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::dollars::Prices;
use super::settings::{Key, Scraper, Settings, Upstream};

/// The parts of the settings that are compared, in the order of their hashes.
pub const AGREEMENT_PARTS: [&str; 4] = ["keys", "scrapers", "upstreams", "retention"];
/// The bytes of the hash of a part: enough to notice a difference.
const PART_BYTES: usize = 8;

/// The hashes of the settings that should agree, a part each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement([[u8; PART_BYTES]; AGREEMENT_PARTS.len()]);

impl Agreement {
    /// Returns the hashes of some settings with the keys that are in force.
    pub fn of(settings: &Settings, keys: &[Key]) -> Agreement {
        let scrapers: String = settings.scrapers.values().map(scraper_line).collect();
        let upstreams: String = settings.upstreams.values().map(upstream_line).collect();
        let retention = format!(
            "{} {} {} {}",
            settings.store.retention_ms,
            settings.store.report_ms,
            settings.cache.ttl_seconds,
            settings.results.extra_arrays
        );
        Agreement(
            [key_lines(settings, keys), scrapers, upstreams, retention].map(|text| hash(&text)),
        )
    }

    /// Returns the bytes that other processes read.
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.concat()
    }

    /// Reads the bytes of another process; `None` if it has published none that can be read.
    pub fn from_bytes(bytes: &[u8]) -> Option<Agreement> {
        let (parts, rest) = bytes.as_chunks::<PART_BYTES>();
        let parts = parts.try_into().ok()?;
        rest.is_empty().then_some(Agreement(parts))
    }

    /// Returns the parts in which two processes differ.
    pub fn differences(&self, other: &Agreement) -> Vec<&'static str> {
        let pairs = self.0.iter().zip(&other.0).zip(AGREEMENT_PARTS);
        pairs.filter(|((own, others), _)| own != others).map(|(_, part)| part).collect()
    }
}

fn hash(text: &str) -> [u8; PART_BYTES] {
    let whole: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let mut part = [0; PART_BYTES];
    part.copy_from_slice(&whole[..PART_BYTES]);
    part
}

fn key_lines(settings: &Settings, keys: &[Key]) -> String {
    let mut lines: Vec<String> = keys
        .iter()
        .map(|key| {
            let mut line = format!(
                "{} {:?} {:?} {:?} {} ",
                key.name,
                key.monthly_credits,
                key.requests_per_minute,
                key.day_nanos_max,
                key.operator
            );
            for byte in key.hash {
                // Writing to a string cannot fail.
                let _ = write!(line, "{byte:02x}");
            }
            line
        })
        .collect();
    lines.sort_unstable();
    let http = &settings.http;
    format!("{} {}\n{}", http.keys_needed, http.operators_read_jobs, lines.join("\n"))
}

/// Without its workers: machines differ.
fn scraper_line(scraper: &Scraper) -> String {
    let Scraper { name, upstreams, workers: _, credits, refused_countries, require_search } =
        scraper;
    format!("{name} {upstreams:?} {credits} {refused_countries:?} {require_search}\n")
}

/// Without the way to it: machines may have their own proxies, browsers and keys.
fn upstream_line(upstream: &Upstream) -> String {
    let Upstream { name, model, models_allowed, force_search, searches_max, .. } = upstream;
    let Upstream { in_flight_max, requests_per_minute, day_nanos_max, output_tokens_max, .. } =
        upstream;
    let Prices {
        call_nanos,
        thousand_searches_nanos,
        million_input_tokens_nanos,
        million_output_tokens_nanos,
    } = upstream.prices;
    let prices = [
        call_nanos,
        thousand_searches_nanos,
        million_input_tokens_nanos,
        million_output_tokens_nanos,
    ];
    format!(
        "{name} {} {model} {models_allowed:?} {force_search:?} {searches_max:?} \
         {output_tokens_max:?} {in_flight_max:?} {requests_per_minute:?} {day_nanos_max:?} \
         {prices:?}\n",
        upstream.kind.word()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn agreement_names_the_parts_that_differ() {
        let settings = Settings::load_from(None, &BTreeMap::new()).unwrap();
        let key = Key {
            name: "a".to_owned(),
            hash: [1; 32],
            monthly_credits: None,
            requests_per_minute: None,
            day_nanos_max: None,
            operator: false,
        };
        let own = Agreement::of(&settings, std::slice::from_ref(&key));
        assert_eq!(own.differences(&own), [] as [&str; 0]);
        assert_eq!(Agreement::from_bytes(&own.to_bytes()), Some(own));
        for bytes in [&[][..], &own.to_bytes()[1..], &[0; 40]] {
            assert_eq!(Agreement::from_bytes(bytes), None);
        }
        let dear = Key { requests_per_minute: Some(60), ..key.clone() };
        assert_eq!(own.differences(&Agreement::of(&settings, &[dear])), ["keys"]);
        let mut other = settings.clone();
        other.store.retention_ms += 1;
        let scraper = other.scrapers.values_mut().next().unwrap();
        scraper.credits += 1;
        scraper.workers += 1;
        let upstream = other.upstreams.values_mut().next().unwrap();
        upstream.prices.call_nanos = Some(7);
        let differing = own.differences(&Agreement::of(&other, std::slice::from_ref(&key)));
        assert_eq!(differing, ["scrapers", "upstreams", "retention"]);
        let mut machine = settings.clone();
        machine.scrapers.values_mut().for_each(|scraper| scraper.workers += 1);
        machine.http.workers += 1;
        assert_eq!(own.differences(&Agreement::of(&machine, &[key])), [] as [&str; 0]);
    }
}
