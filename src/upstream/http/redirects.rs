//! Addresses that only redirect to the page they stand for, as Gemini gives them: where each leads
//! is asked of the redirecting host; the page itself is never contacted.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::answer::{Answer, Source, clean_url};
use crate::clock::Clock;
use crate::net::Client;
use crate::upstream::Call;

/// The most addresses looked up for one answer.
const LOOKUPS_MAX: usize = 32;
/// The longest one look-up may take, milliseconds.
const LOOKUP_MS_MAX: u64 = 2_000;
/// The longest all look-ups for one answer may take, milliseconds.
const LOOKUPS_MS_MAX: u64 = 10_000;
/// After so many failures in a row the host is taken to be away.
const FAILURES_MAX: usize = 3;

/// Puts the pages' own addresses in place of those in sources and citations that begin with
/// `prefix`. Whatever goes wrong, an address stays as it is: the answer is worth more than that.
/// Returns where each of them has led to.
pub(super) fn follow_redirects(
    client: &Client,
    prefix: &str,
    answer: &mut Answer,
    deadline: Instant,
    call: &Call,
    clock: &Clock,
) -> BTreeMap<String, String> {
    let deadline = deadline.min(clock.instant() + Duration::from_millis(LOOKUPS_MS_MAX));
    let mut found: HashMap<String, Option<String>> = HashMap::new();
    let mut failures = 0;
    for source in redirecting(answer, prefix) {
        if found.contains_key(&source.url) {
            continue;
        }
        let left = deadline.saturating_duration_since(clock.instant());
        if found.len() == LOOKUPS_MAX
            || failures == FAILURES_MAX
            || left.is_zero()
            || call.is_canceled()
        {
            break;
        }
        let within = left.min(Duration::from_millis(LOOKUP_MS_MAX));
        let target = client.redirect_target(&source.url, within);
        let target = target.and_then(|target| clean_url(&target));
        failures = if target.is_some() { 0 } else { failures + 1 };
        found.insert(source.url.clone(), target);
    }
    let targets: BTreeMap<String, String> =
        found.into_iter().filter_map(|(url, target)| Some((url, target?))).collect();
    put_targets(answer, prefix, &targets);
    targets
}

/// Puts the pages' own addresses, which are known already, in place of those that begin with
/// `prefix`.
pub(in crate::upstream) fn put_targets(
    answer: &mut Answer,
    prefix: &str,
    targets: &BTreeMap<String, String>,
) {
    for source in redirecting(answer, prefix) {
        if let Some(target) = targets.get(&source.url) {
            source.url.clone_from(target);
        }
    }
}

fn redirecting<'a>(
    answer: &'a mut Answer,
    prefix: &'a str,
) -> impl Iterator<Item = &'a mut Source> {
    let lists = [&mut answer.sources, &mut answer.citations];
    lists.into_iter().flatten().flatten().filter(move |source| source.url.starts_with(prefix))
}
