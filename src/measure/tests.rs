mod answers;
mod properties;
mod reports;
mod table;
mod trackers;

use super::{Brand, TrackedBrands};

/// Returns brands of these names.
fn brands(names: &[&str]) -> TrackedBrands {
    let brand = |name: &&str| Brand { name: (*name).to_owned(), ..Brand::default() };
    TrackedBrands::new(names.iter().map(brand).collect()).unwrap()
}

/// Returns how often a text names the first of some brands.
fn count(text: &str, names: &[&str]) -> usize {
    brands(names).matcher().find(text).iter().filter(|found| found.brand == 0).count()
}
