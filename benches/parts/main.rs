//! The benches of the parts, by criterion: what one call of each costs where nothing else runs. The
//! whole service is in `load`. `cargo bench --bench parts`, and a word behind `--` for some of them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../shared/mod.rs"]
mod shared;

mod ids;
mod parameters;
mod records;
mod store;
mod texts;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    parts,
    ids::benches,
    parameters::benches,
    records::benches,
    texts::benches,
    store::benches
);
criterion_main!(parts);
