//! A recipe: how the page of an answer engine is driven and read. A TOML file, described for those
//! who write one in `src/docs/recipes.md`, checked as a whole before it is used.

mod field;
mod parse;
mod parts;
mod read;
mod selector;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::catalog::Array;

pub use field::{Field, Way};
pub use read::Problem;
pub use selector::Selectors;

/// The largest file, bytes.
pub const RECIPE_BYTES_MAX: usize = 256 << 10;
/// The most `[[dismiss]]` and the most `[[reveal]]` of a recipe.
const STEPS_MAX: usize = 20;
/// The longest wait of one step, milliseconds.
const WAIT_MS_MAX: u64 = 600_000;
/// The instructions by which one page is driven and read.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name: String,
    /// Rises with every change of the recipe.
    pub version: u64,
    /// The page's address, or a path on the upstream's `base_url`. May hold `{prompt}`,
    /// `{country}` and `{language}`.
    pub url: String,
    /// The day on which it was last seen to work against the live page; `None`: never.
    pub last_verified: Option<String>,
    /// The iframe that holds the conversation; empty: the page itself.
    pub frame: Selectors,
    pub dismiss: Vec<Dismiss>,
    pub prepare: Vec<Prepare>,
    /// `None`: the prompt is in the address.
    pub prompt: Option<PromptBox>,
    pub submit: Option<Submit>,
    pub complete: Complete,
    pub answer: AnswerPart,
    pub reveal: Vec<Reveal>,
    pub arrays: Vec<ArrayPart>,
    pub signs: Vec<Sign>,
}

/// A banner that is clicked away, or hidden, whenever it is seen.
#[derive(Clone, Debug, Serialize)]
pub struct Dismiss {
    pub name: String,
    pub click: Selectors,
    /// Hidden as often as the page shows it.
    pub hide: Selectors,
}

/// The clicks before the prompt is typed.
#[derive(Clone, Debug)]
pub struct Prepare {
    pub name: String,
    pub click: Selectors,
    /// How long it may take to appear.
    pub wait_ms: u64,
}

/// The place of the prompt.
#[derive(Clone, Debug)]
pub struct PromptBox {
    pub r#box: Selectors,
    pub wait_ms: u64,
}

/// The way of sending the prompt.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Empty: by the key alone.
    pub click: Selectors,
    pub key: Option<Key>,
    /// How long the button may take until it can be clicked.
    pub wait_ms: u64,
}

/// A key that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Enter,
    ControlEnter,
}

/// The signs of a whole answer: all that is given must hold at once.
#[derive(Clone, Debug, Serialize)]
pub struct Complete {
    pub appears: Selectors,
    pub gone: Selectors,
    pub unchanged_ms: u64,
    /// A part of the address of a request that must have ended since the prompt was sent.
    pub request_ended: Option<String>,
    pub wait_ms: u64,
}

/// The place of the answer.
#[derive(Clone, Debug)]
pub struct AnswerPart {
    pub select: Selectors,
    pub which: Which,
    /// All of them are taken out, not the first that matches.
    pub remove: Selectors,
    /// Buttons and hidden elements whose words belong to it.
    pub keep: Selectors,
    /// Citation marks in the answer.
    pub marks: Option<Marks>,
    /// The language of a code block, in the block or beside it.
    pub language: Option<Field>,
    /// The model's name, anywhere on the page.
    pub model: Option<Field>,
}

/// The one of several matches that is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    First,
    Last,
    All,
}

/// Citation marks: what they are, and how they tell their source.
#[derive(Clone, Debug)]
pub struct Marks {
    pub item: Selectors,
    /// The number of the source, from 1.
    pub number: Option<Field>,
    /// The address of the source.
    pub url: Option<Field>,
}

/// The steps to see a list before it is read.
#[derive(Clone, Debug)]
pub struct Reveal {
    pub name: String,
    pub click: Selectors,
    pub hover: Selectors,
    /// Click or hover every match and not only the first.
    pub each: bool,
    pub scroll: Selectors,
    pub wait_for: Selectors,
    pub wait_ms: u64,
    /// Arrays that are read right after this step.
    pub read: Vec<Array>,
    /// Whether the answer is read again after this step.
    pub reads_answer: bool,
    /// Clicked once the step was read.
    pub close: Selectors,
    /// The name of a step without which this one is passed over.
    pub after: Option<String>,
}

/// The place of an array's entries.
#[derive(Clone, Debug)]
pub struct ArrayPart {
    pub array: Array,
    pub item: Selectors,
    /// JSON in an item that holds entries of its own.
    pub entries: Option<Way>,
    /// Whether it is read while the answer is written, too.
    pub while_running: bool,
    pub fields: Vec<(&'static str, Field)>,
}

/// A sign that there will be no answer, and its kind.
#[derive(Clone, Debug)]
pub struct Sign {
    pub shows: Shows,
    pub select: Selectors,
    /// Texts on the page before the answer begins; any of them.
    pub text: Vec<String>,
    /// The elements that the texts are looked for in; empty: the whole page.
    pub within: Selectors,
    /// Parts of the page's address; any of them.
    pub url: Vec<String>,
}

/// The meaning of a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    Blocked,
    Login,
    HumanCheck,
    RateLimited,
    Failed,
}

impl Shows {
    /// The tables of a recipe that hold signs.
    const ALL: [(&'static str, Shows); 5] = [
        ("blocked", Shows::Blocked),
        ("login", Shows::Login),
        ("human_check", Shows::HumanCheck),
        ("rate_limited", Shows::RateLimited),
        ("failed", Shows::Failed),
    ];
}

/// The arrays that a recipe can fill, with the fields of their entries; the first is required.
const ARRAYS: [(Array, &[&str]); 9] = [
    (Array::Links, &["url", "text", "position"]),
    (Array::Sources, PAGE_FIELDS),
    (Array::Citations, PAGE_FIELDS),
    (Array::WebSources, PAGE_FIELDS),
    (Array::XResults, PAGE_FIELDS),
    (Array::SearchResults, PAGE_FIELDS),
    (Array::SearchQueries, &["text", "position"]),
    (Array::RelatedQuestions, &["text", "position"]),
    (Array::Products, PRODUCT_FIELDS),
];
const PAGE_FIELDS: &[&str] =
    &["url", "title", "snippet", "website_name", "favicon", "highlights", "date", "position"];
const PRODUCT_FIELDS: &[&str] = &[
    "title",
    "url",
    "asin",
    "rating",
    "reviews",
    "price",
    "was",
    "merchant",
    "merchants",
    "image",
    "tag",
    "position",
];

/// Returns the field by which an entry of an array is known.
pub fn first_field(array: Array) -> &'static str {
    let known = ARRAYS.iter().find(|(known, _)| *known == array);
    known.and_then(|(_, fields)| fields.first()).copied().unwrap_or_default()
}

/// The fields that take every match and not only the first.
pub const LIST_FIELDS: [&str; 2] = ["highlights", "merchants"];
