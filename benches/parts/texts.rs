//! Texts: an answer's Markdown made plain, the answer normalized and rendered into the result, and a
//! stored result made that of another job. In the size of a usual answer, and eight times as long.

use std::hint::black_box;

use answerd::answer::{Answer, Kind, ResultFacts, Source, as_cached, render};
use answerd::job::RawRequest;
use criterion::{BatchSize, Criterion, Throughput};

/// About 2 KiB, of what answers are made of.
const SECTION: &str = include_str!("answer.md");
const SOURCES: usize = 12;
const JOB_ID: &str = "11111111-2222-4333-8444-555555555555";
const PUBLIC_URL: &str = "http://127.0.0.1:8080";

pub(crate) fn benches(criterion: &mut Criterion) {
    for (name, sections) in [("2 KiB", 1), ("16 KiB", 8)] {
        let answer = answer(sections);
        let normalized = answer.clone().normalized();
        let raw = RawRequest { prompt: Some("Which shoes?".to_owned()), ..RawRequest::default() };
        let request = raw.check("chatgpt", &[]).unwrap();
        let facts = ResultFacts {
            request: &request,
            job_id: JOB_ID,
            public_url: PUBLIC_URL,
            credits_used: 3,
            elapsed_ms: 1_234.5,
            upstream: "openai",
            kind: Kind::Api,
            model_asked: Some("model"),
            has_extras: true,
        };
        let json = render(&normalized, &facts);

        let mut group = criterion.benchmark_group("text");
        group.throughput(Throughput::Bytes(answer.markdown.len() as u64));
        group.bench_function(format!("plain/{name}"), |bencher| {
            bencher.iter(|| black_box(&normalized).plain_text());
        });
        group.bench_function(format!("tidy/{name}"), |bencher| {
            bencher.iter_batched(|| answer.clone(), Answer::normalized, BatchSize::SmallInput);
        });
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(format!("render/{name}"), |bencher| {
            bencher.iter(|| render(black_box(&normalized), &facts));
        });
        group.bench_function(format!("as cached/{name}"), |bencher| {
            bencher.iter(|| as_cached(black_box(&json), JOB_ID, PUBLIC_URL, 0, true).unwrap());
        });
        group.finish();
    }
}

/// An answer with its sources, as an upstream gives it.
fn answer(sections: usize) -> Answer {
    let source = |number| Source {
        url: format!("https://shop-{number}.example/shoes?utm_source=chat&size={number}"),
        title: format!("Shoes for a first marathon, part {number}"),
        snippet: "The softest landing of the three, and about 700 km.".to_owned(),
        ..Source::default()
    };
    Answer {
        markdown: SECTION.repeat(sections),
        model: Some("model-1".to_owned()),
        queries: Some(vec!["first marathon shoes".to_owned()]),
        sources: Some((1..=SOURCES).map(source).collect()),
        citations: Some((1..=SOURCES / 2).map(source).collect()),
        ..Answer::default()
    }
}
