//! Records: a job into the bytes that stand on disk, and back.

use std::hint::black_box;

use answerd::store::{NewIdentity, decode_job, encode_job};
use criterion::Criterion;
use uuid::Uuid;

use crate::shared::queued_job;

/// The scraper's number in the store.
const SCRAPER: u16 = 7;
const NOW_MS: u64 = 1_790_000_000_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    // The prompt of the second does not stand in its record.
    for (name, prompt_bytes) in [("short prompt", 42), ("long prompt", 2_048)] {
        let prompt = "x".repeat(prompt_bytes);
        let identity = NewIdentity { row: 1_000, nonce: 77, id: Uuid::nil() };
        let job = queued_job(identity, "practice", prompt.clone(), NOW_MS, NOW_MS + 86_400_000);
        let bytes = encode_job(&job, SCRAPER).unwrap();
        let decode = |bytes: &[u8]| {
            let named = |_| Some("practice".to_owned());
            decode_job(job.row, bytes, named, || Ok(Some(prompt.clone()))).unwrap()
        };
        assert_eq!(decode(&bytes), (job.clone(), SCRAPER));
        group.bench_function(format!("encode/{name}"), |bencher| {
            bencher.iter(|| encode_job(black_box(&job), SCRAPER).unwrap());
        });
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| decode(black_box(&bytes)));
        });
    }
    group.finish();
}
