use super::super::report::CHANGES_MAX;
use super::super::{DomainSums, GroupKey, GroupSums, Listing, ReportBuilder, Window};
use super::brands;

const DAY: u32 = 20_000;

/// The sums of a day, with how many answers used each domain.
fn sums(domains: &[(String, u64)]) -> GroupSums {
    let domains = domains.iter().cloned();
    GroupSums {
        answers: 1,
        domains: domains.map(|(name, used)| (name, DomainSums { used, cited: 0 })).collect(),
        ..GroupSums::default()
    }
}

#[test]
fn new_and_lost_domains_are_those_of_most_answers() {
    let brands = brands(&["Acme"]);
    let window = Window { first: DAY, last: DAY };
    let mut report = ReportBuilder::new(&[], window, brands.brands(), Listing::default());
    // The one of most answers is the last by the alphabet.
    let many = |prefix: &str| {
        let names = (0..=CHANGES_MAX as u64).map(|n| (format!("{prefix}{n:03}.com"), n + 1));
        names.collect::<Vec<_>>()
    };
    let group = |day| GroupKey { day, scraper: "chatgpt", country: "US", label: "" };
    report.add(group(DAY), &sums(&many("new")));
    report.add(group(DAY - 1), &sums(&many("old")));
    let rows = report.rows();
    let since = rows[0].since_before.as_ref().unwrap();
    for (list, prefix) in [(&since.domains.new, "new"), (&since.domains.lost, "old")] {
        assert_eq!(list.len(), CHANGES_MAX);
        assert_eq!(list[0], format!("{prefix}{CHANGES_MAX:03}.com"));
        assert!(!list.contains(&format!("{prefix}000.com")));
    }
    assert_eq!(since.overlap, Some(0.0));
}
