//! The versions of the tables of a shared store, and what has changed from each to the next.

/// A change of the tables, which old and new processes use side by side while they are replaced: it
/// only adds, such as a column with a default or a table. What is not needed any longer goes a
/// release later, when `schema_min` is raised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    /// Statements that can be one transaction.
    pub sql: &'static str,
    /// The oldest build that works with the tables after it, by the version that it makes.
    pub schema_min: u32,
}

/// The changes since version 1, in their order: the first makes version 2. `sql/schema.sql` has all
/// of them.
pub(super) const MIGRATIONS: &[Migration] = &[];
/// The version of the tables that this build makes and uses.
pub(super) const SCHEMA: u32 = 1 + MIGRATIONS.len() as u32;
/// The oldest build that works with the tables that this one makes.
pub(super) const SCHEMA_MIN: u32 = match MIGRATIONS.last() {
    Some(last) => last.schema_min,
    None => 1,
};
/// The newest version of records that this build reads, which each node publishes. All records have
/// the versions of the first build with a shared store, so that writers have nothing to choose yet:
/// a record of a later version is to be written once no live node has published less.
pub(super) const RECORD_MAX: i16 = 1;

/// The names of the versions in the table `meta`.
pub(super) const META_SCHEMA: &str = "schema";
pub(super) const META_SCHEMA_MIN: &str = "schema_min";
