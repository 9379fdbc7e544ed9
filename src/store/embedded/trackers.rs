//! Trackers: which brands an account looks for, in versions. A change makes a new version, and what
//! was measured by an older one stays under that.

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use crate::clock::UnixMs;
use crate::measure::{TrackedBrands, Tracker, TrackerVersion};
use crate::store::{StoreError, TRACKER_VERSIONS_MAX, TRACKERS_MAX, TrackerLimit, record};

/// Reads the tracker of this account and name.
pub(super) fn read(
    tables: &Tables<'_>,
    account: &str,
    name: &str,
) -> Result<Option<Tracker>, StoreError> {
    let stored = tables.trackers.get((account, name))?;
    stored.map(|bytes| record::decode_tracker(name, bytes.value())).transpose()
}

fn put(
    tables: &mut Tables<'_>,
    account: &str,
    name: &str,
    brands: TrackedBrands,
    now_ms: UnixMs,
) -> Result<Result<Tracker, TrackerLimit>, StoreError> {
    let tracker = match read(tables, account, name)? {
        Some(tracker) if tracker.brands == brands => return Ok(Ok(tracker)),
        Some(tracker) if tracker.version >= TRACKER_VERSIONS_MAX => {
            return Ok(Err(TrackerLimit::Versions));
        }
        Some(tracker) => Tracker {
            version: tracker.version + 1,
            changed_ms: now_ms.max(tracker.changed_ms),
            brands,
            ..tracker
        },
        None => {
            let mut id = now_ms;
            let mut own = 0;
            for entry in tables.trackers.range::<(&str, &str)>(..)? {
                let (key, bytes) = entry?;
                let (of, name) = key.value();
                own += usize::from(of == account);
                id = id.max(record::decode_tracker(name, bytes.value())?.id + 1);
            }
            if own >= TRACKERS_MAX {
                return Ok(Err(TrackerLimit::Trackers));
            }
            let (created_ms, changed_ms) = (now_ms, now_ms);
            Tracker { name: name.to_owned(), id, version: 1, created_ms, changed_ms, brands }
        }
    };
    let version = TrackerVersion {
        version: tracker.version,
        changed_ms: tracker.changed_ms,
        brands: tracker.brands.clone(),
    };
    let bytes = record::encode_tracker(&tracker)?;
    let of_version = record::encode_tracker_version(tracker.id, &version)?;
    tables.trackers.insert((account, name), bytes.as_slice())?;
    tables.tracker_versions.insert((tracker.id, tracker.version), of_version.as_slice())?;
    Ok(Ok(tracker))
}

impl Embedded {
    pub(crate) async fn put_tracker(
        &self,
        account: String,
        name: String,
        brands: TrackedBrands,
        now_ms: UnixMs,
    ) -> Result<Result<Tracker, TrackerLimit>, StoreError> {
        let pending = self.queue(|queue| {
            queue.submit(move |tables| put(tables, &account, &name, brands, now_ms))
        });
        pending.committed().await
    }

    pub(crate) async fn tracker(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<Tracker>, StoreError> {
        self.read(|snapshot| {
            let stored = snapshot.open_table(tables::TRACKERS)?.get((account, name))?;
            stored.map(|bytes| record::decode_tracker(name, bytes.value())).transpose()
        })
    }

    pub(crate) async fn trackers(&self, account: &str) -> Result<Vec<Tracker>, StoreError> {
        self.read(|snapshot| {
            let mut trackers = Vec::new();
            for entry in snapshot.open_table(tables::TRACKERS)?.range((account, "")..)? {
                let (key, bytes) = entry?;
                let (of, name) = key.value();
                if of != account {
                    break;
                }
                trackers.push(record::decode_tracker(name, bytes.value())?);
            }
            Ok(trackers)
        })
    }

    pub(crate) async fn tracker_version(
        &self,
        id: u64,
        version: u32,
    ) -> Result<Option<TrackerVersion>, StoreError> {
        self.read(|snapshot| {
            let stored = snapshot.open_table(tables::TRACKER_VERSIONS)?.get((id, version))?;
            let decode = |bytes: &[u8]| record::decode_tracker_version(id, version, bytes);
            stored.map(|bytes| decode(bytes.value())).transpose()
        })
    }
}
