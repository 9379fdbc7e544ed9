//! `url_citation` annotations, flat as in OpenAI's Responses API and nested as in chat completions:
//! the pages an answer points at, and where its text does so.

use std::ops::Range;

use serde_json::Value;

use super::source_list::{SourceList, source};
use super::{spans, walk};

/// What the annotations of an answer say, over all its parts.
#[derive(Debug, Default)]
pub struct Annotated {
    pub cited: SourceList,
    /// The inline links in the whole text, in bytes of it; only those that were checked.
    pub spans: Vec<Range<usize>>,
}

impl Annotated {
    /// Reads the annotations of the part `text`, which begins at byte `at` of the whole.
    pub fn read(&mut self, annotations: &[Value], text: &str, at: usize) {
        for annotation in annotations {
            let nested = &annotation["url_citation"];
            let citation = if nested.is_object() { nested } else { annotation };
            let url = walk::text(citation, "url");
            let title = walk::text(citation, "title");
            let page = source(url, title, walk::first_text(citation, &["content"]));
            if self.cited.add(page).is_none() {
                continue;
            }
            let bounds = (citation["start_index"].as_u64(), citation["end_index"].as_u64());
            let (Some(start), Some(end)) = bounds else { continue };
            if let Some(span) = spans::link_span(text, start, end, url) {
                self.spans.push(span.start + at..span.end + at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flat_and_nested_annotations_are_read() {
        let text = "Yes. [[1]](https://a.example/)";
        let annotations = [
            json!({"type": "url_citation", "url": "https://a.example/", "title": "1",
                   "start_index": 5, "end_index": 30}),
            json!({"type": "url_citation", "url_citation": {"url": "https://b.example/",
                   "title": "B", "content": "passage", "start_index": 0, "end_index": 0}}),
            json!({"type": "file_citation", "file_id": "f"}),
            json!(null),
        ];
        let mut annotated = Annotated::default();
        annotated.read(&annotations, text, 100);
        assert_eq!(annotated.spans.first(), Some(&(105..130)));
        assert_eq!(annotated.spans.len(), 1);
        let cited = annotated.cited.into_vec();
        assert_eq!(cited.len(), 2);
        assert_eq!((cited[0].title.as_str(), cited[1].title.as_str()), ("1", "B"));
        assert_eq!(cited[1].snippet, "passage");
    }
}
