//! What is asked of a store, whatever it is kept in: each method of [`Store`] hands on to the one
//! of the same name of what keeps it.

mod accounts;
mod alerts;
mod backend;
mod budgets;
mod deliveries;
mod due;
mod evidence;
mod handle;
mod ids;
mod jobs;
mod moving;
mod reads;
mod schedules;
mod state;
mod trackers;

#[cfg(test)]
pub(in crate::store) use backend::Backend;
pub use handle::Store;
