//! What a client sees, declared once: the table of error codes. No logic.

mod error_code;

pub use error_code::ErrorCode;
