//! Job ids: a row number sealed, and an id opened again.

use std::hint::black_box;

use answerd::id::{IdCipher, fresh_key};
use criterion::Criterion;

/// How many different ids one bench goes through: the walk of each is of another length.
const IDS: u64 = 1_024;

pub(crate) fn benches(criterion: &mut Criterion) {
    let cipher = IdCipher::new(fresh_key().unwrap());
    let ids: Vec<_> = (0..IDS).map(|row| cipher.seal_fresh(row).unwrap().1).collect();
    // As ids were made before they were chosen: their walks are long.
    let earlier: Vec<_> = (0..IDS).map(|row| cipher.seal(row, u128::from(row))).collect();
    let mut group = criterion.benchmark_group("id");
    group.bench_function("seal", |bencher| {
        bencher.iter(|| cipher.seal_fresh(black_box(7)).unwrap());
    });
    for (name, ids) in [("open", ids), ("open an earlier one", earlier)] {
        let mut next = ids.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| cipher.open(black_box(*next.next().unwrap())).unwrap());
        });
    }
    group.finish();
}
