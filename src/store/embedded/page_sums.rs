//! The pages that answers used, as sums by day and group beside those of the observations. They
//! stand apart: they are as long as all other sums together, and few reports ask for them.

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use crate::measure::{GroupKey, PageSums, PageUse};
use crate::store::row::SumsKey;
use crate::store::{StoreError, record};

/// Adds the pages of an answer to the sums of its day and group.
pub(super) fn add(
    tables: &mut Tables<'_>,
    key: SumsKey<'_>,
    used: &[PageUse],
) -> Result<(), StoreError> {
    if used.is_empty() {
        return Ok(());
    }
    let day = key.2;
    let stored = match tables.page_sums.get(key)? {
        Some(bytes) => Some(record::decode_page_sums(day, bytes.value())?),
        None => None,
    };
    let mut sums = stored.unwrap_or_default();
    sums.add(used);
    tables.page_sums.insert(key, record::encode_page_sums(day, &sums)?.as_slice())
}

impl Embedded {
    pub(crate) fn visit_page_sums(
        &self,
        (id, version): (u64, u32),
        first: u32,
        last: u32,
        mut visit: impl FnMut(GroupKey<'_>, bool, &PageSums) -> bool,
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let table = snapshot.open_table(tables::PAGE_SUMS)?;
            let from = (id, version, first, 0, false, "", "");
            let to = (id, version, last.saturating_add(1), 0, false, "", "");
            for entry in table.range(from..to)? {
                let (key, bytes) = entry?;
                let (_, _, day, scraper, branded, country, label) = key.value();
                let scraper = self.shared.scrapers.name(scraper).unwrap_or_default();
                let sums = record::decode_page_sums(day, bytes.value())?;
                if !visit(GroupKey { day, scraper: &scraper, country, label }, branded, &sums) {
                    break;
                }
            }
            Ok(())
        })
    }
}
