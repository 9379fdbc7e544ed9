//! Which model each upstream has answered with, by its own account, and since when. All nodes add
//! to one thing for each upstream, which is seldom: a model changes a few times a year.

use super::handle::SharedStore;
use super::needs::Needs;
use super::things::{KeyBytes, KeyReader, ThingKind, ThingRange};
use crate::job::ModelSeen;
use crate::store::{Blocking, Pending, StoreError, record};

impl SharedStore {
    /// Writes that an upstream answers with another model than before.
    pub(crate) fn note_model(&self, upstream: String, seen: ModelSeen) -> Pending<()> {
        let key = KeyBytes::default().text(&upstream).of(ThingKind::Models);
        let mut needs = Needs::default();
        needs.things.insert(key.clone());
        self.queue_blocking(0, needs, move |transaction| {
            let stored = transaction.thing(&key).map(record::decode_models);
            // An unreadable one counts as none.
            let mut models = stored.and_then(Result::ok).unwrap_or_default();
            if seen.clone().add_to(&mut models) {
                transaction.put_thing(&key, Some(record::encode_models(&models)?));
            }
            Ok(())
        })
    }

    /// Returns the models of every upstream, oldest first. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or a record is damaged.
    pub(crate) fn models(&self) -> Result<Vec<(String, Vec<ModelSeen>)>, StoreError> {
        const NAMELESS: StoreError = StoreError::Damaged("models have no upstream");
        let mut all = Vec::new();
        for (key, bytes) in self.read_range(ThingRange::of_kind(ThingKind::Models)).wait()? {
            let upstream = KeyReader(&key).text().ok_or(NAMELESS)?;
            all.push((upstream, record::decode_models(&bytes)?));
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }
}
