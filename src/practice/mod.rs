//! The practice engine: an answer engine inside the binary that answers questions about answerd
//! from its own user guide. The same question always gets the same answer.

mod answer;
pub mod page;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::config::file::Practice;
use crate::guide::index::Index;
use crate::guide::{Guide, PAGES};

/// The model's name on the page and in results.
pub const MODEL: &str = "answerd-practice-1";
/// The longest question, in Unicode scalar values: as long as a prompt may be.
pub const QUESTION_CHARS_MAX: usize = crate::job::PROMPT_CHARS_MAX;
/// The largest size an answer can be filled up to, bytes (`payload_bytes`).
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// An answer of the practice engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PracticeAnswer {
    /// Markdown in which the mark `[n]` names `sources[n - 1]`.
    pub markdown: String,
    /// The searches that were made, in order.
    pub queries: Vec<String>,
    /// The sections that the answer rests on, then others that were consulted.
    pub sources: Vec<PracticeSource>,
    /// The marks in their order.
    pub citations: Vec<PracticeCitation>,
    /// Questions near this one that the guide answers.
    pub related_questions: Vec<String>,
}

/// A section of the guide as a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PracticeSource {
    pub title: String,
    /// `{public_url}/docs/{slug}#{anchor}`
    pub url: String,
    /// The passage nearest to the question, plain text.
    pub snippet: String,
}

/// A mark in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PracticeCitation {
    /// An index into the answer's sources.
    pub source: usize,
    /// The text that the mark supports.
    pub passage: String,
}

/// The answer engine, with the settings that make it slow, failing or long-winded.
pub struct Engine {
    public_url: String,
    settings: Practice,
    /// Questions asked so far, which decide which of them fail.
    asked: AtomicU64,
}

impl Engine {
    /// Creates an engine. Addresses of sources begin with `public_url`, which has no slash at its
    /// end.
    pub fn new(public_url: &str, settings: Practice) -> Engine {
        Engine { public_url: public_url.to_owned(), settings, asked: AtomicU64::new(0) }
    }

    /// Counts a question and returns whether it is one of those that fail: of every hundred in a
    /// row exactly `failure_percent`, spread evenly.
    pub fn fails_next(&self) -> bool {
        let percent = u64::from(self.settings.failure_percent.min(100));
        let before = self.asked.fetch_add(1, Ordering::Relaxed) % 100;
        (before + 1) * percent / 100 != before * percent / 100
    }

    /// Returns how long a question waits for its answer, milliseconds.
    pub fn latency_ms(&self) -> u64 {
        self.settings.latency_ms
    }

    /// Returns the index of the guide, which the first question builds.
    fn index(&self) -> &'static Index {
        static INDEX: LazyLock<Index> = LazyLock::new(|| Index::new(Guide::of(PAGES)));
        &INDEX
    }
}

/// Returns a text on one line, cut at the end of a word and with `ellipsis` if it is too long.
fn shortened(text: &str, chars_max: usize, ellipsis: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(chars_max) {
        None => text,
        Some((end, _)) => {
            let cut = &text[..end];
            format!("{}{ellipsis}", cut.rsplit_once(' ').map_or(cut, |(words, _)| words))
        }
    }
}
