//! A table that a write transaction opens when it is first asked for. Most transactions need few of
//! the tables, and opening one and closing it costs as much as a row.

use crate::store::StoreError;
use std::borrow::Borrow;
use std::cell::OnceCell;
use std::ops::RangeBounds;

use redb::{
    AccessGuard, Key, Range, ReadableTable, Table, TableDefinition, Value, WriteTransaction,
};

/// One table of a transaction.
pub(crate) struct LazyTable<'t, K: Key + 'static, V: Value + 'static> {
    transaction: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    opened: OnceCell<Table<'t, K, V>>,
}

impl<'t, K: Key + 'static, V: Value + 'static> LazyTable<'t, K, V> {
    pub(crate) fn new(
        transaction: &'t WriteTransaction,
        definition: TableDefinition<'static, K, V>,
    ) -> LazyTable<'t, K, V> {
        LazyTable { transaction, definition, opened: OnceCell::new() }
    }

    pub(crate) fn get<'k>(
        &self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StoreError> {
        Ok(self.opened()?.get(key)?)
    }

    pub(crate) fn range<'a, B: Borrow<K::SelfType<'a>> + 'a>(
        &self,
        range: impl RangeBounds<B> + 'a,
    ) -> Result<Range<'_, K, V>, StoreError> {
        Ok(self.opened()?.range(range)?)
    }

    pub(crate) fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<(), StoreError> {
        self.opened_mut()?.insert(key, value)?;
        Ok(())
    }

    pub(crate) fn remove<'k>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<(), StoreError> {
        self.opened_mut()?.remove(key)?;
        Ok(())
    }

    fn opened(&self) -> Result<&Table<'t, K, V>, StoreError> {
        match self.opened.get() {
            Some(table) => Ok(table),
            None => {
                let table = self.transaction.open_table(self.definition)?;
                Ok(self.opened.get_or_init(|| table))
            }
        }
    }

    fn opened_mut(&mut self) -> Result<&mut Table<'t, K, V>, StoreError> {
        self.opened()?;
        // It is there now.
        self.opened.get_mut().ok_or(StoreError::Closed)
    }
}
