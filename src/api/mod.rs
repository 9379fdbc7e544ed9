//! What a client sees, declared once: the table of error codes and the table of parameters. No rules.

mod error_code;
mod field;
mod parameter;

pub use error_code::ErrorCode;
pub use field::{FieldType, WrongType};
pub use parameter::*;
