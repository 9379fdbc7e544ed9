//! Trackers: which brands an account looks for, in versions. A change makes a new version, and what
//! was measured by an older one stays under that.

use super::Embedded;
use super::observations::RedbTrackers;
use super::tables;
use crate::clock::UnixMs;
use crate::measure::{TrackedBrands, Tracker, TrackerVersion};
use crate::store::{StoreError, TrackerLimit, record, trackers};

impl Embedded {
    pub(crate) async fn put_tracker(
        &self,
        account: String,
        name: String,
        brands: TrackedBrands,
        now_ms: UnixMs,
    ) -> Result<Result<Tracker, TrackerLimit>, StoreError> {
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                trackers::put(&mut RedbTrackers(tables), &account, &name, brands, now_ms)
            })
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
