//! Which model each upstream has answered with, by its own account, and since when.

use redb::ReadableTable;

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use crate::job::ModelSeen;
use crate::store::{Pending, StoreError, record};

fn note(tables: &mut Tables<'_>, upstream: &str, seen: ModelSeen) -> Result<(), StoreError> {
    let stored = match tables.models.get(upstream)? {
        Some(bytes) => record::decode_models(bytes.value()),
        None => Ok(Vec::new()),
    };
    // An unreadable row counts as none.
    let mut models = stored.unwrap_or_default();
    if !seen.add_to(&mut models) {
        return Ok(());
    }
    tables.models.insert(upstream, record::encode_models(&models)?.as_slice())
}

impl Embedded {
    pub(crate) fn note_model(&self, upstream: String, seen: ModelSeen) -> Pending<()> {
        self.queue(|queue| queue.submit_blocking(move |tables| note(tables, &upstream, seen)))
    }

    pub(crate) fn models(&self) -> Result<Vec<(String, Vec<ModelSeen>)>, StoreError> {
        self.read(|snapshot| {
            let mut all = Vec::new();
            for entry in snapshot.open_table(tables::MODELS)?.iter()? {
                let (upstream, bytes) = entry?;
                all.push((upstream.value().to_owned(), record::decode_models(bytes.value())?));
            }
            Ok(all)
        })
    }
}
