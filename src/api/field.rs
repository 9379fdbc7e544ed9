//! How a parameter's value gets into a [`RawRequest`] and out of it, by its type.

use serde_json::Value;

use crate::job::RawRequest;

/// A value that is not of its parameter's type.
pub struct WrongType {
    pub must_be: &'static str,
    pub given: String,
}

/// A type of parameters.
pub trait FieldType: Clone + Into<Value> + 'static {
    /// Reads a value in a query.
    ///
    /// # Errors
    /// Returns an error if it is of another type.
    fn from_text(text: String) -> Result<Self, WrongType>;

    /// Reads a value in a JSON body.
    ///
    /// # Errors
    /// Returns an error if it is of another type.
    fn from_json(value: Value) -> Result<Self, WrongType>;
}

fn or_wrong<T>(
    read: Option<T>,
    must_be: &'static str,
    given: impl ToString,
) -> Result<T, WrongType> {
    read.ok_or_else(|| WrongType { must_be, given: given.to_string() })
}

impl FieldType for String {
    fn from_text(text: String) -> Result<String, WrongType> {
        Ok(text)
    }

    fn from_json(value: Value) -> Result<String, WrongType> {
        if let Value::String(text) = value { Ok(text) } else { or_wrong(None, "a string", value) }
    }
}

impl FieldType for bool {
    fn from_text(text: String) -> Result<bool, WrongType> {
        let read = match text.as_str() {
            "true" | "True" | "1" => Some(true),
            "false" | "False" | "0" => Some(false),
            _ => None,
        };
        or_wrong(read, "`true`, `false`, `True`, `False`, `1` or `0`", text)
    }

    fn from_json(value: Value) -> Result<bool, WrongType> {
        or_wrong(value.as_bool(), "`true` or `false`", value)
    }
}

impl FieldType for f64 {
    fn from_text(text: String) -> Result<f64, WrongType> {
        or_wrong(text.parse().ok(), "a number of seconds", text)
    }

    fn from_json(value: Value) -> Result<f64, WrongType> {
        or_wrong(value.as_f64(), "a number of seconds", value)
    }
}

impl FieldType for usize {
    fn from_text(text: String) -> Result<usize, WrongType> {
        or_wrong(text.parse().ok(), "a whole number", text)
    }

    fn from_json(value: Value) -> Result<usize, WrongType> {
        let count = value.as_u64().and_then(|count| count.try_into().ok());
        or_wrong(count, "a whole number", value)
    }
}

/// The field of a parameter in a [`RawRequest`].
pub(super) struct Access<T> {
    pub get: fn(&RawRequest) -> &Option<T>,
    pub get_mut: fn(&mut RawRequest) -> &mut Option<T>,
    /// Whether two values mean the same.
    pub same: fn(&T, &T) -> bool,
}

/// A field of any type.
pub(super) trait Field: Sync {
    fn set_text(&self, raw: &mut RawRequest, text: String) -> Result<bool, WrongType>;
    fn set_json(&self, raw: &mut RawRequest, value: Value) -> Result<(), WrongType>;
    fn conflicts(&self, one: &RawRequest, other: &RawRequest) -> bool;
    fn fill(&self, raw: &mut RawRequest, defaults: &RawRequest);
    fn take(&self, raw: &mut RawRequest, other: &mut RawRequest);
    fn value(&self, raw: &RawRequest) -> Option<Value>;
}

impl<T: FieldType> Field for Access<T> {
    fn set_text(&self, raw: &mut RawRequest, text: String) -> Result<bool, WrongType> {
        Ok((self.get_mut)(raw).replace(T::from_text(text)?).is_some())
    }

    fn set_json(&self, raw: &mut RawRequest, value: Value) -> Result<(), WrongType> {
        *(self.get_mut)(raw) = Some(T::from_json(value)?);
        Ok(())
    }

    fn conflicts(&self, one: &RawRequest, other: &RawRequest) -> bool {
        match ((self.get)(one), (self.get)(other)) {
            (Some(one), Some(other)) => !(self.same)(one, other),
            (Some(_), None) | (None, Some(_) | None) => false,
        }
    }

    fn fill(&self, raw: &mut RawRequest, defaults: &RawRequest) {
        let own = (self.get_mut)(raw);
        if own.is_none() {
            own.clone_from((self.get)(defaults));
        }
    }

    fn take(&self, raw: &mut RawRequest, other: &mut RawRequest) {
        let own = (self.get_mut)(raw);
        if own.is_none() {
            *own = (self.get_mut)(other).take();
        }
    }

    fn value(&self, raw: &RawRequest) -> Option<Value> {
        (self.get)(raw).clone().map(T::into)
    }
}
