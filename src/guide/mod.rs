//! The user guide: its pages, the sections they are made of, an index over these, and all of it as
//! HTML.

pub mod html;
pub mod index;
mod pages;
pub mod search;
pub mod sections;
pub mod site;
mod terms;
mod vocabulary;

pub use pages::{FILES, GROUPS, Guide, PAGES, Page};
