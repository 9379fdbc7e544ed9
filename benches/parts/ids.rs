//! Job ids: a row number sealed, and an id opened again.

use std::hint::black_box;

use answerd::id::{IdCipher, fresh_key, fresh_nonce};
use criterion::Criterion;

/// How many different ids one bench goes through: the walk of each is of another length.
const IDS: u64 = 1_024;

pub fn benches(criterion: &mut Criterion) {
    let cipher = IdCipher::new(fresh_key().unwrap());
    let plain: Vec<(u64, u128)> = (0..IDS).map(|row| (row, fresh_nonce().unwrap())).collect();
    let ids: Vec<_> = plain.iter().map(|&(row, nonce)| cipher.seal(row, nonce)).collect();
    let mut group = criterion.benchmark_group("id");
    let mut next = plain.iter().cycle();
    group.bench_function("seal", |bencher| {
        bencher.iter(|| {
            let &(row, nonce) = next.next().unwrap();
            cipher.seal(black_box(row), nonce)
        });
    });
    let mut next = ids.iter().cycle();
    group.bench_function("open", |bencher| {
        bencher.iter(|| cipher.open(black_box(*next.next().unwrap())).unwrap());
    });
    group.finish();
}
