//! From settings as typed to [`Settings`]: every rule that a type cannot hold, and what each
//! upstream still lacks. All problems are collected, so that one start shows them all.

mod http;
mod keys;
mod rules;
mod shared_store;
mod upstream;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::authorities;
use super::file;
use super::redaction::{may_be_secret, quoted};
use super::settings::{
    Browser, REPORT_DAYS_MAX, RETENTION_HOURS_MAX, RETRIES_MAX, Scraper, Settings, Store, Upstream,
    WORKERS_MAX,
};
use super::webhooks;
use crate::country;
use http::check_http;
use keys::check_keys;
use rules::{range, section};
use upstream::check_upstream;

/// The highest floor of free space, MiB (1 TiB).
const FREE_MIB_MAX: u64 = 1 << 20;

/// Returns the settings, when they could be made sense of; they are sound only if `problems` stays
/// empty.
pub(super) fn check(
    typed: file::File,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<String>,
) -> Option<Settings> {
    check_ranges(&typed, problems);
    let node = shared_store::node_name(&typed, problems);
    let shared = shared_store::check(&typed, environment, problems, &node);
    check_level(&typed.log.level, problems);
    let webhooks = webhooks::check(&typed.webhooks, environment, problems);
    let keys = check_keys(&typed.keys, problems);
    // Taken before the upstreams are checked: one with a wrong `kind` is wrong, but it is there.
    let names: Vec<String> = typed.upstreams.keys().cloned().collect();
    let upstreams: BTreeMap<String, Upstream> = typed
        .upstreams
        .into_iter()
        .filter_map(|(name, upstream)| {
            Some((name.clone(), check_upstream(name, upstream, environment, problems)?))
        })
        .collect();
    let scrapers = typed
        .scrapers
        .into_iter()
        .map(|(name, scraper)| (name.clone(), check_scraper(name, scraper, &names, problems)))
        .collect();
    let browser = check_browser(&typed.browser, problems);
    let http = check_http(&typed.http, typed.has_keys, problems)?;
    Some(Settings {
        http,
        store: Store {
            path: PathBuf::from(&typed.store.path),
            retention_ms: typed.store.retention_hours.saturating_mul(3_600_000),
            report_ms: typed.store.report_days.saturating_mul(86_400_000),
            cache_bytes: typed.store.cache_mib << 20,
            quick_repair: typed.store.quick_repair,
            free_mib_min: typed.store.free_mib_min,
            node,
            shared,
        },
        cache: typed.cache,
        results: typed.results,
        mcp: typed.mcp,
        retry: typed.retry,
        queue: typed.queue,
        log: typed.log,
        practice: typed.practice,
        webhooks,
        browser,
        keys,
        upstreams,
        scrapers,
    })
}

fn check_ranges(typed: &file::File, problems: &mut Vec<String>) {
    let file::File { store, cache, mcp, retry, queue, practice, .. } = typed;
    range(problems, "store.retention_hours", store.retention_hours, 1, RETENTION_HOURS_MAX);
    range(problems, "store.report_days", store.report_days, 1, REPORT_DAYS_MAX);
    range(problems, "store.cache_mib", store.cache_mib as u64, 1, 65_536);
    range(problems, "store.free_mib_min", store.free_mib_min, 0, FREE_MIB_MAX);
    range(problems, "cache.ttl_seconds", cache.ttl_seconds, 0, RETENTION_HOURS_MAX * 3_600);
    range(problems, "cache.entries_max", cache.entries_max as u64, 0, 100_000_000);
    range(problems, "mcp.text_chars_max", mcp.text_chars_max as u64, 1_000, 1_000_000);
    range(problems, "retry.retries", u64::from(retry.retries), 0, u64::from(RETRIES_MAX));
    range(problems, "retry.backoff_max_ms", retry.backoff_max_ms, 1, 3_600_000);
    range(problems, "retry.backoff_ms", retry.backoff_ms, 1, retry.backoff_max_ms.max(1));
    range(problems, "queue.jobs_max", queue.jobs_max as u64, 1, 10_000_000);
    range(problems, "practice.latency_ms", practice.latency_ms, 0, 600_000);
    range(problems, "practice.failure_percent", u64::from(practice.failure_percent), 0, 100);
    range(problems, "practice.payload_bytes", practice.payload_bytes as u64, 0, 4 << 20);
    if store.path.is_empty() {
        problems.push("`store.path` must name a directory; it is empty".to_owned());
    }
}

fn check_browser(typed: &file::Browser, problems: &mut Vec<String>) -> Browser {
    range(problems, "browser.session_jobs_max", u64::from(typed.session_jobs_max), 1, 1_000_000);
    range(problems, "browser.session_mib_max", typed.session_mib_max, 256, 65_536);
    range(problems, "browser.evidence_mib_max", typed.evidence_mib_max, 1, 1 << 20);
    let sides = typed.viewport.split_once('x');
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let sides = sides
        .filter(|(width, height)| (320..=7_680).contains(width) && (240..=4_320).contains(height));
    if sides.is_none() {
        problems.push(format!(
            "`browser.viewport` must be a width from 320 to 7680 and a height from 240 to 4320 \
             such as `1366x900`; it is {}",
            quoted(&typed.viewport)
        ));
    }
    let is_hash = |key: &String| BASE64.decode(key).is_ok_and(|hash| hash.len() == 32);
    if let Some(wrong) = typed.trusted_keys.iter().find(|key| !is_hash(key)) {
        problems.push(format!(
            "`browser.trusted_keys` must hold SHA-256 hashes in base64, 44 characters each; one \
             is {}",
            quoted(wrong)
        ));
    }
    let authorities = authorities::load("browser.ca_file", &typed.ca_file, problems);
    Browser {
        recipes: Some(PathBuf::from(&typed.recipes)).filter(|_| !typed.recipes.is_empty()),
        viewport: sides.unwrap_or_default(),
        session_jobs_max: typed.session_jobs_max,
        session_bytes_max: typed.session_mib_max << 20,
        evidence: typed.evidence,
        evidence_bytes_max: typed.evidence_mib_max << 20,
        trusted_keys: typed.trusted_keys.clone(),
        authorities,
    }
}

fn check_level(level: &str, problems: &mut Vec<String>) {
    // A filter takes any lone word for the name of a module and would log nothing else; here a
    // lone word is a level, so that a misspelt one is found.
    let mut words = level.split(',').map(str::trim).filter(|word| !word.contains('='));
    let sound = words.all(|word| !word.is_empty() && word.parse::<LevelFilter>().is_ok())
        && level.parse::<Targets>().is_ok();
    if !sound {
        problems.push(format!(
            "`log.level` must be error, warn, info, debug or trace, or a filter such as \
             `answerd=debug,warn`; it is {}",
            quoted(level)
        ));
    }
}

fn check_scraper(
    name: String,
    typed: file::Scraper,
    upstreams: &[String],
    problems: &mut Vec<String>,
) -> Scraper {
    let section = section("scrapers", &name, problems);
    for (at, upstream) in typed.upstreams.iter().enumerate() {
        if !upstreams.contains(upstream) {
            problems.push(format!(
                "`upstreams` of [{section}] names {}, which is not there; there are {}",
                quoted(upstream),
                listed(upstreams)
            ));
        }
        if typed.upstreams[..at].contains(upstream) {
            let name = quoted(upstream);
            problems.push(format!("`upstreams` of [{section}] names {name} twice"));
        }
    }
    range(problems, &format!("{section}.workers"), typed.workers as u64, 1, WORKERS_MAX as u64);
    let refused_countries: Vec<String> =
        typed.refused_countries.iter().map(|code| code.to_ascii_uppercase()).collect();
    for code in refused_countries.iter().filter(|code| country::find(code).is_none()) {
        problems.push(format!(
            "`refused_countries` of [{section}] takes ISO 3166-1 alpha-2 codes; {} is none",
            quoted(code)
        ));
    }
    Scraper {
        name,
        upstreams: typed.upstreams,
        workers: typed.workers,
        credits: typed.credits,
        refused_countries,
        require_search: typed.require_search,
    }
}

/// Returns names for a sentence, without those that may be secrets.
fn listed(names: &[String]) -> String {
    let shown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !may_be_secret(name)).collect();
    shown.join(", ")
}
