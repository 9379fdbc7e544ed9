//! Reads the JSON bodies of requests in memory that follows from what is asked, not from what is
//! sent: unknown fields are skipped, lists are counted beyond their limit, and what no parameter
//! can be is kept only as far as an error shows it. Knows no rule of a parameter.

use std::cell::{Cell, RefCell};
use std::fmt;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::job::quoted;

/// How many values of a list or object are kept where neither can be right: more than an error
/// shows.
const MISPLACED_VALUES_MAX: usize = 64;

/// The fields that are read of a body.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Whether a field is read; others are ignored.
    pub has_field: fn(&str) -> bool,
    /// The fields that are lists, of objects or of strings, and the fields of those objects.
    pub lists: &'static [&'static str],
    /// The most elements that a list may have.
    pub list_items_max: usize,
}

/// Reads a body's fields; an empty body has none. See [`is_form`].
///
/// # Errors
/// Returns an error if the body is not a JSON object, has one of these fields twice, or has a list
/// that is too long.
pub(crate) fn object(
    body: &[u8],
    shape: Shape,
    sent_as_form: bool,
) -> Result<Map<String, Value>, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let notes = Notes::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let node = Node { place: Place::Body, shape, notes: &notes };
    let read = node.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    if let Some(repeated) = notes.repeated.take() {
        return Err(repeated);
    }
    match read {
        Ok(Value::Object(_)) if notes.longest.get() > shape.list_items_max => {
            Err(ApiError::batch_too_large(shape.list_items_max, Some(notes.longest.get())))
        }
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(invalid(&quoted(&other.to_string()))),
        Err(_) if sent_as_form => Err(invalid(
            "a form. Send the parameters as JSON, with `Content-Type: application/json`, or in the \
             query",
        )),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

fn invalid(given: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BodyInvalid,
        format!("The request's body must be empty or a JSON object of parameters; given: {given}."),
    )
}

/// Returns whether the client says that it sends what an HTML form would. Some say so of JSON too.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(kind.as_str(), "application/x-www-form-urlencoded" | "multipart/form-data")
}

/// What is found on the way.
#[derive(Default)]
struct Notes {
    /// The first field that is there twice.
    repeated: RefCell<Option<ApiError>>,
    /// The elements of the longest list.
    longest: Cell<usize>,
    /// The values kept of what is misplaced in this element.
    misplaced: Cell<usize>,
}

/// Where a value is in the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    List,
    /// The element of a list with this index.
    Element(usize),
    /// Where only a scalar can be right.
    Scalar,
}

/// A value to be read.
#[derive(Clone, Copy)]
struct Node<'a> {
    place: Place,
    shape: Shape,
    notes: &'a Notes,
}

impl Node<'_> {
    fn at(self, place: Place) -> Self {
        Node { place, ..self }
    }

    /// Whether one more value of what is misplaced is kept.
    fn keeps_misplaced(self) -> bool {
        let kept = self.notes.misplaced.get();
        self.notes.misplaced.set(kept.saturating_add(1));
        kept < MISPLACED_VALUES_MAX
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        if self.place != Place::List {
            while self.keeps_misplaced() {
                match list.next_element_seed(self.at(Place::Scalar))? {
                    Some(value) => values.push(value),
                    None => return Ok(Value::Array(values)),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Array(values));
        }
        while values.len() < self.shape.list_items_max {
            match list.next_element_seed(self.at(Place::Element(values.len())))? {
                Some(value) => values.push(value),
                None => break,
            }
        }
        let mut count = values.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        self.notes.longest.set(self.notes.longest.get().max(count));
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        let within = match self.place {
            Place::Body => None,
            Place::Element(index) => {
                self.notes.misplaced.set(0);
                Some(index)
            }
            Place::List | Place::Scalar => {
                while self.keeps_misplaced() {
                    let Some(name) = fields.next_key::<String>()? else {
                        return Ok(Value::Object(read));
                    };
                    read.insert(name, fields.next_value_seed(self.at(Place::Scalar))?);
                }
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Value::Object(read));
            }
        };
        while let Some(name) = fields.next_key::<String>()? {
            let names_list = self.shape.lists.contains(&name.as_str());
            // In an element it is kept, so that the element can be refused for it.
            let is_list = within.is_none() && names_list;
            if !names_list && !(self.shape.has_field)(&name) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let place = if is_list { Place::List } else { Place::Scalar };
            let value = fields.next_value_seed(self.at(place))?;
            if read.contains_key(&name) {
                let mut repeated = self.notes.repeated.borrow_mut();
                repeated.get_or_insert_with(|| ApiError::repeated(&name, within));
            }
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape =
        Shape { has_field: |name| matches!(name, "a" | "b"), lists: &["items"], list_items_max: 3 };

    fn read(body: &str) -> Result<Value, (&'static str, String)> {
        let read = object(body.as_bytes(), SHAPE, false);
        read.map(Value::Object).map_err(|error| (error.code.code(), error.detail))
    }

    #[test]
    fn only_known_fields_are_kept() {
        let body =
            r#"{"a":1,"x":[[[[1]]]],"x":2,"items":[{"b":"c","y":{"a":1}},"s",[1]],"b":null}"#;
        let kept = r#"{"a":1,"items":[{"b":"c"},"s",[1]],"b":null}"#;
        assert_eq!(read(body), Ok(serde_json::from_str(kept).unwrap()));
        assert_eq!(read(" \n"), Ok(Value::Object(Map::new())));
    }

    #[test]
    fn a_repeated_field_is_refused_wherever_it_is() {
        for (body, words) in [
            (r#"{"a":1,"b":2,"a":1}"#, "Parameter `a` must be given once"),
            (r#"{"a":null,"a":1}"#, "Parameter `a` must be given once"),
            (r#"{"items":[],"items":[]}"#, "Parameter `items` must be given once"),
            (r#"{"items":[{"a":1},{"b":1,"\u0062":2}]}"#, "Parameter `b` of item 1 must be given"),
        ] {
            let (code, detail) = read(body).unwrap_err();
            assert!(code == "parameter_repeated" && detail.contains(words), "{body}: {detail}");
        }
    }

    #[test]
    fn a_list_is_counted_beyond_its_limit() {
        let list = |count: usize| format!(r#"{{"items":[{}]}}"#, vec!["{}"; count].join(","));
        assert_eq!(read(&list(3)).unwrap()["items"].as_array().unwrap().len(), 3);
        let (code, detail) = read(&list(70_000)).unwrap_err();
        assert!(code == "batch_too_large" && detail.contains("given: 70000."), "{detail}");
    }

    #[test]
    fn what_is_misplaced_is_kept_as_far_as_it_is_shown() {
        for misplaced in [
            format!("[{}]", vec!["0"; 5_000].join(",")),
            format!("[{}0{}]", "[".repeat(100), "]".repeat(100)),
            format!("{{{}}}", vec![r#""k":[[1],[2],[3]]"#; 5_000].join(",")),
        ] {
            let value = read(&format!(r#"{{"a":{misplaced},"b":2}}"#)).unwrap();
            let shown = value["a"].to_string();
            assert!(shown.len() < 2_000 && value["b"] == 2, "{}", shown.len());
        }
        assert_eq!(read("[1,2]").unwrap_err().1.split("given: ").nth(1), Some("`[1,2]`."));
    }

    #[test]
    fn a_form_is_told_to_be_json() {
        let mut headers = HeaderMap::new();
        for kind in ["application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x"] {
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            let error = object(b"a=1", SHAPE, is_form(&headers)).unwrap_err();
            assert!(
                error.code == ErrorCode::BodyInvalid && error.detail.contains("as JSON"),
                "{error}"
            );
            // curl's `-d` says so whatever it sends.
            assert!(object(br#"{"a":1}"#, SHAPE, is_form(&headers)).is_ok());
        }
    }
}
