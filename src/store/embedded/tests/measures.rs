//! What observations and their sums take on disk, and how long a report over them takes.
//! `ANSWERD_OBSERVATIONS` sets how many there are.

use std::time::Duration;

use redb::ReadableTableMetadata;

use super::*;
use crate::clock::Clock;
use crate::measure::{
    Brand, BrandMention, Dimension, DomainUse, GroupKey, Listing, Measured, PageUse, ReportBuilder,
    TrackedBrands, Window,
};
use crate::store::embedded::observations::RedbTrackers;
use crate::store::trackers;

const OBSERVATIONS: u64 = 4_000;
const DAYS: u64 = 400;
const DAY_MS: u64 = 86_400_000;
/// The most that an observation may take, bytes, its key included.
const OBSERVATION_BYTES_MAX: u64 = 200;
/// Reports that are timed.
const REPORTS: usize = 8;

fn brands() -> TrackedBrands {
    let brand = |at: usize| Brand { name: format!("Brand {at}"), ..Brand::default() };
    TrackedBrands::new((0..8).map(brand).collect()).unwrap()
}

/// The `n`-th answer: half of the brands are named, and twelve domains of sixty are used.
fn measured(n: u64) -> Measured {
    let mention = |brand: u64| {
        let is_named = !(n + brand).is_multiple_of(2);
        BrandMention {
            brand: format!("Brand {brand}"),
            mentioned: is_named,
            count: u32::from(is_named) * 2,
            first_at: None,
            rank: is_named.then_some(brand as u32 / 2 + 1),
            in_list_item: is_named,
            cited: Some(n.is_multiple_of(3)),
            cited_urls: Vec::new(),
            linked: false,
        }
    };
    let domain = |at: u64| DomainUse {
        domain: format!("domain-{}.example.com", (n * 7 + at * 5) % 60),
        cited: at < 4,
    };
    let page = |at: u64| PageUse {
        url: format!("https://domain-{}.example.com/articles/{}", (n * 7 + at * 5) % 60, n % 5),
        cited: at < 4,
    };
    Measured {
        pages: (0..12).map(page).collect(),
        searched: Some(true),
        cited_is_told: true,
        brands: (0..8).map(mention).collect(),
        domains: (0..12).map(domain).collect(),
        kind_bit: 1,
        prompt_hash: (n % 25) as u32,
        ..Measured::default()
    }
}

/// A job that ended with the `n`-th of so many answers, in one of twenty groups of a day.
fn ended_job(n: u64, of: u64) -> Job {
    let scraper = ["chatgpt", "perplexity"][n as usize % 2].to_owned();
    let country = ["US", "DE", "FR", "GB", "JP"][n as usize / 2 % 5].to_owned();
    let request = ScrapeRequest { scraper, country, ..request("best anvil?") };
    let at_ms = START_MS + n * DAYS / of * DAY_MS + n;
    Job {
        account: "team-a".to_owned(),
        state: State::Done,
        completed_ms: Some(at_ms),
        label: Some(["morning", "evening"][n as usize / 10 % 2].to_owned()),
        ..Job::fixture(n + 1, 1, request, at_ms)
    }
}

#[test]
fn an_observation_takes_little_room_and_reports_read_sums_alone() {
    let count = std::env::var("ANSWERD_OBSERVATIONS").ok().and_then(|text| text.parse().ok());
    let count: u64 = count.unwrap_or(OBSERVATIONS);
    let fixture = Fixture::new();
    let (account, name) = ("team-a".to_owned(), "acme".to_owned());
    let put = fixture.store.put_tracker(account, name, brands(), START_MS);
    let tracker = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(put)
        .unwrap()
        .unwrap();
    for first in (0..count).step_by(1_000) {
        let id = tracker.id;
        let written = fixture.write(move |tables| {
            for n in first..(first + 1_000).min(count) {
                let job = ended_job(n, count);
                let new = NewObservation {
                    tracker: "acme".to_owned(),
                    tracker_id: id,
                    version: 1,
                    job_id: Uuid::from_u128(u128::from(n) << 64),
                    measured: measured(n),
                };
                let scraper = (n % 2) as u16;
                let tables = &mut RedbTrackers(tables);
                assert!(trackers::observe(tables, &job, scraper, &new)?);
                // The same answer is not counted twice.
                assert!(n % 1_000 > 0 || !trackers::observe(tables, &job, scraper, &new)?);
            }
            Ok(())
        });
        written.wait().unwrap();
    }
    let stored = fixture.store.embedded().unwrap().shared.read(|snapshot| {
        let sums = snapshot.open_table(tables::SUMS)?.stats()?.stored_bytes();
        let pages = snapshot.open_table(tables::PAGE_SUMS)?.stats()?.stored_bytes();
        let rows = snapshot.open_table(tables::OBSERVATIONS)?.stats()?.stored_bytes();
        Ok((rows, sums, pages))
    });
    let (rows, sums, pages) = stored.unwrap();
    assert!(rows / count <= OBSERVATION_BYTES_MAX, "{} bytes", rows / count);

    let first = day_of(START_MS);
    let window = Window { first, last: first + DAYS as u32 - 1 };
    let tracked = brands();
    let mut took: Vec<Duration> = (0..REPORTS)
        .map(|at| {
            let by: &[Dimension] = [&[Dimension::Scraper][..], &[Dimension::Brand]][at % 2];
            let watch = Clock::System.stopwatch();
            let mut report = ReportBuilder::new(by, window, tracked.brands(), Listing::default());
            let days = (window.first, window.last);
            let add = |group: GroupKey<'_>, _, sums: &_| report.add(group, sums);
            fixture.store.visit_sums((tracker.id, 1), days.0, days.1, add).wait().unwrap();
            let answers: u64 = report.rows().iter().map(|row| row.answers).sum();
            assert_eq!(answers, count * [1, tracked.brands().len() as u64][at % 2]);
            watch.elapsed()
        })
        .collect();
    took.sort_unstable();
    let watch = Clock::System.stopwatch();
    let listing = Listing { pages: true, top: 10 };
    let mut report = ReportBuilder::new(&[], window, tracked.brands(), listing);
    let days = (window.first, window.last);
    let add = |group: GroupKey<'_>, _, sums: &_| report.add(group, sums);
    fixture.store.visit_sums((tracker.id, 1), days.0, days.1, add).wait().unwrap();
    let add = |group: GroupKey<'_>, _, pages: &_| report.add_pages(group, pages);
    fixture.store.visit_page_sums((tracker.id, 1), days.0, days.1, add).unwrap();
    let uses: u64 = report.rows()[0].top_pages.iter().flatten().map(|page| page.sums.used).sum();
    assert!(uses > 0);
    let with_pages = watch.elapsed();
    eprintln!(
        "{count} observations: {} bytes each, {} bytes of sums each, {} bytes of pages each; a report \
         over {DAYS} days takes {:?} (median), {:?} (95 of 100), one with pages {with_pages:?}",
        rows / count,
        sums / count,
        pages / count,
        took[REPORTS / 2],
        took[REPORTS * 95 / 100]
    );
}
