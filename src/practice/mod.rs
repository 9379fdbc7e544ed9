//! The practice engine: an answer engine inside the binary that answers questions about answerd
//! from its own user guide. Pure apart from its settings: what it is served as is in
//! `http::practice`, and how an answer is had from its page is in `upstream::practice`.
//!
//! `guide` holds the pages, `passage` cuts them into sections and passages, `terms` and `index` find
//! the sections for a question, `engine` searches, `select` and `compose` write the answer, `html` and `page`
//! show it; `search` finds sections for readers of the guide.

mod compose;
mod engine;
pub mod guide;
pub mod html;
mod index;
mod inline;
pub mod page;
mod passage;
mod search;
mod select;
mod terms;
mod vocabulary;

pub use engine::{Engine, PracticeAnswer, PracticeSource};
pub use passage::{anchor, guide_href};
pub use search::{Found, QUERY_CHARS_MAX};

/// The model's name on the page and in results.
pub const MODEL: &str = "answerd-practice-1";
/// The longest question, in Unicode scalar values: as long as a prompt may be.
pub const QUESTION_CHARS_MAX: usize = crate::job::PROMPT_CHARS_MAX;
/// The largest size an answer can be filled up to, bytes (`payload_bytes`).
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;
