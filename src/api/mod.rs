//! What a client sees, declared once: the tables of error codes and parameters, and the types of
//! replies with their schemas. No rules.

mod alerts;
mod attempts;
mod deletion;
mod error_code;
mod field;
mod job_object;
mod job_writer;
mod jobs;
mod mcp;
mod nodes;
mod notice_message;
mod parameter;
mod raw;
mod reports;
mod schedules;
mod spend;
mod tokens;
mod trackers;
mod wire;

pub use alerts::*;
pub use attempts::*;
pub use deletion::DeletionView;
pub use error_code::ErrorCode;
pub use field::{FieldType, WrongType};
pub use job_object::*;
pub use job_writer::{job_object, job_object_with};
pub use jobs::*;
pub use mcp::*;
pub use nodes::*;
pub use notice_message::notice_message;
pub use parameter::*;
pub use raw::*;
pub use reports::*;
pub use schedules::*;
pub use spend::*;
pub use tokens::*;
pub use trackers::*;
pub use wire::*;
