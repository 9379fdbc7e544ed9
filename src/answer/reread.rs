//! A result that was rendered again from the replies of its provider: what has changed, and its
//! mark.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::clock::{UnixMs, rfc3339_seconds};

/// The field that says when a result was read again.
const REREAD_AT: &str = "reread_at";

/// Returns the names of the fields in which two results differ, in order; `None` if one of them is
/// no result.
pub fn changed_fields(before: &[u8], after: &[u8]) -> Option<Vec<String>> {
    let before: Value = serde_json::from_slice(before).ok()?;
    let after: Value = serde_json::from_slice(after).ok()?;
    let (before, after) = (before.as_object()?, after.as_object()?);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = |name: &&String| {
        *name != REREAD_AT && before.get(name.as_str()) != after.get(name.as_str())
    };
    Some(names.into_iter().filter(differs).cloned().collect())
}

/// Returns a rendered result with the moment at which it was read again.
pub fn as_reread(mut json: Vec<u8>, at_ms: UnixMs) -> Vec<u8> {
    // It is an object with fields.
    if json.pop().is_some() {
        json.extend_from_slice(
            format!(",\"{REREAD_AT}\":\"{}\"}}", rfc3339_seconds(at_ms)).as_bytes(),
        );
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_named_and_the_mark_is_none() {
        let before = br#"{"result":"a","links":[1],"old":1,"reread_at":"x"}"#;
        let after = br#"{"links":[1],"result":"b","new":null}"#;
        assert_eq!(changed_fields(before, after).unwrap(), ["new", "old", "result"]);
        let marked = as_reread(after.to_vec(), 1_778_500_800_000);
        assert_eq!(changed_fields(after, &marked).unwrap(), Vec::<String>::new());
        let marked: Value = serde_json::from_slice(&marked).unwrap();
        assert_eq!(marked["reread_at"], "2026-05-11T12:00:00+00:00");
        assert_eq!(changed_fields(b"[]", after), None);
    }
}
