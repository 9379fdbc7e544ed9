//! `url_citation` annotations, flat as in OpenAI's Responses API and nested as in chat completions:
//! the pages an answer points at. Where in its text it does so is read from the text itself:
//! providers count places differently, and annotate one of several equal links only.

use serde_json::Value;

use super::json_path;
use super::source_list::{SourceList, source};

/// Adds the pages that the annotations of an answer name.
pub(crate) fn read(annotations: &[Value], cited: &mut SourceList) {
    for annotation in annotations {
        let nested = &annotation["url_citation"];
        let citation = if nested.is_object() { nested } else { annotation };
        cited.add(source(
            json_path::text(citation, "url"),
            json_path::text(citation, "title"),
            json_path::first_text(citation, &["content"]),
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flat_and_nested_annotations_are_read() {
        let annotations = [
            json!({"type": "url_citation", "url": "https://a.example/", "title": "1",
                   "start_index": 5, "end_index": 30}),
            json!({"type": "url_citation", "url_citation": {"url": "https://b.example/",
                   "title": "B", "content": "passage", "start_index": 0, "end_index": 0}}),
            json!({"type": "file_citation", "file_id": "f"}),
            json!(null),
        ];
        let mut cited = SourceList::default();
        read(&annotations, &mut cited);
        let cited = cited.into_vec();
        assert_eq!(cited.len(), 2);
        assert_eq!((cited[0].title.as_str(), cited[1].title.as_str()), ("1", "B"));
        assert_eq!(cited[1].snippet, "passage");
    }
}
