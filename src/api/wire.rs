//! What the wire types are made of, and their schemas as the document shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::{UnixMs, rfc3339_seconds};

/// Declares text of a format.
macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident: $format:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
            #[serde(transparent)]
            pub struct $name(pub String);

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", "format": $format })
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str(&self.0)
                }
            }
        )*
    };
}

formats! {
    /// A moment in RFC 3339, to the second.
    Time: "date-time";
    /// A day of the calendar in UTC.
    Day: "date";
    /// The id of a job or a batch.
    Id: "uuid";
}

impl From<UnixMs> for Time {
    fn from(at_ms: UnixMs) -> Time {
        Time(rfc3339_seconds(at_ms))
    }
}

impl From<Uuid> for Id {
    fn from(id: Uuid) -> Id {
        Id(id.to_string())
    }
}

/// An object whose fields have names of the operator's, in an order of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named(Vec::new())
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(fields: I) -> Named<T> {
        Named(fields.into_iter().collect())
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Named<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Named(fields))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Named".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, T>::json_schema(generator)
    }
}

/// Returns the schemas of a type and of all that it names, by their names.
pub fn schemas_of<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings.transforms.push(Box::new(Plain));
    });
    let mut generator = settings.into_generator();
    generator.subschema_for::<T>();
    generator.take_definitions(true)
}

/// Writes schemas as the rest of the document does: without the formats of Rust's numbers, without
/// null for a field that is left out instead, and an object's fields behind what is said of it.
#[derive(Clone)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(schema) = schema.as_object_mut() else { return };
        schema.shift_remove("default");
        if schema.get("type").is_some_and(|it| names(it, "integer") || names(it, "number")) {
            schema.shift_remove("format");
        }
        let description = schema.shift_remove("description");
        let fields = schema.shift_remove("properties");
        let required = schema.shift_remove("required");
        schema.extend(description.map(|it| ("description".to_owned(), it)));
        let Some(Value::Object(mut fields)) = fields else { return };
        let required = required.unwrap_or_else(|| json!([]));
        for (_, field) in fields.iter_mut().filter(|(name, _)| !names(&required, name)) {
            never_null(field);
        }
        schema.insert("required".to_owned(), required);
        schema.insert("properties".to_owned(), fields.into());
    }
}

/// Returns whether a value is this word, or a list that has it.
fn names(value: &Value, word: &str) -> bool {
    value == word || value.as_array().is_some_and(|words| words.iter().any(|it| it == word))
}

fn never_null(field: &mut Value) {
    if let Some(Value::Array(values)) = field.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(kinds)) = field.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            field["type"] = kind.clone();
        }
    }
}
