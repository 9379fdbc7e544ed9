//! The ids of jobs that an action is about.

use uuid::Uuid;

use crate::http::error::ApiError;
use crate::http::request::params::wrong_type;
use crate::job::BATCH_ITEMS_MAX;

/// The most ids in a call.
pub(crate) const IDS_MAX: usize = BATCH_ITEMS_MAX;

/// Adds ids that have commas between them to those that were given before.
///
/// # Errors
/// Returns an error if one is no UUID, or there are too many.
pub(crate) fn add(ids: &mut Option<Vec<Uuid>>, value: &str) -> Result<(), ApiError> {
    let ids = ids.get_or_insert_default();
    for id in value.split(',') {
        match Uuid::try_parse(id.trim()) {
            Ok(id) if ids.len() < IDS_MAX => ids.push(id),
            Ok(_) | Err(_) => {
                let rule = format!("1 to {IDS_MAX} ids of jobs with commas between them");
                return Err(wrong_type("ids", &rule, value));
            }
        }
    }
    Ok(())
}
