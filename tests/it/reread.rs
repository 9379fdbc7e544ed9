//! Results of a stopped server, read again from its raw replies.

use std::collections::BTreeMap;

use answerd::clock::Clock;
use answerd::config::Settings;
use answerd::service::{Reread, RereadOptions, RereadReport, reread};
use answerd::store::{OpenOptions, Store};
use serde_json::Value;

/// Reads the store of a stopped server again; gives what was told of each job.
pub(crate) fn read_again(
    directory: &std::path::Path,
    environment: &[(&str, &str)],
    dry_run: bool,
) -> (RereadReport, Vec<Reread>) {
    let store = directory.join("data").display().to_string();
    let mut variables = BTreeMap::from([("ANSWERD_STORE__PATH".to_owned(), store)]);
    variables.extend(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    let settings = Settings::load_from(Some(&directory.join("config.toml")), &variables).unwrap();
    let mut told = Vec::new();
    let options = RereadOptions { since_ms: None, dry_run };
    let report = reread(&settings, options, &Clock::System, |_, one| told.push(one.clone()));
    (report.unwrap(), told)
}

/// Changes the stored result of the only job, as an older parser might have read it.
pub(crate) fn spoil(directory: &std::path::Path, change: impl FnOnce(&mut Value)) {
    let store = Store::open(&OpenOptions {
        directory: directory.join("data"),
        cache_bytes: 1 << 20,
        quick_repair: answerd::store::QuickRepair::Never,
        free_mib_min: 0,
        scrapers: Vec::new(),
        cache_entries_max: 0,
        cache_from_ms: 0,
        evidence_bytes_max: 0,
        shared: None,
    });
    let store = store.unwrap();
    let row = store.raw_rows().unwrap()[0];
    let kept = store.kept_raw(row, 0).unwrap().unwrap();
    let mut result: Value = serde_json::from_slice(&kept.result.unwrap()).unwrap();
    change(&mut result);
    store.replace_result(row, result.to_string().into_bytes()).unwrap();
    store.close();
}
