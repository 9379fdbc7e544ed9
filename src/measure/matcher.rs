//! Finds the names of a tracker's brands in a text.

use std::collections::HashMap;
use std::ops::Range;

use super::address::{self, TextAddress};
use super::boundary;
use super::brand::Brand;
use super::name::Name;
use super::text::{self, Unit};

/// A brand in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its place in the tracker.
    pub brand: usize,
    /// Where its name stands, bytes.
    pub range: Range<usize>,
}

/// The names of some brands, ready to be looked for.
#[derive(Clone, Debug)]
pub struct Matcher {
    names: Vec<Name>,
    /// The names by their first letter, longest first.
    by_first: HashMap<char, Vec<usize>>,
}

impl Matcher {
    pub fn new(brands: &[Brand]) -> Matcher {
        let mut names: Vec<Name> = Vec::new();
        for (place, brand) in brands.iter().enumerate() {
            let of_brand = std::iter::once(&brand.name).chain(&brand.aliases);
            names.extend(of_brand.map(|name| Name::new(place, name, brand.case_sensitive)));
        }
        names.sort_by_key(|name| std::cmp::Reverse(name.units.len()));
        let mut by_first: HashMap<char, Vec<usize>> = HashMap::new();
        for (at, name) in names.iter().enumerate() {
            if let Some(first) = name.units.first() {
                by_first.entry(first.folded).or_default().push(at);
            }
        }
        Matcher { names, by_first }
    }

    /// Returns the brands that a text names, in its order. Where several names fit, the longest is
    /// the one that is meant; what stands in an address names nothing.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let units = text::fold(text);
        let addresses = address::find(text);
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            let candidates = self.by_first.get(&unit.folded).into_iter().flatten();
            let hit = candidates
                .filter_map(|name| {
                    let name = &self.names[*name];
                    Some((name, name.end_in(&units, at)?))
                })
                .find(|(name, end)| {
                    boundary::is_word(&units, at, *end, name.letters)
                        && !in_address(&addresses, bytes(text, &units, at, *end))
                });
            match hit {
                Some((name, end)) => {
                    found.push(Found { brand: name.brand, range: bytes(text, &units, at, end) });
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }
}

/// Returns the bytes of some units.
fn bytes(text: &str, units: &[Unit], start: usize, end: usize) -> Range<usize> {
    units[start].at..units.get(end).map_or(text.len(), |unit| unit.at)
}

/// Returns whether a name stands in an address; one that is a whole domain itself does not.
fn in_address(addresses: &[TextAddress], range: Range<usize>) -> bool {
    let first = addresses.partition_point(|address| address.range.end <= range.start);
    addresses[first..].iter().take_while(|address| address.range.start < range.end).any(|address| {
        let covers = range.start <= address.range.start && range.end >= address.range.end;
        !(covers && address.is_bare)
    })
}
