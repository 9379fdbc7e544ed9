//! Results for clients that refuse fields which they do not know (`extra_arrays = false`).

use std::borrow::Cow;

use serde::Serializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

/// What answerd says of an answer beside what contract 1.6 names. The store keeps it, for the
/// attempts of a job, measures and exports.
const OWN: [&str; 4] = ["warnings", "provenance", "present", "reread_at"];

/// Returns a stored result as clients get it: without the fields that are answerd's own, unless
/// `has_extras`. The values are copied, not parsed.
pub fn shown(stored: &[u8], has_extras: bool) -> Cow<'_, [u8]> {
    if has_extras {
        return Cow::Borrowed(stored);
    }
    let mut json = Vec::with_capacity(stored.len());
    let mut deserializer = serde_json::Deserializer::from_slice(stored);
    let copied = serde::Deserializer::deserialize_map(&mut deserializer, Copying(&mut json));
    // What is no object stays as it is.
    if copied.is_ok() { Cow::Owned(json) } else { Cow::Borrowed(stored) }
}

struct Copying<'a>(&'a mut Vec<u8>);

impl<'de> Visitor<'de> for Copying<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a result object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut stored: A) -> Result<(), A::Error> {
        let mut serializer = serde_json::Serializer::new(self.0);
        let mut map = serializer.serialize_map(None).map_err(Error::custom)?;
        while let Some((name, value)) = stored.next_entry::<&str, &RawValue>()? {
            if !OWN.contains(&name) {
                map.serialize_entry(name, value).map_err(Error::custom)?;
            }
        }
        map.end().map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_result_has_the_contract_fields_as_they_were() {
        let stored = br#"{"scraper":"chatgpt","elapsed_ms":1.50,"warnings":["w"],"url":"u",
            "provenance":{"upstream":"a"},"present":true,"reread_at":"t","mentions":[]}"#;
        let bare = shown(stored, false);
        let expected = r#"{"scraper":"chatgpt","elapsed_ms":1.50,"url":"u","mentions":[]}"#;
        assert_eq!(std::str::from_utf8(&bare).unwrap(), expected);
        assert_eq!(&*shown(stored, true), stored);
        assert_eq!(&*shown(b"[]", false), b"[]");
    }
}
