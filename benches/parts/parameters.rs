//! Parameters: read from a query and from a JSON body, short and with the longest prompt, and checked.

use std::hint::black_box;

use answerd::http::params::{from_body, from_query};
use answerd::job::PROMPT_CHARS_MAX;
use criterion::{Criterion, Throughput};

pub(crate) fn benches(criterion: &mut Criterion) {
    let short = "Which running shoes suit a first marathon?".to_owned();
    let long = "Welche Schuhe für den ersten Marathon? ".repeat(PROMPT_CHARS_MAX / 39);
    for (name, prompt) in [("short", short), ("long", long)] {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("prompt", &prompt)
            .append_pair("country", "DE")
            .append_pair("web_search", "true")
            .append_pair("timeout", "60")
            .finish();
        let body = serde_json::json!({
            "prompt": prompt, "country": "DE", "web_search": true, "timeout": 60
        })
        .to_string();
        let expected = from_query(&query).unwrap();
        assert_eq!(from_body(body.as_bytes(), false).unwrap(), expected);

        let mut group = criterion.benchmark_group("parameters");
        group.throughput(Throughput::Bytes(query.len() as u64));
        group.bench_function(format!("query/{name}"), |bencher| {
            bencher.iter(|| from_query(black_box(&query)).unwrap());
        });
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("body/{name}"), |bencher| {
            bencher.iter(|| from_body(black_box(body.as_bytes()), false).unwrap());
        });
        group.throughput(Throughput::Bytes(prompt.len() as u64));
        group.bench_function(format!("check/{name}"), |bencher| {
            bencher.iter_batched(
                || expected.clone(),
                |raw| raw.check("practice", &[]).unwrap(),
                criterion::BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}
